"""A twin test: Apache RocketMQ and PyMQ are asked the same, request by request, and must say the same.

A conversation is a list of questions, some built from earlier answers. Both have it, each from its first question to its last,
and then the answers are compared (`twins.unexpected`). Where they differ on purpose the question says how, and names the row of
docs/differences.rst; the comparison fails also when they do not differ any more.
"""

import contextlib
import re

import pytest

from . import twin_administration, twin_consuming, twin_extended, twin_fields, twin_sending
from .apache import SMALL_STORE, ApacheCluster
from .pymq_server import ROOT, PyMQServer
from .twin_questions import BROKER, CLOSED_TOPIC, READ_ONLY, WRITE_ONLY, filled_topic, make_topic
from .twins import VERSION, Twin, unexpected

APACHE = "4.9.7"
TALKS = [*twin_sending.TALKS, *twin_consuming.TALKS, *twin_administration.TALKS]
ROW = re.compile(r"\n   \* - .*\n     - (.*)\n")


def documented():
    """What differs by docs/differences.rst."""
    return set(ROW.findall((ROOT / "docs" / "differences.rst").read_text()))


@contextlib.contextmanager
def twins_with(**settings):
    """Both servers, with these settings."""
    sizes = {name: size for name, size in SMALL_STORE.items() if "Timer" not in name}
    # A round that looks for open transactions would put half messages back, behind those of a conversation.
    settings.update(brokerName=BROKER, transactionCheckInterval=3_600_000)
    with ApacheCluster(APACHE, **settings) as theirs, PyMQServer(**settings, **sizes) as ours:
        yield [Twin(server) for server in (theirs, ours)]


@pytest.fixture(scope="module")
def twins():
    """Both servers, with some topics."""
    with twins_with() as pair:
        for twin in pair:
            for topic, perm in ((READ_ONLY, 4), (WRITE_ONLY, 2), (CLOSED_TOPIC, 0), (twin_fields.TOPIC, 6)):
                make_topic(twin, topic, perm=perm)
            filled_topic(twin, twin_fields.FILLED)
            twin.heard()
        yield pair


def compared(pair):
    """The lines that tell where the twins said otherwise than they should."""
    rows, lines = documented(), []
    theirs, ours = (twin.heard() for twin in pair)
    assert [one.name for one in theirs] == [one.name for one in ours]
    for their, our in zip(theirs, ours):
        differs = our.differs
        found = unexpected(their.heard, our.heard, differs and differs.paths)
        if differs and not differs.why.startswith(VERSION) and differs.why not in rows:
            found.append(f"docs/differences.rst has no row {differs.why!r}")
        lines += [f"{our.name}: {line}" for line in found]
    return lines


@pytest.fixture(scope="module")
def extended_twins():
    """Both servers, with extended queues."""
    with twins_with(**twin_extended.SETTINGS) as pair:
        yield pair


def converse(pair, talk):
    """What a conversation brings from one it brings from the other."""
    for twin in pair:
        twin.close()
        talk(twin)
    lines = compared(pair)
    assert not lines, f"{talk.__doc__}\n" + "\n".join(lines)


@pytest.mark.parametrize("talk", TALKS, ids=lambda talk: talk.__name__)
def test_they_say_the_same(twins, talk):
    """Of all that brokers and name servers are asked."""
    converse(twins, talk)


@pytest.mark.parametrize("talk", twin_extended.TALKS, ids=lambda talk: talk.__name__)
def test_they_say_the_same_of_extended_queues(extended_twins, talk):
    """Where filters have bits."""
    converse(extended_twins, talk)


@pytest.mark.parametrize("question", twin_fields.QUESTIONS, ids=lambda question: question.name)
def test_fields_that_are_missing_or_odd(twins, question):
    """Each field of a good request is left out, and has other values: both serve that, or ours tells which field is wrong."""
    assert twin_fields.ROW in documented()
    lines = []
    for name, fields in question.variants():
        theirs, ours = (twin.asks(question.code, fields, question.body, at=question.at) for twin in twins)
        if not question.expects(name, theirs, ours):
            lines.append(f"{name}: {theirs.code} {(theirs.remark or '')[:120]!r}, {ours.code} {ours.remark!r}")
    assert not lines, "\n".join(lines)

"""Every code sample of the documents, run as a reader would run it: against a broker started by the documents' own command."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from .pymq_server import PyMQServer, environment

ROOT = Path(__file__).resolve().parents[2]
#: What only Apache's brokers can do, and is run there by test_pop.
ON_APACHE = [ROOT / "docs" / "pop.rst"]
DOCUMENTS = [ROOT / "README.rst", *sorted(set((ROOT / "docs").glob("*.rst")) - set(ON_APACHE))]
#: What is a test itself is run by tests/docs.
IS_TEST = re.compile(r"^ *(async )?def test_", re.MULTILINE)
SENDS = re.compile(r"""\bMessage\(\s*["']([^"']+)""")
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", re.MULTILINE)
DEFAULT_NAMESRV = "127.0.0.1:9876"
#: Longer than a queue lock lives that nobody gives back.
SAMPLE_S = 150


def samples(documents=DOCUMENTS):
    """(document and number, text of the sample) for each block of Python."""
    return [
        (f"{path.name}-{number}", textwrap.dedent(block))
        for path in documents
        for number, block in enumerate(BLOCK.findall(path.read_text(encoding="utf-8")), 1)
        if not IS_TEST.search(block)
    ]


def run_sample(text, namesrv, folder):
    """Run a sample as a script of its own, with another name server; it must end well."""
    script = folder / "sample.py"
    script.write_text(text.replace(DEFAULT_NAMESRV, namesrv), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=SAMPLE_S, env=environment(), check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended


@pytest.fixture(scope="module")
def server():
    """One broker for all samples, with all that they use switched on."""
    with PyMQServer(enablePropertyFilter="true") as running:
        yield running


def test_there_are_samples():
    """A pattern that finds nothing would test nothing."""
    assert any(name.startswith("README") for name, _ in samples())


def test_samples_leave_each_other_alone():
    """A reader runs several of them against one broker, in any order: no two send to one topic."""
    senders = [(topic, name) for name, text in samples() for topic in set(SENDS.findall(text))]
    topics = [topic for topic, _ in senders]
    assert sorted(topics) == sorted(set(topics)), senders


@pytest.mark.parametrize(("name", "text"), samples(), ids=[name for name, _ in samples()])
def test_sample(server, name, text, tmp_path):
    """It ends by itself, without an error; only the name server's address is another, so that tests can run side by side."""
    ended = run_sample(text, server.namesrv, tmp_path)
    if name.startswith("README"):
        assert "SEND_OK" in ended.stdout
        assert "b'hello 9'" in ended.stdout

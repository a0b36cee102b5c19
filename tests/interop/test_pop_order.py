"""Pops in order, and looks at what is next, on Apache's brokers of 5.x. Java's clients do neither; its proxy pops in order."""

import contextlib

import pytest

from pymq.blocking import PopConsumer
from pymq.errors import ConnectionClosed, RequestTimeout

from . import programs, wire
from .apache import ApacheCluster
from .proxy import Proxied

SOON_S = 3.0
#: No broker hides messages for more than 300 s.
LONG_S = 240.0
WAIT_S = 120
#: A broker in Java is slow at first, all the more on a busy machine.
ANSWER_S = 30.0
FEW = 6


@pytest.fixture(scope="module", params=["5.5.0", "5.3.3"])
def apache(request):
    """A real name server and broker."""
    with ApacheCluster(request.param) as cluster:
        yield cluster


@contextlib.contextmanager
def members(cluster, topic, count=2):
    """A topic of one queue with some messages, and consumers of one group."""
    cluster.create_topic(topic, queues=1)
    programs.send("python", cluster, topic, FEW)
    with contextlib.ExitStack() as stack:
        settings = {
            "namesrv_addr": cluster.namesrv,
            "consume_from_where": "CONSUME_FROM_FIRST_OFFSET",
            "mq_client_api_timeout_s": ANSWER_S,
        }
        yield [stack.enter_context(PopConsumer(f"CG-{topic}", **settings)) for _ in range(count)]


class Pops:
    """Pops of two messages of a topic, in order."""

    def __init__(self, topic):
        self._topic = topic

    def now(self, consumer):
        """What comes without waiting."""
        return consumer.pop(self._topic, max_count=2, invisible_s=LONG_S, wait_s=0, order=True)

    def waited(self, consumer, invisible_s=LONG_S):
        """What comes, which may be a while."""
        got = []
        wire.wait_until(lambda: got or self._more(got, consumer, invisible_s), WAIT_S, "a pop in order")
        return got

    def _more(self, got, consumer, invisible_s):
        got += consumer.pop(self._topic, max_count=2, invisible_s=invisible_s, wait_s=10, order=True)
        return got


def seen(messages):
    """Which messages, and how often they came before."""
    return [(message.queue_offset, message.reconsume_times) for message in messages]


def test_a_queue_waits_for_acknowledgements(apache):
    """The next messages come once all that were popped are acknowledged, in whatever turn, one by one or together."""
    pops = Pops("ordered")
    with members(apache, "ordered") as (one, other):
        first = pops.waited(one)
        assert seen(first) == [(0, 0), (1, 0)]
        assert pops.now(other) == pops.now(one) == ()
        one.ack(first[1])
        assert pops.now(other) == ()
        one.ack(first[0])
        second = pops.waited(other)
        assert seen(second) == [(2, 0), (3, 0)]
        other.ack_all(second)
        third = pops.waited(one)
        assert seen(third) == [(4, 0), (5, 0)]
        one.ack_all(third)
        assert pops.now(one) == ()


def test_what_is_not_acknowledged_comes_again(apache):
    """With all that is behind it, to anybody, and counted; an acknowledgement of an earlier pop does nothing."""
    pops = Pops("ordered-in-vain")
    with members(apache, "ordered-in-vain") as (one, other):
        first = pops.waited(one, SOON_S)
        again = pops.waited(other, SOON_S)
        assert seen(again) == [(0, 1), (1, 1)]
        one.ack_all(first)
        other.ack(again[1])
        once_more = pops.waited(one)
        assert seen(once_more) == [(0, 2), (1, 2)]
        one.ack(once_more[0])
        one.change_invisible_time(once_more[1], SOON_S)
        rest = pops.waited(other)
        assert seen(rest) == [(1, 3), (2, 0)]
        other.ack_all(rest)
        assert seen(pops.waited(one)) == [(3, 0), (4, 0)]


def test_another_invisible_time(apache):
    """The queue gives its messages again when none of them is hidden, not when the first one is not; the new receipts count."""
    pops = Pops("ordered-again")
    with members(apache, "ordered-again") as (one, other):
        first = pops.waited(one)
        one.change_invisible_time(first[0], SOON_S)
        assert other.pop("ordered-again", max_count=2, wait_s=2 * SOON_S, order=True) == ()
        one.change_invisible_time(first[1], SOON_S)
        again = pops.waited(other)
        assert seen(again) == [(0, 1), (1, 1)]
        for message in again:
            other.change_invisible_time(message, LONG_S)
        other.ack(again[0])
        other.ack_all(again[1:])
        assert seen(pops.waited(one)) == [(2, 0), (3, 0)]


def test_a_lost_answer(apache):
    """What it had comes with the next pop of the same consumer, long before it would be seen again; to others it stays hidden."""
    pops = Pops("ordered-lost")
    with (
        members(apache, "ordered-lost", count=1) as (other,),
        Proxied(apache) as far,
        PopConsumer("CG-ordered-lost", namesrv_addr=far.namesrv) as one,
    ):
        one.ack_all(pops.waited(one))
        far.broker_proxy.mute()
        with pytest.raises((ConnectionClosed, RequestTimeout)):
            pops.now(one)
        far.broker_proxy.heal()
        assert pops.now(other) == ()
        again = pops.waited(one)
        assert seen(again) == [(2, 0), (3, 0)]
        one.ack_all(again)
        assert seen(pops.waited(other)) == [(4, 0), (5, 0)]


def test_a_look_at_what_is_next(apache):
    """Hides nothing, and shows what was not popped yet."""
    with members(apache, "peeked", count=1) as (consumer,):
        for _ in range(2):
            assert [message.queue_offset for message in consumer.peek("peeked")] == list(range(FEW))
        looked = consumer.peek("peeked", max_count=2)
        assert [(message.topic, message.queue_offset) for message in looked] == [("peeked", 0), ("peeked", 1)]
        popped = []
        wire.wait_until(lambda: popped or popped.extend(consumer.pop("peeked", max_count=4, wait_s=5)), WAIT_S, "a pop")
        rest = list(range(len(popped), FEW))
        assert [message.queue_offset for message in consumer.peek("peeked")] == rest
        consumer.ack_all(popped)
        assert [message.queue_offset for message in consumer.peek("peeked")] == rest

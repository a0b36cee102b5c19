"""The sending half of the benchmark, with a producer that answers when the test says so."""

from __future__ import annotations

from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from pymq.bench.options import ProducerOptions
from pymq.bench.producer import ProducerBenchmark
from pymq.errors import BrokerRefused, RequestTimeout


class SlowProducer:
    """Keeps every send until it is answered."""

    def __init__(self) -> None:
        self.sends: list[tuple[Any, Deferred[Any]]] = []
        self.is_running = False

    async def start(self) -> None:
        """Begin."""
        self.is_running = True

    def send(self, message: Any) -> Deferred[Any]:
        """Wait for the test."""
        sent: Deferred[Any] = Deferred()
        self.sends.append((message, sent))
        return sent

    async def shutdown(self) -> None:
        """End."""
        self.is_running = False


class ProducerBenchmarkTests(SynchronousTestCase):
    """How many are in flight, when it ends, and what it counts."""

    def setUp(self) -> None:
        self.clock = task.Clock()
        self.clock.advance(1_700_000_000)
        self.said: list[str] = []
        self.producer = SlowProducer()

    def run_with(self, *arguments: str) -> tuple[ProducerBenchmark, Deferred[Any]]:
        """Start a run with these options."""
        options = ProducerOptions()
        options.parseOptions(arguments)
        bench = ProducerBenchmark(options, clock=self.clock, producer=self.producer, say=self.said.append)  # type: ignore[arg-type]
        return bench, Deferred.fromCoroutine(bench.run())

    def answer_all(self) -> None:
        """Answer what is in flight."""
        sends, self.producer.sends = self.producer.sends, []
        for _, sent in sends:
            sent.callback(None)

    def test_so_many_sends_are_in_flight(self) -> None:
        """One for each thread of Java's, until the quantity is reached."""
        _, ended = self.run_with("-w", "3", "-q", "5", "-s", "10")
        self.assertEqual(len(self.producer.sends), 3)
        self.assertEqual(len(self.producer.sends[0][0].body), 10)
        self.clock.advance(0.002)
        self.answer_all()
        self.assertEqual(len(self.producer.sends), 2)
        self.answer_all()
        self.assertEqual(self.successResultOf(ended).count, 5)
        self.assertIn("Send Total: 5 ", self.said[-1])
        self.assertFalse(self.producer.is_running)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failures_are_counted_by_kind(self) -> None:
        """No answer is another thing than a refusal."""
        bench, ended = self.run_with("-w", "2", "-q", "2")
        (_, first), (_, second) = self.producer.sends
        first.errback(RequestTimeout("a:1", 310, 3.0))
        second.errback(BrokerRefused(1, "no", "a:1"))
        self.successResultOf(ended)
        self.assertEqual((bench.response_failed, bench.send_failed, bench.totals.count), (1, 1, 0))

    def test_a_stop_ends_with_what_is_in_flight(self) -> None:
        """Ctrl-C: nothing new is begun, the last line is said, the producer leaves."""
        bench, ended = self.run_with("-w", "2")
        self.answer_all()
        stopped = bench.stop()
        self.assertNoResult(stopped)
        self.answer_all()
        self.successResultOf(stopped)
        self.assertEqual(self.successResultOf(ended).count, 4)
        self.assertIn("[Complete] Send Total: 4 ", self.said[-1])
        self.assertFalse(self.producer.is_running)
        self.successResultOf(bench.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_failure_makes_a_pause(self) -> None:
        """Or a broker that is away would be asked without end, in one turn of the reactor; a stop ends the pause."""
        bench, ended = self.run_with("-w", "1")
        failed = [BrokerRefused(1, "no", "a:1")]
        self.producer.send = lambda message: fail(failed[0])  # type: ignore[method-assign]
        self.answer_all()
        self.assertEqual(bench.send_failed, 1)
        self.clock.advance(3.0)
        self.assertEqual(bench.send_failed, 2)
        self.successResultOf(bench.stop())
        self.successResultOf(ended)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_line_for_each_interval(self) -> None:
        """As often as -ri says."""
        self.run_with("-w", "1", "--reportInterval", "1000")
        self.clock.pump([1.0] * 3)
        lines = [line for line in self.said if line.startswith("Current Time")]
        self.assertEqual(len(lines), 3)

    def test_tags_and_keys_are_given_when_asked_for(self) -> None:
        """-l and -k."""
        self.run_with("-w", "3", "-l", "2", "-k", "true")
        messages = [message for message, _ in self.producer.sends]
        self.assertEqual([message.tags for message in messages], ["tag0", "tag1", "tag0"])
        self.assertTrue(all(message.keys for message in messages))

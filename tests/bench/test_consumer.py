"""The receiving half of the benchmark, with a consumer to which the test hands messages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pymq.bench.consumer import ConsumerBenchmark
from pymq.bench.options import ConsumerOptions
from pymq.client import ConsumeStatus


class HandConsumer:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.listener: Any = None

    def subscribe(self, topic: str, expression: str) -> None:
        """Note the subscription."""
        self.told.append((topic, expression))

    def listen(self, listener: Any) -> None:
        """Note the listener."""
        self.listener = listener

    async def start(self) -> None:
        """Note the start."""
        self.told.append("started")

    async def shutdown(self) -> None:
        """Note the end."""
        self.told.append("ended")


class ConsumerBenchmarkTests(SynchronousTestCase):
    """What it counts, and when it ends."""

    def run_with(self, *arguments: str) -> tuple[ConsumerBenchmark, HandConsumer, list[str], task.Clock, Deferred[int]]:
        """Start a run with these options."""
        clock = task.Clock()
        clock.advance(1_700_000_000)
        said: list[str] = []
        consumer = HandConsumer()
        options = ConsumerOptions()
        options.parseOptions(arguments)
        bench = ConsumerBenchmark(options, clock=clock, consumer=consumer, group="g", say=said.append)  # type: ignore[arg-type]
        return bench, consumer, said, clock, Deferred.fromCoroutine(bench.run())

    def test_a_stop_is_an_end(self) -> None:
        """Ctrl-C: the rate is that of the time that the stretch took, not of a whole interval."""
        bench, consumer, said, clock, ended = self.run_with()
        message = SimpleNamespace(born_timestamp=1_700_000_000_000, store_timestamp=1_700_000_000_000)
        consumer.listener([message] * 50, None)
        clock.advance(0.5)
        self.successResultOf(bench.stop())
        self.assertEqual(self.successResultOf(ended), 50)
        self.assertIn("Consume TPS: 100 ", said[-2])
        self.assertIn("Consume Total: 50 | Consume TPS: 100 ", said[-1])
        self.assertEqual(consumer.told[-1], "ended")
        self.successResultOf(bench.stop())
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_it_ends_with_the_quantity(self) -> None:
        """And says how old the messages were."""
        _, consumer, said, clock, ended = self.run_with("-q", "2", "-e", "TagA")
        self.assertEqual(consumer.told, [("BenchmarkTest", "TagA"), "started"])
        message = SimpleNamespace(born_timestamp=1_700_000_000_000 - 3, store_timestamp=1_700_000_000_000 - 1)
        self.assertEqual(consumer.listener([message], None), ConsumeStatus.CONSUME_SUCCESS)
        self.assertNoResult(ended)
        consumer.listener([message], None)
        self.assertEqual(self.successResultOf(ended), 2)
        self.assertIn("AVG(B2C) RT(ms):   3.000", said[-2])
        self.assertTrue(said[-1].startswith("[Complete] Consume Total: 2 "))
        self.assertEqual(consumer.told[-1], "ended")
        self.assertEqual(clock.getDelayedCalls(), [])

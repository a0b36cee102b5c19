# Tests: tests/bench/test_consumer.py
"""`pymq-bench consumer`: reads a topic and says each interval how many messages came, and how old they were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from pymq.bench.figures import Timings, consumer_end, consumer_line, header_lines
from pymq.client import ConsumeStatus, PushConsumer, StoredMessage
from pymq.periodic import Periodic


class ConsumerBenchmark:
    """One run. With a quantity it ends when so many messages came; without, at `stop`."""

    def __init__(self, options: Any, *, clock: Any, consumer: PushConsumer, group: str, say: Callable[[str], None]) -> None:
        self._options = options
        self._clock = clock
        self._consumer = consumer
        self._group = group
        self._say = say
        self._born = Timings()
        self._stored = Timings()
        self._complete: Deferred[None] = Deferred()
        self._ended: Deferred[None] = Deferred()
        self._reported_s = 0.0
        self.received = 0

    async def run(self) -> int:
        """Receive until the wanted quantity came; how many did."""
        options = self._options
        self._say(header_lines([("topic", options["topic"]), ("threadCount", options["threads"]), ("group", self._group)]))
        self._consumer.subscribe(options["topic"], options["expression"])
        self._consumer.listen(self._listen)
        interval_s = options["reportInterval"] / 1000
        reports = Periodic(self._clock, interval_s, self._report, name="report", initial_delay_s=interval_s)
        await self._consumer.start()
        started = self._reported_s = self._clock.seconds()
        reports.start()
        await self._complete
        await reports.stop()
        self._report()
        self._say(consumer_end(self._clock.seconds() - started, self.received, 0))
        await self._consumer.shutdown()
        self._ended.callback(None)
        return self.received

    def stop(self) -> Deferred[None]:
        """End; fires when the last line is said and the consumer is shut down. Again is harmless."""
        self._finish()
        over: Deferred[None] = Deferred()
        self._ended.addCallback(lambda _: over.callback(None))
        return over

    def _finish(self) -> None:
        if not self._complete.called:
            self._complete.callback(None)

    def _listen(self, messages: Sequence[StoredMessage], context: object) -> ConsumeStatus:
        now_ms = self._clock.seconds() * 1000
        for message in messages:
            self._born.add(max(0.0, now_ms - message.born_timestamp))
            self._stored.add(max(0.0, now_ms - message.store_timestamp))
        self.received += len(messages)
        if 0 < self._options["messageQuantity"] <= self.received:
            self._finish()
        return ConsumeStatus.CONSUME_SUCCESS

    def _report(self) -> None:
        now_s = self._clock.seconds()
        self._say(consumer_line(now_s, now_s - self._reported_s, self._born, self._stored, 0))
        self._reported_s = now_s
        self._born, self._stored = Timings(), Timings()

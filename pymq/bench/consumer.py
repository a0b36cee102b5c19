# Tests: tests/bench/test_consumer.py
"""`pymq-bench consumer`: reads a topic and says each interval how many messages came, and how old they were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from pymq.bench.figures import Timings, consumer_line, header_lines
from pymq.client import ConsumeStatus, PushConsumer, StoredMessage
from pymq.periodic import Periodic


class ConsumerBenchmark:
    """One run. With a quantity it ends when so many messages came; without, it goes on."""

    def __init__(self, options: Any, *, clock: Any, consumer: PushConsumer, group: str, say: Callable[[str], None]) -> None:
        self._options = options
        self._clock = clock
        self._consumer = consumer
        self._group = group
        self._say = say
        self._born = Timings()
        self._stored = Timings()
        self._complete: Deferred[None] = Deferred()
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
        reports.start()
        await self._complete
        reports.stop()
        self._report()
        await self._consumer.shutdown()
        return self.received

    def _listen(self, messages: Sequence[StoredMessage], context: object) -> ConsumeStatus:
        now_ms = self._clock.seconds() * 1000
        for message in messages:
            self._born.add(max(0.0, now_ms - message.born_timestamp))
            self._stored.add(max(0.0, now_ms - message.store_timestamp))
        self.received += len(messages)
        if 0 < self._options["messageQuantity"] <= self.received and not self._complete.called:
            self._complete.callback(None)
        return ConsumeStatus.CONSUME_SUCCESS

    def _report(self) -> None:
        seconds = self._options["reportInterval"] / 1000
        self._say(consumer_line(self._clock.seconds(), seconds, self._born, self._stored, 0))
        self._born, self._stored = Timings(), Timings()

# Tests: tests/bench/test_producer.py
"""`pymq-bench producer`: keeps so many sends in flight, and says each interval how it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList

from pymq.bench.figures import Timings, header_lines, producer_end, producer_line
from pymq.client import Message, Producer
from pymq.errors import PyMQError, RequestTimeout
from pymq.periodic import Periodic

PRODUCER_GROUP = "benchmark_producer"


class ProducerBenchmark:
    """One run. `run` gives a Deferred that fires with the totals when the wanted quantity is answered."""

    def __init__(self, options: Any, *, clock: Any, producer: Producer, say: Callable[[str], None]) -> None:
        self._options = options
        self._clock = clock
        self._producer = producer
        self._say = say
        self._body = bytes(97 + number % 26 for number in range(options["messageSize"]))
        self._begun = 0
        self._interval = Timings()
        self.totals = Timings()
        self.send_failed = 0
        self.response_failed = 0

    async def run(self) -> Timings:
        """Send until all are answered."""
        options = self._options
        self._say(
            header_lines(
                [
                    ("topic", options["topic"]),
                    ("threadCount", options["threads"]),
                    ("messageSize", options["messageSize"]),
                    ("keyEnable", str(options["keyEnable"]).lower()),
                    ("tagCount", options["tagCount"]),
                    ("messageQuantity", options["messageQuantity"]),
                    ("reportInterval", options["reportInterval"]),
                ]
            )
        )
        await self._producer.start()
        started = self._clock.seconds()
        interval_s = options["reportInterval"] / 1000
        reports = Periodic(self._clock, interval_s, self._report, name="report", initial_delay_s=interval_s)
        reports.start()
        await DeferredList([Deferred.fromCoroutine(self._worker()) for _ in range(options["threads"])], fireOnOneErrback=True)
        reports.stop()
        seconds = max(self._clock.seconds() - started, 1e-9)
        self._say(producer_end(seconds, self.totals, self.send_failed, self.response_failed))
        await self._producer.shutdown()
        return self.totals

    async def _worker(self) -> None:
        quantity = self._options["messageQuantity"]
        while not quantity or self._begun < quantity:
            number = self._begun
            self._begun += 1
            await self._send(self._message(number))

    def _message(self, number: int) -> Message:
        tags = self._options["tagCount"]
        return Message(
            self._options["topic"],
            self._body,
            tags=f"tag{number % tags}" if tags else None,
            keys=str(number) if self._options["keyEnable"] else (),
        )

    async def _send(self, message: Message) -> None:
        began = self._clock.seconds()
        try:
            await self._producer.send(message)
        except RequestTimeout:
            self.response_failed += 1
        except PyMQError:
            self.send_failed += 1
        else:
            took_ms = (self._clock.seconds() - began) * 1000
            self._interval.add(took_ms)
            self.totals.add(took_ms)

    def _report(self) -> None:
        seconds = self._options["reportInterval"] / 1000
        self._say(producer_line(self._clock.seconds(), seconds, self._interval, self.send_failed, self.response_failed))
        self._interval = Timings()

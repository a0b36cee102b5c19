# Tests: tests/bench/test_producer.py
"""`pymq-bench producer`: keeps so many sends in flight, and says each interval how it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.task import deferLater

from pymq.bench.figures import Timings, header_lines, producer_end, producer_line
from pymq.client import Message, Producer
from pymq.errors import PyMQError, RequestTimeout
from pymq.periodic import Periodic

PRODUCER_GROUP = "benchmark_producer"
#: How long a sender waits after a send that failed, as Java's does; without it a broker that is away would be asked without end.
FAILED_PAUSE_S = 3.0


class ProducerBenchmark:
    """One run, which ends when the wanted quantity is answered, or after `stop` with what is then in flight."""

    def __init__(self, options: Any, *, clock: Any, producer: Producer, say: Callable[[str], None]) -> None:
        self._options = options
        self._clock = clock
        self._producer = producer
        self._say = say
        self._body = bytes(97 + number % 26 for number in range(options["messageSize"]))
        self._begun = 0
        self._is_stopping = False
        self._reported_s = 0.0
        self._pauses: set[Deferred[None]] = set()
        self._ended: Deferred[None] = Deferred()
        self._interval = Timings()
        self.totals = Timings()
        self.send_failed = 0
        self.response_failed = 0

    async def run(self) -> Timings:
        """Send until all are answered; the totals."""
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
        started = self._reported_s = self._clock.seconds()
        interval_s = options["reportInterval"] / 1000
        reports = Periodic(self._clock, interval_s, self._report, name="report", initial_delay_s=interval_s)
        reports.start()
        await DeferredList([Deferred.fromCoroutine(self._worker()) for _ in range(options["threads"])], fireOnOneErrback=True)
        await reports.stop()
        self._say(producer_end(self._clock.seconds() - started, self.totals, self.send_failed, self.response_failed))
        await self._producer.shutdown()
        self._ended.callback(None)
        return self.totals

    def stop(self) -> Deferred[None]:
        """Begin no more sends; fires when the last line is said and the producer is shut down. Again is harmless."""
        self._is_stopping = True
        for pause in list(self._pauses):
            pause.cancel()
        over: Deferred[None] = Deferred()
        self._ended.addCallback(lambda _: over.callback(None))
        return over

    async def _worker(self) -> None:
        while self._has_more():
            number = self._begun
            self._begun += 1
            if not await self._send(self._message(number)) and self._has_more():
                await self._pause()

    def _has_more(self) -> bool:
        quantity = self._options["messageQuantity"]
        return not self._is_stopping and (not quantity or self._begun < quantity)

    async def _pause(self) -> None:
        pause: Deferred[None] = deferLater(self._clock, FAILED_PAUSE_S)
        self._pauses.add(pause)
        try:
            await pause
        except CancelledError:
            return  # the run is being stopped
        finally:
            self._pauses.discard(pause)

    def _message(self, number: int) -> Message:
        tags = self._options["tagCount"]
        return Message(
            self._options["topic"],
            self._body,
            tags=f"tag{number % tags}" if tags else None,
            keys=str(number) if self._options["keyEnable"] else (),
        )

    async def _send(self, message: Message) -> bool:
        """Send one and count it; whether it may be followed by the next at once."""
        began = self._clock.seconds()
        try:
            await self._producer.send(message)
        except RequestTimeout:
            self.response_failed += 1
        except PyMQError:
            self.send_failed += 1
            return False
        else:
            took_ms = (self._clock.seconds() - began) * 1000
            self._interval.add(took_ms)
            self.totals.add(took_ms)
        return True

    def _report(self) -> None:
        now_s = self._clock.seconds()
        seconds, self._reported_s = now_s - self._reported_s, now_s
        self._say(producer_line(now_s, seconds, self._interval, self.send_failed, self.response_failed))
        self._interval = Timings()

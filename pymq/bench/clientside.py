# Tests: tests/bench/test_clientside.py
"""Our side of `pymq-bench clients`: one process that measures one manner of the client; ClientBenchmark.java is the other.

    python -m pymq.bench.clientside MANNER NAMESRV GROUP KIND:TOPIC:IN_FLIGHT:BYTES:COUNT ...

KIND is `send` or `consume`. A fifth of the messages is sent before, unmeasured. Both sides print `client NAME`, and for each
measurement `measured ITS_WORDS SECONDS`. What cannot be measured in a manner has `-` for its seconds.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import attrs
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from pymq import aio, blocking, client
from pymq.client import Message

__all__ = ["MANNERS", "Measurement", "main"]

SEND, CONSUME = "send", "consume"
SEND_TIMEOUT_S = 30.0
#: More threads than that nobody would start for sends that wait.
THREADS_MAX = 64
FROM_FIRST = "CONSUME_FROM_FIRST_OFFSET"


@attrs.frozen
class Measurement:
    """What is to be measured."""

    kind: str
    topic: str
    in_flight: int
    size: int
    count: int

    @classmethod
    def parsed(cls, words: str) -> Measurement:
        """The opposite of `words`."""
        kind, topic, *numbers = words.split(":")
        return cls(kind, topic, *map(int, numbers))

    @property
    def words(self) -> str:
        """As it stands in the command line and in what is printed."""
        return ":".join(map(str, attrs.astuple(self)))


class _Count:
    """Counts what a listener is given; the time counts from the first to the last."""

    def __init__(self, wanted: int, complete: Callable[[], None]) -> None:
        self._left = wanted
        self._complete = complete
        self._lock = threading.Lock()
        self._begun = 0.0
        self.seconds = 0.0

    def __call__(self, messages: Any, context: object) -> None:
        """As a listener."""
        with self._lock:
            now = time.perf_counter()
            self._begun = self._begun or now
            self._left -= len(messages)
            if self._left <= 0 and not self.seconds:
                self.seconds = now - self._begun
                self._complete()


def _producer_settings(namesrv: str) -> dict[str, Any]:
    return {"namesrv_addr": namesrv, "send_msg_timeout_s": SEND_TIMEOUT_S}


def _consumer_settings(namesrv: str) -> dict[str, Any]:
    return {"namesrv_addr": namesrv, "consume_from_where": FROM_FIRST}


def _workers(producer: Any, what: Measurement, count: int) -> list[Any]:
    """Coroutines that send `count` messages between them, each one after the other."""
    numbers, body = iter(range(count)), bytes(what.size)

    async def work(numbers: Iterator[int]) -> None:
        for _ in numbers:
            await producer.send(Message(what.topic, body))

    return [work(numbers) for _ in range(what.in_flight)]


class OnDeferreds:
    """`pymq.client` under the process's reactor."""

    name = "pymq.client"

    def run(self, work: Callable[[Measurement], Any], whats: list[Measurement]) -> None:
        """Measure all."""

        async def measure() -> None:
            for what in whats:
                report(what, await work(what))

        try:
            react(lambda _: Deferred.fromCoroutine(measure()))
        except SystemExit as ended:
            if ended.code:
                raise

    async def send(self, namesrv: str, group: str, what: Measurement) -> float:
        """Seconds for the sends."""
        producer = client.Producer(group, **_producer_settings(namesrv))
        await producer.start()
        for count in (warm_up(what), what.count):
            begun = time.perf_counter()
            await gatherResults([Deferred.fromCoroutine(worker) for worker in _workers(producer, what, count)])
        seconds = time.perf_counter() - begun
        await producer.shutdown()
        return seconds

    async def consume(self, namesrv: str, group: str, what: Measurement) -> float:
        """Seconds from the first message to the last."""
        complete: Deferred[None] = Deferred()
        counted = _Count(what.count, lambda: complete.callback(None))
        consumer = client.PushConsumer(group, **_consumer_settings(namesrv))
        consumer.subscribe(what.topic)
        consumer.listen(counted)
        await consumer.start()
        await complete
        await consumer.shutdown()
        return counted.seconds


class OnAsyncio:
    """`pymq.aio`."""

    name = "pymq.aio"

    def run(self, work: Callable[[Measurement], Any], whats: list[Measurement]) -> None:
        """Measure all."""

        async def measure() -> None:
            for what in whats:
                report(what, await work(what))

        asyncio.run(measure())

    async def send(self, namesrv: str, group: str, what: Measurement) -> float:
        """Seconds for the sends."""
        async with aio.Producer(group, **_producer_settings(namesrv)) as producer:
            for count in (warm_up(what), what.count):
                begun = time.perf_counter()
                await asyncio.gather(*_workers(producer, what, count))
            return time.perf_counter() - begun

    async def consume(self, namesrv: str, group: str, what: Measurement) -> float:
        """Seconds from the first message to the last."""
        complete = asyncio.Event()
        counted = _Count(what.count, complete.set)
        consumer = aio.PushConsumer(group, listener=counted, **_consumer_settings(namesrv))
        consumer.subscribe(what.topic)
        async with consumer:
            await complete.wait()
        return counted.seconds


class InThreads:
    """`pymq.blocking`; so many sends in flight take so many threads."""

    name = "pymq.blocking"

    def run(self, work: Callable[[Measurement], Any], whats: list[Measurement]) -> None:
        """Measure all."""
        for what in whats:
            report(what, work(what))

    def send(self, namesrv: str, group: str, what: Measurement) -> float | None:
        """Seconds for the sends; None for more than anybody would start threads for."""
        if what.in_flight > THREADS_MAX:
            return None
        with blocking.Producer(group, **_producer_settings(namesrv)) as producer:
            for count in (warm_up(what), what.count):
                begun = time.perf_counter()
                self._send_some(producer, what, count)
            return time.perf_counter() - begun

    def _send_some(self, producer: blocking.Producer, what: Measurement, count: int) -> None:
        body, share = bytes(what.size), -(-count // what.in_flight)

        def work() -> None:
            for _ in range(share):
                producer.send(Message(what.topic, body))

        threads = [threading.Thread(target=work) for _ in range(what.in_flight)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def consume(self, namesrv: str, group: str, what: Measurement) -> float:
        """Seconds from the first message to the last."""
        complete = threading.Event()
        counted = _Count(what.count, complete.set)
        consumer = blocking.PushConsumer(group, listener=counted, **_consumer_settings(namesrv))
        consumer.subscribe(what.topic)
        with consumer:
            complete.wait()
        return counted.seconds


MANNERS: dict[str, Callable[[], Any]] = {"deferred": OnDeferreds, "aio": OnAsyncio, "blocking": InThreads}


def warm_up(what: Measurement) -> int:
    """Messages that are sent before, so that nothing is measured that happens only once."""
    return max(what.count // 5, 1)


def report(what: Measurement, seconds: float | None) -> None:
    """Print one result, at once."""
    print("measured", what.words, "-" if seconds is None else f"{seconds:.6f}", flush=True)


def main(arguments: list[str]) -> None:
    """Measure what the arguments say."""
    manner, namesrv, group, *words = arguments
    side = MANNERS[manner]()
    print("client", side.name, flush=True)
    whats = [Measurement.parsed(each) for each in words]
    groups = iter(range(len(whats)))

    def work(what: Measurement) -> Any:
        return getattr(side, what.kind)(namesrv, f"{group}{next(groups)}", what)

    side.run(work, whats)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Starts and shuts down clients again and again, and prints what is left of them: a JSON line of counts, each with its name.

    python leak_program.py MANNER NAMESRV TOPIC ROUNDS KIND...      MANNER: deferred, aio or blocking; KIND: one of KINDS

A round is one client of a kind: it is made, started, used and shut down; ten are at it at a time. All kinds are warmed up before
the first count, and there is another one after each kind's rounds.
"""

import asyncio
import gc
import itertools
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from twisted.logger import FilteringLogObserver, LogLevel, LogLevelFilterPredicate, globalLogBeginner, textFileLogObserver

import pymq.client
from pymq.client import LocalTransactionState, Message

AT_ONCE = 10
#: Rounds of each kind before the first count: caches fill, and modules are imported when they are first used.
WARM_UP = 30
#: How long a consumer that works by itself is left to it.
WORK_S = 0.03
#: More than what makes either kind of event loop forget its cancelled calls, and with them what they refer to.
CANCELLED = 200
FROM_FIRST = "CONSUME_FROM_FIRST_OFFSET"
#: What a request may take, for the machine may be busy, and a broker in Java is slow at first.
PATIENCE_S = 60.0
SENDING = {"send_msg_timeout_s": PATIENCE_S}


class Manner(NamedTuple):
    """How clients are offered. `make` is given a class name and arguments; `done` makes what a method gave awaitable."""

    make: Callable[..., Any]
    done: Callable[[Any], Any]
    pause: Callable[[float], Any]


class Kind(NamedTuple):
    """One kind of client: its class, its settings besides the name servers, what is done before the start and while it runs."""

    name: str
    settings: dict[str, Any] = {}
    before: Callable[[Any, str], None] = lambda client, topic: None
    use: Any = None


async def work(manner, client, topic):
    """Leave it to its own work."""
    await manner.done(manner.pause(WORK_S))


async def send(manner, client, topic):
    """A producer."""
    await manner.done(client.send(Message(topic, b"x")))


async def send_in_transaction(manner, client, topic):
    """A producer of transactions."""
    await manner.done(client.send_in_transaction(Message(topic, b"x")))


async def pull(manner, client, topic):
    """A pull consumer."""
    queue = (await manner.done(client.fetch_subscribe_queues(topic)))[0]
    result = await manner.done(client.pull(queue, "*", 0, 1))
    await manner.done(client.update_consume_offset(queue, result.next_offset))


async def poll(manner, client, topic):
    """A lite pull consumer."""
    await manner.done(client.poll(WORK_S))
    await manner.done(client.commit())


async def assign_and_poll(manner, client, topic):
    """A lite pull consumer of chosen queues."""
    client.assign(await manner.done(client.fetch_message_queues(topic)))
    await poll(manner, client, topic)


async def look(manner, client, topic):
    """An admin client."""
    await manner.done(client.topic_stats(topic))


async def pop(manner, client, topic):
    """A pop consumer."""
    for message in await manner.done(client.pop(topic, max_count=1, wait_s=0)):
        await manner.done(client.ack(message))


def subscribe(client, topic):
    """Any consumer that shares queues with its group."""
    client.subscribe(topic)


def commit(*_):
    """A local transaction, and what became of it."""
    return LocalTransactionState.COMMIT_MESSAGE


def push(**settings):
    """A push consumer; where it has no listener its messages are for a loop, if the manner has loops."""
    return Kind("PushConsumer", {"await_termination_s": 0.0, "consume_from_where": FROM_FIRST, **settings}, subscribe, work)


def listener(*_):
    """Messages are taken as they come."""


KINDS = {
    "producer": Kind("Producer", SENDING, use=send),
    "transaction-producer": Kind("TransactionProducer", {**SENDING, "execute": commit, "check": commit}, use=send_in_transaction),
    "push-consumer": push(listener=listener),
    "orderly-push-consumer": push(listener=listener, orderly=True),
    "broadcast-push-consumer": push(message_model="BROADCASTING"),
    "pull-consumer": Kind("PullConsumer", use=pull),
    "lite-pull-consumer": Kind("LitePullConsumer", {"consume_from_where": FROM_FIRST}, subscribe, poll),
    "assigned-lite-pull-consumer": Kind("LitePullConsumer", {"consume_from_where": FROM_FIRST}, use=assign_and_poll),
    "admin": Kind("Admin", use=look),
    "pop-consumer": Kind("PopConsumer", {"consume_from_where": FROM_FIRST}, use=pop),
    "popping-push-consumer": push(listener=listener, client_rebalance=False),
}


class Rounds:
    """The lives of clients of one manner; `offsets` is a folder for those who keep offsets themselves."""

    def __init__(self, manner, namesrv, topic, offsets):
        self._manner, self._namesrv, self._topic, self._offsets = manner, namesrv, topic, offsets
        self._numbers = itertools.count()

    async def one(self, kind):
        """A client from its making to its end."""
        name, settings, before, use = KINDS[kind]
        groups = [] if name == "Admin" else [f"leak-{kind}"]
        if settings.get("message_model") == "BROADCASTING":
            # Such a member has its machine's name and no other, for its offsets are kept by that.
            settings = {**settings, "offset_store_folder": self._offsets, "instance_name": f"leak-{next(self._numbers)}"}
        settings = {"mq_client_api_timeout_s": PATIENCE_S, **settings}
        client = self._manner.make(name, *groups, namesrv_addr=self._namesrv, **settings)
        before(client, self._topic)
        await self._manner.done(client.start())
        await use(self._manner, client, self._topic)
        await self._manner.done(client.shutdown())


def left(delayed_calls, selectables):
    """What this process has now."""
    gc.collect()
    with open("/proc/self/smaps_rollup") as lines:
        memory_kb = next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))
    return {
        "objects": len(gc.get_objects()),
        "files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "delayed_calls": delayed_calls,
        "selectables": selectables,
        "memory_kb": memory_kb,
    }


def itself(awaitable):
    """What can be awaited as it is."""
    return awaitable


def on_deferreds(name, *arguments, orderly=False, listener=listener, **settings):
    """A client of `pymq.client`, whose push consumers are told their listener after they are made."""
    client = getattr(pymq.client, name)(*arguments, **settings)
    if name == "PushConsumer":
        (client.listen_orderly if orderly else client.listen)(listener)
    return client


def run_deferred(lives, count):
    """Clients on Deferreds under the process's reactor."""
    from twisted.internet import reactor
    from twisted.internet.defer import DeferredSemaphore, ensureDeferred, gatherResults
    from twisted.internet.task import deferLater, react

    rounds = lives(Manner(on_deferreds, itself, lambda seconds: deferLater(reactor, seconds)))

    async def many(kind, number):
        places = DeferredSemaphore(AT_ONCE)
        await gatherResults([places.run(lambda: ensureDeferred(rounds.one(kind))) for _ in range(number)])
        calls = [reactor.callLater(60, itself, None) for _ in range(CANCELLED)]
        await deferLater(reactor, 0)
        for call in calls:
            call.cancel()
        await deferLater(reactor, 0.2)

    def now():
        return left(len(reactor.getDelayedCalls()), len(reactor.getReaders() + reactor.getWriters()))

    react(lambda reactor: ensureDeferred(count(many, now)))


def run_aio(lives, count):
    """Clients of one asyncio loop."""
    import pymq.aio

    def make(name, *arguments, **settings):
        return getattr(pymq.aio, name)(*arguments, **settings)

    rounds = lives(Manner(make, itself, asyncio.sleep))

    async def many(kind, number):
        places = asyncio.Semaphore(AT_ONCE)

        async def one():
            async with places:
                await rounds.one(kind)

        await asyncio.gather(*[one() for _ in range(number)])
        for _ in range(CANCELLED):
            asyncio.get_running_loop().call_later(60, itself, None).cancel()
        await asyncio.sleep(0.2)

    def now():
        loop = asyncio.get_running_loop()
        return left(len(loop._scheduled), len(loop._selector.get_map()) + len(asyncio.all_tasks()))

    asyncio.run(count(many, now))


def run_blocking(lives, count):
    """Clients of several threads."""
    import pymq.blocking

    def make(name, *arguments, **settings):
        return getattr(pymq.blocking, name)(*arguments, **settings)

    async def given(value):
        return value

    rounds = lives(Manner(make, given, time.sleep))

    async def many(kind, number):
        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(lambda _: at_once(rounds.one(kind)), range(number)))

    at_once(count(many, lambda: left(0, 0)))


def at_once(work):
    """Run a coroutine that never waits for an event loop."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError(f"{work} waits")


def begin_logging():
    """Before that Twisted keeps the last events, and whom they speak of, to tell them later."""
    warnings = LogLevelFilterPredicate(LogLevel.warn)
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(textFileLogObserver(sys.stderr), [warnings])], redirectStandardIO=False
    )


def main(manner, namesrv, topic, number, kinds):
    """Run the rounds, print the counts."""
    begin_logging()

    async def count(many, now):
        for kind in kinds:
            await many(kind, WARM_UP)
        counts = [["warm-up", now()]]
        for kind in kinds:
            await many(kind, number)
            counts.append([kind, now()])
        print(json.dumps(counts))

    with tempfile.TemporaryDirectory() as offsets:
        run = {"deferred": run_deferred, "aio": run_aio, "blocking": run_blocking}[manner]
        try:
            run(lambda manner: Rounds(manner, namesrv, topic, offsets), count)
        except SystemExit as ended:
            if ended.code:
                raise


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), sys.argv[5:])

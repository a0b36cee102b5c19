"""Starts and shuts down clients again and again, and prints what is left of them: one JSON line of counts before and after.

    python leak_program.py MANNER NAMESRV TOPIC ROUNDS      MANNER: deferred, aio or blocking

Each round makes a producer that sends a message and a push consumer with a subscription, ten rounds at a time.
"""

import asyncio
import gc
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

AT_ONCE = 10
#: Rounds before the first count: caches fill, and modules are imported when they are first used.
WARM_UP = 200


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


def consumer_settings(namesrv):
    """Where to begin does not matter; not to wait at the end does."""
    return {"namesrv_addr": namesrv, "await_termination_s": 0.0}


def run_deferred(namesrv, topic, rounds):
    """Clients on Deferreds under the process's reactor."""
    from twisted.internet import reactor
    from twisted.internet.defer import DeferredSemaphore, ensureDeferred, gatherResults
    from twisted.internet.task import deferLater, react

    from pymq.client import Message, Producer, PushConsumer

    async def one():
        producer = Producer("leak-producers", namesrv_addr=namesrv)
        await producer.start()
        await producer.send(Message(topic, b"x"))
        consumer = PushConsumer("leak-consumers", **consumer_settings(namesrv))
        consumer.subscribe(topic)
        consumer.listen(lambda messages, context: None)
        await consumer.start()
        await consumer.shutdown()
        await producer.shutdown()

    async def many(count):
        places = DeferredSemaphore(AT_ONCE)
        await gatherResults([places.run(lambda: ensureDeferred(one())) for _ in range(count)])
        await deferLater(reactor, 0.2)

    async def main(_):
        await many(WARM_UP)
        before = left(len(reactor.getDelayedCalls()), len(reactor.getReaders() + reactor.getWriters()))
        await many(rounds)
        after = left(len(reactor.getDelayedCalls()), len(reactor.getReaders() + reactor.getWriters()))
        print(json.dumps({"before": before, "after": after}))

    react(lambda reactor: ensureDeferred(main(reactor)))


def run_aio(namesrv, topic, rounds):
    """Clients of one asyncio loop."""
    from pymq.aio import Message, Producer, PushConsumer

    async def one(places):
        async with places, Producer("leak-producers", namesrv_addr=namesrv) as producer:
            await producer.send(Message(topic, b"x"))
            consumer = PushConsumer("leak-consumers", **consumer_settings(namesrv))
            consumer.subscribe(topic)
            async with consumer:
                pass

    async def many(count):
        places = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*[one(places) for _ in range(count)])
        await asyncio.sleep(0.2)

    async def main():
        loop = asyncio.get_running_loop()
        await many(WARM_UP)
        before = left(len(loop._scheduled), len(loop._selector.get_map()) + len(asyncio.all_tasks()))
        await many(rounds)
        after = left(len(loop._scheduled), len(loop._selector.get_map()) + len(asyncio.all_tasks()))
        print(json.dumps({"before": before, "after": after}))

    asyncio.run(main())


def run_blocking(namesrv, topic, rounds):
    """Clients of several threads."""
    from pymq.blocking import Message, Producer, PushConsumer

    def one(_):
        with Producer("leak-producers", namesrv_addr=namesrv) as producer:
            producer.send(Message(topic, b"x"))
            consumer = PushConsumer("leak-consumers", **consumer_settings(namesrv))
            consumer.subscribe(topic)
            with consumer:
                pass

    def many(count):
        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(one, range(count)))

    many(WARM_UP)
    before = left(0, 0)
    many(rounds)
    print(json.dumps({"before": before, "after": left(0, 0)}))


if __name__ == "__main__":
    manner, namesrv, topic, rounds = sys.argv[1:]
    {"deferred": run_deferred, "aio": run_aio, "blocking": run_blocking}[manner](namesrv, topic, int(rounds))

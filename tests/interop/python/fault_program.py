"""A producer and consumers of one topic that are to live through network faults; what happens is told as JSON lines.

    python fault_program.py MANNER NAMESRV TOPIC [NAME=VALUE ...]     MANNER: deferred, aio or blocking; settings of the producer

`acked` (seq) and `failed` (seq, error, seconds) for each send, one after the other; `got` (who, seq, queue, offset) for each
message that a consumer was given. A line on standard input ends the sending, SIGTERM everything; `done` comes last.
"""

import asyncio
import json
import signal
import sys
import threading
import time
from functools import partial

from pymq.client import Message
from pymq.errors import PyMQError

PAUSE_S = 0.02
SETTINGS = {
    "poll_name_server_interval_s": 1.0,
    "heartbeat_broker_interval_s": 1.0,
    "rebalance_interval_s": 1.0,
    "persist_consumer_offset_interval_s": 1.0,
}
FROM_FIRST = {"consume_from_where": "CONSUME_FROM_FIRST_OFFSET"}

enough, over = threading.Event(), threading.Event()


def say(event, **fields):
    """Tell at once; one write, for threads may do so together."""
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def got(who, message):
    """A consumer was given a message."""
    say("got", who=who, seq=int(message.body), queue=message.queue_id, offset=message.queue_offset)


class Send:
    """One send, timed."""

    def __init__(self, seq):
        self.seq, self.begun = seq, time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None:
            say("acked", seq=self.seq)
        elif isinstance(error, PyMQError):
            seconds = time.monotonic() - self.begun
            say("failed", seq=self.seq, error=f"{type(error).__name__}: {error}", seconds=seconds)
        return isinstance(error, PyMQError)


def body(seq):
    """What is sent."""
    return b"%d" % seq


async def sends(producer, topic, pause):
    """Send until it is enough; `pause()` gives what is awaited in between."""
    seq = 0
    while not enough.is_set():
        with Send(seq):
            await producer.send(Message(topic, body(seq)))
        seq += 1
        await pause()


def run_deferred(topic, common, sending):
    """On Twisted: a producer, a push consumer, one in order, and one that pulls by hand."""
    from twisted.internet import reactor
    from twisted.internet.defer import ensureDeferred
    from twisted.internet.task import deferLater, react

    from pymq.client import Producer, PullConsumer, PushConsumer

    async def pulls(consumer, queue, offset):
        while not over.is_set():
            try:
                result = await consumer.pull_block_if_not_found(queue, "*", offset)
            except PyMQError:
                await deferLater(reactor, PAUSE_S)
                continue
            for message in result.messages:
                got("pull", message)
            offset = result.next_offset

    async def main():
        producer = Producer(f"{topic}-producers", **sending, **common)
        push, orderly = (PushConsumer(f"{topic}-{who}", **FROM_FIRST, **common) for who in ("push", "orderly"))
        push.listen(lambda messages, _: [got("push", message) for message in messages] and None)
        orderly.listen_orderly(lambda messages, _: [got("orderly", message) for message in messages] and None)
        pull = PullConsumer(f"{topic}-pull", suspend_timeout_s=1.0, pull_timeout_s=4.0, **common)
        for consumer in (push, orderly):
            consumer.subscribe(topic)
        for client in (producer, push, orderly, pull):
            await client.start()
        for queue in await pull.fetch_subscribe_queues(topic):
            ensureDeferred(pulls(pull, queue, 0)).addErrback(lambda _: None)  # what the shutdown ends
        sending_ended = ensureDeferred(sends(producer, topic, partial(deferLater, reactor, PAUSE_S)))
        while not over.is_set():
            await deferLater(reactor, 0.05)
        await sending_ended
        for client in (push, orderly, pull, producer):
            await client.shutdown()

    try:
        react(lambda _: ensureDeferred(main()))
    except SystemExit as ended:
        if ended.code:
            raise


def run_aio(topic, common, sending):
    """On asyncio: a producer and a consumer in a loop."""
    from pymq.aio import Producer, PushConsumer

    async def receives(consumer):
        async for message in consumer:
            got("loop", message)

    async def main():
        consumer = PushConsumer(f"{topic}-loop", **FROM_FIRST, **common)
        consumer.subscribe(topic)
        async with Producer(f"{topic}-producers", **sending, **common) as producer, consumer:
            receiving, sent = (
                asyncio.create_task(receives(consumer)),
                asyncio.create_task(sends(producer, topic, partial(asyncio.sleep, PAUSE_S))),
            )
            while not over.is_set():
                await asyncio.sleep(0.05)
            receiving.cancel()
            await sent

    asyncio.run(main())


def run_blocking(topic, common, sending):
    """In threads: a producer and a consumer in a loop."""
    from pymq.blocking import Producer, PushConsumer

    def receives(consumer):
        while not over.is_set():
            for message in consumer.messages(timeout_s=0.1):
                got("loop", message)

    consumer = PushConsumer(f"{topic}-loop", **FROM_FIRST, **common)
    consumer.subscribe(topic)
    with Producer(f"{topic}-producers", **sending, **common) as producer, consumer:
        receiving = threading.Thread(target=receives, args=(consumer,))
        receiving.start()
        seq = 0
        while not enough.is_set():
            with Send(seq):
                producer.send(Message(topic, body(seq)))
            seq += 1
            time.sleep(PAUSE_S)
        receiving.join()


def wait_for_the_end():
    """A line, or the end of the input, ends the sending."""
    sys.stdin.readline()
    enough.set()


def main():
    """Run in one manner."""
    manner, namesrv, topic, *words = sys.argv[1:]
    settings = {name: json.loads(value) for name, value in (word.split("=") for word in words)}
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: (enough.set(), over.set()))
    threading.Thread(target=wait_for_the_end, daemon=True).start()
    run = {"deferred": run_deferred, "aio": run_aio, "blocking": run_blocking}[manner]
    run(topic, {"namesrv_addr": namesrv, **SETTINGS}, settings)
    say("done", threads=threading.active_count())


if __name__ == "__main__":
    main()

"""PyMQ's own client with the command language that all families share (see tests/interop/programs.py)."""

import argparse
import json
import os
import signal
import sys
import threading

from dialogue import Dialogue
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, globalLogBeginner, textFileLogObserver

from pymq.client import (
    ConsumeStatus,
    LitePullConsumer,
    Message,
    MessageSelector,
    Producer,
    PullConsumer,
    PushConsumer,
    SendStatus,
)
from pymq.client.transactions import LocalTransactionState, TransactionProducer

IN_FLIGHT_MAX = 256
FLUSH_S = 0.1
REFUSED_PAUSE_S = 0.05
SEND_TIMEOUT_S = 20
#: How long servers may take to answer, which may have to wait for the processors.
ANSWER_S = 30
EVERYWHERE = ("namespace", "namespace-v2", "unit", "compress")
LETTERS = b"abcdefghijklmnopqrstuvwxyz"

stopping = threading.Event()
lines = []
padding = {}


def append(event, **fields):
    """Write an event that the next flush carries out."""
    lines.append(json.dumps({"event": event, **fields}) + "\n")


def flush():
    """Write out what was appended."""
    text = "".join(lines)
    lines.clear()
    if text:
        sys.stdout.write(text)
        sys.stdout.flush()


def say(event, **fields):
    """Write an event at once."""
    append(event, **fields)
    flush()


def sleep(seconds):
    """A Deferred that fires after so long."""
    return deferLater(reactor, seconds, lambda: None)


def make_body(prefix, seq, size):
    """`PREFIX:00000042:` and letters up to the size, each the one of its place."""
    return fill(b"%s:%08d:" % (prefix.encode(), seq), size)


def fill(head, size):
    """The head and what belongs behind it."""
    if len(padding.get("", b"")) < size:
        padding[""] = LETTERS * (size // 26 + 1)
    return head + padding.get("", b"")[len(head) : size]


def head_of(body):
    """Everything up to and with the second colon, or None."""
    parts = body.split(b":", 2)
    return b"%s:%s:" % (parts[0], parts[1]) if len(parts) == 3 else None


def settings_of(flags):
    """What every client is told: the name server and a name of its own; and what was asked for beyond that."""
    given = {
        "namesrv_addr": flags.namesrv,
        "mq_client_api_timeout_s": ANSWER_S,
        "instance_name": flags.instance,
        "client_ip": flags.client_ip,
        "namespace": flags.namespace,
        "namespace_v2": flags.namespace_v2,
        "unit_name": flags.unit,
        "unit_mode": bool(flags.unit),
        "vip_channel_enabled": flags.vip,
    }
    return {name: value for name, value in given.items() if value}


def sending_settings_of(flags):
    """What every producer is told on top of that."""
    given = {
        "compress_type": flags.compress,
        "compress_level": flags.compress_level,
        "compress_msg_body_over_howmuch": flags.compress_over,
    }
    return {
        **settings_of(flags),
        "send_msg_timeout_s": SEND_TIMEOUT_S,
        **{name: value for name, value in given.items() if value is not None},
    }


class Sender:
    """The command `send`."""

    def __init__(self, flags):
        self.flags, self.sent, self.failed, self.seq = flags, 0, 0, 0
        self.acks = open(flags.ack_file, "a", buffering=1) if flags.ack_file else None  # noqa: SIM115
        self.slots = DeferredSemaphore(IN_FLIGHT_MAX)
        self.queues = None
        self.producer = Producer(flags.group, **sending_settings_of(flags))

    async def run(self):
        """Send all; the exit code."""
        flags = self.flags
        if flags.forever:
            threading.Thread(target=lambda: (sys.stdin.read(), stopping.set()), daemon=True).start()
        await self.producer.start()
        say("ready")
        step = flags.batch if flags.mode == "batch" else 1
        while (flags.forever or self.seq < flags.count) and not stopping.is_set():
            end = self.seq + step if flags.forever else min(flags.count, self.seq + step)
            if await self.attempt(self.seq, end) or not flags.forever:
                self.seq = end
            else:
                await sleep(REFUSED_PAUSE_S)
            if flags.interval_ms:
                await sleep(flags.interval_ms / 1000)
        for _ in range(IN_FLIGHT_MAX):
            await self.slots.acquire()
        while flags.linger and not stopping.is_set():
            await sleep(FLUSH_S)
        await self.producer.shutdown()
        say("done", sent=self.sent, failed=self.failed)
        return 1 if self.failed and not flags.forever else 0

    async def attempt(self, seq, end):
        """Send some; whether that went well, as far as it is known yet."""
        try:
            await self.send(seq, end)
            return True
        except Exception as error:
            self.refused(seq, end - seq, error)
            return False

    async def send(self, seq, end):
        """Send one message, or a batch, in the mode asked for."""
        mode, producer = self.flags.mode, self.producer
        if mode == "async":
            await self.slots.acquire()
            sending = producer.send(self.message(seq))
            sending.addCallback(lambda result: self.accepted(seq, 1, result))
            sending.addErrback(lambda failure: self.refused(seq, 1, failure.value))
            sending.addBoth(lambda _: self.slots.release())
        elif mode == "oneway":
            await producer.send_oneway(self.message(seq))
            self.sent += 1
            if not self.flags.quiet:
                say("oneway", seq=seq)
        elif mode == "batch":
            self.accepted(seq, end - seq, await producer.send_batch([self.message(n) for n in range(seq, end)]))
        elif mode == "ordered":
            choose = lambda queues, _, number: queues[number % len(queues)]  # noqa: E731
            self.accepted(seq, 1, await producer.send(self.message(seq), selector=choose, argument=seq))
        elif mode == "queue":
            self.accepted(seq, 1, await producer.send(self.message(seq), queue=await self.queue()))
        else:
            self.accepted(seq, 1, await producer.send(self.message(seq)))

    async def queue(self):
        """The queue that was asked for."""
        if self.queues is None:
            self.queues = await self.producer.fetch_publish_queues(self.flags.topic)
        return next(queue for queue in self.queues if queue.queue_id == self.flags.queue)

    def message(self, seq):
        """The message of that number."""
        flags = self.flags
        keys = f"{flags.key_prefix}{seq}" if flags.key_prefix else ""
        body = make_body(flags.prefix, seq, flags.size)
        return Message(flags.topic, body, tags=flags.tag, keys=keys, delay_level=flags.delay_level)

    def accepted(self, seq, number, result):
        """The broker has them."""
        if result.status is not SendStatus.SEND_OK:
            raise RuntimeError(result.status.name)
        ids, offset_ids = result.msg_id.split(","), result.offset_msg_id.split(",")
        for i in range(number):
            if self.acks:
                self.acks.write(f"{seq + i} {result.queue.queue_id} {result.queue_offset + i}\n")
            if not self.flags.quiet:
                append(
                    "sent",
                    seq=seq + i,
                    msgId=ids[i % len(ids)],
                    offsetMsgId=offset_ids[i % len(offset_ids)],
                    queueId=result.queue.queue_id,
                    queueOffset=result.queue_offset + i,
                    status="SEND_OK",
                )
        flush()
        self.sent += number

    def refused(self, seq, number, error):
        """They could not be sent."""
        self.failed += number
        say("failed", seq=seq, message=repr(error))


STATES = {"commit": LocalTransactionState.COMMIT_MESSAGE, "rollback": LocalTransactionState.ROLLBACK_MESSAGE}


class TransactionSender:
    """The command `transaction`."""

    def __init__(self, flags):
        self.flags, self.checked = flags, 0
        self.outcomes, self.checks = flags.outcome.split(","), flags.check.split(",")
        self.producer = TransactionProducer(
            flags.group, execute=self.execute, check=self.check, enable_msg_trace=flags.trace, **sending_settings_of(flags)
        )

    async def run(self):
        """Send all, and be asked; the exit code."""
        flags = self.flags
        await self.producer.start()
        say("ready")
        for seq in range(flags.count):
            message = Message(flags.topic, make_body("P", seq, flags.size), tags=flags.tag)
            if flags.immunity_s:
                message.properties["CHECK_IMMUNITY_TIME_IN_SECONDS"] = str(flags.immunity_s)
            result = await self.producer.send_in_transaction(message, seq)
            say(
                "sent",
                seq=seq,
                msgId=result.msg_id,
                offsetMsgId=result.offset_msg_id,
                queueId=result.queue.queue_id,
                queueOffset=result.queue_offset,
                status=result.status.name,
                state=result.local_state.name,
            )
        while flags.linger and not stopping.is_set():
            await sleep(FLUSH_S)
        await self.producer.shutdown()
        say("done", sent=flags.count, failed=0)
        return 0

    def execute(self, message, seq):
        """The local transaction."""
        outcome = self.outcomes[seq % len(self.outcomes)]
        say("executing", seq=seq, outcome=outcome, transactionId=message.unique_id)
        return Deferred() if outcome == "hang" else STATES.get(outcome)

    async def check(self, message):
        """A broker's question."""
        outcome = self.checks[self.checked % len(self.checks)]
        self.checked += 1
        say(
            "checked",
            body_prefix=head_of(message.body).decode(),
            outcome=outcome,
            topic=message.topic,
            times=message.properties.get("TRANSACTION_CHECK_TIMES"),
            transactionId=message.unique_id,
            queueOffset=message.queue_offset,
        )
        return STATES.get(outcome)


class Receiver:
    """The command `receive`."""

    def __init__(self, flags):
        self.flags, self.distinct, self.queues_shown = flags, set(), 0
        self.deadline = reactor.seconds() + flags.timeout_s
        self.settings = settings_of(flags)
        if flags.offsets:
            self.settings["offset_store_folder"] = flags.offsets

    async def run(self):
        """Receive until all is there; the exit code."""
        ways = {"pull": self.pull, "litepull": self.litepull}
        await next((way for name, way in ways.items() if getattr(self.flags, name)), self.push)()
        flush()
        say("done", received=len(self.distinct))
        return 1 if self.flags.expect and len(self.distinct) < self.flags.expect else 0

    def over(self):
        """Is there nothing left to wait for?"""
        enough = self.flags.expect and len(self.distinct) >= self.flags.expect
        return enough or stopping.is_set() or reactor.seconds() > self.deadline

    async def push(self):
        """Receive by a push consumer."""
        flags = self.flags
        where = "CONSUME_FROM_FIRST_OFFSET" if flags.from_ == "first" else "CONSUME_FROM_LAST_OFFSET"
        consumer = PushConsumer(
            flags.group,
            message_model="BROADCASTING" if flags.broadcast else "CLUSTERING",
            consume_from_where=where,
            consume_message_batch_max_size=1 if flags.fail_times or flags.work_ms else 32,
            max_reconsume_times=flags.max_reconsume,
            suspend_current_queue_time_s=0.1,
            await_termination_s=5,
            client_rebalance=not flags.pop,
            pop_invisible_time_s=flags.invisible_ms / 1000,
            **self.settings,
        )
        consumer.subscribe(flags.topic, self.selector())
        listener = self.consume if flags.work_ms else lambda messages, _: self.received_all(messages)
        (consumer.listen_orderly if flags.orderly else consumer.listen)(listener)
        await consumer.start()
        say("ready")
        while not self.over():
            await sleep(FLUSH_S)
            self.show(sum(queue.topic == flags.topic for queue in consumer.queues))
            flush()
        await consumer.shutdown()

    async def pull(self):
        """Receive by a pull consumer."""
        flags = self.flags
        consumer = PullConsumer(flags.group, enable_msg_trace=flags.trace, **self.settings)
        await consumer.start()
        say("ready")
        following = {}
        for queue in await consumer.fetch_subscribe_queues(flags.topic):
            stored = await consumer.fetch_consume_offset(queue, from_store=True)
            begin = consumer.min_offset if flags.from_ == "first" else consumer.max_offset
            following[queue] = stored if stored >= 0 else await begin(queue)
        self.show(len(following))
        while not self.over():
            for queue, offset in following.items():
                result = await consumer.pull(queue, self.selector(), offset, 32)
                self.received_all(result.messages)
                following[queue] = result.next_offset
                await consumer.update_consume_offset(queue, result.next_offset)
            flush()
        await consumer.persist()
        await consumer.shutdown()

    async def litepull(self):
        """Receive by a lite pull consumer."""
        flags = self.flags
        where = "CONSUME_FROM_FIRST_OFFSET" if flags.from_ == "first" else "CONSUME_FROM_LAST_OFFSET"
        model = "BROADCASTING" if flags.broadcast else "CLUSTERING"
        consumer = LitePullConsumer(
            flags.group, message_model=model, consume_from_where=where, enable_msg_trace=flags.trace, **self.settings
        )
        consumer.subscribe(flags.topic, self.selector())
        await consumer.start()
        say("ready")
        while not self.over():
            self.received_all(await consumer.poll(FLUSH_S))
            self.show(len(consumer.queues))
            flush()
        await consumer.commit()
        await consumer.shutdown()

    def selector(self):
        """What of the topic is wanted."""
        return MessageSelector.by_sql(self.flags.sql) if self.flags.sql else MessageSelector.by_tag(self.flags.tag or "*")

    def show(self, queues):
        """Tell how many queues we have, when that changed."""
        if queues != self.queues_shown:
            append("assigned", queues=queues)
        self.queues_shown = queues

    async def consume(self, messages, _context):
        """As `received_all`, for the one message of a call, and it takes a while."""
        status = self.received_all(messages)
        flush()
        await sleep(self.flags.work_ms / 1000)
        (message,) = messages
        say("consumed", queueId=message.queue_id, queueOffset=message.queue_offset, at=int(reactor.seconds() * 1000))
        return status

    def received_all(self, messages):
        """Messages came; what the listener answers."""
        for message in messages:
            self.received(message)
        if messages and messages[0].reconsume_times < self.flags.fail_times:
            return ConsumeStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT if self.flags.orderly else ConsumeStatus.RECONSUME_LATER
        return None

    def received(self, message):
        """One message came."""
        body = message.body
        head = head_of(body)
        prefix = None if head is None else head.decode("ascii", "replace")
        if head is None or len(body) != (self.flags.size or len(body)) or fill(head, len(body)) != body:
            append("corrupt", size=len(body), body_prefix=prefix, msgId=message.msg_id)
        append(
            "received",
            body_prefix=prefix,
            size=len(body),
            queueId=message.queue_id,
            queueOffset=message.queue_offset,
            msgId=message.msg_id,
            tags=message.tags,
            reconsume=message.reconsume_times,
            topic=message.topic,
            born=message.born_timestamp,
            stored=message.store_timestamp,
            at=int(reactor.seconds() * 1000),
            sysFlag=message.sys_flag,
            storeSize=message.size,
        )
        if self.flags.at_once:
            flush()
        if message.reconsume_times >= self.flags.fail_times:
            self.distinct.add(prefix)


class Asker:
    """The commands that ask a broker something: createTopic, view (by offset id), query (by key), minmax."""

    def __init__(self, flags):
        self.flags = flags
        self.client = Producer(flags.group or "interop-asker", **settings_of(flags))

    async def run(self):
        """Ask; the exit code."""
        flags, client = self.flags, self.client
        await client.start()
        if flags.command == "createTopic":
            await client.create_topic(flags.key or "TBW102", flags.topic, flags.queues)
        elif flags.command == "view":
            await self.view(flags.id)
        elif flags.command == "query":
            end_ms = int((reactor.seconds() + 60) * 1000)
            for message in (await client.query_message(flags.topic, flags.key, flags.max, 0, end_ms)).messages:
                self.show(message)
        else:
            for queue in await client.fetch_publish_queues(flags.topic):
                say(
                    "queue",
                    queueId=queue.queue_id,
                    min=await client.min_offset(queue),
                    max=await client.max_offset(queue),
                    search=await client.search_offset(queue, flags.time),
                )
        await client.shutdown()
        say("done")
        return 0

    async def view(self, message_id):
        """A message by its offset id, or by its unique id, as Java's viewMessage(topic, id)."""
        found = await self.client.query_message_by_unique_id(self.flags.topic, message_id)
        self.show(found.messages[0] if found.messages else await self.client.view_message(message_id))

    def show(self, message):
        """Tell of a message."""
        head = head_of(message.body)
        say(
            "message",
            body_prefix=head and head.decode(),
            size=len(message.body),
            queueId=message.queue_id,
            queueOffset=message.queue_offset,
            msgId=message.msg_id,
            keys=" ".join(message.keys),
            tags=message.tags,
            topic=message.topic,
        )


def dialogue(flags):
    """The command `request`, `reply` or `trace`."""
    return Dialogue(flags, sys.modules[__name__])


COMMANDS = {
    "send": Sender,
    "transaction": TransactionSender,
    "receive": Receiver,
    **dict.fromkeys(("createTopic", "view", "query", "minmax"), Asker),
    **dict.fromkeys(("request", "reply", "trace"), dialogue),
}


def parse():
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=COMMANDS)
    for name in ("namesrv", "topic"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("group", "tag", "key-prefix", "instance", "ack-file", "key", "id", "sql", "client-ip", "offsets", *EVERYWHERE):
        parser.add_argument(f"--{name}")
    for name in ("outcome", "check"):
        parser.add_argument(f"--{name}", default="commit")
    numbers = {
        "count": 1,
        "size": None,
        "interval-ms": 0,
        "expect": 0,
        "batch": 10,
        "queue": 0,
        "queues": 4,
        "max": 64,
        "time": 0,
        "delay-level": 0,
        "fail-times": 0,
        "work-ms": 0,
        "max-reconsume": -1,
        "immunity-s": 0,
        "compress-level": None,
        "compress-over": None,
        "invisible-ms": 60000,
    }
    for name, otherwise in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=otherwise)
    for name in ("forever", "quiet", "broadcast", "orderly", "pull", "litepull", "at-once", "linger", "vip", "trace", "pop"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--mode", choices=("sync", "async", "oneway", "batch", "ordered", "queue"), default="sync")
    parser.add_argument("--prefix", default="P")
    parser.add_argument("--timeout-s", type=float, default=3600)
    parser.add_argument("--from", dest="from_", choices=("first", "last"), default="first")
    flags = parser.parse_args()
    if flags.command in ("send", "transaction") and flags.size is None:
        flags.size = 1024
    return flags


def main():
    """Run one command."""
    flags = parse()
    codes = []

    def failed(failure):
        failure.printTraceback(sys.stderr)
        say("error", message=repr(failure.value))
        return 1

    def begin():
        command = COMMANDS[flags.command](flags)
        running = Deferred.fromCoroutine(command.run())
        running.addErrback(failed).addCallback(codes.append).addBoth(lambda _: reactor.stop())

    show = textFileLogObserver(sys.stderr)
    observer = lambda event: event["log_level"] >= LogLevel.warn and show(event)  # noqa: E731
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    reactor.callWhenRunning(begin)
    reactor.run(installSignalHandlers=False)
    flush()
    os._exit(codes[0] if codes else 1)


if __name__ == "__main__":
    main()

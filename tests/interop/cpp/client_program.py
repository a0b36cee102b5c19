"""The C++ client, by way of the ctypes package over it, with the command language that all families share.

Runs in a virtual environment of its own (see toolchain.cpp_python) and imports nothing else from here.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time

from rocketmq.client import Message, Producer, PullConsumer, PushConsumer, SendStatus
from rocketmq.ffi import MessageModel, _CLogLevel, dll

IN_FLIGHT_MAX = 32
FLUSH_S = 0.1
SEND_TIMEOUT_MS = 20_000
LETTERS = "abcdefghijklmnopqrstuvwxyz"

stopping = threading.Event()
lines, lock = [], threading.Lock()


def append(event, **fields):
    """Write an event that the next flush carries out."""
    with lock:
        lines.append(json.dumps({"event": event, **fields}) + "\n")


def flush():
    """Write out what was appended."""
    with lock:
        text = "".join(lines)
        lines.clear()
    if text:
        sys.stdout.write(text)
        sys.stdout.flush()


def say(event, **fields):
    """Write an event at once."""
    append(event, **fields)
    flush()


def make_body(prefix, seq, size):
    """`PREFIX:00000042:` and letters up to the size."""
    head = f"{prefix}:{seq:08d}:"
    return head + "".join(LETTERS[i % 26] for i in range(len(head), size))


def prefix_of(text):
    """Everything up to and with the second colon, or None."""
    parts = text.split(":", 2)
    return f"{parts[0]}:{parts[1]}:" if len(parts) == 3 else None


class Sender:
    """The command `send`."""

    def __init__(self, flags):
        self.flags, self.sent, self.failed = flags, 0, 0
        self.acks = open(flags.ack_file, "a", buffering=1) if flags.ack_file else None  # noqa: SIM115 - open to the end
        self.slots = threading.Semaphore(IN_FLIGHT_MAX)
        self.producer = Producer(flags.group, timeout=SEND_TIMEOUT_MS)
        self.producer.set_namesrv_addr(flags.namesrv)
        if flags.instance:
            dll.SetProducerInstanceName(self.producer._handle, flags.instance.encode())
        dll.SetProducerLogLevel(self.producer._handle, _CLogLevel.WARN)

    def run(self):
        """Send all; the exit code."""
        flags = self.flags
        if flags.forever:
            threading.Thread(target=lambda: (sys.stdin.read(), stopping.set()), daemon=True).start()
        self.producer.start()
        say("ready")
        seq = 0
        while (flags.forever or seq < flags.count) and not stopping.is_set():
            try:
                self.send(seq)
                seq += 1
            except Exception as error:
                self.refused(seq, error)
                seq += not flags.forever
                time.sleep(0.05)
            if flags.interval_ms:
                time.sleep(flags.interval_ms / 1000)
        for _ in range(IN_FLIGHT_MAX):
            self.slots.acquire()
        while flags.linger and not stopping.is_set():
            time.sleep(FLUSH_S)
        self.producer.shutdown()
        say("done", sent=self.sent, failed=self.failed)
        return 1 if self.failed and not flags.forever else 0

    def send(self, seq):
        """Send one message in the mode asked for."""
        flags = self.flags
        message = Message(flags.topic)
        message.set_body(make_body(flags.prefix, seq, flags.size))
        if flags.tag:
            message.set_tags(flags.tag)
        if flags.key_prefix:
            message.set_keys(f"{flags.key_prefix}{seq}")
        if flags.mode == "sync":
            self.accepted(seq, self.producer.send_sync(message))
        elif flags.mode == "async":
            self.slots.acquire()
            self.producer.send_async(message, lambda result: self.answered(seq, result), lambda error: self.answered(seq, error))
        elif flags.mode == "oneway":
            self.producer.send_oneway(message)
            self.sent += 1
            if not flags.quiet:
                say("oneway", seq=seq)
        else:
            self.accepted(seq, self.producer.send_orderly(message, seq))

    def answered(self, seq, result):
        """An asynchronous send came to its end; when all have, the program ends, so it is told before the slot is free."""
        try:
            if isinstance(result, Exception):
                self.refused(seq, result)
            else:
                self.accepted(seq, result)
        finally:
            self.slots.release()

    def accepted(self, seq, result):
        """The broker has it. This client does not say in which queue."""
        if result.status != SendStatus.OK:
            raise RuntimeError(result.status.name)
        self.sent += 1
        if self.acks:
            self.acks.write(f"{seq} -1 {result.offset}\n")
        if not self.flags.quiet:
            say("sent", seq=seq, msgId=result.msg_id, offsetMsgId=None, queueId=None, queueOffset=result.offset, status="SEND_OK")

    def refused(self, seq, error):
        """It could not be sent."""
        self.failed += 1
        say("failed", seq=seq, message=repr(error))


class Receiver:
    """The command `receive`."""

    def __init__(self, flags):
        self.flags, self.distinct = flags, set()
        self.deadline = time.monotonic() + flags.timeout_s

    def run(self):
        """Receive until all is there; the exit code."""
        consumer = self.pull() if self.flags.pull else self.push()
        consumer.shutdown()
        flush()
        say("done", received=len(self.distinct))
        return 1 if self.flags.expect and len(self.distinct) < self.flags.expect else 0

    def over(self):
        """Is there nothing left to wait for?"""
        enough = self.flags.expect and len(self.distinct) >= self.flags.expect
        return enough or stopping.is_set() or time.monotonic() > self.deadline

    def push(self):
        """Receive by a push consumer."""
        flags = self.flags
        model = MessageModel.BROADCASTING if flags.broadcast else MessageModel.CLUSTERING
        consumer = PushConsumer(flags.group, orderly=flags.orderly, message_model=model)
        consumer.set_namesrv_addr(flags.namesrv)
        consumer.set_thread_count(2)
        if flags.instance:
            consumer.set_instance_name(flags.instance)
        dll.SetPushConsumerLogLevel(consumer._handle, _CLogLevel.WARN)
        consumer.subscribe(flags.topic, self.received, flags.tag or "*")
        consumer.start()
        say("ready")
        while not self.over():
            time.sleep(FLUSH_S)
            flush()
        return consumer

    def pull(self):
        """Receive by a pull consumer, from the first offset of each queue."""
        consumer = PullConsumer(self.flags.group)
        consumer.set_namesrv_addr(self.flags.namesrv)
        dll.SetPullConsumerLogLevel(consumer._handle, _CLogLevel.WARN)
        consumer.start()
        say("ready")
        while not self.over():
            for message in consumer.pull(self.flags.topic, self.flags.tag or "*"):
                self.received(message)
            flush()
        return consumer

    def received(self, message):
        """One message came."""
        text = message.body.decode("latin-1")
        prefix = prefix_of(text)
        size = len(text)
        good = prefix and size == (self.flags.size or size) and make_body(prefix[:-10], int(prefix[-9:-1]), size) == text
        if not good:
            append("corrupt", size=size, body_prefix=prefix, msgId=message.id)
        append(
            "received",
            body_prefix=prefix,
            size=size,
            queueId=message.queue_id,
            queueOffset=message.queue_offset,
            msgId=message.id,
            tags=(message.tags or b"").decode(),
            reconsume=message.reconsume_times,
        )
        if self.flags.at_once:
            flush()
        self.distinct.add(prefix)


def parse():
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=("send", "receive"))
    for name in ("namesrv", "topic", "group"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("tag", "key-prefix", "instance", "ack-file"):
        parser.add_argument(f"--{name}")
    for name, otherwise in (("count", 1), ("size", None), ("interval-ms", 0), ("expect", 0)):
        parser.add_argument(f"--{name}", type=int, default=otherwise)
    for name in ("forever", "quiet", "broadcast", "orderly", "pull", "at-once", "linger"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--mode", choices=("sync", "async", "oneway", "ordered"), default="sync")
    parser.add_argument("--prefix", default="P")
    parser.add_argument("--timeout-s", type=float, default=3600)
    parser.add_argument("--from", choices=("first", "last"))
    flags = parser.parse_args()
    if flags.command == "send" and flags.size is None:
        flags.size = 1024
    return flags


def main():
    """Run one command. The library may abort while it is torn down, so the process leaves without that."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    flags = parse()
    code = (Sender if flags.command == "send" else Receiver)(flags).run()
    os._exit(code)


if __name__ == "__main__":
    main()

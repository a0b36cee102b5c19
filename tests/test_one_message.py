"""One message's way from a producer to a consumer, through every layer, in one process without sockets, disk or real time.

The story that docs/architecture.rst tells, in its order; the test to read first.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pymq.client import ConsumeStatus, Message, SendStatus
from pymq.message.record import decode_record
from pymq.testing.cluster import NAMESRV_ADDR, MemoryCluster
from pymq.wire.command import RemotingCommand
from pymq.wire.frame import FrameReader

TOPIC, GROUP = "orders", "billing"
LOG = "commitlog/" + "0" * 20
QUEUE = f"consumequeue/{TOPIC}/0/" + "0" * 20


class OneMessageTests(SynchronousTestCase):
    """A name server, a broker with a disk under SYNC_FLUSH, a producer and a push consumer."""

    def setUp(self) -> None:
        self.cluster = MemoryCluster(flushDiskType="SYNC_FLUSH", defaultTopicQueueNums="1")
        self.cluster.start()
        (self.broker,) = self.cluster.brokers
        self.received: list[Any] = []
        self.tapped: list[RemotingCommand] = []

    def listen(self, messages: Any, context: object) -> ConsumeStatus:
        """The consumer's listener."""
        self.received.extend(messages)
        return ConsumeStatus.CONSUME_SUCCESS

    def tap(self) -> None:
        """From now on write down what travels over the connections there are."""
        for side in (side for link in self.cluster.reactor.network.links for side in link):
            self.addCleanup(setattr, side, "write", side.write)
            side.write = self.tapping(side.write)  # type: ignore[method-assign]

    def tapping(self, write: Any) -> Any:
        """A write that also reads what is written, as commands."""
        reader = FrameReader()

        def tapped(data: bytes) -> None:
            reader.feed(data)
            while (command := reader.next_command()) is not None:
                self.tapped.append(command)
            write(data)

        return tapped

    def begin(self) -> None:
        """A first message makes the topic; the consumer that then comes has its one queue, and asks for more: a held pull."""
        self.producer = self.cluster.producer("sales")
        self.cluster.result(self.producer.send(Message(TOPIC, b"zeroth")))
        self.consumer = self.cluster.push_consumer(TOPIC, self.listen, GROUP)
        self.cluster.tick(0.1, 5)
        self.assertEqual([message.body for message in self.received], [b"zeroth"])
        self.received.clear()

    def end(self) -> None:
        """All goes as it came, and nothing is left: no connection, no port, no call to come."""
        self.cluster.stop()
        reactor = self.cluster.reactor
        self.assertEqual((reactor.network.links, reactor.listening, reactor.getDelayedCalls()), ([], {}, []))

    def test_from_the_producer_to_the_consumer(self) -> None:
        """Sent, framed, stored, flushed, queued, pulled by the one who waits for it, consumed."""
        # The broker told the name server of itself, and said so.
        self.assertIn(f"boot success. serializeType=JSON and name server is {NAMESRV_ADDR}", self.broker.said[-1])
        self.begin()
        self.tap()
        result = self.cluster.result(self.producer.send(Message(TOPIC, b"first", tags="paid", keys="order-1")))
        self.assertEqual((result.status, result.queue.queue_id, result.queue_offset), (SendStatus.SEND_OK, 0, 1))

        # On the wire: the send, its answer under the same opaque, and the answer to the pull that was held.
        send = self.tapped[0]
        self.assertEqual((send.name, send.is_response), ("SEND_MESSAGE_V2", False))
        (answer,) = [command for command in self.tapped if command.is_response and command.opaque == send.opaque]
        self.assertEqual((answer.code, (answer.ext_fields or {})["queueOffset"]), (0, "1"))
        (pulled,) = [command for command in self.tapped if command.is_response and command.body]

        # On the disk: a record whose bytes are the very body of the pull's answer, and a unit that says where it lies. The record
        # was durable before the send was answered; the unit can be made again from it.
        files = self.broker.files
        log = files.open(LOG).view()
        self.assertEqual(files.crash().open(LOG).view(), log)
        position = bytes(log).index(pulled.body)
        record = decode_record(log, position)
        self.assertEqual((record.topic, record.queue_offset, record.log_offset, record.body), (TOPIC, 1, position, b"first"))
        self.assertEqual(result.offset_msg_id, record.offset_msg_id)
        unit = bytes(files.open(QUEUE).view()[20:40])
        self.assertEqual(unit[:12], position.to_bytes(8, "big") + len(pulled.body).to_bytes(4, "big"))

        # At the consumer: the message as it was sent.
        self.cluster.tick(0.1)
        (message,) = self.received
        self.assertEqual((message.body, message.tags, message.keys), (b"first", "paid", ("order-1",)))
        self.assertEqual(message.msg_id, result.msg_id)
        self.end()

    def test_what_was_consumed_does_not_come_again(self) -> None:
        """The group's progress reaches the broker when the consumer leaves, its disk in the next round, and outlives a crash."""
        self.begin()
        self.cluster.result(self.consumer.shutdown())
        self.cluster.tick(5.0)
        offsets = b"".join(self.broker.files.read_bytes("config/consumerOffset.json").split())
        self.assertIn(f'"{TOPIC}@{GROUP}":{{"0":1}}'.encode(), offsets)

        # The power fails: the broker starts on what was durable while it ran.
        after_the_crash = self.broker.files.crash()
        self.assertTrue(after_the_crash.exists("abort"))
        self.cluster.result(self.broker.stop())
        self.broker.files = after_the_crash
        self.broker.start()
        self.cluster.tick(0.1)
        self.cluster.push_consumer(TOPIC, self.listen, GROUP)
        result = self.cluster.result(self.producer.send(Message(TOPIC, b"first")))
        self.cluster.tick(1.0, 3)
        self.assertEqual((result.queue_offset, [message.body for message in self.received]), (1, [b"first"]))
        self.end()

"""What the builders give is valid: the real decoders read it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.message.batch import decode_batch
from pymq.message.record import decode_record
from pymq.testing import builders
from pymq.wire.bodies.heartbeat import decode_heartbeat
from pymq.wire.codes import RequestCode
from pymq.wire.command import RemotingCommand
from pymq.wire.frame import FrameReader
from pymq.wire.headers.messages import PullMessageRequestHeader, SendMessageRequestHeader, SendMessageRequestHeaderV2


class BuildersTests(SynchronousTestCase):
    """One test for each builder."""

    def through_the_wire(self, command: RemotingCommand, compact: bool) -> RemotingCommand:
        """What the other side reads."""
        reader = FrameReader()
        reader.feed(builders.frame(command, compact=compact))
        read = reader.next_command()
        assert read is not None
        return read

    def test_unique_keys(self) -> None:
        """32 upper-case hex digits, all different."""
        keys = {builders.unique_key(number) for number in range(70_000)}
        self.assertEqual((len(keys), {len(key) for key in keys}), (70_000, {32}))

    def test_draft(self) -> None:
        """Index keys and tags code come from the properties."""
        made = builders.draft("T", b"x", queue_id=3, tags="TagA", keys=("k1", "k2"), unique="U", flag=7)
        self.assertEqual((made.index_keys, made.tags_code, made.queue_id, made.flag), (("U", "k1", "k2"), 2598919, 3, 7))

    def test_record(self) -> None:
        """A sound record."""
        message = decode_record(builders.record("T", b"x", log_offset=500, queue_offset=4, keys="k"))
        self.assertEqual((message.topic, message.raw_body, message.log_offset, message.queue_offset), ("T", b"x", 500, 4))
        self.assertEqual(message.properties, {"KEYS": "k"})

    def test_batch(self) -> None:
        """Its items come back."""
        self.assertEqual([item.body for item in decode_batch(builders.batch_body(b"a", b"b"))], [b"a", b"b"])

    def test_sends(self) -> None:
        """Under each code, in both kinds of header."""
        kinds = {
            RequestCode.SEND_MESSAGE: SendMessageRequestHeader,
            RequestCode.SEND_MESSAGE_V2: SendMessageRequestHeaderV2,
            RequestCode.SEND_BATCH_MESSAGE: SendMessageRequestHeaderV2,
        }
        for code, kind in kinds.items():
            for compact in (False, True):
                command = self.through_the_wire(builders.send_request("T", b"x", code=code, queue_id=2), compact)
                header = kind.from_fields(command.ext_fields)
                self.assertEqual((command.code, header.topic, header.queue_id, command.body), (code, "T", 2, b"x"))
                self.assertEqual(header.batch, code == RequestCode.SEND_BATCH_MESSAGE)

    def test_oneway_send(self) -> None:
        """Says so."""
        self.assertTrue(self.through_the_wire(builders.send_request(oneway=True), False).is_oneway)

    def test_pull(self) -> None:
        """With everything that a broker asks for."""
        command = self.through_the_wire(builders.pull_request("T", 9, max_msg_nums=1), True)
        header = PullMessageRequestHeader.from_fields(command.ext_fields)
        self.assertEqual((header.topic, header.queue_offset, header.max_msg_nums, header.subscription), ("T", 9, 1, "*"))

    def test_heartbeat(self) -> None:
        """As a broker decodes it."""
        command = self.through_the_wire(builders.heartbeat_request(), False)
        data = decode_heartbeat(command.body)
        self.assertEqual([producer.group_name for producer in data.producer_data_set], ["producers"])
        self.assertEqual([consumer.subscription_data_set[0].topic for consumer in data.consumer_data_set], ["TopicTest"])
        self.assertEqual(
            builders.heartbeat(consumes={"g": []}, message_model="BROADCASTING").consumer_data_set[0].message_model,
            "BROADCASTING",
        )

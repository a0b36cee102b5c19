"""The messages that users meet."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.message import flags
from pymq.message.compression import compress
from pymq.message.ids import encode_host
from pymq.message.message import Message, MessageQueue, StoredMessage
from pymq.message.properties import decode_properties


class MessageTests(SynchronousTestCase):
    """What a user sends."""

    def test_attributes_are_properties(self) -> None:
        """Java keeps tags, keys and delay in the property map; so do we."""
        message = Message("T", b"body", tags="A", keys=["k1", "k2"], delay_level=3, properties={"mine": "1"})
        self.assertEqual(
            decode_properties(message.properties_text()),
            {"mine": "1", "TAGS": "A", "KEYS": "k1 k2", "DELAY": "3", "WAIT": "true"},
        )
        self.assertEqual((message.tags, message.keys, message.delay_level, message.wait_store_ok), ("A", ("k1", "k2"), 3, True))

    def test_plain_message(self) -> None:
        """Has no tags, no keys and no delay, and waits."""
        message = Message("T")
        self.assertEqual((message.tags, message.keys, message.delay_level, message.body), (None, (), 0, b""))
        self.assertEqual(message.properties, {"WAIT": "true"})

    def test_changing(self) -> None:
        """Setting nothing takes the property away."""
        message = Message("T", tags="A", keys="k", delay_level=1, wait_store_ok=False)
        message.tags, message.keys, message.delay_level = None, (), 0
        self.assertEqual(message.properties, {"WAIT": "false"})

    def test_given_wait_stays(self) -> None:
        """A property that the user set is not overruled by a default."""
        self.assertFalse(Message("T", properties={"WAIT": "false"}).wait_store_ok)

    def test_text_is_no_body(self) -> None:
        """The user must say in which encoding."""
        self.assertRaises(TypeError, Message, "T", "text")

    def test_separator_in_a_property(self) -> None:
        """Would be read as another property."""
        self.assertRaises(ValueError, Message("T", b"", properties={"a": "b\x02c\x01d"}).properties_text)


class StoredMessageTests(SynchronousTestCase):
    """What comes back."""

    def test_ids(self) -> None:
        """The unique key where there is one, else the offset id."""
        message = StoredMessage("T", 0, log_offset=117, store_host_bytes=encode_host("127.0.0.1", 10911))
        self.assertEqual(message.msg_id, "7F00000100002A9F0000000000000075")
        message.properties["UNIQ_KEY"] = "U"
        self.assertEqual((message.msg_id, message.offset_msg_id), ("U", "7F00000100002A9F0000000000000075"))
        self.assertEqual(message.unique_id, "U")

    def test_body(self) -> None:
        """Is decompressed when asked for."""
        message = StoredMessage("T", 0, sys_flag=flags.COMPRESSED | flags.COMPRESSION_ZLIB, raw_body=compress(b"hello"))
        self.assertEqual((message.body, message.body), (b"hello", b"hello"))
        self.assertNotEqual(message.raw_body, b"hello")

    def test_hosts(self) -> None:
        """As ip and port."""
        message = StoredMessage("T", 0, born_host_bytes=encode_host("::1", 5), store_host_bytes=encode_host("10.1.2.3", 6))
        self.assertEqual((message.born_host, message.store_host), (("::1", 5), ("10.1.2.3", 6)))

    def test_bad_delay(self) -> None:
        """Counts as none."""
        self.assertEqual(StoredMessage("T", 0, properties={"DELAY": "soon"}).delay_level, 0)

    def test_queue(self) -> None:
        """The queue's identity is importable from here."""
        self.assertEqual(MessageQueue("T", "b", 1).queue_id, 1)

"""Headers of messages."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import RequestError
from pymq.wire import header_json
from pymq.wire.headers import messages
from tests.wire.headers.checks import optional_names, required_names
from tests.wire.test_header_json import GOLDEN_SEND


class SendHeaderTests(SynchronousTestCase):
    """V1 and V2 of the send header."""

    def test_what_java_sends(self) -> None:
        """The header of the reference, by V2's letters."""
        header = messages.SendMessageRequestHeaderV2.from_fields(header_json.decode(GOLDEN_SEND, b"").ext_fields)
        self.assertEqual(
            header,
            messages.SendMessageRequestHeaderV2(
                producer_group="PG", topic="T1", default_topic="TBW102", default_topic_queue_nums=4, queue_id=1, sys_flag=0,
                born_timestamp=1, flag=0, properties="K\x01V", reconsume_times=0, unit_mode=False, batch=False,
                broker_name="broker-a",
            ),
        )  # fmt: skip
        self.assertEqual(header.to_fields(), header_json.decode(GOLDEN_SEND, b"").ext_fields)

    def test_both_versions_have_the_same_python_names(self) -> None:
        """A processor treats them alike."""
        v1, v2 = (
            [(field.name, field.type, field.default) for field in msgspec.structs.fields(header)]
            for header in (messages.SendMessageRequestHeader, messages.SendMessageRequestHeaderV2)
        )
        self.assertEqual(v1, v2)

    def test_the_letters(self) -> None:
        """The topic, b, and e to h are required, the others are not."""
        header = messages.SendMessageRequestHeaderV2
        self.assertEqual(sorted(required_names(header)), list("befgh"))
        self.assertEqual(sorted(optional_names(header)), list("acdijklmn"))
        names = dict(zip(header.__struct_fields__, header.__struct_encode_fields__))
        self.assertEqual((names["reconsume_times"], names["max_reconsume_times"], names["batch"]), ("j", "l", "m"))

    def test_v1_names(self) -> None:
        """Those of Java's class, and `bname` for the broker."""
        self.assertEqual(optional_names(messages.SendMessageRequestHeader), [
            "producerGroup", "defaultTopic", "defaultTopicQueueNums",
            "properties", "reconsumeTimes", "unitMode", "maxReconsumeTimes", "batch", "bname",
        ])  # fmt: skip

    def test_booleans_are_written_always(self) -> None:
        """As 4.9 does."""
        header = messages.SendMessageRequestHeaderV2(
            producer_group="g", topic="t", default_topic="d", default_topic_queue_nums=4, queue_id=0, sys_flag=0,
            born_timestamp=0, flag=0,
        )  # fmt: skip
        fields = header.to_fields()
        self.assertEqual((fields["k"], fields["m"]), ("false", "false"))
        self.assertEqual({"i", "j", "l", "n"} & fields.keys(), set())

    def test_a_batch_marked_with_a_one_is_none(self) -> None:
        """The C++ client's `batch=1` is not true to Java either."""
        fields = dict.fromkeys("abcdefgh", "0") | {"m": "1"}
        self.assertFalse(messages.SendMessageRequestHeaderV2.from_fields(fields).batch)

    def test_the_response(self) -> None:
        """Three fields are what every client reads."""
        self.assertEqual(required_names(messages.SendMessageResponseHeader), ["msgId", "queueId", "queueOffset"])


class PullHeaderTests(SynchronousTestCase):
    """The pull header."""

    def test_fields(self) -> None:
        """Java's names, the misspelt one included."""
        header = messages.PullMessageRequestHeader
        self.assertEqual(required_names(header), [
            "consumerGroup", "topic", "queueId", "queueOffset", "maxMsgNums", "sysFlag",
        ])  # fmt: skip
        self.assertEqual(optional_names(header), [
            "commitOffset", "suspendTimeoutMillis", "subscription", "subVersion", "expressionType",
            "bname", "maxMsgBytes", "requestSource", "proxyFrowardClientId",
        ])  # fmt: skip

    def test_the_response(self) -> None:
        """Four numbers are always there."""
        self.assertEqual(
            required_names(messages.PullMessageResponseHeader),
            ["suggestWhichBrokerId", "nextBeginOffset", "minOffset", "maxOffset"],
        )


class OtherHeaderTests(SynchronousTestCase):
    """Query, view, send back."""

    def test_the_mark_of_a_query_by_unique_key(self) -> None:
        """An extField beside Java's class."""
        fields = {"topic": "t", "key": "k", "maxNum": "32", "beginTimestamp": "0", "endTimestamp": str(2**63 - 1)}
        header = messages.QueryMessageRequestHeader.from_fields(fields | {"_UNIQUE_KEY_QUERY": "true"})
        self.assertEqual((header.unique_key_query, header.end_timestamp), (True, 2**63 - 1))
        self.assertIsNone(messages.QueryMessageRequestHeader.from_fields(fields).unique_key_query)

    def test_send_back(self) -> None:
        """Offset, group and level are due; Java writes unitMode always."""
        header = messages.ConsumerSendMsgBackRequestHeader(offset=1, group="g", delay_level=-1)
        self.assertEqual(header.to_fields(), {"offset": "1", "group": "g", "delayLevel": "-1", "unitMode": "false"})

    def test_a_delay_level_that_is_no_number(self) -> None:
        """The remark names field and class."""
        with self.assertRaisesRegex(RequestError, "ConsumerSendMsgBackRequestHeader: .*delayLevel"):
            messages.ConsumerSendMsgBackRequestHeader.from_fields({"offset": "1", "group": "g", "delayLevel": "soon"})

    def test_a_pushed_reply(self) -> None:
        """V1's names and three more, all due."""
        self.assertEqual(required_names(messages.ReplyMessageRequestHeader)[-3:], ["bornHost", "storeHost", "storeTimestamp"])

"""Messages on their way back."""

from __future__ import annotations

from typing import Any

from pymq.client.config import ProducerConfig, PushConfig
from pymq.client.send import Sender
from pymq.client.sendback import SendBack
from pymq.wire.codes import RequestCode as Code
from tests.client.cases import TOPIC, ClientCase

RETRY = "%RETRY%g"


class SendBackTests(ClientCase):
    """One stored message that was not consumed."""

    def setUp(self) -> None:
        """The message, as it was pulled."""
        super().setUp()
        self.shared = self.instance()
        self.cluster.broker.put(TOPIC, 1, b"body", "UNIQ_KEY\x01U1\x02TAGS\x01A\x02TRAN_MSG\x01true")
        self.message = self.cluster.broker.stored(TOPIC)[0]
        self.message.broker_name = "broker-a"

    def back(self, **settings: Any) -> SendBack:
        """The way back of a group."""
        sender = Sender("CLIENT_INNER_PRODUCER", ProducerConfig(retry_times_when_send_failed=0), self.shared, lambda: "ID")
        return SendBack("g", PushConfig(**settings), self.shared, sender)

    def test_the_broker_is_asked_first(self) -> None:
        """With place, group, level and limit."""
        self.assertTrue(self.result(self.back().send_back(self.message, 2)))
        fields = self.cluster.of(Code.CONSUMER_SEND_MSG_BACK)[0].fields
        self.assertEqual((fields["offset"], fields["group"], fields["delayLevel"]), ("0", "g", "2"))
        self.assertEqual((fields["maxReconsumeTimes"], fields["originTopic"], fields["originMsgId"]), ("16", TOPIC, "U1"))
        self.assertEqual(len(self.cluster.broker.stored(RETRY)), 1)

    def test_without_a_broker_name_the_stored_address_is_asked(self) -> None:
        """As for a message that an operator gave us."""
        self.message.broker_name = ""
        self.assertTrue(self.result(self.back().send_back(self.message, 0)))

    def test_a_refusal_is_followed_by_a_copy(self) -> None:
        """With the message's own counters, to the retry topic."""
        self.cluster.refuse(Code.CONSUMER_SEND_MSG_BACK, 1)
        self.cluster.create_topic(RETRY)
        self.message.reconsume_times = 2
        self.assertTrue(self.result(self.back().send_back(self.message, 0)))
        asked = self.cluster.of(Code.SEND_MESSAGE_V2)[0]
        self.assertEqual((asked.fields["b"], asked.fields["j"], asked.fields["l"]), (RETRY, "3", "16"))
        copy = self.cluster.broker.stored(RETRY)[0]
        self.assertEqual((copy.body, copy.tags, copy.msg_id, copy.delay_level), (b"body", "A", "U1", 5))
        self.assertEqual((copy.properties["RETRY_TOPIC"], copy.properties["ORIGIN_MESSAGE_ID"]), (TOPIC, "U1"))
        self.assertNotIn("TRAN_MSG", copy.properties)
        self.assertIn("TRAN_MSG", self.message.properties)

    def test_when_nothing_works_it_says_so(self) -> None:
        """The message is then kept here."""
        self.cluster.refuse(Code.CONSUMER_SEND_MSG_BACK, 1)
        self.cluster.refuse(Code.SEND_MESSAGE_V2, 1)
        self.cluster.create_topic(RETRY)
        self.assertFalse(self.result(self.back().send_back(self.message, 0)))

    def test_a_body_that_cannot_be_read_is_not_copied(self) -> None:
        """It stays where it is."""
        self.message.sys_flag = 1
        self.assertFalse(self.result(self.back().send_copy(self.message, is_orderly=False)))

    def test_limits(self) -> None:
        """16, without end in order, or what is set."""
        self.assertEqual(self.back().reconsume_max(is_orderly=False), 16)
        self.assertEqual(self.back().reconsume_max(is_orderly=True), 2**31 - 1)
        self.assertEqual(self.back(max_reconsume_times=3).reconsume_max(is_orderly=True), 3)

"""What brokers may ask of a client."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from pymq.client.clientprocessor import ClientRemotingProcessor
from pymq.errors import RequestError
from pymq.interfaces import IRequestProcessor
from pymq.wire import javajson
from pymq.wire.codes import RequestCode as Code
from pymq.wire.command import RemotingCommand
from tests.client.cases import TOPIC, ClientCase, queue
from tests.client.test_request import REPLY

KEY = '{"brokerName":"broker-a","queueId":0,"topic":"orders"}'


class ClientProcessorTests(ClientCase):
    """A push consumer with one message consumed."""

    def setUp(self) -> None:
        """The consumer."""
        super().setUp()
        self.bodies: list[bytes] = []
        self.cluster.broker.put(TOPIC, 0, b"x")
        self.consumer = self.push_consumer(self.listener)
        self.remoting = self.cluster.remotings[0]

    def listener(self, messages: Any, context: Any) -> None:
        """Keeps the bodies."""
        self.bodies += [message.body for message in messages]

    def ask(self, code: int, body: bytes = b"", **fields: str) -> Any:
        """A broker's request."""
        return self.remoting.ask_client(RemotingCommand(code=int(code), ext_fields=fields, body=body))

    def test_a_changed_group_is_shared_out_at_once(self) -> None:
        """Without waiting for the next round."""
        self.cluster.broker.members["cg"].add("a@other")
        self.assertIsNone(self.ask(Code.NOTIFY_CONSUMER_IDS_CHANGED, consumerGroup="cg"))
        self.assertEqual([one for one in self.consumer.queues if one.topic == TOPIC], [queue(0), queue(1)])

    def test_offsets_are_reset(self) -> None:
        """In both shapes of the table; consumption goes on there."""
        shapes = (
            b'{"offsetTable":{%s:0}}' % KEY.encode(),
            b'{"offsetTable":[{"brokerName":"broker-a","offset":0,"queueId":0,"topic":"orders"}]}',
        )
        for body in shapes:
            self.ask(Code.RESET_CONSUMER_CLIENT_OFFSET, body, topic=TOPIC, group="cg", timestamp="0", isForce="true")
            self.tick(1.0)
        self.assertEqual(self.bodies, [b"x"] * 3)

    def test_a_table_that_cannot_be_read(self) -> None:
        """Is refused."""
        for body in (b"{", b'{"offsetTable":{"a":1}}'):
            self.assertRaises(
                RequestError,
                self.ask,
                Code.RESET_CONSUMER_CLIENT_OFFSET,
                body,
                topic=TOPIC,
                group="cg",
                timestamp="0",
                isForce="true",
            )

    def test_offsets_are_told(self) -> None:
        """By queue, in Java's form."""
        answer = self.ask(Code.GET_CONSUMER_STATUS_FROM_CLIENT, topic=TOPIC, group="cg")
        self.assertIn(b'"messageQueueTable":{' + KEY.encode() + b":1", answer.body)

    def test_running_info_is_told(self) -> None:
        """Queues, subscriptions, properties."""
        answer = self.ask(Code.GET_CONSUMER_RUNNING_INFO, consumerGroup="cg", clientId=self.consumer.client_id)
        info = javajson.decode(answer.body)
        self.assertEqual((info["mqTable"][KEY]["commitOffset"], info["properties"]["PROP_CONSUMEORDERLY"]), (1, "false"))
        self.assertEqual({one["topic"] for one in info["subscriptionSet"]}, {TOPIC, "%RETRY%cg"})
        self.assertEqual(set(info["statusTable"]), {TOPIC, "%RETRY%cg"})
        self.assertNotIn("jstack", info)
        answer = self.ask(Code.GET_CONSUMER_RUNNING_INFO, consumerGroup="cg", clientId="c", jstackEnable="true")
        self.assertIn("MainThread", javajson.decode(answer.body)["jstack"])

    def test_replies(self) -> None:
        """They come to whoever waits; one that nobody waits for is taken as well, one that cannot be read is not."""
        waiting = self.consumer.instance.replies.expect("K1")
        fields = REPLY.to_fields()
        self.assertEqual(self.ask(Code.PUSH_REPLY_MESSAGE_TO_CLIENT, b"yes", **fields).code, 0)
        self.assertEqual(self.successResultOf(waiting).body, b"yes")
        self.assertEqual(self.ask(Code.PUSH_REPLY_MESSAGE_TO_CLIENT, b"yes", **fields).code, 0)
        fields["bornHost"] = "nowhere"
        self.assertRaises(RequestError, self.ask, Code.PUSH_REPLY_MESSAGE_TO_CLIENT, b"yes", **fields)

    def test_a_message_is_consumed_directly(self) -> None:
        """Whatever its offset; the verdict is the answer."""
        self.cluster.broker.put("elsewhere", 0, b"direct")
        body = self.cluster.broker.log[-1]
        answer = self.successResultOf(self.ask(Code.CONSUME_MESSAGE_DIRECTLY, body, consumerGroup="cg", brokerName="broker-a"))
        self.assertEqual((self.bodies, javajson.decode(answer.body)["consumeResult"]), ([b"x", b"direct"], "CR_SUCCESS"))
        self.assertRaises(RequestError, self.ask, Code.CONSUME_MESSAGE_DIRECTLY, body[:-1], consumerGroup="cg")

    def test_an_unknown_group(self) -> None:
        """Is named in the refusal."""
        for code in (Code.GET_CONSUMER_RUNNING_INFO, Code.CONSUME_MESSAGE_DIRECTLY):
            error = self.assertRaises(RequestError, self.ask, code, consumerGroup="other", clientId="c")
            self.assertIn("other", error.remark)

    def test_it_is_a_processor(self) -> None:
        """As the interface says."""
        self.assertTrue(verifyObject(IRequestProcessor, ClientRemotingProcessor(self.consumer.instance)))

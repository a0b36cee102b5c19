"""The pull consumer as its users see it."""

from __future__ import annotations

from typing import Any

from pymq.client.results import PullStatus
from pymq.errors import ClientError, RequestError
from pymq.testing.documents import MemoryDocuments
from pymq.wire.bodies.heartbeat import decode_heartbeat
from pymq.wire.codes import RequestCode as Code
from pymq.wire.command import RemotingCommand
from tests.client.cases import TOPIC, ClientCase, queue


class PullConsumerTests(ClientCase):
    """A queue of two messages."""

    def setUp(self) -> None:
        """The messages and the consumer."""
        super().setUp()
        for tag in "AB":
            self.cluster.broker.put(TOPIC, 0, tag.encode(), f"TAGS\x01{tag}")
        self.consumer = self.pull_consumer()

    def test_pulling(self) -> None:
        """By offset, count and tag; at the end nothing."""
        result = self.result(self.consumer.pull(queue(), "*", 0, 1))
        self.assertEqual(([one.body for one in result.messages], result.next_offset), ([b"A"], 1))
        self.assertEqual([one.body for one in self.result(self.consumer.pull(queue(), "B", 0)).messages], [b"B"])
        self.assertIs(self.result(self.consumer.pull(queue(), "*", 2)).status, PullStatus.NO_NEW_MSG)

    def test_waiting_for_a_message(self) -> None:
        """The broker holds the pull until one comes."""
        pulling = self.consumer.pull_block_if_not_found(queue(), "*", 2)
        self.assertNoResult(pulling)
        self.cluster.broker.put(TOPIC, 0, b"new")
        self.assertEqual([one.body for one in self.successResultOf(pulling).messages], [b"new"])

    def test_what_cannot_be_pulled(self) -> None:
        """Negative offsets, no messages, no tags."""
        for arguments in (("*", -1, 1), ("*", 0, 0), ("||", 0, 1)):
            self.failure(self.consumer.pull(queue(), *arguments), ClientError)

    def test_offsets(self) -> None:
        """In memory first, then from the store; persisted on request and every few seconds."""
        self.assertEqual(self.result(self.consumer.fetch_consume_offset(queue())), -1)
        self.result(self.consumer.update_consume_offset(queue(), 2))
        self.assertEqual(self.result(self.consumer.fetch_consume_offset(queue())), 2)
        self.assertEqual(self.result(self.consumer.fetch_consume_offset(queue(), from_store=True)), -1)
        self.result(self.consumer.persist())
        self.assertEqual(self.result(self.consumer.fetch_consume_offset(queue(), from_store=True)), 2)
        self.result(self.consumer.update_consume_offset(queue(), 1))
        self.tick(1.0, 16)
        self.assertEqual(self.cluster.broker.offsets["cg", TOPIC, 0], 1)

    def test_offsets_are_persisted_at_the_shutdown(self) -> None:
        """Without being asked."""
        self.result(self.consumer.update_consume_offset(queue(), 2))
        self.result(self.consumer.shutdown())
        self.assertEqual(self.cluster.broker.offsets["cg", TOPIC, 0], 2)
        self.assertEqual(self.cluster.broker.members["cg"], set())

    def test_broadcast_offsets_are_local(self) -> None:
        """In the documents given."""
        documents = MemoryDocuments()
        consumer = self.pull_consumer("bg", message_model="BROADCASTING", documents=documents)
        self.result(consumer.update_consume_offset(queue(), 2))
        self.result(consumer.shutdown())
        again = self.pull_consumer("bg", message_model="BROADCASTING", documents=documents)
        self.assertEqual(self.result(again.fetch_consume_offset(queue())), 2)
        self.assertEqual(self.result(again.fetch_queues_in_balance(TOPIC)), [queue(n) for n in range(4)])

    def test_brokers_know_the_group(self) -> None:
        """As soon as a route names them."""
        self.assertEqual(len(self.result(self.consumer.fetch_subscribe_queues(TOPIC))), 4)
        data = decode_heartbeat(self.cluster.of(Code.HEART_BEAT)[-1].command.body).consumer_data_set[0]
        self.assertEqual((data.group_name, data.consume_type), ("cg", "CONSUME_ACTIVELY"))

    def test_sharing_by_hand(self) -> None:
        """Each member computes its share when it asks."""
        other = self.pull_consumer()
        for consumer in (self.consumer, other):
            consumer.register_topic(TOPIC)
            self.result(consumer.fetch_subscribe_queues(TOPIC))
        shares = [self.result(consumer.fetch_queues_in_balance(TOPIC)) for consumer in (self.consumer, other)]
        self.assertEqual((sorted(shares[0] + shares[1]), len(shares[0])), ([queue(n) for n in range(4)], 2))

    def ask(self, code: int, body: bytes = b"", **fields: str) -> Any:
        """A broker's request."""
        return self.cluster.remotings[0].ask_client(RemotingCommand(code=int(code), ext_fields=fields, body=body))

    def test_operators(self) -> None:
        """Offsets can be reset and told; there is no listener to call."""
        table = b'{"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"orders"}:1}}'
        self.ask(Code.RESET_CONSUMER_CLIENT_OFFSET, table, topic=TOPIC, group="cg", timestamp="0", isForce="true")
        self.assertEqual(self.result(self.consumer.fetch_consume_offset(queue())), 1)
        self.assertIn(b":1", self.ask(Code.GET_CONSUMER_STATUS_FROM_CLIENT, topic=TOPIC, group="cg").body)
        info = self.ask(Code.GET_CONSUMER_RUNNING_INFO, consumerGroup="cg", clientId="c").body
        self.assertIn(b"CONSUME_ACTIVELY", info)
        direct = self.ask(Code.CONSUME_MESSAGE_DIRECTLY, self.cluster.broker.log[0], consumerGroup="cg")
        self.failureResultOf(direct, RequestError)

"""Who is online, at two brokers together."""

from __future__ import annotations

from pymq.client import Admin, LitePullConsumer, Message
from pymq.errors import BrokerRefused, ConnectFailed
from pymq.wire.codes import ResponseCode
from tests.client.admincase import BROKER_A, BROKER_B, GROUP, TOPIC, AdminCase, queue


class MemberTests(AdminCase):
    """Members of consumer groups, and producers."""

    def test_connections(self) -> None:
        """Who is online, and what it says of itself."""
        self.consume()
        connection = self.result(self.admin.consumer_connections(GROUP))
        (member,) = connection.connection_set
        self.assertEqual((connection.consume_type, TOPIC in connection.subscription_table), ("CONSUME_PASSIVELY", True))
        info = self.result(self.admin.consumer_running_info(GROUP, member.client_id, with_stacks=True))
        self.assertEqual(info.properties["PROP_CONSUME_TYPE"], "CONSUME_PASSIVELY")
        self.assertIn("MainThread", info.jstack or "")
        self.failure(self.admin.consumer_running_info(GROUP, "stranger"), BrokerRefused)
        producer = self.cluster.producer("makers")
        self.result(producer.send(Message(TOPIC, b"x")))
        self.cluster.tick(1.0, 40)
        producers = self.result(self.admin.producer_connections("makers", TOPIC))
        self.assertEqual([one.client_id for one in producers.connection_set], [producer.client_id])
        self.failure(self.admin.producer_connections("nobody", TOPIC), BrokerRefused)

    def test_nobody_is_online(self) -> None:
        """The broker's answer is the error."""
        consumer = LitePullConsumer(GROUP, **self.cluster.client_settings())
        consumer.subscribe(TOPIC)
        self.begin(consumer)
        self.cluster.tick(1.0, 3)
        self.result(consumer.shutdown())
        error = self.failure(self.admin.consumer_connections(GROUP), BrokerRefused)
        self.assertEqual(error.code, ResponseCode.CONSUMER_NOT_ONLINE)

    def test_consuming_directly(self) -> None:
        """A stored message is given to one member once more."""
        (sent,) = self.send(1)
        got = self.consume()
        (member,) = self.result(self.admin.consumer_connections(GROUP)).connection_set
        message = self.result(self.admin.view_message(sent.offset_msg_id))
        outcome = self.result(self.admin.consume_directly(GROUP, member.client_id, message))
        self.assertEqual((outcome.consume_result, [one.body for one in got]), ("CR_SUCCESS", [b"0", b"0"]))

    def test_all_producers(self) -> None:
        """Of one broker, by group."""
        producer = self.cluster.producer("makers")
        self.result(producer.send(Message(TOPIC, b"x")))
        self.cluster.tick(1.0, 40)
        (info,) = self.result(self.admin.all_producers("broker-b"))["makers"]
        self.assertEqual((info.client_id, info.language), (producer.client_id, "PYTHON"))

    def test_what_members_say_of_their_offsets(self) -> None:
        """Of all, or of one; what is not committed yet counts too."""
        self.send(4)
        self.consume()
        (member,) = self.result(self.admin.consumer_connections(GROUP)).connection_set
        for asked in (None, member.client_id):
            tables = self.result(self.admin.consume_status(GROUP, TOPIC, asked))
            self.assertEqual(list(tables), [member.client_id])
            self.assertEqual(
                list(tables[member.client_id]), [queue(n, name) for name in ("broker-a", "broker-b") for n in range(2)]
            )
            self.assertEqual(sum(tables[member.client_id].values()), 4)
        self.assertEqual(self.result(self.admin.consume_status(GROUP, TOPIC, "stranger")), {})
        self.failure(self.admin.consume_status("nobody", TOPIC), BrokerRefused)


class ConnectionsOfAllBrokersTests(AdminCase):
    """Not every member of a group is connected to every broker."""

    def members(self, broker: str | None = None) -> list[str]:
        """The client ids of the consumer group's members."""
        return [one.client_id for one in self.result(self.admin.consumer_connections(GROUP, broker)).connection_set]

    def test_members_of_a_consumer_group(self) -> None:
        """Each once, with what all of them subscribe to; or those that one broker knows."""
        self.create_at("broker-b", "right")
        first = self.cluster.push_consumer(TOPIC, lambda messages, context: None, GROUP)
        self.cluster.tick(0.1)
        self.put_out_of_reach(BROKER_A)
        second = self.cluster.push_consumer("right", lambda messages, context: None, GROUP)
        self.cluster.tick(0.1)
        both = sorted([first.client_id, second.client_id])
        self.assertEqual((self.members("broker-a"), self.members(BROKER_B), self.members()), ([first.client_id], both, both))
        subscriptions = self.result(self.admin.consumer_connections(GROUP)).subscription_table
        self.assertLessEqual({TOPIC, "right"}, set(subscriptions))

    def test_members_of_a_producer_group(self) -> None:
        """Likewise."""
        first = self.cluster.producer("makers")
        self.result(first.send(Message(TOPIC, b"x")))
        self.cluster.tick(1.0, 35)
        self.put_out_of_reach(BROKER_A)
        second = self.cluster.producer("makers")
        self.result(second.send(Message(TOPIC, b"x"), queue=queue(0, "broker-b")))
        self.cluster.tick(1.0, 35)
        connections = self.result(self.admin.producer_connections("makers", TOPIC)).connection_set
        self.assertEqual([one.client_id for one in connections], sorted([first.client_id, second.client_id]))
        self.assertEqual(len(self.result(self.admin.all_producers("broker-a"))["makers"]), 1)

    def test_a_broker_that_cannot_be_asked(self) -> None:
        """The others suffice, if they know anybody; else nobody can say that there is nobody."""
        self.consume()
        self.put_out_of_reach(BROKER_A)
        other = Admin(**self.cluster.client_settings())
        self.begin(other)
        self.assertEqual(len(self.result(other.consumer_connections(GROUP)).connection_set), 1)
        self.failure(other.consumer_connections(GROUP, BROKER_A), ConnectFailed)
        self.failure(other.producer_connections("nobody", TOPIC), ConnectFailed)
        self.create_at("broker-b", "right")
        self.failure(other.producer_connections("nobody", "right"), BrokerRefused)

"""Requests as brokers want them, and answers as clients want them."""

from __future__ import annotations

from pymq.client.api import MQClientAPI
from pymq.client.config import ClientConfig
from pymq.client.nameservers import NameServers
from pymq.errors import BrokerRefused, ConnectFailed
from pymq.remoting.dispatcher import ProcessorTable
from pymq.wire import javajson
from pymq.wire.bodies.heartbeat import HeartbeatData, ProducerData, build_subscription
from pymq.wire.codes import RequestCode as Code
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.messages import QueryMessageRequestHeader, SendMessageRequestHeaderV2
from tests.client.cases import TOPIC, ClientCase, queue


class ApiTests(ClientCase):
    """One method after the other."""

    def setUp(self) -> None:
        """An API on the cluster."""
        super().setUp()
        self.remoting = self.cluster.make_remoting(self.clock, ProcessorTable())
        self.api = self.api_with(ClientConfig())
        self.address = self.cluster.broker.address

    def api_with(self, config: ClientConfig) -> MQClientAPI:
        """An API with other settings."""
        return MQClientAPI(self.remoting, NameServers(self.remoting, ()), config)

    def test_offsets(self) -> None:
        """Both ends of a queue, by time, and the earliest time."""
        for _ in range(3):
            self.cluster.broker.put(TOPIC, 0, b"x")
        self.cluster.broker.min_offsets[TOPIC, 0] = 1
        self.assertEqual(self.result(self.api.max_offset(self.address, queue())), 3)
        self.assertEqual(self.result(self.api.min_offset(self.address, queue())), 1)
        self.assertEqual(self.result(self.api.search_offset(self.address, queue(), 5)), 1)
        self.assertEqual(self.result(self.api.earliest_store_time(self.address, queue())), -1)

    def test_replies_have_a_code_of_their_own(self) -> None:
        """MSG_TYPE says that it is one; the fake broker serves none."""
        header = SendMessageRequestHeaderV2(
            producer_group="g", topic=TOPIC, default_topic="TBW102", default_topic_queue_nums=4, queue_id=0, sys_flag=0,
            born_timestamp=1, flag=0, properties="A\x01b\x02MSG_TYPE\x01reply",
        )  # fmt: skip
        self.result(self.api.send_message(self.address, header, b"x", 1))
        self.assertEqual(len(self.cluster.of(Code.SEND_REPLY_MESSAGE_V2)), 1)

    def test_group_offsets(self) -> None:
        """-1 for none; commits are one-way unless told otherwise."""
        self.assertEqual(self.result(self.api.query_consumer_offset(self.address, "g", queue())), -1)
        self.result(self.api.update_consumer_offset(self.address, "g", queue(), 7))
        self.result(self.api.update_consumer_offset(self.address, "g", queue(), 8, oneway=False))
        self.assertEqual(self.result(self.api.query_consumer_offset(self.address, "g", queue())), 8)
        self.assertEqual([one.command.is_oneway for one in self.cluster.of(Code.UPDATE_CONSUMER_OFFSET)], [True, False])

    def test_other_refusals_of_an_offset_are_errors(self) -> None:
        """Only QUERY_NOT_FOUND means that there is none: a queue begun at a wrong place loses messages."""
        self.cluster.refuse(Code.QUERY_CONSUMER_OFFSET, 1)
        error = self.failure(self.api.query_consumer_offset(self.address, "g", queue()), BrokerRefused)
        self.assertEqual((error.code, error.remark, error.address), (1, "refused by the test", self.address))

    def test_transport_errors_pass(self) -> None:
        """As they are."""
        self.cluster.down.add(self.address)
        self.failure(self.api.max_offset(self.address, queue()), ConnectFailed)

    def test_members_are_sorted(self) -> None:
        """Every member of a group must see the same list."""
        self.cluster.broker.members["g"] = {"b", "c", "a"}
        self.assertEqual(self.result(self.api.consumer_ids(self.address, "g")), ["a", "b", "c"])

    def test_a_member_counts_once(self) -> None:
        """Also when a broker still believes in its old connection too."""

        def twice(address: str, request: RemotingCommand) -> RemotingCommand | None:
            if request.code != Code.GET_CONSUMER_LIST_BY_GROUP:
                return None
            return request.reply(body=b'{"consumerIdList":["b","a","b"]}')

        self.cluster.rules.append(twice)
        self.assertEqual(self.result(self.api.consumer_ids(self.address, "g")), ["a", "b"])

    def test_locks(self) -> None:
        """Those that the broker gave; given back, another may have them."""
        both = [queue(0), queue(1)]
        self.cluster.broker.locks["g", queue(1)] = "other"
        self.assertEqual(self.result(self.api.lock_batch(self.address, "g", "me", both)), {queue(0)})
        self.result(self.api.unlock_batch(self.address, "g", "me", both))
        self.assertEqual(self.cluster.broker.locks, {("g", queue(1)): "other"})

    def test_heartbeat_in_java_s_words(self) -> None:
        """The body that every broker reads, and the broker's version."""
        data = HeartbeatData(client_id="c@1", producer_data_set=(ProducerData("pg"),))
        self.assertEqual(self.result(self.api.heartbeat(self.address, data)), 409)
        body = javajson.decode(self.cluster.of(Code.HEART_BEAT)[0].command.body)
        self.assertEqual((body["clientID"], body["producerDataSet"]), ("c@1", [{"groupName": "pg"}]))

    def test_subscription_check(self) -> None:
        """A broker's refusal is the user's to see."""
        subscription = build_subscription(TOPIC, "a > 1", "SQL92", sub_version=1)
        error = self.failure(self.api.check_client_config(self.address, "c@1", "g", subscription), BrokerRefused)
        self.assertIn("SQL92", str(error))

    def test_the_vip_port(self) -> None:
        """Two below, for everything but pulls and heartbeats."""
        self.assertEqual(self.api.broker_channel("10.0.0.2:10911"), "10.0.0.2:10911")
        self.assertEqual(self.api_with(ClientConfig(vip_channel_enabled=True)).broker_channel("10.0.0.2:10911"), "10.0.0.2:10909")

    def test_topics_and_messages(self) -> None:
        """Creating a topic, a message by its place, messages by key, and none."""
        self.result(self.api.create_topic(self.address, "TBW102", "new", 8))
        self.assertEqual(self.cluster.of(Code.UPDATE_AND_CREATE_TOPIC)[0].fields["perm"], "6")
        self.cluster.broker.put(TOPIC, 0, b"x", "KEYS\x01k")
        self.assertEqual(self.result(self.api.view_message(self.address, 0)).body, b"x")
        for key, expected in (("k", (1, 7)), ("other", (0, 0))):
            header = QueryMessageRequestHeader(topic=TOPIC, key=key, max_num=9, begin_timestamp=0, end_timestamp=9)
            messages, last_ms = self.result(self.api.query_message(self.address, header, 3))
            self.assertEqual((len(messages), last_ms), expected)

    def test_leaving(self) -> None:
        """Both groups at once, or one."""
        self.result(self.api.unregister(self.address, "c@1", "pg", None))
        self.assertEqual(self.cluster.of(Code.UNREGISTER_CLIENT)[0].fields, {"clientID": "c@1", "producerGroup": "pg"})

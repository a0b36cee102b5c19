"""Questions about queues and messages."""

from __future__ import annotations

from pymq.client.queries import Queries
from pymq.errors import BrokerRefused, ClientError, ConnectFailed, DecodeError, NoRoute
from pymq.wire.bodies.routes import TopicRouteData
from pymq.wire.codes import RequestCode as Code
from tests.client.cases import TOPIC, ClientCase, queue


class QueriesTests(ClientCase):
    """On two brokers."""

    broker_count = 2

    def setUp(self) -> None:
        """The questions of an instance."""
        super().setUp()
        self.shared = self.instance()
        self.queries = Queries(self.shared)

    def test_topics_are_made_on_every_broker_of_the_key(self) -> None:
        """One that refuses fails the whole."""
        self.result(self.queries.create_topic("TBW102", "new", 8))
        self.assertEqual(len(self.cluster.of(Code.UPDATE_AND_CREATE_TOPIC)), 2)
        self.cluster.refuse(Code.UPDATE_AND_CREATE_TOPIC, 1, count=1)
        self.failure(self.queries.create_topic("TBW102", "newer", 8), BrokerRefused)
        self.failure(self.queries.create_topic("TBW102", "bad name", 8), ClientError)
        self.failure(self.queries.create_topic("no-key", "new", 8), NoRoute)

    def test_a_key_without_masters(self) -> None:
        """Nobody can make the topic."""
        route = self.cluster.topic_route["key"] = TopicRouteData()
        self.assertEqual(route.broker_datas, ())
        self.failure(self.queries.create_topic("key", "new", 8), NoRoute)

    def test_queues_of_a_topic(self) -> None:
        """Of both brokers, sorted."""
        expected = [queue(n, broker_name=name) for name in ("broker-a", "broker-b") for n in range(4)]
        self.assertEqual(self.result(self.queries.fetch_subscribe_queues(TOPIC)), expected)
        self.assertEqual(self.result(self.queries.fetch_publish_queues(TOPIC)), expected)
        self.failure(self.queries.fetch_subscribe_queues("unknown"), NoRoute)
        self.failure(self.queries.fetch_publish_queues("unknown"), NoRoute)

    def test_a_message_by_its_id(self) -> None:
        """From the broker in the id, wherever its topic is."""
        self.cluster.brokers[1].put(TOPIC, 0, b"x")
        offset_id = self.cluster.brokers[1].stored(TOPIC)[0].offset_msg_id
        self.assertEqual(self.result(self.queries.view_message(offset_id)).body, b"x")
        self.failure(self.queries.view_message("not hex"), DecodeError)

    def test_messages_by_key_from_all_brokers(self) -> None:
        """Oldest first; what only shares the hash is left out by topic and key."""
        self.cluster.brokers[1].put(TOPIC, 0, b"first", "KEYS\x01k l\x02UNIQ_KEY\x01U1")
        self.tick(1.0)
        self.cluster.brokers[0].put(TOPIC, 0, b"second", "KEYS\x01k")
        self.cluster.brokers[0].put("other", 0, b"stranger", "KEYS\x01k")
        found = self.result(self.queries.query_message(TOPIC, "k"))
        self.assertEqual(([one.body for one in found.messages], found.index_last_update_ms), ([b"first", b"second"], 7))
        self.assertEqual(len(self.result(self.queries.query_message(TOPIC, "k", 1)).messages), 1)
        by_id = self.result(self.queries.query_message(TOPIC, "U1", is_unique_id=True))
        self.assertEqual([one.body for one in by_id.messages], [b"first"])
        self.assertEqual(self.result(self.queries.query_message(TOPIC, "k", is_unique_id=True)).messages, [])
        self.assertEqual(self.cluster.of(Code.QUERY_MESSAGE)[-1].fields["_UNIQUE_KEY_QUERY"], "true")

    def test_one_silent_broker_is_left_out(self) -> None:
        """Unless none answers."""
        self.cluster.brokers[0].put(TOPIC, 0, b"x", "KEYS\x01k")
        self.cluster.down.add("10.0.0.3:10911")
        self.assertEqual(len(self.result(self.queries.query_message(TOPIC, "k")).messages), 1)
        self.cluster.down.add("10.0.0.2:10911")
        self.failure(self.queries.query_message(TOPIC, "k"), ConnectFailed)

"""Routes: what they give, and when they changed."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.client.routes import RouteTable, limited_to, publish_info, subscribe_queues
from pymq.wire.bodies.routes import BrokerData, QueueData, TopicRouteData
from tests.client.cases import TOPIC


def route(
    *queues: tuple[str, int, int, int], brokers: dict[str, dict[int, str]] | None = None, order: str | None = None
) -> TopicRouteData:
    """A route from (broker, read, write, perm)."""
    addresses = {name: {0: f"{name}:10911"} for name, *_ in queues} if brokers is None else brokers
    return TopicRouteData(
        tuple(QueueData(*one) for one in queues),
        tuple(BrokerData("c", name, table) for name, table in addresses.items()),
        order_topic_conf=order,
    )


class RouteTests(SynchronousTestCase):
    """From a route to queues and addresses."""

    def test_queues_to_write(self) -> None:
        """Those with permission at brokers with a master, brokers sorted."""
        given = route(("b", 4, 2, 6), ("a", 4, 1, 2), ("read-only", 4, 4, 4), ("orphan", 4, 4, 6))
        given = TopicRouteData(given.queue_datas, (*given.broker_datas[:3], BrokerData("c", "orphan", {1: "orphan:10911"})))
        info = publish_info(TOPIC, given)
        self.assertEqual([(one.broker_name, one.queue_id) for one in info.queues], [("a", 0), ("b", 0), ("b", 1)])
        self.assertFalse(info.is_order_topic)

    def test_queues_to_read(self) -> None:
        """Those with permission, sorted, at slaves too."""
        given = route(("b", 1, 4, 4), ("a", 2, 4, 6), ("write-only", 2, 2, 2), brokers={"a": {}, "b": {1: "x"}})
        self.assertEqual(
            [(one.broker_name, one.queue_id) for one in subscribe_queues(TOPIC, given)], [("a", 0), ("a", 1), ("b", 0)]
        )

    def test_an_order_configuration_wins(self) -> None:
        """Its queues, nonsense in it left out."""
        info = publish_info(TOPIC, route(("z", 4, 4, 6), order="a:2;b:1;;c:x"))
        self.assertEqual([(one.broker_name, one.queue_id) for one in info.queues], [("a", 0), ("a", 1), ("b", 0)])
        self.assertTrue(info.is_order_topic)

    def test_a_template_lends_only_so_many_queues(self) -> None:
        """The smaller of the producer's wish and the template's queues."""
        limited = limited_to(route(("a", 8, 8, 7), ("b", 2, 2, 7)), 4)
        self.assertEqual([(data.read_queue_nums, data.write_queue_nums) for data in limited.queue_datas], [(4, 4), (2, 2)])

    def test_only_a_change_counts(self) -> None:
        """The same data in another order are the same route."""
        table = RouteTable()
        self.assertTrue(table.update(TOPIC, route(("a", 4, 4, 6), ("b", 4, 4, 6))))
        self.assertFalse(table.update(TOPIC, route(("b", 4, 4, 6), ("a", 4, 4, 6))))
        self.assertTrue(table.update(TOPIC, route(("b", 4, 8, 6), ("a", 4, 4, 6))))
        info = table.publish_info(TOPIC)
        assert info is not None
        self.assertEqual(len(info.queues), 12)
        self.assertEqual(table.broker_names_of(TOPIC), ["a", "b"])

    def test_unknown_topics_have_nothing(self) -> None:
        """None, not an empty list: nobody asked yet."""
        table = RouteTable()
        self.assertIsNone(table.publish_info(TOPIC))
        self.assertIsNone(table.subscribe_queues(TOPIC))
        self.assertEqual(table.broker_names_of(TOPIC), [])

    def test_addresses(self) -> None:
        """The id asked for, the next one for a missing slave, else any."""
        table = RouteTable()
        table.update(TOPIC, route(("a", 4, 4, 6), brokers={"a": {0: "m", 2: "s"}, "b": {3: "t"}}))
        self.assertEqual(table.master_of("a"), "m")
        self.assertIsNone(table.master_of("b"))
        self.assertEqual(table.address_of("a", 0), ("m", False))
        self.assertEqual(table.address_of("a", 1), ("s", True))
        self.assertEqual(table.address_of("a", 7), ("m", False))
        self.assertEqual(table.address_of("b", 0), ("t", True))
        self.assertIsNone(table.address_of("c"))

    def test_offline_brokers_are_forgotten(self) -> None:
        """Addresses that no route has any more."""
        table = RouteTable()
        table.update(TOPIC, route(("a", 4, 4, 6), ("b", 4, 4, 6)))
        table.update(TOPIC, route(("a", 4, 4, 6)))
        self.assertEqual(table.clean_offline(), ["b:10911"])
        self.assertEqual(table.brokers(), [("a", 0, "a:10911")])

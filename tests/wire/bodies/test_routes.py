"""Routes and clusters."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.wire import javajson
from pymq.wire.bodies.routes import (
    BrokerData,
    BrokerMemberGroup,
    ClusterInfo,
    GetBrokerMemberGroupResponseBody,
    QueueData,
    TopicRouteData,
    decode_cluster_info,
    decode_route,
    encode_cluster_info,
    encode_route,
)
from pymq.wire.javajson import JavaJSONError
from tests.wire.cuts import mutations, outcomes, prefixes

#: As the name server of Java 4.9.8 answers (remoting.md 3.1).
GOLDEN_CLASSIC = (
    b'{"brokerDatas":[{"brokerAddrs":{0:"127.0.0.1:10911",1:"127.0.0.1:11911"},"brokerName":"broker-a","cluster":'
    b'"DefaultCluster"}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":4,'
    b'"topicSysFlag":0,"writeQueueNums":4}]}'
)
GOLDEN_STANDARD = GOLDEN_CLASSIC.replace(b"{0:", b'{"0":').replace(b",1:", b',"1":')
GOLDEN_CLUSTER = (
    b'{"brokerAddrTable":{"broker-a":{"brokerAddrs":{0:"127.0.0.1:10911",1:"127.0.0.1:11911"},"brokerName":"broker-a",'
    b'"cluster":"DefaultCluster"}},"clusterAddrTable":{"DefaultCluster":["broker-a"]}}'
)
BROKER = BrokerData("DefaultCluster", "broker-a", {1: "127.0.0.1:11911", 0: "127.0.0.1:10911"})
ROUTE = TopicRouteData((QueueData("broker-a", 4, 4, 6),), (BROKER,))

names = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
numbers = st.integers(0, 2**31 - 1)
routes = st.builds(
    TopicRouteData,
    st.lists(st.builds(QueueData, names, numbers, numbers, numbers, numbers), max_size=3).map(tuple),
    st.lists(st.builds(BrokerData, names, names, st.dictionaries(st.integers(0, 2**63 - 1), names, max_size=3)), max_size=3).map(
        tuple
    ),
    st.dictionaries(names, st.lists(names, max_size=2), max_size=2),
    st.none() | names,
)


class RouteTests(SynchronousTestCase):
    """encode_route and decode_route."""

    def test_the_classic_form(self) -> None:
        """Broker ids bare and in order."""
        self.assertEqual(encode_route(ROUTE, standard_json=False), GOLDEN_CLASSIC)
        self.assertEqual(decode_route(GOLDEN_CLASSIC), ROUTE)

    def test_the_standard_form(self) -> None:
        """Quoted ids."""
        self.assertEqual(encode_route(ROUTE, standard_json=True), GOLDEN_STANDARD)
        self.assertEqual(decode_route(GOLDEN_STANDARD), ROUTE)

    def test_the_standard_form_is_ascii(self) -> None:
        """Upper-case hex, surrogates for what lies beyond 16 bits."""
        route = TopicRouteData(broker_datas=(BrokerData("é😀\x7f", "b"),))
        written = encode_route(route, standard_json=True)
        self.assertIn(rb'"cluster":"\u00E9\uD83D\uDE00\u007F"', written)
        self.assertEqual(decode_route(written), route)
        self.assertIn("é😀".encode(), encode_route(route, standard_json=False))

    def test_optional_members(self) -> None:
        """The order configuration is written only when there is one."""
        self.assertNotIn(b"orderTopicConf", GOLDEN_CLASSIC)
        written = encode_route(TopicRouteData(order_topic_conf="broker-a:4"), standard_json=False)
        self.assertEqual(written, b'{"brokerDatas":[],"filterServerTable":{},"orderTopicConf":"broker-a:4","queueDatas":[]}')

    def test_the_other_spelling_of_the_system_flag(self) -> None:
        """topicSynFlag, of old brokers and Go."""
        read = decode_route(b'{"queueDatas":[{"brokerName":"b","readQueueNums":1,"writeQueueNums":1,"perm":6,"topicSynFlag":3}]}')
        self.assertEqual(read.queue_datas, (QueueData("b", 1, 1, 6, 3),))

    def test_members_of_5(self) -> None:
        """Known ones are kept, others skipped, nulls absent."""
        read = decode_route(
            b'{"brokerDatas":[{"brokerAddrs":{"0":"a:1"},"brokerName":"b","cluster":"c","enableActingMaster":false,"zoneName":"z"}],'
            b'"filterServerTable":null,"queueDatas":[],"topicQueueMappingByBroker":{}}'
        )
        self.assertEqual(read, TopicRouteData((), (BrokerData("c", "b", {0: "a:1"}, False, "z"),)))

    def test_what_is_no_route(self) -> None:
        """Refused."""
        for body in (
            b"",
            b"[]",
            b"null",
            b'{"queueDatas":{}}',
            b'{"queueDatas":[1]}',
            b'{"brokerDatas":[{"brokerAddrs":{"x":"a"}}]}',
        ):
            with self.assertRaises(JavaJSONError, msg=body):
                decode_route(body)

    def test_every_cut_and_change_is_read_or_refused(self) -> None:
        """Never another error."""
        for golden in (GOLDEN_CLASSIC, GOLDEN_STANDARD):
            self.assertEqual(outcomes(decode_route, prefixes(golden), JavaJSONError), (0, len(golden)))
            outcomes(decode_route, mutations(golden), JavaJSONError)

    @settings(deadline=None)
    @given(routes, st.booleans())
    def test_round_trip(self, route: TopicRouteData, standard_json: bool) -> None:
        """Any route, in both forms; the standard one is JSON for everybody."""
        written = encode_route(route, standard_json=standard_json)
        self.assertEqual(decode_route(written), route)
        if standard_json:
            json.loads(written.decode("ascii"))


class ClusterTests(SynchronousTestCase):
    """Clusters and groups of brokers."""

    def test_cluster_info(self) -> None:
        """Ids are never quoted here."""
        info = ClusterInfo({"broker-a": BROKER}, {"DefaultCluster": {"broker-a"}})
        self.assertEqual(encode_cluster_info(info), GOLDEN_CLUSTER)
        self.assertEqual(decode_cluster_info(GOLDEN_CLUSTER), info)

    def test_member_group(self) -> None:
        """5.x's answer, with bare ids."""
        body = GetBrokerMemberGroupResponseBody(BrokerMemberGroup("c", "b", {0: "a:1"}))
        text = b'{"brokerMemberGroup":{"brokerAddrs":{0:"a:1"},"brokerName":"b","cluster":"c"}}'
        self.assertEqual(javajson.encode(body), text)
        self.assertEqual(javajson.decode_as(text, GetBrokerMemberGroupResponseBody), body)

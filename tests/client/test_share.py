"""Shares of a topic."""

from __future__ import annotations

from typing import Any

from pymq.client.allocate import AllocateAverage
from pymq.client.share import Assigned, GivenByBroker, SharedOut, everything
from pymq.errors import ClientError, NotSupported
from pymq.wire import javajson
from pymq.wire.bodies.assignment import MODE_POP
from pymq.wire.codes import RequestCode as Code
from tests.client.cases import TOPIC, ClientCase, queue
from tests.client.fakepop import let_pop

ME, OTHER = "10.0.0.7@test", "10.0.0.8@other"
ALL = [queue(n) for n in range(4)]


class ShareTests(ClientCase):
    """What members find out by themselves."""

    def test_everything(self) -> None:
        """For each member."""
        self.assertEqual(self.result(everything(TOPIC, ALL)), ALL)

    def test_shared_out(self) -> None:
        """Among those whom the broker knows; whom it does not know gets nothing."""
        self.cluster.broker.members["g"] = {ME, OTHER}
        share = SharedOut("g", self.instance(), AllocateAverage())
        self.assertEqual(self.result(share(TOPIC, ALL)), ALL[:2])
        self.cluster.broker.members["g"] = {OTHER}
        self.assertEqual(self.result(share(TOPIC, ALL)), [])

    def test_assigned(self) -> None:
        """What the user chose, of the topic."""
        share = Assigned()
        share.queues = frozenset({queue(1), queue(0, topic="other")})
        self.assertEqual(self.result(share(TOPIC, ALL)), [queue(1)])


class GivenByBrokerTests(ClientCase):
    """What a broker of 5.x says."""

    def setUp(self) -> None:
        """We are in the group."""
        super().setUp()
        (self.broker,) = let_pop(self.cluster)
        self.broker.members["g"] = {ME}
        self.told: list[Any] = []
        self.share = GivenByBroker("g", self.instance(), "AVG_BY_CIRCLE", lambda *told: self.told.append(told))

    def test_queues_to_pull(self) -> None:
        """They are the share."""
        self.assertEqual(self.result(self.share(TOPIC, ALL)), frozenset(ALL))
        self.assertEqual(self.told, [(TOPIC, frozenset(ALL), frozenset())])
        (asked,) = self.cluster.of(Code.QUERY_ASSIGNMENT)
        body = {"clientId": ME, "consumerGroup": "g", "messageModel": "CLUSTERING", "strategyName": "AVG_BY_CIRCLE"}
        self.assertEqual(javajson.decode(asked.command.body), {**body, "topic": TOPIC})

    def test_queues_to_pop(self) -> None:
        """They are not the share."""
        self.broker.modes[TOPIC, "g"] = MODE_POP
        self.assertEqual(self.result(self.share(TOPIC, ALL)), frozenset())
        self.assertEqual(self.told, [(TOPIC, frozenset(), frozenset({queue(-1)}))])

    def test_no_answer_is_not_the_answer_none(self) -> None:
        """Who asked is to keep what it has, and to ask again."""
        self.broker.knows_members = False
        self.assertIn("cannot say", str(self.failure(self.share(TOPIC, ALL), ClientError)))
        self.assertEqual(self.told, [])

    def test_brokers_that_do_not_know_the_request(self) -> None:
        """Are too old, and the error says so."""
        self.cluster.refuse(Code.QUERY_ASSIGNMENT, 3)
        self.assertIn("Apache RocketMQ from 5.0", str(self.failure(self.share(TOPIC, ALL), NotSupported)))

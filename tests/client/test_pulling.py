"""One pull."""

from __future__ import annotations

from typing import Any

from pymq.client.pulling import PullClient, matching
from pymq.client.results import PullResult, PullStatus
from pymq.errors import BrokerRefused, ClientError, NoRoute
from pymq.message import flags
from pymq.wire.bodies.heartbeat import SubscriptionData, build_subscription
from pymq.wire.bodies.routes import BrokerData, QueueData, TopicRouteData
from pymq.wire.codes import RequestCode as Code
from pymq.wire.command import RemotingCommand
from tests.client.cases import TOPIC, ClientCase, queue, stored

EVERYTHING = build_subscription(TOPIC, "*", sub_version=7)


class PullTests(ClientCase):
    """A queue of three messages, tagged A, B and A."""

    def setUp(self) -> None:
        """The messages."""
        super().setUp()
        for tag in "ABA":
            self.cluster.broker.put(TOPIC, 0, tag.encode(), f"TAGS\x01{tag}")
        self.shared = self.instance()
        self.client = PullClient("g", self.shared)

    def pull(self, offset: int = 0, subscription: SubscriptionData = EVERYTHING, **more: Any) -> PullResult:
        """A pull that succeeds."""
        return self.result(self.client.pull(queue(), offset, subscription, **{"count_max": 32, "timeout_s": 3.0, **more}))

    def asked(self) -> dict[str, str]:
        """What the last pull said."""
        return self.cluster.of(Code.PULL_MESSAGE)[-1].fields

    def test_found(self) -> None:
        """Messages, offsets, and the broker's name on each message."""
        result = self.pull(1)
        self.assertEqual((result.status, result.next_offset, result.min_offset, result.max_offset), (PullStatus.FOUND, 3, 0, 3))
        self.assertEqual([(one.body, one.broker_name) for one in result.messages], [(b"B", "broker-a"), (b"A", "broker-a")])

    def test_only_wanted_tags(self) -> None:
        """Brokers filter by hash; strangers are left out here, and the offset goes on past them."""
        result = self.pull(0, build_subscription(TOPIC, "A", sub_version=7))
        self.assertEqual(([one.body for one in result.messages], result.next_offset), ([b"A", b"A"], 3))

    def test_sql_is_the_broker_s_business(self) -> None:
        """Its expression is no list of tags."""
        subscription = build_subscription(TOPIC, "a > 1", "SQL92", sub_version=7)
        self.assertEqual(len(matching([stored(0)], subscription)), 1)

    def test_brokers_that_are_too_old_for_sql(self) -> None:
        """Are not asked."""
        subscription = build_subscription(TOPIC, "a > 1", "SQL92", sub_version=7)
        address, _ = self.result(self.shared.broker_to_read(TOPIC, "broker-a"))
        self.shared.broker_versions[address] = 231
        self.failure(self.client.pull(queue(), 0, subscription, count_max=32, timeout_s=3.0), ClientError)
        self.assertEqual(self.cluster.of(Code.PULL_MESSAGE), [])

    def test_the_other_outcomes(self) -> None:
        """None new, and an offset that is not there."""
        self.assertIs(self.pull(3).status, PullStatus.NO_NEW_MSG)
        result = self.pull(9)
        self.assertEqual((result.status, result.next_offset, result.messages), (PullStatus.OFFSET_ILLEGAL, 3, []))

    def test_what_is_said(self) -> None:
        """Flags for what is there, and Java's fields."""
        self.pull(count_max=5)
        fields = self.asked()
        self.assertEqual((fields["sysFlag"], fields["maxMsgNums"], fields["subscription"]), ("4", "5", "*"))
        self.assertEqual((fields["subVersion"], fields["expressionType"], fields["suspendTimeoutMillis"]), ("7", "TAG", "0"))
        self.pull(suspend_s=15.0, commit_offset=2, send_expression=False)
        fields = self.asked()
        wanted = flags.PULL_COMMIT_OFFSET | flags.PULL_SUSPEND
        self.assertEqual((fields["sysFlag"], fields["commitOffset"], fields["suspendTimeoutMillis"]), (str(wanted), "2", "15000"))
        self.assertNotIn("subscription", fields)

    def test_other_answers_are_errors(self) -> None:
        """Such as a group that the broker does not know."""
        self.cluster.refuse(Code.PULL_MESSAGE, 24)
        pulling = self.client.pull(queue(), 0, EVERYTHING, count_max=1, timeout_s=3)
        self.assertEqual(self.failure(pulling, BrokerRefused).code, 24)
        nowhere = self.client.pull(queue(broker_name="gone"), 0, EVERYTHING, count_max=1, timeout_s=3)
        self.failure(nowhere, NoRoute)

    def test_the_broker_says_whom_to_ask_next(self) -> None:
        """A slave takes no commits; forgotten, it begins with the master again."""
        addresses = {0: self.cluster.broker.address, 1: "10.0.0.9:10911"}
        self.cluster.topic_route[TOPIC] = TopicRouteData(
            (QueueData("broker-a", 4, 4, 6),), (BrokerData("c", "broker-a", addresses),)
        )
        self.result(self.shared.update_route(TOPIC))

        def suggests(address: str, request: RemotingCommand) -> RemotingCommand | None:
            if request.code != Code.PULL_MESSAGE:
                return None
            numbers = {"nextBeginOffset": "0", "minOffset": "0", "maxOffset": "0", "suggestWhichBrokerId": "1"}
            return request.reply(19, ext_fields=numbers)

        self.cluster.rules.append(suggests)
        self.pull(commit_offset=2)
        self.pull(commit_offset=2)
        asked = self.cluster.of(Code.PULL_MESSAGE)
        self.assertEqual([one.address for one in asked], list(addresses.values()))
        self.assertEqual([int(one.fields["sysFlag"]) & flags.PULL_COMMIT_OFFSET for one in asked], [1, 0])
        self.client.forget(queue())
        self.pull()
        self.assertEqual(self.cluster.of(Code.PULL_MESSAGE)[-1].address, self.cluster.broker.address)

"""Pull loops and their brakes."""

from __future__ import annotations

from typing import Any

from pymq.client.config import PushConfig, make_config
from pymq.client.offsets import RemoteBrokerOffsetStore
from pymq.client.processqueue import ProcessQueue
from pymq.client.puller import ERROR_PAUSE_S, ILLEGAL_OFFSET_PAUSE_S, Puller
from pymq.client.pullloops import BUSY_PAUSE_S, ERROR_PAUSE_FIRST_S, FLOW_CONTROL_PAUSE_S, SUSPENDED_PAUSE_S, UNKNOWN_PAUSE_S
from pymq.client.tasks import Tasks
from pymq.message import flags
from pymq.message.message import StoredMessage
from pymq.wire.bodies.heartbeat import SubscriptionData, build_subscription
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.codes import RequestCode as Code
from pymq.wire.command import RemotingCommand
from tests.client.cases import TOPIC, ClientCase, queue


class Consumption:
    """Takes messages, and keeps them in hand."""

    def __init__(self, is_orderly: bool) -> None:
        self.is_orderly = is_orderly
        self.bodies: list[bytes] = []
        self.messages: list[StoredMessage] = []

    def submit(self, held: ProcessQueue, messages: list[StoredMessage], *, dispatch: bool) -> None:
        """Kept."""
        self.messages += messages
        self.bodies += [message.body for message in messages]


class PullerTests(ClientCase):
    """One queue, pulled from offset 0."""

    def setUp(self) -> None:
        """The instance; the puller differs from test to test."""
        super().setUp()
        self.shared = self.instance()
        self.offsets = RemoteBrokerOffsetStore("g", self.shared)
        self.subscriptions: dict[str, SubscriptionData] = {TOPIC: build_subscription(TOPIC, "*", sub_version=1)}
        self.illegal: list[MessageQueue] = []
        self.held = ProcessQueue(queue(), self.shared.now_ms())

    async def first_offset(self, which: MessageQueue) -> int:
        """Where an ordered queue begins when its lock came late."""
        return 1

    def begin(self, *, orderly: bool = False, expression: str = "*", **settings: Any) -> Puller:
        """Pull the queue."""
        self.subscriptions[TOPIC] = build_subscription(TOPIC, expression, sub_version=1)
        self.consumption = Consumption(orderly)
        tasks = Tasks(self.clock)
        self.addCleanup(tasks.cancel_all)
        puller = Puller(
            "g",
            self.shared,
            make_config(PushConfig, settings),
            tasks=tasks,
            offsets=self.offsets,
            subscriptions=self.subscriptions,
            consumption=self.consumption,
            first_offset=self.first_offset,
            illegal_offset=lambda held: self.illegal.append(held.queue),
        )
        self.addCleanup(puller.let_go, self.held)
        puller.taken(self.held, 0)
        return puller

    def put(self, count: int, tag: str = "A") -> None:
        """Store so many messages in the queue."""
        for n in range(count):
            self.cluster.broker.put(TOPIC, 0, b"%d" % n, f"TAGS\x01{tag}")

    def pulls(self) -> list[dict[str, str]]:
        """What was asked for."""
        return [one.fields for one in self.cluster.of(Code.PULL_MESSAGE)]

    def test_pulls_until_there_is_no_more_and_waits_there(self) -> None:
        """The broker holds the last pull; what comes wakes it."""
        self.put(3)
        self.begin(pull_batch_size=2)
        self.assertEqual(self.consumption.bodies, [b"0", b"1", b"2"])
        self.assertEqual([fields["queueOffset"] for fields in self.pulls()], ["0", "2", "3"])
        self.put(1)
        self.assertEqual((len(self.consumption.bodies), len(self.pulls())), (4, 4))
        self.assertEqual(self.held.count, 4)

    def test_waits_for_fifteen_of_thirty_seconds(self) -> None:
        """And pulls again after an answer that never came."""
        self.begin()
        self.assertEqual(self.pulls()[0]["suspendTimeoutMillis"], "15000")
        self.tick(30.0)
        self.assertEqual(len(self.pulls()), 1)
        self.tick(ERROR_PAUSE_S)
        self.assertEqual(len(self.pulls()), 2)

    def test_offsets_are_committed_along_the_way(self) -> None:
        """In a group that shares, once there is one."""
        self.put(1)
        self.offsets.update(queue(), 7)
        self.begin()
        self.assertEqual(int(self.pulls()[0]["sysFlag"]), flags.PULL_COMMIT_OFFSET | flags.PULL_SUSPEND)
        self.assertEqual(self.cluster.broker.offsets, {("g", TOPIC, 0): 7})

    def test_a_broadcast_group_commits_nothing_there(self) -> None:
        """Its offsets are its own."""
        self.offsets.update(queue(), 7)
        self.begin(message_model="BROADCASTING")
        self.assertEqual(int(self.pulls()[0]["sysFlag"]), flags.PULL_SUSPEND)

    def test_the_expression_is_sent_on_request(self) -> None:
        """Usually the heartbeat brought it."""
        self.begin(expression="A || B", post_subscription_when_pull=True)
        self.assertEqual(self.pulls()[0]["subscription"], "A || B")

    def test_what_does_not_concern_us_counts_as_consumed(self) -> None:
        """As long as nothing else is in hand."""
        self.put(3, tag="B")
        self.begin(expression="A")
        self.assertEqual((self.consumption.bodies, self.offsets.read(queue())), ([], 3))

    def test_too_many_in_hand(self) -> None:
        """No pull until some are done; looked at every 50 ms."""
        self.put(4)
        puller = self.begin(pull_threshold_for_queue=2, pull_batch_size=3)
        self.assertEqual(len(self.pulls()), 1)
        self.tick(FLOW_CONTROL_PAUSE_S, 3)
        self.assertEqual((len(self.pulls()), puller.pause_count), (1, 4))
        self.held.remove(self.consumption.messages[:1], 0)
        self.tick(FLOW_CONTROL_PAUSE_S)
        self.assertEqual(len(self.consumption.bodies), 4)

    def test_too_much_in_hand(self) -> None:
        """By size too."""
        self.put(2)
        self.held.size_bytes = 2 * 1024 * 1024
        self.begin(pull_threshold_size_for_queue=1)
        self.assertEqual(self.pulls(), [])

    def test_too_wide_a_span(self) -> None:
        """One message that is never finished must not let the others run away; in order that cannot be."""
        self.put(4)
        self.begin(consume_concurrently_max_span=2, pull_batch_size=4)
        self.assertEqual(len(self.pulls()), 1)
        self.held = ProcessQueue(queue(), self.shared.now_ms())
        self.held.locked = True
        self.begin(orderly=True, consume_concurrently_max_span=2, pull_batch_size=4)
        self.assertEqual(len(self.pulls()), 3)

    def test_limits_of_a_topic_are_shared_by_its_queues(self) -> None:
        """Each queue gets its part."""
        self.put(3)
        puller = self.begin(pull_threshold_for_topic=4, pull_threshold_size_for_topic=100, pull_batch_size=3)
        other = ProcessQueue(queue(1), self.shared.now_ms())
        puller.taken(other, 0)
        self.held.remove(self.consumption.messages[:1], 0)
        self.put(1)
        self.assertEqual(len(self.consumption.bodies), 4)
        before = len(self.pulls())
        self.put(1)
        self.tick(FLOW_CONTROL_PAUSE_S)
        self.assertEqual(len(self.pulls()), before)
        puller.let_go(other)
        self.tick(FLOW_CONTROL_PAUSE_S)
        self.assertGreater(len(self.pulls()), before)

    def test_errors_give_a_pause(self) -> None:
        """20 ms when the broker is busy."""
        self.cluster.refuse(Code.PULL_MESSAGE, 1, count=1)
        self.cluster.refuse(Code.PULL_MESSAGE, 215, count=1)
        self.begin()
        self.tick(ERROR_PAUSE_FIRST_S / 2 - 0.001)
        self.assertEqual(len(self.pulls()), 1)
        self.tick(ERROR_PAUSE_FIRST_S / 2 + 0.001)
        self.assertEqual(len(self.pulls()), 2)
        self.tick(BUSY_PAUSE_S)
        self.assertEqual(len(self.pulls()), 3)

    def test_a_broker_under_another_address(self) -> None:
        """Is found by the next pull."""
        self.cluster.broker.address = "10.0.1.2:10911"
        self.put(1)
        self.begin()
        self.assertEqual(self.consumption.bodies, [])
        self.tick(ERROR_PAUSE_FIRST_S)
        self.assertEqual(self.consumption.bodies, [b"0"])

    def test_errors_without_end_are_met_by_longer_pauses(self) -> None:
        """Up to three seconds, half of it chance; a success ends that."""
        self.cluster.refuse(Code.PULL_MESSAGE, 1)
        self.begin()
        self.tick(0.05, 200)
        self.cluster.asked.clear()
        self.tick(0.05, 1200)
        self.assertTrue(20 <= len(self.pulls()) <= 41, len(self.pulls()))
        self.cluster.rules.clear()
        self.tick(ERROR_PAUSE_S)
        self.cluster.refuse(Code.PULL_MESSAGE, 1, count=1)
        self.put(1)
        self.tick(0.0)
        asked = len(self.pulls())
        self.tick(ERROR_PAUSE_FIRST_S)
        self.assertEqual(len(self.pulls()), asked + 1)

    def test_a_broker_that_forgot_us_is_told(self) -> None:
        """At once, instead of with the next heartbeat."""
        asked: list[int] = []
        self.shared.heartbeat_soon = lambda: asked.append(1)  # type: ignore[method-assign]
        self.cluster.refuse(Code.PULL_MESSAGE, 24, count=1)
        self.begin()
        self.assertEqual(asked, [1])
        self.tick(UNKNOWN_PAUSE_S)
        self.assertEqual(len(self.pulls()), 2)

    def test_an_answer_that_cannot_be_read(self) -> None:
        """Is an error like others."""

        def cut(address: str, request: RemotingCommand) -> RemotingCommand | None:
            if request.code != Code.PULL_MESSAGE:
                return None
            outcome = self.cluster.broker.pull(request)
            assert isinstance(outcome, RemotingCommand)
            return request.reply(ext_fields=outcome.ext_fields, body=outcome.body[:-1])

        self.put(1)
        self.cluster.rules.append(cut)
        self.begin()
        self.assertEqual(self.consumption.bodies, [])
        self.cluster.rules.clear()
        self.tick(ERROR_PAUSE_S)
        self.assertEqual(self.consumption.bodies, [b"0"])

    def test_an_offset_that_is_not_there(self) -> None:
        """After ten seconds the broker's own is persisted and the queue taken up anew."""
        self.cluster.broker.min_offsets[TOPIC, 0] = 2
        self.put(3)
        self.begin()
        self.assertTrue(self.held.dropped)
        self.tick(ILLEGAL_OFFSET_PAUSE_S - 0.1)
        self.assertEqual(self.illegal, [])
        self.tick(0.1)
        self.assertEqual((self.illegal, self.cluster.broker.offsets), ([queue()], {("g", TOPIC, 0): 2}))

    def test_suspended(self) -> None:
        """Nothing is pulled; resumed, it goes on within a second."""
        puller = self.begin(pull_interval_s=1.0)
        puller.is_suspended = True
        self.put(1)
        self.tick(SUSPENDED_PAUSE_S, 5)
        before = len(self.pulls())
        puller.is_suspended = False
        self.tick(SUSPENDED_PAUSE_S)
        self.assertEqual((before, len(self.pulls())), (1, 2))

    def test_an_interval_between_pulls(self) -> None:
        """As it is set."""
        self.put(2)
        self.begin(pull_interval_s=2.0, pull_batch_size=1)
        self.assertEqual(len(self.pulls()), 1)
        self.tick(2.0)
        self.assertEqual(len(self.pulls()), 2)

    def test_a_queue_let_go_is_pulled_no_more(self) -> None:
        """The pull that waits is given up."""
        puller = self.begin()
        self.held.dropped = True
        puller.let_go(self.held)
        puller.let_go(self.held)
        self.put(1)
        self.tick(ERROR_PAUSE_S)
        self.assertEqual((len(self.pulls()), self.consumption.bodies), (1, []))

    def test_an_ordered_queue_waits_for_its_lock(self) -> None:
        """And asks again where to begin, for its last owner may have gone on."""
        self.put(2)
        self.begin(orderly=True)
        self.tick(ERROR_PAUSE_S)
        self.assertEqual(self.pulls(), [])
        self.held.locked = True
        self.tick(ERROR_PAUSE_S)
        self.assertEqual(self.consumption.bodies, [b"1"])

    def test_an_ordered_queue_that_lost_its_lock_rests(self) -> None:
        """Until the lock is back."""
        self.held.locked = True
        self.put(1)
        self.begin(orderly=True)
        self.held.locked = False
        self.put(1)
        before = len(self.pulls())
        self.tick(ERROR_PAUSE_S)
        self.assertEqual(len(self.pulls()), before)
        self.held.locked = True
        self.tick(ERROR_PAUSE_S)
        self.assertEqual(len(self.pulls()), before + 1)

    def test_a_topic_that_is_not_subscribed_any_more(self) -> None:
        """Waits for the rebalance that lets it go."""
        self.begin(pull_interval_s=1.0)
        self.subscriptions.clear()
        self.put(1)
        self.tick(1.0)
        self.tick(ERROR_PAUSE_S)
        self.assertEqual(len(self.pulls()), 1)

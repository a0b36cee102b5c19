"""A push consumer whose brokers share out the queues and let it pop them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pymq.client.admin import Admin
from pymq.client.popsettling import POP_IDLE_MAX_MS
from pymq.client.puller import ERROR_PAUSE_S
from pymq.client.pullloops import BUSY_PAUSE_S, ERROR_PAUSE_FIRST_S, SUSPENDED_PAUSE_S
from pymq.client.pushconsumer import PushConsumer
from pymq.client.results import ConsumeStatus
from pymq.errors import ClientError, ConfigError, NotSupported
from pymq.wire.bodies.assignment import MODE_POP, MODE_PULL
from pymq.wire.codes import RequestCode as Code
from tests.client.cases import TOPIC, ClientCase, queue
from tests.client.fakepop import let_pop

LATER = ConsumeStatus.RECONSUME_LATER


class PopperTests(ClientCase):
    """One broker; the topic is popped unless a test says otherwise."""

    def setUp(self) -> None:
        """Nothing consumed yet."""
        super().setUp()
        (self.broker,) = let_pop(self.cluster)
        self.broker.modes[TOPIC, "cg"] = MODE_POP
        self.bodies: list[bytes] = []
        self.calls: list[Any] = []
        self.answers: list[Any] = []

    def check_all_is_over(self) -> None:
        """The broker forgets what it holds, as it is not what is tested."""
        for member in self.members:
            member.shutdown()
        self.broker.forget_waiting()
        for key in list(self.broker.hidden):
            self.broker.show(key)
        super().check_all_is_over()

    def listener(self, messages: Any, context: Any) -> Any:
        """Notes the call, and gives the prepared answer."""
        self.calls.append((messages, context))
        self.bodies += [message.body for message in messages]
        return self.answers.pop(0) if self.answers else None

    def consumer(self, group: str = "cg", **more: Any) -> PushConsumer:
        """One that runs."""
        return self.push_consumer(self.listener, group, **{"client_rebalance": False, **more})

    def put(self, *bodies: bytes, queue_id: int = 0) -> None:
        """Store messages."""
        for body in bodies:
            self.broker.put(TOPIC, queue_id, body, "TAGS\x01A")
        self.tick(0)

    def wait(self, seconds: float) -> None:
        """Let time pass in steps of a second."""
        self.tick(1.0, int(seconds))

    def test_messages_are_popped_and_acknowledged(self) -> None:
        """What is there, and what comes; of all queues, with one pop that waits."""
        self.put(b"1", b"2")
        consumer = self.consumer()
        self.put(b"3", queue_id=3)
        self.assertEqual((self.bodies, self.broker.hidden), ([b"1", b"2", b"3"], {}))
        self.assertEqual(consumer.queues, [queue(0, topic="%RETRY%cg"), queue(-1)])
        fields = self.cluster.of(Code.POP_MESSAGE)[-1].fields
        self.assertEqual((fields["invisibleTime"], fields["pollTime"], fields["maxMsgNums"]), ("60000", "15000", "32"))
        self.assertEqual(self.calls[0][1].queue, queue(-1))

    def test_a_pop_follows_the_other(self) -> None:
        """Also when nothing came for the whole wait."""
        self.consumer()
        self.wait(16)
        self.put(b"1")
        self.assertEqual(self.bodies, [b"1"])
        self.assertEqual(len(self.cluster.of(Code.POP_MESSAGE)), 3)

    def test_failed_messages_come_again(self) -> None:
        """After ten seconds, with one attempt more and their own topic."""
        self.answers = [LATER]
        self.consumer()
        self.put(b"1")
        self.wait(9)
        self.assertEqual(self.bodies, [b"1"])
        self.wait(1)
        (again,) = self.calls[1][0]
        self.assertEqual((again.topic, again.reconsume_times, self.broker.hidden), (TOPIC, 1, {}))

    def test_messages_that_die_too_often(self) -> None:
        """Those that came too often are dead letters, and the listener never sees them again."""
        self.answers = [Deferred(), Deferred()]
        self.consumer(max_reconsume_times=1, pop_invisible_time_s=5.0, await_termination_s=0.0)
        self.put(b"1")
        self.wait(12)
        self.assertEqual((self.bodies, self.broker.hidden), ([b"1", b"1"], {}))
        (asked,) = self.cluster.of(Code.CONSUMER_SEND_MSG_BACK)
        self.assertEqual((asked.fields["delayLevel"], asked.fields["originTopic"]), ("-1", TOPIC))
        self.assertEqual([message.body for message in self.broker.stored("%DLQ%cg")], [b"1"])

    def test_slow_listeners(self) -> None:
        """What they say after the message came again counts no more."""
        slow: Deferred[None] = Deferred()
        self.answers = [slow]
        self.consumer(pop_invisible_time_s=5.0)
        self.put(b"1")
        self.wait(6)
        self.assertEqual(self.bodies, [b"1", b"1"])
        acks = len(self.cluster.of(Code.ACK_MESSAGE))
        slow.callback(None)
        self.assertEqual(len(self.cluster.of(Code.ACK_MESSAGE)), acks)

    def test_only_so_many_in_hand(self) -> None:
        """Then it pops no more until some are done."""
        self.answers = [Deferred() for _ in range(3)]
        held = list(self.answers)
        consumer = self.consumer(pop_threshold_for_queue=1, pop_batch_nums=2, await_termination_s=0.0)
        self.put(b"1", b"2", b"3", b"4")
        self.tick(0.1, 3)
        self.assertEqual(self.bodies, [b"1", b"2", b"3"], "the first pop waited when there was one message")
        held[0].callback(None)
        held[1].callback(None)
        self.tick(0.1, 2)
        self.assertEqual(self.bodies, [b"1", b"2", b"3", b"4"])
        table = consumer.running_info().mq_pop_table
        assert table is not None
        self.assertEqual([info.wait_ack_count for info in table.values()], [1])

    def test_errors(self) -> None:
        """The queue rests: longer each time, for a fixed time when too many wait at the broker, shortly when that is busy."""
        shortest_s = ERROR_PAUSE_FIRST_S / 2
        for code, rest_s, over_s in (
            (1, shortest_s - 0.04, ERROR_PAUSE_FIRST_S),
            (209, ERROR_PAUSE_S - 0.04, 0.1),
            (215, 0.0, BUSY_PAUSE_S),
        ):
            self.cluster.rules[:] = []
            self.cluster.asked.clear()
            self.cluster.refuse(Code.POP_MESSAGE, code, count=2)
            consumer = self.consumer()
            asked = len(self.cluster.of(Code.POP_MESSAGE))
            self.tick(rest_s)
            self.assertEqual(len(self.cluster.of(Code.POP_MESSAGE)), asked, code)
            self.tick(over_s)
            self.assertEqual(len(self.cluster.of(Code.POP_MESSAGE)), asked + 1, code)
            self.result(consumer.shutdown())
            self.broker.forget_waiting()

    def test_suspending(self) -> None:
        """No pop until it goes on."""
        consumer = self.consumer()
        consumer.suspend()
        self.put(b"1")
        self.put(b"2")
        self.assertEqual(self.bodies, [b"1"], "the pop that waited")
        consumer.resume()
        self.wait(SUSPENDED_PAUSE_S)
        self.assertEqual(self.bodies, [b"1", b"2"])

    def test_a_topic_that_is_pulled(self) -> None:
        """As the broker says; what was popped before and failed comes in a topic of its own."""
        self.broker.modes.clear()
        self.broker.topics.add("%RETRY%cg_" + TOPIC)
        self.broker.put("%RETRY%cg_" + TOPIC, 0, b"old", "TAGS\x01A")
        consumer = self.consumer()
        self.put(b"1")
        self.wait(2)
        self.assertEqual((sorted(self.bodies), self.cluster.of(Code.POP_MESSAGE)), ([b"1", b"old"], []))
        self.assertEqual({message.topic for messages, _ in self.calls for message in messages}, {TOPIC})
        self.assertEqual([one for one in consumer.queues if one.topic == TOPIC], [queue(n) for n in range(4)])

    def test_the_mode_may_change(self) -> None:
        """From pull to pop and back, without a loss; a pop that waits is not given up."""
        consumer = self.consumer()
        admin = Admin(**self.settings())
        self.members.append(admin)
        self.result(admin.start())
        self.failure(admin.set_message_request_mode("cg", TOPIC, "PUSH"), ClientError)
        for mode in (MODE_PULL, MODE_POP):
            self.put(mode.encode())
            self.result(admin.set_message_request_mode("cg", TOPIC, mode))
            consumer.instance.rebalance_soon()
            self.tick(0.1, 3)
            is_popped = [one.queue_id for one in consumer.queues if one.topic == TOPIC] == [-1]
            self.assertEqual(is_popped, mode == MODE_POP)
            self.assertEqual("%RETRY%cg_" + TOPIC in consumer.subscribed_topics(), mode == MODE_PULL)
            self.put(b"after " + mode.encode())
        self.assertEqual(set(self.bodies), {b"PULL", b"POP", b"after PULL", b"after POP"})
        self.assertEqual(self.broker.hidden, {})

    def test_a_topic_that_is_not_wanted_any_more(self) -> None:
        """Is popped no more; what its last pop brings is consumed."""
        consumer = self.consumer()
        consumer.unsubscribe(TOPIC)
        self.tick(0.1, 3)
        self.assertEqual([one.topic for one in consumer.queues], ["%RETRY%cg"])
        self.put(b"1")
        self.put(b"2")
        self.assertEqual((self.bodies, self.broker.hidden), ([b"1"], {}))

    def test_a_queue_that_is_not_popped_any_more(self) -> None:
        """As after an error that nobody thought of: it is taken up anew."""
        consumer = self.consumer()
        popper = consumer._popper
        assert popper is not None
        (held,) = popper.queues.values()
        held.last_pop_ms -= POP_IDLE_MAX_MS + 1
        self.assertFalse(popper.assigned(TOPIC, {queue(-1)}))
        self.assertTrue(held.dropped)
        self.assertIsNot(popper.queues[queue(-1)], held)

    def test_a_broker_that_does_not_know_us_yet(self) -> None:
        """Is asked again soon."""
        self.broker.knows_members = False
        consumer = self.consumer()
        self.assertEqual(consumer.queues, [])
        self.broker.knows_members = True
        self.wait(1)
        self.tick(0.1)
        self.assertIn(queue(-1), consumer.queues)

    def test_brokers_that_cannot_share_out(self) -> None:
        """Fail the start, and say why."""
        self.cluster.refuse(Code.QUERY_ASSIGNMENT, 3)
        consumer = self.make(PushConsumer, "cg", client_rebalance=False)
        consumer.subscribe(TOPIC)
        consumer.listen(self.listener)
        self.assertIn("Apache RocketMQ from 5.0", str(self.failure(consumer.start(), NotSupported)))

    def test_strategies_that_brokers_do_not_have(self) -> None:
        """Fail the start too."""
        consumer = self.make(PushConsumer, "cg", client_rebalance=False, allocate_strategy="CONSISTENT_HASH")
        consumer.subscribe(TOPIC)
        consumer.listen(self.listener)
        self.assertIn("AVG_BY_CIRCLE", str(self.failure(consumer.start(), ConfigError)))

    def test_brokers_that_fail_otherwise(self) -> None:
        """Are asked again later."""
        self.cluster.refuse(Code.QUERY_ASSIGNMENT, 1, count=3)
        consumer = self.consumer()
        self.wait(2)
        self.assertIn(queue(-1), consumer.queues)

    def test_in_order_and_to_all(self) -> None:
        """Members share out by themselves there, as with Java."""
        ordered = self.consumer("cg", orderly=True)
        all_get_it = self.consumer("bg", message_model="BROADCASTING", offset_store_folder=self.mktemp())
        self.put(b"1")
        self.assertEqual((self.bodies, self.cluster.of(Code.QUERY_ASSIGNMENT)), ([b"1", b"1"], []))
        self.assertEqual([len(one.queues) for one in (ordered, all_get_it)], [5, 4])

    def test_the_shutdown(self) -> None:
        """What nobody is done with yet comes to others at once, and counts as untouched."""
        self.answers = [Deferred()]
        consumer = self.consumer(consume_concurrency=1, await_termination_s=0.0)
        self.put(b"1", b"2")
        self.result(consumer.shutdown())
        self.broker.forget_waiting()
        asked = self.cluster.of(Code.CHANGE_MESSAGE_INVISIBLETIME)
        self.assertEqual({(one.fields["invisibleTime"], one.fields["suspend"]) for one in asked}, {("0", "true")})
        self.consumer()
        self.tick(0)
        self.assertEqual((self.bodies, self.broker.hidden), ([b"1", b"1", b"2"], {}))

    def test_the_shutdown_waits_for_its_acknowledgements(self) -> None:
        """So that what was consumed does not come again."""
        answer: Deferred[Any] = Deferred()
        self.cluster.rules.append(lambda _, request: answer if request.code == Code.ACK_MESSAGE else None)
        consumer = self.consumer()
        self.put(b"1")
        ending = consumer.shutdown()
        self.assertNoResult(ending)
        answer.callback(self.cluster.of(Code.ACK_MESSAGE)[0].command.reply())
        self.successResultOf(ending)

    def test_in_a_namespace(self) -> None:
        """Brokers see its name, listeners do not."""
        self.broker.modes["shop%" + TOPIC, "shop%cg"] = MODE_POP
        self.cluster.create_topic("shop%" + TOPIC)
        consumer = self.consumer(namespace="shop")
        self.broker.put("shop%" + TOPIC, 0, b"1", "TAGS\x01A")
        ((messages, context),) = self.calls
        self.assertEqual((messages[0].topic, context.queue, self.broker.hidden), (TOPIC, queue(-1), {}))
        self.assertIn(queue(-1), consumer.queues)

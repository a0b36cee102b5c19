"""The shared part: jobs, routes, heartbeats, rebalance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed

from pymq.client.config import ClientConfig
from pymq.client.instance import LOOK_AGAIN_S, REBALANCE_RETRY_S, MQClientInstance
from pymq.client.results import ServiceState
from pymq.errors import ClientError, NoNameServer, NoRoute, NotStarted, RequestTimeout
from pymq.message.topics import retry_topic
from pymq.remoting.dispatcher import ProcessorTable
from pymq.wire.bodies.heartbeat import ConsumerData, decode_heartbeat
from pymq.wire.bodies.routes import BrokerData, QueueData, TopicRouteData
from pymq.wire.codes import RequestCode as Code
from pymq.wire.command import RemotingCommand
from tests.client.cases import TOPIC, ClientCase, running
from tests.client.fakecluster import NAME_SERVER


class Member:
    """A consumer or producer that counts what its instance asks of it."""

    def __init__(self, group: str = "g", topics: tuple[str, ...] = (TOPIC,)) -> None:
        self.group = group
        self.topics = topics
        self.rebalances = 0
        self.persists = 0
        self.balanced = True
        self.gate: Deferred[None] = succeed(None)

    def publish_topics(self) -> tuple[str, ...]:
        """Its topics."""
        return self.topics

    subscribed_topics = publish_topics

    def consumer_data(self) -> ConsumerData:
        """Its part of the heartbeat."""
        return ConsumerData(self.group)

    async def rebalance(self) -> bool:
        """Counted."""
        self.rebalances += 1
        await self.gate
        return self.balanced

    async def persist_offsets(self) -> None:
        """Counted."""
        self.persists += 1


class InstanceTests(ClientCase):
    """With members that only count."""

    broker_count = 2

    def setUp(self) -> None:
        """A started instance."""
        super().setUp()
        self.shared = self.instance()
        self.cluster.asked.clear()

    def join(self, **more: Any) -> Any:
        """A consumer of it."""
        member: Any = Member(**more)
        self.shared.add_consumer(member)
        return member

    def heartbeats(self) -> list[str]:
        """Who was sent heartbeats, in order."""
        return [asked.address for asked in self.cluster.of(Code.HEART_BEAT)]

    def test_routes_are_looked_at_every_thirty_seconds(self) -> None:
        """The topics of all members, each once."""
        self.join()
        self.join(group="h", topics=(TOPIC, "other"))
        self.tick(0.1)
        self.assertEqual(sorted(one.fields["topic"] for one in self.cluster.of(105)), sorted([TOPIC, "other"]))
        self.tick(29.9)
        self.tick(0.1)
        self.assertEqual(len(self.cluster.of(105)), 4)

    def test_heartbeats_every_thirty_seconds(self) -> None:
        """To every broker while there is a consumer."""
        self.join()
        self.tick(1.0)
        self.assertEqual(sorted(self.heartbeats()), ["10.0.0.2:10911", "10.0.0.3:10911"])
        self.tick(30.0)
        self.assertEqual(len(self.heartbeats()), 4)

    def test_producers_alone_beat_masters_only(self) -> None:
        """Slaves have no use for them; a consumer makes them worth it."""
        slaves = tuple(BrokerData("c", one.name, {0: one.address, 1: f"{one.name}-slave:1"}) for one in self.cluster.brokers)
        self.cluster.topic_route[TOPIC] = TopicRouteData((QueueData("broker-a", 4, 4, 6),), slaves)
        self.result(self.shared.update_route(TOPIC))
        producer: Any = Member("p")
        self.shared.add_producer(producer)
        self.result(self.shared.heartbeat_all())
        self.assertEqual(sorted(self.heartbeats()), ["10.0.0.2:10911", "10.0.0.3:10911"])
        self.join()
        self.result(self.shared.heartbeat_all())
        self.assertIn("broker-a-slave:1", self.heartbeats())

    def test_without_members_nobody_hears_of_us(self) -> None:
        """An empty heartbeat says nothing."""
        self.result(self.shared.heartbeat_all())
        self.assertEqual(self.heartbeats(), [])

    def test_one_dead_broker_does_not_keep_the_others_waiting(self) -> None:
        """Its heartbeat fails alone."""
        self.join()
        self.cluster.down.add("10.0.0.2:10911")
        self.result(self.shared.heartbeat_all())
        self.assertEqual(list(self.shared.broker_versions), ["10.0.0.3:10911"])

    def test_a_heartbeat_names_all_members(self) -> None:
        """Producers and consumers of the client id."""
        self.join(group="c1")
        producer: Any = Member("p1")
        self.shared.add_producer(producer)
        self.result(self.shared.heartbeat_all())
        data = decode_heartbeat(self.cluster.of(Code.HEART_BEAT)[0].command.body)
        self.assertEqual((data.client_id, [one.group_name for one in data.producer_data_set]), ("10.0.0.7@test", ["p1"]))
        self.assertEqual([one.group_name for one in data.consumer_data_set], ["c1"])

    def hold_heartbeats(self) -> list[Callable[[], None]]:
        """From now on heartbeats are answered by calling what is in this list, in the order in which they were sent."""
        answer: list[Callable[[], None]] = []

        def hold(address: str, request: RemotingCommand) -> Any:
            if request.code != Code.HEART_BEAT:
                return None
            held: Deferred[RemotingCommand] = Deferred()
            answer.append(lambda: held.callback(request.reply()))
            return held

        self.result(self.shared.update_route(TOPIC))
        self.cluster.rules.append(hold)
        return answer

    def test_who_leaves_a_broker_leaves_it_behind_its_heartbeats(self) -> None:
        """Brokers handle requests beside each other: one that was late would bring the member back. No later one names it."""
        self.join(group="stays")
        self.join(group="leaves")
        answer = self.hold_heartbeats()
        beating = running(self.shared.heartbeat_all())
        leaving = running(self.shared.unregister(None, "leaves"))
        self.assertEqual(self.cluster.of(Code.UNREGISTER_CLIENT), [])
        for number, give in enumerate(list(answer)):
            give()
            left = [asked.address for asked in self.cluster.of(Code.UNREGISTER_CLIENT)]
            self.assertEqual(left, self.heartbeats()[: number + 1])
        self.result(leaving)
        self.result(beating)
        running(self.shared.heartbeat_all())
        data = decode_heartbeat(self.cluster.of(Code.HEART_BEAT)[-1].command.body)
        self.assertEqual([one.group_name for one in data.consumer_data_set], ["stays"])
        self.assertEqual(len(self.heartbeats()), 4)

    def test_who_leaves_waits_for_every_heartbeat(self) -> None:
        """Of several at one broker too, in whichever order they are answered."""
        self.join(group="leaves")
        answer = self.hold_heartbeats()
        for _ in range(2):
            running(self.shared.heartbeat_all())
        running(self.shared.unregister(None, "leaves"))
        for give in answer[:0:-1]:
            give()
        self.assertNotIn(self.heartbeats()[0], [asked.address for asked in self.cluster.of(Code.UNREGISTER_CLIENT)])
        answer[0]()
        self.assertEqual(sorted(asked.address for asked in self.cluster.of(Code.UNREGISTER_CLIENT)), self.heartbeats()[:2])

    def test_who_leaves_counts_until_the_brokers_know(self) -> None:
        """Another member that is gone before does not take the connections along."""
        self.join(group="leaves")
        answer = self.hold_heartbeats()
        running(self.shared.heartbeat_all())
        leaving = running(self.shared.unregister(None, "leaves"))
        self.assertFalse(self.shared.is_empty())
        for give in answer:
            give()
        self.result(leaving)
        self.assertTrue(self.shared.is_empty())

    def test_offsets_are_committed_every_five_seconds(self) -> None:
        """First after ten."""
        member = self.join()
        self.tick(1.0, 9)
        self.assertEqual(member.persists, 0)
        self.tick(1.0, 11)
        self.assertEqual(member.persists, 3)

    def test_rebalance_every_twenty_seconds(self) -> None:
        """Without anything happening."""
        member = self.join()
        self.tick(1.0, 41)
        self.assertEqual(member.rebalances, 2)

    def test_rebalances_do_not_overlap(self) -> None:
        """Asked for while one runs, one more follows it, not several."""
        member = self.join()
        member.gate = Deferred()
        for _ in range(3):
            self.shared.rebalance_soon()
        self.assertEqual(member.rebalances, 1)
        gate, member.gate = member.gate, succeed(None)
        gate.callback(None)
        self.assertEqual(member.rebalances, 2)

    def test_an_unbalanced_group_tries_again_soon(self) -> None:
        """After a second, until it is balanced."""
        member = self.join()
        member.balanced = False
        self.shared.rebalance_soon()
        self.tick(REBALANCE_RETRY_S)
        self.assertEqual(member.rebalances, 2)
        member.balanced = True
        self.tick(REBALANCE_RETRY_S, 5)
        self.assertEqual(member.rebalances, 3)

    def test_a_broken_rebalance_is_logged(self) -> None:
        """And tried again."""
        member = self.join()
        member.gate = Deferred()
        self.shared.rebalance_soon()
        gate, member.gate = member.gate, succeed(None)
        gate.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.tick(REBALANCE_RETRY_S)
        self.assertEqual(member.rebalances, 2)

    def test_a_new_broker_hears_of_us_before_its_queues_are_shared(self) -> None:
        """It could not tell who is in the group otherwise."""
        member = self.join(topics=("late",))
        self.result(self.shared.heartbeat_all())
        self.cluster.asked.clear()
        self.cluster.brokers[0].topics.add("late")
        self.shared.broker_versions.clear()
        self.result(self.shared.update_route("late"))
        self.assertEqual(len(self.heartbeats()), 2)
        self.assertEqual(member.rebalances, 1)

    def test_a_forgetful_broker_is_told_again_at_once(self) -> None:
        """After its restart."""
        self.join()
        self.shared.heartbeat_soon()
        self.assertEqual(len(self.heartbeats()), 2)

    def test_offline_brokers_get_no_heartbeat(self) -> None:
        """Their addresses leave with their routes."""
        self.join()
        self.result(self.shared.heartbeat_all())
        self.cluster.down.add("10.0.0.3:10911")
        self.tick(0.1)
        self.tick(1.0)
        self.cluster.asked.clear()
        self.tick(30.0)
        self.assertEqual(self.heartbeats(), ["10.0.0.2:10911"])
        self.assertEqual(list(self.shared.broker_versions), ["10.0.0.2:10911"])

    def test_an_unknown_topic_goes_where_its_template_is(self) -> None:
        """With no more queues than asked for; unknown without template."""
        info = self.result(self.shared.publish_info("new", "TBW102", 3, 3.0))
        self.assertEqual(len(info.queues), 6)
        error = self.failure(self.shared.publish_info("newer", "no-template", 3, 3.0), NoRoute)
        self.assertIn("autoCreateTopicEnable", str(error))

    def test_many_sends_ask_for_a_route_once(self) -> None:
        """While the name server is thinking, nobody asks again."""
        gate: Deferred[Any] = Deferred()
        self.cluster.rules.append(lambda address, request: gate if address == NAME_SERVER else None)  # type: ignore[arg-type,return-value]
        waiting = [Deferred.fromCoroutine(self.shared.publish_info("new", "TBW102", 4, 3.0)) for _ in range(5)]
        self.assertEqual(len(self.cluster.of(105)), 1)
        self.cluster.rules.clear()
        gate.callback(self.cluster.answer(NAME_SERVER, self.cluster.asked[-1].command))
        self.assertEqual({len(self.successResultOf(one).queues) for one in waiting}, {8})

    def test_a_route_is_waited_for_no_longer_than_allowed(self) -> None:
        """However long the name servers are asked; whoever may wait longer still gets it."""
        gate: Deferred[Any] = Deferred()
        self.cluster.rules.append(lambda address, request: gate if address == NAME_SERVER else None)  # type: ignore[arg-type,return-value]
        short, long = (Deferred.fromCoroutine(self.shared.publish_info("new", "TBW102", 4, limit)) for limit in (0.5, 2.0))
        self.tick(0.5)
        error = self.failureResultOf(short, RequestTimeout).value
        self.assertIn(NAME_SERVER, str(error))
        self.cluster.rules.clear()
        gate.callback(self.cluster.answer(NAME_SERVER, self.cluster.asked[-1].command))
        self.assertEqual(len(self.successResultOf(long).queues), 8)

    def test_a_broker_that_cannot_be_reached(self) -> None:
        """Its topic is looked at again at once, but only every so often."""
        asked = lambda: len(self.cluster.of(Code.GET_ROUTEINFO_BY_TOPIC))  # noqa: E731
        self.cluster.asked.clear()
        for _ in range(3):
            self.shared.look_again(TOPIC)
        self.assertEqual(asked(), 1)
        self.tick(LOOK_AGAIN_S)
        self.cluster.asked.clear()
        self.shared.look_again(TOPIC)
        self.shared.look_again("other")
        self.assertEqual(asked(), 2)

    def test_a_new_connection_to_a_broker_that_knew_us(self) -> None:
        """It is told at once who is here, for it forgot us with the connection before."""
        self.join()
        (remoting,) = self.cluster.remotings
        remoting.when_connected("10.0.0.2:10911")
        self.assertEqual(self.heartbeats(), [])
        self.result(self.shared.heartbeat_all())
        self.cluster.asked.clear()
        for address in ("10.0.0.3:10911", NAME_SERVER):
            remoting.when_connected(address)
        self.assertEqual(self.heartbeats(), ["10.0.0.3:10911"])

    def test_addresses(self) -> None:
        """Of masters, and of whoever can be read; NoRoute says what to look at."""
        self.assertEqual(self.result(self.shared.broker_address(TOPIC, "broker-b")), "10.0.0.3:10911")
        self.assertEqual(self.result(self.shared.broker_to_read(TOPIC, "broker-b", 1)), ("10.0.0.3:10911", False))
        self.failure(self.shared.broker_address(TOPIC, "broker-z"), NoRoute)
        self.failure(self.shared.broker_to_read(TOPIC, "broker-z"), NoRoute)

    def test_members_of_a_group_from_any_broker(self) -> None:
        """The first that answers; the last error when none does."""
        self.join()
        self.result(self.shared.heartbeat_all())
        self.cluster.down.add("10.0.0.2:10911")
        self.assertEqual(self.result(self.shared.consumer_ids(TOPIC, "g")), ["10.0.0.7@test"])
        self.cluster.down.add("10.0.0.3:10911")
        self.failure(self.shared.consumer_ids(TOPIC, "g"), ClientError)
        self.failure(self.shared.consumer_ids("unknown", "g"), NoRoute)

    def test_a_group_has_one_member_of_a_kind(self) -> None:
        """The text says what to change."""
        self.join()
        error = self.assertRaises(ClientError, self.join)
        self.assertIn("instance_name", str(error))

    def test_shutdown_ends_everything(self) -> None:
        """A second one is harmless, and nothing comes after it."""
        member = self.join()
        member.gate = Deferred()
        self.shared.rebalance_soon()
        self.result(self.shared.shutdown())
        self.result(self.shared.shutdown())
        self.assertIs(self.shared.state, ServiceState.SHUTDOWN_ALREADY)
        self.shared.rebalance_soon()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.failure(self.shared.start(), NotStarted)

    def test_idle_connections_are_looked_at(self) -> None:
        """Every ten seconds."""
        self.tick(10.0, 3)
        self.assertEqual(self.cluster.remotings[0].sweeps, 3)

    def test_retry_topics_are_known_to_brokers_after_the_heartbeat(self) -> None:
        """What the fake does as brokers do, for the other tests' sake."""
        self.join()
        self.result(self.shared.heartbeat_all())
        self.assertTrue(self.result(self.shared.update_route(retry_topic("g"))))


class NameServerSourceTests(ClientCase):
    """Name servers that come from a callable."""

    def made(self, *name_servers: str, source: Any = None) -> MQClientInstance:
        """An instance, not started."""
        instance = MQClientInstance(
            "c@1",
            ClientConfig(),
            clock=self.clock,
            remoting=self.cluster.make_remoting(self.clock, ProcessorTable()),
            name_servers=name_servers,
            source=source,
        )
        self.addCleanup(lambda: self.result(instance.shutdown()))
        return instance

    def test_the_source_is_asked_at_the_start_and_every_two_minutes(self) -> None:
        """Text, or a Deferred of it."""
        answers: list[Any] = [NAME_SERVER, succeed("10.0.0.1:1; 10.0.0.2:2"), ""]
        instance = self.made(source=lambda: answers.pop(0))
        self.result(instance.start())
        self.assertEqual(instance.name_servers, (NAME_SERVER,))
        self.tick(10.0)
        self.assertEqual(instance.name_servers, ("10.0.0.1:1", "10.0.0.2:2"))
        self.tick(120.0)
        self.assertEqual((answers, instance.name_servers), ([], ("10.0.0.1:1", "10.0.0.2:2")))

    def test_a_source_that_fails_changes_nothing(self) -> None:
        """Unless nothing is known yet: then there is nothing to start with, and the error says why."""

        def source() -> str:
            raise ValueError("the answer has status 404")

        instance = self.made(NAME_SERVER, source=source)
        self.result(instance.start())
        self.tick(10.0)
        self.assertEqual(instance.name_servers, (NAME_SERVER,))
        error = self.failure(self.made(source=source).start(), NoNameServer)
        self.assertIn("status 404", str(error))

    def test_others_are_asked_for_all_routes_at_once(self) -> None:
        """The topics go on meanwhile with the routes that are known."""
        instance = self.made("10.0.0.9:9876")
        instance.add_producer(Member())
        self.result(instance.start())
        self.tick(1.0)
        self.assertIsNone(instance.routes.publish_info(TOPIC))
        instance.use_name_servers([NAME_SERVER])
        self.assertIsNotNone(instance.routes.publish_info(TOPIC))
        self.cluster.down.add(NAME_SERVER)
        instance.use_name_servers(["10.0.0.9:9876"])
        self.assertIsNotNone(instance.routes.publish_info(TOPIC))

    def test_none_at_all_fails_the_start(self) -> None:
        """With what to do."""
        instance = self.made()
        self.assertIn("namesrv_addr", str(self.failure(instance.start(), NoNameServer)))
        self.assertIs(instance.state, ServiceState.START_FAILED)

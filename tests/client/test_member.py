"""The life that producers and consumers share."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol

from pymq.client.producer import Producer
from pymq.client.pushconsumer import PushConsumer
from pymq.client.results import ServiceState
from pymq.errors import ClientError, ConfigError, NoNameServer, NotStarted
from pymq.message.message import Message
from pymq.testing.connections import MemoryNetwork
from pymq.wire.codes import RequestCode as Code
from tests.client.cases import TOPIC, ClientCase, queue, running
from tests.client.fakecluster import NAME_SERVER


class MemberTests(ClientCase):
    """By the example of a producer."""

    def test_nothing_works_before_the_start(self) -> None:
        """The text says what to do."""
        producer = self.make(Producer, "pg")
        self.assertIn("start()", str(self.failure(producer.send(Message(TOPIC, b"x")), NotStarted)))
        self.assertRaises(NotStarted, lambda: producer.client_id)

    def test_nothing_works_after_the_shutdown(self) -> None:
        """And a second shutdown is harmless."""
        producer = self.producer()
        self.result(producer.shutdown())
        self.result(producer.shutdown())
        self.assertIn("make a new one", str(self.failure(producer.send(Message(TOPIC, b"x")), NotStarted)))
        self.failure(producer.start(), NotStarted)

    def test_a_shutdown_before_the_start_does_nothing(self) -> None:
        """There is nothing to end; it may still be started."""
        producer = self.make(Producer, "pg")
        self.result(producer.shutdown())
        self.result(producer.start())
        self.assertIs(producer.state, ServiceState.RUNNING)

    def test_a_failed_start_leaves_nothing(self) -> None:
        """No instance, no connection, no job."""
        self.cluster.remotings.clear()
        producer = Producer("pg", **{**self.settings(), "namesrv_addr": ";"})
        self.failure(producer.start(), NoNameServer)
        self.assertIs(producer.state, ServiceState.START_FAILED)
        self.assertEqual((len(self.registry), self.cluster.remotings[0].is_closed), (0, True))
        self.failure(producer.start(), NotStarted)

    def test_sends_under_way_end_with_the_shutdown(self) -> None:
        """Their senders learn why."""
        producer = self.producer()
        self.cluster.rules.append(lambda address, request: Deferred() if request.code == Code.SEND_MESSAGE_V2 else None)  # type: ignore[arg-type,return-value]
        sending = producer.send(Message(TOPIC, b"x"))
        self.assertNoResult(sending)
        self.result(producer.shutdown())
        self.assertIn("shut down", str(self.failureResultOf(sending, NotStarted).value))

    def test_a_send_may_be_cancelled(self) -> None:
        """By its sender, for whom it is no error of the producer."""
        producer = self.producer()
        self.cluster.rules.append(lambda address, request: Deferred() if request.code == Code.SEND_MESSAGE_V2 else None)  # type: ignore[arg-type,return-value]
        sending = producer.send(Message(TOPIC, b"x"))
        sending.cancel()
        self.failureResultOf(sending, CancelledError)

    def test_leaving_is_announced(self) -> None:
        """To every broker; one that is down does not keep us."""
        producer = self.producer()
        self.assertEqual(self.cluster.broker.producers, {"pg"})
        self.result(producer.shutdown())
        self.assertEqual(self.cluster.broker.producers, set())
        other = self.producer("other")
        self.cluster.down.add(self.cluster.broker.address)
        self.result(other.shutdown())

    def test_group_names_are_checked(self) -> None:
        """Java's rules, and its reserved names."""
        for name in ("", "with space", "DEFAULT_PRODUCER", "DEFAULT_CONSUMER"):
            self.assertRaises(ClientError, Producer, name, **self.settings())
        self.assertRaises(ConfigError, Producer, "pg", **self.settings(no_such_setting=1))

    def test_namespaces_are_checked(self) -> None:
        """Names that no topic could have, and those that cannot be taken apart again."""
        for namespace in ("a b", "a%b", "x" * 255):
            self.assertRaises(ClientError, Producer, "pg", **self.settings(namespace=namespace))

    def test_a_group_used_twice_in_one_instance(self) -> None:
        """The second one cannot start, the first goes on."""
        first = self.producer("pg", instance_name="i")
        self.failure(self.make(Producer, "pg", instance_name="i").start(), ClientError)
        self.result(first.send(Message(TOPIC, b"x")))

    def test_client_ids(self) -> None:
        """A name of its own unless one is given; broadcast consumers keep DEFAULT, so that their offsets are found again."""
        self.assertRegex(self.producer().client_id, r"^10\.0\.0\.7@\d+#\d+$")
        self.assertEqual(self.producer("p2", instance_name="i", unit_name="u").client_id, "10.0.0.7@i@u")
        consumer = self.make(PushConsumer, "cg", message_model="BROADCASTING", offset_store_folder=self.mktemp())
        consumer.listen(lambda messages, context: None)
        self.result(consumer.start())
        self.assertEqual(consumer.client_id, "10.0.0.7@DEFAULT")

    def test_questions_pass_through(self) -> None:
        """Each of the questions that every member can ask."""
        producer = self.producer()
        offset_id = self.result(producer.send(Message(TOPIC, b"x", keys="k"), queue=queue())).offset_msg_id
        self.result(producer.create_topic("TBW102", "new", 2))
        self.assertEqual(self.result(producer.max_offset(queue())), 1)
        self.assertEqual(self.result(producer.min_offset(queue())), 0)
        self.assertEqual(self.result(producer.search_offset(queue(), 0)), 1)
        self.assertEqual(self.result(producer.earliest_store_time(queue())), -1)
        message = self.result(producer.view_message(offset_id))
        self.assertEqual(message.body, b"x")
        self.assertEqual(len(self.result(producer.query_message(TOPIC, "k")).messages), 1)
        self.assertEqual(len(self.result(producer.query_message_by_unique_id(TOPIC, message.msg_id)).messages), 1)

    def test_other_name_servers(self) -> None:
        """While it runs: they are asked at once. What are no addresses change nothing."""
        producer = self.make(Producer, "pg", namesrv_addr="10.0.0.9:9876")
        self.failure(running(self.updated(producer, NAME_SERVER)), NotStarted)
        self.result(producer.start())
        self.failure(producer.send(Message(TOPIC, b"x")), NoNameServer)
        for nonsense in ("", ";", "nonsense", f"{NAME_SERVER};host:port"):
            self.failure(self.updated(producer, nonsense), ClientError)
        self.cluster.asked.clear()
        self.result(self.updated(producer, f"{NAME_SERVER}; 10.0.0.9:9876"))
        self.assertEqual({asked.address for asked in self.cluster.of(Code.GET_ROUTEINFO_BY_TOPIC)}, {NAME_SERVER})
        self.result(producer.send(Message(TOPIC, b"x")))
        self.result(self.updated(producer, NAME_SERVER))
        self.assertEqual(self.cluster.remotings[0].closed_addresses, ["10.0.0.9:9876"])
        self.assertEqual(producer.name_server_address_list(), (NAME_SERVER,))

    async def updated(self, producer: Producer, addresses: str) -> None:
        """The error as a failure."""
        producer.update_name_server_address_list(addresses)

    def test_an_address_server(self) -> None:
        """Is asked when no name server is given, and every two minutes; a client with name servers does not ask it."""
        network = MemoryNetwork(accepts=True)
        network.listen("10.0.0.5", 8080, self.pages())
        self.page = NAME_SERVER
        settings = {"namesrv_domain": "10.0.0.5", "namesrv_domain_subgroup": "here", "connect_plainly": lambda _: network.connect}
        producer = self.make(Producer, "pg", namesrv_addr="", unit_name="u1", **settings)
        starting = producer.start()
        network.flush()
        self.successResultOf(starting)
        self.result(producer.send(Message(TOPIC, b"x")))
        self.page = "10.0.0.7:9876;10.0.0.8:9876"
        self.tick(10.0)
        network.flush()
        self.assertEqual(producer.instance.name_servers, ("10.0.0.7:9876", "10.0.0.8:9876"))
        self.assertEqual(self.pages_read, [b"GET /rocketmq/here-u1?nofix=1 HTTP/1.1"] * 2)
        self.result(self.make(Producer, "pg2", **settings).start())
        self.tick(10.0)
        network.flush()
        self.assertEqual(len(self.pages_read), 2)

    def pages(self) -> Factory:
        """An HTTP server that answers `page`."""
        self.pages_read: list[bytes] = []

        class Page(Protocol):
            def dataReceived(page, data: bytes) -> None:  # noqa: N805
                self.pages_read.append(data.split(b"\r\n")[0])
                assert page.transport is not None
                page.transport.write(b"HTTP/1.0 200 OK\r\n\r\n" + self.page.encode())
                page.transport.loseConnection()

        return Factory.forProtocol(Page)

    def test_its_name_in_logs(self) -> None:
        """Kind, group and state."""
        self.assertEqual(repr(self.producer()), "<producer pg RUNNING>")

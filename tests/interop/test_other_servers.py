"""When one of several servers fails our client turns to another: name servers in turn, given anew or over HTTP, and brokers."""

import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pymq.blocking import Message, Producer, PushConsumer
from pymq.errors import NoNameServer, PyMQError

from . import wire
from .apache import ApacheCluster
from .proxy import Proxied, Proxy
from .pymq_server import PyMQNamesrv, PyMQServer

WAIT_S = 150
SOME = 50


@pytest.fixture(scope="module")
def namesrvs():
    """Two name servers that do not know each other."""
    with PyMQNamesrv() as first, PyMQNamesrv() as second:
        yield first, second


@pytest.fixture(scope="module")
def server(namesrvs):
    """A broker that registers with both."""
    first, second = (each.namesrv for each in namesrvs)
    with PyMQServer(namesrv=first, namesrvAddr=f"{first};{second}") as broker:
        wire.wait_until(lambda: wire.has_broker(second, broker.name, broker.broker), WAIT_S, "the second registration")
        yield broker


def test_a_name_server_in_a_black_hole_is_passed_over(server, namesrvs):
    """By all that is asked at the start, and by what comes later; the other one knows the same."""
    topic = server.create_topic("one-black-hole")
    first, second = namesrvs
    with Proxy(first.namesrv) as hole:
        hole.black_hole()
        addresses = f"{hole.address};{second.namesrv}"
        with Producer("hole-producers", namesrv_addr=addresses) as producer, received(topic, addresses) as bodies:
            for seq in range(SOME):
                producer.send(Message(topic, b"%d" % seq))
            wire.wait_until(lambda: len(set(bodies)) == SOME, WAIT_S, "all messages")
            wire.wait_until(lambda: hole.open_count == 0, WAIT_S, "nobody holding on to a connection that gives nothing")


class received:  # noqa: N801  # a context manager
    """A consumer that runs meanwhile; the bodies that it was given."""

    def __init__(self, topic, namesrv_addr):
        self.bodies = []
        self.consumer = PushConsumer(
            f"CG-{topic}",
            namesrv_addr=namesrv_addr,
            consume_from_where="CONSUME_FROM_FIRST_OFFSET",
            listener=lambda messages, _: self.bodies.extend(message.body for message in messages),
        )
        self.consumer.subscribe(topic)

    def __enter__(self):
        self.consumer.start()
        return self.bodies

    def __exit__(self, *_reason):
        self.consumer.shutdown()


@pytest.mark.parametrize(
    "make_namesrv",
    [PyMQNamesrv, partial(ApacheCluster, "4.9.7", broker=False), partial(ApacheCluster, "5.5.0", broker=False)],
    ids=["pymq", "4.9.7", "5.5.0"],
)
def test_other_name_servers(make_namesrv):
    """The only one goes away: the client goes on with its routes. It is told of another, and finds there what is new."""
    with make_namesrv() as gone, make_namesrv() as other:
        both_known = f"{gone.namesrv};{other.namesrv}"
        with PyMQServer(namesrv=other.namesrv, namesrvAddr=both_known) as broker:
            wire.wait_until(lambda: wire.has_broker(gone.namesrv, broker.name, broker.broker), WAIT_S, "both registrations")
            topic = wire.create_topic(broker.broker, gone.namesrv, "before")
            settings = {"namesrv_addr": gone.namesrv, "poll_name_server_interval_s": 0.5}
            with Producer("change-producers", **settings) as producer:
                producer.send(Message(topic, b"0"))
                gone.kill()
                for seq in range(SOME):
                    producer.send(Message(topic, b"%d" % seq))
                new = broker.create_topic("after")
                with pytest.raises(NoNameServer, match=gone.namesrv):
                    producer.send(Message(new, b"too early"))
                producer.update_name_server_address_list(other.namesrv)
                assert producer.send(Message(new, b"found")).queue.topic == new
                producer.send(Message(topic, b"still there"))


class Page(BaseHTTPRequestHandler):
    """Answers every request with the server's `page`."""

    def do_GET(self):
        self.server.paths.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.page.encode())

    def log_message(self, *_):
        pass


def test_an_address_server(server):
    """Real HTTP: the client is given a domain instead of name servers."""
    topic = server.create_topic("address-server")
    http = HTTPServer(("127.0.0.1", 0), Page)
    http.page, http.paths = f"\n{server.namesrv}\r\n", []
    serving = threading.Thread(target=http.serve_forever)
    serving.start()
    try:
        with Producer("http-producers", namesrv_addr="", namesrv_domain=f"127.0.0.1:{http.server_port}") as producer:
            producer.send(Message(topic, b"x"))
        # Asked at the start, and again some seconds later if that takes so long.
        assert set(http.paths) == {"/rocketmq/nsaddr"}
    finally:
        http.shutdown()
        serving.join()
        http.server_close()
    with pytest.raises(NoNameServer, match="could not be learnt"):
        Producer("http-producers", namesrv_addr="", namesrv_domain=f"127.0.0.1:{http.server_port}").start()


def test_a_broker_in_a_black_hole_is_avoided():
    """One of two: what is tried there first goes to the other in time, and later sends leave it alone."""
    topic = "two-brokers"
    with PyMQServer() as good, PyMQServer(namesrv=good.namesrv, brokerName="broker-hole") as bad, Proxied(bad) as way:
        good.create_topic(topic)
        way.create_topic(topic)
        settings = {"send_latency_fault_enable": True, "send_msg_max_timeout_per_request_s": 3.0, "send_msg_timeout_s": 30.0}
        with Producer("avoiding-producers", namesrv_addr=way.namesrv, **settings) as producer:
            wire.wait_until(lambda: both(producer, topic), WAIT_S, "a route with both brokers")
            used = set()
            # Not in a few sends: one that took long keeps its broker out of the choice for half a minute.
            wire.wait_until(
                lambda: used.add(broker_of_next(producer, topic)) or used == {good.name, bad.name}, WAIT_S, "both used"
            )
            way.broker_proxy.black_hole()
            sent = [broker_of_next(producer, topic) for _ in range(SOME)]
            assert set(sent) == {good.name}, sent
            way.broker_proxy.reset()
            sent = [broker_of_next(producer, topic) for _ in range(SOME)]
            assert set(sent) == {good.name}, sent


def broker_of_next(producer, topic):
    """Send a message; which broker took it."""
    return producer.send(Message(topic, b"x")).queue.broker_name


def both(producer, topic):
    """Does the route have both brokers?"""
    try:
        return len({queue.broker_name for queue in producer.fetch_publish_queues(topic)}) == 2
    except PyMQError:
        return False


def test_a_shutdown_in_a_black_hole(server):
    """Nobody can be told, and that is not waited for without end."""
    topic = server.create_topic("last-words")
    with Proxied(server) as way:
        producer = Producer("last-producers", namesrv_addr=way.namesrv)
        with producer, received(topic, way.namesrv) as bodies:
            producer.send(Message(topic, b"x"))
            wire.wait_until(lambda: bodies, WAIT_S, "a message")
            way.all("black_hole")
            begun = time.monotonic()
        assert time.monotonic() - begun < WAIT_S
        wire.wait_until(lambda: way.open_count == 0, WAIT_S, "the end of all connections")

"""Our client where an Apache broker demands signatures, and over TLS; in each of its manners."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from pymq import aio, blocking
from pymq.errors import BrokerRefused, PyMQError

from .apache import ApacheCluster
from .pymq_server import environment

ACCESS_KEY, SECRET_KEY = "producer-of-orders", "12345678"
ACL = f"""
globalWhiteRemoteAddresses: []
accounts:
  - accessKey: {ACCESS_KEY}
    secretKey: {SECRET_KEY}
    admin: false
    defaultTopicPerm: DENY
    defaultGroupPerm: SUB
    topicPerms: [orders=PUB|SUB, TBW102=PUB|SUB]
"""
#: How long our clients wait for a server that has just begun.
PATIENCE_S = 60
CERTIFICATES = Path(__file__).resolve().parents[1] / "client" / "certificates"
TLS = f"""
tls.test.mode.enable=false
tls.server.certPath={CERTIFICATES}/server.pem
tls.server.keyPath={CERTIFICATES}/server.key.pem
"""
VERIFYING = {
    "tls_enable": True,
    "tls_client_auth_server": True,
    "tls_client_trust_cert_path": str(CERTIFICATES / "authority.pem"),
}


@pytest.fixture(scope="module")
def acl():
    """A broker that lets the one account send and receive `orders`."""
    with ApacheCluster("4.9.7", files={"conf/plain_acl.yml": ACL}, aclEnable="true") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def acl5():
    """A broker of 5.x that knows who is who, by its own kind of access control; the one account is its administrator."""
    account = f'"username":"{ACCESS_KEY}","password":"{SECRET_KEY}"'
    provider = "org.apache.rocketmq.auth.authentication.provider"
    with ApacheCluster(
        "5.5.0",
        authenticationEnabled="true",
        authenticationProvider=f"{provider}.DefaultAuthenticationProvider",
        authenticationMetadataProvider=f"{provider}.LocalAuthenticationMetadataProvider",
        initAuthenticationUser=f"{{{account}}}",
        innerClientAuthenticationCredentials=f'{{"accessKey":"{ACCESS_KEY}","secretKey":"{SECRET_KEY}"}}',
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module", params=["4.9.7", "5.5.0"])
def tls(request, tmp_path_factory):
    """A name server and a broker with a certificate of the test authority."""
    properties = tmp_path_factory.mktemp("tls") / "tls.properties"
    properties.write_text(TLS)
    with ApacheCluster(request.param, options=[f"-Dtls.config.file={properties}"]) as cluster:
        yield cluster


def keys(**more):
    """The account's settings."""
    return {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, **more}


def there_and_back(namesrv, topic, group, **settings):
    """Send ten messages and receive them, with the blocking client, which has the asyncio one below it."""
    settings = {"mq_client_api_timeout_s": PATIENCE_S, **settings}
    with blocking.Producer(f"{group}-p", namesrv_addr=namesrv, send_msg_timeout_s=PATIENCE_S, **settings) as producer:
        sent = [producer.send(blocking.Message(topic, b"%d" % number)).msg_id for number in range(10)]
    consumer = blocking.PushConsumer(group, namesrv_addr=namesrv, consume_from_where="CONSUME_FROM_FIRST_OFFSET", **settings)
    consumer.subscribe(topic)
    received = set()
    with consumer:
        for message in consumer.messages(timeout_s=180):
            received.add(message.msg_id)
            if received == set(sent):
                consumer.ack(message)
                break
    return len(sent), len(received)


def test_signed_requests_are_served(acl):
    """Sends, heartbeats, pulls, offsets: everything is signed."""
    assert there_and_back(acl.namesrv, "orders", "acl-group", **keys()) == (10, 10)


def test_signed_requests_are_served_by_5x(acl5):
    """The same signature, and the remark for one that is wrong."""
    assert there_and_back(acl5.namesrv, "orders", "acl-group", **keys()) == (10, 10)
    with pytest.raises(BrokerRefused, match="check signature failed"):
        there_and_back(acl5.namesrv, "orders", "acl-group", **keys(secret_key="wrong-one"))


@pytest.mark.parametrize(
    ("settings", "topic", "remark"),
    [
        ({}, "orders", "No accessKey is configured"),
        (keys(secret_key="wrong-one"), "orders", "Check signature failed"),
        (keys(access_key="nobody"), "orders", "No acl config for nobody"),
        (keys(), "secrets", "No default permission"),
    ],
    ids=["unsigned", "wrong key", "unknown account", "other topic"],
)
def test_the_brokers_remark_reaches_the_user(acl, settings, topic, remark):
    """So that one sees what is wrong with the keys."""

    async def send():
        patient = {"mq_client_api_timeout_s": PATIENCE_S, "send_msg_timeout_s": PATIENCE_S}
        async with aio.Producer("acl-producer", namesrv_addr=acl.namesrv, **patient, **settings) as producer:
            await producer.send(aio.Message(topic, b"x"))

    with pytest.raises(BrokerRefused, match=remark):
        asyncio.run(send())


def test_tls_with_a_verified_server(tls):
    """Name server and broker, both ways."""
    assert there_and_back(tls.namesrv, "TlsTopic", "tls-group", **VERIFYING) == (10, 10)


def test_tls_with_a_server_that_nobody_vouches_for(tls):
    """Nothing is sent to it."""
    settings = {**VERIFYING, "tls_client_trust_cert_path": str(CERTIFICATES / "stranger.pem")}

    async def send():
        async with aio.Producer("tls-producer", namesrv_addr=tls.namesrv, **settings) as producer:
            await producer.send(aio.Message("TlsTopic", b"x"))

    with pytest.raises(PyMQError):
        asyncio.run(send())


def test_tls_and_keys_on_deferreds(acl, tls):
    """The same through Twisted, in programs of their own."""
    program = """
import sys
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import react
from pymq.client import Message, Producer

async def main(reactor, namesrv, topic, *pairs):
    settings = dict(pair.split("=", 1) for pair in pairs)
    for name in ("tls_enable", "tls_client_auth_server"):
        if name in settings:
            settings[name] = settings[name] == "True"
    producer = Producer("deferred-producer", namesrv_addr=namesrv, send_msg_timeout_s=60, mq_client_api_timeout_s=60, **settings)
    await producer.start()
    print((await producer.send(Message(topic, b"x"))).status.name)
    await producer.shutdown()

react(lambda reactor, *words: ensureDeferred(main(reactor, *words)), sys.argv[1:])
"""
    for namesrv, topic, settings in ((acl.namesrv, "orders", keys()), (tls.namesrv, "TlsTopic", VERIFYING)):
        words = [namesrv, topic, *(f"{name}={value}" for name, value in settings.items())]
        done = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=180, env=environment(), check=False
        )
        assert (done.returncode, done.stdout) == (0, "SEND_OK\n"), done.stderr

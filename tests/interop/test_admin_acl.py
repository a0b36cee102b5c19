"""Our admin client at an Apache broker with access control lists: what it changes is what mqadmin lists, and what clients may do.

The broker takes accounts at once and writes them into its file. It looks at that every five seconds; from then on white addresses
count, and what a change left out. The tools are those of 4.9.7, the last ones that list accounts.
"""

import asyncio
import contextlib
import re
import subprocess
import sys

import msgspec
import pytest

from pymq import aio
from pymq.blocking import Admin, LitePullConsumer, Message, PlainAccessConfig, Producer, TopicConfig
from pymq.errors import BrokerRefused
from tests import documents

from . import toolchain, wire
from .apache import ApacheCluster
from .pymq_server import environment

VERSION = "4.9.7"
WAIT_S = 180
#: How long our clients wait for answers, for servers may have to wait for the processors.
PATIENT = {"mq_client_api_timeout_s": 60}
NO_SUCH_ACCOUNT, NO_SUCH_FILE = 210, 211
KEYS = {"access_key": "administrator", "secret_key": "key-of-administrator"}
NOWHERE = "10.10.10.10"
ACL = f"""
globalWhiteRemoteAddresses: [{NOWHERE}]
accounts:
  - accessKey: {KEYS["access_key"]}
    secretKey: {KEYS["secret_key"]}
    admin: true
"""
ORDERS = PlainAccessConfig(
    "app-orders",
    "key-of-orders",
    default_topic_perm="DENY",
    default_group_perm="SUB",
    topic_perms=("orders=PUB|SUB",),
    group_perms=("others=DENY",),
)


@pytest.fixture(scope="module")
def server():
    """A broker with one account, an administrator's; it makes topics by itself."""
    with ApacheCluster(VERSION, files={"conf/plain_acl.yml": ACL}, aclEnable="true") as cluster:
        with Admin(namesrv_addr=cluster.namesrv, **KEYS, **PATIENT) as admin:
            for topic in ("orders", "secrets"):
                admin.update_topic(TopicConfig(topic, read_queue_nums=2, write_queue_nums=2))
        yield cluster


@pytest.fixture
def admin(server):
    """Our client, which signs as the administrator."""
    with Admin(namesrv_addr=server.namesrv, **KEYS, **PATIENT) as client:
        yield client


def mqadmin(server, command, *arguments):
    """What mqadmin prints, signing as the administrator."""
    tools = f"accessKey: {KEYS['access_key']}\nsecretKey: {KEYS['secret_key']}\n"
    words = [command, "-n", server.namesrv, "-b", server.broker, *arguments]
    done = toolchain.mqadmin(VERSION, words, files={"conf/tools.yml": tools})
    assert done.returncode == 0 and "Exception" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done.stdout


def listed(server):
    """What mqadmin tells of the accounts, by access key, and of the white addresses."""
    said = mqadmin(server, "getAclConfig")
    accounts = {}
    for name, value in re.findall(r"^ +(\w+) *: (.*)$", said, re.MULTILINE):
        if name == "accessKey":
            accounts[value] = {}
        accounts[list(accounts)[-1]][name] = value
    return accounts, re.search(r"^globalWhiteRemoteAddresses *: \[(.*)\]$", said, re.MULTILINE)[1]


def until(condition, what):
    """Wait for it."""

    def looked():
        with contextlib.suppress(BrokerRefused):
            return condition()

    return wire.wait_until(looked, WAIT_S, what)


def send(server, topic="orders", **keys):
    """Send a message."""
    settings = {"namesrv_addr": server.namesrv, "send_msg_timeout_s": 60, **PATIENT, **keys}
    with Producer("acl-producers", **settings) as producer:
        return producer.send(Message(topic, b"x"))


def received(server, topic, group, **keys):
    """The first message, as an account gets it."""
    settings = {"namesrv_addr": server.namesrv, "consume_from_where": "CONSUME_FROM_FIRST_OFFSET", **PATIENT, **keys}
    with LitePullConsumer(group, **settings) as consumer:
        consumer.subscribe(topic)
        return next(iter(consumer.messages(WAIT_S)))


def keys_of(account):
    """With which a client signs."""
    return {"access_key": account.access_key, "secret_key": account.secret_key}


def account_in(config, access_key):
    """One account of those that a broker has."""
    return next((one for one in config.plain_access_configs if one.access_key == access_key), None)


def test_an_account(server, admin):
    """Made, it may do what it says; changed, it may do more; deleted, nothing. Java's tools see each."""
    with pytest.raises(BrokerRefused, match="No acl config for app-orders"):
        send(server, **keys_of(ORDERS))
    admin.update_access_config(ORDERS)
    assert account_in(admin.acl_config(server.name), "app-orders") == ORDERS
    accounts, _ = listed(server)
    assert accounts["app-orders"] == {
        "accessKey": "app-orders",
        "secretKey": "key-of-orders",
        "whiteRemoteAddress": "",
        "admin": "false",
        "defaultTopicPerm": "DENY",
        "defaultGroupPerm": "SUB",
        "topicPerms": "[orders=PUB|SUB]",
        "groupPerms": "[others=DENY]",
    }
    assert send(server, **keys_of(ORDERS)).msg_id == received(server, "orders", "acl-readers", **keys_of(ORDERS)).msg_id
    with pytest.raises(BrokerRefused, match="No default permission"):
        send(server, "secrets", **keys_of(ORDERS))

    admin.update_access_config(PlainAccessConfig("app-orders", "new-key-of-orders", topic_perms=("secrets=PUB",)), server.name)
    changed = account_in(admin.acl_config(server.broker), "app-orders")
    assert changed == msgspec.structs.replace(ORDERS, secret_key="new-key-of-orders", topic_perms=("secrets=PUB",))
    send(server, "secrets", **keys_of(changed))
    with pytest.raises(BrokerRefused, match="Check signature failed"):
        send(server, "secrets", **keys_of(ORDERS))

    admin.delete_access_config("app-orders", "DefaultCluster")
    assert "app-orders" not in listed(server)[0]
    with pytest.raises(BrokerRefused, match="No acl config for app-orders"):
        send(server, "secrets", **keys_of(changed))


def test_what_a_change_leaves_out(server, admin):
    """Stays as it was, once the broker has read its file; so does what mqadmin changes. An event loop may do it too."""
    keys = ("app-carts", "key-of-carts")
    admin.update_access_config(PlainAccessConfig(*keys, topic_perms=("orders=PUB",)))
    send(server, access_key=keys[0], secret_key=keys[1])

    async def change():
        async with aio.Admin(namesrv_addr=server.namesrv, **KEYS, **PATIENT) as client:
            await client.update_access_config(PlainAccessConfig(*keys, default_group_perm="SUB"))
            return account_in(await client.acl_config(server.name), keys[0])

    expected = PlainAccessConfig(*keys, default_group_perm="SUB", topic_perms=("orders=PUB",))
    assert asyncio.run(change()) == expected
    until(lambda: send(server, access_key=keys[0], secret_key=keys[1]), "the permission that was there before")
    said = mqadmin(server, "updateAclConfig", "-a", keys[0], "-s", keys[1], "-g", "billing=SUB,others=DENY", "-m", "true")
    assert f"create or update plain access config to {server.broker} success." in said
    expected = msgspec.structs.replace(expected, admin=True, group_perms=("billing=SUB", "others=DENY"))
    assert account_in(admin.acl_config(server.name), keys[0]) == expected
    mqadmin(server, "deleteAclConfig", "-a", keys[0])
    assert account_in(admin.acl_config(server.name), keys[0]) is None


def test_versions(server, admin):
    """As mqadmin has them: of each file at once, of the first also as the broker read it last. That file may be named."""
    before = admin.acl_version(server.name)
    assert (before.cluster_name, before.broker_name, before.broker_addr) == ("DefaultCluster", server.name, server.broker)
    (path,) = before.files
    assert path.endswith("/conf/plain_acl.yml")
    admin.update_global_white_addrs([NOWHERE], acl_file=path)
    changed = admin.acl_version(server.broker).files[path]
    assert changed.counter == before.files[path].counter + 1 and changed.timestamp >= before.files[path].timestamp
    said = mqadmin(server, "clusterAclConfigVersion")
    (row,) = [line.split() for line in said.splitlines() if line.startswith("DefaultCluster")]
    assert row[1:5] == [server.name, server.broker, path, str(changed.counter)], said
    until(lambda: admin.acl_version(server.name).version == changed, "the broker to read the file")


def test_addresses_that_need_no_signature(server, admin):
    """Are let in once the broker has read its file, and are not when they are taken away again."""
    with pytest.raises(BrokerRefused, match="No accessKey is configured"):
        send(server)
    admin.update_global_white_addrs(["127.0.0.1", "10.0.0.*"], server.name)
    assert listed(server)[1] == "127.0.0.1, 10.0.0.*"
    assert admin.acl_config(server.name).global_white_addrs == ("127.0.0.1", "10.0.0.*")
    until(lambda: send(server), "the address to be let in")
    admin.update_global_white_addrs([])
    assert not any(admin.acl_config(server.name).global_white_addrs)

    def is_refused():
        with contextlib.suppress(BrokerRefused):
            return not send(server)
        return True

    wire.wait_until(is_refused, WAIT_S, "the address to be refused")
    admin.update_global_white_addrs([NOWHERE])


def test_refusals(server, admin):
    """Say what the broker says."""
    with pytest.raises(BrokerRefused) as refused:
        admin.delete_access_config("nobody-at-all")
    assert refused.value.code == NO_SUCH_ACCOUNT and "nobody-at-all" in refused.value.remark
    with pytest.raises(BrokerRefused) as refused:
        admin.update_global_white_addrs([NOWHERE], acl_file="/no/such/file.yml")
    assert refused.value.code == NO_SUCH_FILE
    with (
        Admin(namesrv_addr=server.namesrv, instance_name="unsigned", **PATIENT) as unsigned,
        pytest.raises(BrokerRefused, match="No accessKey is configured"),
    ):
        unsigned.update_access_config(ORDERS)


@pytest.mark.parametrize("text", documents.programs("accounts.rst").values())
def test_sample(server, text, tmp_path):
    """What the document shows works here."""
    script = documents.write_program(text, server.namesrv, tmp_path / "sample.py")
    words = [sys.executable, script]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=WAIT_S, env=environment(), check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "SEND_OK" in ended.stdout and "plain_acl.yml was changed" in ended.stdout

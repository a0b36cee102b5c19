"""Accounts of brokers that have access control lists, and of brokers that have none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import msgspec
from twisted.internet.defer import Deferred

from pymq.client import AclConfig, Admin, PlainAccessConfig
from pymq.errors import BrokerRefused, ClientError, NoRoute, NotSupported, RequestTimeout
from pymq.wire import javajson
from pymq.wire.bodies.routes import BrokerData, ClusterInfo, encode_cluster_info
from pymq.wire.bodies.topics import DataVersion
from pymq.wire.codes import RequestCode as Code
from pymq.wire.codes import ResponseCode as Answer
from pymq.wire.command import RemotingCommand
from tests.client.admincase import BROKER_A, BROKER_B, AdminCase
from tests.client.cases import ClientCase

MASTER, SLAVE, OTHER = "10.0.0.2:10911", "10.0.0.3:10911", "10.0.0.4:10911"
CLUSTER = ClusterInfo(
    broker_addr_table={
        "broker-a": BrokerData("one", "broker-a", {0: MASTER, 1: SLAVE}),
        "broker-b": BrokerData("two", "broker-b", {0: OTHER}),
    },
    cluster_addr_table={"one": {"broker-a"}, "two": {"broker-b"}},
)
ACCOUNT = PlainAccessConfig("app-orders", "secret-of-orders")
CHANGES = (Code.UPDATE_AND_CREATE_ACL_CONFIG, Code.DELETE_ACL_CONFIG, Code.UPDATE_GLOBAL_WHITE_ADDRS_CONFIG)
VERSION = {"version": '{"counter":3,"timestamp":1700000000000}', "brokerName": "b", "brokerAddr": MASTER, "clusterName": "one"}


class AclCase(ClientCase):
    """A cluster of two masters and a slave; what they are told is kept by the fake, what they tell is set by the tests."""

    def setUp(self) -> None:
        """The servers' answers, and an admin client."""
        super().setUp()
        self.info = CLUSTER
        self.told: dict[str, dict[str, str]] = {}
        self.answers: dict[int, RemotingCommand | Exception] = {}
        self.cluster.rules.append(self.rule)
        self.admin = self.begin()

    def begin(self, **settings: str) -> Admin:
        """An admin client that runs."""
        admin = Admin(**self.settings(**settings))
        self.members.append(admin)
        self.result(admin.start())
        return admin

    def rule(self, address: str, request: RemotingCommand) -> RemotingCommand | Exception | None:
        """What the servers answer."""
        if request.code == Code.GET_BROKER_CLUSTER_INFO:
            return request.reply(body=encode_cluster_info(self.info))
        self.told[address] = dict(request.ext_fields or {})
        answer = self.answers.get(request.code)
        if isinstance(answer, RemotingCommand):
            return attrs.evolve(answer, opaque=request.opaque)
        return answer or (request.reply() if request.code in CHANGES else None)

    def answer(self, request_code: int, **parts: Any) -> None:
        """From now on requests of a code are answered so."""
        self.answers[request_code] = RemotingCommand.request(request_code).reply(**parts)


class TellingTests(AclCase):
    """Changes."""

    def test_an_account(self) -> None:
        """What is None is not sent."""
        self.result(self.admin.update_access_config(ACCOUNT, MASTER))
        self.assertEqual(self.told, {MASTER: {"accessKey": "app-orders", "secretKey": "secret-of-orders", "admin": "false"}})
        perms = {"topic_perms": ("orders=PUB|SUB", "carts=DENY"), "group_perms": ("billing=SUB",)}
        more = {"white_remote_address": "10.0.{0,1}.*", "default_topic_perm": "SUB", "default_group_perm": "DENY", "admin": True}
        self.result(self.admin.update_access_config(msgspec.structs.replace(ACCOUNT, **perms, **more), MASTER))
        self.assertEqual(
            self.told[MASTER],
            {
                "accessKey": "app-orders",
                "secretKey": "secret-of-orders",
                "whiteRemoteAddress": "10.0.{0,1}.*",
                "admin": "true",
                "defaultTopicPerm": "SUB",
                "defaultGroupPerm": "DENY",
                "topicPerms": "orders=PUB|SUB,carts=DENY",
                "groupPerms": "billing=SUB",
            },
        )

    def test_everywhere(self) -> None:
        """Slaves have files of their own, so they are told too."""
        changes: tuple[Callable[[str | None], Deferred[None]], ...] = (
            lambda where: self.admin.update_access_config(ACCOUNT, where),
            lambda where: self.admin.delete_access_config("app-orders", where),
            lambda where: self.admin.update_global_white_addrs(["10.0.0.*"], where),
        )
        for where, expected in (
            (None, {MASTER, SLAVE, OTHER}),
            ("one", {MASTER, SLAVE}),
            ("broker-a", {MASTER, SLAVE}),
            ("two", {OTHER}),
            (SLAVE, {SLAVE}),
        ):
            for change in changes:
                self.told.clear()
                self.result(change(where))
                self.assertEqual(set(self.told), expected, where)
        self.assertIn("broker-a, broker-b", str(self.failure(self.admin.delete_access_config("x", "three"), ClientError)))
        self.info = ClusterInfo()
        self.failure(self.admin.delete_access_config("app-orders"), NoRoute)

    def test_names_are_those_of_the_namespace(self) -> None:
        """Whose clients the account is for."""
        admin = self.begin(namespace="shop", instance_name="shop")
        account = msgspec.structs.replace(ACCOUNT, topic_perms=("orders=PUB",), group_perms=("shop%billing=SUB",))
        self.result(admin.update_access_config(account, MASTER))
        self.assertEqual(
            (self.told[MASTER]["topicPerms"], self.told[MASTER]["groupPerms"]), ("shop%orders=PUB", "shop%billing=SUB")
        )

    def test_accounts_that_no_broker_takes(self) -> None:
        """Nothing is sent, and the error has no secret in it."""
        for wrong, said in (
            ({"access_key": "app"}, "access_key of the account app must have 7"),
            ({"secret_key": "secret"}, "secret_key of the account app-orders must have 7"),
            ({"secret_key": None}, "secret_key"),
            ({"default_topic_perm": "pub"}, "default_topic_perm: pub is none of DENY, PUB"),
            ({"default_group_perm": "ANY"}, "default_group_perm: ANY is none of"),
            ({"topic_perms": ()}, "no empty topic_perms"),
            ({"topic_perms": "orders=PUB"}, "must be a list"),
            ({"topic_perms": ("orders",)}, "topic_perms: nothing is none of"),
            ({"topic_perms": ("orders=PUB=SUB",)}, "PUB=SUB is none of"),
            ({"topic_perms": ("orders,carts=PUB",)}, "orders,carts=PUB is not like orders=PUB|SUB"),
            ({"group_perms": ("=SUB",)}, "group_perms: =SUB is not like"),
        ):
            error = self.failure(self.admin.update_access_config(msgspec.structs.replace(ACCOUNT, **wrong), MASTER), ClientError)
            self.assertIn(said, str(error))
            self.assertNotIn("secret-of-orders", str(error))
        self.assertEqual(self.told, {})

    def test_white_addresses(self) -> None:
        """Of the broker's first file, or of another; brokers demand both fields."""
        for addresses, acl_file, expected in (
            (["10.0.0.*", "10.0.1.1-90"], None, {"globalWhiteAddrs": "10.0.0.*,10.0.1.1-90", "aclFileFullPath": ""}),
            ([], "/conf/acl/more.yml", {"globalWhiteAddrs": "", "aclFileFullPath": "/conf/acl/more.yml"}),
        ):
            self.result(self.admin.update_global_white_addrs(addresses, MASTER, acl_file=acl_file))
            self.assertEqual(self.told[MASTER], expected)

    def test_white_addresses_that_would_be_others(self) -> None:
        """One text would be a list of characters, and brokers split at commas, whatever braces say."""
        self.assertIn("['10.*']", str(self.failure(self.admin.update_global_white_addrs("10.*", MASTER), ClientError)))
        for address in ("10.0.{0,1}.*", "10.0.0.1,10.0.0.2", " "):
            self.failure(self.admin.update_global_white_addrs([address], MASTER), ClientError)
        self.assertEqual(self.told, {})

    def test_refusals(self) -> None:
        """Have the broker's code and remark; the others are told all the same."""
        self.answer(Code.DELETE_ACL_CONFIG, code=Answer.DELETE_ACL_CONFIG_FAILED, remark="no such account")
        error = self.failure(self.admin.delete_access_config("nobody"), BrokerRefused)
        self.assertEqual((error.code, error.remark), (210, "no such account"))
        self.assertEqual(set(self.told), {MASTER, SLAVE, OTHER})


class AskingTests(AclCase):
    """Questions."""

    def test_versions(self) -> None:
        """Of all files; some brokers tell only that of the first."""
        self.answer(Code.GET_BROKER_CLUSTER_ACL_INFO, ext_fields=VERSION)
        version = self.result(self.admin.acl_version("broker-a"))
        self.assertEqual((version.cluster_name, version.broker_name, version.broker_addr), ("one", "b", MASTER))
        self.assertEqual((version.version, version.files), (DataVersion(1_700_000_000_000, 3), {}))
        files = '{"/conf/plain_acl.yml":{"counter":3,"timestamp":1700000000000},"/conf/acl/a.yml":{"counter":0,"timestamp":5}}'
        self.answer(Code.GET_BROKER_CLUSTER_ACL_INFO, ext_fields={**VERSION, "allAclFileVersion": files})
        version = self.result(self.admin.acl_version(MASTER))
        self.assertEqual(version.files, {"/conf/plain_acl.yml": version.version, "/conf/acl/a.yml": DataVersion(5)})

    def test_accounts(self) -> None:
        """All that a broker has."""
        config = AclConfig(("10.0.0.*",), (ACCOUNT,))
        self.answer(Code.GET_BROKER_CLUSTER_ACL_CONFIG, body=javajson.encode(config))
        self.assertEqual(self.result(self.admin.acl_config("broker-a")), config)
        self.assertEqual(set(self.told), {MASTER})

    def test_a_broker_that_does_not_answer(self) -> None:
        """Apache's are silent where the lists are not enabled."""
        self.answers[Code.GET_BROKER_CLUSTER_ACL_INFO] = RequestTimeout(MASTER, 52, 3)
        error = self.failure(self.admin.acl_version(MASTER), ClientError)
        self.assertIn("within 3 s", str(error))
        self.assertIn("aclEnable=true", str(error))


class WithoutListsTests(AdminCase):
    """Our own brokers."""

    def test_there_is_no_such_request(self) -> None:
        """The error says so, and what it takes."""
        for code, asking in (
            (50, self.admin.update_access_config(ACCOUNT)),
            (51, self.admin.delete_access_config("app-orders", BROKER_B)),
            (52, self.admin.acl_version(BROKER_A)),
            (53, self.admin.update_global_white_addrs([], "broker-a")),
            (54, self.admin.acl_config("broker-b")),
        ):
            error = self.failure(asking, NotSupported)
            self.assertEqual(error.code, Answer.REQUEST_CODE_NOT_SUPPORTED)
            self.assertIn(f"request type {code} not supported; this needs a broker", str(error))

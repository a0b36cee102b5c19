# Tests: tests/client/test_acladmin.py
"""Operations on the access control lists of brokers: accounts, and addresses that need none (Java: DefaultMQAdminExt).

Every broker has lists of its own, a slave other ones than its master. So all are told, where the other operations ask masters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pymq.client.adminbase import AdminBase, operation
from pymq.client.results import AclVersion
from pymq.errors import ClientError, RequestTimeout
from pymq.message.topics import check_group, check_topic
from pymq.wire import javajson
from pymq.wire.bodies.acl import AclConfig, PlainAccessConfig
from pymq.wire.bodies.topics import DataVersion
from pymq.wire.codes import RequestCode
from pymq.wire.command import RemotingCommand
from pymq.wire.fields import CommandHeader
from pymq.wire.headers.acl import (
    CreateAccessConfigRequestHeader,
    DeleteAccessConfigRequestHeader,
    GetBrokerAclConfigResponseHeader,
    UpdateGlobalWhiteAddrsConfigRequestHeader,
)

#: What a broker must be that knows these requests, and the last of them.
ACL_NEEDS = "a broker with access control lists, such as Apache RocketMQ 4.5.2 to 5.3.2 with aclEnable=true"
ACL_CONFIG_NEEDS = "a broker that shows accounts with their keys, such as Apache RocketMQ to 4.9.7 or 5.1 with aclEnable=true"

#: Brokers take no shorter access keys and secret keys, in characters.
KEY_LENGTH_MIN = 7
#: What may be allowed; brokers silently take any other word for DENY.
PERMISSIONS = ("DENY", "PUB", "SUB", "PUB|SUB", "SUB|PUB")


class AclAdmin(AdminBase):
    """Who may do what."""

    @operation
    async def update_access_config(self, config: PlainAccessConfig, where: str | None = None) -> None:
        """Create an account, or change what is not None of one that is there; `admin` always counts.

        Both keys must be given. They are not enciphered on their way, unless TLS does it. Fails with ClientError for what no
        broker takes; with NotSupported, BrokerRefused. Java: createAndUpdatePlainAccessConfig.
        """
        _check_account(config)
        header = CreateAccessConfigRequestHeader(
            access_key=config.access_key,
            secret_key=config.secret_key,
            white_remote_address=config.white_remote_address,
            admin=config.admin,
            default_topic_perm=config.default_topic_perm,
            default_group_perm=config.default_group_perm,
            topic_perms=self._joined("topic_perms", config.topic_perms, check_topic),
            group_perms=self._joined("group_perms", config.group_perms, check_group),
        )
        await self._tell_all(RequestCode.UPDATE_AND_CREATE_ACL_CONFIG, header, where)

    def _joined(self, what: str, perms: Sequence[str] | None, check_name: Callable[[str], None]) -> str | None:
        """`name=permission` of each topic or group, as one text with the names that brokers know. Raises ClientError."""
        if perms is None:
            return None
        if not perms:
            raise ClientError(f"brokers take no empty {what}; leave them None to keep what is there, or delete the account first")
        parts = []
        for entry in _list_of(what, perms):
            name, _, permission = entry.partition("=")
            try:
                check_name(name)
            except ValueError as error:
                raise ClientError(f"{what}: {entry} is not like orders=PUB|SUB: {error}") from error
            _check_permission(what, permission)
            parts.append(f"{self.namespace.wrap(name)}={permission}")
        return ",".join(parts)

    @operation
    async def delete_access_config(self, access_key: str, where: str | None = None) -> None:
        """Delete an account. Fails with BrokerRefused at a broker that does not have it; with NotSupported.

        Java: deletePlainAccessConfig.
        """
        header = DeleteAccessConfigRequestHeader(access_key=access_key)
        await self._tell_all(RequestCode.DELETE_ACL_CONFIG, header, where)

    @operation
    async def update_global_white_addrs(
        self, addresses: Sequence[str], where: str | None = None, *, acl_file: str | None = None
    ) -> None:
        """Set from where requests need no signature, as `["10.0.0.*", "10.0.1.1-90"]`, which `[]` says of no address.

        That is so once a broker has read its file again. A broker with several files is told which one by its full path there;
        each of them counts. Fails with ClientError, NotSupported, BrokerRefused. Java: updateGlobalWhiteAddrConfig.
        """
        for address in _list_of("addresses", addresses):
            if "," in address or not address.strip():
                raise ClientError(f"the address {address!r} cannot be sent: give each by itself, with no comma in it")
        header = UpdateGlobalWhiteAddrsConfigRequestHeader(
            global_white_addrs=",".join(addresses), acl_file_full_path=acl_file or ""
        )
        await self._tell_all(RequestCode.UPDATE_GLOBAL_WHITE_ADDRS_CONFIG, header, where)

    @operation
    async def acl_version(self, broker: str) -> AclVersion:
        """How often the lists of a broker, given by name or address, were changed by such requests, and when last.

        Fails with ClientError where a broker does not answer for want of `aclEnable`; with NotSupported. Java:
        examineBrokerClusterAclVersionInfo.
        """
        answer = await self._ask_acl(await self._master(broker), RequestCode.GET_BROKER_CLUSTER_ACL_INFO)
        header = GetBrokerAclConfigResponseHeader.from_fields(answer.ext_fields)
        files = javajson.decode_as(header.all_acl_file_version or "{}", dict[str, DataVersion])
        return AclVersion(
            cluster_name=header.cluster_name,
            broker_name=header.broker_name,
            broker_addr=header.broker_addr,
            version=javajson.decode_as(header.version, DataVersion),
            files=files,
        )

    @operation
    async def acl_config(self, broker: str) -> AclConfig:
        """All accounts of a broker, given by name or address, with their keys, and from where requests need no signature.

        Apache's brokers from 4.9.8 and 5.2 on do not tell that. Fails as `acl_version`. Java: examineBrokerClusterAclConfig.
        """
        address = await self._master(broker)
        answer = await self._ask_acl(address, RequestCode.GET_BROKER_CLUSTER_ACL_CONFIG, needs=ACL_CONFIG_NEEDS)
        return javajson.decode_as(answer.body, AclConfig)

    async def _tell_all(self, code: int, header: CommandHeader, where: str | None) -> None:
        addresses = await self._masters(where, and_slaves=True)
        await self._at_all(addresses, lambda address: self._ask_acl(address, code, header))

    async def _ask_acl(
        self, address: str, code: int, header: CommandHeader | None = None, *, needs: str = ACL_NEEDS
    ) -> RemotingCommand:
        try:
            return await self._api.ask(address, code, header, needs=needs)
        except RequestTimeout as error:
            raise ClientError(f"{error}; a broker without aclEnable=true does not answer it: this needs {needs}") from error


def _check_account(config: PlainAccessConfig) -> None:
    """Raise ClientError for keys and defaults that no broker takes; unlike theirs, its text has no secret key in it."""
    for name, key in (("access_key", config.access_key), ("secret_key", config.secret_key)):
        if key is None or len(key) < KEY_LENGTH_MIN:
            raise ClientError(f"the {name} of the account {config.access_key} must have {KEY_LENGTH_MIN} characters or more")
    for name, permission in (
        ("default_topic_perm", config.default_topic_perm),
        ("default_group_perm", config.default_group_perm),
    ):
        if permission is not None:
            _check_permission(name, permission)


def _check_permission(what: str, permission: str) -> None:
    if permission not in PERMISSIONS:
        raise ClientError(f"{what}: {permission or 'nothing'} is none of {', '.join(PERMISSIONS)}")


def _list_of(what: str, texts: Sequence[str]) -> Sequence[str]:
    """The texts, unless they are one text, whose characters nobody means. Raises ClientError."""
    if isinstance(texts, str):
        raise ClientError(f"{what} must be a list of texts, such as [{texts!r}]")
    return texts

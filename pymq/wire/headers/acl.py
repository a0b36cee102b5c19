# Tests: tests/wire/headers/test_acl.py
"""Headers about accounts at brokers that have access control lists, as Apache's have up to 5.3.2 (remoting.md 3.12)."""

from __future__ import annotations

from pymq.wire.fields import CommandHeader


class CreateAccessConfigRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """UPDATE_AND_CREATE_ACL_CONFIG (50). `topic_perms` and `group_perms` are comma lists of `name=permission`."""

    access_key: str
    secret_key: str | None = None
    white_remote_address: str | None = None
    admin: bool = False
    default_topic_perm: str | None = None
    default_group_perm: str | None = None
    topic_perms: str | None = None
    group_perms: str | None = None


class DeleteAccessConfigRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """DELETE_ACL_CONFIG (51)."""

    access_key: str


class UpdateGlobalWhiteAddrsConfigRequestHeader(CommandHeader, frozen=True, kw_only=True):
    """UPDATE_GLOBAL_WHITE_ADDRS_CONFIG (53): a comma list, and the file it is for, empty for the broker's first.

    Brokers from 4.9.4 on demand the second field, which Java's own client leaves out when there is no file.
    """

    global_white_addrs: str
    acl_file_full_path: str


class GetBrokerAclConfigResponseHeader(CommandHeader, frozen=True, kw_only=True):
    """GET_BROKER_CLUSTER_ACL_INFO (52): JSON of a DataVersion, and of those of all files by path where a broker has several."""

    version: str
    all_acl_file_version: str | None = None
    broker_name: str
    broker_addr: str
    cluster_name: str

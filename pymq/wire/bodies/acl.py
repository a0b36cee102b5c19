# Tests: tests/wire/bodies/test_acl.py
"""Accounts at brokers that have access control lists, as Apache's have up to 5.3.2 (remoting.md 3.12 and 7.2)."""

from __future__ import annotations

import msgspec


class PlainAccessConfig(msgspec.Struct, rename="camel", frozen=True):
    """An account: two keys, and what they open. None stands for what was not said.

    Permissions are `DENY`, `PUB`, `SUB` and `PUB|SUB`; in `topic_perms` and `group_perms` as in `("orders=PUB|SUB",)`. Requests
    from `white_remote_address`, such as `10.0.0.*`, need no signature. The secret key is not in the text of this.
    """

    access_key: str
    secret_key: str | None = None
    white_remote_address: str | None = None
    admin: bool = False
    default_topic_perm: str | None = None
    default_group_perm: str | None = None
    topic_perms: tuple[str, ...] | None = None
    group_perms: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        shown = {name: value for name, value in msgspec.structs.asdict(self).items() if name != "secret_key"}
        return f"PlainAccessConfig({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


class AclConfig(msgspec.Struct, rename="camel", frozen=True):
    """GET_BROKER_CLUSTER_ACL_CONFIG (54, to 4.9.7 and 5.1.4): whose requests need no signature, and all accounts."""

    global_white_addrs: tuple[str, ...] = ()
    plain_access_configs: tuple[PlainAccessConfig, ...] = ()

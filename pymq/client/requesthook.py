# Tests: tests/client/test_requesthook.py
"""What is done to every request before it is sent: named for a namespace of 5.x, and signed (Java: RPCHook)."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from pymq.client.acl import signer_of
from pymq.client.config import ClientConfig
from pymq.wire.command import RemotingCommand

#: Gives the request as it is to be sent.
RequestHook = Callable[[RemotingCommand], RemotingCommand]


def request_hook(config: ClientConfig) -> RequestHook | None:
    """What the settings want done, the signature last; None for nothing. Raises ConfigError."""
    name = _naming(config.namespace_v2) if config.namespace_v2 else None
    sign = signer_of(config)
    if name is None or sign is None:
        return name or sign
    return lambda request: sign(name(request))


def _naming(namespace: str) -> RequestHook:
    """Puts the namespace into the header (Java: NamespaceRpcHook)."""
    fields = {"nsd": "true", "ns": namespace}
    return lambda request: attrs.evolve(request, ext_fields={**(request.ext_fields or {}), **fields})

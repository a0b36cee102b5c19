# Tests: tests/client/test_acl.py
"""Requests signed with a key that the broker knows (Java: AclClientRPCHook; remoting.md 7.1)."""

from __future__ import annotations

import base64
import hashlib
import hmac

import attrs

from pymq.client.config import ClientConfig
from pymq.errors import ConfigError
from pymq.wire.command import RemotingCommand

ACCESS_KEY = "AccessKey"
SECURITY_TOKEN = "SecurityToken"
SIGNATURE = "Signature"


class RequestSigner:
    """Adds AccessKey and Signature, and SecurityToken when there is one, to every request."""

    def __init__(self, access_key: str, secret_key: str, security_token: str = "") -> None:
        self._who = {ACCESS_KEY: access_key, **({SECURITY_TOKEN: security_token} if security_token else {})}
        self._key = secret_key.encode()

    def __call__(self, request: RemotingCommand) -> RemotingCommand:
        """The request, signed."""
        fields = {**(request.ext_fields or {}), **self._who}
        fields.pop(SIGNATURE, None)
        return attrs.evolve(request, ext_fields={**fields, SIGNATURE: signature(self._key, fields, request.body)})


def signature(key: bytes, fields: dict[str, str], body: bytes) -> str:
    """Base64 of HMAC-SHA1 over the values in the order of their names, as Java sorts text, and the body."""
    in_order = sorted(fields, key=lambda name: name.encode("utf-16-be"))
    content = "".join(fields[name] for name in in_order).encode() + body
    return base64.b64encode(hmac.new(key, content, hashlib.sha1).digest()).decode()


def signer_of(config: ClientConfig) -> RequestSigner | None:
    """What signs with the settings' keys; None without any. Raises ConfigError for half of a pair."""
    if bool(config.access_key) != bool(config.secret_key):
        missing = "secret_key" if config.access_key else "access_key"
        raise ConfigError(missing, "", "access_key and secret_key must be given together")
    if not config.access_key:
        return None
    return RequestSigner(config.access_key, config.secret_key, config.security_token)

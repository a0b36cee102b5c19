"""What settings do to requests."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.client.acl import RequestSigner
from pymq.client.config import ClientConfig, make_config
from pymq.client.requesthook import request_hook
from pymq.wire.command import RemotingCommand


class RequestHookTests(SynchronousTestCase):
    """Nothing, one thing, both."""

    request = RemotingCommand(34, ext_fields={"a": "1"})
    keys = {"access_key": "me", "secret_key": "s"}

    def fields(self, **settings: str) -> dict[str, str]:
        """The fields of a request that went through the hook."""
        hook = request_hook(make_config(ClientConfig, settings))
        assert hook is not None
        return dict(hook(self.request).ext_fields or {})

    def test_nothing(self) -> None:
        """Requests go as they are."""
        self.assertIsNone(request_hook(ClientConfig()))

    def test_a_namespace(self) -> None:
        """As clients of 5.x name it."""
        self.assertEqual(self.fields(namespace_v2="shop"), {"a": "1", "nsd": "true", "ns": "shop"})

    def test_the_signature_covers_the_namespace(self) -> None:
        """A broker signs all that it received."""
        named = RemotingCommand(34, ext_fields=self.fields(namespace_v2="shop"))
        self.assertEqual(self.fields(namespace_v2="shop", **self.keys), RequestSigner("me", "s")(named).ext_fields)
        self.assertEqual(self.fields(**self.keys), RequestSigner("me", "s")(self.request).ext_fields)

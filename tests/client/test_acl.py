"""Signed requests, with a signature that Java's AclClientRPCHook made."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.client.acl import RequestSigner, signer_of
from pymq.client.config import ClientConfig, make_config
from pymq.errors import ConfigError
from pymq.wire.command import RemotingCommand

#: new AclClientRPCHook(new SessionCredentials("rocketmq", "12345678", "tok")) of 4.9.7, for the fields and body below.
JAVA_SIGNATURE = "8ZMnRDSgyf51oNwEeVkDL+eEoQ0="


class RequestSignerTests(SynchronousTestCase):
    """What is added to a request."""

    def setUp(self) -> None:
        """Fields whose order matters, text that is not ASCII, a body that is not text."""
        self.request = RemotingCommand(10, 7, ext_fields={"topic": "Tü", "a": "1", "Z": "é"}, body=b"\x00\x01\x02\xff")

    def test_as_java_signs(self) -> None:
        """Everything else stays as it was."""
        signed = RequestSigner("rocketmq", "12345678", "tok")(self.request)
        self.assertEqual(
            signed.ext_fields,
            {
                "topic": "Tü",
                "a": "1",
                "Z": "é",
                "AccessKey": "rocketmq",
                "SecurityToken": "tok",
                "Signature": JAVA_SIGNATURE,
            },
        )
        self.assertEqual((signed.opaque, signed.body), (7, self.request.body))

    def test_signing_again_changes_nothing(self) -> None:
        """A request that is repeated carries the signature of the first try."""
        signer = RequestSigner("rocketmq", "12345678")
        once = signer(self.request)
        self.assertEqual(signer(once), once)
        self.assertNotIn("SecurityToken", once.ext_fields or {})

    def test_a_request_without_fields(self) -> None:
        """The key alone is signed."""
        signed = RequestSigner("rocketmq", "12345678")(RemotingCommand(34))
        self.assertEqual(sorted(signed.ext_fields or {}), ["AccessKey", "Signature"])


class SignerOfTests(SynchronousTestCase):
    """What the settings say."""

    def test_without_keys(self) -> None:
        """Nothing is signed."""
        self.assertIsNone(signer_of(ClientConfig()))

    def test_half_a_pair(self) -> None:
        """The error names the missing half."""
        for given, missing in (("access_key", "secret_key"), ("secret_key", "access_key")):
            error = self.assertRaises(ConfigError, signer_of, make_config(ClientConfig, {given: "x"}))
            self.assertIn(missing, str(error))

    def test_secrets_are_not_shown(self) -> None:
        """In logs and errors."""
        config = make_config(ClientConfig, {"access_key": "me", "secret_key": "hidden", "security_token": "covered"})
        self.assertNotIn("hidden", repr(config))
        self.assertNotIn("covered", repr(config))
        self.assertIsNotNone(signer_of(config))

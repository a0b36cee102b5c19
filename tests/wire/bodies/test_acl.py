"""Bodies about accounts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire import javajson
from pymq.wire.bodies.acl import AclConfig, PlainAccessConfig


class AclBodyTests(SynchronousTestCase):
    """Each body, against the shape of the reference."""

    def test_accounts(self) -> None:
        """As a broker lists them: what was not said is left out."""
        text = (
            b'{"globalWhiteAddrs":["10.0.0.*"],"plainAccessConfigs":[{"accessKey":"app-orders","admin":true,'
            b'"defaultTopicPerm":"DENY","secretKey":"20240131","topicPerms":["orders=PUB|SUB"]}]}'
        )
        account = PlainAccessConfig(
            "app-orders", "20240131", admin=True, default_topic_perm="DENY", topic_perms=("orders=PUB|SUB",)
        )
        body = AclConfig(("10.0.0.*",), (account,))
        self.assertEqual(javajson.encode(body), text)
        self.assertEqual(javajson.decode_as(text, AclConfig), body)

    def test_the_secret_key_is_not_shown(self) -> None:
        """Logs and tracebacks have the text of objects in them."""
        shown = repr(AclConfig((), (PlainAccessConfig("app-orders", "20240131", topic_perms=("orders=PUB",)),)))
        self.assertNotIn("20240131", shown)
        self.assertIn("PlainAccessConfig(access_key='app-orders', white_remote_address=None, admin=False", shown)

"""Headers about accounts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire.headers import acl
from tests.wire.headers.checks import header_classes, optional_names, required_names

#: Required, then optional names, as remoting.md lists them; aclFileFullPath is required from 4.9.4 on.
NAMES = {
    "CreateAccessConfigRequestHeader": (
        "accessKey",
        "secretKey whiteRemoteAddress admin defaultTopicPerm defaultGroupPerm topicPerms groupPerms",
    ),
    "DeleteAccessConfigRequestHeader": ("accessKey", ""),
    "UpdateGlobalWhiteAddrsConfigRequestHeader": ("globalWhiteAddrs aclFileFullPath", ""),
    "GetBrokerAclConfigResponseHeader": ("version brokerName brokerAddr clusterName", "allAclFileVersion"),
}


class NamesTests(SynchronousTestCase):
    """Each class against the reference."""

    def test_names_and_requirements(self) -> None:
        """Spelling, and what must be sent."""
        found = {
            header.__name__: (" ".join(required_names(header)), " ".join(optional_names(header)))
            for header in header_classes(acl)
        }
        self.assertEqual(found, NAMES)

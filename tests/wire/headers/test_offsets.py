"""Headers of queue offsets."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire.headers import offsets
from tests.wire.headers.checks import header_classes, optional_names, required_names

#: Required, then optional names, as remoting.md lists them.
NAMES = {
    "QueryConsumerOffsetRequestHeader": ("consumerGroup topic queueId", "setZeroIfNotFound"),
    "QueryConsumerOffsetResponseHeader": ("offset", ""),
    "UpdateConsumerOffsetRequestHeader": ("consumerGroup topic queueId commitOffset", ""),
    "SearchOffsetRequestHeader": ("topic queueId timestamp", "boundaryType"),
    "SearchOffsetResponseHeader": ("offset", ""),
    "GetMaxOffsetRequestHeader": ("topic queueId", "committed"),
    "GetMaxOffsetResponseHeader": ("offset", ""),
    "GetMinOffsetRequestHeader": ("topic queueId", ""),
    "GetMinOffsetResponseHeader": ("offset", ""),
    "GetEarliestMsgStoretimeRequestHeader": ("topic queueId", ""),
    "GetEarliestMsgStoretimeResponseHeader": ("timestamp", ""),
}


class NamesTests(SynchronousTestCase):
    """Each class against the reference."""

    def test_names_and_requirements(self) -> None:
        """Spelling, and what must be sent."""
        found = {
            header.__name__: (" ".join(required_names(header)), " ".join(optional_names(header)))
            for header in header_classes(offsets)
        }
        self.assertEqual(found, NAMES)

"""Headers of POP consumption."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire.headers import pop
from tests.wire.headers.checks import header_classes, optional_names, required_names

#: Required, then optional names, as remoting.md lists them.
NAMES = {
    "PopMessageRequestHeader": (
        "consumerGroup topic queueId maxMsgNums invisibleTime pollTime bornTime initMode",
        "expType exp order attemptId bname",
    ),
    "PopMessageResponseHeader": (
        "popTime invisibleTime reviveQid restNum",
        "startOffsetInfo msgOffsetInfo orderCountInfo",
    ),
    "AckMessageRequestHeader": ("consumerGroup topic queueId extraInfo offset", ""),
    "ChangeInvisibleTimeRequestHeader": ("consumerGroup topic queueId extraInfo offset invisibleTime", ""),
    "ChangeInvisibleTimeResponseHeader": ("popTime invisibleTime reviveQid", ""),
    "NotificationRequestHeader": ("consumerGroup topic queueId pollTime bornTime", "order attemptId"),
    "NotificationResponseHeader": ("", "hasMsg pollingFull"),
    "PeekMessageRequestHeader": ("topic queueId maxMsgNums consumerGroup", ""),
    "PollingInfoRequestHeader": ("consumerGroup topic queueId", ""),
    "PollingInfoResponseHeader": ("pollingNum", ""),
}


class NamesTests(SynchronousTestCase):
    """Each class against the reference."""

    def test_names_and_requirements(self) -> None:
        """Spelling, and what must be sent."""
        found = {
            header.__name__: (" ".join(required_names(header)), " ".join(optional_names(header)))
            for header in header_classes(pop)
        }
        self.assertEqual(found, NAMES)

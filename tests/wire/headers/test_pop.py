"""Headers of POP consumption."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire.headers import pop
from tests.wire.headers.checks import header_classes, optional_names, required_names

#: Required, then optional names; what Java requires beyond the group and the topic no broker insists on.
NAMES = {
    "PopMessageRequestHeader": (
        "consumerGroup topic",
        "queueId maxMsgNums invisibleTime pollTime bornTime initMode expType exp order attemptId bname",
    ),
    "PopMessageResponseHeader": (
        "",
        "popTime invisibleTime reviveQid restNum startOffsetInfo msgOffsetInfo orderCountInfo",
    ),
    "PeekMessageRequestHeader": ("consumerGroup topic", "queueId maxMsgNums bname"),
    "AckMessageRequestHeader": ("consumerGroup topic", "queueId extraInfo offset bname"),
    "ChangeInvisibleTimeRequestHeader": ("consumerGroup topic", "queueId extraInfo offset bname invisibleTime suspend"),
    "ChangeInvisibleTimeResponseHeader": ("", "popTime invisibleTime reviveQid"),
}
#: As the Java 5.3.3 client sent it.
GOLDEN = {
    "pollTime": "15000",
    "invisibleTime": "60000",
    "queueId": "-1",
    "bornTime": "1795260590011",
    "maxMsgNums": "32",
    "bname": "broker-a",
    "topic": "TJAVA",
    "expType": "TAG",
    "exp": "*",
    "consumerGroup": "GJAVA",
    "initMode": "0",
    "order": "false",
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

    def test_golden(self) -> None:
        """What Java sends is read, and written as it was."""
        self.assertEqual(pop.PopMessageRequestHeader.from_fields(GOLDEN).to_fields(), GOLDEN)

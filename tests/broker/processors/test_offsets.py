"""Tests of pymq.broker.processors.offsets."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.processors.offsets import QueueOffsetProcessor
from pymq.errors import RequestError
from pymq.interfaces import IRequestProcessor
from pymq.testing.channels import FakeChannel
from pymq.wire.codes import RequestCode
from pymq.wire.command import RemotingCommand
from tests.broker.fixtures import NOW_MS, draft, open_store, started_clock


class QueueOffsetProcessorTests(SynchronousTestCase):
    """Codes 29 to 32."""

    def setUp(self) -> None:
        """A queue of three messages, stored ten seconds apart."""
        clock = started_clock()
        store = open_store(clock)
        for _ in range(3):
            store.put([draft()])
            clock.advance(10)
        self.processor = QueueOffsetProcessor(store=store)

    def ask(self, code: int, topic: str = "T", **fields: object) -> dict[str, str]:
        """The fields of the answer."""
        request = RemotingCommand(
            code=code, ext_fields={"topic": topic, "queueId": "0", **{name: str(value) for name, value in fields.items()}}
        )
        answer = self.processor.process(FakeChannel(), request)
        self.assertEqual(answer.code, 0)
        return dict(answer.ext_fields)

    def test_it_is_a_processor(self) -> None:
        """Of four codes."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {29, 30, 31, 32})

    def test_ends_of_a_queue(self) -> None:
        """The next offset to be written, and the first that can be read."""
        self.assertEqual(self.ask(RequestCode.GET_MAX_OFFSET), {"offset": "3"})
        self.assertEqual(self.ask(RequestCode.GET_MIN_OFFSET), {"offset": "0"})

    def test_offset_nearest_to_a_time(self) -> None:
        """A 5.x client's boundary changes nothing, as with 4.9."""
        self.assertEqual(self.ask(RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, timestamp=NOW_MS + 9_000), {"offset": "1"})
        self.assertEqual(
            self.ask(RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, timestamp=NOW_MS + 9_000, boundaryType="UPPER"), {"offset": "1"}
        )

    def test_time_of_the_first_message(self) -> None:
        """In milliseconds; -1 when there is none."""
        self.assertEqual(self.ask(RequestCode.GET_EARLIEST_MSG_STORETIME), {"timestamp": str(NOW_MS)})
        self.assertEqual(self.ask(RequestCode.GET_EARLIEST_MSG_STORETIME, "X"), {"timestamp": "-1"})

    def test_unknown_queue_is_an_empty_one(self) -> None:
        """4.9 checks nothing here, and clients ask for topics that are still to come."""
        for code in (RequestCode.GET_MAX_OFFSET, RequestCode.GET_MIN_OFFSET):
            self.assertEqual(self.ask(code, "X"), {"offset": "0"})
        self.assertEqual(self.ask(RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, "X", timestamp=NOW_MS), {"offset": "0"})

    def test_field_of_the_wrong_type_is_named(self) -> None:
        """In the remark, by its wire name."""
        error = self.assertRaises(RequestError, self.ask, RequestCode.GET_MAX_OFFSET, queueId="x")
        self.assertIn("queueId", error.remark)

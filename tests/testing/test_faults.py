"""Rules by which requests fail."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pymq.errors import RequestError
from pymq.interfaces import IChannel, IProcessorTable, IRequestProcessor
from pymq.remoting.dispatcher import ProcessorTable
from pymq.testing.builders import heartbeat_request, pull_request, send_request
from pymq.testing.channels import FakeChannel
from pymq.testing.commands import CommandError, SetFault
from pymq.testing.faults import FAULT_KINDS, FaultRules, request_codes, response_code
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand


@implementer(IRequestProcessor)
class Answering:
    """Says SUCCESS to everything, and counts."""

    codes = frozenset({RequestCode.SEND_MESSAGE_V2, RequestCode.PULL_MESSAGE, RequestCode.HEART_BEAT})

    def __init__(self) -> None:
        self.count = 0
        self.error: RequestError | None = None

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        """Count, and answer."""
        self.count += 1
        if self.error is not None:
            raise self.error
        return request.reply()


class FaultRulesTests(SynchronousTestCase):
    """One port with one processor and one lane."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.rules = FaultRules(self.clock)
        self.processor = Answering()
        self.channel = FakeChannel()
        table = ProcessorTable()
        table.register(self.processor)
        self.lanes: dict[bytes, Any] = {}
        self.table = self.rules.front(table, self.lanes)
        self.lanes[b"lane"] = print
        self.rules.ports_served()

    def ask(self, request: RemotingCommand) -> Any:
        """What comes of a request."""
        processor = self.table.lookup(request.code)
        assert processor is not None
        return processor.process(self.channel, request)

    def test_it_is_a_table(self) -> None:
        """In front of the one that is behind."""
        verifyObject(IProcessorTable, self.table)
        self.assertIs(self.table.lookup(RequestCode.HEART_BEAT), self.processor)
        self.assertIsNone(self.table.lookup(RequestCode.END_TRANSACTION))

    def test_refuse(self) -> None:
        """The code and the remark of the rule; what it is not about is served."""
        self.rules.add(SetFault(kind="refuse", request="send", code="SYSTEM_BUSY", remark="no"))
        answer = self.ask(send_request())
        self.assertEqual((answer.code, answer.remark, self.processor.count), (ResponseCode.SYSTEM_BUSY, "no", 0))
        self.assertEqual(self.ask(pull_request()).code, 0)

    def test_by_topic(self) -> None:
        """Wherever the request names it."""
        self.rules.add(SetFault(kind="refuse", topic="orders", code=17))
        self.assertEqual(self.ask(send_request("orders")).code, 17)
        self.assertEqual(self.ask(pull_request("orders")).code, 17)
        self.assertEqual(self.ask(send_request("others")).code, 0)
        self.assertEqual(self.ask(heartbeat_request()).code, 0)

    def test_so_many_times(self) -> None:
        """Then the rule is gone."""
        self.rules.add(SetFault(kind="refuse", times=2))
        self.assertEqual([self.ask(send_request()).code for _ in range(3)], [2, 2, 0])
        self.assertEqual(self.rules.states, ())

    def test_slow(self) -> None:
        """Served after a while."""
        self.rules.add(SetFault(kind="slow", delay_s=3))
        answer: Deferred[Any] = self.ask(send_request())
        self.clock.advance(2.9)
        self.assertNoResult(answer)
        self.assertEqual(self.processor.count, 0)
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(answer).code, 0)

    def test_drop_and_drop_answer(self) -> None:
        """Nobody answers; but the latter was done, even when that failed."""
        self.rules.add(SetFault(kind="drop", times=1))
        self.rules.add(SetFault(kind="dropAnswer"))
        self.assertEqual((self.ask(send_request()), self.processor.count), (None, 0))
        self.assertEqual((self.ask(send_request()), self.processor.count), (None, 1))
        self.processor.error = RequestError(1, "no")
        self.assertEqual((self.ask(send_request()), self.processor.count), (None, 2))

    def test_disconnect(self) -> None:
        """The connection ends instead of an answer."""
        self.rules.add(SetFault(kind="disconnect"))
        self.assertIsNone(self.ask(send_request()))
        self.assertFalse(self.channel.is_open)

    def test_lanes_are_empty_meanwhile(self) -> None:
        """They would pass the rules by. When the last rule goes they are as before, also on ports that came in between."""
        first = self.rules.add(SetFault(kind="drop"))
        self.rules.add(SetFault(kind="drop"))
        self.assertEqual(self.lanes, {})
        more: dict[bytes, Any] = {}
        self.rules.front(ProcessorTable(), more)
        more[b"other"] = print
        self.rules.ports_served()
        self.assertEqual(more, {})
        self.rules.clear(first.fault)
        self.assertEqual((self.lanes, more), ({}, {}))
        self.assertEqual(self.rules.clear(), 1)
        self.assertEqual((self.lanes, more), ({b"lane": print}, {b"other": print}))

    def test_what_is_in_force(self) -> None:
        """The oldest first, with how often each struck."""
        self.rules.add(SetFault(kind="drop", request="pull", times=5))
        self.rules.add(SetFault(kind="refuse", request="HEART_BEAT"))
        self.ask(pull_request())
        told = [(state.fault, state.kind, state.request, state.left, state.struck) for state in self.rules.states]
        self.assertEqual(told, [(1, "drop", "pull", 4, 1), (2, "refuse", "HEART_BEAT", None, 0)])

    def test_words_for_requests_and_answers(self) -> None:
        """A word, Java's name or a number."""
        self.assertEqual(request_codes("send"), {10, 310, 320})
        self.assertEqual(request_codes("HEART_BEAT"), {34})
        self.assertEqual(request_codes(999), {999})
        self.assertEqual(request_codes(None), frozenset())
        self.assertEqual((response_code("TOPIC_NOT_EXIST"), response_code(17)), (17, 17))

    def test_what_cannot_be(self) -> None:
        """Says what can."""
        for given, said in (
            (SetFault(kind="refuze"), ", ".join(FAULT_KINDS)),
            (SetFault(kind="drop", request="sent"), "Did you mean send"),
            (SetFault(kind="refuse", code="SYSTEM_BUSSY"), "SYSTEM_BUSY"),
        ):
            self.assertIn(said, str(self.assertRaises(CommandError, self.rules.add, given)))
        self.assertIn("in force are none", str(self.assertRaises(CommandError, self.rules.clear, 7)))
        self.assertEqual(self.rules.states, ())

"""Requests reach their processors, and every two-way request gets an answer."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pymq.errors import RequestError
from pymq.interfaces import IChannel, IRequestProcessor
from pymq.remoting.dispatcher import OVERLOAD_REMARK, Dispatcher, ProcessorTable
from pymq.testing.channels import FakeChannel
from pymq.wire.command import RemotingCommand
from pymq.wire.frame import FRAME_BYTES_MAX, encode_frame


@implementer(IRequestProcessor)
class ScriptedProcessor:
    """Does for code 10 what the test put into `outcome`: returns it, or raises it."""

    codes = frozenset([10])

    def __init__(self) -> None:
        self.outcome: Any = None
        self.requests: list[RemotingCommand] = []

    def process(self, channel: IChannel, request: RemotingCommand) -> Any:
        """As the test wants it."""
        self.requests.append(request)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class EncodingChannel(FakeChannel):
    """Encodes what it sends, as a real channel does."""

    def send(self, command: RemotingCommand) -> None:
        """Encode and record."""
        encode_frame(command)
        super().send(command)


class ProcessorTableTests(SynchronousTestCase):
    """Codes and who serves them."""

    def test_lookup(self) -> None:
        """A registered code gives its processor, another one None."""
        table, processor = ProcessorTable(), ScriptedProcessor()
        table.register(processor)
        self.assertIs(table.lookup(10), processor)
        self.assertIsNone(table.lookup(11))

    def test_code_twice_is_an_error(self) -> None:
        """Two processors for one code are a mistake of the foreman."""
        table = ProcessorTable()
        table.register(ScriptedProcessor())
        self.assertRaises(ValueError, table.register, ScriptedProcessor())


class DispatcherTests(SynchronousTestCase):
    """One processor for code 10, one channel, at most two held requests."""

    def setUp(self) -> None:
        """Put them together."""
        self.processor = ScriptedProcessor()
        table = ProcessorTable()
        table.register(self.processor)
        self.dispatcher = Dispatcher(table, held_requests_max=2)
        self.channel = EncodingChannel()
        self.request = RemotingCommand.request(10, opaque=7)
        self.oneway = RemotingCommand.request(10, opaque=8, oneway=True)

    def dispatch(self, request: RemotingCommand) -> list[tuple[int, int, str | None]]:
        """What is sent in answer: (opaque, code, remark)."""
        self.dispatcher.command_received(self.channel, request)
        return [(command.opaque, command.code, command.remark) for command in self.channel.sent]

    def test_answer_is_sent(self) -> None:
        """What the processor returns goes back."""
        self.processor.outcome = self.request.reply(0)
        self.assertEqual(self.dispatch(self.request), [(7, 0, None)])

    def test_no_answer(self) -> None:
        """None means that the processor answers by itself, or not at all."""
        self.assertEqual(self.dispatch(self.request), [])

    def test_unknown_code_is_answered_in_java_words(self) -> None:
        """Code 3, with a remark that begins with a space."""
        self.assertEqual(self.dispatch(RemotingCommand.request(9999, opaque=3)), [(3, 3, " request type 9999 not supported")])

    def test_request_error_is_its_own_answer(self) -> None:
        """Code and remark of a RequestError are sent as they are, and not logged as failures."""
        self.processor.outcome = RequestError(17, "topic T1 does not exist")
        self.assertEqual(self.dispatch(self.request), [(7, 17, "topic T1 does not exist")])

    def test_other_errors_are_system_errors(self) -> None:
        """What nobody foresaw is answered with class and message, and logged with its traceback."""
        self.processor.outcome = ZeroDivisionError("by nothing")
        self.assertEqual(self.dispatch(self.request), [(7, 1, "ZeroDivisionError: by nothing")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_oneway_is_never_answered(self) -> None:
        """Neither with an answer nor with an error."""
        self.processor.outcome = self.oneway.reply(0)
        self.dispatch(self.oneway)
        self.processor.outcome = RequestError(1, "no")
        self.dispatch(self.oneway)
        self.assertEqual(self.dispatch(RemotingCommand.request(9999, oneway=True)), [])

    def test_late_answer(self) -> None:
        """A Deferred is held and its result sent."""
        self.processor.outcome = later = Deferred()
        self.assertEqual(self.dispatch(self.request), [])
        self.assertEqual(self.dispatcher.held_count(self.channel), 1)
        later.callback(self.request.reply(19))
        self.assertEqual([command.code for command in self.channel.sent], [19])
        self.assertEqual(self.dispatcher.held_count(self.channel), 0)

    def test_answer_that_is_there_already(self) -> None:
        """A Deferred that fired before is no special case."""
        self.processor.outcome = succeed(self.request.reply(0))
        self.assertEqual(self.dispatch(self.request), [(7, 0, None)])
        self.assertEqual(self.dispatcher.held_count(self.channel), 0)

    def test_late_error(self) -> None:
        """A Deferred's failure is answered as an exception is."""
        self.processor.outcome = later = Deferred()
        self.dispatch(self.request)
        later.errback(RequestError(2, "busy"))
        self.assertEqual([(command.code, command.remark) for command in self.channel.sent], [(2, "busy")])

    def test_closed_channel_cancels_what_is_held(self) -> None:
        """The canceller of a held pull takes it out of the holds; nothing is sent and nothing is left."""
        cancelled: list[Deferred[Any]] = []
        self.processor.outcome = Deferred(cancelled.append)
        self.dispatch(self.request)
        self.channel.lose()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(self.channel.sent, [])
        self.assertEqual(self.dispatcher.held_count(self.channel), 0)

    def test_channel_that_closed_meanwhile(self) -> None:
        """A request that is processed after its channel closed is not held at all."""
        cancelled: list[Deferred[Any]] = []
        self.processor.outcome = Deferred(cancelled.append)
        self.channel.lose()
        self.dispatch(self.request)
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(self.dispatcher.held_count(self.channel), 0)

    def test_cancelled_by_its_owner(self) -> None:
        """A held request that its processor gives up while the channel lives is answered: a client waits for it."""
        self.processor.outcome = later = Deferred()
        self.dispatch(self.request)
        later.cancel()
        self.assertEqual([command.code for command in self.channel.sent], [1])
        self.flushLoggedErrors()

    def test_bound_on_held_requests(self) -> None:
        """The third is refused at once with Java's words for overload, and is not processed."""
        for _ in range(2):
            self.processor.outcome = Deferred()
            self.dispatch(self.request)
        remark = f"{OVERLOAD_REMARK}, 2 requests of this connection wait for an answer"
        self.assertEqual(self.dispatch(self.request), [(7, 2, remark)])
        self.assertEqual(len(self.processor.requests), 2)

    def test_late_requests(self) -> None:
        """Are refused before they are processed; a oneway one without a word."""
        asked: list[tuple[int, float]] = []

        def late(code: int, waited_s: float) -> RequestError | None:
            asked.append((code, waited_s))
            return RequestError(2, "too late") if waited_s > 1 else None

        table = ProcessorTable()
        table.register(self.processor)
        dispatcher = Dispatcher(table, late=late)
        self.processor.outcome = self.request.reply(0)
        for request in (self.request, RemotingCommand(10, 8, 2)):
            dispatcher.command_received(self.channel, request, 1.5)
        self.assertEqual([(answer.opaque, answer.code, answer.remark) for answer in self.channel.sent], [(7, 2, "too late")])
        self.assertEqual(self.processor.requests, [])
        dispatcher.command_received(self.channel, self.request)
        self.assertEqual((len(self.processor.requests), asked), (1, [(10, 1.5), (10, 1.5), (10, 0.0)]))

    def test_answer_that_is_too_large(self) -> None:
        """The client is told rather than left waiting."""
        self.processor.outcome = self.request.reply(0, body=bytes(FRAME_BYTES_MAX))
        sent = self.dispatch(self.request)
        self.assertEqual([(opaque, code) for opaque, code, _ in sent], [(7, 1)])

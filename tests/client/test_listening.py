"""Listeners of every kind, and their verdicts."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from pymq.client.hooks import ConsumeMessageContext
from pymq.client.listening import ListenerCall, restore_topics
from pymq.client.results import ConsumeContext, ConsumeStatus
from pymq.message.namespaces import Namespace
from tests.client.cases import TOPIC, queue, stored

GOOD, BAD = ConsumeStatus.CONSUME_SUCCESS, ConsumeStatus.RECONSUME_LATER


class Hook:
    """Notes both moments."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def consume_message_before(self, context: ConsumeMessageContext) -> None:
        """Noted."""
        self.told.append("before")

    def consume_message_after(self, context: ConsumeMessageContext) -> None:
        """Noted."""
        self.told.append((context.status, type(context.error)))


class ListenerCallTests(SynchronousTestCase):
    """What comes of a call."""

    def verdict(self, listener: Any, *, is_orderly: bool = False, hooks: Any = ()) -> Any:
        """Call a listener with one message."""
        return ListenerCall("g", listener, hooks, is_orderly=is_orderly)([stored(0)], ConsumeContext(queue()))

    def test_answers_at_once(self) -> None:
        """A status is itself, None is success."""
        for given, expected in ((None, GOOD), (GOOD, GOOD), (BAD, BAD)):
            self.assertIs(self.verdict(lambda messages, context, given=given: given), expected)

    def test_the_words_of_an_ordered_listener(self) -> None:
        """Success and failure have their own."""
        self.assertIs(self.verdict(lambda *_: None, is_orderly=True), ConsumeStatus.SUCCESS)
        self.assertIs(self.verdict(lambda *_: 7, is_orderly=True), ConsumeStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT)
        self.flushLoggedErrors()

    def test_answers_later(self) -> None:
        """Deferreds, coroutines and other awaitables."""
        waiting: Deferred[Any] = Deferred()

        async def coroutine(messages: Any, context: Any) -> Any:
            return await waiting

        class Awaitable:
            def __await__(self) -> Any:
                return succeed(None).__await__()

        outcome = self.verdict(coroutine)
        self.assertNoResult(outcome)
        waiting.callback(BAD)
        self.assertIs(self.successResultOf(outcome), BAD)
        self.assertIs(self.successResultOf(self.verdict(lambda *_: succeed(GOOD))), GOOD)
        self.assertIs(self.successResultOf(self.verdict(lambda *_: Awaitable())), GOOD)

    def test_an_exception_is_a_failure(self) -> None:
        """At once or later; it is logged."""

        async def later(messages: Any, context: Any) -> Any:
            raise ZeroDivisionError

        self.assertIs(self.verdict(lambda *_: 1 // 0), BAD)
        self.assertIs(self.successResultOf(self.verdict(later)), BAD)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_nonsense_is_a_failure(self) -> None:
        """A user who returns True finds out."""
        self.assertIs(self.verdict(lambda *_: True), BAD)

    def test_cancelling_reaches_the_listener(self) -> None:
        """It is no error of the listener's."""
        waiting: Deferred[Any] = Deferred()
        outcome = self.verdict(lambda *_: waiting)
        outcome.cancel()
        self.assertIs(self.successResultOf(outcome), BAD)

    def test_hooks_see_both_ends(self) -> None:
        """Also of a call that fails."""
        hook = Hook()
        self.verdict(lambda *_: None, hooks=[hook])
        waiting: Deferred[Any] = Deferred()
        self.verdict(lambda *_: waiting, hooks=[hook])
        waiting.errback(CancelledError())
        self.assertEqual(hook.told, ["before", (GOOD, type(None)), "before", (BAD, CancelledError)])

    def test_retried_messages_get_their_topic_back(self) -> None:
        """The one they were sent to, without the namespace; what comes from any other topic keeps that."""
        retried, copied, strange = (stored(n, properties={"RETRY_TOPIC": "shop%origin"}) for n in range(3))
        retried.topic, copied.topic, strange.topic = "%RETRY%shop%g", "shop%copies", "other%topic"
        plain = stored(3)
        messages = [retried, copied, strange, plain]
        restore_topics(messages, "%RETRY%shop%g", Namespace("shop"))
        self.assertEqual([message.topic for message in messages], ["origin", "copies", "other%topic", TOPIC])

    def test_popped_messages_that_are_pulled_get_their_topic_back(self) -> None:
        """From the retry topics of POP; another group's is a topic like any other."""
        popped, popped_v2, strange = (stored(n) for n in range(3))
        popped.topic, popped_v2.topic = "%RETRY%shop%g_shop%origin", "%RETRY%shop%g+shop%origin"
        strange.topic = "%RETRY%other_t"
        restore_topics([popped, popped_v2, strange], "%RETRY%shop%g", Namespace("shop"))
        self.assertEqual([one.topic for one in (popped, popped_v2, strange)], ["origin", "origin", "%RETRY%other_t"])

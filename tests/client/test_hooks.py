"""Hooks are told, and cannot do harm."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.client.hooks import SendMessageContext, run_hooks
from tests.client.cases import queue


class Recorder:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def send_message_before(self, context: SendMessageContext) -> None:
        """Noted."""
        self.told.append(context)


class Broken:
    """Always fails."""

    def send_message_before(self, context: SendMessageContext) -> None:
        """Fails."""
        raise ZeroDivisionError


class HooksTests(SynchronousTestCase):
    """Calling them."""

    def test_a_broken_hook_stops_nobody(self) -> None:
        """The next hook is told, and the failure logged."""
        recorder, context = Recorder(), SendMessageContext("g", [], queue(), "a:1")
        run_hooks([Broken(), recorder], "send_message_before", context)
        self.assertEqual(recorder.told, [context])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

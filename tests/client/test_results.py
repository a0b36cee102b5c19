"""Verdicts and states."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.client.results import PULL_STATUS_OF_CODE, SEND_STATUS_OF_CODE, ConsumeStatus, PullStatus, SendStatus, ServiceState
from pymq.errors import NotStarted


class ResultsTests(SynchronousTestCase):
    """Tables and checks."""

    def test_success_of_both_kinds(self) -> None:
        """One pair for each kind of listener."""
        good = {status for status in ConsumeStatus if status.is_success}
        self.assertEqual(good, {ConsumeStatus.CONSUME_SUCCESS, ConsumeStatus.SUCCESS})

    def test_codes_that_mean_stored(self) -> None:
        """Four, of which three doubt the safety (remoting.md 3.2)."""
        self.assertEqual(sorted(SEND_STATUS_OF_CODE), [0, 10, 11, 12])
        self.assertIs(SEND_STATUS_OF_CODE[12], SendStatus.FLUSH_SLAVE_TIMEOUT)

    def test_codes_of_a_pull(self) -> None:
        """Four that are no errors (remoting.md 3.3)."""
        self.assertEqual(sorted(PULL_STATUS_OF_CODE), [0, 19, 20, 21])
        self.assertIs(PULL_STATUS_OF_CODE[21], PullStatus.OFFSET_ILLEGAL)

    def test_a_state_says_what_to_do(self) -> None:
        """Each text names the way out."""
        ServiceState.RUNNING.check_running("it")
        ServiceState.CREATE_JUST.check_new("it")
        for state, words in (
            (ServiceState.CREATE_JUST, "start()"),
            (ServiceState.START_FAILED, "make a new one"),
            (ServiceState.SHUTDOWN_ALREADY, "make a new one"),
        ):
            self.assertIn(words, str(self.assertRaises(NotStarted, state.check_running, "it")))
        self.assertRaises(NotStarted, ServiceState.RUNNING.check_new, "it")

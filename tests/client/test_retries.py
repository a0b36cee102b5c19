"""The pauses between the tries of one send."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.client.retries import PAUSE_FIRST_S, PAUSE_MAX_S, Retries
from pymq.errors import ConnectFailed


class RetriesTests(SynchronousTestCase):
    """Without chance."""

    def setUp(self) -> None:
        """Nothing failed yet."""
        self.retries = Retries(lambda: 1.0)

    def test_a_broker_that_did_not_fail_is_tried_at_once(self) -> None:
        """Also when another did."""
        self.assertEqual(self.retries.pause_s("a", 10.0), 0)
        self.retries.failed("a", None, 10.0)
        self.assertEqual(self.retries.pause_s("b", 10.0), 0)

    def test_pauses_grow(self) -> None:
        """Whichever of the failed brokers is tried."""
        for name in "ab":
            self.retries.failed(name, None, 10.0)
        pauses = [self.retries.pause_s(name, 10.0) for name in "ababab"]
        self.assertEqual(pauses, [min(PAUSE_FIRST_S * 2**n, PAUSE_MAX_S) for n in range(6)])

    def test_no_sooner_than_a_connection_is_made(self) -> None:
        """A try that fails without one would be wasted."""
        self.retries.failed("a", ConnectFailed("a:1", "refused", again_s=1.5), 10.0)
        self.assertEqual(self.retries.pause_s("a", 10.5), 1.0)

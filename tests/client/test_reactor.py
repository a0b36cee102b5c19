"""The default reactor is the process's."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.client.reactor import default_reactor
from pymq.interfaces import IClock


class ReactorTests(SynchronousTestCase):
    """The front door."""

    def test_it_gives_time(self) -> None:
        """Whatever reactor it is."""
        self.assertTrue(IClock.providedBy(default_reactor()))

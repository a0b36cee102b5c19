# Tests: tests/testing/test_cluster.py
"""What stands in place of a broker's threads where the disk is in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed


class NoThread:
    """Does the work at once (pymq.services.flushthread.WorkThread)."""

    def run(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """A Deferred that has the result, or the failure, already."""
        return maybeDeferred(function, *arguments)

    def start(self) -> None:
        """Nothing to begin."""

    def stop(self) -> Deferred[None]:
        """Nothing to end."""
        return succeed(None)

# Tests: tests/client/test_reactor.py
"""The front door's reactor: taken only when a client is made without one, and imported no sooner."""

from __future__ import annotations

from typing import Any


def default_reactor() -> Any:
    """The reactor of the process; the first call installs the platform's default unless another was installed before."""
    from twisted.internet import reactor

    return reactor

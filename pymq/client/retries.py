# Tests: tests/client/test_retries.py
"""The tries of one send: at once where nothing failed yet, after a pause where it just did."""

from __future__ import annotations

from collections.abc import Callable

from pymq.errors import ConnectFailed
from pymq.remoting.backoff import Backoff

#: The first pause before a broker is tried again, and the longest; the timeout of the send bounds them all.
PAUSE_FIRST_S = 0.1
PAUSE_MAX_S = 1.0


class Retries:
    """Remembers which brokers refused one message. Without a pause three tries could be over within a millisecond."""

    __slots__ = ("_again_at", "_backoff", "_chance")

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._again_at: dict[str, float] | None = None
        self._backoff: Backoff | None = None

    def pause_s(self, broker_name: str, now_s: float) -> float:
        """Seconds to wait before the message is sent to that broker: 0 for one that did not fail it yet."""
        if self._again_at is None or broker_name not in self._again_at:
            return 0.0
        if self._backoff is None:
            self._backoff = Backoff(PAUSE_FIRST_S, PAUSE_MAX_S, self._chance)
        return max(self._backoff.next_s(), self._again_at[broker_name] - now_s)

    def failed(self, broker_name: str, error: Exception | None, now_s: float) -> None:
        """A try at that broker did not go well; no connection to it is made before the error says so."""
        if self._again_at is None:
            self._again_at = {}
        self._again_at[broker_name] = now_s + (error.again_s if isinstance(error, ConnectFailed) else 0.0)

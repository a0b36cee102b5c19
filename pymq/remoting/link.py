# Tests: tests/remoting/test_client.py
"""The asking side's one connection to one address: made when it is needed, and after a failure not at once again."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, TimeoutError, fail, succeed
from twisted.python.failure import Failure

from pymq.errors import ConnectFailed, ConnectionClosed
from pymq.interfaces import IChannel, IClock
from pymq.remoting.backoff import Backoff
from pymq.remoting.protocol import RemotingProtocol

#: After a failure the next try waits, twice as long each time, up to the maximum; half of the time is chance.
BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 2.0
#: A connection that ends sooner than this counts as a failed try: the server takes connections and closes them.
SHORT_LIFE_S = 1.0
#: For so long after its connection ended a link still knows how often it failed; then it is forgotten.
FORGOTTEN_S = 120.0
#: How long a server may take to read the rest and to agree to a close; some never do so over TLS.
CLOSE_WAIT_S = 0.5


class Link:
    """The one connection to an address, and what to do while there is none. `opened` is told of each one that is made."""

    def __init__(
        self,
        address: str,
        clock: IClock,
        chance: Callable[[], float],
        dial: Callable[[], Deferred[RemotingProtocol]],
        opened: Callable[[str], None],
    ) -> None:
        self._address = address
        self._clock = clock
        self._dial = dial
        self._tell_opened = opened
        self._dialing: Deferred[RemotingProtocol] | None = None
        self._waiting: list[Deferred[RemotingProtocol]] = []
        self._backoff = Backoff(BACKOFF_FIRST_S, BACKOFF_MAX_S, chance)
        self._next_try_at = 0.0
        self._last_problem = ""
        self._opened_at = 0.0
        self._ended_at = clock.seconds()
        self.channel: RemotingProtocol | None = None

    def connected(self) -> Deferred[RemotingProtocol]:
        """The channel, when it is there. Fails with ConnectFailed; at once while a lately failed try is being waited out."""
        if self._dialing is None and self._clock.seconds() < self._next_try_at:
            return fail(self._failure())
        waiter: Deferred[RemotingProtocol] = Deferred(self._give_up)
        self._waiting.append(waiter)
        if self._dialing is None:
            self._dialing = dialing = self._dial()
            dialing.addCallbacks(self._opened, self._failed)
        return waiter

    def is_forgettable(self, now: float) -> bool:
        """Whether there was no connection, and no try to make one, for so long that nothing of it matters any more."""
        return self.channel is None and self._dialing is None and now - self._ended_at > FORGOTTEN_S

    def _failure(self) -> ConnectFailed:
        return ConnectFailed(self._address, self._last_problem, max(self._next_try_at - self._clock.seconds(), 0.0))

    def _give_up(self, waiter: Deferred[RemotingProtocol]) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def _opened(self, channel: RemotingProtocol) -> None:
        self._dialing = None
        self.channel = channel
        self._opened_at = self._clock.seconds()
        # Before those who wait: what a server must know of us shall come before what is asked of it.
        self._tell_opened(self._address)
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(channel)
        channel.on_close(self._closed)

    def _failed(self, failure: Failure) -> None:
        self._dialing = None
        self._back_off("no connection in time" if failure.check(TimeoutError) else failure.getErrorMessage())
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.errback(self._failure())

    def _closed(self, channel: IChannel, reason: str) -> None:
        if self.channel is channel:
            self.channel = None
            self._ended_at = self._clock.seconds()
            if self._ended_at - self._opened_at < SHORT_LIFE_S:
                self._back_off(reason)
            else:
                self._backoff.reset()

    def _back_off(self, problem: str) -> None:
        self._ended_at = self._clock.seconds()
        self._next_try_at = self._ended_at + self._backoff.next_s()
        self._last_problem = problem

    def close(self) -> Deferred[None]:
        """Close the connection, or stop making it. Fires when it is gone."""
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.errback(ConnectionClosed(f"the connection to {self._address} is closed by us"))
        if self._dialing is not None:
            self._dialing.cancel()
        channel, self.channel = self.channel, None
        gone: Deferred[None] = Deferred()
        if channel is None:
            return succeed(None)
        giving_up = self._clock.callLater(CLOSE_WAIT_S, channel.abort, "closed by us, and the server did not follow")

        def closed(*_: object) -> None:
            if giving_up.active():
                giving_up.cancel()
            gone.callback(None)

        channel.on_close(closed)
        channel.close()
        return gone

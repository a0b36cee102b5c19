# Tests: tests/services/test_addressserver.py
"""Name server addresses from an HTTP server, for sites that keep them in one place (Java: TopAddressing, MixAll.getWSAddr)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone
from twisted.web.http import PotentialDataLoss

from pymq.broker.config import check_name_servers
from pymq.errors import ConfigError
from pymq.interfaces import IClock

#: The first fetch follows the start so much later, and the next ones each other (remoting.md 6.2).
FIRST_FETCH_S = 10.0
FETCH_PERIOD_S = 120.0
#: How long an answer may take, and how long it may be.
TIMEOUT_S = 3.0
BODY_BYTES_MAX = 64 * 1024

_PORT = 8080
_OK = 200


def url_of(domain: str, sub_group: str) -> str:
    """Where the addresses are (rmqAddressServerDomain, rmqAddressServerSubGroup). A domain may bring its own port."""
    host = domain if ":" in domain else f"{domain}:{_PORT}"
    return f"http://{host}/rocketmq/{sub_group}"


class AddressServer:
    """Asks `url` for `host:port;host:port`, and tells `on_addresses(list of host:port)` when the answer is another than before.

    `agent` is Twisted's `IAgent`. What cannot be had or read is logged and changes nothing.
    """

    _log = Logger()

    def __init__(self, url: str, *, agent: Any, clock: IClock, on_addresses: Callable[[list[str]], object]) -> None:
        self._url = url
        self._agent = agent
        self._clock = clock
        self._on_addresses = on_addresses
        self._known: list[str] = []

    async def fetch(self) -> None:
        """Ask once. Never fails."""
        answering = Deferred.fromCoroutine(self._ask())
        answering.addTimeout(TIMEOUT_S, self._clock)
        try:
            line = await answering
            addresses = [f"{host}:{port}" for host, port in check_name_servers(line)]
        except ConfigError as error:
            self._log.warn("{url} answers no name server addresses: {error}", url=self._url, error=error)
        except Exception as error:
            self._log.warn("no name server addresses from {url}: {error!r}", url=self._url, error=error)
        else:
            if addresses and addresses != self._known:
                self._log.info("name server address changed, old: {old} new: {new}", old=self._known, new=addresses)
                self._known = addresses
                self._on_addresses(addresses)

    async def _ask(self) -> str:
        """The first line of the answer's body. Raises ValueError for an answer that is none."""
        response = await self._agent.request(b"GET", self._url.encode("ascii"))
        reader = _LineReader()
        response.deliverBody(reader)
        line = await reader.line
        if response.code != _OK:
            raise ValueError(f"the answer has status {response.code}")
        return line.decode("utf-8").strip()


class _LineReader(Protocol):
    """Gives the first line of a body, leaving empty ones out, and reads no more than BODY_BYTES_MAX of it."""

    def __init__(self) -> None:
        self.line: Deferred[bytes] = Deferred(lambda _: self._stop())
        self._body = b""

    def dataReceived(self, data: bytes) -> None:
        """More of the body."""
        self._body = (self._body + data)[:BODY_BYTES_MAX].lstrip()
        if b"\n" in self._body or len(self._body) == BODY_BYTES_MAX:
            self._stop()
            self._done()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end of the body, or of the connection."""
        if reason.check(ResponseDone, PotentialDataLoss):
            self._done()
        elif not self.line.called:
            self.line.errback(reason)

    def _done(self) -> None:
        if not self.line.called:
            self.line.callback(self._body.split(b"\n")[0])

    def _stop(self) -> None:
        transport: Any = self.transport
        transport.loseConnection()


def agent_of(reactor: Any) -> Any:
    """Twisted's HTTP client, with our time to connect."""
    return Agent(reactor, connectTimeout=TIMEOUT_S)

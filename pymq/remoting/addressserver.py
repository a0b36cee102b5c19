# Tests: tests/remoting/test_addressserver.py
"""Name server addresses from an HTTP server, for sites that keep them in one place (Java: TopAddressing, MixAll.getWSAddr)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from pymq.interfaces import IClock
from pymq.remoting.client import Connect, parse_address

#: The first fetch follows the start so much later, and the next ones each other (remoting.md 6.2).
FIRST_FETCH_S = 10.0
FETCH_PERIOD_S = 120.0
#: How long an answer may take, and how long it may be.
TIMEOUT_S = 3.0
BODY_BYTES_MAX = 64 * 1024

_PORT = 8080
_OK = 200


def url_of(domain: str, sub_group: str, unit_name: str = "") -> str:
    """Where the addresses are, those of a unit of clients apart. A domain may bring its own port.

    A broker's settings are rmqAddressServerDomain and rmqAddressServerSubGroup, a client's rocketmq.namesrv.domain and
    rocketmq.namesrv.domain.subgroup.
    """
    host = domain if ":" in domain else f"{domain}:{_PORT}"
    return f"http://{host}/rocketmq/{sub_group}" + (f"-{unit_name}?nofix=1" if unit_name else "")


class AddressServer:
    """Asks `url` for `host:port;host:port`. `agent` is Twisted's `IAgent`; `on_addresses` is for those who `fetch`."""

    _log = Logger()

    def __init__(
        self, url: str, *, agent: Any, clock: IClock, on_addresses: Callable[[list[str]], object] = lambda addresses: None
    ) -> None:
        self._url = url
        self._agent = agent
        self._clock = clock
        self._on_addresses = on_addresses
        self._known: list[str] = []

    async def ask(self) -> list[str]:
        """The addresses, each host:port. Raises ValueError for an answer that is none, and what connecting may raise."""
        answering = Deferred.fromCoroutine(self._ask())
        answering.addTimeout(TIMEOUT_S, self._clock)
        line = await answering
        addresses = [word for word in (part.strip() for part in line.split(";")) if word]
        for address in addresses:
            parse_address(address)
        return addresses

    async def fetch(self) -> None:
        """Ask once, and tell `on_addresses` when they are others than before. Never fails: that is logged and changes nothing."""
        try:
            addresses = await self.ask()
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


def agent_of(clock: IClock, connect: Connect) -> Any:
    """Twisted's HTTP client over these connections, with our time to make one."""
    return Agent.usingEndpointFactory(clock, _Endpoints(clock, connect))


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """What the HTTP client asks for a way to a server."""

    def __init__(self, clock: IClock, connect: Connect) -> None:
        self._clock = clock
        self._connect = connect

    def endpointForURI(self, uri: Any) -> IStreamClientEndpoint:
        """The way to the server of a URI."""
        return _Endpoint(self._clock, lambda factory: self._connect(uri.host.decode("ascii"), uri.port, factory))


@implementer(IStreamClientEndpoint)
class _Endpoint:
    """One server."""

    def __init__(self, clock: IClock, dial: Callable[[Factory], Deferred[Any]]) -> None:
        self._clock = clock
        self._dial = dial

    def connect(self, protocolFactory: Any) -> Deferred[Any]:  # noqa: N803  # the interface names it
        """A connection, or a TimeoutError."""
        return self._dial(protocolFactory).addTimeout(TIMEOUT_S, self._clock)

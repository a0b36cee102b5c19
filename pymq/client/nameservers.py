# Tests: tests/client/test_nameservers.py
"""The name servers as a client uses them: one is asked at a time, the next one when that fails."""

from __future__ import annotations

from collections.abc import Container, Sequence

from twisted.logger import Logger

from pymq.client.transport import TRANSPORT_ERRORS, IRemoting, check
from pymq.errors import BrokerRefused, NoNameServer
from pymq.wire.bodies.routes import TopicRouteData, decode_route
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.fields import CommandHeader
from pymq.wire.headers.routes import GetRouteInfoRequestHeader

_NONE_KNOWN = 'no name server is known; give namesrv_addr="host:9876" or set NAMESRV_ADDR'


class NameServers:
    """Asks name servers (Java: the name server part of NettyRemotingClient). All of them are expected to know the same."""

    _log = Logger()

    def __init__(self, remoting: IRemoting, addresses: Sequence[str]) -> None:
        self._remoting = remoting
        self._addresses = tuple(addresses)
        #: Who is asked first (Java: namesrvAddrChoosed): the one that answered last, or whoever comes after the one that did not.
        self._chosen = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses as host:port."""
        return self._addresses

    def update(self, addresses: Sequence[str]) -> bool:
        """Use other name servers from now on; whether they are others. An empty list changes nothing.

        The connections to those that are not among them any more are closed; what they were being asked is asked elsewhere.
        """
        gone = set(self._addresses) - set(addresses)
        if not addresses or set(addresses) == set(self._addresses):
            return False
        self._log.info("the name servers are now {addresses}", addresses=";".join(addresses))
        self._addresses = tuple(addresses)
        for address in sorted(gone):
            self._remoting.close(address)
        return True

    def _next(self, failed: Container[str]) -> str | None:
        """Whom to ask, beginning with the chosen one and leaving out those that failed; None when all have."""
        addresses = self._addresses
        first = addresses.index(self._chosen) if self._chosen in addresses else 0
        in_turn = (*addresses[first:], *addresses[:first])
        return next((address for address in in_turn if address not in failed), None)

    async def ask(self, code: int, header: CommandHeader | None, timeout_s: float) -> RemotingCommand:
        """The answer of the first name server that gives one. Raises NoNameServer, BrokerRefused."""
        if not self._addresses:
            raise NoNameServer(_NONE_KNOWN)
        failures: dict[str, Exception] = {}
        while (address := self._next(failures)) is not None:
            try:
                response = await self._remoting.request(address, RemotingCommand.request(code, header), timeout_s)
            except TRANSPORT_ERRORS as error:
                failures[address] = error
                continue
            self._chosen = address
            return check(response, address)
        said = "; ".join(f"{address}: {error}" for address, error in failures.items())
        raise NoNameServer(f"no name server answered; is one running there? {said}")

    async def ask_all(self, code: int, header: CommandHeader | None, timeout_s: float) -> list[RemotingCommand]:
        """The answers of all name servers, in turn: they do not tell each other what they are told.

        Raises NoNameServer, BrokerRefused, TRANSPORT_ERRORS at the first that does not do it.
        """
        if not self._addresses:
            raise NoNameServer(_NONE_KNOWN)
        command = RemotingCommand.request(code, header)
        return [check(await self._remoting.request(address, command, timeout_s), address) for address in self._addresses]

    async def route(self, topic: str, timeout_s: float) -> TopicRouteData | None:
        """GET_ROUTEINFO_BY_TOPIC: the route, or None when the name server knows none. Raises NoNameServer, BrokerRefused."""
        try:
            response = await self.ask(RequestCode.GET_ROUTEINFO_BY_TOPIC, GetRouteInfoRequestHeader(topic=topic), timeout_s)
        except BrokerRefused as error:
            if error.code == ResponseCode.TOPIC_NOT_EXIST:
                return None
            raise
        return decode_route(response.body)

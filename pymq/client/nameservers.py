# Tests: tests/client/test_nameservers.py
"""The name servers as a client uses them: one is asked at a time, the next one when that fails."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger

from pymq.client.transport import TRANSPORT_ERRORS, IRemoting
from pymq.errors import BrokerRefused, NoNameServer
from pymq.wire.bodies.routes import TopicRouteData, decode_route
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.fields import CommandHeader
from pymq.wire.headers.routes import GetRouteInfoRequestHeader


class NameServers:
    """Asks name servers (Java: the name server part of NettyRemotingClient). All of them are expected to know the same."""

    _log = Logger()

    def __init__(self, remoting: IRemoting, addresses: Sequence[str], *, first: int = 0) -> None:
        self._remoting = remoting
        self._addresses = tuple(addresses)
        self._current = first

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses as host:port."""
        return self._addresses

    def update(self, addresses: Sequence[str]) -> bool:
        """Use other name servers from now on; whether they are others. An empty list changes nothing."""
        if not addresses or set(addresses) == set(self._addresses):
            return False
        self._log.info("the name servers are now {addresses}", addresses=";".join(addresses))
        self._addresses = tuple(addresses)
        return True

    async def ask(self, code: int, header: CommandHeader | None, timeout_s: float) -> RemotingCommand:
        """The answer of the first name server that gives one. Raises NoNameServer, BrokerRefused."""
        addresses = self._addresses
        if not addresses:
            raise NoNameServer('no name server is known; give namesrv_addr="host:9876" or set NAMESRV_ADDR')
        failures = []
        for _ in range(len(addresses)):
            address = addresses[self._current % len(addresses)]
            try:
                response = await self._remoting.request(address, RemotingCommand.request(code, header), timeout_s)
            except TRANSPORT_ERRORS as error:
                failures.append(f"{address}: {error}")
                self._current += 1
                continue
            if response.code != ResponseCode.SUCCESS:
                raise BrokerRefused(response.code, response.remark, address)
            return response
        raise NoNameServer("no name server answered; is one running there? " + "; ".join(failures))

    async def route(self, topic: str, timeout_s: float) -> TopicRouteData | None:
        """GET_ROUTEINFO_BY_TOPIC: the route, or None when the name server knows none. Raises NoNameServer, BrokerRefused."""
        try:
            response = await self.ask(RequestCode.GET_ROUTEINFO_BY_TOPIC, GetRouteInfoRequestHeader(topic=topic), timeout_s)
        except BrokerRefused as error:
            if error.code == ResponseCode.TOPIC_NOT_EXIST:
                return None
            raise
        return decode_route(response.body)

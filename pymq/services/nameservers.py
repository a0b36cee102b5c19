# Tests: tests/services/test_nameservers.py
"""The name servers as a broker uses them: all are told, side by side, and one that does not answer hinders no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pymq.errors import PyMQError
from pymq.interfaces import IChannel, INameServers
from pymq.remoting.client import RemotingClient
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.routes import (
    RegisterBrokerRequestHeader,
    RegisterBrokerResponseHeader,
    UnRegisterBrokerRequestHeader,
)

#: How long a stopping broker waits for a name server.
UNREGISTER_TIMEOUT_S = 3.0


@implementer(INameServers)
class RemoteNameServers:
    """Name servers by address, over a RemotingClient (Java: BrokerOuterAPI).

    `timeout_s` is `registerBrokerTimeoutMills`. When the connection over which a registration was accepted ends, the name server
    forgets the broker at that moment (remoting.md 3.1).
    """

    _log = Logger()

    def __init__(self, client: RemotingClient, addresses: Iterable[str], *, timeout_s: float) -> None:
        self._client = client
        self._addresses = tuple(addresses)
        self._timeout_s = timeout_s
        self._watched: dict[str, IChannel] = {}
        self._forgotten: list[Callable[[], None]] = []

    @property
    def addresses(self) -> tuple[str, ...]:
        """The name servers, as host:port."""
        return self._addresses

    def update(self, addresses: Iterable[str]) -> bool:
        """Use these name servers from now on; whether they are others than before. Those left out forget the broker in time."""
        before, self._addresses = self._addresses, tuple(addresses)
        for address in set(before) - set(self._addresses):
            self._watched.pop(address, None)
        return before != self._addresses

    def register(
        self, header: RegisterBrokerRequestHeader, body: bytes
    ) -> Deferred[list[tuple[str, RegisterBrokerResponseHeader]]]:
        """Register with every name server; (address, result header) of those that accepted. Never fails."""
        command = RemotingCommand.request(RequestCode.REGISTER_BROKER, header, body)
        asked = [self._register_with(address, command) for address in self._addresses]
        return gatherResults(asked).addCallback(lambda results: [result for result in results if result is not None])

    def _register_with(self, address: str, command: RemotingCommand) -> Deferred[tuple[str, RegisterBrokerResponseHeader] | None]:
        def answered(response: RemotingCommand) -> tuple[str, RegisterBrokerResponseHeader] | None:
            if response.code != ResponseCode.SUCCESS:
                self._log.warn("name server {address} refuses the registration: {response!r}", address=address, response=response)
                return None
            self._watch(address)
            return address, RegisterBrokerResponseHeader.from_fields(response.ext_fields)

        asked: Deferred[Any] = self._client.request(address, command, self._timeout_s)
        return asked.addCallback(answered).addErrback(self._unanswered, address)

    def _unanswered(self, failure: Failure, address: str) -> None:
        failure.trap(PyMQError)
        self._log.warn("name server {address} did not answer: {error}", address=address, error=failure.getErrorMessage())

    def _watch(self, address: str) -> None:
        """Learn of the end of the connection that made the broker known."""
        channel = self._client.channel_to(address)
        if channel is None or self._watched.get(address) is channel:
            return
        self._watched[address] = channel

        def closed(_: IChannel, reason: str) -> None:
            if self._watched.get(address) is channel:
                del self._watched[address]
                self._log.warn("the connection to name server {address} is {reason}", address=address, reason=reason)
                for callback in self._forgotten:
                    callback()

        channel.on_close(closed)

    def on_forgotten(self, callback: Callable[[], None]) -> None:
        """Call `callback()` whenever a name server that accepted a registration forgot it."""
        self._forgotten.append(callback)

    def unregister(self, header: UnRegisterBrokerRequestHeader) -> Deferred[None]:
        """Unregister from every name server; fires when all answered or failed."""
        self._watched.clear()
        command = RemotingCommand.request(RequestCode.UNREGISTER_BROKER, header)
        asked: list[Deferred[Any]] = [
            self._client.request(address, command, UNREGISTER_TIMEOUT_S).addErrback(self._unanswered, address)
            for address in self._addresses
        ]
        return gatherResults(asked).addCallback(lambda _: None)

"""Listening sockets: they raise when a port is taken, and pairs keep their distance."""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from pymq.services.listening import CannotListen, Listener, host_name, listen, listen_pair, local_address


class Port:
    """A listening port in memory."""

    def __init__(self, taken: set[int], number: int) -> None:
        self._taken = taken
        self.number = number

    def getHost(self) -> IPv4Address:
        """Where it listens."""
        return IPv4Address("TCP", "127.0.0.1", self.number)

    def stopListening(self) -> Deferred[None]:
        """Free the port."""
        self._taken.discard(self.number)
        return succeed(None)


class Ports:
    """A reactor that knows ports only; `free` are the numbers that port 0 gives, in order."""

    def __init__(self, taken: set[int], free: list[int]) -> None:
        self.taken = taken
        self.free = free

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Port:
        """Take a port, or say that it is taken."""
        number = port or self.free.pop(0)
        if number in self.taken:
            raise CannotListenError(interface, number, OSError(errno.EADDRINUSE, "Address already in use"))
        self.taken.add(number)
        return Port(self.taken, number)


class ListenTests(SynchronousTestCase):
    """One port."""

    def test_a_taken_port_raises_with_its_number(self) -> None:
        """A broker that cannot listen must exit."""
        error = self.assertRaises(CannotListen, listen, Ports({10911}, []), 10911, None, "0.0.0.0")
        self.assertEqual(str(error), "cannot listen on 0.0.0.0:10911: Address already in use")


class PairTests(SynchronousTestCase):
    """The main port and the VIP port two below it."""

    def numbers(self, reactor: Ports, port: int) -> tuple[int, int]:
        """The pair's numbers."""
        main, vip = listen_pair(reactor, port, -2, None, None, "")
        return main.getHost().port, vip.getHost().port

    def test_a_given_port_is_taken_with_its_neighbour(self) -> None:
        """10911 and 10909."""
        self.assertEqual(self.numbers(Ports(set(), []), 10911), (10911, 10909))

    def test_free_ports_are_tried_until_a_pair_fits(self) -> None:
        """A free port whose neighbour is taken is given back."""
        reactor = Ports({98}, [100, 200])
        self.assertEqual(self.numbers(reactor, 0), (200, 198))
        self.assertEqual(reactor.taken, {98, 200, 198})

    def test_a_given_port_without_its_neighbour_is_given_back(self) -> None:
        """And the error names the neighbour."""
        reactor = Ports({10909}, [])
        error = self.assertRaises(CannotListen, listen_pair, reactor, 10911, -2, None, None, "")
        self.assertIn(":10909:", str(error))
        self.assertEqual(reactor.taken, {10909})

    def test_the_search_for_a_pair_ends(self) -> None:
        """After a bounded number of tries."""
        odd = list(range(1001, 2001, 5))
        self.assertRaises(CannotListen, listen_pair, Ports({number - 2 for number in odd}, odd), 0, -2, None, None, "")


class ListenerTests(SynchronousTestCase):
    """A port as a part of a service."""

    def test_stopping_waits_for_the_connections(self) -> None:
        """First the port, then every connection."""
        gone: Deferred[None] = Deferred()

        class Factory:
            """A factory whose connections end when `gone` fires."""

            def close_all(self) -> Deferred[None]:
                """Wait for all to be gone."""
                return gone

        reactor = Ports(set(), [])
        listener = Listener(reactor.listenTCP(5, None), Factory())
        listener.start()
        self.assertEqual(listener.number, 5)
        stopped = listener.stop()
        self.assertEqual(reactor.taken, set())
        self.assertNoResult(stopped)
        gone.callback(None)
        self.successResultOf(stopped)


class AddressTests(SynchronousTestCase):
    """What a broker calls itself when nobody says."""

    def test_there_is_always_an_address_and_a_name(self) -> None:
        """Loopback at least."""
        self.assertRegex(local_address(), r"^\d+\.\d+\.\d+\.\d+$")
        self.assertTrue(host_name())

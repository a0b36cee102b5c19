"""The real remoting stands where the client wants one."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.client.config import ClientConfig
from pymq.client.transport import TRANSPORT_ERRORS, connect_remoting
from pymq.remoting.dispatcher import ProcessorTable
from pymq.wire.command import RemotingCommand


class TransportTests(SynchronousTestCase):
    """What requests can fail with."""

    def test_failures_are_among_the_expected(self) -> None:
        """A bad address, and use after close."""
        remoting = connect_remoting(Clock(), ProcessorTable(), ClientConfig())
        self.failureResultOf(remoting.request("nonsense", RemotingCommand.request(105), 3), *TRANSPORT_ERRORS)
        remoting.sweep_idle()
        self.successResultOf(remoting.close())
        self.failureResultOf(remoting.request("10.0.0.1:9876", RemotingCommand.request(105), 3), *TRANSPORT_ERRORS)

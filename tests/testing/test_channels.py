"""The fake channel behaves as a channel does."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import ConnectionClosed
from pymq.interfaces import IChannel
from pymq.testing.channels import ChannelRecorder, FakeChannel
from pymq.wire.command import RemotingCommand
from pymq.wire.frame import encode_frame


class FakeChannelTests(SynchronousTestCase):
    """What is sent is recorded, what is asked is answered by script."""

    def setUp(self) -> None:
        """A channel and a request."""
        self.channel = FakeChannel()
        self.command = RemotingCommand.request(40)

    def test_records(self) -> None:
        """Commands and parts, the latter readable as commands."""
        self.channel.send(self.command)
        frame = encode_frame(self.command)
        self.channel.write_parts([frame[:9], memoryview(frame)[9:]])
        self.assertEqual(self.channel.sent, [self.command])
        self.assertEqual(self.channel.written_commands(), [self.command])

    def test_scripted_answers(self) -> None:
        """An answer, an error, or a callable that makes one."""
        self.channel.answers = {40: self.command.reply(0), 41: ConnectionClosed("x"), 42: lambda request: request.reply(7)}
        self.assertEqual(self.successResultOf(self.channel.request(self.command, 3)).code, 0)
        self.failureResultOf(self.channel.request(RemotingCommand.request(41), 3), ConnectionClosed)
        self.assertEqual(self.successResultOf(self.channel.request(RemotingCommand.request(42), 3)).code, 7)
        self.assertEqual(self.channel.requests[0], (self.command, 3))

    def test_unanswered_requests_wait(self) -> None:
        """Until the test fires them, or they are cancelled, or the channel closes."""
        first, second, third = (self.channel.request(self.command, 3) for _ in range(3))
        self.channel.waiting[0][1].callback(self.command.reply(5))
        self.assertEqual(self.successResultOf(first).code, 5)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        del self.channel.waiting[0]
        self.channel.lose("pulled")
        self.failureResultOf(third, ConnectionClosed)

    def test_closed(self) -> None:
        """Nothing is recorded any more; whoever asked is told once, whoever took it back is not."""
        told: list[tuple[IChannel, str]] = []
        self.channel.on_close(lambda channel, reason: told.append((channel, reason)))
        self.channel.on_close(lambda channel, reason: told.append((channel, "taken back")))()
        self.channel.close()
        self.channel.close()
        self.channel.on_close(lambda channel, reason: told.append((channel, f"late: {reason}")))
        self.channel.send(self.command)
        self.channel.write_parts([b"x"])
        self.assertEqual(told, [(self.channel, "closed by us"), (self.channel, "late: closed by us")])
        self.assertEqual((self.channel.sent, self.channel.written), ([], []))
        self.failureResultOf(self.channel.request(self.command, 3), ConnectionClosed)


class ChannelRecorderTests(SynchronousTestCase):
    """The recorder remembers."""

    def test_remembers(self) -> None:
        """Openings and closings."""
        recorder, channel = ChannelRecorder(), FakeChannel()
        recorder.channel_opened(channel)
        recorder.channel_closed(channel, "why")
        self.assertEqual((recorder.opened, recorder.closed), ([channel], [(channel, "why")]))

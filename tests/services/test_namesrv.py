"""The foreman of a name server, on a reactor in memory."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from pymq.namesrv.config import NamesrvConfig
from pymq.services.namesrv import NamesrvController
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.frame import FrameReader, encode_frame


class NamesrvControllerTests(SynchronousTestCase):
    """It listens, answers, and leaves nothing behind."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.reactor.advance(1_700_000_000)
        self.said: list[str] = []
        self.folder = Path(self.mktemp()).absolute()

    def controller(self) -> NamesrvController:
        """A name server on port 9999 with its files in a folder of this test."""
        config = NamesrvConfig(
            listen_port=9999,
            kv_config_path=str(self.folder / "kvConfig.json"),
            config_store_path=str(self.folder / "namesrv.properties"),
        )
        return NamesrvController(config, reactor=self.reactor, say=self.said.append)

    def ask(self, request: RemotingCommand) -> RemotingCommand:
        """One question over a new connection."""
        port, factory = self.reactor.tcpServers[0][:2]
        self.assertEqual(port, 9999)
        protocol = factory.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(encode_frame(request))
        reader = FrameReader()
        reader.feed(transport.value())
        answer = reader.next_command()
        assert answer is not None
        return answer

    def test_it_says_that_it_is_there(self) -> None:
        """With the words that scripts wait for."""
        self.controller().startService()
        self.assertEqual(self.said, ["The Name Server boot success. serializeType=JSON, address 0.0.0.0:9999"])

    def test_it_answers(self) -> None:
        """An unknown topic has no route."""
        self.controller().startService()
        request = RemotingCommand(code=RequestCode.GET_ROUTEINFO_BY_TOPIC, ext_fields={"topic": "none"}, opaque=7)
        answer = self.ask(request)
        self.assertEqual((answer.code, answer.opaque), (ResponseCode.TOPIC_NOT_EXIST, 7))

    def test_an_unknown_code_is_answered(self) -> None:
        """Java 4.9.8 would let the client wait."""
        self.controller().startService()
        self.assertEqual(self.ask(RemotingCommand(code=9999)).code, ResponseCode.REQUEST_CODE_NOT_SUPPORTED)

    def test_settings_changed_by_tools_are_kept(self) -> None:
        """In the file that configStorePath names."""
        self.controller().startService()
        answer = self.ask(RemotingCommand(code=RequestCode.UPDATE_NAMESRV_CONFIG, body=b"orderMessageEnable=true"))
        self.assertEqual(answer.code, ResponseCode.SUCCESS)
        self.assertIn("orderMessageEnable=true", (self.folder / "namesrv.properties").read_text(encoding="utf-8"))

    def test_a_stop_leaves_nothing_behind(self) -> None:
        """No delayed call; twice is harmless."""
        controller = self.controller()
        controller.startService()
        stopped = controller.stopService()
        assert stopped is not None
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertIs(controller.stopService(), None)

"""The life of the kit's servers."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from pymq.errors import ConfigError
from pymq.services.listening import CannotListen
from pymq.testing.commands import CommandError
from pymq.testing.kit import KILLED, PAUSED, RUNNING, Kit, settings_text


class KitTests(TestCase):
    """Trial sees to it that nothing is left on the reactor after each."""

    timeout = 30

    def kit(self, **settings: str | int | bool) -> Kit:
        """One that is stopped after the test."""
        kit = Kit(settings, reactor=reactor)
        # Older Twisteds do not run the coroutines that cleanups give.
        self.addCleanup(lambda: Deferred.fromCoroutine(kit.stop()))
        return kit

    async def test_start_and_stop(self) -> None:
        """Again and again, on the same ports."""
        kit = self.kit()
        await kit.start()
        status = kit.status()
        self.assertEqual((status.state, status.broker_name, status.skipped_s), (RUNNING, "broker-a", 0))
        self.assertNotEqual(status.name_server, status.broker)
        await kit.stop()
        self.assertEqual(kit.state, KILLED)
        await kit.start()
        self.assertEqual(kit.status().broker, status.broker)

    async def test_ports_of_ones_own(self) -> None:
        """For a test that must know them before; a taken one is told of, and nothing is left of the start."""
        first = self.kit()
        await first.start()
        taken = int(first.name_server.rpartition(":")[2])
        second = self.kit(embeddedNamesrvListenPort=taken)
        with self.assertRaises(CannotListen):
            await second.start()
        third = self.kit(listenPort=int(first.status().broker.rpartition(":")[2]))
        with self.assertRaises(CannotListen):
            await third.start()
        await first.stop()
        await second.start()
        self.assertEqual(second.name_server, f"127.0.0.1:{taken}")

    async def test_states(self) -> None:
        """What can be done in which."""
        kit = self.kit()
        await kit.start()
        self.assertRaises(CommandError, kit.resume)
        kit.pause()
        self.assertEqual(kit.state, PAUSED)
        await kit.kill()
        for work in (kit.pause, kit.resume, kit.check_runs):
            self.assertRaises(CommandError, work)
        with self.assertRaises(CommandError):
            await kit.kill()
        await kit.restart()
        kit.pause()
        await kit.restart()
        self.assertEqual(kit.state, RUNNING)
        await kit.kill()
        await kit.reset()
        self.assertEqual(kit.state, RUNNING)

    def test_settings(self) -> None:
        """Apache's keys, as text; the kit's own are not to be had."""
        self.assertEqual(settings_text({"autoCreateTopicEnable": False}), {"autoCreateTopicEnable": "false"})
        for key, value in (("namesrvAddr", "a:1"), ("storePathRootDir", "/x"), ("storeType", "default"), ("nonsense", 1)):
            self.assertRaises(ConfigError, settings_text, {key: value})

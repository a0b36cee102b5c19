"""Tests of pymq.broker.processors.livesettings."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.processors.livesettings import LiveSettings
from pymq.errors import ConfigError
from pymq.store.config import MessageStoreConfig
from tests.broker.fixtures import broker_config, started_clock


class LiveSettingsTests(SynchronousTestCase):
    """Settings of a running broker."""

    def setUp(self) -> None:
        """Both settings objects of a broker; `told` are the keys of each change."""
        self.broker, self.store = broker_config(), MessageStoreConfig()
        self.told: list[frozenset[str]] = []
        self.settings = LiveSettings(
            self.broker, self.store, clock=started_clock(), black_list=["configBlackList"], on_change=self.told.append
        )

    def test_text_has_all_settings(self) -> None:
        """As lines, those of the broker first."""
        lines = self.settings.text().splitlines()
        self.assertIn("brokerName=broker-a", lines)
        self.assertIn("flushDiskType=ASYNC_FLUSH", lines)

    def test_change_is_seen_by_all_who_hold_the_settings(self) -> None:
        """They are changed in place; the version grows."""
        version = self.settings.version
        self.settings.update({"autoCreateTopicEnable": "false", "maxMessageSize": "100", "unknownKey": "x"})
        self.assertEqual((self.broker.auto_create_topic_enable, self.store.max_message_size), (False, 100))
        self.assertEqual(self.settings.version.counter, version.counter + 1)
        self.assertEqual(self.told, [frozenset({"autoCreateTopicEnable", "maxMessageSize"})])

    def test_what_is_so_already(self) -> None:
        """Is no change, even of a setting that cannot change: mqadmin sends back what it was shown."""
        self.settings.update({"brokerName": "broker-a", "unknownKey": "x"})
        self.assertEqual((self.settings.version.counter, self.told), (0, []))

    def test_refused_changes_leave_everything(self) -> None:
        """A value that cannot be, or a setting that needs a new start, beside a good one."""
        for key, value in (("maxMessageSize", "1"), ("traceOn", "maybe"), ("listenPort", "1"), ("brokerName", "other")):
            error = self.assertRaises(ConfigError, self.settings.update, {"traceOn": "false", key: value})
            self.assertEqual(error.key, key)
        self.assertEqual((self.broker.trace_on, self.broker.broker_name, self.told), (True, "broker-a", []))

    def test_without_listener(self) -> None:
        """Nobody needs to be told."""
        settings = LiveSettings(self.broker, clock=started_clock())
        settings.update({"traceOn": "false"})
        self.assertFalse(self.broker.trace_on)
        self.assertEqual(settings.black_list, frozenset())

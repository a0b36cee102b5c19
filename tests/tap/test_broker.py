"""The options of the broker."""

from __future__ import annotations

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from pymq.tap.broker import Options
from pymq.tap.starting import CannotStart


class BrokerOptionsTests(SynchronousTestCase):
    """What Apache's start checks, and what we add."""

    def parse(self, *arguments: str) -> Options:
        """The options for a command line, with an empty environment."""
        options = Options(environ={})
        options.parseOptions(arguments)
        return options

    def refused(self, *arguments: str) -> str:
        """The sentence with which a command line is refused."""
        return str(self.assertRaises(CannotStart, self.parse, *arguments))

    def test_advertise_is_broker_ip1(self) -> None:
        """The address that clients are told."""
        self.assertEqual(self.parse("--advertise", "10.1.2.3").broker_config.broker_ip1, "10.1.2.3")

    def test_store_settings_are_read_from_the_same_words(self) -> None:
        """Both configurations share one file in Java too."""
        self.assertEqual(self.parse("flushDiskType=SYNC_FLUSH").store_config.flush_disk_type, "SYNC_FLUSH")

    def test_a_master_has_broker_id_zero(self) -> None:
        """Java forces it, whatever the file says."""
        self.assertEqual(self.parse("brokerId=3", "brokerRole=SYNC_MASTER").broker_config.broker_id, 0)

    def test_a_slave_needs_a_broker_id_above_zero(self) -> None:
        """Otherwise it would take the master's place."""
        self.assertIn("brokerId=0", self.refused("brokerRole=SLAVE"))
        self.assertEqual(self.parse("brokerRole=SLAVE", "brokerId=2").broker_config.broker_id, 2)

    def test_a_name_server_address_is_checked_at_the_start(self) -> None:
        """It names the part that is wrong and shows what is right."""
        self.assertIn("127.0.0.1:9876", self.refused("-n", "nonsense"))
        self.assertEqual(self.parse("-n", "a:1;b:2").broker_config.name_servers, (("a", 1), ("b", 2)))

    def test_unknown_keys_are_warned_of(self) -> None:
        """With the nearest key."""
        self.assertIn("did you mean autoCreateTopicEnable?", self.parse("autoCreateTopicEnabled=true").warnings[0])

    def test_help_teaches(self) -> None:
        """It lists every setting with its default."""
        text = Options(environ={}).getUsage()
        for words in ("autoCreateTopicEnable=true", "storePathRootDir=", "--advertise", "key=value", "twistd -n pymq-broker -c"):
            self.assertIn(words, text)

    def test_the_usage_names_the_program_once(self) -> None:
        """As a console script, and as a word of twistd."""

        class Parent(usage.Options):
            subCommand = "pymq-broker"

            def getSynopsis(self) -> str:
                return "Usage: twistd [options]"

        options = Options(environ={})
        self.assertTrue(options.getSynopsis().startswith("Usage: pymq-broker [-c broker.conf]"))
        options.parent = Parent()
        self.assertTrue(options.getSynopsis().startswith("Usage: twistd [options] pymq-broker [-c broker.conf]"))
        self.assertEqual(options.getSynopsis().count("key=value"), 1)

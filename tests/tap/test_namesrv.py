"""The options of the name server."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.tap.namesrv import Options


class NamesrvOptionsTests(SynchronousTestCase):
    """Apache's keys."""

    def test_the_port_is_a_word(self) -> None:
        """As in namesrv.conf."""
        options = Options(environ={})
        options.parseOptions(["listenPort=9999"])
        self.assertEqual(options.config.listen_port, 9999)

    def test_the_environment_of_a_broker_does_not_matter(self) -> None:
        """NAMESRV_ADDR is for those who look for a name server, not for the name server."""
        options = Options(environ={"NAMESRV_ADDR": "a:1"})
        options.parseOptions([])
        self.assertEqual(options.warnings, [])

    def test_apaches_letters(self) -> None:
        """Its scripts give -n to a name server too, where it says nothing."""
        options = Options(environ={})
        options.parseOptions(["-n", "a:1", "listenPort=7"])
        self.assertEqual((options.config.listen_port, options.warnings), (7, []))

    def test_help_teaches(self) -> None:
        """It lists the settings."""
        self.assertIn("kvConfigPath=", Options(environ={}).getUsage())

"""The options that both servers share: where settings come from, and which source wins."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import ConfigError
from pymq.tap.broker import Options
from pymq.tap.options import read_properties
from pymq.tap.starting import CannotStart


class SourceTests(SynchronousTestCase):
    """Environment, file, flags, words: each stronger than the one before it."""

    def parse(self, *arguments: str, **environ: str) -> Options:
        """The options for a command line."""
        options = Options(environ=environ)
        options.parseOptions(arguments)
        return options

    def conf(self, text: str) -> str:
        """A file with that content."""
        path = Path(self.mktemp())
        path.write_text(text, encoding="utf-8")
        return str(path)

    def test_each_source_beats_the_one_before(self) -> None:
        """The name server address can be given in four ways."""
        environ = {"NAMESRV_ADDR": "env:1"}
        conf = self.conf("namesrvAddr=file:2\n")
        self.assertEqual(self.parse(**environ).broker_config.namesrv_addr, "env:1")
        self.assertEqual(self.parse("-c", conf, **environ).broker_config.namesrv_addr, "file:2")
        self.assertEqual(self.parse("-c", conf, "-n", "flag:3", **environ).broker_config.namesrv_addr, "flag:3")
        self.assertEqual(self.parse("-n", "flag:3", "namesrvAddr=word:4").broker_config.namesrv_addr, "word:4")

    def test_a_file_that_cannot_be_read_stops_the_start(self) -> None:
        """With its name."""
        error = self.assertRaises(CannotStart, self.parse, "-c", "/does/not/exist.conf")
        self.assertIn("configFile=/does/not/exist.conf", str(error))
        self.assertRaises(ConfigError, read_properties, "/does/not/exist.conf")

    def test_a_word_that_is_no_pair_stops_the_start(self) -> None:
        """It would have no effect otherwise, and nobody would know."""
        self.assertRaises(CannotStart, self.parse, "start")

    def test_a_flag_behind_the_words_stops_the_start(self) -> None:
        """With what to do."""
        self.assertIn("-n must stand before", str(self.assertRaises(CannotStart, self.parse, "listenPort=1", "-n", "a:1")))

    def test_an_unknown_flag_stops_the_start(self) -> None:
        """In one line, also under twistd, which puts a page before what is a UsageError."""
        error = self.assertRaises(CannotStart, self.parse, "--nope")
        self.assertEqual(error.code, "option --nope not recognized (see --help)")

    def test_printing_ends_with_status_zero(self) -> None:
        """-p prints all settings, -m the important ones."""
        printed: list[str] = []
        for flag in ("-p", "-m"):
            options = Options(environ={}, write=printed.append)
            self.assertEqual(self.assertRaises(SystemExit, options.parseOptions, [flag, "listenPort=1234"]).code, 0)
        self.assertIn("listenPort=1234\n", printed[0])
        self.assertIn("flushDiskType=ASYNC_FLUSH\n", printed[0])
        self.assertIn("listenPort=1234\n", printed[1])
        self.assertNotIn("regionId", printed[1])

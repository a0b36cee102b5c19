"""Settings from Java properties: names, types, bounds, and sentences for what cannot be used."""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import ConfigError
from pymq.settings import (
    describe_settings,
    key_of,
    lines_of,
    live_keys,
    parse_properties,
    parse_words,
    read_settings,
    setting,
    unknown_keys,
)


@attrs.frozen(kw_only=True)
class Sample:
    """A settings class with one field of each kind."""

    broker_name: str = setting("a", "a name", important=True)
    broker_ip1: str = setting("", "an address", key="brokerIP1")
    listen_port: int = setting(10911, "a port", least=0, most=65535, live=True)
    auto_create: bool = setting(True, "whether")
    ratio: float = setting(0.5, "a share")
    role: str = setting("ASYNC_MASTER", "the role", choices=("ASYNC_MASTER", "SLAVE"))
    mapped_file_size: int = setting(1024, "bytes", also=("mapedFileSize",))


class SettingsTests(SynchronousTestCase):
    """Reading, checking and printing."""

    def refused(self, **properties: str) -> str:
        """The sentence with which these properties are refused."""
        return str(self.assertRaises(ConfigError, read_settings, Sample, properties))

    def test_each_kind_of_value_is_read(self) -> None:
        """Text becomes what the field's annotation says."""
        read = read_settings(Sample, {"brokerName": "b", "listenPort": " 7 ", "autoCreate": "FALSE", "ratio": "0.25"})
        self.assertEqual(read, Sample(broker_name="b", listen_port=7, auto_create=False, ratio=0.25))

    def test_irregular_keys_and_other_spellings_are_known(self) -> None:
        """brokerIP1 is not what camelCase would give, and Java itself misspells mapedFileSize."""
        read = read_settings(Sample, {"brokerIP1": "1.2.3.4", "mapedFileSize": "2048"})
        self.assertEqual((read.broker_ip1, read.mapped_file_size), ("1.2.3.4", 2048))

    def test_a_refusal_names_key_value_and_what_is_allowed(self) -> None:
        """So that a person can act on it."""
        self.assertEqual(self.refused(listenPort="x"), "listenPort=x cannot be used: a whole number is allowed")
        self.assertEqual(self.refused(listenPort="70000"), "listenPort=70000 cannot be used: a number from 0 to 65535 is allowed")
        self.assertEqual(self.refused(autoCreate="1"), "autoCreate=1 cannot be used: true or false is allowed")
        self.assertEqual(self.refused(role="SLAV"), "role=SLAV cannot be used: allowed: ASYNC_MASTER, SLAVE")
        self.assertEqual(self.refused(ratio="much"), "ratio=much cannot be used: a number is allowed")

    def test_unknown_keys_are_warned_of_with_the_nearest_key(self) -> None:
        """They never stop a start."""
        sentences = unknown_keys([Sample], {"brokerNam": "x", "zzz": "y", "role": "SLAVE"})
        self.assertEqual(len(sentences), 2)
        self.assertIn("did you mean brokerName?", sentences[0])
        self.assertNotIn("did you mean", sentences[1])

    def test_properties_know_escapes_comments_and_continued_lines(self) -> None:
        """As java.util.Properties does."""
        text = "# comment\nbrokerName = b\\u0061\nnamesrvAddr=a:1;\\\n  b:2\n"
        self.assertEqual(parse_properties(text), {"brokerName": "ba", "namesrvAddr": "a:1;b:2"})

    def test_words_must_be_pairs(self) -> None:
        """A word without an equals sign is a mistake that is told."""
        self.assertEqual(parse_words(["a=b=c", "d="]), {"a": "b=c", "d": ""})
        self.assertRaises(ConfigError, parse_words, ["nonsense"])

    def test_lines_hold_every_setting_or_the_important_ones(self) -> None:
        """As -p and -m print them."""
        self.assertIn("autoCreate=true\n", lines_of(Sample()))
        self.assertEqual(lines_of(Sample(), important_only=True), "brokerName=a\n")

    def test_values_over_a_base(self) -> None:
        """A change at run time keeps the rest."""
        read = read_settings(Sample, {"listenPort": "1"}, Sample(broker_name="z"))
        self.assertEqual(read, Sample(broker_name="z", listen_port=1))

    def test_help_names_key_default_and_meaning(self) -> None:
        """One line for each setting."""
        self.assertIn("listenPort=10911", describe_settings(Sample))
        self.assertEqual(len(describe_settings(Sample).splitlines()), len(attrs.fields(Sample)))

    def test_live_keys(self) -> None:
        """Only those declared so may change while the broker runs."""
        self.assertEqual(live_keys(Sample), {"listenPort"})
        self.assertEqual(key_of(attrs.fields(Sample).broker_ip1), "brokerIP1")

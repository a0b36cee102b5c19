"""The benchmark's letters."""

from __future__ import annotations

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from pymq.bench.options import Options, expand_ri


class BenchOptionsTests(SynchronousTestCase):
    """Apache's letters, defaults and spellings."""

    def parse(self, *arguments: str) -> Options:
        """The options for a command line."""
        options = Options()
        options.parseOptions(expand_ri(list(arguments)))
        return options

    def test_producer_letters(self) -> None:
        """As producer.sh has them."""
        sub = self.parse(
            "producer", "-w", "8", "-s", "1024", "-t", "T", "-n", "a:1", "-q", "5", "-ri", "100", "-l", "2"
        ).subOptions
        self.assertEqual((sub["threads"], sub["messageSize"], sub["topic"], sub["namesrvAddr"]), (8, 1024, "T", "a:1"))
        self.assertEqual((sub["messageQuantity"], sub["reportInterval"], sub["tagCount"]), (5, 100, 2))

    def test_defaults_are_apaches(self) -> None:
        """64 threads, 128 bytes, BenchmarkTest; 20 threads and benchmark_consumer."""
        sub = self.parse("producer").subOptions
        self.assertEqual(
            (sub["threads"], sub["messageSize"], sub["topic"], sub["reportInterval"]), (64, 128, "BenchmarkTest", 10_000)
        )
        sub = self.parse("consumer").subOptions
        self.assertEqual((sub["threads"], sub["group"]), (20, "benchmark_consumer"))

    def test_nonsense_is_refused(self) -> None:
        """With a sentence."""
        for arguments in (["producer", "-w", "0"], ["producer", "-s", "99999999"], [], ["producer", "-q", "-1"]):
            self.assertRaises(usage.UsageError, self.parse, *arguments)

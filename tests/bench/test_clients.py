"""The comparison of clients: who is asked what, and the table that comes of it."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from pymq.bench import clients, clientside, options
from pymq.bench.clients import JAVA_PROGRAM, compare, java_side, measure, measurements, medians, our_side, table
from pymq.bench.clientside import Measurement
from pymq.bench.options import ClientsOptions

FAST, SLOW = Measurement("send", "T100", 16, 100, 1000), Measurement("consume", "T100", 0, 100, 1000)
#: A side that takes as many seconds as the number of the measurement.
SIDE = """
import sys
print("client", "side-" + sys.argv[1])
for number, words in enumerate(sys.argv[2:], 1):
    print("measured", words, number)
"""


class PlanTests(SynchronousTestCase):
    """What is measured."""

    def test_for_each_size(self) -> None:
        """Sends alone, some and many at a time, and the reading of what they left; alone there are fewer."""
        plan = measurements("T", [100, 1024], 1000)
        self.assertEqual(
            [what.words for what in plan[:4]],
            ["send:T100:1:100:200", "send:T100:16:100:1000", "send:T100:256:100:1000", "consume:T100:0:100:1000"],
        )
        self.assertEqual([what.topic for what in plan[4:]], ["T1024"] * 4)

    def test_what_is_read_was_sent(self) -> None:
        """No consumer waits for messages that nobody sent."""
        for quantity in (1, 7, 1000):
            plan = measurements("T", [100], quantity)
            sent = sum(what.count for what in plan if what.kind == "send")
            self.assertTrue(plan[-1].kind == "consume" and plan[-1].count <= sent)

    def test_manners_are_those_of_the_options(self) -> None:
        """The names stand there, so that --help needs no client."""
        self.assertEqual(options.MANNERS, tuple(clientside.MANNERS))


class SideTests(SynchronousTestCase):
    """One side's process."""

    def test_rates(self) -> None:
        """Messages a second, under the name that the side gives itself."""
        name, rates = measure((sys.executable, "-c", SIDE, "a"), [FAST, SLOW])
        self.assertEqual((name, rates), ("side-a", {FAST: 1000.0, SLOW: 500.0}))

    def test_what_it_cannot_do(self) -> None:
        """Is no rate, and no failure."""
        side = (sys.executable, "-c", "import sys; print('client x'); print('measured', sys.argv[1], '-')")
        self.assertEqual(measure(side, [FAST]), ("x", {FAST: None}))

    def test_failures_end_it(self) -> None:
        """A status, or a measurement that is missing."""
        for program, said in (("import sys; sys.exit(3)", "status 3"), ("print('client x')", FAST.words)):
            error = self.assertRaises(SystemExit, measure, (sys.executable, "-c", program), [FAST])
            self.assertIn(said, str(error))

    def test_ours(self) -> None:
        """This Python, and a module that is there."""
        side = our_side("aio", "n:1", "g")
        self.assertEqual(side[0], sys.executable)
        self.assertEqual(side[2], clientside.__name__)

    def test_java(self) -> None:
        """Needs its jars, and a java; its program comes with the package."""
        self.assertTrue(JAVA_PROGRAM.exists())
        lib = self.mktemp()
        os.makedirs(lib)
        self.assertIn("jar", str(self.assertRaises(SystemExit, java_side, lib, "n:1", "g", "logs")))
        Path(lib, "rocketmq-client-4.9.8.jar").touch()
        empty = tempfile.mkdtemp(dir=lib)
        self.patch(os, "environ", {**os.environ, "PATH": empty})
        self.assertIn("JDK", str(self.assertRaises(SystemExit, java_side, lib, "n:1", "g", "logs")))
        java = Path(empty, "java")
        java.touch()
        java.chmod(0o755)
        side = java_side(lib, "n:1", "g", "logs")
        self.assertEqual(side[-3:], (str(JAVA_PROGRAM), "n:1", "g"))
        self.assertIn(os.path.join(lib, "*"), side)


class TableTests(SynchronousTestCase):
    """Figures for people."""

    def test_medians(self) -> None:
        """One slow round changes nothing; what no round has stays unknown."""
        rounds: list[Any] = [{FAST: rate, SLOW: None} for rate in (10.0, 1000.0, 12.0)]
        self.assertEqual(medians(rounds), {FAST: 12.0, SLOW: None})

    def test_table(self) -> None:
        """A row for each measurement, with the ratio to the first column."""
        lines = table([("java-4.9.8", {FAST: 2000.0, SLOW: 10000.0}), ("pymq.aio", {FAST: 1000.0, SLOW: None})])
        self.assertEqual(
            [line.split() for line in lines],
            [
                ["messages", "a", "second", "bytes", "java-4.9.8", "pymq.aio"],
                ["send,", "16", "in", "flight", "100", "2,000", "1,000", "x0.50"],
                ["push", "consume", "100", "10,000", "-"],
            ],
        )

    def test_all_of_it(self) -> None:
        """The sides take turns, with groups of their own; the table comes last."""
        self.patch(clients, "our_side", lambda manner, namesrv, group: (sys.executable, "-c", SIDE, manner))
        given = ClientsOptions()
        given.parseOptions(["-n", "n:1", "-m", "deferred,aio", "-s", "100", "-q", "1000", "-r", "2"])
        said: list[str] = []
        compare(given, said.append)
        self.assertEqual(said[:4], [f"round {number} of 2: side-{manner}" for number in (1, 2) for manner in ("deferred", "aio")])
        self.assertEqual(len(said), 9)
        self.assertTrue(said[-1].endswith("x1.00"), said[-1])


class OptionsTests(SynchronousTestCase):
    """The command line."""

    def test_defaults(self) -> None:
        """All manners, two sizes."""
        given = ClientsOptions()
        given.parseOptions([])
        self.assertEqual((given["manners"], given["sizes"]), (["deferred", "aio", "blocking"], [100, 1024]))

    def test_nonsense(self) -> None:
        """Is refused with a sentence."""
        for words in (["-m", "java"], ["-m", ""], ["-s", "0"], ["-s", "x"], ["-q", "0"], ["-r", "0"]):
            self.assertRaises(usage.UsageError, ClientsOptions().parseOptions, words)

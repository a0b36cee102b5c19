"""Tests of pymq.admin.storecommand, on the real disk: options, exit status, and what is said."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pymq.admin.console import run
from pymq.admin.output import Output
from pymq.store.files import DiskFiles
from pymq.store.store import FileMessageStore
from pymq.testing.builders import draft
from tests.broker.fixtures import started_clock
from tests.store.stores import SMALL

SETTINGS = ("--set", "maxHashSlotNum=50", "--set", "maxIndexNum=40")


class StoreCommandTests(SynchronousTestCase):
    """A store of twenty messages in a folder."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="pymq-admin-")
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.store = self.opened()
        self.store.put([draft("T", b"%d" % number, keys=f"k{number}") for number in range(20)])
        self.error = io.StringIO()

    def opened(self) -> FileMessageStore:
        """Our store on it, which the test closes."""
        store = FileMessageStore(DiskFiles(self.root), SMALL, clock=started_clock())
        store.load()
        self.addCleanup(store.close)
        return store

    def run_it(self, *arguments: str, settings: tuple[str, ...] = SETTINGS) -> tuple[int, str]:
        """Exit status and standard output."""
        out = io.StringIO()
        action, *options = arguments
        return run(["store", action, self.root, *settings, *options], Output(out, self.error)), out.getvalue()

    def snapshot(self) -> dict[str, tuple[int, bytes]]:
        """Every file with its content and time."""
        paths = [path for path in Path(self.root).rglob("*") if path.is_file()]
        return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}

    def damage(self) -> None:
        """A flipped bit in the body of the message 7."""
        (path,) = Path(self.root, "commitlog").iterdir()
        data = bytearray(path.read_bytes())
        data[data.index(b"7\x01T")] ^= 1
        path.write_bytes(data)

    def test_whole(self) -> None:
        """Status 0, of a running store as of a stopped one, and nothing is touched."""
        for _ in range(2):
            before = self.snapshot()
            status, out = self.run_it("verify")
            self.assertEqual((status, out.split(" records")[0]), (0, "whole: 20"))
            self.assertEqual(self.run_it("dump", "--show", "records")[1].count("\n"), 20)
            self.assertEqual(self.snapshot(), before)
            self.store.close()

    def test_damaged(self) -> None:
        """Status 1, before and after `recover`, which cuts the log there, says so, and leaves a whole store."""
        self.store.close()
        self.damage()
        status, out = self.run_it("verify")
        self.assertEqual(status, 1)
        self.assertIn("damage: commitlog/00000000000000000000 at byte", out.splitlines()[0])
        self.assertIn("the body does not match its CRC; the next whole record stands", out.splitlines()[0])
        self.assertEqual(self.run_it("verify", "--no-crc")[0], 0)
        Path(self.root, "abort").touch()
        status, out = self.run_it("recover")
        self.assertEqual(status, 0)
        self.assertIn("the last exit was abnormal; 7 records checked", out)
        self.assertIn("the log was cut there: the body does not match its CRC", out)
        self.assertEqual(self.run_it("verify")[0], 0)
        self.assertEqual(self.run_it("dump", "--show", "records")[1].count("\n"), 7)

    def test_limit(self) -> None:
        """Of what is printed."""
        self.store.close()
        for path in Path(self.root, "index").iterdir():
            path.write_bytes(bytes(40))
        for path in Path(self.root, "consumequeue/T/0").iterdir():
            path.unlink()
        status, out = self.run_it("verify", "--limit", "1")
        self.assertEqual((status, out.splitlines()[1][:5]), (1, "and 2"))

    def test_json(self) -> None:
        """One object a line."""
        rows = [json.loads(line) for line in self.run_it("verify", "--json")[1].splitlines()]
        self.assertEqual([(row["kind"], row["records"], row["is_running"]) for row in rows], [("verdict", 20, True)])
        rows = [json.loads(line) for line in self.run_it("dump", "--show", "records", "--key", "k3", "--json")[1].splitlines()]
        self.assertEqual([row["body"] for row in rows], ["3"])

    def test_filters(self) -> None:
        """Of the command line."""
        for options, count in (
            (["--from-offset", "5", "--to-offset", "7"], 3), (["--topic", "U"], 0), (["--queue", "0"], 20),
            (["--from-time", "2023-11-14T22:13:20"], 20), (["--to-time", "1699999999999"], 0),
            (["--from-time", "2024-01-01T00:00:00Z"], 0),
        ):  # fmt: skip
            self.assertEqual(self.run_it("dump", "--show", "records", *options)[1].count("\n"), count, options)

    def test_not_a_store(self) -> None:
        """Status 2."""
        with tempfile.TemporaryDirectory() as empty:
            self.root = empty
            for action in ("dump", "verify", "recover"):
                self.assertEqual(self.run_it(action), (2, ""))
            self.assertEqual(list(Path(empty).iterdir()), [])
        self.assertIn("is not a store", self.error.getvalue())

    def test_a_store_in_use(self) -> None:
        """Is not recovered."""
        self.assertEqual(self.run_it("recover"), (1, ""))
        self.assertIn("locked", self.error.getvalue())

    def test_settings(self) -> None:
        """From the broker's file too; a wrong one is told."""
        config = Path(self.root, "broker.conf")
        config.write_text("maxHashSlotNum = 50\nmaxIndexNum = 40\nbrokerName = x\n")
        self.assertEqual(self.run_it("verify", "-c", str(config), settings=())[0], 0)
        self.assertEqual(self.run_it("verify", settings=())[0], 1)
        self.assertEqual(self.run_it("verify", settings=("--set", "maxIndexNum=none"))[0], 2)
        self.assertEqual(self.run_it("verify", "-c", f"{config}.not", settings=())[0], 2)

    def test_a_log_of_its_own(self) -> None:
        """In another folder than the rest."""
        self.store.close()
        Path(self.root, "commitlog").rename(Path(self.root, "elsewhere"))
        options: Any = ("--commit-log", str(Path(self.root, "elsewhere")))
        self.assertEqual(self.run_it("verify", *options)[1].split(" records")[0], "whole: 20")
        self.assertEqual(self.run_it("recover", *options)[0], 0)

    def test_a_log_in_several_folders(self) -> None:
        """Named together."""
        self.store.close()
        folders = [Path(self.root, name) for name in ("commitlog", "more")]
        folders[1].mkdir()
        first, *_ = sorted(folders[0].iterdir())
        first.rename(folders[1] / first.name)
        self.assertEqual(self.run_it("verify")[0], 1)
        options: Any = ("--commit-log", ",".join(map(str, folders)))
        self.assertEqual(self.run_it("verify", *options)[1].split(" records")[0], "whole: 20")
        self.assertEqual(self.run_it("recover", *options)[0], 0)

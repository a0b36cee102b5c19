"""The samples of docs/store-tools.rst, run on the stores that it tells of."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import tempfile
import textwrap
from pathlib import Path

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.admin.console import run
from pymq.admin.output import Output
from pymq.store.config import MessageStoreConfig
from pymq.store.documents import FileDocuments
from pymq.store.files import DiskFiles
from pymq.store.store import FileMessageStore
from pymq.testing.builders import draft, unique_key

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "store-tools.rst"
BLOCK = re.compile(r"^\.\. code-block:: console\n\n((?:    .*\n|\n)+)", re.MULTILINE)
#: Index files are named by the local time, which is not the same everywhere.
INDEX_NAME = re.compile(r"index/\d+")
#: The defaults but for small files: the samples say nothing of their sizes.
CONFIG = attrs.evolve(MessageStoreConfig(), mapped_file_size_commit_log=1 << 20, mapped_file_size_consume_queue=6000)


def commands() -> list[tuple[str, str]]:
    """(command line, what it prints) of every sample."""
    found = []
    for block in BLOCK.findall(DOCUMENT.read_text(encoding="utf-8")):
        for sample in textwrap.dedent(block).split("$ ")[1:]:
            line, _, output = sample.partition("\n")
            found.append((line, output.strip("\n")))
    return found


def fill(root: str) -> None:
    """Make the store of the samples."""
    clock = Clock()
    clock.advance(1_700_000_000)
    store = FileMessageStore(DiskFiles(root), CONFIG, clock=clock)
    store.load()
    for number, body in enumerate((b"two books", b"a pen", b"three books")):
        key = f"order-{number}"
        store.put([draft("Orders", body, queue_id=number % 2, tags="paid", keys=key, unique=unique_key(number))])
        clock.advance(0.25)
    store.close()
    FileDocuments(DiskFiles(root)).save("consumerOffset.json", {"offsetTable": {"Orders@billing": {"0": 2, "1": 1}}})


class StoreToolsTests(SynchronousTestCase):
    """A store with three messages, and a damaged copy of it."""

    def setUp(self) -> None:
        folder = tempfile.mkdtemp(prefix="pymq-docs-")
        self.addCleanup(shutil.rmtree, folder)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder)
        for name in ("store", "damaged"):
            fill(name)
        log = Path("damaged/commitlog/00000000000000000000")
        log.write_bytes(log.read_bytes().replace(b"a pen", b"a hen"))
        Path("damaged/abort").touch()

    def test_samples(self) -> None:
        """Each prints what the document says."""
        self.assertGreater(len(commands()), 6)
        status = -1
        for line, expected in commands():
            program, *arguments = shlex.split(line)
            if program == "echo":
                self.assertEqual((arguments, str(status)), (["$?"], expected))
                continue
            self.assertEqual(program, "pymq-admin")
            out, error = io.StringIO(), io.StringIO()
            status = run(arguments, Output(out, error))
            said = out.getvalue().strip("\n") + error.getvalue().strip("\n")
            self.assertEqual(INDEX_NAME.sub("index/", said), INDEX_NAME.sub("index/", expected), line)

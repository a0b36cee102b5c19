"""Our store and Apache's real one on files that grew to the largest size, expired, or belonged to topics that were deleted."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pymq.message.record import decode_record
from pymq.store.config import MessageStoreConfig
from pymq.testing.builders import NOW_MS, draft, unique_key

from .java_store.runner import Fact, JavaStore, expire_line, keep_line, put_line
from .test_java_store import CONFIG, OurStore, Place, java_keys, java_queues, scenario

#: Any hour is one to delete in, so that only the age of a file decides.
TIDY = attrs.evolve(CONFIG, delete_when=";".join(map(str, range(24))), file_reserved_time=1)
#: A file holds one of the largest messages, and not two.
LARGE = attrs.evolve(CONFIG, mapped_file_size_commit_log=5 << 20)
LARGEST_BYTES = 4 << 20
EXPIRED = 3
KEPT = ("T", "%RETRY%group")
DELETED = "TopicTest"
EXPIRY_MS = 120_000


def java_ends(facts: list[Fact]) -> dict[Place, tuple[int, int]]:
    """The first and the next offset of every queue, as Java told them."""
    return {(fact["topic"], fact["queueId"]): (fact["min"], fact["max"]) for fact in facts if fact["kind"] == "queue"}


def our_ends(ours: OurStore, places: Any) -> dict[Place, tuple[int, int]]:
    """The same of ours."""
    return {place: (ours.store.min_offset(*place), ours.store.max_offset(*place)) for place in places}


def largest_bodies() -> list[bytes]:
    """Three of the largest size, with small ones between them."""
    random = Random(4)
    return [body for number in range(3) for body in (random.randbytes(LARGEST_BYTES), b"small %d" % number)]


class JavaStoreCare:
    """The exchange with one version; mixed into a test case."""

    version = ""

    def setUp(self: Any) -> None:
        self.steps = list(scenario(with_delays=False))
        keys = ["all", "polygenelubricants", *map(unique_key, range(60))]
        self.pairs = [(topic, key) for topic in (*KEPT, DELETED) for key in keys]
        self.root = self.folder()

    def folder(self: Any) -> str:
        """A folder that goes with the test."""
        path = tempfile.mkdtemp(prefix="pymq-care-")
        self.addCleanup(shutil.rmtree, path, True)
        return path

    def java(self: Any, root: str, config: MessageStoreConfig = TIDY) -> JavaStore:
        """Java on a folder."""
        return JavaStore(self.version, root, config)

    def ours(self: Any, root: str, config: MessageStoreConfig = TIDY) -> OurStore:
        """Our store on a folder, open."""
        opened = OurStore(root, config)
        self.addCleanup(opened.store.close)
        return opened

    def written_by_us(self: Any) -> OurStore:
        """The scenario in our store."""
        ours = self.ours(self.root)
        for number, step in enumerate(self.steps):
            ours.put_at(NOW_MS + number * 100, step.drafts(b""))
        return ours

    def copy(self: Any, root: str) -> str:
        """A copy of a folder: of an open store the image that a kill leaves."""
        image = self.folder()
        shutil.copytree(root, image, dirs_exist_ok=True)
        return image

    def expect_agreement(self: Any, ours: OurStore, facts: list[Fact]) -> dict[Place, tuple[int, int]]:
        """Ours knows just what Java told; the ends of the queues."""
        ends = java_ends(facts)
        (log,) = (fact for fact in facts if fact["kind"] == "log")
        described = ours.store.describe()
        self.assertEqual((described["log_min_offset"], described["log_max_offset"]), (log["min"], log["max"]))
        for place, (begin, end) in our_ends(ours, ends).items():
            # Where the last message expired, 4.9 leaves the beginning where it was.
            self.assertEqual((ends[place][0] if begin == end else begin, end), ends[place], place)
        there = [fact for fact in facts if fact["kind"] != "missing" or fact["logOffset"] >= log["min"]]
        self.assertEqual(ours.queues(), java_queues(there))
        self.assertEqual(ours.keys(self.pairs), java_keys(facts))
        return ends

    def expect_both_to_read(self: Any, root: str) -> dict[Place, tuple[int, int]]:
        """Java and we, each on a copy, see the same; the ends of the queues."""
        return self.expect_agreement(self.ours(self.copy(root)), self.java(self.copy(root)).read(self.pairs))

    def expect_the_largest(self: Any, records: list[bytes]) -> None:
        """Every body is whole."""
        self.assertEqual([len(decode_record(record).raw_body) for record in records], list(map(len, largest_bodies())))
        self.assertTrue([decode_record(record).raw_body for record in records] == largest_bodies(), "a body was changed")

    def test_we_read_java_s_largest(self: Any) -> None:
        """After a shutdown and after a kill."""
        for leave in ("normal", "killed"):
            root = self.folder()
            lines = [put_line(draft("T", body)) for body in largest_bodies()]
            facts = self.java(root, LARGE).write(lines, leave=leave)
            self.assertEqual([fact["status"] for fact in facts], ["PUT_OK"] * 6)
            self.expect_the_largest(self.ours(root, LARGE).queues()["T", 0])

    def test_java_reads_our_largest(self: Any) -> None:
        """After a close and after a kill."""
        ours = self.ours(self.root, LARGE)
        for body in largest_bodies():
            ours.put_at(NOW_MS, [draft("T", body)])
        killed = self.copy(self.root)
        ours.store.close()
        for root in (self.root, killed):
            self.expect_the_largest(java_queues(self.java(root, LARGE).read())["T", 0])

    def test_java_s_files_expired(self: Any) -> None:
        """The first files of the log are gone, the queues begin later, and we see just that, and go on behind it."""
        for leave in ("normal", "killed"):
            root = self.folder()
            self.java(root).write([*(step.line for step in self.steps), expire_line(EXPIRED)], leave=leave)
            ends = self.expect_both_to_read(root)
            self.assertTrue(any(begin > 0 for begin, _ in ends.values()), ends)
            ours = self.ours(root)
            self.assertEqual(ours.store.describe()["log_min_offset"], EXPIRED * TIDY.mapped_file_size_commit_log)
            ours.put_at(NOW_MS, [draft(*place[:1], b"next", queue_id=place[1]) for place in sorted(ends)])
            self.assertEqual(
                {place: end for place, (_, end) in our_ends(ours, ends).items()},
                {place: end + 1 for place, (_, end) in ends.items()},
            )

    def test_our_files_expired(self: Any) -> None:
        """The same by us, and Java sees it."""
        ours = self.written_by_us()
        for path in sorted(Path(self.root, "commitlog").iterdir())[:EXPIRED]:
            os.utime(path, (0, 0))
        ours.clock.advance(EXPIRY_MS / 1000)
        ours.store.run_maintenance(int(ours.clock.seconds() * 1000))
        self.assertEqual(ours.store.describe()["log_min_offset"], EXPIRED * TIDY.mapped_file_size_commit_log)
        killed = self.copy(self.root)
        places = sorted(ours.queues())
        ends = our_ends(ours, places)
        self.assertTrue(any(begin > 0 for begin, _ in ends.values()), ends)
        ours.store.close()
        for root in (self.root, killed):
            seen = self.expect_both_to_read(root)
            self.assertEqual({place: seen[place] for place in places}, ends)

    def test_java_deleted_a_topic(self: Any) -> None:
        """Its queues are gone, its records are not; a topic of that name begins anew."""
        again = put_line(draft(DELETED, b"again"))
        for leave in ("normal", "killed"):
            root = self.folder()
            self.java(root).write([*(step.line for step in self.steps), keep_line(KEPT), again], leave=leave)
            ends = self.expect_both_to_read(root)
            self.assertIn((DELETED, 0), ends)
            if leave == "normal":
                self.assertEqual([place for place in ends if place[0] == DELETED], [(DELETED, 0)])
                self.assertEqual(ends[DELETED, 0], (0, 1))

    def test_we_deleted_a_topic(self: Any) -> None:
        """The same by us, and Java sees it."""
        ours = self.written_by_us()
        self.assertEqual(ours.store.drop_queues(lambda topic: topic not in KEPT), [DELETED])
        ours.put_at(NOW_MS, [draft(DELETED, b"again")])
        killed = self.copy(self.root)
        ours.store.close()
        ends = self.expect_both_to_read(self.root)
        self.assertEqual([place for place in ends if place[0] == DELETED], [(DELETED, 0)])
        self.assertEqual(ends[DELETED, 0], (0, 1))
        self.expect_both_to_read(killed)


class JavaStoreCare498Tests(JavaStoreCare, SynchronousTestCase):
    """The version whose layout ours is."""

    version = "4.9.8"


class JavaStoreCare550Tests(JavaStoreCare, SynchronousTestCase):
    """The newest, with its default kinds of files."""

    version = "5.5.0"

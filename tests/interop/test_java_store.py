"""Our store and Apache's real one on the same files: written by one, opened by the other, after normal and killed exits."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import attrs
from construct import Array
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.admin.findings import Finding
from pymq.admin.folder import StoreFolder
from pymq.admin.verify import verify
from pymq.message.batch import decode_batch
from pymq.message.flags import TRANSACTION_COMMIT, TRANSACTION_PREPARED, TRANSACTION_ROLLBACK
from pymq.message.ids import encode_host
from pymq.message.record import RecordDraft, check_record, decode_record, draft_from, mark_group
from pymq.store.config import MessageStoreConfig
from pymq.store.files import DiskFiles
from pymq.store.indexfile import INDEX_ENTRY, INDEX_HEADER
from pymq.store.store import FileMessageStore
from pymq.testing.builders import NOW_MS, batch_body, draft, unique_key

from .java_store.runner import Fact, JavaStore, put_line

#: Everything small, so that sixty messages fill several files of each kind.
CONFIG = MessageStoreConfig(
    mapped_file_size_commit_log=4096, mapped_file_size_consume_queue=200, max_hash_slot_num=50, max_index_num=40
)
FOREVER_MS = 2**62
Place = tuple[str, int]


@attrs.frozen
class Step:
    """One put: a message, or a client's batch."""

    draft: RecordDraft
    is_batch: bool = False

    @property
    def line(self) -> str:
        """As the Java program takes it."""
        return put_line(self.draft, is_batch=self.is_batch)

    def drafts(self, stored: bytes) -> list[RecordDraft]:
        """As our store takes it. Ours is given a delayed message where Java's moved it, made from what it `stored`."""
        made = self.draft
        common = {
            name: getattr(made, name) for name in ("born_timestamp", "born_host", "store_host", "sys_flag", "reconsume_times")
        }
        if self.is_batch:
            items = decode_batch(made.body)
            drafts = [
                draft_from(made.topic, made.queue_id, item.body, item.properties, flag=item.flag, **common) for item in items
            ]
            mark_group(drafts)
            return drafts
        if b"DELAY\x01" in made.properties:
            found = check_record(stored)
            body = decode_record(stored).raw_body
            return [draft_from(found.topic, found.queue_id, body, found.properties, flag=made.flag, **common)]
        return [made]


def scenario(*, with_delays: bool) -> Iterator[Step]:
    """Topics, queues, tags, keys, both address families, empty bodies, transactions, batches, delays; all files roll."""
    random = Random(498)
    hosts = [encode_host("10.1.2.3", 5555), encode_host("2001:db8::1", 5555)]
    stores = [encode_host("127.0.0.1", 10911), encode_host("::1", 10911)]
    kinds = [0, 0, 0, 0, TRANSACTION_COMMIT, TRANSACTION_PREPARED, TRANSACTION_ROLLBACK]
    for number in range(60):
        fields: dict[str, Any] = {
            "queue_id": random.randrange(3),
            "tags": random.choice([None, "TagA", "TagB", "Schlüssel"]),
            "keys": random.choice(["", "all", f"all k{number}", "polygenelubricants"]),
            "unique": unique_key(number),
            "flag": random.choice([0, -1, 7]),
            "sys_flag": random.choice(kinds),
            "born_host": random.choice(hosts),
            "store_host": random.choice(stores),
            "born_timestamp": NOW_MS + number,
            "reconsume_times": random.randrange(3),
        }
        body = random.randbytes(random.choice([0, 1, 30, 300, 600]))
        topic = random.choice(["T", "TopicTest", "%RETRY%group"])
        if number % 10 == 9:
            yield Step(draft(topic, batch_body(b"one", b"", body), queue_id=1), is_batch=True)
        elif number % 10 == 5 and with_delays:
            yield Step(draft(topic, body, **{**fields, "sys_flag": 0, "more": {"DELAY": str(10 + number % 9)}}))
        else:
            yield Step(draft(topic, body, **fields))


class OurStore:
    """Our store on a folder, with a clock that says what the test wants."""

    def __init__(self, root: str, config: MessageStoreConfig = CONFIG) -> None:
        self.clock = Clock()
        self.clock.advance(NOW_MS / 1000)
        self.store = FileMessageStore(DiskFiles(root), config, clock=self.clock)
        self.store.load()

    def put_at(self, time_ms: int, drafts: list[RecordDraft]) -> None:
        """Store drafts with that store timestamp."""
        self.clock.rightNow = (time_ms + 0.5) / 1000
        for result in self.store.put(drafts):
            assert result.status.is_stored, result

    def queues(self) -> dict[Place, list[bytes]]:
        """The records of every queue that has any."""
        found = {}
        for topic in self.store.describe()["topics"]:
            for queue_id in range(18):
                begin, end = self.store.min_offset(topic, queue_id), self.store.max_offset(topic, queue_id)
                records = []
                while begin < end:
                    result = self.store.get(topic, queue_id, begin, 32, None)
                    records += [bytes(record) for record in result.records]
                    assert result.next_offset > begin, result
                    begin = result.next_offset
                if records:
                    found[topic, queue_id] = records
        return found

    def keys(self, pairs: list[tuple[str, str]]) -> dict[tuple[str, str], list[int]]:
        """The log offsets that each (topic, key) leads to."""
        return {
            pair: [decode_record(record).log_offset for record in self.store.find_by_key(*pair, 64, 0, FOREVER_MS).records]
            for pair in pairs
        }


def java_queues(facts: list[Fact]) -> dict[Place, list[bytes]]:
    """The records of every queue that has any, as Java told them."""
    found: dict[Place, list[bytes]] = {}
    for fact in facts:
        assert fact["kind"] not in ("missing", "undecodable"), fact
        if fact["kind"] == "unit":
            place = fact["topic"], fact["queueId"]
        if fact["kind"] == "message":
            found.setdefault(place, []).append(bytes.fromhex(fact["record"]))
    return found


def java_keys(facts: list[Fact]) -> dict[tuple[str, str], list[int]]:
    """The log offsets that each (topic, key) leads to; Java may tell one twice after a crash."""
    return {(fact["topic"], fact["key"]): sorted(set(fact["offsets"])) for fact in facts if fact["kind"] == "key"}


def contents(root: str, folder: str) -> list[bytes]:
    """The content of the files of a folder, in order of their names."""
    return [path.read_bytes() for path in sorted(Path(root, folder).iterdir()) if path.is_file()]


def index_entries(root: str) -> Counter[tuple[int, int]]:
    """(log offset, key hash) of every entry of the index."""
    entries: Counter[tuple[int, int]] = Counter()
    for data in contents(root, "index"):
        rows = Array(CONFIG.max_index_num, INDEX_ENTRY).parse(data[INDEX_HEADER.sizeof() + 4 * CONFIG.max_hash_slot_num :])
        entries.update((row.log_offset, row.key_hash) for row in rows[1 : INDEX_HEADER.parse(data).index_count])
    return entries


class JavaStoreExchange:
    """The exchange with one version; mixed into a test case."""

    version = ""
    #: Whether this version's store itself moves delayed messages to the schedule topic.
    with_delays = False
    #: Whether this version indexes tags too, under `topic#T#tag`.
    indexes_tags = False

    def setUp(self: Any) -> None:
        self.steps = list(scenario(with_delays=self.with_delays))
        topics = sorted({step.draft.topic for step in self.steps})
        keys = ["all", "polygenelubricants", *(f"k{number}" for number in range(60)), *map(unique_key, range(60))]
        self.pairs = [(topic, key) for topic in topics for key in keys]
        self.root = self.folder()

    def folder(self: Any) -> str:
        """A folder that goes with the test."""
        path = tempfile.mkdtemp(prefix="pymq-exchange-")
        self.addCleanup(shutil.rmtree, path, True)
        return path

    def java(self: Any, root: str) -> JavaStore:
        """Java on a folder."""
        return JavaStore(self.version, root, CONFIG)

    def written_by_java(self: Any, root: str, leave: str = "normal") -> list[tuple[int, list[RecordDraft]]]:
        """Let Java write the scenario; for each put the store timestamp and the drafts for the same in our store."""
        facts = self.java(root).write([step.line for step in self.steps], leave=leave)
        log = b"".join(contents(root, "commitlog"))
        self.assertEqual({fact["status"] for fact in facts}, {"PUT_OK"})
        puts = []
        for step, fact in zip(self.steps, facts):
            stored = log[fact["logOffset"] : fact["logOffset"] + fact["size"]]
            puts.append((fact["storeTimestamp"], step.drafts(stored)))
        return puts

    def written_by_us(self: Any, root: str) -> OurStore:
        """The scenario in our store, which stays open."""
        ours = OurStore(root)
        for number, step in enumerate(self.steps):
            if b"DELAY\x01" not in step.draft.properties:
                ours.put_at(NOW_MS + number * 100, step.drafts(b""))
        return ours

    def expect_agreement(self: Any, root: str, facts: list[Fact]) -> None:
        """Our store, opened on the folder, knows just what Java told."""
        ours = OurStore(root)
        self.addCleanup(ours.store.close)
        self.assertEqual(ours.queues(), java_queues(facts))
        self.assertEqual(ours.keys(self.pairs), java_keys(facts))
        self.assertTrue(sum(map(len, ours.queues().values())) > 50)

    def test_same_bytes(self: Any) -> None:
        """The same messages at the same times make the same files, to the byte: log, queues and index."""
        puts = self.written_by_java(self.root)
        ours_root = self.folder()
        ours = OurStore(ours_root)
        for time_ms, drafts in puts:
            ours.put_at(time_ms, drafts)
        places = list(ours.queues())
        ours.store.close()
        for folder in ("commitlog", *(f"consumequeue/{topic}/{queue_id}" for topic, queue_id in places)):
            self.expect_same_files(folder, ours_root)
        if self.indexes_tags:
            self.assertEqual(index_entries(ours_root) - index_entries(self.root), Counter())
        else:
            self.expect_same_files("index", ours_root)
        self.assertTrue(len(contents(self.root, "commitlog")) > 3 and len(contents(self.root, "index")) > 2)

    def expect_same_files(self: Any, folder: str, ours_root: str) -> None:
        """As many files in that folder of both stores, with the same bytes."""
        java, mine = contents(self.root, folder), contents(ours_root, folder)
        self.assertTrue(java, folder)
        self.assertEqual([len(data) for data in mine], [len(data) for data in java], folder)
        for number, (one, other) in enumerate(zip(mine, java)):
            self.assertEqual(one.hex(" ", 4), other.hex(" ", 4), f"{folder}, file {number}")

    def test_we_open_what_java_left(self: Any) -> None:
        """After a shutdown and after a kill; Java, opening it again before us, tells what there is."""
        for leave in ("normal", "killed"):
            root = self.folder()
            self.written_by_java(root, leave)
            image = self.folder()
            shutil.copytree(root, image, dirs_exist_ok=True)
            self.expect_agreement(image, self.java(root).read(self.pairs))

    def test_verify_knows_java_s_stores(self: Any) -> None:
        """Nothing is damaged after a shutdown, nor after a kill, before any start has mended anything."""
        for leave in ("normal", "killed"):
            root = self.folder()
            self.written_by_java(root, leave)
            findings: list[Finding] = []
            verdict = verify(StoreFolder(DiskFiles(root, read_only=True), CONFIG), findings.append)
            self.assertEqual([finding.sentence() for finding in findings if finding.is_damage], [], leave)
            self.assertGreater(verdict.units, 50)

    def test_java_opens_what_we_left(self: Any) -> None:
        """After a close, and after a kill, of which a copy of the open store is the image."""
        ours = self.written_by_us(self.root)
        queues, keys = ours.queues(), ours.keys(self.pairs)
        killed = self.folder()
        shutil.copytree(self.root, killed, dirs_exist_ok=True)
        ours.store.close()
        for root in (self.root, killed):
            facts = self.java(root).read(self.pairs)
            self.assertEqual(java_queues(facts), queues)
            self.assertEqual(java_keys(facts), keys)

    def test_taking_turns(self: Any) -> None:
        """We write, Java writes on, is killed, we write on, Java reads all."""
        ours = self.written_by_us(self.root)
        before = ours.queues()
        ours.store.close()
        self.written_by_java(self.root, "killed")
        ours = OurStore(self.root)
        self.addCleanup(ours.store.close)
        ours.put_at(NOW_MS + 10**9, [draft("T", b"last", unique="THE-LAST")])
        ours.store.close()
        self.pairs.append(("T", "THE-LAST"))
        facts = self.java(self.root).read(self.pairs)
        queues = java_queues(facts)
        for place, records in before.items():
            self.assertEqual(queues[place][: len(records)], records)
        self.assertEqual(decode_record(queues["T", 0][-1]).raw_body, b"last")
        self.assertEqual([len(offsets) for pair, offsets in java_keys(facts).items() if pair[1] == "THE-LAST"], [1])
        self.expect_agreement(self.root, facts)


class JavaStore498Tests(JavaStoreExchange, SynchronousTestCase):
    """The version whose layout ours is."""

    version = "4.9.8"
    with_delays = True


class JavaStore550Tests(JavaStoreExchange, SynchronousTestCase):
    """The newest, with its default kinds of files."""

    version = "5.5.0"
    indexes_tags = True

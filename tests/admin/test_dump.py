"""Tests of pymq.admin.dump."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pymq.admin.dump import SECTIONS, Filters, dump
from pymq.admin.folder import StoreFolder
from pymq.store.documents import FileDocuments
from tests.admin.cases import golden_disk, written
from tests.golden import java_ext_498, java_store_498
from tests.golden.puts import CONFIG, EXTENDED_CONFIG

STORED_MS = 1795323528634


class DumpTests(SynchronousTestCase):
    """Rows of a store that Java made, tests/golden/java_store_498.py."""

    def setUp(self) -> None:
        self.disk = golden_disk(java_store_498)
        self.folder = StoreFolder(self.disk, CONFIG)

    def rows(self, *sections: str, whole_bodies: bool = False, **filters: Any) -> list[dict[str, Any]]:
        """As JSON."""
        output, out = written(as_json=True)
        dump(self.folder, sections, Filters(**filters), output, whole_bodies=whole_bodies)
        return [json.loads(line) for line in out.getvalue().splitlines()]

    def lines(self, *sections: str, **filters: Any) -> list[str]:
        """As people see them."""
        output, out = written()
        dump(self.folder, sections, Filters(**filters), output)
        return out.getvalue().splitlines()

    def bodies(self, **filters: Any) -> list[str]:
        """Of the wanted records."""
        return [row["body"] for row in self.rows("records", **filters)]

    def test_records(self) -> None:
        """With all their fields."""
        row = self.rows("records")[0]
        self.assertEqual(
            row,
            {
                "kind": "record", "topic": "T", "queueId": 0, "queueOffset": 0, "logOffset": 0, "size": 117,
                "storeTimestamp": STORED_MS, "bornTimestamp": 1_700_000_000_000, "bornHost": "10.1.2.3:5555",
                "storeHost": "127.0.0.1:10911", "flag": 0, "sysFlag": 0, "reconsumeTimes": 0, "preparedTransactionOffset": 0,
                "msgId": "7F00000100002A9F0000000000000000", "properties": {"KEYS": "k1 k2", "TAGS": "TagA"}, "bodyLength": 5,
                "body": "hello",
            },
        )  # fmt: skip
        self.assertEqual(
            self.lines("records")[0],
            "0 T/0@0 2026-11-22T04:58:48.634Z from 10.1.2.3:5555 KEYS=k1 k2 TAGS=TagA body 5 bytes 'hello'",
        )

    def test_filters(self) -> None:
        """By queue, offset, key and time, alone and together."""
        self.assertEqual(len(self.bodies()), 10)
        self.assertEqual(self.bodies(topic="%RETRY%g"), ["y" * 64])
        self.assertEqual(self.bodies(topic="T", queue_id=1), [""])
        self.assertEqual(self.bodies(topic="T", queue_id=0, from_offset=1, to_offset=2), ["hello6", "a"])
        self.assertEqual(self.bodies(key="k1"), ["hello", "later", "x" * 64])
        self.assertEqual(self.bodies(to_ms=STORED_MS), ["hello"])
        self.assertEqual(self.bodies(from_ms=STORED_MS + 1, key="k1"), ["later", "x" * 64])

    def test_bodies(self) -> None:
        """Are cut unless the whole is wanted."""
        self.assertEqual([row["body"] for row in self.rows("records", whole_bodies=True, topic="%RETRY%g")], ["y" * 200])
        self.assertTrue(self.lines("records", topic="%RETRY%g")[0].endswith("body 200 bytes '" + "y" * 64 + "'..."))

    def test_queues_and_units(self) -> None:
        """Sorted by topic."""
        self.assertEqual(
            self.lines("queues"),
            ["%RETRY%g/0 offsets 0 to 1, 1 file", "SCHEDULE_TOPIC_XXXX/17 offsets 0 to 1, 1 file",
             "T/0 offsets 0 to 6, 2 files", "T/1 offsets 0 to 1, 1 file"],
        )  # fmt: skip
        self.assertEqual(
            self.lines("units", topic="T", queue_id=0, to_offset=0), ["T/0@0 log offset 0 size 117 tags code 2598919"]
        )

    def test_extensions(self) -> None:
        """Are shown with their units."""
        self.folder = StoreFolder(golden_disk(java_ext_498), EXTENDED_CONFIG)
        rows = self.rows("units", topic="T", queue_id=0)
        self.assertEqual(rows[2]["extBitMap"], "8efcc8192c88223cc015f8b00064")
        self.assertTrue(self.lines("queues")[0].endswith("T/0 offsets 0 to 6, 2 files, 2 files of extension"))
        self.assertTrue(self.lines("units", queue_id=1)[0].endswith("bit map 00"))

    def test_index(self) -> None:
        """Files and entries; those of one key."""
        rows = self.rows("index", topic="T", key="k1")
        self.assertEqual([row["logOffset"] for row in rows if row["kind"] == "entry"], [0, 1024])
        self.assertEqual([row["index_count"] for row in rows if row["kind"] == "indexFile"], [8, 5])

    def test_checkpoint_and_documents(self) -> None:
        """What is there of them."""
        self.assertEqual(self.rows("checkpoint", "config"), [])
        self.disk.replace("checkpoint", STORED_MS.to_bytes(8, "big") * 2 + bytes(4080))
        FileDocuments(self.disk).save("delayOffset.json", {"offsetTable": {"1": 5}})
        safe = "safe up to: log 2026-11-22T04:58:48.634Z, queues 2026-11-22T04:58:48.634Z, index unknown"
        self.assertEqual(self.lines("checkpoint", "config"), [safe, 'delayOffset.json {"offsetTable":{"1":5}}'])

    def test_summary(self) -> None:
        """One line."""
        line = "closed; 2 log files from offset 0 to 2048; 4 queues of 3 topics; 2 index files"
        self.assertEqual(self.lines("summary"), [line])
        self.disk.create("abort", 0)
        self.assertTrue(self.lines("summary")[0].startswith("not closed"))
        self.disk.lock("lock")
        self.assertTrue(self.lines("summary")[0].startswith("in use by a broker"))

    def test_all_sections(self) -> None:
        """Can be asked for at once."""
        self.assertEqual(
            {row["kind"] for row in self.rows(*SECTIONS)}, {"summary", "record", "queue", "unit", "indexFile", "entry"}
        )

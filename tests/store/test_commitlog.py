"""The log of records."""

from __future__ import annotations

from typing import Any

import attrs

from pymq.message.ids import encode_host
from pymq.message.record import MAGIC_BLANK, RecordDraft, decode_record, encode_record, iter_records, mark_group
from pymq.message.results import PutResult, PutStatus
from pymq.store.commitlog import CommitLog
from pymq.store.queuetable import QueueTable
from pymq.testing.builders import BORN_HOST, STORE_HOST, draft
from tests.store.stores import SMALL, START_MS, StoreCase

FILE = "commitlog/00000000000000000000"
#: A record of topic T with both addresses IPv4, no properties and no body.
BARE_BYTES = 92


def plain(body: bytes = b"", **fields: Any) -> RecordDraft:
    """A draft without properties."""
    return RecordDraft("T", 0, 0, fields.pop("sys_flag", 0), 1, BORN_HOST, STORE_HOST, body=body, **fields)


class LogCase(StoreCase):
    """An empty log with files of 4096 bytes."""

    def setUp(self) -> None:
        super().setUp()
        self.queues = QueueTable(self.files, SMALL)
        self.log = CommitLog(self.files, "commitlog", SMALL)
        self.log.load()

    def append(self, *drafts: RecordDraft, log: CommitLog | None = None) -> list[PutResult]:
        """Their results."""
        return (log or self.log).append(drafts, START_MS, self.queues.obtain)[0]

    def files_in_log(self) -> list[int]:
        """Where its files begin."""
        return [int(name) for name in self.files.list("commitlog")]


class AppendTests(LogCase):
    """Records one after the other."""

    def test_bytes(self) -> None:
        """What lies in the file is what encode_record writes."""
        drafts = [draft("T", b"one", tags="A", flag=7), draft("T", b"two", queue_id=3, born_host=encode_host("::1", 1))]
        self.append(*drafts)
        copies = [attrs.evolve(made) for made in drafts]
        data = self.files.read_bytes(FILE)
        self.assertEqual(data[: self.log.end], b"".join(map(encode_record, copies)))
        self.assertEqual(data[self.log.end :], bytes(4096 - self.log.end))

    def test_one_write(self) -> None:
        """A turn is one write, however many messages it has."""
        self.append(plain())
        self.files.log.clear()
        self.append(*(plain(b"x") for _ in range(20)))
        self.assertEqual([operation for operation, _ in self.files.log], ["write_at"])

    def test_results(self) -> None:
        """Offsets in bytes and in messages."""
        results = self.append(plain(), plain(b"abc"), plain())
        self.assertEqual(
            [(result.log_offset, result.queue_offset, result.size) for result in results], [(0, 0, 92), (92, 1, 95), (187, 2, 92)]
        )

    def test_transaction_types(self) -> None:
        """PREPARED and ROLLBACK take no number, COMMIT does (store.md 2.9)."""
        results = self.append(plain(), plain(sys_flag=4), plain(sys_flag=12), plain(sys_flag=8), plain())
        self.assertEqual([result.queue_offset for result in results], [0, 0, 0, 1, 2])

    def test_mixed_addresses(self) -> None:
        """The flag's bits follow the addresses, whatever the sender's flag says (testWriteAndRead)."""
        six = encode_host("::1", 1)
        drafts = [plain(sys_flag=0x30), plain()]
        drafts[1].born_host = six
        drafts.append(attrs.evolve(drafts[1], store_host=six))
        self.append(*drafts)
        messages = [decode_record(self.log.read_at(made.log_offset)) for made in drafts]
        self.assertEqual([(message.sys_flag, message.size) for message in messages], [(0, 92), (0x10, 104), (0x30, 116)])


class FileEndTests(LogCase):
    """Eight bytes are kept for the blank record (store.md 2.6, 2.7)."""

    def filled_to(self, left: int) -> None:
        """Leave that many bytes in the first file."""
        self.append(plain(bytes(4096 - left - BARE_BYTES)))

    def test_room_left(self) -> None:
        """A record that would leave less than 8 bytes goes to the next file; one that leaves 8 stays."""
        for left, base in ((100, 0), (99, 4096), (92, 4096), (8, 4096)):
            self.setUp()
            self.filled_to(left)
            (result,) = self.append(plain())
            self.assertEqual(result.log_offset, 4096 - left if base == 0 else 4096, left)

    def test_blank(self) -> None:
        """Says how many bytes were left."""
        self.filled_to(60)
        self.append(plain())
        blank = self.files.read_bytes(FILE)[4096 - 60 : 4096 - 52]
        self.assertEqual(blank, (60).to_bytes(4, "big") + MAGIC_BLANK.to_bytes(4, "big"))
        self.assertEqual((self.files_in_log(), self.log.end), ([0, 4096], 4096 + BARE_BYTES))

    def test_a_turn_over_many_files(self) -> None:
        """Every record is whole and numbered on."""
        results = self.append(*(plain(bytes([number]) * 500) for number in range(40)))
        self.assertEqual([result.queue_offset for result in results], list(range(40)))
        for number, result in enumerate(results):
            self.assertEqual(decode_record(self.log.read_at(result.log_offset)).raw_body, bytes([number]) * 500)
        self.assertEqual(len(self.files_in_log()), 7)

    def test_largest_record(self) -> None:
        """As large as a file less 8 is taken; one byte more is refused, where Java says OK and stores nothing."""
        largest = 4096 - 8 - BARE_BYTES
        results = self.append(plain(bytes(largest)), plain(bytes(largest + 1)), plain(bytes(largest)))
        self.assertEqual([result.status.name for result in results], ["PUT_OK", "MESSAGE_ILLEGAL", "PUT_OK"])
        self.assertEqual(results[2].log_offset, 4096)


class BatchTests(LogCase):
    """All of a client's batch in one file, or nothing (store.md 2.8)."""

    def batch(self, *bodies: bytes) -> list[RecordDraft]:
        """A marked batch."""
        drafts = [plain(body) for body in bodies]
        mark_group(drafts)
        return drafts

    def test_does_not_fit_into_the_rest(self) -> None:
        """The blank is written, then all go into the next file."""
        self.append(plain(bytes(3500)))
        results = self.append(*self.batch(bytes(200), bytes(200), bytes(200)))
        self.assertEqual([result.log_offset for result in results], [4096, 4388, 4680])
        self.assertEqual([result.queue_offset for result in results], [1, 2, 3])

    def test_fits_exactly(self) -> None:
        """It stays."""
        self.append(plain(bytes(4096 - BARE_BYTES - 8 - 2 * BARE_BYTES)))
        self.append(*self.batch(b"", b""))
        self.assertEqual((self.files_in_log(), self.log.end), ([0], 4088))

    def test_too_large_for_any_file(self) -> None:
        """Every message is refused, what follows is stored."""
        results = self.append(*self.batch(bytes(2000), bytes(2000)), plain())
        self.assertEqual([result.status.name for result in results], ["MESSAGE_ILLEGAL", "MESSAGE_ILLEGAL", "PUT_OK"])
        self.assertEqual(results[2].queue_offset, 0)

    def test_one_bad_message(self) -> None:
        """Takes all others with it, be it the first or the last."""
        for position in (0, 2):
            drafts = self.batch(b"a", b"b", b"c")
            drafts[position].properties = b"x" * 32768
            results = self.append(*drafts, plain())
            self.assertEqual([result.status is PutStatus.PUT_OK for result in results], [False, False, False, True])


class RefusalTests(LogCase):
    """Limits (store.md 2.10)."""

    def log_for_large(self, **changes: Any) -> CommitLog:
        """A log whose files hold the largest records."""
        config = attrs.evolve(SMALL, mapped_file_size_commit_log=1 << 20, max_message_size=100_000, **changes)
        log = CommitLog(self.files, "large", config)
        log.load()
        return log

    def test_largest_of_each(self) -> None:
        """Body, topic and properties at their limits are taken."""
        made = plain(bytes(100_000), properties=b"x" * 32767)
        made.topic = "t" * 127
        (result,) = self.append(made, log=self.log_for_large())
        self.assertEqual(result.status, PutStatus.PUT_OK)

    def test_beyond(self) -> None:
        """Each with Java's status and with a reason."""
        topic = plain()
        topic.topic = "t" * 128
        drafts = [
            plain(bytes(100_001)), plain(properties=b"x" * 32768), plain(properties="\u6f22".encode() * 20000), topic
        ]  # fmt: skip
        results = self.append(*drafts, log=self.log_for_large())
        names = ["MESSAGE_ILLEGAL", "MESSAGE_ILLEGAL", "PROPERTIES_SIZE_EXCEEDED", "MESSAGE_ILLEGAL"]
        self.assertEqual([result.status.name for result in results], names)
        self.assertTrue(all(result.reason for result in results))
        self.assertEqual([made.size for made in drafts], [0, 0, 0, 0])

    def test_numbers_that_do_not_fit(self) -> None:
        """Refuse that message alone."""
        bad = plain()
        bad.reconsume_times = 2**31
        results = self.append(plain(), bad, plain())
        self.assertEqual([result.status.name for result in results], ["PUT_OK", "MESSAGE_ILLEGAL", "PUT_OK"])
        self.assertEqual([results[2].queue_offset, results[2].log_offset], [1, 92])

    def test_nothing_but_refused(self) -> None:
        """Leaves the log as it was."""
        self.append(plain(bytes(5000)))
        self.assertEqual((self.log.end, self.log.last_store_ms), (0, 0))


class ReadTests(LogCase):
    """Bytes by offset."""

    def test_read_at(self) -> None:
        """Only where a record begins, and one that says so itself."""
        results = self.append(plain(b"one"), plain(b"two"))
        for result in results:
            self.assertEqual(len(self.log.read_at(result.log_offset) or b""), result.size)
        for offset in (-1, 1, 94, 190, 191, 4095, 4096, 10**9):
            self.assertIsNone(self.log.read_at(offset))

    def test_a_record_within_a_body(self) -> None:
        """Is not mistaken for one."""
        inner = plain(b"inner")
        encode_record(inner)
        self.append(plain(encode_record(inner)))
        self.assertIsNone(self.log.read_at(88))

    def test_read(self) -> None:
        """Any bytes before the end, within one file."""
        self.append(*(plain(bytes(500)) for _ in range(10)))
        view = self.log.read(0, 592 * 2)
        assert view is not None
        self.assertEqual(len(list(iter_records(view))), 2)
        self.assertIsNone(self.log.read(4000, 200))
        self.assertIsNone(self.log.read(self.log.end - 5, 6))
        self.assertIsNone(self.log.read(0, 0))

    def test_store_time(self) -> None:
        """Of a record, or -1."""
        (result,) = self.append(plain())
        self.assertEqual([self.log.store_time(offset) for offset in (result.log_offset, 92, 5000)], [START_MS, -1, -1])


class FlushTests(LogCase):
    """Durability."""

    def test_what_is_flushed_survives(self) -> None:
        """And what is not does not."""
        self.append(plain(b"kept"))
        self.assertEqual(self.log.flush(), (96, START_MS))
        self.append(plain(b"lost"))
        data = self.files.crash().read_bytes(FILE)
        self.assertEqual((len(data[:96].rstrip(b"\0")) > 90, data[96:]), (True, bytes(4000)))

    def test_over_files(self) -> None:
        """All files are synced, their names too."""
        self.append(*(plain(bytes(500)) for _ in range(20)))
        end, _ = self.log.flush()
        after = CommitLog(self.files.crash(), "commitlog", SMALL)
        after.load()
        self.assertEqual(len(after.segments), len(self.log.segments))
        self.assertEqual((self.log.flushed, self.log.end), (end, end))

    def test_failed_write(self) -> None:
        """Nothing of the turn counts: no offset moves."""
        self.append(plain())
        end = self.log.end
        self.files.fail("write_at")
        self.assertRaises(OSError, self.append, plain(), plain())
        queue = self.queues.get("T", 0)
        assert queue is not None
        self.assertEqual((self.log.end, queue.next_offset), (end, 1))

    def test_failed_sync(self) -> None:
        """Is told, and nothing is called flushed."""
        self.append(plain())
        self.files.fail("sync")
        self.assertRaises(OSError, self.log.flush)
        self.assertEqual(self.log.flushed, 0)

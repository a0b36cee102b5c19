"""What every IMessageStore does; mix `StoreContract` into a test case and say how a store is made."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer
from zope.interface.verify import verifyObject

from pymq.errors import StoreClosed
from pymq.interfaces import IArrivalListener, IMessageStore
from pymq.message.flags import TRANSACTION_COMMIT, TRANSACTION_PREPARED, TRANSACTION_ROLLBACK
from pymq.message.ids import encode_host
from pymq.message.record import RecordDraft, decode_record, mark_group
from pymq.message.results import GetStatus, PutStatus
from pymq.message.tags import java_hash
from pymq.testing.builders import NOW_MS, draft, unique_key

TOPIC = "TopicTest"
FOREVER_MS = 2**62


@implementer(IArrivalListener)
class ArrivalRecorder:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.calls: list[list[RecordDraft]] = []

    def messages_arrived(self, arrivals: list[RecordDraft]) -> None:
        """One call for each put."""
        self.calls.append(list(arrivals))


class StoreContract:
    """Mix-in for a SynchronousTestCase. The store's clock is `self.clock`, which begins at NOW_MS."""

    def make_store(self: Any) -> Any:
        """A loaded, empty IMessageStore on `self.clock`, closed by a cleanup; the index on, bodies up to 4 MiB."""
        raise NotImplementedError

    def put_one(self: Any, store: Any, *args: Any, **fields: Any) -> Any:
        """Put a single draft; its result."""
        (result,) = store.put([draft(*args, **fields)])
        return result

    def bodies(self: Any, result: Any) -> list[bytes]:
        """What the records of a GetResult or FoundByKey hold."""
        return [decode_record(record).raw_body for record in result.records]

    def put_numbered(self: Any, store: Any, count: int, *, seconds: float = 0, **fields: Any) -> list[Any]:
        """Messages b"0", b"1", ..., that many seconds apart; their results."""
        results = []
        for number in range(count):
            results.append(self.put_one(store, TOPIC, b"%d" % number, unique=unique_key(number), **fields))
            self.clock.advance(seconds)
        return results


class PutContract(StoreContract):
    """Storing messages."""

    def test_provides_the_interface(self: Any) -> None:
        """To the letter."""
        verifyObject(IMessageStore, self.make_store())

    def test_result_of_a_put(self: Any) -> None:
        """Offsets of both kinds, time and size; the draft is told them too."""
        store = self.make_store()
        one, two = draft(TOPIC, b"a"), draft(TOPIC, b"b")
        first, second = store.put([one, two])
        self.assertEqual((first.status, first.queue_offset, second.queue_offset), (PutStatus.PUT_OK, 0, 1))
        self.assertEqual(second.log_offset, first.log_offset + first.size)
        self.assertEqual((first.store_timestamp, second.store_timestamp), (NOW_MS, NOW_MS))
        self.assertEqual((two.log_offset, two.queue_offset, two.size), (second.log_offset, 1, second.size))

    def test_stored_record(self: Any) -> None:
        """Every field comes back as it was put, with the store's own set."""
        store = self.make_store()
        self.put_one(store, TOPIC, b"first")
        fields = {"flag": -7, "reconsume_times": 3, "sys_flag": TRANSACTION_COMMIT, "prepared_transaction_offset": 88}
        result = self.put_one(store, TOPIC, b"x" * 500, queue_id=2, tags="TagA", keys=("k1", "k2"), **fields)
        message = decode_record(store.read_at(result.log_offset))
        self.assertEqual({name: getattr(message, name) for name in fields}, fields)
        self.assertEqual((message.topic, message.queue_id, message.raw_body), (TOPIC, 2, b"x" * 500))
        self.assertEqual(message.properties, {"KEYS": "k1 k2", "TAGS": "TagA"})
        self.assertEqual((message.log_offset, message.queue_offset, message.store_timestamp), (result.log_offset, 0, NOW_MS))
        self.assertEqual(message.size, result.size)

    def test_hosts_of_either_family(self: Any) -> None:
        """The flag's bits follow the addresses, whatever the draft said."""
        store = self.make_store()
        v4, v6 = encode_host("10.1.2.3", 5555), encode_host("2001:db8::1", 5555)
        for born in (v4, v6):
            for host in (v4, v6):
                message = decode_record(
                    store.read_at(self.put_one(store, born_host=born, store_host=host, sys_flag=0x30).log_offset)
                )
                bits = (0x10 if born is v6 else 0) | (0x20 if host is v6 else 0)
                self.assertEqual((message.born_host_bytes, message.store_host_bytes, message.sys_flag), (born, host, bits))

    def test_empty_body_and_properties(self: Any) -> None:
        """Are stored as nothing, with CRC 0."""
        store = self.make_store()
        result = self.put_one(store, "T", b"")
        self.assertEqual((result.size, decode_record(store.read_at(result.log_offset)).body_crc), (92, 0))

    def test_queues_count_apart(self: Any) -> None:
        """Each queue of each topic has its own offsets."""
        store = self.make_store()
        places = [("A", 0), ("A", 1), ("B", 0), ("A", 0), ("B", 0), ("A", 1)]
        results = store.put([draft(topic, queue_id=queue_id) for topic, queue_id in places])
        self.assertEqual([result.queue_offset for result in results], [0, 0, 0, 1, 1, 1])

    def test_offsets_go_on_over_puts(self: Any) -> None:
        """One turn after the other."""
        store = self.make_store()
        self.assertEqual([result.queue_offset for result in self.put_numbered(store, 4)], [0, 1, 2, 3])

    def test_prepared_and_rolled_back_have_no_place_in_the_queue(self: Any) -> None:
        """They are in the log with queue offset 0 and nowhere else; a committed one is queued."""
        store = self.make_store()
        self.put_one(store, TOPIC, b"plain")
        kinds = (TRANSACTION_PREPARED, TRANSACTION_ROLLBACK, TRANSACTION_COMMIT)
        results = [self.put_one(store, TOPIC, b"%d" % kind, sys_flag=kind) for kind in kinds]
        self.assertEqual([result.queue_offset for result in results], [0, 0, 1])
        self.assertEqual(self.bodies(store.get(TOPIC, 0, 0, 32, None)), [b"plain", b"8"])
        self.assertEqual(decode_record(store.read_at(results[0].log_offset)).raw_body, b"4")

    def test_refused_drafts_do_not_hinder_others(self: Any) -> None:
        """A body, topic or property string too long is refused, with a reason; offsets leave no hole."""
        store = self.make_store()
        long_value = {"p": "x" * 33_000}
        drafts = [
            draft(body=b"a"),
            draft(body=bytes(4 * 1024 * 1024 + 1)),
            draft("T" * 128),
            draft(more=long_value),
            draft(body=b"b"),
        ]
        results = store.put(drafts)
        stored = [result.status is PutStatus.PUT_OK for result in results]
        self.assertEqual(stored, [True, False, False, False, True])
        self.assertTrue(all(result.reason and not result.status.is_stored for result in results[1:4]))
        self.assertEqual((results[4].queue_offset, results[4].log_offset), (1, results[0].size))

    def test_longest_allowed(self: Any) -> None:
        """Topic of 127 bytes, properties of 32,767."""
        store = self.make_store()
        result = self.put_one(store, "T" * 127, more={"p": "x" * (32_767 - 2)})
        self.assertEqual(result.status, PutStatus.PUT_OK)
        self.assertEqual(len(decode_record(store.read_at(result.log_offset)).properties["p"]), 32_765)

    def test_batch_is_stored_whole_or_not_at_all(self: Any) -> None:
        """One bad item refuses all of its batch, and none of the next."""
        store = self.make_store()
        bad = [draft(body=b"a"), draft(more={"p": "x" * 33_000}), draft(body=b"b")]
        good = [draft(body=b"c"), draft(body=b"d")]
        mark_group(bad)
        mark_group(good)
        results = store.put([*bad, *good])
        self.assertEqual([result.status is PutStatus.PUT_OK for result in results], [False] * 3 + [True] * 2)
        self.assertEqual(self.bodies(store.get(TOPIC, 0, 0, 32, None)), [b"c", b"d"])

    def test_nothing_to_put(self: Any) -> None:
        """Is answered with nothing."""
        self.assertEqual(self.make_store().put([]), [])

    def test_put_on_a_closed_store(self: Any) -> None:
        """Raises StoreClosed."""
        store = self.make_store()
        store.close()
        self.assertRaises(StoreClosed, store.put, [draft()])

    def test_listeners_hear_of_arrivals(self: Any) -> None:
        """In log order with offsets set, from when they began to watch, when the message is readable; not of refused ones."""
        store = self.make_store()
        self.put_one(store)
        recorder = ArrivalRecorder()
        store.watch(recorder)
        store.put([draft(body=b"a", queue_id=1), draft("T" * 128), draft(body=b"b")])
        arrivals = [(arrival.body, arrival.queue_id, arrival.queue_offset) for call in recorder.calls for arrival in call]
        self.assertEqual(arrivals, [(b"a", 1, 0), (b"b", 0, 1)])
        self.assertTrue(all(arrival.size > 0 for call in recorder.calls for arrival in call))


class GetContract(StoreContract):
    """Reading queues."""

    def test_found(self: Any) -> None:
        """From any offset, up to the count, in order; with where to go on."""
        store = self.make_store()
        self.put_numbered(store, 10)
        result = store.get(TOPIC, 0, 3, 4, None)
        self.assertEqual((result.status, self.bodies(result)), (GetStatus.FOUND, [b"3", b"4", b"5", b"6"]))
        self.assertEqual((result.next_offset, result.min_offset, result.max_offset, result.count), (7, 0, 10, 4))
        self.assertEqual(result.size_bytes, sum(map(len, result.records)))

    def test_the_rest(self: Any) -> None:
        """Fewer than asked for when there are no more."""
        store = self.make_store()
        self.put_numbered(store, 5)
        result = store.get(TOPIC, 0, 3, 32, None)
        self.assertEqual((self.bodies(result), result.next_offset), ([b"3", b"4"], 5))

    def test_exact_counts(self: Any) -> None:
        """10, 20 and 32 when there are plenty (testPullSize)."""
        store = self.make_store()
        self.put_numbered(store, 40)
        self.assertEqual([store.get(TOPIC, 0, 0, count, None).count for count in (1, 10, 20, 32)], [1, 10, 20, 32])

    def test_unknown_queue(self: Any) -> None:
        """Is an empty one."""
        result = self.make_store().get("Unknown", 3, 0, 32, None)
        self.assertEqual((result.status, result.records, result.max_offset), (GetStatus.NO_MESSAGE_IN_QUEUE, [], 0))
        self.assertEqual(result.next_offset, 0)

    def test_beyond_the_end(self: Any) -> None:
        """At the end one waits; further on one is sent back to the end."""
        store = self.make_store()
        self.put_numbered(store, 3)
        answers = [store.get(TOPIC, 0, offset, 32, None) for offset in (3, 4, 1000)]
        badly = GetStatus.OFFSET_OVERFLOW_BADLY
        self.assertEqual([answer.status for answer in answers], [GetStatus.OFFSET_OVERFLOW_ONE, badly, badly])
        self.assertEqual([answer.next_offset for answer in answers], [3, 3, 3])

    def test_tag_filter(self: Any) -> None:
        """By hash; the next offset passes what was left out."""
        store = self.make_store()
        for number in range(9):
            self.put_one(store, TOPIC, b"%d" % number, tags=("TagA", "TagB", None)[number % 3])
        result = store.get(TOPIC, 0, 0, 32, frozenset({java_hash("TagA"), java_hash("TagX")}))
        self.assertEqual((self.bodies(result), result.next_offset), ([b"0", b"3", b"6"], 9))
        result = store.get(TOPIC, 0, 0, 2, frozenset({java_hash("TagB")}))
        self.assertEqual((self.bodies(result), result.next_offset), ([b"1", b"4"], 5))

    def test_negative_tag_hash(self: Any) -> None:
        """Half of all tags have one."""
        store = self.make_store()
        tag = next(f"tag{number}" for number in range(1000) if java_hash(f"tag{number}") < 0)
        self.put_one(store, TOPIC, b"a", tags=tag)
        self.assertEqual(self.bodies(store.get(TOPIC, 0, 0, 32, frozenset({java_hash(tag)}))), [b"a"])

    def test_nothing_matches(self: Any) -> None:
        """Says so and goes on behind what it looked at."""
        store = self.make_store()
        self.put_numbered(store, 5, tags="TagA")
        result = store.get(TOPIC, 0, 1, 32, frozenset({java_hash("TagB")}))
        self.assertEqual((result.status, result.records, result.next_offset), (GetStatus.NO_MATCHED_MESSAGE, [], 5))

    def test_bytes_of_one_answer(self: Any) -> None:
        """At most 256 KiB, but a first record of any size."""
        store = self.make_store()
        for size in (300_000, 100_000, 100_000, 100_000):
            self.put_one(store, TOPIC, bytes(size))
        self.assertEqual(store.get(TOPIC, 0, 0, 32, None).count, 1)
        self.assertEqual(store.get(TOPIC, 0, 1, 32, None).count, 2)

    def test_records_stay_as_they_are(self: Any) -> None:
        """Later puts do not change what was handed out."""
        store = self.make_store()
        self.put_one(store, TOPIC, b"first")
        (record,) = store.get(TOPIC, 0, 0, 1, None).records
        before = bytes(record)
        self.put_numbered(store, 50)
        self.assertEqual(bytes(record), before)

    def test_units(self: Any) -> None:
        """Place, size and tags code of messages, without reading them; no more than asked for, nothing outside the queue."""
        store = self.make_store()
        puts = [self.put_one(store, TOPIC, b"x" * size, tags=tag) for size, tag in ((1, "TagA"), (20, None), (300, "TagB"))]
        codes = (java_hash("TagA"), 0, java_hash("TagB"))
        wanted = [(put.log_offset, put.size, code) for put, code in zip(puts, codes)]
        self.assertEqual(store.units(TOPIC, 0, 0, 2), wanted[:2])
        self.assertEqual(store.units(TOPIC, 0, 1, 100), wanted[1:])
        for topic, queue_id, offset in ((TOPIC, 0, 3), (TOPIC, 0, -1), (TOPIC, 1, 0), ("nothing", 0, 0)):
            self.assertEqual(store.units(topic, queue_id, offset, 9), [])

    def test_extensions(self: Any) -> None:
        """What is kept beside a unit, if anything is, has its code; there is nothing where no unit is."""
        store = self.make_store()
        self.put_one(store, TOPIC, tags="TagA")
        kept = store.extension(TOPIC, 0, 0)
        self.assertIn(kept and kept[1].tags_code, (None, java_hash("TagA")))
        for topic, offset in ((TOPIC, 1), (TOPIC, -1), ("nothing", 0)):
            self.assertIsNone(store.extension(topic, 0, offset))

    def test_units_of_delayed_messages(self: Any) -> None:
        """Hold the time at which they are due instead of a tag."""
        store = self.make_store()
        self.put_one(store, "SCHEDULE_TOPIC_XXXX", queue_id=1, tags="TagA", more={"DELAY": "2"})
        self.assertEqual([code for _, _, code in store.units("SCHEDULE_TOPIC_XXXX", 1, 0, 1)], [NOW_MS + 5000])

    def test_read_at_is_strict(self: Any) -> None:
        """Only where a record begins."""
        store = self.make_store()
        first, second = self.put_numbered(store, 2)
        end = second.log_offset + second.size
        self.assertEqual(len(store.read_at(first.log_offset)), first.size)
        for offset in (-1, first.log_offset + 1, second.log_offset - 1, end, end + 8, 2**40):
            self.assertIsNone(store.read_at(offset))


class QueryContract(StoreContract):
    """Finding by key, time and offset."""

    def test_find_by_key(self: Any) -> None:
        """By unique key and by each of the others, within the topic, ascending."""
        store = self.make_store()
        for number in range(4):
            self.put_one(store, TOPIC, b"%d" % number, keys=("all", f"k{number}"), unique=unique_key(number))
        self.put_one(store, "Other", b"x", keys="all")
        for key, wanted in (("all", [b"0", b"1", b"2", b"3"]), ("k2", [b"2"]), (unique_key(3), [b"3"]), ("none", [])):
            self.assertEqual(self.bodies(store.find_by_key(TOPIC, key, 32, 0, FOREVER_MS)), wanted)

    def test_find_by_key_tells_how_far(self: Any) -> None:
        """Time and offset of the newest message indexed."""
        store = self.make_store()
        result = self.put_numbered(store, 3, seconds=1)[-1]
        found = store.find_by_key(TOPIC, "none", 32, 0, FOREVER_MS)
        self.assertEqual((found.last_time_ms, found.last_log_offset), (result.store_timestamp, result.log_offset))

    def test_find_by_key_in_time(self: Any) -> None:
        """Only what was stored in the range."""
        store = self.make_store()
        self.put_numbered(store, 10, seconds=10, keys="all")
        found = store.find_by_key(TOPIC, "all", 32, NOW_MS + 20_000, NOW_MS + 40_000)
        self.assertEqual(self.bodies(found), [b"2", b"3", b"4"])

    def test_find_by_key_limit(self: Any) -> None:
        """The newest count."""
        store = self.make_store()
        self.put_numbered(store, 10, keys="all")
        self.assertEqual(self.bodies(store.find_by_key(TOPIC, "all", 3, 0, FOREVER_MS)), [b"7", b"8", b"9"])

    def test_offsets_of_queues(self: Any) -> None:
        """Zero for a queue that nobody knows."""
        store = self.make_store()
        self.put_numbered(store, 3)
        self.assertEqual([store.min_offset(TOPIC, 0), store.max_offset(TOPIC, 0)], [0, 3])
        self.assertEqual([store.min_offset("Unknown", 0), store.max_offset(TOPIC, 7)], [0, 0])

    def test_offset_at(self: Any) -> None:
        """The message stored nearest to the time; the first and the last beyond the ends."""
        store = self.make_store()
        self.put_numbered(store, 10, seconds=10)
        times = {-20_000: 0, 0: 0, 10_000: 1, 10_002: 1, 9_998: 1, 14_999: 1, 15_001: 2, 90_000: 9, 200_000: 9}
        self.assertEqual({ms: store.offset_at(TOPIC, 0, NOW_MS + ms) for ms in times}, times)

    def test_offset_at_in_an_unknown_queue(self: Any) -> None:
        """Zero."""
        self.assertEqual(self.make_store().offset_at("Unknown", 0, NOW_MS), 0)

    def test_store_time(self: Any) -> None:
        """-1 where no message is."""
        store = self.make_store()
        self.put_numbered(store, 3, seconds=1)
        times = [store.store_time(TOPIC, 0, offset) for offset in (0, 2, 3, -1)]
        self.assertEqual(times, [NOW_MS, NOW_MS + 2000, -1, -1])
        self.assertEqual(store.store_time("Unknown", 0, 0), -1)


class CareContract(StoreContract):
    """Flushing, maintenance, dropping queues, facts."""

    def test_flush(self: Any) -> None:
        """Reaches the end of what was put."""
        store = self.make_store()
        result = self.put_numbered(store, 3)[-1]
        self.assertEqual(store.flush(), result.log_offset + result.size)

    def test_describe(self: Any) -> None:
        """Facts for operators, under these names at least."""
        store = self.make_store()
        self.put_one(store, "B")
        result = self.put_one(store, "A")
        end = result.log_offset + result.size
        store.flush()
        facts = store.describe()
        wanted = {
            "log_min_offset": 0,
            "log_max_offset": end,
            "flushed_offset": end,
            "dispatch_behind_bytes": 0,
            "earliest_store_time_ms": NOW_MS,
            "writable": True,
            "topics": ["A", "B"],
        }
        self.assertEqual({name: facts[name] for name in wanted}, wanted)
        self.assertTrue(0 <= facts["disk_used_ratio"] <= 1)

    def test_describe_an_empty_store(self: Any) -> None:
        """No message, no time."""
        facts = self.make_store().describe()
        self.assertEqual((facts["log_max_offset"], facts["topics"], facts["earliest_store_time_ms"]), (0, [], -1))

    def test_maintenance_keeps_what_is_young(self: Any) -> None:
        """A round may come at any time."""
        store = self.make_store()
        self.put_numbered(store, 5)
        store.run_maintenance(NOW_MS + 60_000)
        self.assertEqual(store.get(TOPIC, 0, 0, 32, None).count, 5)

    def test_drop_queues(self: Any) -> None:
        """Those of topics not named go and begin again at 0; system queues stay."""
        store = self.make_store()
        for topic in ("A", "B", "SCHEDULE_TOPIC_XXXX"):
            store.put([draft(topic), draft(topic, queue_id=1)])
        self.assertEqual(store.drop_queues(lambda topic: topic != "A"), ["B"])
        self.assertEqual(store.describe()["topics"], ["A", "SCHEDULE_TOPIC_XXXX"])
        self.assertEqual([store.max_offset("A", 0), store.max_offset("B", 0)], [1, 0])
        self.assertEqual(self.put_one(store, "B").queue_offset, 0)
        self.assertEqual(store.get("B", 0, 0, 32, None).count, 1)

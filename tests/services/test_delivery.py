"""Delayed messages arrive when they are due: not before, not much later, not fewer, and after a restart too."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.delayoffsets import DOCUMENT, DelayOffsetManager
from pymq.broker.delays import redirected
from pymq.broker.stats import BrokerStatsManager
from pymq.errors import StoreReadOnly
from pymq.message.record import RecordDraft, decode_record
from pymq.message.results import PutResult, PutStatus
from pymq.services import delivery as module
from pymq.services.delivery import DelayedDelivery
from pymq.store.config import MessageStoreConfig
from pymq.store.store import FileMessageStore
from pymq.testing.builders import draft
from pymq.testing.documents import MemoryDocuments
from pymq.testing.memoryfiles import MemoryFiles

SCHEDULE = "SCHEDULE_TOPIC_XXXX"
LEVELS = 18


class FakeFlusher:
    """Says at once that all is durable, or what the test says."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.outcome: Deferred[bool] | None = None

    def when_durable(self, log_offset: int) -> Deferred[bool]:
        """Note the question."""
        self.asked.append(log_offset)
        return succeed(True) if self.outcome is None else self.outcome


class RefusingStore(FileMessageStore):
    """Refuses every message whose body is in `refused`, and counts the messages of each put."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.refused: set[bytes] = set()
        self.put_counts: list[int] = []

    def put(self, drafts: Any) -> list[PutResult]:
        """Store the others."""
        self.put_counts.append(len(drafts))
        results = iter(super().put([one for one in drafts if one.body not in self.refused]))
        return [PutResult(PutStatus.MESSAGE_ILLEGAL) if one.body in self.refused else next(results) for one in drafts]


class DeliveryCase(SynchronousTestCase):
    """A store on a disk in memory, and the delivery over it."""

    def setUp(self) -> None:
        """Started, with nothing in it."""
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.files = MemoryFiles()
        self.documents = MemoryDocuments()
        self.config = MessageStoreConfig()
        self.begin()

    def begin(self, **settings: Any) -> None:
        """Start a broker's store and delivery, on what the last one left."""
        self.config = attrs.evolve(self.config, **settings)
        self.store = RefusingStore(self.files, self.config, clock=self.clock)
        self.store.load()
        self.offsets = DelayOffsetManager(self.documents)
        self.offsets.load()
        self.stats = BrokerStatsManager(clock=self.clock, cluster_name="C")
        self.flusher = FakeFlusher()
        self.delivery = DelayedDelivery(
            self.store,
            self.config,
            self.offsets,
            flusher=self.flusher,  # type: ignore[arg-type]  # as much as is used
            stats=self.stats,
            clock=self.clock,
        )
        self.delivery.start()

    def end(self) -> None:
        """Stop in an orderly way."""
        stopped = Deferred.fromCoroutine(self.delivery.stop())
        self.successResultOf(stopped)
        self.store.close()

    def crash(self) -> None:
        """Stop without a word: what was not saved is forgotten."""
        for call in self.clock.getDelayedCalls():
            call.cancel()
        self.store.close()

    def send(self, level: int, body: bytes = b"later", topic: str = "T", **fields: Any) -> None:
        """Store a delayed message, as the processors do."""
        self.store.put([self.delayed(level, body, topic, **fields)])

    def delayed(self, level: int, body: bytes, topic: str = "T", **fields: Any) -> RecordDraft:
        """A message as it waits."""
        return redirected(draft(topic, body, more={"DELAY": str(level)}, **fields), LEVELS)

    def delivered(self, topic: str = "T", queue_id: int = 0) -> list[bytes]:
        """The bodies in a queue."""
        result, found = self.store.get(topic, queue_id, 0, 32, None), []
        while result.records:
            found += [decode_record(record).raw_body for record in result.records]
            result = self.store.get(topic, queue_id, result.next_offset, 32, None)
        return found


class TimeTests(DeliveryCase):
    """When messages come."""

    def test_not_before_and_not_after(self) -> None:
        """To the millisecond, although nobody looks in between."""
        self.send(1)
        self.clock.advance(0.999)
        self.assertEqual(self.delivered(), [])
        self.clock.advance(0.001)
        self.assertEqual(self.delivered(), [b"later"])

    def test_each_level_has_its_own_time(self) -> None:
        """A later send of a lower level comes first."""
        self.send(3, b"10s")
        self.send(2, b"5s")
        self.send(1, b"1s")
        self.clock.advance(1)
        self.assertEqual(self.delivered(), [b"1s"])
        self.clock.advance(4)
        self.assertEqual(self.delivered(), [b"1s", b"5s"])
        self.clock.advance(5)
        self.assertEqual(self.delivered(), [b"1s", b"5s", b"10s"])

    def test_messages_of_one_level_follow_each_other(self) -> None:
        """One timer serves all that wait."""
        for number in range(5):
            self.send(1, b"%d" % number)
            self.clock.advance(0.25)
        for count in range(2, 6):
            self.assertEqual(self.delivered(), [b"%d" % number for number in range(count)])
            self.clock.advance(0.25)

    def test_nothing_to_do(self) -> None:
        """Then there is no timer but the one of saving."""
        self.clock.advance(0)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.send(18)
        self.clock.advance(0)
        due = sorted(call.getTime() - self.clock.seconds() for call in self.clock.getDelayedCalls())
        self.assertEqual(due, [1.0, 7200.0])

    def test_all_that_was_sent_is_there(self) -> None:
        """In the queue it was sent to, with its properties and those of the delay (store.md 6.1)."""
        self.send(1, b"all", queue_id=3, tags="A", keys="k", flag=7, reconsume_times=2)
        self.clock.advance(1)
        (record,) = self.store.get("T", 3, 0, 1, None).records
        message = decode_record(record)
        self.assertEqual((message.raw_body, message.flag, message.reconsume_times), (b"all", 7, 2))
        wanted = {"TAGS": "A", "KEYS": "k", "DELAY": "1", "REAL_TOPIC": "T", "REAL_QID": "3"}
        self.assertEqual(message.properties, wanted)
        self.assertEqual(message.store_timestamp, int(self.clock.seconds() * 1000))
        self.assertEqual(len(self.store.find_by_key("T", "k", 9, 0, 2**62).records), 1)

    def test_clock_set_back(self) -> None:
        """What lies further ahead than its delay is delivered at once."""
        self.clock.advance(3600)
        self.send(1)
        self.crash()
        self.clock.rightNow -= 3600
        self.begin()
        self.clock.advance(0)
        self.assertEqual(self.delivered(), [b"later"])

    def test_slave_delivers_nothing(self) -> None:
        """Its master does."""
        self.end()
        self.begin(broker_role="SLAVE")
        self.send(1)
        self.clock.advance(60)
        self.assertEqual(self.delivered(), [])


class FloodTests(DeliveryCase):
    """Many at once."""

    def test_turns_are_bounded(self) -> None:
        """Others are served in between: each turn is a call of its own."""
        count = module.TURN_MESSAGES_MAX * 2 + 5
        self.store.put([self.delayed(1, b"%d" % number) for number in range(count)])
        self.store.put_counts.clear()
        self.clock.advance(1)
        self.assertEqual(self.store.put_counts, [module.TURN_MESSAGES_MAX, module.TURN_MESSAGES_MAX, 5])
        self.assertEqual(self.delivered(), [b"%d" % number for number in range(count)])

    def test_turns_are_bounded_in_bytes(self) -> None:
        """Large messages make short turns."""
        self.patch(module, "TURN_BYTES_MAX", 1000)
        self.store.put([self.delayed(1, b"x" * 600) for _ in range(5)])
        self.store.put_counts.clear()
        self.clock.advance(1)
        self.assertEqual(self.store.put_counts, [2, 2, 1])

    def test_no_level_starves(self) -> None:
        """A message of another level comes through while a flood is delivered."""
        self.patch(module, "TURN_MESSAGES_MAX", 4)
        self.send(2, b"lonely", "Other")
        self.clock.advance(3.999)
        self.store.put([self.delayed(1, b"%d" % number) for number in range(40)])
        self.store.put_counts.clear()
        self.clock.advance(1.001)
        self.assertEqual(self.delivered("Other"), [b"lonely"])
        self.assertEqual(len(self.delivered()), 40)
        self.assertLess(self.store.put_counts.index(1), 3)

    def test_delivery_is_counted(self) -> None:
        """As puts into the topic, and as gets from the schedule topic."""
        self.store.put([self.delayed(1, b"x") for _ in range(3)])
        self.clock.advance(1)
        self.clock.advance(60)
        self.stats.sample(self.clock.seconds())
        self.assertEqual(self.stats.view("TOPIC_PUT_NUMS", "T").stats_minute.sum, 3)
        self.assertEqual(self.stats.view("GROUP_GET_NUMS", f"{SCHEDULE}@SCHEDULE_CONSUMER").stats_minute.sum, 3)


class RestartTests(DeliveryCase):
    """What became due in between, and what was delivered already."""

    def test_due_in_between(self) -> None:
        """Is delivered at the start; the rest in its time."""
        self.send(1, b"early")
        self.send(2, b"late")
        self.end()
        self.clock.advance(3)
        self.begin()
        self.clock.advance(0)
        self.assertEqual(self.delivered(), [b"early"])
        self.clock.advance(2)
        self.assertEqual(self.delivered(), [b"early", b"late"])

    def test_nothing_comes_twice_after_a_stop(self) -> None:
        """A stop saves how far it came."""
        self.send(1)
        self.clock.advance(1)
        self.end()
        self.begin()
        self.clock.advance(60)
        self.assertEqual(self.delivered(), [b"later"])

    def test_after_a_crash_it_goes_on_from_what_was_saved(self) -> None:
        """Every ten seconds; what was delivered since comes again."""
        self.send(1, b"saved")
        self.clock.advance(10)
        self.send(1, b"again")
        self.clock.advance(1)
        self.crash()
        self.begin()
        self.clock.advance(0)
        self.assertEqual(self.delivered(), [b"saved", b"again", b"again"])

    def test_crashes_in_quick_succession(self) -> None:
        """The first save comes soon: a broker that never lives for ten seconds does not begin at the beginning each time."""
        self.clock.advance(5)
        self.send(1)
        self.clock.advance(1)
        for _ in range(5):
            self.crash()
            self.begin()
            self.clock.advance(0)
            self.clock.advance(2)
        self.assertEqual(self.delivered(), [b"later", b"later"])

    def test_offsets_outside_of_the_queues(self) -> None:
        """Are moved into them."""
        self.send(1, b"first")
        self.end()
        self.documents.save(DOCUMENT, {"offsetTable": {"1": 99, "2": -5}})
        self.begin()
        self.assertEqual(dict(self.offsets.table), {1: 1, 2: 0})
        self.send(1, b"second")
        self.clock.advance(1)
        self.assertEqual(self.delivered(), [b"second"])

    def test_other_delays_in_the_settings(self) -> None:
        """What waits already keeps its time; levels that are gone are served on."""
        self.send(3, b"10s")
        self.send(4, b"30s")
        self.end()
        self.begin(message_delay_level="1s 5s 20s")
        self.clock.advance(10)
        self.assertEqual(self.delivered(), [b"10s"])
        self.clock.advance(20)
        self.assertEqual(self.delivered(), [b"10s", b"30s"])

    def test_more_levels_than_java_has(self) -> None:
        """Each gets a queue."""
        self.end()
        self.begin(message_delay_level=" ".join(f"{number}s" for number in range(1, 31)))
        self.store.put([redirected(draft("T", b"30", more={"DELAY": "30"}), 30)])
        self.clock.advance(30)
        self.assertEqual(self.delivered(), [b"30"])


class SaveTests(DeliveryCase):
    """What may be called delivered."""

    def saved(self) -> Any:
        """The document."""
        document = self.documents.load(DOCUMENT)
        return document and {int(level): offset for level, offset in document["offsetTable"].items()}

    def test_only_when_it_is_durable(self) -> None:
        """The flusher is asked for the end of what was delivered; meanwhile nothing is saved."""
        self.send(1)
        self.flusher.outcome = Deferred()
        self.clock.advance(10)
        self.assertEqual(self.flusher.asked, [self.store.describe()["log_max_offset"]])
        self.assertIsNone(self.saved())
        self.flusher.outcome.callback(True)
        self.assertEqual(self.saved(), {1: 1})

    def test_disk_is_slow(self) -> None:
        """Left to the next time."""
        self.send(1)
        self.flusher.outcome = succeed(False)
        self.clock.advance(10)
        self.assertIsNone(self.saved())
        self.flusher.outcome = None
        self.clock.advance(10)
        self.assertEqual(self.saved(), {1: 1})

    def test_disk_fails(self) -> None:
        """Nothing is saved, and the delivery goes on with what it can."""
        self.send(1)
        self.flusher.outcome = fail(StoreReadOnly("input/output error"))
        self.clock.advance(10)
        self.assertIsNone(self.saved())
        self.assertEqual(len(self.flushLoggedErrors(StoreReadOnly)), 1)

    def test_nothing_new(self) -> None:
        """Is not saved again."""
        self.send(1)
        self.clock.advance(10)
        saves = list(self.documents.saves)
        self.clock.advance(60)
        self.assertEqual(self.documents.saves, saves)

    def test_interval_is_a_setting(self) -> None:
        """flushDelayOffsetInterval."""
        self.end()
        self.begin(flush_delay_offset_interval=2000)
        self.send(1)
        self.clock.advance(2)
        self.assertEqual(self.saved(), {1: 1})

    def test_stopped_is_stopped(self) -> None:
        """Nothing stays scheduled, and arrivals wake nobody."""
        self.send(2)
        self.successResultOf(Deferred.fromCoroutine(self.delivery.stop()))
        self.send(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class TroubleTests(DeliveryCase):
    """Stores that refuse, records that are gone."""

    def test_refused_message_is_tried_again(self) -> None:
        """After 100 ms, until it is taken."""
        self.store.refused = {b"later"}
        self.store.put([self.delayed(1, b"other")])
        self.store.refused = {b"other"}
        self.clock.advance(1.25)
        self.assertEqual(self.delivered(), [])
        self.store.refused = set()
        self.clock.advance(0.1)
        self.assertEqual(self.delivered(), [b"other"])

    def test_refused_message_holds_up_its_level_alone(self) -> None:
        """Those behind it that were taken in the same turn do not come twice, and other levels go on."""
        self.store.put([self.delayed(1, b"%d" % number) for number in range(5)])
        self.send(2, b"other", "Other")
        self.store.refused = {b"1", b"3"}
        self.clock.advance(10)
        self.assertEqual(self.delivered(), [b"0", b"2", b"4"])
        self.assertEqual((self.offsets.table[1], self.delivered("Other")), (1, [b"other"]))
        self.store.refused = {b"3"}
        self.clock.advance(1)
        self.assertEqual((self.delivered(), self.offsets.table[1]), ([b"0", b"2", b"4", b"1"], 3))
        self.store.refused = set()
        self.clock.advance(1)
        self.assertEqual((self.delivered(), self.offsets.table[1]), ([b"0", b"2", b"4", b"1", b"3"], 5))

    def test_record_without_a_place_is_passed_over(self) -> None:
        """It must not hold up those behind it."""
        self.store.put([draft(SCHEDULE, b"astray", more={"DELAY": "1"}), self.delayed(1, b"good")])
        self.clock.advance(1)
        self.assertEqual((self.delivered(), self.offsets.table[1]), ([b"good"], 2))

    def test_record_that_is_gone_is_passed_over(self) -> None:
        """Its segment was deleted, or damaged."""
        self.send(1, b"gone")
        self.send(1, b"good")
        read_at = self.store.read_at
        self.store.read_at = lambda log_offset: read_at(log_offset) if log_offset else None  # type: ignore[method-assign]
        self.clock.advance(1)
        self.assertEqual((self.delivered(), self.offsets.table[1]), ([b"good"], 2))

    def test_fault_stops_a_level_for_a_while(self) -> None:
        """Ten seconds, as in Java; it is logged."""
        read_at = self.store.read_at

        def broken(log_offset: int) -> Any:
            raise ZeroDivisionError

        self.store.read_at = broken  # type: ignore[method-assign]
        self.send(1)
        self.send(2, b"other", "Other")
        self.clock.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.store.read_at = read_at  # type: ignore[method-assign]
        self.clock.advance(9.5)
        self.assertEqual((self.delivered(), self.delivered("Other")), ([], [b"other"]))
        self.clock.advance(0.5)
        self.assertEqual(self.delivered(), [b"later"])

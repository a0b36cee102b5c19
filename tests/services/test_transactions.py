"""Tests of pymq.services.transactions."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker import halfmessages
from pymq.broker.clients import ClientChannelInfo, ProducerManager
from pymq.broker.halfqueue import HalfQueue, prepare
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.broker.topics import TopicConfigManager
from pymq.message.message import StoredMessage
from pymq.message.record import decode_record, draft_from
from pymq.message.results import PutResult, PutStatus
from pymq.message.topics import HALF_TOPIC, OP_HALF_TOPIC, TRANS_CHECK_MAX_TIME_TOPIC, TRANSACTION_CHECK_GROUP
from pymq.services import transactions
from pymq.services.flusher import Flusher
from pymq.services.transactions import TransactionCheckService
from pymq.store.config import MessageStoreConfig
from pymq.store.store import FileMessageStore
from pymq.testing.builders import STORE_HOST, draft
from pymq.testing.channels import FakeChannel
from pymq.testing.documents import MemoryDocuments
from pymq.testing.memoryfiles import MemoryFiles
from pymq.wire.command import RemotingCommand
from tests.broker.fixtures import broker_config, started_clock

INTERVAL_S = 60


class Broker:
    """As much of a broker as transactions need, on a disk in memory that lasts over restarts."""

    def __init__(self, clock: Clock, files: MemoryFiles, documents: MemoryDocuments, **changes: Any) -> None:
        self.clock, self.files, self.documents, self.changes = clock, files, documents, changes
        self.config = broker_config(**changes)
        self.store: Any = FileMessageStore(files, MessageStoreConfig(), clock=clock)
        self.store.load()
        self.offsets = ConsumerOffsetManager(documents)
        self.offsets.load()
        self.topics = TopicConfigManager(self.config, documents, clock=clock)
        self.producers = ProducerManager(clock=clock)
        self.half_queue = HalfQueue(store=self.store, topics=self.topics, clock=clock, store_host=STORE_HOST)
        self.service = TransactionCheckService(
            config=self.config, store_config=MessageStoreConfig(), store=self.store, half_queue=self.half_queue,
            offsets=self.offsets, producers=self.producers, clock=clock,
            flusher=Flusher(self.store, MessageStoreConfig(), clock, maybeDeferred),
        )  # fmt: skip
        self.service.start()

    def join(self, group: str = "PG") -> FakeChannel:
        """A producer of the group connects."""
        channel = FakeChannel()
        self.producers.register(group, ClientChannelInfo(channel, f"client-{id(channel)}"))
        return channel

    def prepare(self, **properties: str) -> StoredMessage:
        """A half message is sent now."""
        now_ms = int(self.clock.seconds() * 1000)
        sent = draft("T", more={"TRAN_MSG": "true", "PGROUP": "PG", **properties}, born_timestamp=now_ms)
        prepare(sent, self.topics, self.config)
        self.half_queue.put(sent)
        half = self.half_queue.read(sent.log_offset)
        assert half is not None
        return half

    def op(self, body: bytes) -> None:
        """An op message of any form."""
        hosts = {"born_host": STORE_HOST, "store_host": STORE_HOST}
        self.store.put([draft_from(OP_HALF_TOPIC, 0, body, "TAGS\x01d", born_timestamp=1, **hosts)])

    def stored(self, topic: str = HALF_TOPIC) -> list[StoredMessage]:
        """The messages of a topic of the system."""
        found = []
        for offset in range(self.store.max_offset(topic, 0)):
            found += [decode_record(record) for record in self.store.get(topic, 0, offset, 1, None).records]
        return found

    def progress(self) -> tuple[int, int]:
        """The offsets of half and op messages from which it goes on."""
        return tuple(self.offsets.query(TRANSACTION_CHECK_GROUP, topic, 0) for topic in (HALF_TOPIC, OP_HALF_TOPIC))  # type: ignore[return-value]

    def die(self) -> Broker:
        """Killed with its offsets saved, and started again; nobody is connected then."""
        self.service.stop()
        self.offsets.save()
        return Broker(self.clock, self.files.kill(), self.documents, **self.changes)


class TransactionCheckServiceTests(SynchronousTestCase):
    """On a clock that a test moves."""

    def setUp(self) -> None:
        self.clock = started_clock()
        self.make()

    def make(self, **changes: Any) -> None:
        """A new broker."""
        self.broker = Broker(self.clock, MemoryFiles(), MemoryDocuments(), **changes)

    def round(self, count: int = 1) -> None:
        """Rounds go by."""
        for _ in range(count):
            self.clock.advance(INTERVAL_S)
            self.clock.pump([0] * 20)

    def asked(self, channel: FakeChannel) -> list[RemotingCommand]:
        """What a producer was asked since the last time."""
        sent, channel.sent = channel.sent, []
        self.assertEqual({command.code for command in sent}, {39} if sent else set())
        return sent

    def test_nothing_to_do(self) -> None:
        """A broker without transactions gets neither topics nor offsets by its rounds."""
        self.round(3)
        self.assertEqual((self.broker.progress(), self.broker.topics.get(HALF_TOPIC)), ((-1, -1), None))

    def test_a_forgotten_message_is_checked(self) -> None:
        """Its copy with one check more lies at the end of the queue, and it is the copy that is asked about."""
        channel, half = self.broker.join(), self.broker.prepare(UNIQ_KEY="U1")
        self.round()
        copy = self.broker.stored()[1]
        self.assertEqual(copy.properties, {**half.properties, "TRANSACTION_CHECK_TIMES": "1"})
        (request,) = self.asked(channel)
        header = request.ext_fields or {}
        self.assertEqual((header["tranStateTableOffset"], header["commitLogOffset"]), ("1", str(copy.log_offset)))
        self.assertEqual(decode_record(request.body).topic, "T")
        self.assertEqual(self.broker.progress(), (1, 0))

    def test_not_before_its_time(self) -> None:
        """Younger than transactionTimeOut when the round comes: the next one asks."""
        channel = self.broker.join()
        self.clock.advance(INTERVAL_S - 5.999)
        self.broker.prepare()
        self.clock.advance(5.999)
        self.assertEqual((self.asked(channel), self.broker.progress()), ([], (0, 0)))
        self.round()
        self.assertEqual(len(self.asked(channel)), 1)

    def test_the_first_young_one_ends_the_round(self) -> None:
        """All behind it are younger."""
        channel = self.broker.join()
        self.broker.prepare()
        self.clock.advance(INTERVAL_S - 1)
        self.broker.prepare()
        self.clock.advance(1)
        self.assertEqual((len(self.asked(channel)), self.broker.progress()), (1, (1, 0)))

    def test_ended_ones_are_left_alone(self) -> None:
        """By single offsets and by lists; what was read is progress."""
        channel = self.broker.join()
        halves = [self.broker.prepare() for _ in range(5)]
        self.broker.half_queue.end(halves[3])
        self.broker.op(b"0,4,")
        self.broker.op(b"nonsense")
        self.round()
        self.assertEqual([(asked.ext_fields or {})["tranStateTableOffset"] for asked in self.asked(channel)], ["5", "6"])
        self.assertEqual(self.broker.progress(), (5, 3))

    def test_a_checked_message_that_is_ended(self) -> None:
        """Under the offset of its copy."""
        channel = self.broker.join()
        self.broker.prepare()
        self.round()
        self.broker.half_queue.end(self.broker.stored()[1])
        self.asked(channel)
        self.round(3)
        self.assertEqual((self.asked(channel), len(self.broker.stored()), self.broker.progress()), ([], 2, (2, 1)))

    def test_fifteen_times(self) -> None:
        """Then it lies where operators look, and never comes again."""
        channel = self.broker.join()
        self.broker.prepare()
        self.round(15)
        self.assertEqual((len(self.asked(channel)), len(self.broker.stored())), (15, 16))
        self.round(5)
        self.assertEqual((self.asked(channel), len(self.broker.stored()), self.broker.progress()), ([], 16, (16, 0)))
        (given_up,) = self.broker.stored(TRANS_CHECK_MAX_TIME_TOPIC)
        self.assertEqual(given_up.properties["TRANSACTION_CHECK_TIMES"], "15")
        self.assertIsNotNone(self.broker.topics.get(TRANS_CHECK_MAX_TIME_TOPIC))

    def test_the_limit_of_the_settings(self) -> None:
        """transactionCheckMax and transactionTimeOut hold from the next round on when tools change them."""
        channel = self.broker.join()
        self.broker.prepare()
        object.__setattr__(self.broker.config, "transaction_time_out", 61_000)
        self.round()
        self.assertEqual(self.asked(channel), [])
        object.__setattr__(self.broker.config, "transaction_check_max", 0)
        self.round()
        self.assertEqual((self.asked(channel), len(self.broker.stored(TRANS_CHECK_MAX_TIME_TOPIC))), ([], 1))

    def test_messages_that_are_too_old(self) -> None:
        """Born before fileReservedTime: given up unasked."""
        channel = self.broker.join()
        old = draft("T", more={"TRAN_MSG": "true", "PGROUP": "PG"}, born_timestamp=int((self.clock.seconds() - 73 * 3600) * 1000))
        prepare(old, self.broker.topics, self.broker.config)
        self.broker.half_queue.put(old)
        self.round()
        self.assertEqual((self.asked(channel), len(self.broker.stored(TRANS_CHECK_MAX_TIME_TOPIC))), ([], 1))

    def test_nobody_is_there(self) -> None:
        """The check counts, and the next one may find somebody; one of them is asked, each in turn."""
        self.broker.prepare()
        self.round()
        channels = [self.broker.join(), self.broker.join(), self.broker.join("OTHER")]
        self.round(2)
        self.assertEqual([len(self.asked(channel)) for channel in channels], [1, 1, 0])
        self.assertEqual(self.broker.stored()[-1].properties["TRANSACTION_CHECK_TIMES"], "3")

    def test_a_time_of_its_own(self) -> None:
        """Postponed meanwhile, which lets others pass and is no check; asked after it."""
        channel = self.broker.join()
        self.broker.prepare(CHECK_IMMUNITY_TIME_IN_SECONDS="150")
        self.broker.prepare()
        self.round()
        self.assertEqual([(asked.ext_fields or {})["tranStateTableOffset"] for asked in self.asked(channel)], ["3"])
        self.broker.half_queue.end(self.broker.stored()[3])
        self.round()
        self.assertEqual(self.asked(channel), [])
        self.round()
        (request,) = self.asked(channel)
        properties = decode_record(request.body).properties
        self.assertEqual((properties["TRAN_PREPARED_QUEUE_OFFSET"], properties["TRANSACTION_CHECK_TIMES"]), ("0", "1"))

    def test_postponed_and_ended_under_its_first_offset(self) -> None:
        """Its producer knows no other; Java 4.9.8 forgets that answer and asks again, after which the message comes twice."""
        channel = self.broker.join()
        half = self.broker.prepare(CHECK_IMMUNITY_TIME_IN_SECONDS="90")
        self.round()
        self.broker.half_queue.end(half)
        self.round(3)
        self.assertEqual((self.asked(channel), self.broker.progress()), ([], (2, 1)))

    def test_killed_between_half_and_commit(self) -> None:
        """The broker starts again and asks whoever is there then; what was ended before stays ended."""
        self.broker.half_queue.end(self.broker.prepare())
        self.broker.prepare()
        self.broker = self.broker.die()
        channel = self.broker.join()
        self.round()
        self.assertEqual([(asked.ext_fields or {})["tranStateTableOffset"] for asked in self.asked(channel)], ["2"])

    def test_an_end_that_a_power_cut_takes(self) -> None:
        """Nobody waits for it, but the progress does not run ahead of the disk: who is there afterwards is asked."""
        half = self.broker.prepare()
        self.broker.store.flush()
        self.broker.half_queue.end(half)
        self.broker.files.fail("sync", "commitlog/*")
        self.round()
        self.assertEqual((len(self.flushLoggedErrors()), self.broker.progress()), (1, (-1, -1)))
        self.broker.offsets.save()
        self.broker = Broker(self.clock, self.broker.files.crash(), self.broker.documents)
        channel = self.broker.join()
        self.round()
        self.assertEqual([(asked.ext_fields or {})["tranStateTableOffset"] for asked in self.asked(channel)], ["1"])

    def test_killed_between_two_rounds(self) -> None:
        """It goes on where it was: the copy is known, nothing is checked twice in a round."""
        self.broker.join()
        self.broker.prepare()
        self.round()
        self.broker = self.broker.die()
        channel = self.broker.join()
        self.round()
        self.assertEqual(len(self.asked(channel)), 1)
        self.assertEqual(self.broker.stored()[-1].properties["TRANSACTION_CHECK_TIMES"], "2")

    def test_killed_before_the_progress_was_saved(self) -> None:
        """Then the same message is checked once more, as in Java."""
        self.broker.prepare()
        self.round()
        self.broker.service.stop()
        self.broker = Broker(self.clock, self.broker.files.kill(), MemoryDocuments())
        channel = self.broker.join()
        self.round()
        self.assertEqual(len(self.asked(channel)), 2)

    def test_messages_that_are_gone(self) -> None:
        """A log that expired, or was lost: it goes on at what is there."""
        channel = self.broker.join()
        self.broker.prepare()
        for offset in (7, 1):
            self.broker.offsets.commit(TRANSACTION_CHECK_GROUP, HALF_TOPIC, 0, offset)
            self.broker = self.broker.die()
            channel = self.broker.join()
            self.round()
            self.assertEqual(self.broker.progress()[0], 1)
        self.broker.prepare()
        self.round()
        self.assertEqual(len(self.asked(channel)), 1)

    def test_a_store_that_takes_nothing(self) -> None:
        """The round ends, no producer is asked about what is not stored, and the next round tries again."""
        channel, put = self.broker.join(), self.broker.store.put
        self.broker.prepare()
        self.broker.store.put = lambda drafts: [PutResult(PutStatus.SERVICE_NOT_AVAILABLE)]
        self.round()
        self.assertEqual((self.asked(channel), self.broker.progress()), ([], (0, 0)))
        self.broker.store.put = put
        self.round()
        self.assertEqual(len(self.asked(channel)), 1)

    def test_records_that_cannot_be_read(self) -> None:
        """They are passed."""
        channel = self.broker.join()
        for damaged in (self.broker.prepare(), self.broker.prepare()):
            found = self.broker.store.read_at(damaged.log_offset)
            if damaged.queue_offset == 0:
                found[90] ^= 0xFF
        self.round()
        self.assertEqual((len(self.asked(channel)), self.broker.progress()[0]), (1, 2))

    def test_a_slave_checks_nothing(self) -> None:
        """Its master does."""
        channel = self.broker.join()
        self.broker.prepare()
        self.broker.service._store_config = attrs.evolve(MessageStoreConfig(), broker_role="SLAVE")
        self.round()
        self.assertEqual(self.asked(channel), [])

    def test_short_turns(self) -> None:
        """A long backlog is gone through in many turns, between which others have theirs."""
        channel = self.broker.join()
        count = 3 * transactions.TURN_COST_MAX // transactions.READ_COST
        for _ in range(count):
            self.broker.prepare()
        meanwhile: list[int] = []
        self.clock.callLater(INTERVAL_S, lambda: meanwhile.append(len(channel.sent)))
        self.round()
        self.assertTrue(0 < meanwhile[0] < count)
        self.assertEqual((len(self.asked(channel)), self.broker.progress()[0]), (count, count))

    def test_many_answers(self) -> None:
        """Ended messages cost little, and no record of them is read."""
        for number in range(100):
            self.broker.prepare()
            self.broker.op(b"%d" % number)
        self.round()
        self.assertEqual(self.broker.progress(), (100, 100))

    def test_a_stop_in_a_round(self) -> None:
        """It ends within a turn, its progress kept."""
        for _ in range(transactions.TURN_COST_MAX // transactions.READ_COST * 3):
            self.broker.prepare()
        stopped: list[Any] = []
        self.clock.callLater(INTERVAL_S, lambda: stopped.append(self.broker.service.stop()))
        self.round()
        self.successResultOf(stopped[0])
        self.clock.advance(MessageStoreConfig().sync_flush_timeout / 1000)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(0 < self.broker.progress()[0] < 48)

    def test_resumed(self) -> None:
        """A message that was given up is asked about again after code 323."""
        channel = self.broker.join()
        self.broker.prepare(TRANSACTION_CHECK_TIMES="15")
        self.round()
        self.assertEqual(self.asked(channel), [])
        self.broker.half_queue.put(halfmessages.resumed(self.broker.stored(TRANS_CHECK_MAX_TIME_TOPIC)[0]))
        self.round()
        self.assertEqual(len(self.asked(channel)), 1)

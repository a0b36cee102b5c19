"""Tests of pymq.broker.queuelocks."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker import queuelocks as module
from pymq.broker.queuelocks import RebalanceLockManager
from pymq.errors import StoreDamaged
from pymq.store.documents import FileDocuments
from pymq.testing.documents import MemoryDocuments
from pymq.testing.memoryfiles import MemoryFiles
from pymq.wire.bodies.messagequeue import MessageQueue
from tests.broker.fixtures import NOW_MS, started_clock

Q0, Q1, Q2 = (MessageQueue("T", "broker-a", queue_id) for queue_id in range(3))


class RebalanceLockManagerTests(SynchronousTestCase):
    """Who may read which queue in order."""

    def setUp(self) -> None:
        """No locks."""
        self.clock = started_clock()
        self.documents = MemoryDocuments()
        self.locks = RebalanceLockManager(self.documents, clock=self.clock)

    def test_first_client_gets_the_lock(self) -> None:
        """And the second one only what is free."""
        self.assertEqual(self.locks.lock_batch("g", [Q0, Q1], "a"), {Q0, Q1})
        self.assertEqual(self.locks.lock_batch("g", [Q1, Q2], "b"), {Q2})

    def test_groups_do_not_disturb_each_other(self) -> None:
        """A lock belongs to a group."""
        self.locks.lock_batch("g", [Q0], "a")
        self.assertEqual(self.locks.lock_batch("h", [Q0], "b"), {Q0})

    def test_lock_lives_for_a_minute(self) -> None:
        """At sixty seconds it still holds, after them it is free."""
        self.locks.lock_batch("g", [Q0], "a")
        self.clock.advance(60)
        self.assertEqual((self.locks.lock_batch("g", [Q0], "b"), self.locks.owner("g", Q0)), (set(), "a"))
        self.clock.advance(0.001)
        self.assertIsNone(self.locks.owner("g", Q0))
        self.assertEqual((self.locks.lock_batch("g", [Q0], "b"), self.locks.owner("g", Q0)), ({Q0}, "b"))

    def test_renewal_prolongs_the_lock(self) -> None:
        """Clients renew every twenty seconds."""
        self.locks.lock_batch("g", [Q0], "a")
        self.clock.advance(50)
        self.assertEqual(self.locks.lock_batch("g", [Q0], "a"), {Q0})
        self.clock.advance(50)
        self.assertEqual(self.locks.lock_batch("g", [Q0], "b"), set())

    def test_only_its_owner_releases_a_lock(self) -> None:
        """Another client's wish does nothing."""
        self.locks.lock_batch("g", [Q0], "a")
        self.locks.unlock_batch("g", [Q0, Q1], "b")
        self.locks.unlock_batch("h", [Q0], "a")
        self.assertEqual(self.locks.owner("g", Q0), "a")
        self.locks.unlock_batch("g", [Q0, Q1], "a")
        self.assertEqual((self.locks.owner("g", Q0), self.locks.count), (None, 0))

    def test_sweep_forgets_what_ran_out(self) -> None:
        """Groups that never come back leave nothing behind."""
        self.locks.lock_batch("g", [Q0, Q1], "a")
        self.clock.advance(30)
        self.locks.lock_batch("g", [Q1], "a")
        self.locks.expire(NOW_MS + 60_001)
        self.assertEqual((self.locks.count, self.locks.owner("g", Q1)), (1, "a"))
        self.locks.expire(NOW_MS + 90_001)
        self.assertEqual(self.locks.count, 0)

    def test_locks_have_a_bound(self) -> None:
        """Above it a lock is not granted, while those that are held can be renewed."""
        self.patch(module, "QUEUE_LOCKS_MAX", 1)
        self.assertEqual(self.locks.lock_batch("g", [Q0, Q1], "a"), {Q0})
        self.assertEqual(self.locks.lock_batch("h", [Q0], "a"), set())
        self.assertEqual(self.locks.lock_batch("g", [Q0], "a"), {Q0})
        self.locks.unlock_batch("g", [Q0], "a")
        self.assertEqual(self.locks.lock_batch("h", [Q0], "a"), {Q0})

    def restarted(self) -> RebalanceLockManager:
        """The locks of the broker that comes after this one."""
        locks = RebalanceLockManager(self.documents, clock=self.clock)
        locks.load()
        return locks

    def test_locks_outlive_the_broker(self) -> None:
        """Who reports first after a restart does not get what another still works on; the owner renews as if nothing had been."""
        self.locks.lock_batch("g", [Q0, Q1], "a")
        self.locks.lock_batch("g", [Q2], "b")
        self.locks.save()
        again = self.restarted()
        self.assertEqual(again.lock_batch("g", [Q0, Q1, Q2], "b"), {Q2})
        self.assertEqual(again.lock_batch("g", [Q0, Q1], "a"), {Q0, Q1})

    def test_loaded_lock_lives_for_a_minute(self) -> None:
        """From the start on: nobody knows when it was renewed last."""
        self.locks.lock_batch("g", [Q0], "a")
        self.locks.save()
        self.clock.advance(600)
        again = self.restarted()
        self.clock.advance(60)
        self.assertEqual(again.lock_batch("g", [Q0], "b"), set())
        self.clock.advance(0.001)
        self.assertEqual(again.lock_batch("g", [Q0], "b"), {Q0})

    def test_released_and_swept_locks_are_not_loaded(self) -> None:
        """What was given back before a restart is free after it."""
        self.locks.lock_batch("g", [Q0, Q1], "a")
        self.locks.save()
        self.locks.unlock_batch("g", [Q0], "a")
        self.locks.save()
        self.assertEqual(self.restarted().lock_batch("g", [Q0, Q1], "b"), {Q0})
        self.clock.advance(61)
        self.locks.expire(NOW_MS + 61_000)
        self.locks.save()
        self.assertEqual(self.restarted().count, 0)

    def test_saved_only_when_an_owner_changed(self) -> None:
        """Renewals come all the time; they are not worth a write."""
        self.locks.save()
        self.assertEqual(self.documents.saves, [])
        self.locks.lock_batch("g", [Q0], "a")
        self.locks.save()
        self.locks.lock_batch("g", [Q0], "a")
        self.locks.save()
        self.assertEqual(self.documents.saves, ["queueLocks.json"])
        self.clock.advance(61)
        self.locks.lock_batch("g", [Q0], "b")
        self.locks.save()
        self.assertEqual(self.documents.saves, ["queueLocks.json"] * 2)
        self.restarted().save()
        self.assertEqual(self.documents.saves, ["queueLocks.json"] * 2)

    def test_file_of_locks(self) -> None:
        """As it lies on the disk, and back; a damaged one stops the start."""
        files = MemoryFiles()
        locks = RebalanceLockManager(FileDocuments(files), clock=self.clock)
        locks.lock_batch("g", [Q0], "a")
        locks.save()
        text = files.read_bytes("config/queueLocks.json")
        self.assertEqual(
            json.loads(text),
            {
                "locks": [
                    {"clientId": "a", "consumerGroup": "g", "mqSet": [{"brokerName": "broker-a", "queueId": 0, "topic": "T"}]},
                ]
            },
        )
        again = RebalanceLockManager(FileDocuments(files), clock=self.clock)
        again.load()
        self.assertEqual(again.owner("g", Q0), "a")
        self.documents.texts["queueLocks.json"] = b'{"locks": 1}'
        self.assertRaises(StoreDamaged, self.restarted)

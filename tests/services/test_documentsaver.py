"""Tests of pymq.services.documentsaver: who waits for which write, what a crash leaves, and what a full disk does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.config import BrokerConfig
from pymq.broker.offsets import ConsumerOffsetManager
from pymq.broker.topics import TopicConfigManager
from pymq.message.message import Message
from pymq.services.documentsaver import DocumentSaver
from pymq.store.documents import FileDocuments
from pymq.testing.cluster import MemoryCluster
from pymq.testing.memoryfiles import MemoryFiles
from pymq.wire.bodies.topics import TopicConfig


class HeldThread:
    """A thread that does its work when the test says so."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...], Deferred[Any]]] = []

    def run(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Do it later."""
        result: Deferred[Any] = Deferred()
        self.calls.append((function, arguments, result))
        return result

    def work(self) -> None:
        """Do the oldest one now."""
        function, arguments, result = self.calls.pop(0)
        maybeDeferred(function, *arguments).chainDeferred(result)


class DocumentSaverTests(SynchronousTestCase):
    """Topics and offsets over a disk in memory."""

    def setUp(self) -> None:
        """A broker's tables that are as saved, and a thread that waits for the test."""
        self.clock = Clock()
        self.disk = MemoryFiles()
        self.thread = HeldThread()
        documents = FileDocuments(self.disk)
        self.topics = TopicConfigManager(BrokerConfig(broker_name="broker-a"), documents, clock=self.clock)
        self.offsets = ConsumerOffsetManager(documents)
        self.saver = DocumentSaver(clock=self.clock, run_blocking=self.thread.run)

    def make(self, name: str) -> Deferred[None]:
        """A topic, as an administrator makes it; fires when he would be answered."""
        self.topics.update(TopicConfig(name))
        return self.saver.when_saved(self.topics)

    def after_crash(self) -> set[str]:
        """The topics of ours that a broker finds that starts now on what the disk kept."""
        try:
            table = json.loads(self.disk.crash().read_bytes("config/topics.json"))["topicConfigTable"]
        except FileNotFoundError:
            return set()
        return {name for name in table if len(name) == 1}

    def test_nothing_to_save(self) -> None:
        """Is saved already."""
        self.successResultOf(self.saver.when_saved(self.topics))
        self.clock.advance(0)
        self.assertEqual(self.thread.calls, [])

    def test_answered_when_durable(self) -> None:
        """Not before the thread has written it; a crash afterwards keeps it."""
        made = self.make("A")
        self.clock.advance(0)
        self.assertNoResult(made)
        self.assertEqual(self.after_crash(), set())
        self.thread.work()
        self.successResultOf(made)
        self.assertEqual(self.after_crash(), {"A"})

    def test_one_write_for_a_turn(self) -> None:
        """A thousand topics of one turn are one text; all are answered by it."""
        made = [self.make("A"), self.make("B"), self.make("C")]
        self.clock.advance(0)
        self.assertEqual(len(self.thread.calls), 1)
        self.thread.work()
        self.assertEqual(([self.successResultOf(one) for one in made], self.thread.calls), ([None] * 3, []))
        self.assertEqual(self.after_crash(), {"A", "B", "C"})

    def test_changes_during_a_write(self) -> None:
        """Wait for the next one, and a crash between loses nobody's who was answered."""
        first = self.make("A")
        self.clock.advance(0)
        later = [self.make("B"), self.make("C")]
        self.clock.advance(0)
        self.assertEqual(len(self.thread.calls), 1)
        self.thread.work()
        self.successResultOf(first)
        self.assertEqual(self.after_crash(), {"A"})
        for made in later:
            self.assertNoResult(made)
        self.thread.work()
        for made in later:
            self.successResultOf(made)
        self.assertEqual((self.after_crash(), self.thread.calls), ({"A", "B", "C"}, []))

    def test_text_is_of_one_moment(self) -> None:
        """What changes while the thread writes does not get into its text by halves."""
        self.offsets.commit("G", "T", 0, 5)
        self.saver.when_saved(self.offsets)
        self.clock.advance(0)
        self.offsets.commit("G", "T", 0, 6)
        self.thread.work()
        text = self.disk.read_bytes("config/consumerOffset.json")
        self.assertEqual(json.loads(text), {"offsetTable": {"T@G": {"0": 5}}})
        self.assertTrue(self.offsets.has_changed)

    def test_full_disk(self) -> None:
        """Everyone who waited is told; the change stays, and is saved with the next one."""
        self.disk.fail("replace", "*topics.json")
        both = [self.make("A"), self.make("B")]
        self.clock.advance(0)
        self.thread.work()
        for made in both:
            self.failureResultOf(made, OSError)
        self.assertFalse(self.topics.is_saved("A"))
        again = self.saver.when_saved(self.topics)
        self.clock.advance(0)
        self.thread.work()
        self.successResultOf(again)
        self.assertEqual((self.after_crash(), self.topics.is_saved("A", "B")), ({"A", "B"}, True))

    def test_one_who_gave_up(self) -> None:
        """The others are answered all the same."""
        gone, other = self.make("A"), self.make("B")
        gone.addErrback(lambda failure: None)
        gone.cancel()
        self.clock.advance(0)
        self.thread.work()
        self.successResultOf(other)

    def test_save_all_is_complete(self) -> None:
        """What changed until the last moment is there, a write under way notwithstanding; a failure keeps no other back."""
        self.make("A")
        self.clock.advance(0)
        self.topics.update(TopicConfig("B"))
        self.offsets.commit("G", "T", 0, 5)
        over = Deferred.fromCoroutine(self.saver.save_all(self.topics, self.offsets))
        self.thread.work()
        self.disk.fail("replace", "*topics.json")
        self.thread.work()
        self.clock.advance(0)
        self.thread.work()
        self.successResultOf(over)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(self.after_crash(), {"A"})
        self.assertTrue(self.disk.crash().exists("config/consumerOffset.json"))


class BrokerTests(SynchronousTestCase):
    """A whole broker in memory, killed right after its answer."""

    def test_what_was_answered_outlives_a_crash(self) -> None:
        """A topic that a send made; and a stop saves what nobody waited for."""
        cluster = MemoryCluster()
        cluster.start()
        self.addCleanup(cluster.stop)
        cluster.result(cluster.producer().send(Message("Made", b"1")))
        (broker,) = cluster.brokers
        topics = json.loads(broker.files.crash().read_bytes("config/topics.json"))["topicConfigTable"]
        self.assertIn("Made", topics)
        assert broker.controller is not None
        broker.controller._parts.groups.find("G")
        cluster.result(broker.stop())
        self.assertIn(b'"G"', broker.files.crash().read_bytes("config/subscriptionGroup.json"))

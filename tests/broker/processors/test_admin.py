"""Tests of pymq.broker.processors.admin."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.processors.admin import AdminProcessor
from pymq.broker.processors.livesettings import LiveSettings
from pymq.broker.processors.runtimeinfo import RuntimeInfo
from pymq.errors import RequestError
from pymq.interfaces import IRequestProcessor
from pymq.wire import javajson
from pymq.wire.command import RemotingCommand
from tests.broker.fixtures import NOW_S, draft
from tests.broker.processors.parts import Parts


class AdminProcessorTests(SynchronousTestCase):
    """The broker as a whole, administered."""

    def setUp(self) -> None:
        """A broker with three messages in queue 0 of T."""
        self.parts = parts = Parts()
        parts.store.put([draft(tag="A"), draft(), draft()])
        self.processor = AdminProcessor(
            config=parts.config,
            settings=LiveSettings(parts.config, parts.store_config, clock=parts.clock, black_list=["configBlackList"]),
            store=parts.store,
            topics=parts.topics,
            stats=parts.stats,
            runtime_info=RuntimeInfo(
                config=parts.config,
                store=parts.store,
                stats=parts.stats,
                delay_offsets=parts.delay_offsets,
                commit_log_paths=["/data/log"],
                fast_failure=parts.fast_failure,
                flusher=parts.flusher,
            ),
            clock=parts.clock,
        )

    def ask(self, code: int, body: bytes = b"", **fields: str) -> RemotingCommand:
        """One request."""
        return self.processor.process(self.parts.channel, RemotingCommand(code, 1, ext_fields=fields, body=body))

    def assert_refused(self, code: int, word: str, *arguments: Any, **fields: str) -> None:
        """The request is refused and the reason holds `word`."""
        error = self.assertRaises(RequestError, self.ask, *arguments, **fields)
        self.assertEqual(error.code, code)
        self.assertIn(word, error.remark)

    def test_it_is_a_processor(self) -> None:
        """For these codes."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {25, 26, 28, 306, 315, 316, 329})

    def test_settings_are_shown_and_changed(self) -> None:
        """With a version that tells one state from the next."""
        self.assertEqual(self.ask(25, b"traceOn=false\nmaxMessageSize=100\n").code, 0)
        answer = self.ask(26)
        self.assertEqual(answer.ext_fields, {"version": f'{{"counter":1,"timestamp":{NOW_S * 1000}}}'})
        lines = answer.body.decode().splitlines()
        self.assertIn("traceOn=false", lines)
        self.assertIn("maxMessageSize=100", lines)

    def test_settings_that_cannot_be_changed(self) -> None:
        """Forbidden ones, those that need a new start, values that cannot be, and what is no text."""
        self.assert_refused(16, "configBlackList", 25, b"configBlackList=x")
        self.assert_refused(1, "brokerName", 25, b"brokerName=other")
        self.assert_refused(1, "maxMessageSize", 25, b"maxMessageSize=x")
        self.assert_refused(1, "", 25, b"\xff")

    def test_runtime_info(self) -> None:
        """A table of texts."""
        self.assertEqual(javajson.decode(self.ask(28).body)["table"]["brokerVersion"], "409")

    def test_stats(self) -> None:
        """By name and key."""
        self.parts.stats.put("T", 6, 100)
        self.parts.clock.advance(10)
        self.parts.stats.sample(self.parts.clock.seconds())
        minute = javajson.decode(self.ask(315, statsName="TOPIC_PUT_NUMS", statsKey="T").body)["statsMinute"]
        self.assertEqual(minute, {"avgpt": 1.0, "sum": 6, "tps": 0.6})
        self.assert_refused(1, "The stats <NO> <T> not exist", 315, statsName="NO", statsKey="T")

    def test_care_of_the_store(self) -> None:
        """Now instead of at its own time."""
        called = []
        self.parts.store.run_maintenance = called.append
        self.assertEqual([self.ask(code).code for code in (306, 329)], [0, 0])
        self.assertEqual(called, [NOW_S * 1000] * 2)

    def test_queues_of_no_topic(self) -> None:
        """Are removed."""
        self.parts.store.put([draft("GONE")])
        self.assertEqual(self.ask(316).code, 0)
        self.assertEqual((self.parts.store.max_offset("GONE", 0), self.parts.store.max_offset("T", 0)), (0, 3))

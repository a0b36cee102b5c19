"""Tests of pymq.broker.processors.groups."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.processors.groups import GroupAdminProcessor, language_name
from pymq.errors import RequestError
from pymq.interfaces import IRequestProcessor
from pymq.testing.channels import FakeChannel
from pymq.wire import javajson
from pymq.wire.command import RemotingCommand
from tests.broker.fixtures import NOW_MS, member, subscribe
from tests.broker.processors.parts import Parts, settled

CONNECTION = {"clientAddr": "10.1.2.3:5", "clientId": "c1", "language": "JAVA", "version": 409}


class GroupAdminProcessorTests(SynchronousTestCase):
    """Groups, administered."""

    def setUp(self) -> None:
        """A broker with nobody connected."""
        self.use(Parts())

    def use(self, parts: Parts) -> None:
        """Serve from these parts."""
        self.parts = parts
        self.processor = GroupAdminProcessor(
            store_config=parts.store_config, groups=parts.groups, consumers=parts.consumers, producers=parts.producers,
            offsets=parts.offsets, stats=parts.stats, when_saved=parts.saver.when_saved,
        )  # fmt: skip

    def ask(self, code: int, body: bytes = b"", **fields: str) -> RemotingCommand:
        """One request."""
        return settled(self.processor.process(self.parts.channel, RemotingCommand(code, 1, ext_fields=fields, body=body)))

    def assert_refused(self, code: int, word: str, *arguments: Any, **fields: str) -> None:
        """The request is refused and the reason holds `word`."""
        error = self.assertRaises(RequestError, self.ask, *arguments, **fields)
        self.assertEqual(error.code, code)
        self.assertIn(word, error.remark)

    def test_it_is_a_processor(self) -> None:
        """For these codes."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {200, 201, 203, 204, 207, 328, 343, 345, 352})

    def test_group_is_made(self) -> None:
        """From the JSON of Java 4.9 and of 5.x, which both list and one gives back."""
        body = b'{"brokerId":0,"consumeEnable":false,"groupName":"g1","retryMaxTimes":3,"groupSysFlag":0}'
        self.assertEqual(self.ask(200, body).code, 0)
        self.assertEqual(self.parts.groups.get("g1").retry_max_times, 3)
        self.assertFalse(javajson.decode(self.ask(201).body)["subscriptionGroupTable"]["g1"]["consumeEnable"])
        self.assertEqual(javajson.decode(self.ask(352, group="g1").body)["groupSysFlag"], 0)
        self.assert_refused(26, "g2", 352, group="g2")

    def test_groups_that_cannot_be_made(self) -> None:
        """No JSON, no name, a bad name, and anything at a slave."""
        self.assert_refused(1, "cannot be read", 200, b"{")
        self.assert_refused(1, "cannot be read", 200, b"{}")
        self.assert_refused(1, "group", 200, b'{"groupName":"a b"}')
        self.use(Parts({"broker_role": "SLAVE"}))
        self.assert_refused(1, "slave", 200, b'{"groupName":"g1"}')
        self.assert_refused(1, "slave", 207, groupName="g1")

    def test_group_is_deleted(self) -> None:
        """With its offsets when either version's flag says so."""
        for flag in ({}, {"removeOffset": "true"}, {"cleanOffset": "true"}):
            self.parts.groups.find("g1")
            self.parts.offsets.commit("g1", "T", 0, 5)
            self.assertEqual(self.ask(207, groupName="g1", **flag).code, 0)
            self.assertIsNone(self.parts.groups.get("g1"))
            self.assertEqual(self.parts.offsets.query("g1", "T", 0), -1 if flag else 5)

    def test_answers_wait_until_the_table_is_saved(self) -> None:
        """That of a group made as well as that of one deleted."""
        self.parts.saver.is_slow = True
        answers = [self.ask(200, b'{"groupName":"g1"}'), self.ask(207, groupName="g1")]
        for answer in answers:
            self.assertNoResult(answer)
        self.parts.saver.finish()
        self.assertEqual([self.successResultOf(answer).code for answer in answers], [0, 0])

    def test_consumer_connections(self) -> None:
        """Members, and what the group subscribes to; 206 when nobody is there."""
        self.assert_refused(206, "g1", 203, consumerGroup="g1")
        info = member(channel=FakeChannel(("10.1.2.3", 5)))
        self.parts.consumers.register("g1", info, "CONSUME_PASSIVELY", "CLUSTERING", "FROM_SOMEWHERE", [subscribe()], False)
        body = javajson.decode(self.ask(203, consumerGroup="g1").body)
        self.assertEqual(body["connectionSet"], [CONNECTION])
        self.assertEqual((body["consumeType"], body["messageModel"]), ("CONSUME_PASSIVELY", "CLUSTERING"))
        self.assertEqual((body["consumeFromWhere"], body["subscriptionTable"]["T"]["subString"]), ("FROM_SOMEWHERE", "*"))

    def test_producer_connections(self) -> None:
        """Of one group, and of all with the time of their last heartbeat."""
        self.assert_refused(1, "the producer group[p1] not exist", 204, producerGroup="p1")
        self.assertEqual(self.ask(328).body, b'{"data":{}}')
        self.parts.producers.register("p1", member(channel=FakeChannel(("10.1.2.3", 5))))
        self.assertEqual(javajson.decode(self.ask(204, producerGroup="p1").body), {"connectionSet": [CONNECTION]})
        info = {"clientId": "c1", "language": "JAVA", "lastUpdateTimestamp": NOW_MS, "remoteIP": "/10.1.2.3:5", "version": 409}
        self.assertEqual(javajson.decode(self.ask(328).body), {"data": {"p1": [info]}})

    def test_topics_of_a_consumer(self) -> None:
        """Those in which it has offsets."""
        self.parts.offsets.commit("g1", "T2", 0, 1)
        self.parts.offsets.commit("g1", "T1", 0, 1)
        self.assertEqual(self.ask(343, group="g1").body, b'{"topicList":["T1","T2"]}')

    def test_subscription_of_a_consumer(self) -> None:
        """With the question; without the answer when there is none."""
        self.assertEqual(self.ask(345, group="g1", topic="T").body, b'{"group":"g1","topic":"T"}')
        self.parts.consumers.register("g1", member(), "C", "CLUSTERING", "X", [subscribe(expression="A")], False)
        body = javajson.decode(self.ask(345, group="g1", topic="T").body)
        self.assertEqual(body["subscriptionData"]["subString"], "A")

    def test_language(self) -> None:
        """Is left out when we do not know it."""
        self.assertEqual((language_name(9), language_name(None)), ("GO", None))

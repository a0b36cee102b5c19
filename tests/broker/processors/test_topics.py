"""Tests of pymq.broker.processors.topics."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pymq.broker.processors.topics import TopicAdminProcessor, parse_attributes, system_topics
from pymq.errors import RequestError
from pymq.interfaces import IRequestProcessor
from pymq.wire import javajson
from pymq.wire.bodies.topics import TopicConfig
from pymq.wire.command import RemotingCommand
from tests.broker.fixtures import NOW_MS, draft, member, subscribe
from tests.broker.processors.parts import Parts


class TopicAdminProcessorTests(SynchronousTestCase):
    """Topics, administered."""

    def setUp(self) -> None:
        """A broker with the topic T."""
        self.use(Parts())

    def use(self, parts: Parts) -> None:
        """Serve from these parts."""
        self.parts = parts
        self.processor = TopicAdminProcessor(
            config=parts.config, store_config=parts.store_config, store=parts.store, topics=parts.topics,
            consumers=parts.consumers, offsets=parts.offsets, stats=parts.stats, when_saved=parts.saver.when_saved,
        )  # fmt: skip

    def ask(self, code: int, **fields: str) -> RemotingCommand:
        """One request."""
        return self.processor.process(self.parts.channel, RemotingCommand(code, 1, ext_fields=fields))

    def update(self, **fields: str) -> RemotingCommand:
        """UPDATE_AND_CREATE_TOPIC as mqadmin sends it."""
        usual = {
            "topic": "N", "defaultTopic": "TBW102", "readQueueNums": "3", "writeQueueNums": "2", "perm": "6",
            "topicFilterType": "SINGLE_TAG", "topicSysFlag": "1", "order": "true",
        }  # fmt: skip
        told: Deferred[RemotingCommand] = self.ask(17, **{**usual, **fields})  # type: ignore[assignment]
        return self.successResultOf(told)

    def assert_refused(self, code: int, word: str, call: Any, *arguments: Any, **fields: str) -> None:
        """The request is refused and the reason holds `word`."""
        error = self.assertRaises(RequestError, call, *arguments, **fields)
        self.assertEqual(error.code, code)
        self.assertIn(word, error.remark)

    def test_it_is_a_processor(self) -> None:
        """For these codes."""
        verifyObject(IRequestProcessor, self.processor)
        self.assertEqual(self.processor.codes, {17, 21, 202, 215, 300, 305, 351})

    def test_the_answer_waits_for_the_name_servers(self) -> None:
        """Who made a topic asks for its route at once."""
        told: Deferred[None] = Deferred()
        self.processor._when_told = lambda: told
        usual = {"topic": "N", "defaultTopic": "TBW102", "readQueueNums": "3", "writeQueueNums": "2", "perm": "6"}
        answer: Deferred[RemotingCommand] = self.ask(17, **usual, topicFilterType="SINGLE_TAG")  # type: ignore[assignment]
        self.assertNoResult(answer)
        told.callback(None)
        self.assertEqual(self.successResultOf(answer).code, 0)

    def test_topic_is_made_and_changed(self) -> None:
        """`order` is ignored, as in 4.9."""
        self.assertEqual(self.update().code, 0)
        expected = TopicConfig(topic_name="N", read_queue_nums=3, write_queue_nums=2, topic_sys_flag=1)
        self.assertEqual(self.parts.topics.get("N"), expected)
        self.update(perm="4", topicFilterType="MULTI_TAG")
        changed = self.parts.topics.get("N")
        self.assertEqual((changed.perm, changed.topic_filter_type), (4, "MULTI_TAG"))

    def test_attributes(self) -> None:
        """5.x's are kept, changed and taken away by their signs."""
        self.update(attributes="+message.type=FIFO,+a=b")
        self.update(attributes="-a")
        self.assertEqual(self.parts.topics.get("N").attributes, {"message.type": "FIFO"})
        self.update(attributes="-message.type")
        self.assertIsNone(self.parts.topics.get("N").attributes)

    def test_topics_that_cannot_be_made(self) -> None:
        """Bad names, system topics, topics named after the broker, unknown filters and permissions, too many queues."""
        for name in ("", "a b", "TBW102", "rmq_sys_x", "broker-a", "DefaultCluster", "DefaultCluster_REPLY_TOPIC"):
            self.assert_refused(1, "topic", self.update, topic=name)
        self.assert_refused(1, "topicFilterType", self.update, topicFilterType="NO_TAG")
        self.assert_refused(1, "perm", self.update, perm="16")
        self.assert_refused(1, "queues", self.update, readQueueNums="-1")
        self.assertIsNone(self.parts.topics.get("N"))

    def test_slave_changes_nothing(self) -> None:
        """It gets its topics from its master."""
        self.use(Parts({"broker_role": "SLAVE"}))
        self.assert_refused(1, "slave", self.update)
        self.assert_refused(1, "slave", self.ask, 215, topic="T")

    def test_topic_is_deleted(self) -> None:
        """With its queues, offsets and counters; an unknown one is deleted already."""
        self.parts.store.put([draft()])
        self.parts.offsets.commit("G", "T", 0, 1)
        self.parts.stats.put("T", 1, 1)
        self.assertEqual(self.successResultOf(self.ask(215, topic="T")).code, 0)
        self.assertIsNone(self.parts.topics.get("T"))
        self.assertEqual(self.parts.store.max_offset("T", 0), 0)
        self.assertEqual(self.parts.offsets.query("G", "T", 0), -1)
        self.assertRaises(RequestError, self.parts.stats.view, "TOPIC_PUT_NUMS", "T")
        self.assertEqual(self.successResultOf(self.ask(215, topic="T")).code, 0)
        self.assert_refused(1, "TBW102", self.ask, 215, topic="TBW102")

    def test_a_deletion_spares_others(self) -> None:
        """Also topics that nobody knows: what a lost table of topics leaves of them can still be rescued."""
        self.parts.store.put([draft(), draft("LOST")])
        self.assertEqual(self.successResultOf(self.ask(215, topic="T")).code, 0)
        self.assertEqual((self.parts.store.max_offset("T", 0), self.parts.store.max_offset("LOST", 0)), (0, 1))

    def test_answers_wait_until_the_table_is_saved(self) -> None:
        """That of a topic made as well as that of one deleted; a save that fails is told."""
        self.parts.saver.is_slow = True
        made = self.ask(17, topic="N", defaultTopic="TBW102", readQueueNums="3", writeQueueNums="2", perm="6", topicSysFlag="0",
                        topicFilterType="SINGLE_TAG", order="false")  # fmt: skip
        deleted = self.ask(215, topic="T")
        self.assertNoResult(made)
        self.assertNoResult(deleted)
        self.parts.saver.finish()
        self.assertEqual((self.successResultOf(made).code, self.successResultOf(deleted).code), (0, 0))
        failing = self.ask(215, topic="N")
        self.parts.saver.finish(OSError(28, "No space left on device"))
        self.failureResultOf(failing, OSError)

    def test_all_topics(self) -> None:
        """With the version of the table."""
        body = javajson.decode(self.ask(21).body)
        self.assertEqual(body["topicConfigTable"]["T"]["writeQueueNums"], 4)
        self.assertEqual(body["dataVersion"]["counter"], self.parts.topics.data_version.counter)

    def test_one_topic(self) -> None:
        """As 5.x asks; 17 for an unknown one."""
        self.assertEqual(javajson.decode_as(self.ask(351, topic="T").body, TopicConfig), self.parts.topics.get("T"))
        self.assert_refused(17, "topic[N] not exist", self.ask, 351, topic="N")

    def test_queue_ends(self) -> None:
        """In Java's own JSON; queues without a message are there too."""
        self.parts.make_topic("T", read_queue_nums=8, write_queue_nums=2)
        self.parts.store.put([draft(queue_id=1)])
        expected = (
            '{"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:'
            '{"lastUpdateTimestamp":0,"maxOffset":0,"minOffset":0},{"brokerName":"broker-a","queueId":1,"topic":"T"}:'
            '{"lastUpdateTimestamp":%d,"maxOffset":1,"minOffset":0}}}'
        )
        self.assertEqual(self.ask(202, topic="T").body.decode(), expected % NOW_MS)
        self.assert_refused(17, "topic[N] not exist", self.ask, 202, topic="N")

    def test_who_consumes(self) -> None:
        """Who is online, and who left offsets."""
        self.parts.consumers.register("G2", member(), "C", "CLUSTERING", "X", [subscribe()], False)
        self.parts.offsets.commit("G1", "T", 0, 1)
        self.assertEqual(self.ask(300, topic="T").body, b'{"groupList":["G1","G2"]}')
        self.assertEqual(self.ask(300, topic="N").body, b'{"groupList":[]}')

    def test_system_topics(self) -> None:
        """The fixed ones, and those named after the broker."""
        listed = javajson.decode(self.ask(305).body)["topicList"]
        self.assertEqual(set(listed), system_topics(self.parts.config))
        self.assertIn("broker-a", listed)


class ParseAttributesTests(SynchronousTestCase):
    """`+name=value,-name`."""

    def test_words_of_another_form(self) -> None:
        """Are refused."""
        for text in ("a=b", "+a", "+=b", "-", "-a=b"):
            self.assertRaises(RequestError, parse_attributes, text, None)

    def test_nothing(self) -> None:
        """Leaves what there is."""
        self.assertIsNone(parse_attributes(None, None))
        self.assertEqual(parse_attributes(" ", {"a": "b"}), {"a": "b"})

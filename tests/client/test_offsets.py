"""Offsets in memory, at brokers and in documents."""

from __future__ import annotations

from pymq.client.offsets import OFFSETS_DOCUMENT, LocalFileOffsetStore, RemoteBrokerOffsetStore
from pymq.errors import BrokerRefused, ClientError, StoreDamaged
from pymq.testing.documents import MemoryDocuments
from pymq.wire import javajson
from pymq.wire.codes import RequestCode as Code
from tests.client.cases import TOPIC, ClientCase, queue


class RemoteTests(ClientCase):
    """The store of a group that shares."""

    def setUp(self) -> None:
        """An empty store."""
        super().setUp()
        self.store = RemoteBrokerOffsetStore("g", self.instance())

    def test_memory(self) -> None:
        """-1 for none; `increase_only` never goes back."""
        self.assertEqual(self.store.read(queue()), -1)
        self.store.update(queue(), 7, increase_only=True)
        self.store.update(queue(), 5, increase_only=True)
        self.assertEqual(self.store.read(queue()), 7)
        self.store.update(queue(), 5)
        self.assertEqual(self.store.table_of(TOPIC), {queue(): 5})
        self.assertEqual(self.store.table_of("other"), {})
        self.store.remove(queue())
        self.assertEqual(self.store.read(queue()), -1)

    def test_loading(self) -> None:
        """What the broker has is in memory then; what it has not, is not."""
        self.assertEqual(self.result(self.store.load(queue())), -1)
        self.assertEqual(self.store.read(queue()), -1)
        self.cluster.broker.offsets["g", TOPIC, 0] = 9
        self.assertEqual(self.result(self.store.load(queue())), 9)
        self.assertEqual(self.store.read(queue()), 9)
        self.cluster.refuse(Code.QUERY_CONSUMER_OFFSET, 1)
        self.failure(self.store.load(queue()), BrokerRefused)

    def test_persisting(self) -> None:
        """Only what was asked for and is there; a failure is no reason to stop."""
        for n in range(3):
            self.store.update(queue(n), n + 1)
        self.store.update(queue(0, broker_name="gone"), 5)
        self.result(self.store.persist([queue(0), queue(1), queue(3), queue(0, broker_name="gone")]))
        self.assertEqual(self.cluster.broker.offsets, {("g", TOPIC, 0): 1, ("g", TOPIC, 1): 2})

    def test_saving(self) -> None:
        """Waits for the broker's answer, and tells of its refusal."""
        self.result(self.store.save(queue(), 5))
        self.assertEqual((self.store.read(queue()), self.cluster.broker.offsets), (5, {("g", TOPIC, 0): 5}))
        self.cluster.refuse(Code.UPDATE_CONSUMER_OFFSET, 1)
        self.failure(self.store.save(queue(), 6), BrokerRefused)


class LocalTests(ClientCase):
    """The store of a broadcast group."""

    def setUp(self) -> None:
        """Documents in memory."""
        super().setUp()
        self.documents = MemoryDocuments()
        self.store = LocalFileOffsetStore(self.documents)

    def test_what_is_persisted_is_loaded(self) -> None:
        """By a store that comes later; queues let go stay."""
        self.assertEqual(self.result(self.store.load(queue())), -1)
        self.store.update(queue(), 7)
        self.store.remove(queue())
        self.result(self.store.persist([queue()]))
        self.assertEqual(self.result(LocalFileOffsetStore(self.documents).load(queue())), 7)

    def test_the_document_is_java_s(self) -> None:
        """A map with objects as keys."""
        self.store.update(queue(2), 7)
        self.result(self.store.persist([]))
        text = javajson.encode(
            {"offsetTable": javajson.ObjectKeys({'{"brokerName":"broker-a","queueId":2,"topic":"orders"}': 7})}
        )
        self.assertEqual(text, b'{"offsetTable":{{"brokerName":"broker-a","queueId":2,"topic":"orders"}:7}}')
        self.documents.save(OFFSETS_DOCUMENT, javajson.decode(text))
        self.assertEqual(self.result(LocalFileOffsetStore(self.documents).load(queue(2))), 7)

    def test_memory_wins_over_the_document(self) -> None:
        """What was consumed before the first load is not undone by it."""
        self.store.update(queue(), 7)
        self.result(self.store.persist([]))
        other = LocalFileOffsetStore(self.documents)
        other.update(queue(), 9)
        self.assertEqual(self.result(other.load(queue())), 9)

    def test_saving(self) -> None:
        """Is in the document then."""
        self.result(self.store.save(queue(), 5))
        self.assertEqual(self.result(LocalFileOffsetStore(self.documents).load(queue())), 5)

    def test_damage_is_told(self) -> None:
        """With the document's name."""
        self.documents.save(OFFSETS_DOCUMENT, {"offsetTable": {"not a queue": 1}})
        self.assertIn(
            "offset_store_folder", str(self.failure(LocalFileOffsetStore(self.documents).save(queue(), 5), ClientError))
        )
        self.assertIn(OFFSETS_DOCUMENT, str(self.failure(self.store.load(queue()), StoreDamaged)))

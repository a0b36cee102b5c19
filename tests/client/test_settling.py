"""What becomes of pulled messages."""

from __future__ import annotations

from typing import Any

from pymq.client.config import MessageModel
from pymq.client.offsets import RemoteBrokerOffsetStore
from pymq.client.processqueue import ProcessQueue
from pymq.client.settling import LOCAL_RETRY_S, PullSettling
from pymq.client.tasks import Tasks
from tests.client.cases import ClientCase, queue, stored


class PullSettlingTests(ClientCase):
    """Three messages in hand of one queue."""

    def setUp(self) -> None:
        """Nothing settled yet; sending back works unless a test says otherwise."""
        super().setUp()
        self.shared = self.instance()
        self.offsets = RemoteBrokerOffsetStore("g", self.shared)
        self.held = ProcessQueue(queue(), self.shared.now_ms())
        self.messages = [stored(offset) for offset in range(3)]
        self.held.put(self.messages)
        self.works = True
        self.back: list[tuple[int, int]] = []
        self.again: list[int] = []

    async def send_back(self, message: Any, delay_level: int) -> bool:
        """Noted."""
        self.back.append((message.queue_offset, delay_level))
        return self.works

    def make(self, model: MessageModel = MessageModel.CLUSTERING) -> PullSettling:
        """A settling of a group of that kind."""
        tasks = Tasks(self.clock)
        self.addCleanup(tasks.cancel_all)
        return PullSettling(
            model,
            self.shared,
            tasks=tasks,
            offsets=self.offsets,
            send_back=self,  # type: ignore[arg-type]
            again=lambda held, messages: self.again.extend(message.queue_offset for message in messages),
        )

    def test_done_and_failed(self) -> None:
        """What is done is committed, the rest goes back and counts as done then."""
        self.make().settle(self.held, self.messages[:1], self.messages[1:], 4)
        self.assertEqual((self.back, self.offsets.read(queue()), self.held.count), ([(1, 4), (2, 4)], 3, 0))

    def test_what_cannot_go_back_comes_again_here(self) -> None:
        """Later, with one attempt more, and not committed."""
        self.works = False
        self.make().settle(self.held, self.messages[:1], self.messages[1:], 0)
        self.tick(LOCAL_RETRY_S)
        self.assertEqual((self.again, self.offsets.read(queue())), ([1, 2], 1))
        self.assertEqual([message.reconsume_times for message in self.messages], [0, 1, 1])

    def test_broadcast(self) -> None:
        """Nothing goes back."""
        self.make(MessageModel.BROADCASTING).settle(self.held, (), self.messages, 0)
        self.assertEqual((self.back, self.offsets.read(queue())), ([], 3))

    def test_ours_until_the_queue_is_dropped(self) -> None:
        """Then nothing is committed any more."""
        settling = self.make()
        self.assertTrue(settling.is_ours(self.held, self.messages))
        self.held.dropped = True
        self.assertFalse(settling.is_ours(self.held, self.messages))
        settling.abandon(self.held, self.messages)
        settling.give_back(self.held, self.messages)
        self.assertEqual((self.held.count, self.offsets.read(queue())), (3, -1))

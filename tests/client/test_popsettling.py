"""What becomes of popped messages."""

from __future__ import annotations

from typing import Any

from pymq.client.popsettling import DELAYS_S, POP_IDLE_MAX_MS, PopProcessQueue, PopSettling, PopVerdicts
from pymq.client.tasks import Tasks
from pymq.errors import NoRoute
from pymq.message.message import StoredMessage
from tests.client.cases import ClientCase, queue, stored

REFUSED = NoRoute("no broker")


class Client:
    """Notes what is said of messages, by their offset."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.error: Exception | None = None

    async def ack(self, message: StoredMessage) -> None:
        """Noted."""
        self.said.append(("ack", message.queue_offset))
        if self.error is not None:
            raise self.error

    async def give_back(self, message: StoredMessage) -> None:
        """Noted."""
        self.said.append(("back", message.queue_offset))

    async def change_invisible_time(self, message: StoredMessage, invisible_s: float) -> None:
        """Noted."""
        self.said.append((invisible_s, message.queue_offset))
        if self.error is not None:
            raise self.error


class Back:
    """The way to the dead letters."""

    works = True

    def __init__(self) -> None:
        self.given: list[tuple[int, int]] = []

    def reconsume_max(self, *, is_orderly: bool) -> int:
        """Java's."""
        return 16

    async def send_back(self, message: StoredMessage, delay_level: int) -> bool:
        """Noted."""
        self.given.append((message.queue_offset, delay_level))
        return self.works


class PopSettlingTests(ClientCase):
    """Three messages of one pop, ours for a minute."""

    def setUp(self) -> None:
        """All in hand."""
        super().setUp()
        self.client, self.back = Client(), Back()
        tasks = Tasks(self.clock)
        self.addCleanup(tasks.cancel_all)
        self.verdicts = PopVerdicts(self.client, tasks, self.back, self.clock)  # type: ignore[arg-type]
        self.settling = PopSettling(self.verdicts, 60.0)
        self.held = PopProcessQueue(queue(-1), int(self.clock.seconds() * 1000))
        self.messages = [stored(offset) for offset in range(3)]
        self.held.count = 3

    def test_consumed(self) -> None:
        """Acknowledged, and no more in hand."""
        self.settling.settle(self.held, self.messages, (), 0)
        self.assertEqual((self.client.said, self.held.count), ([("ack", 0), ("ack", 1), ("ack", 2)], 0))

    def test_failed(self) -> None:
        """They come again, the later the oftener they came, or as the listener wants it."""
        for times, message in zip((0, 3, 15), self.messages):
            message.reconsume_times = times
        self.settling.settle(self.held, (), self.messages, 0)
        self.assertEqual((self.client.said, self.held.count), ([(10, 0), (120, 1), (7200, 2)], 0))
        self.settling.settle(self.held, (), self.messages[:1], 2)
        self.settling.settle(self.held, (), self.messages[:1], 99)
        self.assertEqual(self.client.said[3:], [(60, 0), (DELAYS_S[-1], 0)])

    def test_failed_too_often(self) -> None:
        """A dead letter, and acknowledged then; so is what the listener gives up."""
        self.messages[0].reconsume_times = 16
        self.settling.settle(self.held, (), self.messages[:1], 0)
        self.settling.settle(self.held, (), self.messages[1:2], -1)
        self.assertEqual((self.back.given, self.client.said), ([(0, -1), (1, -1)], [("ack", 0), ("ack", 1)]))
        self.assertEqual(self.held.count, 1)

    def test_a_dead_letter_that_nobody_takes(self) -> None:
        """Comes again."""
        self.back.works = False
        self.verdicts.bury(self.held, self.messages[0])
        self.assertEqual((self.client.said, self.held.count), ([], 2))

    def test_what_cannot_be_said(self) -> None:
        """The message comes again; it is not in hand all the same."""
        self.client.error = REFUSED
        self.settling.settle(self.held, self.messages[:1], self.messages[1:], 0)
        self.assertEqual((len(self.client.said), self.held.count), (3, 0))

    def test_their_time(self) -> None:
        """Is ours only until it is over, by our own clock; then others have them."""
        self.tick(59.9)
        self.assertTrue(self.settling.is_ours(self.held, self.messages))
        self.tick(0.2)
        self.assertFalse(self.settling.is_ours(self.held, self.messages))
        self.settling.abandon(self.held, self.messages[:2])
        self.assertEqual((self.held.count, self.client.said), (1, []))

    def test_given_back(self) -> None:
        """While they are ours."""
        self.settling.give_back(self.held, self.messages[:2])
        self.assertEqual((self.client.said, self.held.count), ([("back", 0), ("back", 1)], 1))
        self.tick(60.0)
        self.settling.give_back(self.held, self.messages[2:])
        self.assertEqual(len(self.client.said), 2)

    def test_dead_messages(self) -> None:
        """Came more often than they may."""
        counts = [self.verdicts.is_dead(stored(0, reconsume_times=times)) for times in (0, 16, 17)]
        self.assertEqual(counts, [False, False, True])

    def test_idle_queues(self) -> None:
        """Were not popped for long."""
        ages = [self.held.is_pop_expired(self.held.last_pop_ms + ms) for ms in (0, POP_IDLE_MAX_MS, POP_IDLE_MAX_MS + 1)]
        self.assertEqual(ages, [False, False, True])

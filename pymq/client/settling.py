# Tests: tests/client/test_settling.py
"""What becomes of messages once the listener has spoken, which depends on how they came; here, of those that were pulled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.logger import Logger

from pymq.client.config import MessageModel
from pymq.client.instance import MQClientInstance
from pymq.client.offsets import OffsetStore
from pymq.client.processqueue import ProcessQueue
from pymq.client.sendback import SendBack
from pymq.client.tasks import Tasks
from pymq.message.message import StoredMessage

#: A message that no broker would take back is consumed again after so long.
LOCAL_RETRY_S = 5.0


class Settling(Protocol):
    """One way in which messages come. `held` is what they are in hand as: a ProcessQueue, or a PopProcessQueue."""

    def is_ours(self, held: Any, messages: Sequence[StoredMessage]) -> bool:
        """Whether the listener may have the messages, and its verdict counts."""

    def abandon(self, held: Any, messages: Sequence[StoredMessage]) -> None:
        """They are not ours (any more)."""

    def give_back(self, held: Any, messages: Sequence[StoredMessage]) -> None:
        """The consumer stops, and is not done with them."""

    def settle(self, held: Any, done: Sequence[StoredMessage], failed: Sequence[StoredMessage], delay_level: int) -> None:
        """The first are consumed; the others are to come again, after a delay of that level if it is not 0."""


class PullSettling:
    """Pulled messages: the offset of those that are done is committed, others are sent back to the broker."""

    _log = Logger()

    def __init__(
        self,
        model: MessageModel,
        instance: MQClientInstance,
        *,
        tasks: Tasks,
        offsets: OffsetStore,
        send_back: SendBack,
        again: Callable[[ProcessQueue, list[StoredMessage]], None],
    ) -> None:
        """`again` gives messages to the listener once more."""
        self._model = model
        self._instance = instance
        self._tasks = tasks
        self._offsets = offsets
        self._send_back = send_back
        self._again = again

    def is_ours(self, held: ProcessQueue, messages: Sequence[StoredMessage]) -> bool:
        """As long as their queue is."""
        return not held.dropped

    def abandon(self, held: ProcessQueue, messages: Sequence[StoredMessage]) -> None:
        """Nothing is to be done: the queue's next owner gets them."""
        self._log.debug("{queue} is not ours any more; its messages are consumed elsewhere too", queue=held.queue)

    def give_back(self, held: ProcessQueue, messages: Sequence[StoredMessage]) -> None:
        """Nothing is to be done: what is not committed comes to the group's next reader of the queue."""

    def settle(
        self, held: ProcessQueue, done: Sequence[StoredMessage], failed: Sequence[StoredMessage], delay_level: int
    ) -> None:
        """In a group where each member gets all messages, those that failed do not come again."""
        if failed and self._model is MessageModel.BROADCASTING:
            for message in failed:
                self._log.warn("{msg_id} was not consumed, and broadcast messages do not come again", msg_id=message.msg_id)
            done, failed = [*done, *failed], ()
        self._done(held, done)
        if failed:
            self._tasks.spawn(self._retry(held, failed, delay_level), "sending messages back")

    def _done(self, held: ProcessQueue, messages: Sequence[StoredMessage]) -> None:
        offset = held.remove(messages, self._instance.now_ms())
        if offset >= 0 and not held.dropped:
            self._offsets.update(held.queue, offset, increase_only=True)

    async def _retry(self, held: ProcessQueue, messages: Sequence[StoredMessage], delay_level: int) -> None:
        """Send messages back; those that no broker takes are consumed here again after a while."""
        left = []
        for message in messages:
            if await self._send_back.send_back(message, delay_level):
                self._done(held, [message])
            else:
                message.reconsume_times += 1
                left.append(message)
        if left:
            await self._tasks.sleep(LOCAL_RETRY_S)
            self._again(held, left)

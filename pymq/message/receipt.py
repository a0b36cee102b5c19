# Tests: tests/message/test_receipt.py
"""Receipts of popped messages, by which they are acknowledged, and the texts that the answer to a pop has about its messages.

Java: ExtraInfoUtil (pop-and-timer.md 1.2, 2.1). A receipt is eight words with a space between them; a proxy appends a ninth,
which nobody else reads. The texts of an answer are entries with a `;` between them, each `retry flag, queue, value`.
"""

from __future__ import annotations

import attrs

from pymq.errors import DecodeError
from pymq.message.topics import is_retry_topic, pop_retry_topic, pop_retry_topic_v2

#: Whether a message was read from its topic itself, or from one of the two retry topics of popped messages.
NOT_RETRIED, RETRIED, RETRIED_V2 = "0", "1", "2"
_WORDS = 8


def retry_flag_of(topic: str) -> str:
    """The flag of messages in a topic."""
    if not is_retry_topic(topic):
        return NOT_RETRIED
    return RETRIED_V2 if "+" in topic else RETRIED


@attrs.frozen(kw_only=True)
class Receipt:
    """What one pop says of one message. Times are milliseconds; `start_offset` is where the pop began to read the queue."""

    start_offset: int
    pop_time_ms: int
    invisible_ms: int
    revive_queue_id: int
    retry_flag: str
    broker_name: str
    queue_id: int
    queue_offset: int

    @classmethod
    def parse(cls, text: str | None) -> Receipt:
        """Raises DecodeError for what is no receipt."""
        words = (text or "").split(" ")
        try:
            return cls(
                start_offset=int(words[0]),
                pop_time_ms=int(words[1]),
                invisible_ms=int(words[2]),
                revive_queue_id=int(words[3]),
                retry_flag=words[4],
                broker_name=words[5],
                queue_id=int(words[6]),
                queue_offset=int(words[7]),
            )
        except (ValueError, IndexError) as error:
            raise DecodeError(f"{text!r} is no receipt of a popped message: {_WORDS} words are expected ({error})") from error

    def __str__(self) -> str:
        return (
            f"{self.start_offset} {self.pop_time_ms} {self.invisible_ms} {self.revive_queue_id} {self.retry_flag} "
            f"{self.broker_name} {self.queue_id} {self.queue_offset}"
        )

    def real_topic(self, topic: str, group: str) -> str:
        """The topic from which a message of `topic` was read. Raises DecodeError for a retry flag that nobody knows."""
        if self.retry_flag == NOT_RETRIED:
            return topic
        if self.retry_flag == RETRIED:
            return pop_retry_topic(topic, group)
        if self.retry_flag == RETRIED_V2:
            return pop_retry_topic_v2(topic, group)
        raise DecodeError(f"{self} has the unknown retry flag {self.retry_flag}")

    def is_expired(self, now_ms: int) -> bool:
        """Whether the message may have come again by now, here or elsewhere."""
        return now_ms - self.pop_time_ms >= self.invisible_ms


def entries_in(text: str | None) -> dict[tuple[str, str], str]:
    """The entries of a text by (retry flag, queue), where a queue is its id, or `qo<id>%<offset>` for one message of it.

    Raises DecodeError for an entry of other than three words, or two of the same queue.
    """
    found: dict[tuple[str, str], str] = {}
    for entry in text.split(";") if text else ():
        words = entry.split(" ")
        if len(words) != 3 or (words[0], words[1]) in found:
            raise DecodeError(f"the text {text!r} of a pop's answer cannot be read at {entry!r}")
        found[words[0], words[1]] = words[2]
    return found

# Tests: tests/broker/test_delays.py
"""The rules of delayed delivery (store.md 6.1): what a message becomes while it waits, when it is due, what it is afterwards.

A message with the property DELAY waits in queue `level - 1` of SCHEDULE_TOPIC_XXXX, and carries where it is to go in REAL_TOPIC
and REAL_QID. Everything that stores messages for others, be it sent, sent back or committed, passes them through `redirected`;
`pymq.services.delivery` brings them out again. Java: CommitLog.asyncPutMessage and ScheduleMessageService.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from pymq.errors import DecodeError
from pymq.message.flags import TRANSACTION_COMMIT, TRANSACTION_NONE, transaction_type
from pymq.message.properties import (
    DELAY,
    REAL_QID,
    REAL_TOPIC,
    encode_properties,
    property_of,
    with_property,
)
from pymq.message.record import RecordDraft, decode_record, draft_from
from pymq.message.topics import HALF_TOPIC, SCHEDULE_TOPIC

__all__ = ["delay_level", "delay_of", "due_ms", "redirected", "restored"]

_DELAYABLE = frozenset({TRANSACTION_NONE, TRANSACTION_COMMIT})


def delay_level(properties: str) -> int:
    """The level that a property string asks for; 0 or less for none. Raises ValueError when DELAY is not a number."""
    return int(property_of(properties, DELAY) or 0)


def redirected(draft: RecordDraft, level_max: int) -> RecordDraft:
    """The draft to store instead of one that is to be delivered later; the draft itself when it is for now.

    A level above the last counts as the last. Raises ValueError when DELAY is not a number.
    """
    text = draft.properties.decode("utf-8")
    level = min(delay_level(text), level_max)
    if level <= 0 or transaction_type(draft.sys_flag) not in _DELAYABLE:
        return draft
    for name, value in ((DELAY, str(level)), (REAL_TOPIC, draft.topic), (REAL_QID, str(draft.queue_id))):
        text = with_property(text, name, value)
    return attrs.evolve(draft, topic=SCHEDULE_TOPIC, queue_id=level - 1, properties=text.encode("utf-8"))


def restored(record: memoryview) -> RecordDraft:
    """The message that a waiting record becomes when it is due: all as it was sent, with DELAY and REAL_* left in its properties.

    It does not wait for the disk. Raises DecodeError for a record that cannot be read or does not say where it is to go.
    """
    message = decode_record(record)
    topic, queue_id = message.properties.get(REAL_TOPIC, ""), message.properties.get(REAL_QID, "")
    if not topic or topic in (SCHEDULE_TOPIC, HALF_TOPIC) or not queue_id.isdecimal():
        raise DecodeError(f"{REAL_TOPIC}={topic!r} and {REAL_QID}={queue_id!r} are no place to deliver to")
    return draft_from(
        topic,
        int(queue_id),
        message.raw_body,
        encode_properties(message.properties),
        born_timestamp=message.born_timestamp,
        born_host=message.born_host_bytes,
        store_host=message.store_host_bytes,
        flag=message.flag,
        sys_flag=message.sys_flag,
        reconsume_times=message.reconsume_times,
        wait=False,
    )


def delay_of(level: int, delays_ms: Sequence[int]) -> float:
    """How long messages of a level wait, in milliseconds; infinite for a level that was taken out of the settings."""
    return delays_ms[level - 1] if level <= len(delays_ms) else math.inf


def due_ms(unit_code: int, now_ms: int, delay_ms: float) -> int:
    """When the message of a queue unit is due: the time in the unit, unless the clock was set back and it lies too far ahead."""
    return now_ms if unit_code > now_ms + delay_ms else unit_code

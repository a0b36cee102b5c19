"""Reads what a broker has stored, over the wire and without a group: every record of a queue, and what groups committed."""

import struct
from dataclasses import dataclass

from . import wire

PULL_MESSAGE, QUERY_CONSUMER_OFFSET = 11, 14
SUBSCRIPTION_IN_REQUEST = 4
PULL_FOUND, PULL_NOT_FOUND = 0, 19
PULL_COUNT = 32
ASK_S = 20
#: What says that bytes are a record, in its second word.
MAGIC = 0xDAA320A7
# Of a record with IPv4 hosts.
QUEUE_OFFSET_AT, LOG_OFFSET_AT, STORED_AT, STORE_HOST_AT, RECONSUME_AT, BODY_LENGTH_AT, BODY_AT = 20, 28, 56, 64, 72, 84, 88


@dataclass(frozen=True)
class Stored:
    """A stored message: its place, when it was stored (ms), how often it was consumed before, its body and properties."""

    queue: int
    offset: int
    log_offset: int
    offset_id: str
    stored_ms: int
    reconsume: int
    body: bytes
    properties: dict

    @property
    def prefix(self):
        """What tells one message of a sender from the others: `P:00000042:`."""
        return b":".join(self.body.split(b":")[:2]).decode() + ":"

    @property
    def unique_id(self):
        """The id that its sender gave it, or None."""
        return self.properties.get("UNIQ_KEY")


def decode(queue, record):
    """A Stored from the bytes of one record."""
    (offset,) = struct.unpack_from(">q", record, QUEUE_OFFSET_AT)
    (log_offset,) = struct.unpack_from(">q", record, LOG_OFFSET_AT)
    (stored_ms,) = struct.unpack_from(">q", record, STORED_AT)
    (reconsume,) = struct.unpack_from(">i", record, RECONSUME_AT)
    (length,) = struct.unpack_from(">i", record, BODY_LENGTH_AT)
    body_end = BODY_AT + length
    properties_at = body_end + 1 + record[body_end] + 2
    pairs = record[properties_at:].decode().split("\x02")
    offset_id = record[STORE_HOST_AT : STORE_HOST_AT + 8] + record[LOG_OFFSET_AT : LOG_OFFSET_AT + 8]
    return Stored(
        queue=queue,
        offset=offset,
        log_offset=log_offset,
        offset_id=offset_id.hex().upper(),
        stored_ms=stored_ms,
        reconsume=reconsume,
        body=record[BODY_AT:body_end],
        properties=dict(pair.split("\x01", 1) for pair in pairs if "\x01" in pair),
    )


def records(body):
    """The bytes of each record of a pull's answer."""
    position = 0
    while position < len(body):
        (size,) = struct.unpack_from(">i", body, position)
        yield body[position : position + size]
        position += size


def read_queue(broker, topic, queue, offset=0):
    """Every Stored of a queue from an offset to its end."""
    while True:
        answer = wire.ask(
            broker,
            PULL_MESSAGE,
            {
                "consumerGroup": "CID_witness",
                "topic": topic,
                "queueId": queue,
                "queueOffset": offset,
                "maxMsgNums": PULL_COUNT,
                "sysFlag": SUBSCRIPTION_IN_REQUEST,
                "commitOffset": 0,
                "suspendTimeoutMillis": 0,
                "subscription": "*",
                "subVersion": 0,
                "expressionType": "TAG",
            },
            timeout_s=ASK_S,
        )
        if answer.code == PULL_FOUND:
            for record in records(answer.body):
                yield decode(queue, record)
            offset = int(answer.fields["nextBeginOffset"])
        else:
            assert answer.code == PULL_NOT_FOUND, f"pull of {topic} queue {queue} at {offset}: {answer.code} {answer.remark}"
            return


def committed(broker, group, topic, queues):
    """The offset that the broker knows of a group in each queue; -1 for none."""
    answers = [
        wire.ask(broker, QUERY_CONSUMER_OFFSET, {"consumerGroup": group, "topic": topic, "queueId": queue}, timeout_s=ASK_S)
        for queue in range(queues)
    ]
    return [int(answer.fields["offset"]) if answer.code == wire.SUCCESS else -1 for answer in answers]

"""A hundred thousand mutated frames against a live broker: it goes on serving, with memory as before."""

import json
import random
import socket
import struct
from pathlib import Path

from . import wire
from .pymq_server import PyMQServer
from .wire import binary_frame, json_frame

FRAMES = 100_000
ANSWER_S = 60
SEED = 42
MEMORY_GROWTH_MB_MAX = 24
TOPIC = "FuzzTopic"


UNKNOWN_CODE, QUESTION_OPAQUE = 29_999, 1_987_654_321
QUESTION = json_frame(UNKNOWN_CODE, {}, opaque=QUESTION_OPAQUE)
ANSWER = b'"opaque":%d,' % QUESTION_OPAQUE


def seeds():
    """Valid frames of the codes that parse most."""
    send = {
        "a": "PG",
        "b": TOPIC,
        "c": "TBW102",
        "d": "4",
        "e": "1",
        "f": "0",
        "g": "1700000000000",
        "h": "0",
        "i": "KEYS\x01k\x02TAGS\x01a\x02",
        "j": "0",
        "k": "false",
        "m": "false",
    }
    pull = {
        "consumerGroup": "CG",
        "topic": TOPIC,
        "queueId": "0",
        "queueOffset": "0",
        "maxMsgNums": "32",
        "sysFlag": "4",
        "commitOffset": "0",
        "suspendTimeoutMillis": "0",
        "subscription": "*",
        "subVersion": "0",
    }
    beat = json.dumps(
        {
            "clientID": "c@1",
            "consumerDataSet": [
                {
                    "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET",
                    "consumeType": "CONSUME_PASSIVELY",
                    "groupName": "CG",
                    "messageModel": "CLUSTERING",
                    "subscriptionDataSet": [{"topic": TOPIC, "subString": "*", "tagsSet": [], "codeSet": [], "subVersion": 1}],
                    "unitMode": False,
                }
            ],
            "producerDataSet": [{"groupName": "PG"}],
        }
    ).encode()
    item = struct.pack(">iiiii", 0, 0, 0, 0, 3) + b"abc" + struct.pack(">h", 0)
    batch = struct.pack(">i", len(item)) + item[4:]
    lock = b'{"clientId":"c@1","consumerGroup":"CG","mqSet":[{"brokerName":"b","queueId":0,"topic":"T"}]}'
    cases = [
        (310, send, b"x" * 64),
        (320, {**send, "m": "true"}, batch * 3),
        (11, pull, b""),
        (34, {}, beat),
        (41, {}, lock),
        (12, {"topic": TOPIC, "key": "k", "maxNum": "8", "beginTimestamp": "0", "endTimestamp": "9999999999999"}, b""),
        (33, {"offset": "0"}, b""),
        (29, {"topic": TOPIC, "queueId": "0", "timestamp": "1"}, b""),
        (15, {"consumerGroup": "CG", "topic": TOPIC, "queueId": "0", "commitOffset": "1"}, b""),
        (38, {"consumerGroup": "CG"}, b""),
        (28, {}, b""),
        (202, {"topic": TOPIC}, b""),
        (36, {"offset": "0"}, b""),
    ]
    return [make(*case) for case in cases for make in (json_frame, binary_frame)]


def mutate(chance, frame):
    """One of: flipped bytes, a cut with its length mended or not, a number replaced, a piece doubled."""
    data = bytearray(frame)
    kind = chance.randrange(6)
    if kind == 0:
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(8, len(data))] = chance.randrange(256)
    elif kind == 1:
        data[chance.randrange(8)] = chance.randrange(256)
    elif kind == 2:
        del data[chance.randrange(8, len(data)) :]
        struct.pack_into(">i", data, 0, len(data) - 4)
    elif kind == 3:
        at = chance.randrange(8, len(data))
        data[at:at] = data[at : at + chance.randint(1, 40)]
        struct.pack_into(">i", data, 0, len(data) - 4)
    elif kind == 4:
        at = chance.randrange(8, len(data) - 4)
        struct.pack_into(">i", data, at, chance.choice([-1, 0, 1, 2**31 - 1, -(2**31), 255, 65536]))
    else:
        del data[chance.randrange(len(data)) :]
    return bytes(data)


def memory_mb(pid):
    """Anonymous memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no RssAnon")


class Target:
    """A connection to the broker that is made anew whenever it ended."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self._address, self._connection, self.connections = (host, int(port)), None, 0

    def throw(self, frame):
        """Have the broker deal with one frame: a question behind it is answered, or the connection ends."""
        if self._connection is None:
            self._connection = socket.create_connection(self._address, timeout=ANSWER_S)
            self.connections += 1
        whole = len(frame) >= 4 and struct.unpack_from(">i", frame)[0] == len(frame) - 4
        try:
            self._connection.sendall(frame + QUESTION if whole else frame)
            if whole and self._answered():
                return
            self._connection.shutdown(socket.SHUT_WR)
            while self._connection.recv(1 << 16):
                pass
        except (ConnectionError, BrokenPipeError, OSError) as error:
            assert not isinstance(error, TimeoutError), f"no answer and no end within {ANSWER_S} s after {frame!r}"
        self.close()

    def _answered(self):
        """Read until the question's answer; False when the connection ended before it."""
        data = b""
        while ANSWER not in data:
            more = self._connection.recv(1 << 16)
            if not more:
                return False
            data = data[-len(ANSWER) :] + more
        return True

    def close(self):
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def storm(address, chance, count):
    """Throw so many mutated frames, each dealt with before the next; how many connections that took."""
    valid, target = seeds(), Target(address)
    for _ in range(count):
        target.throw(mutate(chance, chance.choice(valid)))
    target.close()
    return target.connections


def test_the_broker_survives_mutated_frames():
    """It answers as before, and what the storm took it gave back."""
    with PyMQServer() as server:
        server.create_topic(TOPIC)
        storm(server.broker, random.Random(SEED), FRAMES // 10)
        before = memory_mb(server.pid)
        connections = storm(server.broker, random.Random(SEED + 1), FRAMES)
        after = memory_mb(server.pid)
        wire.create_topic(server.broker, server.namesrv, "AfterTheStorm")
        assert wire.queue_ends(server.broker, "AfterTheStorm") == [0, 0, 0, 0]
        print(f"{FRAMES} mutated frames over {connections} connections")
        print(f"anonymous memory {before:.1f} MB before, {after:.1f} MB after")
        assert after - before < MEMORY_GROWTH_MB_MAX, f"anonymous memory grew from {before:.1f} to {after:.1f} MB"

"""A raw remoting client of a few lines: asks servers whether they are ready, makes topics, reads offsets.

It is written from the protocol's description and shares no code with pymq, so that it can be a witness about pymq.
"""

import json
import re
import socket
import struct
import time

SUCCESS, TOPIC_NOT_EXIST = 0, 17
GET_MAX_OFFSET, CREATE_TOPIC, ROUTE, CLUSTER_INFO = 30, 17, 105, 106
#: Usually a moment, but a registration that failed is repeated only after 30 s.
ROUTE_S = 90
OBJECT_KEY = re.compile(rb"(\{[^{}]*\}):")
BARE_KEY = re.compile(rb"([{,]\s*)(-?\d+):")


class Answer:
    """A reply: its code, its remark, its extra fields and its body."""

    def __init__(self, header, body):
        self.code, self.remark = header["code"], header.get("remark")
        self.fields, self.body = header.get("extFields") or {}, body

    def json(self):
        """The body as Python values; numeric keys may be bare, as Java writes them."""
        return decode_json(self.body)


def decode_json(body):
    """JSON as Python values; keys may be bare numbers or objects, as Java writes them, and become texts."""
    return json.loads(BARE_KEY.sub(rb'\1"\2":', OBJECT_KEY.sub(lambda key: json.dumps(key[1].decode()).encode() + b":", body)))


def json_frame(code, fields, body=b"", opaque=1, flag=0, version=401):
    """A frame with a JSON header."""
    header = {
        "code": code,
        "extFields": fields,
        "flag": flag,
        "language": "PYTHON",
        "opaque": opaque,
        "serializeTypeCurrentRPC": "JSON",
        "version": version,
    }
    head = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack(">ii", 4 + len(head) + len(body), len(head)) + head + body


def binary_frame(code, fields, body=b"", opaque=1, flag=0, version=401):
    """A frame with a ROCKETMQ header."""
    pairs = [(key.encode(), value.encode()) for key, value in fields.items()]
    ext = b"".join(struct.pack(">h", len(key)) + key + struct.pack(">i", len(value)) + value for key, value in pairs)
    head = struct.pack(">hbhiii", code, 0, version, opaque, flag, 0) + struct.pack(">i", len(ext)) + ext
    return struct.pack(">iI", 4 + len(head) + len(body), len(head) | 1 << 24) + head + body


def receive_command(connection):
    """The header, as JSON has it, and the body of the next frame."""
    (size,) = struct.unpack(">i", receive(connection, 4))
    frame = receive(connection, size)
    (word,) = struct.unpack_from(">I", frame)
    head, body = frame[4 : 4 + (word & 0xFFFFFF)], frame[4 + (word & 0xFFFFFF) :]
    return (binary_header(head) if word >> 24 else json.loads(head)), body


def binary_header(head):
    """A ROCKETMQ header as JSON would have it."""
    code, language, version, opaque, flag, remark_length = struct.unpack_from(">hbhiii", head)
    at = 17 + remark_length
    header = {"code": code, "language": language, "version": version, "opaque": opaque, "flag": flag, "extFields": {}}
    header["remark"] = head[17:at].decode() or None
    at += 4
    while at < len(head):
        (length,) = struct.unpack_from(">h", head, at)
        key, at = head[at + 2 : at + 2 + length].decode(), at + 2 + length
        (length,) = struct.unpack_from(">i", head, at)
        header["extFields"][key], at = head[at + 4 : at + 4 + length].decode(), at + 4 + length
    return header


def ask(address, code, fields=None, body=b"", timeout_s=20):
    """One request on a connection of its own."""
    host, port = address.rsplit(":", 1)
    texts = {key: str(value) for key, value in (fields or {}).items()}
    with socket.create_connection((host, int(port)), timeout=timeout_s) as connection:
        connection.sendall(json_frame(code, texts, body))
        return Answer(*receive_command(connection))


def receive(connection, size):
    """Exactly so many bytes, or a ConnectionError."""
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise ConnectionError(f"closed after {len(parts)} of {size} bytes")
        parts += part
    return bytes(parts)


def wait_until(condition, timeout_s, what, alive=lambda: True):
    """Poll `condition` until it gives something true; OSErrors count as not yet. `alive` may end it early."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            value = condition()
        except (OSError, ValueError) as error:
            value, reason = None, error
        else:
            reason = value
        if value:
            return value
        if not alive():
            raise AssertionError(f"{what}: the process ended ({reason!r})")
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout_s} s (last: {reason!r})")
        time.sleep(0.02)


def answers(address):
    """Does a name server answer there?"""
    return ask(address, ROUTE, {"topic": "no-such-topic-as-this"}).code in (SUCCESS, TOPIC_NOT_EXIST)


def has_broker(namesrv, name, address):
    """Does the name server know that address as the master of that name, and does somebody answer there?"""
    known = (ask(namesrv, CLUSTER_INFO).json().get("brokerAddrTable") or {}).get(name, {"brokerAddrs": {}})
    return known["brokerAddrs"].get("0") == address and ask(address, GET_MAX_OFFSET, {"topic": "TBW102", "queueId": 0})


def create_topic(broker, namesrv, topic, queues=4, perm=6, **more):
    """Make a topic on a broker and wait until the name server's route leads there; not every version knows the fields `more`."""
    answer = ask(
        broker,
        CREATE_TOPIC,
        {
            "topic": topic,
            "defaultTopic": "TBW102",
            "readQueueNums": queues,
            "writeQueueNums": queues,
            "perm": perm,
            "topicFilterType": "SINGLE_TAG",
            "topicSysFlag": 0,
            "order": "false",
            **more,
        },
    )
    assert answer.code == SUCCESS, f"create topic {topic}: {answer.code} {answer.remark}"
    wait_until(lambda: leads_to(namesrv, topic, broker, queues), ROUTE_S, f"route of {topic}")
    return topic


def leads_to(namesrv, topic, broker, queues):
    """Does the route of a topic lead to so many queues of the broker at that address?"""
    answer = ask(namesrv, ROUTE, {"topic": topic})
    if answer.code != SUCCESS:
        return False
    route = answer.json()
    names = {one["brokerName"] for one in route["brokerDatas"] if broker in one["brokerAddrs"].values()}
    return any(one["brokerName"] in names and one["writeQueueNums"] == queues for one in route["queueDatas"])


def queue_ends(broker, topic, queues=4):
    """The next offset of each queue of a topic."""
    return [int(ask(broker, GET_MAX_OFFSET, {"topic": topic, "queueId": queue}).fields["offset"]) for queue in range(queues)]

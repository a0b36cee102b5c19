"""Good requests of each kind, to be asked without each of their fields, and with other values in them."""

import contextlib
from dataclasses import dataclass, field

from .twin_questions import (
    ALL_TIME,
    CLUSTER,
    CREATE_TOPIC,
    EARLIEST,
    END_TRANSACTION,
    FAKE_BROKER,
    FAKE_TOPICS,
    KV,
    MAX,
    MIN,
    NEW_TOPIC,
    PULL,
    QUERY,
    QUERY_OFFSET,
    SEARCH,
    SEND,
    SEND_BACK,
    SEND_V2,
    UNREGISTER,
    UPDATE_OFFSET,
    VIEW,
    pull,
    send,
)

#: What differs on purpose for all of them.
ROW = "A field that is missing, or a number that is none"
REFUSED = 1
TOPIC, FILLED, GROUP = "twin-fields", "twin-fields-filled", "CG-twin-fields"
ODD_WORDS = ("", "no such ! thing", "L" * 300)
ODD_NUMBERS = ("", "x", "99999999999999999999", "-1", "1000")


@dataclass(frozen=True)
class Question:
    """A request. `differs` has the codes of theirs and ours for fields, or `field=value`, that ours answers otherwise on purpose.

    The rows of docs/differences.rst are those of the conversations, in which the same is asked.
    """

    name: str
    code: int
    fields: dict
    body: bytes = b""
    at: str = "broker"
    differs: dict = field(default_factory=dict)

    def variants(self):
        """(name, fields) of the variants."""
        for key, value in self.fields.items():
            others = {name: other for name, other in self.fields.items() if name != key}
            yield f"{key} missing", others
            for odd in ODD_NUMBERS if is_number(value) else ODD_WORDS:
                yield f"{key}={odd}", {**others, key: odd}

    def expects(self, name, theirs, ours):
        """Is that what both should say?"""
        key = name.split("=")[0].split()[0]
        if theirs.code == ours.code:
            return theirs.code != 0 or theirs.fields.keys() == ours.fields.keys()
        names_it = ours.code == REFUSED and key in (ours.remark or "")
        return names_it or self.differs.get(name, self.differs.get(key)) == (theirs.code, ours.code)


def is_number(value):
    """Does a field hold a number?"""
    with contextlib.suppress(ValueError):
        return int(value) is not None
    return False


PLACE = {"topic": TOPIC, "queueId": 0}
HELD = {"producerGroup": "PG-twin", "tranStateTableOffset": 0, "commitLogOffset": 1 << 40, "commitOrRollback": 8}
BACK = {"offset": 1 << 40, "group": GROUP, "delayLevel": 3, "originMsgId": "x", "originTopic": TOPIC, "unitMode": "false"}
CHECKED = {"fromTransactionCheck": "false", "msgId": "x", "transactionId": "x"}
NEW = {**NEW_TOPIC, "topic": "twin-fields-new"}
#: Expected codes: of names that no client allows and of numbers that cannot be, of the flag of a transaction without its
#: property, and of queues that Apache made when it was asked for their offsets.
NAMES, FLAG, MADE = (0, REFUSED), (0, 13), (0, REFUSED)
AT_BROKER = [
    Question("a send of an old client", SEND, send(TOPIC, 3, code=SEND), b"x", differs={"sysFlag": FLAG}),
    Question("a send", SEND_V2, send(TOPIC, 3), b"x", differs={"f": FLAG}),
    Question("a pull", PULL, pull(FILLED, consumerGroup=GROUP), differs={"consumerGroup": NAMES, "maxMsgNums=-1": (1, 0)}),
    Question("a query by key", QUERY, {"topic": TOPIC, "key": "k1", **ALL_TIME}, differs={"maxNum=-1": (1, 22)}),
    Question("a query of an offset", QUERY_OFFSET, {"consumerGroup": GROUP, **PLACE}),
    Question("an offset that is committed", UPDATE_OFFSET, {"consumerGroup": GROUP, **PLACE, "commitOffset": 2}),
    Question("a new topic", CREATE_TOPIC, NEW, differs={"readQueueNums": NAMES, "writeQueueNums": NAMES, "perm": NAMES}),
    Question("an offset by time", SEARCH, {**PLACE, "timestamp": 0}),
    *(Question(f"an end of a queue, {code}", code, PLACE) for code in (MAX, MIN, EARLIEST)),
    Question("a message by its place", VIEW, {"offset": 1 << 40}),
    Question("a client that leaves", UNREGISTER, {"clientID": "c9", "producerGroup": "PG-gone", "consumerGroup": "CG-gone"}),
    Question("a message back", SEND_BACK, BACK),
    Question("the end of a transaction", END_TRANSACTION, {**HELD, **CHECKED}),
    Question("members", 38, {"consumerGroup": GROUP}),
    Question("stats of a topic", 202, {"topic": TOPIC}),
    Question("connections of consumers", 203, {"consumerGroup": GROUP}),
    Question("connections of producers", 204, {"producerGroup": "PG-twin"}),
    Question("progress of a group", 208, {"consumerGroup": GROUP, "topic": TOPIC}),
    Question("a reset", 222, {"topic": TOPIC, "group": GROUP, "timestamp": 0, "isForce": "true"}),
    Question("the status of clients", 223, {"topic": TOPIC, "group": GROUP, "clientAddr": ""}),
    Question("who consumes", 300, {"topic": TOPIC}),
    Question("time spans", 303, {"topic": TOPIC, "group": GROUP}),
    Question("a client's state", 307, {"consumerGroup": GROUP, "clientId": "nobody", "jstackEnable": "false"}),
    Question("a message for a client", 309, {"consumerGroup": GROUP, "clientId": "nobody", "msgId": "0" * 32}),
    Question("copied offsets", 314, {"srcGroup": GROUP, "destGroup": f"{GROUP}-copy", "topic": TOPIC, "offline": "false"}),
    Question("counters", 315, {"statsName": "TOPIC_PUT_NUMS", "statsKey": TOPIC}),
    Question("units", 321, {**PLACE, "index": 0, "count": 2, "consumerGroup": ""}, differs={"topic": MADE, "queueId": MADE}),
    Question("a deleted topic", 215, {"topic": "twin-fields-new"}),
    Question("a deleted group", 207, {"groupName": f"{GROUP}-copy", "removeOffset": "false", "cleanOffset": "false"}),
]
AT_NAMESRV = [
    Question("a value", 100, KV, at="namesrv"),
    Question("a value that is asked for", 101, {"namespace": "twin", "key": "a"}, at="namesrv"),
    Question("a namespace", 219, {"namespace": "twin"}, at="namesrv"),
    Question("a value that goes", 102, {"namespace": "twin", "key": "a"}, at="namesrv"),
    Question("a broker's version", 322, FAKE_BROKER, b"", "namesrv"),
    Question("write permission", 205, {"brokerName": "broker-fake"}, at="namesrv"),
    Question("write permission again", 327, {"brokerName": "broker-fake"}, at="namesrv"),
    Question("a route", 105, {"topic": TOPIC}, at="namesrv"),
    Question("topics of a cluster", 224, {"cluster": CLUSTER}, at="namesrv"),
    Question("a topic that goes", 216, {"topic": "twin-fields-new"}, at="namesrv"),
    Question("a broker", 103, FAKE_BROKER, FAKE_TOPICS, "namesrv"),
    Question("a broker that goes", 104, FAKE_BROKER, at="namesrv"),
]
QUESTIONS = AT_BROKER + AT_NAMESRV

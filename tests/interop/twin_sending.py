"""Conversations about sending: plain messages, batches, retries, transactions, messages sent back, replies."""

from .twin_questions import (
    BROKER,
    CLOSED_TOPIC,
    END_TRANSACTION,
    GROUP,
    GROUP_NAMES,
    HEARTBEAT,
    MAX,
    PULL,
    READ_ONLY,
    SEND,
    SEND_BACK,
    SEND_BATCH,
    SEND_V2,
    WRITE_ONLY,
    batch_item,
    heartbeat,
    make_topic,
    pull,
    send,
)
from .twins import ANY, Differs, codes

ALL_TOPICS, RESUME, REPLY, REPLY_V2, PUSH_REPLY = 21, 323, 324, 325, 326
LARGEST = 4 << 20
UNREADABLE = "A batch that cannot be read, or a ``DELAY`` that is no number"
FLAG = "The flag of a transaction without ``TRAN_MSG``"
REPLY_TOPIC = "DefaultCluster_REPLY_TOPIC"
HALF = "TRAN_MSG\x01true\x02PGROUP\x01PG-twin\x02UNIQ_KEY\x01{}\x02"
COMMIT, ROLLBACK, UNKNOWN = 8, 12, 0


def places(t):
    """Which topics and queues can be sent to."""
    topic = make_topic(t, "tw-places", readQueueNums=2, writeQueueNums=8)
    t.ask("a message", SEND_V2, send(topic), b"x")
    t.ask("a message of an old client", SEND, send(topic, code=SEND), b"x")
    t.ask("a message with a binary header", SEND_V2, send(topic), b"x", binary=True)
    t.tell("a one-way message", SEND_V2, send(topic), b"x")
    t.until(lambda: t.asks(MAX, {"topic": topic, "queueId": 0}).fields["offset"] == "4", "the one-way message")
    t.ask("a queue that is only written", SEND_V2, send(topic, 7), b"x")
    t.ask("a queue behind the last", SEND_V2, send(topic, 8), b"x")
    t.ask("a queue number of 33 bits", SEND_V2, send(topic, 1 << 32), b"x")
    for other in (READ_ONLY, WRITE_ONLY, CLOSED_TOPIC):
        t.ask(f"to {other}", SEND_V2, send(other), b"x")
    for name in ("a!b", "a b", "t" * 127, "t" * 128, "t" * 256, "", " ", "über", "%LMQ%a", "rmq_sys_a", "%DLQ%nobody"):
        t.ask(f"to {name[:9]!r}, {len(name)} characters", SEND_V2, send(name), b"x")
    for name in ("SCHEDULE_TOPIC_XXXX", "RMQ_SYS_TRANS_HALF_TOPIC", "RMQ_SYS_TRANS_OP_HALF_TOPIC", "TRANS_CHECK_MAX_TIME_TOPIC"):
        t.ask(f"to the broker's own {name}", SEND_V2, send(name), b"x")
    for name in ("TBW102", "SELF_TEST_TOPIC", "OFFSET_MOVED_EVENT", "BenchmarkTest", "DefaultCluster", BROKER):
        t.ask(f"to the system's {name}", SEND_V2, send(name), b"x")


def topics_made_by_sends(t):
    """A topic that is not there is made after the one that the sender names."""
    made = make_topic(t, "tw-pattern")
    for wish in (4, 100, -5, 0):
        t.ask(f"a wish for {wish} queues", SEND_V2, send(f"tw-made{wish}", 0, defaultTopicQueueNums=wish), b"x")
    t.ask("a queue that the new topic has not", SEND_V2, send("tw-made-beyond", 9), b"x")
    t.ask("after a topic that is not there", SEND_V2, send("tw-made-none", 0, defaultTopic="nonsense"), b"x")
    t.ask("after a topic that is no pattern", SEND_V2, send("tw-made-other", 0, defaultTopic=made), b"x")
    t.ask("in a unit", SEND_V2, send("tw-made-unit", 0, unitMode="true"), b"x")
    t.ask("the topics", ALL_TOPICS, differs=Differs("The half topic", {"body.topicConfigTable.RMQ_SYS_TRANS_*": (ANY, ANY)}))


def contents(t):
    """What a message may hold, and how it is stored."""
    topic = make_topic(t, "tw-contents")
    t.ask("the largest body", SEND_V2, send(topic, 3), b"x" * LARGEST)
    t.ask("a body one byte larger", SEND_V2, send(topic, 3), b"x" * (LARGEST + 1))
    t.ask("no body", SEND_V2, send(topic), b"")
    t.ask("long properties", SEND_V2, send(topic, 2, "a\x01" + "b" * 32_700), b"x")
    for length in (32_766, 40_000):
        t.ask(f"a property of {length} characters", SEND_V2, send(topic, 2, "a\x01" + "b" * length), b"x")
    t.ask("properties without names and values", SEND_V2, send(topic, 0, "abc\x02\x01\x02d\x01e\x01f\x02g\x01\x02\x01h"), b"x")
    t.ask("a property twice", SEND_V2, send(topic, 0, "a\x01b\x02a\x01c\x02WAIT\x01false\x02CLUSTER\x01other\x02"), b"x")
    t.ask("a born time before 1970", SEND_V2, send(topic, bornTimestamp=-1), b"x")
    t.ask("consumed 99 times", SEND_V2, send(topic, reconsumeTimes=99), b"x")
    t.ask("the flag of a compressed body", SEND_V2, send(topic, sysFlag=1), b"x")
    t.ask("a flag that nobody knows", SEND_V2, send(topic, sysFlag=1 << 10), b"x")
    t.ask("a flag of the user", SEND_V2, send(topic, flag=-7), b"x")
    t.ask("what is stored", PULL, pull(topic))


def delays(t):
    """Which delay levels there are."""
    topic = make_topic(t, "tw-delays")
    for level in ("18", "100", "-1", "0", ""):
        t.ask(f"level {level!r}", SEND_V2, send(topic, 0, f"DELAY\x01{level}\x02"), b"x")
    for level in ("x", " 3", "1_0", "99999999999"):
        t.ask(f"level {level!r}", SEND_V2, send(topic, 0, f"DELAY\x01{level}\x02"), b"x", differs=codes(UNREADABLE, 1, 13))
    t.ask("what is not delayed", PULL, pull(topic))
    t.ask("what is delayed", PULL, pull("SCHEDULE_TOPIC_XXXX", 17))


def batches(t):
    """Batches, and what is none."""
    topic = make_topic(t, "tw-batches")

    def ask(name, body, properties="", code=SEND_BATCH, to=topic, differs=None, **more):
        t.ask(name, code, send(to, 0, properties, code, **{"batch": "true", **more}), body, differs=differs)

    two = batch_item(b"a") + batch_item(b"b", "TAGS\x01z\x02K\x01v\x02", 5)
    ask("two messages", two)
    ask("by the code of a plain send", two, code=SEND_V2)
    ask("properties of the whole", two, "common\x01yes\x02")
    ask("the batch's code for no batch", two, batch="false")
    ask("an item with a delay", batch_item(b"a", "DELAY\x013\x02"))
    t.ask("what is stored", PULL, pull(topic))
    ask("too large a whole", batch_item(b"a" * (LARGEST // 2)) * 3)
    ask("a delay for the whole", two, "DELAY\x013\x02")
    ask("a transaction", two, "TRAN_MSG\x01true\x02", sysFlag=4)
    bad = {
        "nothing": b"",
        "three bytes": b"abc",
        "an item without its end": two[:-4],
        "nonsense": b"\x7f" * 64,
        "items of no length": bytes(64),
        "a body longer than the item": two.replace(b"\x00\x00\x00\x01a", b"\x00\x00\x03\x01a"),
        "a body of a negative length": two.replace(b"\x00\x00\x00\x01a", b"\xff\xff\xff\xffa"),
    }
    for name, body in bad.items():
        ask(name, body, differs=codes(UNREADABLE, 1, 13))
    ask("to a retry topic", two, to="%RETRY%CG-tw-batches", differs=codes("A batch to a retry topic", 0, 13))
    t.ask("nothing more is stored", MAX, {"topic": topic, "queueId": 0})


def retries(t):
    """What consumers send to their retry topics by themselves."""
    group = "CG-tw-retries"
    topic = f"%RETRY%{group}"
    t.ask("a heartbeat makes the topic", HEARTBEAT, {}, heartbeat("c-retries", group, "tw-retries"))
    t.ask("once more", SEND_V2, send(topic, reconsumeTimes=15, maxReconsumeTimes=16), b"more")
    t.ask("too often", SEND_V2, send(topic, reconsumeTimes=16, maxReconsumeTimes=16), b"dead")
    t.ask("too often, by the group's number", SEND_V2, send(topic, reconsumeTimes=16), b"dead")
    t.ask("too often, by the consumer's number", SEND_V2, send(topic, reconsumeTimes=3, maxReconsumeTimes=3), b"dead")
    t.ask("the dead letters", PULL, pull(f"%DLQ%{group}"))
    t.ask("the retries", PULL, pull(topic))
    t.ask("the retry topic of nobody", SEND_V2, send("%RETRY%"), b"x", differs=codes(GROUP_NAMES, 0, 1))
    t.ask("the retry topic of a new group", SEND_V2, send("%RETRY%CG-tw-new"), b"x")
    queues = "A retry topic that a send makes"
    t.ask(
        "the topics",
        ALL_TOPICS,
        differs=Differs(
            queues,
            {
                "body.topicConfigTable.%RETRY%CG-tw-new*": (4, 1),
                "body.topicConfigTable.%RETRY%*": (ANY, 1),
                "body.topicConfigTable.RMQ_SYS_TRANS_*": (ANY, ANY),
            },
        ),
    )


def sent_back(t):
    """Messages that consumers give back."""
    group, topic = "CG-tw-back", make_topic(t, "tw-back")
    sent = t.ask("a message", SEND_V2, send(topic, 0, "UNIQ_KEY\x01B0\x02TAGS\x01t\x02"), b"back")
    place = int(sent.fields["msgId"][16:], 16)
    good = {"offset": place, "group": group, "delayLevel": 3, "originMsgId": "x", "originTopic": topic, "maxReconsumeTimes": 16}

    def ask(name, differs=None, **more):
        fields = {key: value for key, value in {**good, **more}.items() if value is not None}
        t.ask(name, SEND_BACK, fields, differs=differs)

    ask("at level 18", delayLevel=18)
    ask("by the broker's levels", delayLevel=0)
    ask("at a level that is not there", delayLevel=99)
    ask("to the dead letters", delayLevel=-1)
    ask("too often", maxReconsumeTimes=0)
    ask("without a number of times", maxReconsumeTimes=None)
    ask("of a new group", group="CG-tw-back-new")
    ask("in a unit", unitMode="true", group="CG-tw-back-unit")
    ask("an offset behind the log", offset=1 << 40)
    ask("an offset inside a message", offset=place + 1)
    ask("an offset below zero", offset=-1)
    ask("of a group with a bad name", group="a b", differs=codes(GROUP_NAMES, 0, 1))
    t.ask("the dead letters", PULL, pull(f"%DLQ%{group}"))
    t.until(lambda: t.asks(MAX, {"topic": "SCHEDULE_TOPIC_XXXX", "queueId": 17}).fields["offset"] != "0", "the queue of level 18")


def transactions(t):
    """Half messages and their ends, also wrong ones."""
    topic = make_topic(t, "tw-deals")
    plain = t.ask("a plain message", SEND_V2, send(topic), b"x")
    half = [t.ask(f"half message {n}", SEND_V2, send(topic, 1, HALF.format(f"H{n}"), sysFlag=4), b"h%d" % n) for n in (0, 1)]
    t.ask("by the property alone", SEND_V2, send(topic, 1, HALF.format("H2")), b"h2")
    t.ask("by the flag alone", SEND_V2, send(topic, 2, sysFlag=4), b"x", differs=codes(FLAG, 0, 13))
    t.ask("the flag of a commit", SEND_V2, send(topic, 2, sysFlag=8), b"x", differs=codes(FLAG, 0, 13))
    t.ask("a property that is not true", SEND_V2, send(topic, 3, "TRAN_MSG\x01yes\x02"), b"x")

    def end(name, of, how, answered=True, **more):
        place = int(of.fields["msgId"][16:], 16)
        fields = {
            "producerGroup": "PG-twin",
            "tranStateTableOffset": of.fields["queueOffset"],
            "commitLogOffset": place + more.pop("behind", 0),
            "commitOrRollback": how,
            "fromTransactionCheck": "false",
            "msgId": "x",
            "transactionId": "x",
            **more,
        }
        t.ask(name, END_TRANSACTION, fields, answered=answered)

    end("of an offset behind the log", half[0], COMMIT, commitLogOffset=1 << 40)
    end("of an offset below zero", half[0], COMMIT, commitLogOffset=-1)
    end("of an offset inside a message", half[0], COMMIT, behind=1)
    end("of a plain message", plain, COMMIT)
    end("of another producer group", half[0], COMMIT, producerGroup="PG-other")
    end("of another place in the half topic", half[0], COMMIT, tranStateTableOffset=999)
    end("by who does not know yet", half[0], UNKNOWN, answered=False)
    end("by who was asked and does not know yet", half[0], UNKNOWN, answered=False, fromTransactionCheck="true")
    end("neither way", half[0], 4)
    end("by a number that is no way", half[0], 99)
    t.ask("nothing is committed yet", MAX, {"topic": topic, "queueId": 1})
    end("a commit", half[0], COMMIT)
    t.until(lambda: t.asks(MAX, {"topic": topic, "queueId": 1}).fields["offset"] == "1", "the committed message")
    t.ask("the committed message", PULL, pull(topic, 1))
    end("a rollback", half[1], ROLLBACK)
    end("a second rollback", half[1], ROLLBACK)
    t.ask("that one is not there", MAX, {"topic": topic, "queueId": 1})
    t.ask("a half message to a new topic", SEND_V2, send("tw-deals-new", 0, HALF.format("H3"), sysFlag=4), b"x")
    t.ask("a check of nonsense", RESUME, {"msgId": "zz"})
    t.ask("a check of what is behind the log", RESUME, {"msgId": "7F00000100002A9F0000FFFFFFFFFFFF"})
    t.ask(
        "a check of a plain message",
        RESUME,
        {"msgId": plain.fields["msgId"]},
        differs=codes("A check of what is no half message", 0, 1),
    )


def replies(t):
    """Replies to clients that are there, and that are not."""
    t.ask("the asker's heartbeat", HEARTBEAT, {}, heartbeat("c-asks", GROUP, "tw-replies"))

    def fields(code, to="nobody", topic=REPLY_TOPIC, **more):
        properties = f"REPLY_TO_CLIENT\x01{to}\x02CORRELATION_ID\x01c\x02" if to else "a\x01b\x02"
        long = {"bornHost": "1.2.3.4:5", "storeHost": "1.2.3.4:6", "storeTimestamp": 1} if code == REPLY else {}
        return {**send(topic, 0, properties, SEND if code == REPLY else SEND_V2, **more), **long}

    t.ask("a reply", REPLY_V2, fields(REPLY_V2, "PG-twin"), b"r")
    for code in (REPLY, REPLY_V2):
        t.ask(f"{code} to who is not there", code, fields(code), b"r")
        t.ask(f"{code} to nobody", code, fields(code, ""), b"r")
        t.ask(f"{code} to who is there", code, fields(code, "c-asks"), b"r")
        t.ask(f"{code} by a topic of its own", code, fields(code, "c-asks", "tw-reply"), b"r")
        t.ask(f"{code} by a topic that cannot be made", code, fields(code, "c-asks", "tw-reply-no", defaultTopic="none"), b"r")
    assert len(t.pushed(PUSH_REPLY)) == 4, t.pushed(PUSH_REPLY)
    t.ask("replies are not stored", 25, {}, b"storeReplyMessageEnable=false")
    t.ask("one that is only passed on", REPLY_V2, fields(REPLY_V2, "c-asks"), b"r")
    t.ask("one that cannot be passed on", REPLY_V2, fields(REPLY_V2), b"r")
    t.ask("replies are stored", 25, {}, b"storeReplyMessageEnable=true")


TALKS = [places, topics_made_by_sends, contents, delays, batches, retries, sent_back, transactions, replies]

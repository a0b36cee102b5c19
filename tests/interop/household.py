"""A store directory and all that was put into it, for brokers that take it over from each other.

Every stay of a broker on the directory makes the same mixture: plain messages and batches of a Java client, keys, tags and bodies
that are not ASCII, the largest body there is, a delayed message that is due during the next stay and one that is due much later,
transactions that are committed, rolled back and left open by a producer that dies, a topic that is deleted again, and a group
that consumes what lay there before and leaves what came after. `look` tells what a broker shows of all this; the same must be
seen by the next one.
"""

import hashlib
import json
import math
import time
from collections import Counter

from pymq.blocking import Producer
from pymq.client import Message

from . import programs, wire, witness
from .programs import Program

QUERY_MESSAGE, ALL_TOPICS, VIEW_MESSAGE, MAKE_GROUP, ALL_GROUPS, DELETE_TOPIC = 12, 21, 33, 200, 201, 215
PLAIN, BATCHED, ODD, LATER, DEALS, GONE = "moved-plain", "moved-batched", "moved-odd", "moved-later", "moved-deals", "moved-gone"
SCHEDULED = "SCHEDULE_TOPIC_XXXX"
KEPT = (PLAIN, BATCHED, ODD)
GROUP = "CG-moved"
QUEUES = 4
COUNT = 200
PLAIN_BYTES = 1500
BATCHED_BYTES = 300
LARGEST_BYTES = 4 << 20
#: The second is due after the broker changed, the third not within any test.
LEVELS = "1s 15s 1h"
SOON_LEVEL, NEXT_LEVEL, FAR_LEVEL = 1, 2, 3
NEXT_MS = 15_000
#: Brokers round the times of delayed messages.
EARLY_MS = 1000
#: So long before one is due it may be that the broker delivers it before it goes.
NEAR_MS = 5000
#: The group as which brokers keep how far their checks of half messages are.
CHECKER, HALF = "CID_RMQ_SYS_TRANS", "RMQ_SYS_TRANS_HALF_TOPIC"
WAIT_S = 180
FIELDS = ("readQueueNums", "writeQueueNums", "perm", "topicFilterType", "topicSysFlag", "order")
#: Small files, so that each kind rolls; both brokers of a directory must use the same. The log's hold one message of the largest.
STORE = {
    "mappedFileSizeCommitLog": 5 << 20,
    "mappedFileSizeConsumeQueue": 1000,
    "maxHashSlotNum": 500,
    "maxIndexNum": 400,
    "messageDelayLevel": LEVELS,
    "flushDiskType": "SYNC_FLUSH",
    "flushConsumerOffsetInterval": 500,
    "flushDelayOffsetInterval": 500,
    "transactionCheckInterval": 1000,
    "transactionTimeOut": 6000,
    "transactionCheckMax": 1000,
}


def odd_messages(stay):
    """Bodies, keys and tags beyond ASCII, also beyond 16 bits; an empty property; the largest body, which nothing compresses."""
    largest = hashlib.shake_256(str(stay).encode()).digest(LARGEST_BYTES)
    return [
        Message(
            ODD,
            f"Übergröße {stay} 漢字 🐍".encode(),
            tags="Schlüssel",
            keys=f"ключ{stay} 鍵{stay}",
            properties={"città": "Forlì🐍"},
        ),
        Message(ODD, largest, tags="großer", keys=f"largest{stay}"),
        Message(ODD, b"\x00\xff" * 300, keys=f"schlicht{stay}"),
    ]


class Household:
    """What was put into a directory, and what must be seen there. `java` is the family that fits the Apache broker."""

    def __init__(self, folder, java):
        self.folder, self.java = folder, java
        self.stay, self.keys, self.due_ms = 0, set(), None
        self.settled = {}
        #: How often a producer said of each committed message that it is to be committed.
        self.dealt = {}

    @property
    def config(self):
        """What a broker needs to work on this directory."""
        return {
            "brokerName": "broker-moved",
            "storePathRootDir": self.folder,
            "storePathCommitLog": f"{self.folder}/commitlog",
            **STORE,
        }

    def settle(self, server):
        """Make the topics and the group, with settings that are nobody's defaults."""
        for topic in (PLAIN, BATCHED, ODD, LATER):
            server.create_topic(topic, QUEUES)
        wire.create_topic(server.broker, server.namesrv, DEALS, 1, attributes="+message.type=TRANSACTION")
        make_group(server, GROUP, retryMaxTimes=5, retryQueueNums=2, consumeTimeoutMinute=7)
        programs.send("python", server, PLAIN, COUNT, prefix="S0", size=PLAIN_BYTES)

    def live(self, server):
        """A stay: the group reads what is there, and then everything comes once more."""
        self.stay += 1
        self.consume(server)
        self.make_and_delete_topic(server)
        self.send(server)
        self.keys.update((PLAIN, f"K{self.stay}-{seq}") for seq in (0, 7, COUNT - 1))
        self.send_odd(server)

    def consume(self, server):
        """The group gets exactly what it had not yet."""
        family = self.java if self.stay % 2 == 0 else "python"
        flags = {"group": GROUP, "size": PLAIN_BYTES, "from_": "first", "timeout_s": WAIT_S}
        got = programs.receive(family, server, PLAIN, COUNT, **flags).of("received")
        seen = {event["body_prefix"] for event in got}
        assert seen == {f"S{self.stay - 1}:{seq:08d}:" for seq in range(COUNT)}, sorted(seen)[:5]
        make_group(server, f"{GROUP}-{self.stay}", retryMaxTimes=self.stay)

    def make_and_delete_topic(self, server):
        """A topic comes, gets messages, and goes."""
        server.create_topic(GONE, QUEUES)
        programs.send("python", server, GONE, 20)
        answer = wire.ask(server.broker, DELETE_TOPIC, {"topic": GONE}, timeout_s=WAIT_S)
        assert answer.code == wire.SUCCESS, answer.remark

    def send(self, server):
        """One JVM sends plain messages, batches and three transactions, and dies in the third."""
        common = {"namesrv": server.namesrv, "prefix": f"S{self.stay}", "size": PLAIN_BYTES}
        batches = {
            **common,
            "topic": BATCHED,
            "group": "PG-b",
            "count": COUNT,
            "mode": "batch",
            "batch": 20,
            "size": BATCHED_BYTES,
        }
        deals = {**common, "topic": DEALS, "group": "PG-deals", "count": 3, "outcome": "commit,rollback,hang", "check": "unknown"}
        plain = {**common, "topic": PLAIN, "group": "PG-p", "count": COUNT, "key_prefix": f"K{self.stay}-"}
        with Program(self.java, "send", also=[("send", batches), ("transaction", deals)], **plain) as sender:
            sender.wait_event("sent", 2 * COUNT + 2, WAIT_S)
            sender.wait_event("executing", 3, WAIT_S)
            self.dealt[f"S{self.stay}:00000000:"] = 1
            self.wait_deals(server)
            sender.kill()

    def wait_deals(self, server):
        """Each committed message is there, no more often than its producer said so, and nothing else is."""
        found = Counter()

        def seen():
            found.clear()
            found.update(one.prefix for one in witness.read_queue(server.broker, DEALS, 0))
            return found.keys() == self.dealt.keys()

        try:
            wire.wait_until(seen, WAIT_S, f"the transactions {sorted(self.dealt)}")
        except AssertionError as error:
            error.add_note(f"found: {found}")
            raise
        assert all(found[prefix] <= times for prefix, times in self.dealt.items()), f"{found} of {self.dealt}"

    def send_odd(self, server):
        """What is not plain, from our client; the delayed ones last, so that they are on their way when the broker goes."""
        with Producer(
            "PG-odd", namesrv_addr=server.namesrv, send_msg_timeout_s=60, compress_msg_body_over_howmuch=LARGEST_BYTES
        ) as producer:
            for message in odd_messages(self.stay):
                producer.send(message)
                self.keys.update((ODD, key) for key in message.keys)
            for level in (SOON_LEVEL, FAR_LEVEL):
                producer.send(Message(LATER, f"L{level}:{self.stay:08d}:".encode(), delay_level=level))
            self.wait_later(server, SOON_LEVEL)
            self.due_ms = time.time() * 1000 + NEXT_MS
            producer.send(Message(LATER, f"L{NEXT_LEVEL}:{self.stay:08d}:".encode(), delay_level=NEXT_LEVEL))

    def wait_later(self, server, level):
        """The delayed message of this stay and that level is delivered."""
        wire.wait_until(
            lambda: f"L{level}:{self.stay:08d}:" in self.later(server), WAIT_S, f"the delayed message of level {level}"
        )

    def later(self, server):
        """{what it is: when it was delivered, ms} of all delayed messages that came, each once."""
        found = [one for queue in range(QUEUES) for one in witness.read_queue(server.broker, LATER, queue)]
        came = {one.prefix: one.stored_ms for one in found}
        assert len(came) == len(found), f"some came twice: {sorted(one.prefix for one in found)}"
        return came

    def before_leaving(self, server):
        """Remember what is seen now, and wait until the files say it too, for a broker may be killed."""
        wanted = [(self.stay + 1) * COUNT, self.stay * COUNT, self.stay]
        wire.wait_until(lambda: counts(server) == wanted, WAIT_S, f"{wanted} messages in the queues")
        self.settled = look(server)
        wire.wait_until(lambda: self.saved_offsets() == self.settled["committed"], WAIT_S, "the group's offsets in their file")
        wire.wait_until(self.delay_is_saved, WAIT_S, "the progress of the delayed ones in its file")

    def saved_offsets(self):
        """What consumerOffset.json says of the group."""
        with open(f"{self.folder}/config/consumerOffset.json") as file:
            table = json.loads(wire.BARE_KEY.sub(rb'\1"\2":', file.read().encode()))["offsetTable"]
        known = table.get(f"{PLAIN}@{GROUP}", {})
        return [known.get(str(queue), -1) for queue in range(QUEUES)]

    def delay_is_saved(self):
        """Does delayOffset.json know of what was delivered, and of what is about to be?"""
        with open(f"{self.folder}/config/delayOffset.json") as file:
            table = json.loads(wire.BARE_KEY.sub(rb'\1"\2":', file.read().encode()))["offsetTable"]
        is_near = time.time() * 1000 > self.due_ms - NEAR_MS
        wanted = [self.stay, self.stay if is_near else self.stay - 1]
        return [table.get(str(level), 0) for level in (SOON_LEVEL, NEXT_LEVEL)] == wanted

    def check(self, server):
        """All that the last broker showed is seen here, is found by key and id, and what was under way goes on."""
        early = time.time() * 1000 < self.due_ms - EARLY_MS
        came = self.later(server)
        now = look(server)
        for name, config in now["groups"].items():
            for setting in config.keys() - self.settled["groups"].get(name, config).keys():
                del config[setting]  # that only the newer broker knows
        for part, before in self.settled.items():
            assert now[part] == before, f"{part}: {first_difference(before, now[part])}"
        assert f"L{NEXT_LEVEL}:{self.stay:08d}:" not in came or not early, "a delayed message came too early"
        self.check_keys(server)
        check_ids(server)
        self.answer_questions(server)
        self.wait_later(server, NEXT_LEVEL)
        delivered = self.later(server)[f"L{NEXT_LEVEL}:{self.stay:08d}:"]
        assert delivered >= self.due_ms - EARLY_MS, f"{self.due_ms - delivered} ms too early"
        assert len(self.later(server)) == 2 * self.stay

    def check_keys(self, server):
        """Each key leads to its message, as do unique ids."""
        for topic, key in self.keys:
            (found,) = query(server, topic, key)
            assert key in found.properties["KEYS"].split(), found.properties
        for topic in KEPT:
            for one in list(witness.read_queue(server.broker, topic, 0))[-1:]:
                # A batch of Java 5.x has one id for all its messages.
                found = query(server, topic, one.unique_id, unique=True)
                assert one.offset_id in {each.offset_id for each in found}, one.properties
                assert {each.unique_id for each in found} == {one.unique_id}

    def answer_questions(self, server):
        """A producer of the dead one's group is asked about the open transaction."""
        flags = {"topic": DEALS, "group": "PG-deals", "count": 1, "outcome": "rollback", "check": "commit", "linger": True}
        with Program("python", "transaction", namesrv=server.namesrv, **flags) as producer:
            (asked, *_) = producer.wait_event("checked", 1, WAIT_S)
            # A broker asks again when the answer comes after its next round, and believes each answer.
            self.dealt[asked["body_prefix"]] = math.inf
            self.wait_deals(server)
            wire.wait_until(lambda: none_is_open(server), WAIT_S, "the end of what was asked about anew meanwhile")
            producer.stop()
            asked = Counter(event["body_prefix"] for event in producer.of("checked"))
            assert asked.keys() == {f"S{self.stay}:00000002:"}
            self.dealt.update(asked)
            self.wait_deals(server)


def make_group(server, name, **fields):
    """Make a subscription group."""
    body = json.dumps({"groupName": name, "consumeEnable": True, "consumeFromMinEnable": True, **fields}).encode()
    answer = wire.ask(server.broker, MAKE_GROUP, {}, body, timeout_s=WAIT_S)
    assert answer.code == wire.SUCCESS, answer.remark


def counts(server):
    """How many plain and batched messages there are in the queues, and how many of those that are sent last."""
    plain, batched = (sum(wire.queue_ends(server.broker, topic, QUEUES)) for topic in (PLAIN, BATCHED))
    return [plain, batched, wire.queue_ends(server.broker, SCHEDULED, NEXT_LEVEL)[-1]]


def none_is_open(server):
    """Did the broker's checks find the end of each half message?"""
    return witness.committed(server.broker, CHECKER, HALF, 1) == wire.queue_ends(server.broker, HALF, 1)


def look(server):
    """What a broker shows: topics, groups, the group's offsets, and every message of the queues that nobody changes."""
    topics = wire.ask(server.broker, ALL_TOPICS, timeout_s=WAIT_S).json()["topicConfigTable"]
    groups = wire.ask(server.broker, ALL_GROUPS, timeout_s=WAIT_S).json()["subscriptionGroupTable"]
    places = [(topic, queue) for topic in KEPT for queue in range(QUEUES)] + [(SCHEDULED, level - 1) for level in (1, 2, 3)]
    return {
        "topics": {
            name: [topics[name][field] for field in FIELDS] + [topics[name].get("attributes") or {}]
            for name in sorted(topics)
            if name.startswith("moved-")
        },
        "groups": {name: groups[name] for name in sorted(groups) if name.startswith(GROUP)},
        "committed": witness.committed(server.broker, GROUP, PLAIN, QUEUES),
        "messages": {
            place: [
                (one.offset, one.log_offset, one.stored_ms, one.properties, hashlib.sha256(one.body).hexdigest())
                for one in witness.read_queue(server.broker, *place)
            ]
            for place in places
        },
    }


def query(server, topic, key, unique=False):
    """Every Stored that a key leads to; Apache may tell one twice after a kill."""
    fields = {"topic": topic, "key": key, "maxNum": 32, "beginTimestamp": 0, "endTimestamp": 2**62}
    if unique:
        fields["_UNIQUE_KEY_QUERY"] = "true"
    answer = wire.ask(server.broker, QUERY_MESSAGE, fields, timeout_s=WAIT_S)
    assert answer.code == wire.SUCCESS, f"{topic} {key}: {answer.code} {answer.remark}"
    found = [witness.decode(None, record) for record in witness.records(answer.body)]
    return {one.offset_id: one for one in found}.values()


def check_ids(server):
    """The first and the last message of each queue are what their ids lead to."""
    for topic in KEPT:
        for queue in range(QUEUES):
            found = list(witness.read_queue(server.broker, topic, queue))
            for one in found[:1] + found[-1:]:
                answer = wire.ask(server.broker, VIEW_MESSAGE, {"offset": one.log_offset, "topic": topic}, timeout_s=WAIT_S)
                assert answer.code == wire.SUCCESS, f"{one.offset_id}: {answer.code} {answer.remark}"
                assert witness.decode(queue, answer.body) == one


def first_difference(before, now):
    """For the message of a failure: the first key whose value changed."""
    if not isinstance(before, dict):
        return f"{before} became {now}"
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return f"{len(keys)} differ, such as {keys[0]}: {str(before.get(keys[0]))[:1500]} became {str(now.get(keys[0]))[:1500]}"

"""Conversations about consuming: pulls and their filters, offsets, heartbeats, locks, what operators ask about groups."""

from .twin_questions import (
    ALL_TIME,
    BROKER,
    CLOSED_TOPIC,
    EARLIEST,
    GROUP_NAMES,
    HEARTBEAT,
    MAX,
    MIN,
    PULL,
    QUERY,
    QUERY_OFFSET,
    READ_ONLY,
    SEARCH,
    SEND_BACK,
    SEND_V2,
    UNREGISTER,
    UPDATE_OFFSET,
    VIEW,
    WRITE_ONLY,
    filled_topic,
    heartbeat,
    locks,
    make_topic,
    pull,
    queue,
    send,
    text,
)
from .twins import ANY, NOTHING, Differs, codes

SET, LOCK, UNLOCK, CHECK_CONFIG, MEMBERS = 25, 41, 42, 46, 38
MAKE_GROUP, ALL_GROUPS, STATS, CONSUMERS, PRODUCERS, DELETE_GROUP, CONSUME_STATS = 200, 201, 202, 203, 204, 207, 208
RESET, STATUS, CONSUMED_BY, SPANS, RUNNING, CORRECTION, DIRECTLY, CLONE = 222, 223, 300, 303, 307, 308, 309, 314
UNITS, ALL_PRODUCERS = 321, 328
MADE_BY_LEAVING = "A group that leaves without having been there"
WORDS = "A heartbeat with words that nobody knows"
UNREADABLE = "A body that is no object, or lacks what is asked of it"
FAR = 1 << 50


def pulls(t):
    """Where a pull may begin, of which topics and queues, and for how many messages."""
    topic = filled_topic(t, "tc-pulls")
    for offset in (0, 4, 5, 6, 1000, -1, -2, FAR):
        t.ask(f"of five, from {offset}", PULL, pull(topic, 0, offset))
        t.ask(f"of none, from {offset}", PULL, pull(topic, 2, offset))
    for count in (2, 0, 100_000):
        t.ask(f"{count} messages", PULL, pull(topic, maxMsgNums=count))
    t.ask("less than no messages", PULL, pull(topic, maxMsgNums=-1), differs=codes("A pull for less than no messages", 1, 0))
    t.ask("with a binary header", PULL, pull(topic), binary=True)
    t.ask("waiting in vain for a moment", PULL, pull(topic, 0, 5, sysFlag=6, suspendTimeoutMillis=1))
    t.tell("one-way", PULL, pull(topic))
    for binary in (False, True):
        for field in ("commitOffset", "suspendTimeoutMillis", "subVersion", "subscription", "expressionType"):
            t.ask(f"without {field}", PULL, pull(topic, **{field: None}), binary=binary)
    for number in (3, 4, -1):
        t.ask(f"queue {number} of four", PULL, pull(topic, number))
    t.ask("of a topic that is not there", PULL, pull("tc-nowhere"))
    for other in (READ_ONLY, WRITE_ONLY, CLOSED_TOPIC):
        t.ask(f"of {other}", PULL, pull(other))
    t.ask("of a group with a bad name", PULL, pull(topic, consumerGroup="a b"), differs=codes(GROUP_NAMES, 0, 1))


def tags(t):
    """Pulls by tags."""
    topic = filled_topic(t, "tc-tags")
    for expression in ("TagA", "TagA||TagB", "TagZ", "a|b", "TagB || ", ""):
        t.ask(f"by {expression!r}", PULL, pull(topic, subscription=expression))
    t.ask("by none of the last two", PULL, pull(topic, 0, 3, subscription="TagZ || TagY"))
    t.ask("by no tag", PULL, pull(topic, subscription=" || "), differs=codes("Tags that name none, such as ``||``", 20, 23))


def subscriptions(t):
    """Pulls that rely on the heartbeat's subscription."""
    group, topic = "CG-tc-subscribed", filled_topic(t, "tc-subscribed")

    def ask(name, of=topic, **more):
        t.ask(name, PULL, pull(of, consumerGroup=group, sysFlag=0, **more))

    ask("before a heartbeat")
    t.ask("a heartbeat", HEARTBEAT, {}, heartbeat("c1", group, topic, "TagA", version=10))
    for version in (9, 10, 11):
        ask(f"version {version} of 10", subVersion=version)
    ask("of another topic", READ_ONLY, subVersion=10)
    t.ask("an older heartbeat", HEARTBEAT, {}, heartbeat("c1", group, topic, "TagB", version=9))
    ask("version 10 again", subVersion=10)
    body = heartbeat("c1", group, topic, "*", version=11, messageModel="BROADCASTING")
    t.ask("a heartbeat of who gets everything", HEARTBEAT, {}, body)
    ask("everything", subVersion=11)
    t.ask("nobody in the group may get everything", MAKE_GROUP, {}, text({"groupName": group, "consumeBroadcastEnable": False}))
    ask("not any more", subVersion=11)
    t.ask("the group may not consume", MAKE_GROUP, {}, text({"groupName": group, "consumeEnable": False}))
    ask("not at all", subVersion=11)
    t.ask("but may send back", SEND_BACK, {"offset": 1 << 40, "group": group, "delayLevel": 1})
    t.ask("the client leaves", UNREGISTER, {"clientID": "c1", "consumerGroup": group, "producerGroup": "PG-twin"})
    t.ask("the group may consume", MAKE_GROUP, {}, text({"groupName": group}))
    ask("after the client left", subVersion=11)


def expressions(t):
    """Pulls by SQL, switched off and on."""
    group, topic = "CG-tc-sql", filled_topic(t, "tc-sql")

    def own(name, expression, differs=None, kind="SQL92"):
        t.ask(name, PULL, pull(topic, subscription=expression, expressionType=kind), differs=differs)

    def beat(version, expression):
        t.ask(f"heartbeat {version}", HEARTBEAT, {}, heartbeat("c1", group, topic, expression, version=version, kind="SQL92"))

    def registered(name, version, differs=None):
        t.ask(name, PULL, pull(topic, consumerGroup=group, sysFlag=0, subVersion=version), differs=differs)

    def check(name, kind, expression):
        subscription = {"topic": topic, "subString": expression, "expressionType": kind, "subVersion": 1}
        body = text({"clientId": "c1", "group": group, "subscriptionData": {**subscription, "tagsSet": [], "codeSet": []}})
        t.ask(name, CHECK_CONFIG, {}, body)

    bad = codes("A pull with an expression of its own that cannot be parsed", 0, 23)
    own("an own one, switched off", "n > 2")
    own("a bad own one, switched off", "n >")
    own("an own one of another kind", "n", kind="FOO")
    beat(1, "n > 1")
    registered("switched off", 1)
    check("a check, switched off", "SQL92", "n > 1")
    beat(2, "n >")
    registered("a bad one, switched off", 2, codes("A bad expression of a heartbeat, where expressions are switched off", 27, 1))
    t.ask("it is switched on", SET, {}, b"enablePropertyFilter=true")
    own("an own one", "n > 2")
    own("a bad own one", "n >", bad)
    registered("a bad one", 2)
    beat(3, "n > 3")
    registered("a good one", 3)
    registered("one that is newer than the heartbeat's", 4)
    check("a check", "SQL92", "n > 1")
    check("a bad check", "SQL92", "n >")
    check("a check of tags", "TAG", "n >")
    check("a check of another kind", "FOO", "n")
    t.ask("a check of nothing", CHECK_CONFIG)
    t.ask("a check without a subscription", CHECK_CONFIG, {}, text({"clientId": "c1", "group": group}))
    t.ask("a check of nonsense", CHECK_CONFIG, {}, b"zz")
    t.ask("it is switched off", SET, {}, b"enablePropertyFilter=false")


def offsets(t):
    """Offsets that are committed, and those of queues."""
    group, topic = "CG-tc-offsets", filled_topic(t, "tc-offsets")

    def query(name, of=topic, number=0, differs=None, **more):
        fields = {"consumerGroup": group, "topic": of, "queueId": number, **more}
        t.ask(name, QUERY_OFFSET, fields, differs=differs)

    def commit(name, offset, of=topic, number=0, **more):
        t.ask(name, UPDATE_OFFSET, {"consumerGroup": group, "topic": of, "queueId": number, "commitOffset": offset, **more})

    query("a young queue")
    newer = codes("4.9.7 does not look at setZeroIfNotFound, which 5.x sends and heeds", 0, 22)
    query("a young queue, by who would know", setZeroIfNotFound="false", differs=newer)
    query("of a topic that is not there", "tc-nowhere")
    t.ask("a pull that commits", PULL, pull(topic, consumerGroup=group, sysFlag=5, commitOffset=3))
    query("that one")
    nothing = codes("A field that is missing, or a number that is none", 1, 0)
    fields = pull(topic, consumerGroup=group, sysFlag=5, commitOffset=None)
    t.ask("a pull that commits nothing", PULL, fields, differs=nothing)
    query("still that one")
    for offset in (5, 2, 100):
        commit(f"{offset} of five", offset)
        query(f"{offset}")
    commit("below zero", -1, number=1)
    query("below zero is none", number=1)
    commit("of a topic that is not there", 3, "tc-nowhere2")
    query("and it is told", "tc-nowhere2")
    commit("of a queue that is not there", 3, number=77)
    query("and that too", number=77)
    t.tell("one-way", UPDATE_OFFSET, {"consumerGroup": group, "topic": topic, "queueId": 2, "commitOffset": 9})
    told = {"consumerGroup": group, "topic": topic, "queueId": 2}
    t.until(lambda: t.asks(QUERY_OFFSET, told).fields["offset"] == "9", "the offset that was told one-way")
    places = ((topic, 0), (topic, 1), (topic, 99), (topic, -1), ("tc-nowhere3", 0))
    for code in (MAX, MIN, EARLIEST):
        for of, number in places:
            t.ask(f"{code} of {of} {number}", code, {"topic": of, "queueId": number})
    for when in (0, 1, FAR, -1):
        for of, number in places:
            t.ask(f"by time {when} of {of} {number}", SEARCH, {"topic": of, "queueId": number, "timestamp": when})


def heartbeats(t):
    """Heartbeats, odd ones too, and what is known by them."""
    group, topic = "CG-tc-beats", make_topic(t, "tc-beats")
    t.ask("nobody is there", MEMBERS, {"consumerGroup": group})
    t.ask("a heartbeat", HEARTBEAT, {}, heartbeat("c1", group, topic, producer="PG-tc-beats"))
    t.ask("its retry topic's route", MAX, {"topic": f"%RETRY%{group}", "queueId": 0})
    t.ask("the members", MEMBERS, {"consumerGroup": group})
    t.ask("the consumers", CONSUMERS, {"consumerGroup": group})
    t.ask("the producers", PRODUCERS, {"producerGroup": "PG-tc-beats"})
    t.until(lambda: t.asks(ALL_PRODUCERS).json()["data"].keys() == {"PG-tc-beats"}, "the end of those from before")
    t.ask("all producers", ALL_PRODUCERS)
    t.ask("the consumers of nobody", CONSUMERS, {"consumerGroup": "CG-nobody"})
    t.ask("the producers of nobody", PRODUCERS, {"producerGroup": "PG-nobody"})
    t.ask("no heartbeat", HEARTBEAT)
    t.ask("nonsense", HEARTBEAT, {}, b"nonsense")
    t.ask("an empty one", HEARTBEAT, {}, b"{}", differs=codes(UNREADABLE, 0, 1))
    t.ask("a client alone", HEARTBEAT, {}, text({"clientID": "c1"}))
    t.ask("a group with a bad name", HEARTBEAT, {}, heartbeat("c1", "a b", topic), differs=codes(GROUP_NAMES, 0, 1))
    t.ask("an unknown kind", HEARTBEAT, {}, heartbeat("c1", f"{group}-odd", topic, consumeType="FOO"))
    odd = Differs(WORDS, {"body.consumeType": (NOTHING, "FOO")})
    t.ask("that one's group", CONSUMERS, {"consumerGroup": f"{group}-odd"}, differs=odd)
    t.ask("it leaves one group", UNREGISTER, {"clientID": "c1", "consumerGroup": group})
    t.ask("nobody is left", CONSUMERS, {"consumerGroup": group})
    t.ask("it still produces", PRODUCERS, {"producerGroup": "PG-tc-beats"})
    t.ask("it leaves the other", UNREGISTER, {"clientID": "c1", "producerGroup": "PG-tc-beats"})
    t.ask("it produces no more", PRODUCERS, {"producerGroup": "PG-tc-beats"})


def queue_locks(t):
    """Locks of queues, also odd ones."""
    group, topic = "CG-tc-locks", "tc-locks"

    def ask(name, code, client, *numbers, differs=None):
        t.ask(name, code, {}, locks(client, group, *(queue(topic, number) for number in numbers)), differs=differs)

    ask("a takes two", LOCK, "a", 0, 1)
    ask("b gets the free one", LOCK, "b", 1, 2)
    ask("b cannot give back a's", UNLOCK, "b", 0)
    ask("it is still a's", LOCK, "b", 0)
    ask("a gives it back", UNLOCK, "a", 0)
    ask("then b gets it", LOCK, "b", 0)
    ask("b keeps what it has", LOCK, "b", 0, 2)
    ask("no queues", LOCK, "b")
    for code in (LOCK, UNLOCK):
        t.ask(f"{code} of nothing", code)
        t.ask(f"{code} of nonsense", code, {}, b"{")
    t.ask("without a group", LOCK, {}, text({"clientId": "a", "mqSet": [queue(topic, 0)]}))
    t.ask("without a client", LOCK, {}, text({"consumerGroup": group, "mqSet": [queue(topic, 3)]}))
    t.ask("without queues", LOCK, {}, text({"clientId": "a", "consumerGroup": group}))


def groups(t):
    """Groups that are made, changed and deleted."""
    name = "CG-tc-made"
    settings = {"consumeEnable": True, "consumeFromMinEnable": False, "retryQueueNums": 3, "retryMaxTimes": 2, "brokerId": 0}
    t.ask("a whole one", MAKE_GROUP, {}, text({"groupName": name, **settings, "notifyConsumerIdsChangedEnable": False}))
    t.ask("its name alone", MAKE_GROUP, {}, text({"groupName": f"{name}2"}))
    t.ask("no body", MAKE_GROUP)
    t.ask("nonsense", MAKE_GROUP, {}, b"nonsense")
    t.ask("without a name", MAKE_GROUP, {}, b"{}")
    t.ask("a bad name", MAKE_GROUP, {}, text({"groupName": "a b"}), differs=codes(GROUP_NAMES, 0, 1))
    t.ask("a list", MAKE_GROUP, {}, b"[]", differs=codes(UNREADABLE, 0, 1))
    t.ask("a word for a number", MAKE_GROUP, {}, text({"groupName": name, "retryMaxTimes": "x"}))
    known = Differs(GROUP_NAMES, {f"body.subscriptionGroupTable.{bad}": (ANY, NOTHING) for bad in ("a b", "")})
    t.ask("all", ALL_GROUPS, differs=known)
    for time in ("once", "twice"):
        t.ask(f"deleted {time}", DELETE_GROUP, {"groupName": name})
    t.ask("with its offsets", DELETE_GROUP, {"groupName": f"{name}2", "removeOffset": "true"})
    t.ask("none of them is left", ALL_GROUPS, differs=known)


def operators(t):
    """What is told about topics and groups."""
    group, topic = "CG-tc-ops", filled_topic(t, "tc-ops")
    t.ask("a heartbeat", HEARTBEAT, {}, heartbeat("c1", group, topic, version=3))
    t.ask("an offset", UPDATE_OFFSET, {"consumerGroup": group, "topic": topic, "queueId": 0, "commitOffset": 2})
    speed = Differs("The speed of a group", {"body.consumeTps": (ANY, ANY)})
    for of in (topic, "tc-nowhere"):
        t.ask(f"stats of {of}", STATS, {"topic": of})
        t.ask(f"progress in {of}", CONSUME_STATS, {"consumerGroup": group, "topic": of}, differs=speed)
        t.ask(f"who consumes {of}", CONSUMED_BY, {"topic": of})
        t.ask(f"time spans of {of}", SPANS, {"topic": of, "group": group})
        t.ask(f"reset in {of}", RESET, {"topic": of, "group": group, "timestamp": 0, "isForce": "true"})
        t.ask(f"status in {of}", STATUS, {"topic": of, "group": "CG-nobody"})
        t.ask(
            f"copied offsets of {of}", CLONE, {"srcGroup": group, "destGroup": f"{group}-copy", "topic": of, "offline": "false"}
        )
    t.ask("all progress", CONSUME_STATS, {"consumerGroup": group}, differs=speed)
    t.ask("progress of nobody", CONSUME_STATS, {"consumerGroup": "CG-nobody"}, differs=speed)
    t.ask("the copy", QUERY_OFFSET, {"consumerGroup": f"{group}-copy", "topic": topic, "queueId": 0})
    t.ask("time spans of nobody", SPANS, {"topic": topic, "group": "CG-nobody"})
    t.ask("reset of nobody", RESET, {"topic": topic, "group": "CG-nobody", "timestamp": 0, "isForce": "true"})
    for compared_with in (group, "CG-nobody"):
        t.ask(f"offsets like {compared_with}'s", CORRECTION, {"filterGroups": "", "compareGroup": compared_with, "topic": topic})
    t.ask("but its own", CORRECTION, {"filterGroups": group, "compareGroup": f"{group}-copy", "topic": topic})
    t.ask("a client that is not there", RUNNING, {"consumerGroup": group, "clientId": "nobody"})
    place = {"consumerGroup": group, "clientId": "nobody", "msgId": "0" * 32, "brokerName": BROKER}
    t.ask("a message for a client that is not there", DIRECTLY, place)


def leaving(t):
    """A group that nobody knows leaves."""
    t.ask("it leaves", UNREGISTER, {"clientID": "c1", "consumerGroup": "CG-tc-leaves", "producerGroup": "PG-tc-leaves"})
    made = {f"body.subscriptionGroupTable.{name}": (ANY, NOTHING) for name in ("CG-tc-leaves", "a b", "")}
    t.ask("is it known now", ALL_GROUPS, differs=Differs(MADE_BY_LEAVING, made))


def messages(t):
    """Stored messages, by key and place."""
    topic = filled_topic(t, "tc-messages")

    def query(name, key="k1", of=topic, differs=None, **more):
        t.ask(name, QUERY, {"topic": of, "key": key, **ALL_TIME, **more}, differs=differs)

    t.until(lambda: t.asks(QUERY, {"topic": topic, "key": "k4", **ALL_TIME}).code == 0, "the index")
    query("by a key")
    query("by a key that is not there", "kx")
    query("by a unique id", f"U-{topic}-2", _UNIQUE_KEY_QUERY="true")
    query("of long ago", endTimestamp=5)
    query("none of them", maxNum=0)
    query("less than none", maxNum=-1, differs=codes("A question for less than no messages", 1, 22))
    query("of a topic that is not there", of="tc-nowhere")
    place = t.notes[topic]
    t.ask("by its place", VIEW, {"offset": place})
    for name, offset in (("below zero", -1), ("behind the log", 1 << 40)):
        t.ask(name, VIEW, {"offset": offset})
    t.ask("inside a message", VIEW, {"offset": place + 1}, differs=codes("A message by an offset at which none begins", ANY, 1))
    for index in (1, 9, -3):
        t.ask(f"units from {index}", UNITS, {"topic": topic, "queueId": 0, "index": index, "count": 2})
    t.ask("units for a stranger", UNITS, {"topic": topic, "queueId": 0, "index": 0, "count": 2, "consumerGroup": "CG-nobody"})
    t.ask("units for nobody", UNITS, {"topic": topic, "queueId": 0, "index": 0, "count": 2, "consumerGroup": ""})
    for of, number in ((topic, 9), (topic, -1), ("tc-nothing", 0)):
        t.ask(f"units of {of} {number}", UNITS, {"topic": of, "queueId": number, "index": 0, "count": 2})
    t.ask("where queue 9 would begin", MIN, {"topic": topic, "queueId": 9})
    made = codes("A queue that a question for offsets makes", 0, 1)
    t.ask("units of it now", UNITS, {"topic": topic, "queueId": 9, "index": 0, "count": 2}, differs=made)


def without_automatic(t):
    """Topics and groups are not made by their use."""
    topic, group = filled_topic(t, "tc-strict"), "CG-tc-strict"
    strict = b"autoCreateTopicEnable=false\nautoCreateSubscriptionGroup=false"
    t.ask("a strict broker", SET, {}, strict)
    t.ask("a send to a new topic", SEND_V2, send("tc-strict-new"), b"x")
    t.ask("a send to a new retry topic", SEND_V2, send(f"%RETRY%{group}"), b"x")
    t.ask("a pull of a new group", PULL, pull(topic, consumerGroup=group))
    t.ask("its heartbeat", HEARTBEAT, {}, heartbeat("c1", group, topic))
    t.ask("its message back", SEND_BACK, {"offset": t.notes[topic], "group": group, "delayLevel": 1})
    t.ask("its offset", QUERY_OFFSET, {"consumerGroup": group, "topic": topic, "queueId": 0})
    t.ask("its commit", UPDATE_OFFSET, {"consumerGroup": group, "topic": topic, "queueId": 0, "commitOffset": 1})
    t.ask("it leaves", UNREGISTER, {"clientID": "c1", "consumerGroup": group})
    t.ask("as before", SET, {}, strict.replace(b"false", b"true"))
    again = codes("Topics made by their use, switched off and on again", 17, 0)
    t.ask("a send to a new topic again", SEND_V2, send("tc-strict-new"), b"x", differs=again)


def permissions(t):
    """A broker that may not be read or written."""
    topic = filled_topic(t, "tc-permission")
    for permission in (2, 4, 6):
        t.ask(f"permission {permission}", SET, {}, b"brokerPermission=%d" % permission)
        t.ask(f"a send with {permission}", SEND_V2, send(topic), b"x")
        t.ask(f"a pull with {permission}", PULL, pull(topic))
        t.ask(f"back with {permission}", SEND_BACK, {"offset": 1 << 40, "group": "CG-tc-permission", "delayLevel": 1})


TALKS = [
    pulls,
    tags,
    subscriptions,
    expressions,
    offsets,
    heartbeats,
    queue_locks,
    groups,
    operators,
    messages,
    leaving,
    permissions,
    without_automatic,
]

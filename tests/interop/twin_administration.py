"""Conversations about topics, settings and the name server."""

import zlib

from .twin_questions import (
    ALL_TIME,
    BROKER,
    CLUSTER,
    FAKE_BROKER,
    FAKE_TOPICS,
    KV,
    MAX,
    NEW_TOPIC,
    PULL,
    QUERY,
    QUERY_OFFSET,
    SEND_V2,
    filled_topic,
    pull,
    send,
    text,
    topics_body,
)
from .twins import ANY, NOTHING, SILENT, VERSION, Differs, codes

CREATE, ALL_TOPICS, SET, SETTINGS, RUNTIME_INFO, SYSTEM_TOPICS, DELETE = 17, 21, 25, 26, 28, 305, 215
CLEAN_QUEUES, CLEAN_TOPICS, DELETE_LOGS, VIEW_STATS = 306, 316, 329, 315
PUT_KV, GET_KV, DELETE_KV, REGISTER, UNREGISTER, ROUTE, CLUSTER_INFO = 100, 101, 102, 103, 104, 105, 106
WIPE, TOPICS, DELETE_AT_NAMESRV, LIST_KV, OF_CLUSTER, SYSTEM = 205, 206, 216, 219, 224, 304
UNIT, UNIT_SUB, UNIT_SUB_ONLY, SET_NAMESRV, NAMESRV_SETTINGS, DATA_VERSION, ADD = 311, 312, 313, 318, 319, 322, 327
IMPOSSIBLE = "A topic with a permission or a number of queues that cannot be"
NO_SETTING = "A setting that cannot be changed, or has no such value"
NEVER = f"{VERSION} has no configBlackList; 4.9.8 refuses what stands there"


def topics(t):
    """Topics that are made, changed and deleted."""
    name = "ta-made"
    t.ask("a plain one", CREATE, {**NEW_TOPIC, "topic": name})
    for changes in (
        {"perm": 7},
        {"perm": 0},
        {"readQueueNums": 0},
        {"topicFilterType": "MULTI_TAG"},
        {"topicFilterType": "FOO"},
        {"order": "true"},
        {"topicSysFlag": 3},
        {"topicSysFlag": "", "topic": "ta-made-flag"},
        {"topic": "a b"},
        {"topic": "x" * 128},
        {"topic": ""},
        {"topic": "TBW102"},
        {"topic": "SCHEDULE_TOPIC_XXXX"},
        {"topic": CLUSTER},
        {"topic": BROKER},
        {"topic": "RMQ_SYS_ta"},
        {"topic": "%RETRY%CG-ta"},
    ):
        differs = codes("A field that is missing, or a number that is none", 0, 1) if changes.get("topicSysFlag") == "" else None
        t.ask(f"{changes}", CREATE, {**NEW_TOPIC, "topic": name, **changes}, differs=differs)
    for changes in ({"perm": 99}, {"perm": -1}, {"readQueueNums": -1}, {"writeQueueNums": 100_000}):
        fields = {**NEW_TOPIC, "topic": f"{name}-bad", **changes}
        t.ask(f"{changes}", CREATE, fields, differs=codes(IMPOSSIBLE, 0, 1))
    others = (f"{name}-", "tc-strict", "RMQ_SYS_TRANS_", "%RETRY%", "TBW102")
    tables = {f"body.topicConfigTable.{one}*": (ANY, ANY) for one in others}
    t.ask("all topics", ALL_TOPICS, differs=Differs(IMPOSSIBLE, tables))
    t.ask("the system's", SYSTEM_TOPICS)
    for which in (name, name, "ta-nowhere", "TBW102", "a b", ""):
        t.ask(f"delete {which!r}", DELETE, {"topic": which})
    for code in (CLEAN_QUEUES, CLEAN_TOPICS, DELETE_LOGS):
        t.ask(f"tidy up by {code}", code)
    t.ask("counters", VIEW_STATS, {"statsName": "TOPIC_PUT_NUMS", "statsKey": "ta-nowhere"})
    t.ask("counters of no name", VIEW_STATS, {"statsName": "FOO", "statsKey": "ta-nowhere"})


def deleted_topic(t):
    """What is left of a topic that was deleted."""
    topic = filled_topic(t, "ta-deleted")
    t.ask("an offset", 15, {"consumerGroup": "CG-ta", "topic": topic, "queueId": 0, "commitOffset": 2})
    t.until(lambda: t.asks(QUERY, {"topic": topic, "key": "k4", **ALL_TIME}).code == 0, "the index")
    t.ask("it is deleted", DELETE, {"topic": topic})
    t.ask("a send", SEND_V2, send(topic, defaultTopic="none"), b"x")
    t.ask("a pull", PULL, pull(topic))
    t.ask("its end", MAX, {"topic": topic, "queueId": 0})
    t.ask("its group's offset", QUERY_OFFSET, {"consumerGroup": "CG-ta", "topic": topic, "queueId": 0}, differs=OFFSETS)
    t.ask("a message by its place", 33, {"offset": t.notes[topic]})
    t.ask("a message by its key", QUERY, {"topic": topic, "key": "k1", **ALL_TIME})
    t.ask("made anew", CREATE, {**NEW_TOPIC, "topic": topic})
    t.ask("its new end", MAX, {"topic": topic, "queueId": 0})


OFFSETS = Differs("The offsets of groups in a topic that is deleted", {"fields.offset": (ANY, "0")})


def settings(t):
    """A broker's settings while it runs."""
    for words in (b"", b"nonsense=1", b"words without a sign", b"fileReservedTime=70\nnonsense=2"):
        t.ask(f"{words!r}", SET, {}, words)
    for words in (b"fileReservedTime=x", b"fileReservedTime=", b"\xff\xfe", b"rocketmqHome=/x", b"listenPort=1"):
        t.ask(f"{words!r}", SET, {}, words, differs=codes(NO_SETTING, 0, 1))
    for words in (b"brokerConfigPath=/x", b"configBlackList=a"):
        t.ask(f"{words!r}", SET, {}, words, differs=codes(NEVER, 0, 16))
    t.ask("all", SETTINGS, differs=Differs("Settings", {**ONE_HAS, **PLACES}))
    t.ask("what goes on", RUNTIME_INFO, differs=Differs("Settings", ONE_HAS))


#: Settings and numbers that only Apache has, or only we have.
ONE_HAS = {"body*": (ANY, NOTHING), "body.*": (NOTHING, ANY)}
#: Settings that hold an address or a path, or what a broker makes of the machine and of other settings.
PLACES = {
    f"body.{name}": (ANY, ANY)
    for name in (
        "bitMapLengthConsumeQueueExt",
        "configStorePath",
        "haListenPort",
        "kvConfigPath",
        "listenPort",
        "namesrvAddr",
        "rocketmqHome",
        "sendMessageThreadPoolNums",
        "storePathCommitLog",
        "storePathRootDir",
    )
}


def unknown_requests(t):
    """Requests that a broker does not know."""
    for code in (29_999, 301, 500, 0, -5):
        t.ask(f"code {code}", code)
        t.ask(f"code {code} with a binary header", code, {"a": "b"}, b"x", binary=True)
    t.tell("one-way", 29_999)
    lists = codes("What slaves ask their master", 0, 3)
    t.ask("all offsets", 43, differs=lists)
    t.ask("all delay offsets", 45, differs=lists)
    access = "What is asked about access control"
    for code, theirs in ((50, 209), (51, 210), (53, 211)):
        t.ask(f"access control {code}", code, differs=codes(access, theirs, 3))


def namesrv(ask):
    """`ask` at the name server."""
    return lambda *words, **more: ask(*words, at="namesrv", **more)


def values(t):
    """Keys and values at a name server."""
    ask = namesrv(t.ask)
    ask("a value", PUT_KV, KV)
    ask("it is there", GET_KV, {"namespace": "twin", "key": "a"})
    ask("another key", GET_KV, {"namespace": "twin", "key": "b"})
    ask("another namespace", GET_KV, {"namespace": "none", "key": "a"})
    ask("the namespace", LIST_KV, {"namespace": "twin"})
    ask("a namespace that is not there", LIST_KV, {"namespace": "none"})
    for value in ("", 'ü漢=;\n"'):
        ask(f"the value {value!r}", PUT_KV, {**KV, "value": value})
        ask(f"{value!r} is there", GET_KV, {"namespace": "twin", "key": "a"})
    for time in ("once", "twice"):
        ask(f"deleted {time}", DELETE_KV, {"namespace": "twin", "key": "a"})
    ask("of a namespace that is not there", DELETE_KV, {"namespace": "none", "key": "a"})
    ask("an empty namespace", LIST_KV, {"namespace": "twin"})


def brokers(t):
    """A broker and its slave register, change and go."""
    ask = namesrv(t.ask)
    slave = {**FAKE_BROKER, "brokerId": 1, "brokerAddr": "127.0.0.9:3", "haServerAddr": "127.0.0.9:4"}
    ask("an order", PUT_KV, {"namespace": "ORDER_TOPIC_CONFIG", "key": "fake-topic", "value": "broker-fake:3"})
    ask("a master", REGISTER, FAKE_BROKER, FAKE_TOPICS)
    heard = ask("its slave", REGISTER, slave, FAKE_TOPICS)
    assert heard.fields == {"masterAddr": "127.0.0.9:1", "haServerAddr": "127.0.0.9:2"}, heard.fields
    ask("the cluster", CLUSTER_INFO)
    ask("the route", ROUTE, {"topic": "fake-topic"})
    ask("the route for an old client", ROUTE, {"topic": "fake-topic"}, version=300)
    ask("standard JSON for an old client", ROUTE, {"topic": "fake-topic", "acceptStandardJsonOnly": "true"}, version=300)
    ask("the topics of the cluster", OF_CLUSTER, {"cluster": "FakeCluster"})
    ask("the topics of no cluster", OF_CLUSTER, {"cluster": "none"})
    ask("the system's topics", SYSTEM)
    same = {"counter": 1, "timestamp": 1700000000000}
    ask("its version", DATA_VERSION, FAKE_BROKER, text(same))
    ask("another version", DATA_VERSION, FAKE_BROKER, text({**same, "counter": 2}))
    ask("a version of nobody", DATA_VERSION, {**FAKE_BROKER, "brokerAddr": "127.0.0.8:8"}, text(same))
    ask("nonsense for a version", DATA_VERSION, FAKE_BROKER, b"nonsense")
    for code in (WIPE, WIPE, ADD, ADD):
        ask(f"write permission, {code}", code, {"brokerName": "broker-fake"})
        ask(f"the route after {code}", ROUTE, {"topic": "fake-topic"})
        ask(f"of nobody, {code}", code, {"brokerName": "none"})
    ask("a wrong checksum", REGISTER, {**FAKE_BROKER, "bodyCrc32": 12345}, FAKE_TOPICS)
    ask("a right checksum", REGISTER, {**FAKE_BROKER, "bodyCrc32": zlib.crc32(FAKE_TOPICS) & 0x7FFFFFFF}, FAKE_TOPICS)
    ask("not compressed at all", REGISTER, {**FAKE_BROKER, "compressed": "true"}, FAKE_TOPICS)
    ask("nonsense", REGISTER, FAKE_BROKER, b"nonsense")
    ask("a broker of an old version", REGISTER, FAKE_BROKER, FAKE_TOPICS, version=100)
    ask("topics of units", REGISTER, FAKE_BROKER, topics_body(5, {"ta-u": 1, "ta-s": 2, "ta-us": 3, "ta-p": 0}))
    for code in (UNIT, UNIT_SUB, UNIT_SUB_ONLY):
        ask(f"lists of units, {code}", code)
    ask("a topic goes", DELETE_AT_NAMESRV, {"topic": "ta-p"})
    ask("its route", ROUTE, {"topic": "ta-p"})
    ask("a topic that is not there", DELETE_AT_NAMESRV, {"topic": "ta-nowhere"})
    ask("a topic of another cluster", DELETE_AT_NAMESRV, {"topic": "ta-u", "clusterName": "none"})
    ask("it is still there", ROUTE, {"topic": "ta-u"})
    ask("a topic of the cluster", DELETE_AT_NAMESRV, {"topic": "ta-u", "clusterName": "FakeCluster"})
    ask("it is gone", ROUTE, {"topic": "ta-u"})
    ask("the slave goes", UNREGISTER, slave)
    ask("the cluster without it", CLUSTER_INFO)
    for time in ("once", "twice"):
        ask(f"the master goes {time}", UNREGISTER, FAKE_BROKER)
    ask("nothing is left of them", CLUSTER_INFO)
    ask("nor of their topics", ROUTE, {"topic": "ta-s"})
    ask("an empty topic", ROUTE, {"topic": ""})
    ask("a broker that is not there goes", UNREGISTER, {**FAKE_BROKER, "brokerName": "none"})
    ask("the order goes", DELETE_KV, {"namespace": "ORDER_TOPIC_CONFIG", "key": "fake-topic"})


def settings_of_name_servers(t):
    """A name server's settings, and requests that it does not know."""
    ask = namesrv(t.ask)
    for words in (b"", b"nonsense=1", b"orderMessageEnable=false", b"kvConfigPath=/x", b"configStorePath=/x", b"words"):
        ask(f"{words!r}", SET_NAMESRV, {}, words)
    ask("no number", SET_NAMESRV, {}, b"listenPort=x", differs=codes(NO_SETTING, 0, 1))
    ask("a list that is never changed", SET_NAMESRV, {}, b"configBlackList=a", differs=codes(NEVER, 0, 16))
    ask("all", NAMESRV_SETTINGS, differs=Differs("Settings", {**ONE_HAS, **PLACES}))
    silent = codes("A name server's answer to what it does not know", SILENT, 3)
    ask("an unknown request", 29_999, answered=False, differs=silent)


TALKS = [topics, deleted_topic, settings, unknown_requests, values, brokers, settings_of_name_servers]

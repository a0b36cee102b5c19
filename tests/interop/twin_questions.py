"""What conversations with a broker and a name server are made of: codes, names, and the fields and bodies of good requests."""

import json
import struct

READ_ONLY, WRITE_ONLY, CLOSED_TOPIC = "twin-read-only", "twin-write-only", "twin-closed"
GROUP = "CG-twin"
BROKER, CLUSTER = "broker-twin", "DefaultCluster"
SEND, PULL, QUERY, QUERY_OFFSET, UPDATE_OFFSET, CREATE_TOPIC = 10, 11, 12, 14, 15, 17
SEARCH, MAX, MIN, EARLIEST, VIEW, HEARTBEAT, UNREGISTER, SEND_BACK, END_TRANSACTION = 29, 30, 31, 32, 33, 34, 35, 36, 37
SEND_V2, SEND_BATCH = 310, 320
#: Rows of docs/differences.rst that more than one conversation names.
GROUP_NAMES = "Names of groups that no client allows"


def text(value):
    """JSON bytes."""
    return json.dumps(value, separators=(",", ":")).encode()


def send(topic, queue=0, properties="", code=SEND_V2, **more):
    """The fields of a send."""
    long = {
        "producerGroup": "PG-twin",
        "topic": topic,
        "defaultTopic": "TBW102",
        "defaultTopicQueueNums": 4,
        "queueId": queue,
        "sysFlag": 0,
        "bornTimestamp": 1700000000000,
        "flag": 0,
        "properties": properties,
        "reconsumeTimes": 0,
        "unitMode": "false",
        "maxReconsumeTimes": None,
        "batch": "false",
    }
    long.update(more)
    if code in (SEND_V2, SEND_BATCH):
        long = dict(zip("abcdefghijklm", long.values()))
    return {key: value for key, value in long.items() if value is not None}


def pull(topic, queue=0, offset=0, **more):
    """The fields of a pull that brings its subscription, and does not wait."""
    fields = {
        "consumerGroup": GROUP,
        "topic": topic,
        "queueId": queue,
        "queueOffset": offset,
        "maxMsgNums": 32,
        "sysFlag": 4,
        "commitOffset": 0,
        "suspendTimeoutMillis": 0,
        "subscription": "*",
        "subVersion": 0,
        "expressionType": "TAG",
    }
    fields.update(more)
    return {key: value for key, value in fields.items() if value is not None}


def hash_of(tag):
    """Java's hash of a tag."""
    value = 0
    for letter in tag.encode("utf-16-be")[1::2]:
        value = (31 * value + letter) & 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def batch_item(body, properties="", flag=0):
    """A message of a batch."""
    text_bytes = properties.encode()
    size = 22 + len(body) + len(text_bytes)
    return struct.pack(">iiiii", size, 0, 0, flag, len(body)) + body + struct.pack(">h", len(text_bytes)) + text_bytes


def heartbeat(client, group, topic, expression="*", producer="PG-twin", version=1, kind="TAG", **more):
    """The body of a heartbeat of one consumer and one producer."""
    tags = [] if kind != "TAG" or expression == "*" else expression.split("||")
    subscription = {
        "classFilterMode": False,
        "topic": topic,
        "subString": expression,
        "tagsSet": tags,
        "codeSet": [str(hash_of(tag)) for tag in tags],
        "subVersion": version,
        "expressionType": kind,
    }
    consumer = {
        "groupName": group,
        "consumeType": "CONSUME_PASSIVELY",
        "messageModel": "CLUSTERING",
        "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET",
        "subscriptionDataSet": [subscription],
        "unitMode": False,
        **more,
    }
    return text({"clientID": client, "consumerDataSet": [consumer], "producerDataSet": [{"groupName": producer}]})


def queue(topic, number, broker=BROKER):
    """A message queue as JSON has it."""
    return {"topic": topic, "brokerName": broker, "queueId": number}


def locks(client, group, *queues):
    """The body of a lock or an unlock."""
    return text({"clientId": client, "consumerGroup": group, "mqSet": list(queues)})


NEW_TOPIC = {
    "topic": "twin-new",
    "defaultTopic": "TBW102",
    "readQueueNums": 4,
    "writeQueueNums": 4,
    "perm": 6,
    "topicFilterType": "SINGLE_TAG",
    "topicSysFlag": 0,
    "order": "false",
}
ALL_TIME = {"maxNum": 32, "beginTimestamp": 0, "endTimestamp": 1 << 60}
FAKE_BROKER = {
    "brokerName": "broker-fake",
    "brokerAddr": "127.0.0.9:1",
    "clusterName": "FakeCluster",
    "haServerAddr": "127.0.0.9:2",
    "brokerId": 0,
}


def topics_body(version, flags):
    """The body of a registration: topics with three queues, by name with their flags."""
    table = {
        name: {
            "order": False,
            "perm": 6,
            "readQueueNums": 3,
            "topicFilterType": "SINGLE_TAG",
            "topicName": name,
            "topicSysFlag": flag,
            "writeQueueNums": 3,
        }
        for name, flag in flags.items()
    }
    wrapper = {"dataVersion": {"counter": version, "timestamp": 1700000000000}, "topicConfigTable": table}
    return text({"filterServerList": [], "topicConfigSerializeWrapper": wrapper})


FAKE_TOPICS = topics_body(1, {"fake-topic": 0})
KV = {"namespace": "twin", "key": "a", "value": "1"}


def make_topic(t, name, **more):
    """Make a topic on a twin, and wait for its route; its name."""
    fields = {**NEW_TOPIC, "topic": name, **more}
    t.ask(f"topic {name}", CREATE_TOPIC, fields)
    t.until(lambda: t.asks(105, {"topic": name}, at="namesrv").code == 0, f"the route of {name}")
    return name


def filled_topic(t, name):
    """Make a topic with five messages in its first queue, with tags, keys and numbers; `t.notes` has the first one's place."""
    make_topic(t, name)
    for number in range(5):
        properties = f"KEYS\x01k{number}\x02TAGS\x01Tag{'AB'[number % 2]}\x02UNIQ_KEY\x01U-{name}-{number}\x02n\x01{number}"
        sent = t.ask(f"message {number}", SEND_V2, send(name, 0, properties), b"m%d" % number)
        t.notes.setdefault(name, int(sent.fields["msgId"][16:], 16))
    t.until(lambda: t.asks(MAX, {"topic": name, "queueId": 0}).fields["offset"] == "5", f"the messages of {name}")
    return name

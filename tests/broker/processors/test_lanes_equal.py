"""The hot lanes say and store what the general path says and stores, byte for byte.

Two brokers with the same clock's time get the same frames: one by its lanes, falling back to the general path as the protocol
does, the other by the general path alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.processors import pulllane
from pymq.errors import HeaderError, StoreReadOnly
from pymq.testing.channels import FakeChannel
from pymq.wire import header_compact, header_json
from pymq.wire.bodies.topics import SubscriptionGroupConfig
from pymq.wire.command import RemotingCommand, SerializeType
from pymq.wire.fields import CommandHeader
from pymq.wire.frame import decode_command, encode_frame
from tests.broker.fixtures import draft, member, subscribe
from tests.broker.processors.parts import Parts, answer_of, pull_header, send_header

Frame = tuple[int, bytes, bytes]
JSON, COMPACT = SerializeType.JSON, SerializeType.ROCKETMQ
CLOSED = b"the connection is closed"


def frame(code: int, header: CommandHeader, body: bytes = b"", kind: SerializeType = JSON, **changes: Any) -> Frame:
    """A request as (header type, header, body)."""
    command = RemotingCommand(code, **{"opaque": 77, "ext_fields": header.to_fields(), "serialize_type": kind, **changes})
    encode = header_json.encode if kind == JSON else header_compact.encode
    return int(kind), encode(command), body


def send(body: bytes = b"hello", kind: SerializeType = JSON, flag: int = 0, **fields: Any) -> Frame:
    """A frame of code 310."""
    return frame(310, send_header(**fields), body, kind, flag=flag)


def pull(kind: SerializeType = JSON, flag: int = 0, **fields: Any) -> Frame:
    """A frame of code 11."""
    return frame(11, pull_header(**fields), b"", kind, flag=flag)


def json_frame(text: str, body: bytes = b"hello") -> Frame:
    """A frame whose JSON header was written by hand."""
    return int(JSON), text.encode("utf-8"), body


class Side:
    """One of the two brokers. `answers` are the frames that it wrote, in order."""

    def __init__(self, prepare: Callable[[Parts], None], **changes: Any) -> None:
        self.parts = Parts(**changes)
        prepare(self.parts)
        self.channel = FakeChannel()
        self.sends, self.pulls = self.parts.send_processor(), self.parts.pull_processor()
        self.general_count = 0
        self.answers: list[bytes] = []

    def general(self, header_type: int, header: bytes, body: bytes) -> None:
        """The general path: what protocol and dispatcher do around a processor."""
        self.general_count += 1
        try:
            request = decode_command(header_type, header, body)
        except HeaderError:
            self.answers.append(CLOSED)
            return
        if request.is_response:
            return
        answer = answer_of(self.sends if request.code in self.sends.codes else self.pulls, self.channel, request)
        if isinstance(answer, Deferred):
            answer.addCallback(lambda late: self.wrote(request, late))
        else:
            self.wrote(request, answer)

    def wrote(self, request: RemotingCommand, answer: RemotingCommand) -> None:
        """Note an answer; a oneway request gets none."""
        if not request.is_oneway:
            self.answers.append(encode_frame(answer))

    def state(self) -> dict[str, Any]:
        """Everything that requests may have changed."""
        parts = self.parts
        store = parts.stats.store
        return {
            "queues": {
                (topic, queue): [bytes(record) for record in parts.store.get(topic, queue, 0, 32, None).records]
                for topic in parts.topics.table
                if not topic.startswith(("Bench", "SCHEDULE"))
                for queue in range(6)
            },
            "offsets": {key: dict(queues) for key, queues in parts.offsets.table.items()},
            "groups": set(parts.groups.table),
            "counts": (store.put_times, store.put_bytes, store.found_times, store.transferred, store.put_failed_times),
            "items": {
                name: {key: (item.value, item.times) for key, item in items.items.items()}
                for name, items in parts.stats._sets.items()
            },
            "held": parts.holds.count,
            "waiting": [offset for offset, _ in parts.flusher.waiting],
        }


class LaneSide(Side):
    """The broker with lanes."""

    def __init__(self, prepare: Callable[[Parts], None], **changes: Any) -> None:
        super().__init__(prepare, **changes)
        self.send_lane, self.pull_lane = self.parts.send_lane(), self.parts.pull_lane()

    def feed(self, frames: list[Frame]) -> None:
        """What the protocol does with the frames of one read, and the end of the turn."""
        for header_type, header, body in frames:
            lane = None
            if header.startswith((b'{"code":310,', b"\x01\x36")):
                lane = self.send_lane.take
            elif header.startswith((b'{"code":11,', b"\x00\x0b")):
                lane = self.pull_lane.take
            if lane is None or not lane(self.channel, header_type, header, body):
                self.send_lane.finish_turn()
                self.collect()
                self.general(header_type, header, body)
            self.collect()
        self.parts.clock.advance(0)
        self.collect()

    def collect(self) -> None:
        """Move what the lanes wrote into `answers`, one frame each."""
        data = b"".join(self.channel.written) + b"".join(map(encode_frame, self.channel.sent))
        self.channel.written.clear()
        self.channel.sent.clear()
        while data:
            size = 4 + int.from_bytes(data[:4], "big")
            self.answers.append(data[:size])
            data = data[size:]


class Pair:
    """Both brokers."""

    def __init__(self, prepare: Callable[[Parts], None] = lambda parts: None, sync: bool = False, **changes: Any) -> None:
        self.lanes, self.plain = LaneSide(prepare, **changes), Side(prepare, **changes)
        for side in (self.lanes, self.plain):
            side.parts.flusher.sync = sync

    def feed(self, frames: list[Frame]) -> None:
        """Give both the same frames, one after the other."""
        for each in frames:
            self.lanes.feed([each])
            self.plain.general(*each)

    def flushed(self, outcome: Any) -> None:
        """End the flushes of both."""
        for side in (self.lanes, self.plain):
            side.parts.flusher.finish(outcome)
        self.lanes.collect()


def batch_of_unusual_sends() -> list[Frame]:
    """What the lane must leave to the general path, and what it could be tempted to treat differently."""
    usual = send_header().to_fields()
    text = lambda fields: msgspec.json.encode(fields).decode("utf-8")  # noqa: E731
    head = '{"code":310,"extFields":%s,"flag":0,"language":%s,"opaque":5,"version":409%s}'
    return [
        send(batch=True),
        send(sys_flag=4),
        send(sys_flag=0xC),
        *(send(sys_flag=kind, body=b"\x04\x22\x4d\x18") for kind in (0x101, 0x201, 0x301)),
        send(properties="TRAN_MSG\x01true"),
        send(properties="TRAN_MSG\x01false"),
        send(properties="DELAY\x012"),
        send(properties="DELAY\x010"),
        send(properties="DELAY\x01x"),
        send(properties="a\x01" + "x" * 32760),
        send(topic="N"),
        send(topic="a.b"),
        send(topic=" "),
        send(topic="x" * 128),
        send(topic="SCHEDULE_TOPIC_XXXX"),
        send(topic="TBW102"),
        send(topic="%RETRY%G"),
        send(topic="%RETRY%G", reconsume_times=99),
        send(topic="ORDERED"),
        send(queue_id=-1),
        send(queue_id=4),
        send(queue_id=5, topic="WIDE"),
        send(b"x" * 300),
        send(flag=1),
        send(flag=2),
        send(flag=2, queue_id=9),
        send(flag=3),
        send(unit_mode=True),
        send(reconsume_times=None, properties=None),
        send(reconsume_times=3, max_reconsume_times=1),
        frame(310, send_header(), b"x", opaque=-1, remark="why"),
        frame(310, send_header(), b"x", opaque=2**31 - 1, language=None),
        json_frame(head % (text({**usual, "d": 4, "k": False, "m": False}), '"JAVA"', "")),
        json_frame(head % (text({**usual, "nsd": "true", "ns": "shop"}), '"JAVA"', "")),
        json_frame(head % (text({**usual, "m": "1"}), '"CPP"', "")),
        json_frame(head % (text({**usual, "m": "TRUE"}), '"CPP"', "")),
        json_frame(head % (text({**usual, "m": "no", "k": "0"}), '"CPP"', "")),
        json_frame(head % (text({**usual, "b": 5}), '"CPP"', "")),
        json_frame(head % (text({**usual, "e": "1.0"}), '"CPP"', "")),
        json_frame(head % (text({**usual, "e": 1.0}), '"CPP"', "")),
        json_frame(head % (text({**usual, "e": " 1"}), '"CPP"', "")),
        json_frame(head % (text({**usual, "e": "+1"}), '"CPP"', "")),
        json_frame(head % (text({**usual, "g": str(2**63)}), '"CPP"', "")),
        json_frame(head % (text({**usual, "h": str(2**31)}), '"CPP"', "")),
        json_frame(head % (text({**usual, "i": None}), '"XYZ"', "")),
        json_frame(head % (text({**usual, "i": 7}), '"XYZ"', "")),
        json_frame(head % (text({name: value for name, value in usual.items() if name != "c"}), '"JAVA"', "")),
        json_frame(head % (text(usual), "3", "")),
        json_frame(head % (text(usual), "99", "")),
        json_frame(head % (text(usual), "null", "")),
        json_frame(head % (text(usual), '"JAVA"', ',"remark":5')),
        json_frame(head % (text(usual), '"JAVA"', ',"opaque":6,"AccessKey":[1,{"a":2}]') + "\n"),
        json_frame(head % (text(usual), '"JAVA"', ',"code":10')),
        json_frame(head % (text(usual), '"JAVA"', ',"flag":"2"')),
        json_frame(head % ("null", '"JAVA"', "")),
        json_frame(head % ("{}", '"JAVA"', "")),
        json_frame('{"code":310,'),
        json_frame("{\"code\":310,'opaque':1}"),
    ]


class SendLaneEqualTests(SynchronousTestCase):
    """Code 310."""

    @staticmethod
    def prepare(parts: Parts) -> None:
        """Topics of every kind."""
        parts.make_topic("ORDERED", order=True)
        parts.make_topic("WIDE", read_queue_nums=6, write_queue_nums=2)
        parts.make_topic("SCHEDULE_TOPIC_XXXX")

    def assert_equal(self, pair: Pair) -> None:
        """Answers and everything that is left behind."""
        self.assertEqual(pair.lanes.answers, pair.plain.answers)
        lane_state, plain_state = pair.lanes.state(), pair.plain.state()
        for name in plain_state:
            self.assertEqual(lane_state[name], plain_state[name], name)

    def test_usual_messages(self) -> None:
        """In both kinds of headers; none of them needs the general path."""
        pair = Pair()
        frames = [send(f"m{number}".encode(), kind, queue_id=number % 4) for number in range(12) for kind in (JSON, COMPACT)]
        pair.feed(frames)
        self.assert_equal(pair)
        self.assertEqual((pair.lanes.general_count, len(pair.lanes.answers)), (0, 24))

    def test_unusual_messages(self) -> None:
        """Each by itself, so that a difference names its frame."""
        for number, each in enumerate(batch_of_unusual_sends()):
            for changes in ({}, {"broker_permission": 4}, {"trace_on": False, "reject_transaction_message": True}):
                with self.subTest(number=number, header=each[1][:200], changes=changes):
                    pair = Pair(self.prepare, store_changes={"max_message_size": 256}, **changes)
                    pair.feed([send(), each, send()])
                    self.assert_equal(pair)

    def test_many_in_one_turn(self) -> None:
        """The log holds the same bytes in the same order, each sender gets the same answers."""
        pair = Pair(self.prepare, store_changes={"max_message_size": 256})
        frames = [send(b"%d" % number, queue_id=number % 4) for number in range(20)]
        frames[5:5] = batch_of_unusual_sends()
        pair.lanes.feed(frames)
        for each in frames:
            pair.plain.general(*each)
        self.assert_equal(pair)

    def test_sync_flush(self) -> None:
        """Answers wait, and come with the flush's outcome; WAIT=false does not wait, and nobody for oneway."""
        for outcome in (True, False, None):
            pair = Pair(sync=True)
            pair.feed([send(), send(kind=COMPACT), send(properties="WAIT\x01false"), send(flag=2)])
            self.assertEqual(len(pair.lanes.answers), 1)
            pair.flushed(StoreReadOnly("disk") if outcome is None else outcome)
            self.assertEqual(pair.lanes.answers, pair.plain.answers)
            self.assertEqual(pair.lanes.state()["queues"], pair.plain.state()["queues"])

    def test_closed_store(self) -> None:
        """Both refuse alike."""
        pair = Pair()
        for side in (pair.lanes, pair.plain):
            side.parts.store.close()
        pair.feed([send(), send(kind=COMPACT)])
        self.assertEqual(pair.lanes.answers, pair.plain.answers)

    def test_too_early(self) -> None:
        """The lane is closed until the broker accepts sends, and open from then on."""
        pair = Pair(start_accept_send_request_time_stamp=1_700_000_005_000)
        pair.feed([send()])
        for side in (pair.lanes, pair.plain):
            side.parts.clock.advance(5)
        pair.feed([send()])
        self.assert_equal(pair)
        self.assertEqual(pair.lanes.general_count, 1)

    def test_topic_changes(self) -> None:
        """The lane forgets what it knew of topics as soon as one changes."""
        pair = Pair()
        pair.feed([send(queue_id=3)])
        for side in (pair.lanes, pair.plain):
            side.parts.make_topic("T", read_queue_nums=2, write_queue_nums=2)
        pair.feed([send(queue_id=3)])
        for side in (pair.lanes, pair.plain):
            side.parts.topics.delete("T")
        pair.feed([send(queue_id=1)])
        self.assert_equal(pair)

    @given(st.data())
    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_made_headers(self, data: st.DataObject) -> None:
        """Whatever stands in the fields."""
        usual: dict[str, Any] = dict(send_header(unit_mode=False, batch=False).to_fields())
        odd = st.sampled_from(["", "0", "-1", "3", "true", "T", "x", "4294967296", 1, 0, -1, 2.5, True, False, None, [], {}])
        for name in data.draw(st.lists(st.sampled_from("abcdefghijklmn"), max_size=3)):
            usual[name] = data.draw(odd | st.text(max_size=5))
        if data.draw(st.booleans()):
            items = st.sampled_from(["TAGS\x01A", "WAIT\x01false", "KEYS\x01a b", "CLUSTER\x01x", "DELAY\x01", "u\x01v", "", "x"])
            usual["i"] = "\x02".join(data.draw(st.lists(items, max_size=5)))
        header = {"code": 310, "extFields": usual, "flag": data.draw(st.sampled_from([0, 0, 0, 2, "0"])), "opaque": 9}
        pair = Pair()
        pair.feed([json_frame(msgspec.json.encode(header).decode("utf-8"))])
        self.assert_equal(pair)
        fields = {name: value for name, value in usual.items() if isinstance(value, str)}
        compact = Pair()
        compact.feed([(int(COMPACT), header_compact.encode(RemotingCommand(310, 9, ext_fields=fields)), b"hello")])
        self.assert_equal(compact)

    @given(st.binary(max_size=60), st.integers(0, 400), st.sampled_from([JSON, COMPACT]))
    @settings(max_examples=80, deadline=None)
    def test_damaged_headers(self, damage: bytes, position: int, kind: SerializeType) -> None:
        """Headers that something overwrote behind their key."""
        _, header, body = send(kind=kind)
        position = min(len(header), max(position, 12))
        pair = Pair()
        pair.feed([(int(kind), header[:position] + damage + header[position + len(damage) :], body)])
        self.assert_equal(pair)


class PullLaneEqualTests(SynchronousTestCase):
    """Code 11."""

    @staticmethod
    def prepare(parts: Parts) -> None:
        """Messages in T, a group that subscribes, and groups and topics that are closed in some way."""
        parts.store.put([draft(tag="A"), draft(tag="B"), draft(tag="A", body=b"third"), draft(queue_id=1)])
        parts.groups.update(SubscriptionGroupConfig(group_name="G"))
        parts.groups.update(SubscriptionGroupConfig(group_name="CLOSED", consume_enable=False))
        parts.groups.update(SubscriptionGroupConfig(group_name="NOBROADCAST", consume_broadcast_enable=False))
        parts.make_topic("WRITEONLY", perm=2)
        parts.make_topic("NARROW", read_queue_nums=1, write_queue_nums=4)
        online = [subscribe(version=5), subscribe("NARROW", "A || B", version=5)]
        parts.consumers.register("G", member(), "CONSUME_PASSIVELY", "CLUSTERING", "X", online, False)
        parts.consumers.register("NOBROADCAST", member(), "CONSUME_PASSIVELY", "BROADCASTING", "X", online, False)

    def assert_equal(self, pair: Pair) -> None:
        """Answers and everything that is left behind."""
        self.assertEqual(pair.lanes.answers, pair.plain.answers)
        lane_state, plain_state = pair.lanes.state(), pair.plain.state()
        for name in plain_state:
            self.assertEqual(lane_state[name], plain_state[name], name)

    def unusual(self) -> list[Frame]:
        """What the lane leaves to the general path, and what it could treat differently."""
        text = lambda **fields: msgspec.json.encode({**pull_header().to_fields(), **fields}).decode("utf-8")  # noqa: E731
        head = '{"code":11,"extFields":%s,"flag":0,"language":"JAVA","opaque":5,"version":409}'
        return [
            pull(queue_offset=4),
            pull(queue_offset=99),
            pull(queue_offset=-1),
            pull(queue_id=2),
            pull(queue_id=3, queue_offset=7),
            pull(queue_id=4),
            pull(queue_id=-1),
            pull(queue_id=3, sys_flag=6),
            pull(queue_offset=4, sys_flag=7, commit_offset=3),
            pull(sys_flag=5, commit_offset=-1),
            pull(consumer_group="NEW"),
            pull(consumer_group="CLOSED"),
            pull(consumer_group="bad group"),
            pull(consumer_group="NEW", sys_flag=0),
            pull(consumer_group="NOBROADCAST", sys_flag=0),
            pull(topic="NONE"),
            pull(topic="WRITEONLY"),
            pull(topic="NARROW", queue_id=1),
            pull(topic="NARROW", sys_flag=0),
            pull(topic="ORDERED", sys_flag=0),
            pull(sys_flag=0, sub_version=5),
            pull(sys_flag=0, sub_version=6),
            pull(subscription="||"),
            pull(subscription="C"),
            pull(subscription=""),
            pull(subscription=None),
            pull(subscription="a > 1", expression_type="SQL92"),
            pull(subscription=None, expression_type="SQL92"),
            pull(expression_type=""),
            pull(expression_type="tag"),
            pull(max_msg_nums=0),
            pull(max_msg_nums=-5),
            pull(max_msg_nums=1),
            pull(flag=1),
            pull(flag=2),
            json_frame(head % text(queueId=0, commitOffset=False)),
            json_frame(head % text(queueId=0.0)),
            json_frame(head % text(subVersion="x")),
            json_frame(head % text(topic=None)),
            json_frame(head % "{}"),
            json_frame('{"code":11,'),
        ]

    def test_usual_pulls(self) -> None:
        """With a subscription of their own and without, all and by tag, in both kinds of headers."""
        pair = Pair(self.prepare)
        frames = [
            pull(kind, **fields)
            for kind in (JSON, COMPACT)
            for fields in (
                {},
                {"sys_flag": 7, "commit_offset": 2},
                {"sys_flag": 2},
                {"subscription": "A"},
                {"subscription": "A || B", "queue_offset": 1},
                {"subscription": " B ", "expression_type": "TAG", "max_msg_nums": 1},
                {"queue_id": 1, "sys_flag": 3, "commit_offset": 1, "subscription": None},
            )
        ]
        pair.feed(frames)
        self.assert_equal(pair)
        self.assertEqual((pair.lanes.general_count, len(pair.lanes.answers)), (0, len(frames)))

    def test_unusual_pulls(self) -> None:
        """Each by itself, so that a difference names its frame."""
        for number, each in enumerate(self.unusual()):
            for changes in (
                {},
                {"broker_permission": 2},
                {"auto_create_subscription_group": False},
                {"slave_read_enable": True},
                {"store_changes": {"broker_role": "SLAVE"}},
            ):
                with self.subTest(number=number, header=each[1], changes=changes):
                    pair = Pair(self.prepare, **changes)
                    pair.feed([pull(), each])
                    self.assert_equal(pair)

    def test_filters_are_bounded(self) -> None:
        """Beyond the limit they are parsed anew, with the same outcome."""
        self.patch(pulllane, "FILTERS_MAX", 2)
        pair = Pair(self.prepare)
        pair.feed([pull(subscription=text) for text in ("A", "B", "A || B", "A", "*", "B")])
        self.assert_equal(pair)

    @given(st.data())
    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_made_headers(self, data: st.DataObject) -> None:
        """Whatever stands in the fields."""
        usual: dict[str, Any] = dict(pull_header().to_fields())
        odd = st.sampled_from(["", "0", "-1", "3", "7", "T", "x", "4294967296", 1, 0, -1, 2.5, True, False, None, [], {}])
        for name in data.draw(st.lists(st.sampled_from(sorted(usual)), max_size=3)):
            usual[name] = data.draw(odd | st.text(max_size=5))
        header = {"code": 11, "extFields": usual, "flag": 0, "opaque": 9}
        pair = Pair(self.prepare)
        pair.feed([json_frame(msgspec.json.encode(header).decode("utf-8"), b"")])
        self.assert_equal(pair)
        fields = {name: value for name, value in usual.items() if isinstance(value, str)}
        compact = Pair(self.prepare)
        compact.feed([(int(COMPACT), header_compact.encode(RemotingCommand(11, 9, ext_fields=fields)), b"")])
        self.assert_equal(compact)

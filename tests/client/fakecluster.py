"""A name server and brokers in memory, behind the interface of RemotingClient: what a client says, they understand and answer.

Every command goes through the real frame codec in both directions, so that what would not survive the wire fails here too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from pymq.client.config import ClientConfig
from pymq.client.requesthook import RequestHook, request_hook
from pymq.errors import ConnectFailed, RequestTimeout
from pymq.interfaces import IProcessorTable
from pymq.message import flags
from pymq.message.batch import decode_batch
from pymq.message.ids import encode_host, offset_message_id
from pymq.message.properties import PROPERTY_SEPARATOR, UNIQ_KEY
from pymq.message.record import decode_record, draft_from, encode_record
from pymq.message.topics import dlq_topic, retry_topic
from pymq.wire import javajson
from pymq.wire.bodies.consumerlist import GetConsumerListByGroupResponseBody
from pymq.wire.bodies.heartbeat import decode_heartbeat
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.bodies.queuelocks import LockBatchRequestBody, LockBatchResponseBody, UnlockBatchRequestBody
from pymq.wire.bodies.routes import BrokerData, QueueData, TopicRouteData, encode_route
from pymq.wire.codes import RequestCode as Code
from pymq.wire.codes import ResponseCode as Answer
from pymq.wire.command import RemotingCommand
from pymq.wire.frame import FrameReader, encode_frame
from pymq.wire.headers.messages import (
    PullMessageRequestHeader,
    PullMessageResponseHeader,
    QueryMessageRequestHeader,
    QueryMessageResponseHeader,
    SendMessageRequestHeaderV2,
    SendMessageResponseHeader,
)

START_S = 1_700_000_000
NAME_SERVER = "10.0.0.1:9876"
QUEUES = 4


def over_the_wire(command: RemotingCommand) -> RemotingCommand:
    """The command as its receiver sees it."""
    reader = FrameReader()
    reader.feed(encode_frame(command))
    received = reader.next_command()
    assert received is not None
    return received


class FakeBroker:
    """One broker: topics of four queues, groups, offsets and locks."""

    def __init__(self, clock: Clock, name: str, address: str) -> None:
        self.clock = clock
        self.name = name
        self.address = address
        host, port = address.split(":")
        self.store_host = encode_host(host, int(port))
        self.log: list[bytes] = []
        self.queues: dict[tuple[str, int], list[bytes]] = {}
        self.min_offsets: dict[tuple[str, int], int] = {}
        self.members: dict[str, set[str]] = {}
        self.producers: set[str] = set()
        self.offsets: dict[tuple[str, str, int], int] = {}
        self.locks: dict[tuple[str, MessageQueue], str] = {}
        self.held: list[tuple[RemotingCommand, Deferred[RemotingCommand]]] = []
        self.topics: set[str] = {"TBW102"}

    def put(self, topic: str, queue_id: int, body: bytes, properties: str = "", **more: Any) -> int:
        """Store a message; its queue offset."""
        queue = self.queues.setdefault((topic, queue_id), [])
        draft = draft_from(
            topic=topic,
            queue_id=queue_id,
            flag=0,
            sys_flag=more.pop("sys_flag", 0),
            born_timestamp=int(self.clock.seconds() * 1000),
            born_host=encode_host("10.0.0.7", 4711),
            store_host=self.store_host,
            body=body,
            properties=properties,
            **more,
        )
        draft.queue_offset = len(queue)
        draft.log_offset = len(self.log)
        draft.store_timestamp = int(self.clock.seconds() * 1000)
        record = bytes(encode_record(draft))
        self.log.append(record)
        queue.append(record)
        self._wake()
        return draft.queue_offset

    def stored(self, topic: str) -> list[Any]:
        """The messages of a topic, by queue."""
        return [decode_record(data) for key, queue in sorted(self.queues.items()) if key[0] == topic for data in queue]

    def _wake(self) -> None:
        waiting, self.held = self.held, []
        for request, answer in waiting:
            if not answer.called:
                outcome = self.pull(request)
                if isinstance(outcome, RemotingCommand):
                    answer.callback(outcome)
                else:
                    self.held[-1] = (request, answer)

    def handle(self, request: RemotingCommand) -> RemotingCommand | Deferred[RemotingCommand]:
        """Answer a request."""
        handler = getattr(self, f"_{Code(request.code).name.lower()}", None)
        if handler is None:
            return request.reply(Answer.REQUEST_CODE_NOT_SUPPORTED, f" request type {request.code} not supported")
        outcome: RemotingCommand | Deferred[RemotingCommand] = handler(request)
        return outcome

    def _send_message_v2(self, request: RemotingCommand) -> RemotingCommand:
        header = SendMessageRequestHeaderV2.from_fields(request.ext_fields)
        self.topics.add(header.topic)
        if header.batch:
            items = [(item.body, item.properties) for item in decode_batch(request.body)]
        else:
            items = [(request.body, header.properties or "")]
        first = len(self.queues.get((header.topic, header.queue_id), ()))
        ids = []
        for body, properties in items:
            ids.append(offset_message_id(self.store_host, len(self.log)))
            reconsume_times = header.reconsume_times or 0
            self.put(header.topic, header.queue_id, body, properties, sys_flag=header.sys_flag, reconsume_times=reconsume_times)
        answer = SendMessageResponseHeader(msg_id=",".join(ids), queue_id=header.queue_id, queue_offset=first)
        return request.reply(header=answer, ext_fields={"MSG_REGION": "DefaultRegion", "TRACE_ON": "true"})

    _send_batch_message = _send_message_v2

    def pull(self, request: RemotingCommand) -> RemotingCommand | Deferred[RemotingCommand]:
        """Answer a pull, or hold it."""
        header = PullMessageRequestHeader.from_fields(request.ext_fields)
        key = (header.topic, header.queue_id)
        queue, first = self.queues.get(key, []), self.min_offsets.get(key, 0)
        if header.sys_flag & flags.PULL_COMMIT_OFFSET:
            self.offsets[header.consumer_group, header.topic, header.queue_id] = header.commit_offset
        code, following, records = Answer.SUCCESS, header.queue_offset, []
        if header.queue_offset < first or header.queue_offset > len(queue):
            code, following = Answer.PULL_OFFSET_MOVED, first if header.queue_offset < first else len(queue)
        elif header.queue_offset == len(queue):
            if header.sys_flag & flags.PULL_SUSPEND:
                held: Deferred[RemotingCommand] = Deferred()
                self.held.append((request, held))
                return held
            code = Answer.PULL_NOT_FOUND
        else:
            records = queue[header.queue_offset : header.queue_offset + header.max_msg_nums]
            following += len(records)
        answer = PullMessageResponseHeader(
            suggest_which_broker_id=0, next_begin_offset=following, min_offset=first, max_offset=len(queue)
        )
        return request.reply(code, header=answer, body=b"".join(records))

    _pull_message = pull

    def _heart_beat(self, request: RemotingCommand) -> RemotingCommand:
        data = decode_heartbeat(request.body)
        self.producers |= {producer.group_name for producer in data.producer_data_set}
        for consumer in data.consumer_data_set:
            self.members.setdefault(consumer.group_name, set()).add(data.client_id)
            self.topics.add(retry_topic(consumer.group_name))
        return request.reply()

    def _unregister_client(self, request: RemotingCommand) -> RemotingCommand:
        fields = request.ext_fields or {}
        self.members.get(fields.get("consumerGroup", ""), set()).discard(fields["clientID"])
        self.producers.discard(fields.get("producerGroup", ""))
        return request.reply()

    def _get_consumer_list_by_group(self, request: RemotingCommand) -> RemotingCommand:
        group = (request.ext_fields or {})["consumerGroup"]
        members = self.members.get(group)
        if not members:
            return request.reply(Answer.SYSTEM_ERROR, f"no consumer for this group, {group}")
        return request.reply(body=javajson.encode(GetConsumerListByGroupResponseBody(tuple(members))))

    def _query_consumer_offset(self, request: RemotingCommand) -> RemotingCommand:
        offset = self.offsets.get(self._offset_key(request))
        if offset is None:
            return request.reply(Answer.QUERY_NOT_FOUND, "Not found")
        return request.reply(ext_fields={"offset": str(offset)})

    def _update_consumer_offset(self, request: RemotingCommand) -> RemotingCommand:
        self.offsets[self._offset_key(request)] = int((request.ext_fields or {})["commitOffset"])
        return request.reply()

    def _offset_key(self, request: RemotingCommand) -> tuple[str, str, int]:
        fields = request.ext_fields or {}
        return fields["consumerGroup"], fields["topic"], int(fields["queueId"])

    def _queue_key(self, request: RemotingCommand) -> tuple[str, int]:
        fields = request.ext_fields or {}
        return fields["topic"], int(fields["queueId"])

    def _get_max_offset(self, request: RemotingCommand) -> RemotingCommand:
        return request.reply(ext_fields={"offset": str(len(self.queues.get(self._queue_key(request), ())))})

    def _get_min_offset(self, request: RemotingCommand) -> RemotingCommand:
        return request.reply(ext_fields={"offset": str(self.min_offsets.get(self._queue_key(request), 0))})

    def _search_offset_by_timestamp(self, request: RemotingCommand) -> RemotingCommand:
        return request.reply(ext_fields={"offset": "1"})

    def _get_earliest_msg_storetime(self, request: RemotingCommand) -> RemotingCommand:
        return request.reply(ext_fields={"timestamp": "-1"})

    def _lock_batch_mq(self, request: RemotingCommand) -> RemotingCommand:
        body = javajson.decode_as(request.body, LockBatchRequestBody)
        given = frozenset(
            queue
            for queue in body.mq_set
            if self.locks.setdefault((body.consumer_group, queue), body.client_id) == body.client_id
        )
        return request.reply(body=javajson.encode(LockBatchResponseBody(given)))

    def _unlock_batch_mq(self, request: RemotingCommand) -> RemotingCommand:
        body = javajson.decode_as(request.body, UnlockBatchRequestBody)
        for queue in body.mq_set:
            if self.locks.get((body.consumer_group, queue)) == body.client_id:
                del self.locks[body.consumer_group, queue]
        return request.reply()

    def _consumer_send_msg_back(self, request: RemotingCommand) -> RemotingCommand:
        fields = request.ext_fields or {}
        message = decode_record(self.log[int(fields["offset"])])
        properties = PROPERTY_SEPARATOR.join(
            f"{name}\x01{value}" for name, value in {"RETRY_TOPIC": message.topic, **message.properties}.items()
        )
        self.put(
            (dlq_topic if int(fields["delayLevel"]) < 0 else retry_topic)(fields["group"]),
            0,
            message.raw_body,
            properties,
            sys_flag=message.sys_flag,
            reconsume_times=message.reconsume_times + 1,
        )
        return request.reply()

    def _check_client_config(self, request: RemotingCommand) -> RemotingCommand:
        return request.reply(Answer.SYSTEM_ERROR, "The broker does not support consumer to filter message by SQL92")

    def _update_and_create_topic(self, request: RemotingCommand) -> RemotingCommand:
        self.topics.add((request.ext_fields or {})["topic"])
        return request.reply()

    def _view_message_by_id(self, request: RemotingCommand) -> RemotingCommand:
        return request.reply(body=self.log[int((request.ext_fields or {})["offset"])])

    def _query_message(self, request: RemotingCommand) -> RemotingCommand:
        header = QueryMessageRequestHeader.from_fields(request.ext_fields)
        found = [
            data
            for data in self.log
            if header.key in decode_record(data).keys or decode_record(data).properties.get(UNIQ_KEY) == header.key
        ]
        if not found:
            return request.reply(Answer.QUERY_NOT_FOUND, "can not find message")
        answer = QueryMessageResponseHeader(index_last_update_timestamp=7, index_last_update_phyoffset=1)
        return request.reply(header=answer, body=b"".join(found))


@attrs.frozen
class Asked:
    """One request that reached the cluster's front."""

    address: str
    command: RemotingCommand

    @property
    def fields(self) -> dict[str, str]:
        """Its extFields."""
        return dict(self.command.ext_fields or {})


class FakeCluster:
    """The servers, and `remoting` to give to clients. `rules` are asked first and may answer or fail a request."""

    def __init__(self, broker_count: int = 1) -> None:
        self.clock = Clock()
        self.clock.advance(START_S)
        self.brokers = [FakeBroker(self.clock, f"broker-{'abcdef'[n]}", f"10.0.0.{n + 2}:10911") for n in range(broker_count)]
        self.asked: list[Asked] = []
        self.down: set[str] = set()
        self.rules: list[Callable[[str, RemotingCommand], RemotingCommand | Exception | None]] = []
        self.remotings: list[FakeRemoting] = []
        self.topic_route: dict[str, TopicRouteData] = {}

    @property
    def broker(self) -> FakeBroker:
        """The first broker."""
        return self.brokers[0]

    def make_remoting(self, reactor: Any, processors: IProcessorTable, config: ClientConfig | None = None) -> FakeRemoting:
        """For `Member(make_remoting=...)`."""
        remoting = FakeRemoting(self, processors, None if config is None else request_hook(config))
        self.remotings.append(remoting)
        return remoting

    def create_topic(self, topic: str) -> None:
        """Make a topic on every broker."""
        for broker in self.brokers:
            broker.topics.add(topic)

    def of(self, code: int) -> list[Asked]:
        """The requests of one code so far."""
        return [asked for asked in self.asked if asked.command.code == code]

    def refuse(self, code: int, answer: int, count: int = 1_000_000) -> None:
        """Answer the next requests of a code with an error."""
        left = [count]

        def rule(address: str, request: RemotingCommand) -> RemotingCommand | None:
            if request.code != code or left[0] <= 0:
                return None
            left[0] -= 1
            return request.reply(answer, "refused by the test")

        self.rules.append(rule)

    def answer(self, address: str, request: RemotingCommand) -> RemotingCommand | Exception | Deferred[RemotingCommand]:
        """What comes of a request."""
        self.asked.append(Asked(address, request))
        if address in self.down:
            return ConnectFailed(address, "it is down")
        for rule in self.rules:
            outcome = rule(address, request)
            if outcome is not None:
                return outcome
        if address == NAME_SERVER:
            return self._route(request)
        for broker in self.brokers:
            if broker.address == address:
                return broker.handle(request)
        return ConnectFailed(address, "nobody is there")

    def _route(self, request: RemotingCommand) -> RemotingCommand:
        topic = (request.ext_fields or {})["topic"]
        route = self.topic_route.get(topic)
        if route is None:
            brokers = [broker for broker in self.brokers if topic in broker.topics and broker.address not in self.down]
            if not brokers:
                return request.reply(Answer.TOPIC_NOT_EXIST, f"No topic route info in name server for the topic: {topic}")
            perm, count = (7, 8) if topic == "TBW102" else (6, 1 if topic.startswith("%RETRY%") else QUEUES)
            route = TopicRouteData(
                tuple(QueueData(broker.name, count, count, perm) for broker in brokers),
                tuple(BrokerData("DefaultCluster", broker.name, {0: broker.address}) for broker in brokers),
            )
        return request.reply(body=encode_route(route, standard_json=False))


class FakeRemoting:
    """Stands where RemotingClient stands."""

    def __init__(self, cluster: FakeCluster, processors: IProcessorTable, hook: RequestHook | None = None) -> None:
        self.cluster = cluster
        self._hook = hook
        self.processors = processors
        self.is_closed = False
        self.closed_addresses: list[str] = []
        self.sweeps = 0
        self.when_connected: Callable[[str], None] = lambda address: None

    def request(self, address: str, command: RemotingCommand, timeout_s: float) -> Deferred[RemotingCommand]:
        """Ask a server of the cluster."""
        assert not self.is_closed, "used after close"
        outcome = self._answer(address, command)
        if isinstance(outcome, Exception):
            return fail(outcome)
        if isinstance(outcome, Deferred):
            clock = self.cluster.clock

            def too_late(_: Any, __: float) -> Any:
                raise RequestTimeout(address, command.code, timeout_s)

            return outcome.addCallback(over_the_wire).addTimeout(timeout_s, clock, onTimeoutCancel=too_late)
        return succeed(over_the_wire(outcome))

    def oneway(self, address: str, command: RemotingCommand) -> Deferred[None]:
        """Tell a server of the cluster."""
        assert not self.is_closed and command.is_oneway, "oneway needs the flag, and an open client"
        outcome = self._answer(address, command)
        return fail(outcome) if isinstance(outcome, Exception) else succeed(None)

    def _answer(self, address: str, command: RemotingCommand) -> RemotingCommand | Exception | Deferred[RemotingCommand]:
        return self.cluster.answer(address, over_the_wire(command if self._hook is None else self._hook(command)))

    def ask_client(self, request: RemotingCommand) -> Any:
        """A broker asks this client; what its processor gives."""
        processor = self.processors.lookup(request.code)
        assert processor is not None
        return processor.process(None, over_the_wire(request))

    def close(self, address: str | None = None) -> Deferred[None]:
        """No more, or one address remembered."""
        if address is None:
            self.is_closed = True
        else:
            self.closed_addresses.append(address)
        return succeed(None)

    def sweep_idle(self) -> None:
        """Counted."""
        self.sweeps += 1

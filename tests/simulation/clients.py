"""Clients of the simulation: they speak the wire protocol over connections in memory, and tell the model what they hear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from pymq.errors import PyMQError
from pymq.interfaces import IChannel, IRequestProcessor
from pymq.message.batch import encode_batch
from pymq.message.flags import TRANSACTION_COMMIT, TRANSACTION_PREPARED, TRANSACTION_ROLLBACK
from pymq.message.ids import decode_offset_message_id
from pymq.message.message import StoredMessage
from pymq.message.record import iter_records
from pymq.remoting.client import RemotingClient, connect_by
from pymq.remoting.dispatcher import Dispatcher, ProcessorTable
from pymq.testing import builders
from pymq.testing.machine import MemoryMachine
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.messages import ConsumerSendMsgBackRequestHeader
from pymq.wire.headers.offsets import UpdateConsumerOffsetRequestHeader
from pymq.wire.headers.topics import DeleteTopicRequestHeader
from pymq.wire.headers.transactions import CheckTransactionStateRequestHeader, EndTransactionRequestHeader
from tests.simulation.model import Fate, Kind, Model, Sent

TIMEOUT_S = 8.0
__all__ = ["CONSUMERS", "FULL", "PRODUCERS", "Pulled", "SimulatedClient"]

PRODUCERS, CONSUMERS = "producers", "consumers"
FULL = "the broker's disk is full"

Say = Callable[..., None]


@attrs.frozen
class Pulled:
    """The records that a pull at `offset` got; when it was asked for, the queue held nothing from before `begin` in the log."""

    topic: str
    queue_id: int
    offset: int
    begin: int
    records: list[StoredMessage]


@implementer(IRequestProcessor)
class _Checks:
    """Answers the broker's questions about transactions by what was decided."""

    codes = frozenset({RequestCode.CHECK_TRANSACTION_STATE})

    def __init__(self, client: SimulatedClient) -> None:
        self._client = client

    def process(self, channel: IChannel, request: RemotingCommand) -> None:
        """Tell, by a END_TRANSACTION, what became of the message; nothing while it is undecided."""
        header = CheckTransactionStateRequestHeader.from_fields(request.ext_fields)
        (half,) = iter_records(request.body)
        self._client.asked_about(half.raw_body, header)


class SimulatedClient:
    """One client with one connection to the broker. `say` notes what happens; everything it learns goes into the model."""

    def __init__(self, machine: MemoryMachine, address: str, model: Model, say: Say, chance: Callable[[], float]) -> None:
        table = ProcessorTable()
        table.register(_Checks(self))
        self._machine = machine
        self._address = address
        self._model = model
        self._say = say
        self._client = RemotingClient(clock=machine, connect=connect_by(machine), dispatcher=Dispatcher(table), chance=chance)
        #: (topic, queue id) -> the offset to pull next.
        self.positions: dict[tuple[str, int], int] = {}
        #: What it got, to be judged by the checks.
        self.pulled: list[Pulled] = []
        self.open_requests = 0

    def _ask(self, command: RemotingCommand, answered: Callable[[RemotingCommand], None], failed: Callable[[str], None]) -> None:
        self.open_requests += 1
        asked: Deferred[RemotingCommand] = self._client.request(self._address, command, TIMEOUT_S)

        def lost(failure: Failure) -> None:
            failure.trap(PyMQError)
            failed(str(failure.value))

        def closed(result: Any) -> Any:
            self.open_requests -= 1
            return result

        asked.addBoth(closed).addCallbacks(answered, lost)

    def heartbeat(self) -> None:
        """Tell the broker who is here, so that it can ask about transactions."""
        data = builders.heartbeat("10.9.9.9@1", produces=[PRODUCERS], consumes={CONSUMERS: ["A"]})
        self._ask(builders.heartbeat_request(data), lambda answer: None, lambda reason: None)

    # Sending

    def send(self, *sents: Sent) -> None:
        """Send one message, or several as a batch."""
        first = sents[0]
        self._model.absent.discard(first.topic)
        if len(sents) == 1:
            more = {"DELAY": str(first.level)} if first.level else {}
            flags = {}
            if first.kind is Kind.HALF:
                more |= {"TRAN_MSG": "true", "PGROUP": PRODUCERS}
                flags = {"sys_flag": TRANSACTION_PREPARED}
            command = builders.send_request(
                first.topic, first.body, queue_id=first.queue_id, keys=first.key, unique=f"U{first.number}", more=more, **flags
            )
        else:
            items = [(0, sent.body, builders.properties(keys=sent.key, unique=f"U{sent.number}")) for sent in sents]
            command = builders.send_request(
                first.topic, encode_batch(items), code=RequestCode.SEND_BATCH_MESSAGE, queue_id=first.queue_id, unique="B"
            )
        self._say("send {} {} to {}/{}", first.kind.value, [sent.number for sent in sents], first.topic, first.queue_id)
        self._ask(command, lambda answer: self._sent(sents, answer), lambda reason: self._unsure(sents, reason))

    def _unsure(self, sents: tuple[Sent, ...], reason: str) -> None:
        self._say("  no answer for {}: {}", [sent.number for sent in sents], reason)
        for sent in sents:
            sent.answered_at = self._machine.seconds()

    def _sent(self, sents: tuple[Sent, ...], answer: RemotingCommand) -> None:
        fields = answer.ext_fields or {}
        now_s = self._machine.seconds()
        self._say(
            "  answer for {}: {} {} {}", [sent.number for sent in sents], answer.name, fields.get("queueOffset"), answer.remark
        )
        if answer.code not in (ResponseCode.SUCCESS, ResponseCode.FLUSH_DISK_TIMEOUT):
            assert answer.remark, f"a refusal without a reason: {answer}"
            for sent in sents:
                sent.answered_at = now_s
                if FULL in answer.remark:
                    sent.fate = Fate.REFUSED
            return
        first_offset = int(fields["queueOffset"])
        for at, (sent, message_id) in enumerate(zip(sents, fields["msgId"].split(","))):
            sent.answered_at = now_s
            sent.fate = Fate.ACKED
            sent.is_durable = answer.code == ResponseCode.SUCCESS
            sent.place = (first_offset + at, decode_offset_message_id(message_id)[2])

    # Transactions

    def decide(self, sent: Sent, commits: bool) -> None:
        """End a transaction whose half message was answered."""
        sent.commits = commits
        assert sent.place is not None
        queue_offset, log_offset = sent.place
        self._say("{} of {}", "commit" if commits else "rollback", sent.number)
        self._end(sent, commits, queue_offset, log_offset)

    def _end(self, sent: Sent, commits: bool, queue_offset: int, log_offset: int) -> None:
        header = EndTransactionRequestHeader(
            producer_group=PRODUCERS,
            tran_state_table_offset=queue_offset,
            commit_log_offset=log_offset,
            commit_or_rollback=TRANSACTION_COMMIT if commits else TRANSACTION_ROLLBACK,
            msg_id=f"U{sent.number}",
        )
        command = RemotingCommand.request(RequestCode.END_TRANSACTION, header)
        self._ask(
            command,
            lambda answer: self._say("  answer for the end of {}: {} {}", sent.number, answer.name, answer.remark),
            lambda reason: self._say("  no answer for the end of {}: {}", sent.number, reason),
        )

    def asked_about(self, body: bytes, header: CheckTransactionStateRequestHeader) -> None:
        """The broker wants to know what became of a half message."""
        sent = self._model.sent[self._model.number_of(body)]
        self._say("asked about {}: {}", sent.number, sent.commits)
        if sent.commits is None:
            # Its producer does not know whether it was stored: such a transaction is rolled back.
            sent.commits = False
        self._end(sent, sent.commits, header.tran_state_table_offset, header.commit_log_offset)

    # Topics

    def delete_topic(self, topic: str) -> None:
        """Have a topic deleted. The next message that is sent to it makes it anew."""
        self._say("delete topic {}", topic)
        self._model.absent.discard(topic)
        asked_at = self._machine.seconds()

        def answered(answer: RemotingCommand) -> None:
            self._say("  answer for the end of topic {}: {} {}", topic, answer.name, answer.remark)
            sents = self._model.sent.values()
            may_be_made = any(sent.topic == topic and (not sent.answered_at or sent.answered_at >= asked_at) for sent in sents)
            if answer.code == ResponseCode.SUCCESS and not may_be_made:
                self._model.absent.add(topic)

        header = DeleteTopicRequestHeader(topic=topic)
        command = RemotingCommand.request(RequestCode.DELETE_TOPIC_IN_BROKER, header)
        self._ask(command, answered, lambda reason: self._say("  no answer for the end of topic {}: {}", topic, reason))

    # Consuming

    def pull(self, topic: str, queue_id: int) -> None:
        """Ask for what comes next in a queue."""
        offset = self.positions.get((topic, queue_id), 0)
        key = (topic, queue_id)
        begin = 0 if key in self._model.doubted else self._model.begins.get(key, 0)
        command = builders.pull_request(topic, offset, group=CONSUMERS, queue_id=queue_id)
        self._ask(
            command,
            lambda answer: self._pulled(topic, queue_id, offset, begin, answer),
            lambda reason: self._say("  pull: {}", reason),
        )

    def _pulled(self, topic: str, queue_id: int, offset: int, begin: int, answer: RemotingCommand) -> None:
        if answer.code == ResponseCode.SUCCESS:
            self.pulled.append(Pulled(topic, queue_id, offset, begin, list(iter_records(answer.body))))
        next_offset = (answer.ext_fields or {}).get("nextBeginOffset")
        self._say("  pull of {}/{} at {}: {}, next {}", topic, queue_id, offset, answer.name, next_offset)
        if next_offset is not None and self.positions.get((topic, queue_id), 0) == offset:
            self.positions[topic, queue_id] = int(next_offset)

    def commit(self, topic: str, queue_id: int) -> None:
        """Tell the broker how far the group consumed a queue."""
        offset = self.positions.get((topic, queue_id), 0)
        header = UpdateConsumerOffsetRequestHeader(consumer_group=CONSUMERS, topic=topic, queue_id=queue_id, commit_offset=offset)
        key = (CONSUMERS, topic, queue_id)
        deletions = self._model.deletions

        def answered(answer: RemotingCommand) -> None:
            self._say("  committed {} in {}/{}: {}", offset, topic, queue_id, answer.name)
            if deletions != self._model.deletions:
                unsure("a topic was deleted before it or after it")
            elif answer.code == ResponseCode.SUCCESS:
                self._model.committed(key, self._machine.seconds(), offset)

        def unsure(reason: str) -> None:
            # It may have been taken: counted as committed never before, and so as old.
            self._model.committed(key, float("inf"), offset)

        self._ask(RemotingCommand.request(RequestCode.UPDATE_CONSUMER_OFFSET, header), answered, unsure)

    def send_back(self, origin: Sent) -> None:
        """Want a message again later."""
        assert origin.place is not None
        header = ConsumerSendMsgBackRequestHeader(offset=origin.place[1], group=CONSUMERS, delay_level=1)
        self._say("send {} back", origin.number)
        back = self._model.sent_back(origin)

        def answered(answer: RemotingCommand) -> None:
            self._say("  answer for {} sent back: {} {}", origin.number, answer.name, answer.remark)
            back.answered_at = self._machine.seconds()
            if answer.code == ResponseCode.SUCCESS:
                back.fate = Fate.ACKED

        command = RemotingCommand.request(RequestCode.CONSUMER_SEND_MSG_BACK, header)
        self._ask(command, answered, lambda reason: None)

# Tests: tests/client/test_pullconsumer.py
"""What all consumers have in common: hooks and trace, where offsets are kept, and most of what their instance asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from pymq.client.allocate import allocator_of
from pymq.client.config import ConsumerConfig, MessageModel
from pymq.client.hooks import ConsumeMessageContext, ConsumeMessageHook, run_hooks
from pymq.client.instance import MQClientInstance
from pymq.client.localfile import LocalDocuments, offsets_folder
from pymq.client.member import Member
from pymq.client.offsets import LocalFileOffsetStore, OffsetStore, RemoteBrokerOffsetStore
from pymq.client.results import ConsumeStatus
from pymq.client.trace import TraceDispatcher, consume_hook
from pymq.errors import RequestError
from pymq.interfaces import IDocuments
from pymq.message.message import StoredMessage
from pymq.wire.bodies.connections import ConsumeMessageDirectlyResult
from pymq.wire.bodies.heartbeat import SubscriptionData
from pymq.wire.bodies.messagequeue import MessageQueue
from pymq.wire.codes import ResponseCode

K = TypeVar("K", bound=ConsumerConfig)


class Consumer(Member[K]):
    """A member of a consumer group."""

    def __init__(
        self, group: str, *, hooks: Sequence[ConsumeMessageHook] = (), documents: IDocuments | None = None, **settings: Any
    ) -> None:
        """`hooks` are told what is consumed; `documents` replaces the folder in which a broadcast group keeps its offsets.

        Raises ConfigError, ClientError.
        """
        super().__init__(group, **settings)
        self._has_own_instance = self.config.message_model is MessageModel.CLUSTERING
        self._hooks = list(hooks)
        self._documents = documents
        self._trace: TraceDispatcher | None = None
        self._allocator = allocator_of(self.config.allocate_strategy)
        self._subscriptions: dict[str, SubscriptionData] = {}

    def _now_ms(self) -> int:
        return int(self.clock.seconds() * 1000)

    # Life

    def _join(self, instance: MQClientInstance) -> None:
        self._offsets = self._make_offsets(instance)
        if self.config.enable_msg_trace:
            assert self._ids is not None, "made together with the instance"
            self._trace, hook = consume_hook(self.group, self.config.customized_trace_topic, instance, self.tasks, self._ids.next)
            self._hooks.append(hook)

    def _make_offsets(self, instance: MQClientInstance) -> OffsetStore:
        if self.config.message_model is MessageModel.CLUSTERING:
            return RemoteBrokerOffsetStore(self.group, instance)
        folder = offsets_folder(self.config.offset_store_folder, instance.client_id, self.group)
        return LocalFileOffsetStore(LocalDocuments(folder) if self._documents is None else self._documents)

    async def _close_trace(self) -> None:
        if self._trace is not None:
            await self._trace.close()

    # Consuming by hand

    def _given(self, queue: MessageQueue, messages: Sequence[StoredMessage]) -> None:
        """Messages go to the user, with the topic that the user knows. For the hooks they are consumed by that, as in Java."""
        for message in messages:
            message.topic = self.namespace.unwrap(message.topic)
        if not self._hooks or not messages:
            return
        context = ConsumeMessageContext(self.group, messages, self.namespace.unwrap_queue(queue))
        run_hooks(self._hooks, "consume_message_before", context)
        context.status = ConsumeStatus.CONSUME_SUCCESS
        run_hooks(self._hooks, "consume_message_after", context)

    async def _offset_of(self, queue: MessageQueue, *, from_store: bool = False) -> int:
        """The group's offset of a queue: what was last set here, else what is persisted; -1 when there is none."""
        queue = self.namespace.wrap_queue(queue)
        offset = -1 if from_store else self._offsets.read(queue)
        return offset if offset >= 0 else await self._offsets.load(queue)

    # As a member of its instance

    def subscribed_topics(self) -> Iterable[str]:
        """The topics whose routes it uses."""
        return list(self._subscriptions)

    def offsets_of(self, topic: str) -> dict[MessageQueue, int]:
        """Our offsets of a topic."""
        return self._offsets.table_of(topic)

    async def consume_directly(self, message: StoredMessage) -> ConsumeMessageDirectlyResult:
        """Refused: there is no listener. Raises RequestError."""
        raise RequestError(ResponseCode.SYSTEM_ERROR, f"The Consumer Group <{self.group}> pulls by hand and has no listener")

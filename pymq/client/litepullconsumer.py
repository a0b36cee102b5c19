# Tests: tests/client/test_litepullconsumer.py
"""The lite pull consumer: polls what is pulled ahead of it (Java: DefaultLitePullConsumer)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from pymq.client.balanced import BalancedConsumer
from pymq.client.config import LitePullConfig
from pymq.client.instance import EXPECTED_ERRORS, MQClientInstance
from pymq.client.litepuller import LitePuller
from pymq.client.messageselector import MessageSelector
from pymq.client.polls import Polls
from pymq.client.processqueue import ProcessQueue
from pymq.client.results import ServiceState
from pymq.client.share import Assigned, Share
from pymq.client.tasks import all_of
from pymq.client.topicwatch import TopicListener, TopicWatch
from pymq.errors import ClientError
from pymq.message.message import StoredMessage
from pymq.periodic import Periodic
from pymq.wire.bodies.heartbeat import SUBSCRIBE_ALL, ConsumerData
from pymq.wire.bodies.messagequeue import MessageQueue

WATCH_INITIAL_S = 0.01


class LitePullConsumer(BalancedConsumer[LitePullConfig]):
    """Gives messages when it is asked for them, of queues that it shares with its group, or of queues that it was assigned.

    ::

        consumer = LitePullConsumer("my-group", namesrv_addr="127.0.0.1:9876")
        consumer.subscribe("my-topic", "TagA || TagB")      # or assign(queues)
        await consumer.start()
        for message in await consumer.poll():
            ...
        await consumer.commit()
        await consumer.shutdown()

    What a poll gave counts as consumed when the next poll begins, and is committed every `auto_commit_interval_s`, or by
    `commit`. What the last poll before a shutdown gave comes again, unless `commit` was called. The settings are those of
    LitePullConfig.
    """

    kind = "lite pull consumer"
    config_class = LitePullConfig
    consume_type = "CONSUME_ACTIVELY"

    def __init__(self, group: str, **settings: Any) -> None:
        """Beside the settings it takes what BalancedConsumer does. Raises ConfigError, ClientError."""
        super().__init__(group, **settings)
        self._assigned: Assigned | None = None
        self._polls = Polls(self.clock)
        self._paused: set[MessageQueue] = set()
        #: Where queues that are not taken up yet are to begin, as `seek` said.
        self._begins: dict[MessageQueue, int] = {}
        #: Positions that need no commit: what was committed since they were reached stands.
        self._committed: dict[MessageQueue, int] = {}
        self._watch = TopicWatch(self.fetch_message_queues)
        self._jobs: list[Periodic] = []

    # What is read

    def subscribe(
        self, topic: str, expression: str | MessageSelector = SUBSCRIBE_ALL, expression_type: str | None = None
    ) -> None:
        """Share the queues of a topic with the group: all messages, those with one of the tags in `TagA || TagB`, or what a
        MessageSelector selects. May be called again, also while the consumer runs. Raises ClientError, also after `assign`.
        """
        if self._assigned is not None:
            raise ClientError("this consumer was assigned queues; subscribe with another one, of another group")
        super().subscribe(topic, expression, expression_type)

    def assign(self, queues: Iterable[MessageQueue], expression: str | MessageSelector = SUBSCRIBE_ALL) -> None:
        """Read these queues and no others, whoever else reads them; their offsets are the group's. No member of the group should
        subscribe then: brokers count all members when queues are shared out.

        May be called again, also while the consumer runs. Raises ClientError, also after `subscribe`.
        """
        wanted = frozenset(queues)
        if not wanted:
            raise ClientError("no queues were given; fetch_message_queues(topic) tells which there are")
        if self._assigned is None and self._subscriptions:
            raise ClientError("this consumer subscribes; assign queues to another one, of another group")
        subscriptions = {one.topic: one for one in (self._subscription(queue.topic, expression) for queue in wanted)}
        self._assigned = self._assigned or Assigned()
        self._assigned.queues = frozenset(map(self.namespace.wrap_queue, wanted))
        self._subscriptions.clear()
        self._subscriptions.update(subscriptions)
        self._begins = {queue: offset for queue, offset in self._begins.items() if queue in self._assigned.queues}
        self._changed_subscriptions()

    def fetch_message_queues(self, topic: str) -> Deferred[list[MessageQueue]]:
        """The queues from which a topic can be read. Fails with NoRoute."""
        return self.fetch_subscribe_queues(topic)

    def register_topic_message_queue_change_listener(self, topic: str, listener: TopicListener) -> None:
        """Have `listener` called with the topic and its queues when they are others than before; looked at every
        `topic_metadata_check_interval_s`. It may give a Deferred.
        """
        self._watch.listen(topic, listener)
        if self.state is ServiceState.RUNNING:
            self.tasks.spawn(self._watch.look(), f"the queues of {topic}")

    # Life

    def _share(self, instance: MQClientInstance) -> Share:
        of_group = super()._share(instance)

        async def share(topic: str, queues: Sequence[MessageQueue]) -> Collection[MessageQueue]:
            return await (of_group if self._assigned is None else self._assigned)(topic, queues)

        return share

    def _join(self, instance: MQClientInstance) -> None:
        super()._join(instance)
        self._puller = LitePuller(
            self.group,
            instance,
            self.config,
            tasks=self.tasks,
            subscriptions=self._subscriptions,
            polls=self._polls,
            paused=self._paused,
        )
        instance.add_consumer(self)

    def _running(self) -> None:
        config = self.config
        watch_s = config.topic_metadata_check_interval_s
        self._jobs = [Periodic(self.clock, watch_s, self._look, name="queues of topics", initial_delay_s=WATCH_INITIAL_S)]
        if config.auto_commit:
            self._jobs.append(Periodic(self.clock, config.auto_commit_interval_s, self._auto_commit, name="automatic commits"))
        for job in self._jobs:
            job.start()
        super()._running()

    def _look(self) -> Deferred[None]:
        return self.tasks.hold(self._watch.look())

    async def _stopping(self, instance: MQClientInstance) -> None:
        self._rebalancer.take_no_more()
        for job in self._jobs:
            await job.stop()
        if self.config.auto_commit:
            await self._commit_settled()
        await self._leave(instance)

    # Polling

    def poll(self, timeout_s: float | None = None, max_count: int | None = None) -> Deferred[list[StoredMessage]]:
        """The next messages, of one queue, at most `max_count` or `pull_batch_size`; an empty list when none came in
        `timeout_s`, which may be infinite, or `poll_timeout_s`. What earlier polls gave counts as consumed.
        """
        wait_s = self.config.poll_timeout_s if timeout_s is None else timeout_s
        return self._do(self._poll(wait_s, self.config.pull_batch_size if max_count is None else max_count))

    async def _poll(self, timeout_s: float, count_max: int) -> list[StoredMessage]:
        if timeout_s < 0 or count_max <= 0:
            raise ClientError(f"timeout {timeout_s} s, count {count_max}: the timeout must be 0 or more, the count 1 or more")
        if not self._subscriptions:
            raise ClientError("nothing can come: call subscribe(topic) or assign(queues)")
        self._polls.settle()
        given = await self._polls.poll(count_max, None if timeout_s == float("inf") else timeout_s)
        if given is None:
            return []
        held, messages = given
        self._given(held.queue, messages)
        return messages

    def put_back(self) -> None:
        """What polls gave since the last one began, or since a commit, does not count: the next poll gives it again."""
        self._polls.put_back()

    def pause(self, queues: Iterable[MessageQueue]) -> None:
        """Pull these queues no more until `resume`; what is in hand is still given. Queues that are not ours are left out."""
        self._check_running()
        wanted = map(self.namespace.wrap_queue, queues)
        self._paused.update(queue for queue in wanted if self._is_ours(queue))

    def resume(self, queues: Iterable[MessageQueue]) -> None:
        """Pull these queues again, within a second."""
        self._paused.difference_update(map(self.namespace.wrap_queue, queues))

    # Offsets

    def seek(self, queue: MessageQueue, offset: int) -> Deferred[None]:
        """Go on with a queue of ours at an offset; what is in hand of it is forgotten.

        Fails with ClientError when the queue is not ours, or has no such offset.
        """
        return self._do(self._seek(queue, offset))

    async def _seek(self, queue: MessageQueue, offset: int) -> None:
        first, last = await self._asked("min_offset", queue), await self._asked("max_offset", queue)
        if not first <= offset <= last:
            raise ClientError(f"{queue} has no offset {offset}: its first is {first}, and {last} is that of the next message")
        self._go_on_at(queue, offset)

    def seek_to_begin(self, queue: MessageQueue) -> Deferred[None]:
        """Go on with a queue of ours at its first message. Fails with ClientError when it is not ours."""
        return self._do(self._seek_to("min_offset", queue))

    def seek_to_end(self, queue: MessageQueue) -> Deferred[None]:
        """Go on with a queue of ours behind its last message. Fails with ClientError when it is not ours."""
        return self._do(self._seek_to("max_offset", queue))

    async def _seek_to(self, end: str, queue: MessageQueue) -> None:
        self._go_on_at(queue, await self._asked(end, queue))

    def _is_ours(self, queue: MessageQueue) -> bool:
        return queue in self._rebalancer.queues if self._assigned is None else queue in self._assigned.queues

    def _check_ours(self, queue: MessageQueue) -> None:
        if not self._is_ours(queue):
            raise ClientError(f"{queue} is not ours now; `queues` tells which are, and rebalance may change them at any time")

    def _go_on_at(self, queue: MessageQueue, offset: int) -> None:
        queue = self.namespace.wrap_queue(queue)
        self._check_ours(queue)
        held = self._rebalancer.queues.get(queue)
        if held is None:
            self._begins[queue] = offset
        else:
            self._rebalancer.begin_anew(held, offset)

    def offset_for_timestamp(self, queue: MessageQueue, timestamp_ms: int) -> Deferred[int]:
        """The offset of the message stored nearest to a time in milliseconds since the epoch, to be sought."""
        return self.search_offset(queue, timestamp_ms)

    def committed(self, queue: MessageQueue) -> Deferred[int]:
        """The group's offset of a queue, -1 when there is none."""
        return self._do(self._offset_of(queue))

    def commit(self, offsets: Mapping[MessageQueue, int] | None = None) -> Deferred[None]:
        """What polls gave until now is consumed; fires when the brokers have that.

        With `offsets` just these queues are consumed up to these offsets. Fails with ClientError when a queue is not ours, with
        BrokerRefused, NoRoute or one of TRANSPORT_ERRORS when one could not be committed; the others are then all the same.
        """
        return self._do(self._commit(offsets))

    async def _commit(self, offsets: Mapping[MessageQueue, int] | None) -> None:
        if offsets is None:
            self._polls.settle()
            failures = await self._save_positions()
        else:
            table = {self.namespace.wrap_queue(queue): offset for queue, offset in offsets.items()}
            for queue in table:
                self._check_ours(queue)
            failures = await self._save(table)
        for failure in failures:
            failure.raiseException()

    def _auto_commit(self) -> Deferred[None]:
        return self.tasks.hold(self._commit_settled())

    async def _commit_settled(self) -> None:
        for failure in await self._save_positions():
            failure.trap(*EXPECTED_ERRORS)
            self._log.warn("{client!r} could not commit, it tries again: {error}", client=self, error=failure.value)

    async def _save_positions(self) -> list[Failure]:
        fresh = {queue: offset for queue, offset in self._polls.positions.items() if self._committed.get(queue) != offset}
        return await self._save(fresh)

    async def _save(self, table: Mapping[MessageQueue, int]) -> list[Failure]:
        """Have offsets written out; what failed."""
        outcomes = await all_of(self._save_one(queue, offset) for queue, offset in table.items())
        return [outcome for outcome in outcomes if isinstance(outcome, Failure)]

    async def _save_one(self, queue: MessageQueue, offset: int) -> None:
        position = self._polls.positions.get(queue)
        await self._offsets.save(queue, offset)
        if position is not None:
            self._committed[queue] = position

    # Queues

    def _queue_taken(self, held: ProcessQueue, offset: int) -> None:
        offset = self._begins.pop(held.queue, offset)
        self._committed.pop(held.queue, None)
        self._polls.begin(held, offset)
        self._puller.taken(held, offset)

    def _queue_let_go(self, held: ProcessQueue) -> None:
        self._puller.let_go(held)
        position = self._polls.end(held)
        if self.config.auto_commit and self._committed.get(held.queue) != position:
            self._offsets.update(held.queue, position)

    def _queues_changed(self) -> None:
        self._paused.intersection_update([queue for queue in self._paused if self._is_ours(queue)])
        super()._queues_changed()

    # As a member of its instance

    def consumer_data(self) -> ConsumerData:
        """Its part of the heartbeat, in which assigned queues are no subscriptions."""
        return super().consumer_data() if self._assigned is None else self._heartbeat_part(())

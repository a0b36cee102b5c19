# Tests: tests/broker/test_filters.py
"""What the groups filter by beside tags, and which records pass (Java: ConsumerFilterManager, ExpressionMessageFilter).

consumerFilter.json has Apache's shape (store.md 1.5). Each filter owns positions in the bit maps that `enableCalcFilterBitMap`
keeps beside messages; a message whose map lacks one of them does not pass, and need not be read. That holds for messages stored
after the filter was born; those before it are read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import attrs
from twisted.logger import Logger

from pymq.broker.config import BrokerConfig
from pymq.broker.configmanager import ConfigManager, WhenSaved, save_at_once
from pymq.errors import RequestError, StoreDamaged
from pymq.interfaces import IClock, IDocuments, IMessageStore
from pymq.message.bloom import BloomFilter, BloomFilterData
from pymq.message.properties import RETRY_TOPIC, decode_properties
from pymq.message.record import RecordDraft, check_record
from pymq.message.results import BitFilter, GetResult, GetStatus
from pymq.message.sql92 import SqlFilter, compile_sql
from pymq.message.topics import RETRY_PREFIX
from pymq.wire.bodies.heartbeat import EXPRESSION_TAG, SubscriptionData
from pymq.wire.codes import ResponseCode

DOCUMENT = "consumerFilter.json"
EXPRESSION_SQL92 = "SQL92"
#: Filters that are kept at one time; those of a heartbeat that brings one more are not taken in.
FILTERS_MAX = 65_536
#: Records that one pull looks at, as many as Java's, and bytes that it takes.
SCAN_RECORDS_MIN = 800
ANSWER_BYTES_MAX = 262_144
ANSWER_COUNT_MAX = 32
#: A filter that was loaded is taken for dead since so long.
_DEAD_BEFORE_LOAD_MS = 30_000


def is_tag_type(expression_type: str | None) -> bool:
    """Whether an expression is about tags, which also no type and an empty one say."""
    return not expression_type or expression_type == EXPRESSION_TAG


def compile_filter(expression_type: str | None, expression: str) -> SqlFilter:
    """The filter of a type that is not about tags. Raises ValueError for a type or an expression that nobody understands."""
    if expression_type != EXPRESSION_SQL92:
        raise ValueError(f"the type of expression {expression_type!r} is unknown; TAG and SQL92 are known")
    return compile_sql(expression)


@attrs.frozen
class ConsumerFilterData:
    """A group's filter of one topic. Times are in ms since the epoch; it is dead when nobody of the group is online."""

    topic: str
    consumer_group: str
    expression: str
    expression_type: str
    client_version: int
    born_time: int
    matches: SqlFilter
    bloom: BloomFilterData
    dead_time: int = 0
    #: The positions of `bloom` as a number with those bits set.
    mask: int = attrs.field(init=False, default=attrs.Factory(lambda data: data.bloom.mask, takes_self=True))

    @property
    def is_dead(self) -> bool:
        """Whether the group has left."""
        return self.dead_time >= self.born_time

    def document(self) -> dict[str, Any]:
        """What is saved and shown of it."""
        return {
            "bloomFilterData": {"bitNum": self.bloom.bit_num, "bitPos": list(self.bloom.bit_pos)},
            "bornTime": self.born_time,
            "clientVersion": self.client_version,
            "consumerGroup": self.consumer_group,
            "dead": self.is_dead,
            "deadTime": self.dead_time,
            "expression": self.expression,
            "expressionType": self.expression_type,
            "topic": self.topic,
        }

    def bit_filter(self) -> BitFilter:
        """What a message's bit map says of this filter: False where it surely does not pass (Java: isMatchedByConsumeQueue)."""
        born_ms, mask, length = self.born_time, self.mask, self.bloom.bit_num // 8

        def may_pass(store_ms: int, bit_map: bytes) -> bool:
            return store_ms <= born_ms or len(bit_map) != length or int.from_bytes(bit_map, "little") & mask == mask

        return may_pass


class ConsumerFilterManager(ConfigManager):
    """The filters by topic and group. `bloom` gives out the positions of their bits."""

    log = Logger()

    def __init__(
        self, config: BrokerConfig, documents: IDocuments, *, clock: IClock, when_saved: WhenSaved = save_at_once
    ) -> None:
        super().__init__(DOCUMENT, documents)
        self._when_saved = when_saved
        self._keep_ms = config.filter_data_clean_time_span
        self._clock = clock
        self._config = config
        self.bloom = BloomFilter(config.max_error_rate_of_bloom_filter, config.expect_consumer_num_use_filter)
        self._filters: dict[tuple[str, str], ConsumerFilterData] = {}
        #: The same by topic, for those who ask at every message.
        self._by_topic: dict[str, dict[str, ConsumerFilterData]] = {}

    def get(self, topic: str, group: str) -> ConsumerFilterData | None:
        """The filter of a group, or None when it has none that could be understood."""
        return self._filters.get((topic, group))

    def of_topic(self, topic: str) -> Collection[ConsumerFilterData]:
        """The filters of all groups, dead ones too, for their consumers may come again."""
        groups = self._by_topic.get(topic)
        return groups.values() if groups else ()

    def register(self, group: str, subscriptions: Iterable[SubscriptionData]) -> None:
        """Take over a heartbeat's filters: those that are newer; and the filters of topics not named any more die."""
        listed = {subscription.topic: subscription for subscription in subscriptions}
        for subscription in listed.values():
            if not is_tag_type(subscription.expression_type) and subscription.sub_string:
                self._put(group, subscription)
        if self._filters:
            self._bury(group, keep=listed)

    def unregister(self, group: str) -> None:
        """The last consumer of the group left."""
        if self._filters:
            self._bury(group, keep=())

    def _put(self, group: str, subscription: SubscriptionData) -> None:
        key = (subscription.topic, group)
        old = self._filters.get(key)
        version = subscription.sub_version
        if old is None:
            if len(self._filters) >= FILTERS_MAX:
                return
        else:
            if version < old.client_version:
                return
            is_same = (old.expression, old.expression_type) == (subscription.sub_string, subscription.expression_type)
            if is_same or version == old.client_version:
                if old.is_dead or version != old.client_version:
                    self._set(attrs.evolve(old, client_version=version, dead_time=0))
                return
        try:
            matches = compile_filter(subscription.expression_type, subscription.sub_string)
        except ValueError as error:
            self.log.warn("the filter of {group} for {topic} is refused: {error}", group=group, topic=key[0], error=error)
            if old is not None:
                self._forget(old)
            return
        self._set(
            ConsumerFilterData(
                topic=subscription.topic,
                consumer_group=group,
                expression=subscription.sub_string,
                expression_type=subscription.expression_type,
                client_version=version,
                born_time=self._now_ms(),
                matches=matches,
                bloom=self._positions(group, subscription.topic),
            )
        )
        if self._config.enable_calc_filter_bit_map:
            # Bits speak of this filter from now on. Were an older one loaded after a crash, they would be taken for its bits.
            self._when_saved(self).addErrback(lambda failure: self.log.failure("the filters could not be saved", failure))

    def _positions(self, group: str, topic: str) -> BloomFilterData:
        return self.bloom.generate(f"{group}#{topic}")

    def _set(self, data: ConsumerFilterData) -> None:
        self._keep(data)
        self._mark_changed()

    def _keep(self, data: ConsumerFilterData) -> None:
        self._filters[data.topic, data.consumer_group] = data
        self._by_topic.setdefault(data.topic, {})[data.consumer_group] = data

    def _forget(self, data: ConsumerFilterData) -> None:
        del self._filters[data.topic, data.consumer_group]
        groups = self._by_topic[data.topic]
        del groups[data.consumer_group]
        if not groups:
            del self._by_topic[data.topic]
        self._mark_changed()

    def _bury(self, group: str, keep: Iterable[str]) -> None:
        for data in list(self._filters.values()):
            if data.consumer_group == group and data.topic not in keep and not data.is_dead:
                self._set(attrs.evolve(data, dead_time=self._now_ms()))

    def _now_ms(self) -> int:
        return int(self._clock.seconds() * 1000)

    def load(self) -> None:
        """Replace the filters by the saved ones; what cannot be compiled is left out. Raises StoreDamaged for another shape.

        One whose positions are for bit maps of another size is born anew: the maps that are kept do not speak of it. (Java
        ignores all of the document then, until the next heartbeats.)
        """
        document = self._documents.load(DOCUMENT)
        now_ms = self._now_ms()
        self._filters, self._by_topic = {}, {}
        for data in _read(document):
            positions = self._positions(data.consumer_group, data.topic)
            if data.bloom != positions:
                data = attrs.evolve(data, bloom=positions, born_time=now_ms, dead_time=data.dead_time and now_ms)
            if not data.dead_time:
                data = attrs.evolve(data, dead_time=max(now_ms - _DEAD_BEFORE_LOAD_MS, data.born_time))
            self._keep(data)

    def forget_dead(self) -> None:
        """Forget the filters of groups that left long ago (Java: clean)."""
        now_ms = self._now_ms()
        for data in list(self._filters.values()):
            if data.is_dead and now_ms - data.dead_time >= self._keep_ms:
                self._forget(data)

    def _content(self) -> dict[str, Any]:
        topics: dict[str, Any] = {}
        for (topic, group), data in sorted(self._filters.items()):
            groups = topics.setdefault(topic, {"groupFilterData": {}, "topic": topic})["groupFilterData"]
            groups[group] = data.document()
        return {"filterDataByTopic": topics}


def _read(document: Any) -> Iterable[ConsumerFilterData]:
    try:
        topics = {} if document is None else document.get("filterDataByTopic", {})
        entries = [entry for topic in topics.values() for entry in topic["groupFilterData"].values()]
        for entry in entries:
            expression, kind = str(entry["expression"]), str(entry["expressionType"])
            born_ms, dead_ms, version = int(entry["bornTime"]), int(entry["deadTime"]), int(entry["clientVersion"])
            try:
                matches = compile_filter(kind, expression)
            except ValueError:
                continue
            topic, group = str(entry["topic"]), str(entry["consumerGroup"])
            bloom = _read_bloom(entry.get("bloomFilterData") or {})
            yield ConsumerFilterData(topic, group, expression, kind, version, born_ms, matches, bloom, dead_ms)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreDamaged(f"{DOCUMENT}: filterDataByTopic should hold the groups' filters by topic: {error!r}") from error


def _read_bloom(entry: Mapping[str, Any]) -> BloomFilterData:
    """The saved positions; without them none, which are never those of a filter."""
    return BloomFilterData(tuple(map(int, entry.get("bitPos") or ())), int(entry.get("bitNum") or 0))


@attrs.frozen
class MessageFilter:
    """What a pull is served by (Java: ExpressionMessageFilter, ExpressionForRetryMessageFilter).

    `may_pass`, if it can tell at all, spares reading a message; `matches(properties)` is True for the messages to deliver.
    """

    matches: SqlFilter
    may_pass: BitFilter | None = None


class FilterFinder:
    """Which filter a pull is served by."""

    def __init__(self, config: BrokerConfig, filters: ConsumerFilterManager) -> None:
        self._filters = filters
        self._filters_retries = config.filter_support_retry

    def find(self, group: str, subscription: SubscriptionData, *, is_own: bool, sub_version: int) -> MessageFilter | None:
        """The filter of a subscription, None for one that is by tags alone. `is_own` says that the pull brought it itself.

        Raises RequestError: 23 for an own one that cannot be parsed, 27 and 28 when the group's heartbeats brought none or none
        that is new enough.
        """
        topic = subscription.topic
        if subscription.class_filter_mode:
            return None
        if is_tag_type(subscription.expression_type):
            return self._of_retries(topic) if self._filters_retries and topic.startswith(RETRY_PREFIX) else None
        if is_own:
            try:
                return MessageFilter(compile_filter(subscription.expression_type, subscription.sub_string))
            except ValueError as error:
                remark = f"the consumer's subscription cannot be parsed: {error}"
                raise RequestError(ResponseCode.SUBSCRIPTION_PARSE_FAILED, remark) from error
        data = self._filters.get(topic, group)
        if data is None:
            remark = f"the broker has no filter of the group [{group}] for [{topic}]; its expression may be wrong"
            raise RequestError(ResponseCode.FILTER_DATA_NOT_EXIST, remark)
        if data.client_version < sub_version:
            remark = f"the broker knows filter version {data.client_version}, the pull has {sub_version}"
            raise RequestError(ResponseCode.FILTER_DATA_NOT_LATEST, remark)
        return MessageFilter(data.matches, data.bit_filter())

    def _of_retries(self, topic: str) -> MessageFilter:
        """Messages that come again pass by the filter of the topic from which they came first."""
        group = topic.removeprefix(RETRY_PREFIX)

        def matches(properties: Mapping[str, str]) -> bool | None:
            data = self._filters.get(properties.get(RETRY_TOPIC, ""), group)
            return True if data is None else data.matches(properties)

        return MessageFilter(matches)


def draft_test(matches: SqlFilter) -> Callable[[RecordDraft], bool]:
    """The same filter for messages on their way into the store."""
    return lambda draft: matches(decode_properties(draft.properties.decode("utf-8", "replace"))) is True


def filtered_get(
    store: IMessageStore,
    topic: str,
    queue_id: int,
    queue_offset: int,
    count_max: int,
    tag_filter: frozenset[int] | None,
    message_filter: MessageFilter,
    *,
    count_limit: int = ANSWER_COUNT_MAX,
    bytes_limit: int = ANSWER_BYTES_MAX,
) -> GetResult:
    """IMessageStore.get for the messages that pass: reads on until there are enough, or enough were looked at.

    `count_limit` and `bytes_limit` are those of a pull from memory (maxTransferCountOnMessageInMemory, maxTransferBytes...); each
    get of the store keeps its own limits, and one from disk is not followed by another when it found something.
    """
    wanted = max(1, min(count_max, count_limit))
    found: list[memoryview] = []
    size_bytes, scanned, position = 0, 0, queue_offset
    while True:
        result: GetResult = store.get(topic, queue_id, position, wanted - len(found), tag_filter, message_filter.may_pass)
        if result.status not in (GetStatus.FOUND, GetStatus.NO_MATCHED_MESSAGE):
            break
        passed = [record for record in result.records if _passes(record, message_filter.matches)]
        passed_bytes = sum(map(len, passed))
        if found and size_bytes + passed_bytes > bytes_limit:
            break
        found += passed
        size_bytes += passed_bytes
        scanned += result.next_offset - position
        position = result.next_offset
        is_enough = len(found) >= wanted or scanned >= max(SCAN_RECORDS_MIN, count_max)
        if is_enough or (found and result.is_behind):
            break
    if position == queue_offset:
        return result
    result.records, result.count, result.size_bytes, result.next_offset = found, len(found), size_bytes, position
    result.status = GetStatus.FOUND if found else GetStatus.NO_MATCHED_MESSAGE
    return result


def _passes(record: memoryview, matches: SqlFilter) -> bool:
    return matches(decode_properties(check_record(record, check_crc=False).properties)) is True

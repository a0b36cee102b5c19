# Tests: tests/broker/processors/test_admin.py
"""Administration of the broker itself: 25, 26, 28, 306, 315, 316, 329 (remoting.md 3.12)."""

from __future__ import annotations

from collections.abc import Callable

from zope.interface import implementer

from pymq.broker.config import BrokerConfig
from pymq.broker.processors.livesettings import LiveSettings
from pymq.broker.processors.runtimeinfo import RuntimeInfo
from pymq.broker.stats import BrokerStatsManager
from pymq.broker.topics import TopicConfigManager
from pymq.errors import ConfigError, RequestError
from pymq.interfaces import IChannel, IClock, IMessageStore, IRequestProcessor
from pymq.settings import parse_properties
from pymq.wire import javajson
from pymq.wire.bodies.topics import KVTable
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand
from pymq.wire.headers.admin import (
    GetBrokerConfigResponseHeader,
    ViewBrokerStatsDataRequestHeader,
)


@implementer(IRequestProcessor)
class AdminProcessor:
    """What tools ask and change about the broker as a whole (Java: AdminBrokerProcessor)."""

    def __init__(
        self,
        *,
        config: BrokerConfig,
        settings: LiveSettings,
        store: IMessageStore,
        topics: TopicConfigManager,
        stats: BrokerStatsManager,
        runtime_info: RuntimeInfo,
        clock: IClock,
    ) -> None:
        self._config = config
        self._settings = settings
        self._store = store
        self._topics = topics
        self._stats = stats
        self._runtime_info = runtime_info
        self._clock = clock
        self._answers: dict[int, Callable[[RemotingCommand], RemotingCommand]] = {
            RequestCode.UPDATE_BROKER_CONFIG: self._update_settings,
            RequestCode.GET_BROKER_CONFIG: self._show_settings,
            RequestCode.GET_BROKER_RUNTIME_INFO: self._runtime,
            RequestCode.VIEW_BROKER_STATS_DATA: self._view_stats,
            RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE: self._maintain,
            RequestCode.DELETE_EXPIRED_COMMITLOG: self._maintain,
            RequestCode.CLEAN_UNUSED_TOPIC: self._clean_topics,
        }
        self.codes = frozenset(self._answers)

    def process(self, channel: IChannel, request: RemotingCommand) -> RemotingCommand:
        """Answer one of the codes above. Raises RequestError."""
        return self._answers[request.code](request)

    def _update_settings(self, request: RemotingCommand) -> RemotingCommand:
        """Change settings while running. What needs a restart is refused and named; Apache would change it without effect."""
        try:
            properties = parse_properties(request.body.decode("utf-8"))
            forbidden = sorted(self._settings.black_list & properties.keys())
            if forbidden:
                raise RequestError(ResponseCode.NO_PERMISSION, f"Can not update config in black list: {', '.join(forbidden)}")
            self._settings.update(properties)
        except (ConfigError, UnicodeDecodeError) as error:
            raise RequestError(ResponseCode.SYSTEM_ERROR, str(error)) from error
        return request.reply()

    def _show_settings(self, request: RemotingCommand) -> RemotingCommand:
        version = javajson.encode(self._settings.version).decode("utf-8")
        return request.reply(header=GetBrokerConfigResponseHeader(version=version), body=self._settings.text().encode("utf-8"))

    def _runtime(self, request: RemotingCommand) -> RemotingCommand:
        return request.reply(body=javajson.encode(KVTable(table=self._runtime_info.table())))

    def _view_stats(self, request: RemotingCommand) -> RemotingCommand:
        header = ViewBrokerStatsDataRequestHeader.from_fields(request.ext_fields)
        return request.reply(body=javajson.encode(self._stats.view(header.stats_name, header.stats_key)))

    def _maintain(self, request: RemotingCommand) -> RemotingCommand:
        """One round of the store's own care, now: expired log files go, and the queue files that point into them."""
        self._store.run_maintenance(int(self._clock.seconds() * 1000))
        return request.reply()

    def _clean_topics(self, request: RemotingCommand) -> RemotingCommand:
        self._store.drop_queues(lambda topic: topic not in self._topics.table)
        return request.reply()

# Tests: tests/client/test_admin.py
"""Operations on brokers (Java: DefaultMQAdminExt)."""

from __future__ import annotations

from collections.abc import Mapping

import javaproperties

from pymq.client.adminbase import AdminBase, operation
from pymq.errors import ClientError
from pymq.settings import parse_properties
from pymq.wire import javajson
from pymq.wire.bodies.routes import ClusterInfo
from pymq.wire.bodies.stats import BrokerStatsData
from pymq.wire.bodies.topics import KVTable
from pymq.wire.codes import RequestCode
from pymq.wire.headers.admin import ViewBrokerStatsDataRequestHeader


class ClusterAdmin(AdminBase):
    """Brokers and clusters."""

    @operation
    async def cluster_info(self) -> ClusterInfo:
        """All brokers with their addresses, and the clusters with their brokers, as the name server knows them."""
        return await self._cluster_info()

    @operation
    async def broker_runtime_info(self, broker: str) -> dict[str, str]:
        """What a broker, given by name or address, tells of itself: its version, rates, disk use, and more."""
        answer = await self._api.ask(await self._master(broker), RequestCode.GET_BROKER_RUNTIME_INFO)
        return javajson.decode_as(answer.body, KVTable).table

    @operation
    async def broker_stats(self, broker: str, name: str, key: str) -> BrokerStatsData:
        """What a broker, given by name or address, counted in the last minute, hour and day.

        As `("TOPIC_PUT_NUMS", topic)`, `("GROUP_GET_NUMS", f"{topic}@{group}")` and others; each also with SIZE for bytes. Fails
        with BrokerRefused for what it does not count, or has not counted yet. Java: viewBrokerStatsData.
        """
        header = ViewBrokerStatsDataRequestHeader(stats_name=name, stats_key=key)
        answer = await self._api.ask(await self._master(broker), RequestCode.VIEW_BROKER_STATS_DATA, header)
        return javajson.decode_as(answer.body, BrokerStatsData)

    @operation
    async def broker_config(self, broker: str) -> dict[str, str]:
        """The settings of a broker, given by name or address."""
        answer = await self._api.ask(await self._master(broker), RequestCode.GET_BROKER_CONFIG)
        return parse_properties(answer.body.decode("utf-8", "replace"))

    @operation
    async def update_broker_config(self, settings: Mapping[str, str], where: str | None = None) -> None:
        """Change settings of brokers while they run. Fails with BrokerRefused for those that cannot be changed so."""
        if not settings:
            raise ClientError("no settings were given; broker_config(broker) tells which there are")
        body = javaproperties.dumps(settings).encode()
        masters = await self._masters(where)
        await self._at_all(masters, lambda address: self._api.ask(address, RequestCode.UPDATE_BROKER_CONFIG, body=body))

    @operation
    async def clean_unused_topics(self, where: str | None = None) -> None:
        """Have brokers delete the queues of topics that are gone, such as deleted ones."""
        await self._clean(RequestCode.CLEAN_UNUSED_TOPIC, where)

    @operation
    async def clean_expired_queues(self, where: str | None = None) -> None:
        """Have brokers delete the queues all of whose messages are gone from the log."""
        await self._clean(RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE, where)

    @operation
    async def delete_expired_log(self, where: str | None = None) -> None:
        """Have brokers delete the log files that are older than `fileReservedTime` now, whatever hour `deleteWhen` says.

        Java: deleteExpiredCommitLog, for brokers from 4.9.4 on.
        """
        await self._clean(RequestCode.DELETE_EXPIRED_COMMITLOG, where)

    async def _clean(self, code: int, where: str | None) -> None:
        masters = await self._masters(where)
        await self._at_all(masters, lambda address: self._api.ask(address, code, timeout_s=self._long_s))

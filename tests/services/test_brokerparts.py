"""What a broker consists of: every code of the foundation is served, and the VIP port serves no pulls."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import task
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.config import BrokerConfig
from pymq.remoting.dispatcher import ProcessorTable
from pymq.services.brokerparts import BrokerParts, lane_keys
from pymq.services.flusher import Flusher
from pymq.store.config import MessageStoreConfig
from pymq.store.memory import MemoryMessageStore
from pymq.testing.channels import FakeChannel
from pymq.testing.documents import MemoryDocuments
from pymq.wire import javajson
from pymq.wire.codes import RequestCode
from pymq.wire.command import RemotingCommand

#: What the issue of the foundation names.
FOUNDATION = {10, 310, 320, 11, 361, 12, 33, 34, 35, 46, 38, 14, 15, 41, 42, 29, 30, 31, 32, 17, 215}
#: What the mqadmin commands of the foundation ask of a broker.
MQADMIN = {28, 202, 208, 203, 204, 307, 200, 26}
PULLS = {RequestCode.PULL_MESSAGE, RequestCode.LITE_PULL_MESSAGE}


class BrokerPartsTests(SynchronousTestCase):
    """Built on the store in memory."""

    def setUp(self) -> None:
        self.build()

    def build(self, store_config: MessageStoreConfig | None = None, **settings: bool) -> None:
        """A broker with these settings beside the usual ones."""
        store_config = store_config or MessageStoreConfig()
        clock = task.Clock()
        clock.advance(1_700_000_000)
        config = BrokerConfig(broker_name="broker-a", broker_ip1="127.0.0.1", **settings)
        self.store: Any = MemoryMessageStore(store_config, clock=clock)
        self.store.load()
        flusher = Flusher(self.store, store_config, clock=clock, run_blocking=maybeDeferred)
        self.parts = BrokerParts(config, store_config, self.store, MemoryDocuments(), flusher, clock=clock, client_clock=clock)
        self.parts.load()
        self.tables = (ProcessorTable(), ProcessorTable())
        self.lanes: tuple[dict, dict] = ({}, {})
        self.parts.serve(self.tables, self.lanes)

    def test_every_code_of_the_foundation_is_served(self) -> None:
        """On the main port."""
        self.assertEqual({code for code in FOUNDATION | MQADMIN if self.tables[0].lookup(code) is None}, set())

    def test_the_vip_port_serves_all_but_the_pulls(self) -> None:
        """As Java's fast port (remoting.md 2.4)."""
        codes = FOUNDATION | MQADMIN
        self.assertEqual({code for code in codes if self.tables[1].lookup(code) is None}, PULLS & codes)

    def test_lanes_are_known_by_how_a_header_begins(self) -> None:
        """In Java's order of keys, or in two bytes."""
        self.assertEqual(lane_keys(310), (b'{"code":310,', b"\x01\x36"))
        self.assertEqual(set(self.lanes[1]), set(lane_keys(310)))
        self.assertEqual(set(self.lanes[0]), {*lane_keys(310), *lane_keys(11)})

    def test_operators_see_the_folder_of_the_log(self) -> None:
        """As Java names it in one of the keys of code 28: the root's commitlog unless another is set."""
        answer = self.tables[0].lookup(28).process(FakeChannel(), RemotingCommand(28, 1))
        table = javajson.decode(answer.body)["table"]
        self.assertIn(f"commitLogDiskRatio_{os.path.expanduser('~/store/commitlog')}", table)

    def test_operators_see_each_folder_of_the_log(self) -> None:
        """That gets new files."""
        paths = {"store_path_commit_log": "/b,/a,/old", "read_only_commit_log_store_paths": "/old"}
        self.build(MessageStoreConfig(**paths))
        describe = self.store.describe
        self.store.describe = lambda: {**describe(), "log_disks_used_ratio": [0.25, 0.5]}
        table = self.parts.runtime_info.table()
        self.assertEqual([table.get(f"commitLogDiskRatio_/{name}") for name in ("a", "b", "old")], ["0.25", "0.5", None])

    def test_pulls_have_no_lane_where_retries_are_filtered(self) -> None:
        """For the lane does not look into properties."""
        self.build(filter_support_retry=True)
        self.assertEqual(set(self.lanes[0]), set(lane_keys(310)))

    def test_a_closed_channel_is_forgotten_everywhere(self) -> None:
        """The housekeeping listens to channels; it knows the same tables as the processors."""
        self.assertEqual(self.parts.producers.table, {})
        self.assertEqual(self.parts.consumers.table, {})

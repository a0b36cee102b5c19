"""Tests of pymq.broker.processors.storesettings."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.processors.storesettings import StoreSettings, check_master
from pymq.errors import RequestError
from pymq.store.config import MessageStoreConfig


class CheckMasterTests(SynchronousTestCase):
    """Who may change topics and groups."""

    def test_masters_may_and_slaves_not(self) -> None:
        """A slave refers to its master."""
        settings: StoreSettings = MessageStoreConfig()
        check_master(settings)
        check_master(MessageStoreConfig(broker_role="SYNC_MASTER"))
        error = self.assertRaises(RequestError, check_master, MessageStoreConfig(broker_role="SLAVE"))
        self.assertEqual(error.code, 1)
        self.assertIn("slave", error.remark)

    def test_store_has_all_settings(self) -> None:
        """Those that the processors ask for."""
        settings = MessageStoreConfig()
        self.assertEqual((settings.max_message_size, settings.default_query_max_num), (4 * 1024 * 1024, 32))
        self.assertEqual(settings.max_msgs_num_batch, 64)

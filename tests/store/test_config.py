"""The store's settings."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import ConfigError
from pymq.settings import read_settings
from pymq.store.config import MessageStoreConfig, parse_delay_levels


class MessageStoreConfigTests(SynchronousTestCase):
    """Apache's keys and defaults."""

    def test_defaults(self) -> None:
        """store.md appendix A."""
        config = MessageStoreConfig()
        self.assertEqual((config.mapped_file_size_commit_log, config.consume_queue_file_bytes), (1073741824, 6000000))
        self.assertEqual((config.max_message_size, config.file_reserved_time, config.delete_when), (4194304, 72, "04"))
        self.assertEqual(len(config.delay_levels_ms), 18)

    def test_keys_of_a_file(self) -> None:
        """Are Java's, the odd one too."""
        config = read_settings(
            MessageStoreConfig, {"flushDiskType": "SYNC_FLUSH", "mappedFileSizeCommitLog": "4096", "checkCRCOnRecover": "false"}
        )
        self.assertEqual(config.flush_disk_type, "SYNC_FLUSH")
        self.assertEqual((config.mapped_file_size_commit_log, config.check_crc_on_recover), (4096, False))

    def test_queue_file_size_is_rounded_up(self) -> None:
        """To whole units (store.md 1.2)."""
        self.assertEqual(MessageStoreConfig(mapped_file_size_consume_queue=1001).consume_queue_file_bytes, 1020)

    def test_folders_of_the_log(self) -> None:
        """One, in the store's own unless another is named, or several; sorted, as Java puts new files into them."""
        self.assertEqual(MessageStoreConfig(store_path_root_dir="/data").log_paths, ("/data/commitlog",))
        config = MessageStoreConfig(store_path_commit_log="/b/log, /a/log,", read_only_commit_log_store_paths="/b/log,/old")
        self.assertEqual((config.log_paths, config.read_only_log_paths), (("/a/log", "/b/log"), ("/b/log", "/old")))

    def test_delay_levels(self) -> None:
        """Seconds, minutes, hours, days."""
        self.assertEqual(parse_delay_levels("1s 2m 3h 4d"), (1000, 120000, 10800000, 345600000))

    def test_bad_values(self) -> None:
        """Never make a configuration."""
        for wrong in (
            {"message_delay_level": "1s 5x"},
            {"message_delay_level": ""},
            {"flush_disk_type": "NEVER"},
            {"store_path_commit_log": "/disk1/log", "read_only_commit_log_store_paths": "/disk2/log,/disk1/log"},
        ):
            self.assertRaises(ConfigError, MessageStoreConfig, **wrong)

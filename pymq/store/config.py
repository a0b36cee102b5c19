# Tests: tests/store/test_config.py
"""The store's settings, with Apache's own names and defaults (store.md appendix A; Java: MessageStoreConfig)."""

from __future__ import annotations

import re

import attrs

from pymq.errors import ConfigError
from pymq.settings import setting

#: Bytes of one unit of a consume queue; file sizes are multiples of it.
QUEUE_UNIT_BYTES = 20
DEFAULT_DELAY_LEVELS = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h"
#: What stands between the folders of a log that Java spreads over several (MessageStoreConfig.MULTI_PATH_SPLITTER).
LOG_PATH_SPLITTER = ","
#: The commit log's folder in the store's own.
LOG_FOLDER = "commitlog"

_KEPT = "kept for Apache's configuration files; has no effect here"
_UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DELAY = re.compile(r"(\d+)([smhd])\Z")


def parse_delay_levels(text: str) -> tuple[int, ...]:
    """The delays of `messageDelayLevel` in milliseconds; level 1 is the first. Raises ConfigError."""
    delays = []
    for word in text.split():
        match = _DELAY.match(word)
        if match is None:
            raise ConfigError("messageDelayLevel", text, f"{word!r} is no number with a unit of s, m, h or d")
        delays.append(int(match[1]) * _UNIT_MS[match[2]])
    if not delays:
        raise ConfigError("messageDelayLevel", text, "at least one level is needed")
    return tuple(delays)


def _paths(text: str) -> tuple[str, ...]:
    return tuple(sorted({path.strip() for path in text.split(LOG_PATH_SPLITTER)} - {""}))


@attrs.frozen(kw_only=True)
class MessageStoreConfig:
    """Where the store lives, how large its files are, when they are made durable and when they go."""

    store_path_root_dir: str = setting("~/store", "the folder of all files of the broker", important=True)
    store_path_commit_log: str = setting(
        "", "the folder of the commit log, or several with commas; empty: commitlog in storePathRootDir", important=True
    )
    read_only_commit_log_store_paths: str = setting("", "folders of the commit log, with commas, in which no new files are made")
    store_type: str = setting("default", "the kind of store: default, Apache's files; memory, nothing on disk; or a plugin's")
    mapped_file_size_commit_log: int = setting(1024**3, "bytes of a commit log file", least=1024)
    mapped_file_size_consume_queue: int = setting(
        6_000_000, "bytes of a consume queue file, 20 for each message; rounded up to a multiple", least=20
    )
    flush_disk_type: str = setting(
        "ASYNC_FLUSH",
        "SYNC_FLUSH answers a send when the message is on disk",
        choices=("ASYNC_FLUSH", "SYNC_FLUSH"),
        important=True,
    )
    broker_role: str = setting(
        "ASYNC_MASTER", "the broker's part in replication", choices=("ASYNC_MASTER", "SYNC_MASTER", "SLAVE"), important=True
    )
    sync_flush_timeout: int = setting(5000, "how long a send waits for the disk, ms", least=1, live=True)
    slave_timeout: int = setting(3000, "how long a send waits for a slave, ms", least=1)
    ha_listen_port: int = setting(10912, "the port for slaves", least=0, most=65535)
    flush_interval_commit_log: int = setting(500, "flush the commit log so often with ASYNC_FLUSH, ms", least=1)
    flush_commit_log_least_pages: int = setting(4, _KEPT, least=0)
    flush_commit_log_thorough_interval: int = setting(10_000, _KEPT, least=1)
    flush_interval_consume_queue: int = setting(1000, _KEPT, least=1)
    flush_consume_queue_least_pages: int = setting(2, _KEPT, least=0)
    flush_consume_queue_thorough_interval: int = setting(
        60_000, "one round of flushing all consume queues and the checkpoint, ms", least=1000
    )
    transient_store_pool_enable: bool = setting(False, _KEPT)
    warm_maped_file_enable: bool = setting(False, _KEPT)
    max_message_size: int = setting(4 * 1024 * 1024, "bytes of a message's body", least=10, live=True)
    check_crc_on_recover: bool = setting(True, "recovery checks the bodies", key="checkCRCOnRecover")
    message_index_enable: bool = setting(True, "index messages by key")
    message_index_safe: bool = setting(False, "recovery after a crash goes back as far as the index needs")
    max_hash_slot_num: int = setting(5_000_000, "slots of an index file", least=1)
    max_index_num: int = setting(5_000_000 * 4, "entries of an index file", least=2)
    max_msgs_num_batch: int = setting(64, "the most messages that a query by key gives", least=1)
    default_query_max_num: int = setting(32, "messages that a query by unique key gives", least=1)
    access_message_in_memory_max_ratio: int = setting(
        40, "percent of memory behind which messages count as on disk", least=0, most=100
    )
    max_transfer_bytes_on_message_in_memory: int = setting(256 * 1024, "bytes of one pull from memory", least=1)
    max_transfer_count_on_message_in_memory: int = setting(32, "messages of one pull from memory", least=1)
    max_transfer_bytes_on_message_in_disk: int = setting(64 * 1024, "bytes of one pull from disk", least=1)
    max_transfer_count_on_message_in_disk: int = setting(8, "messages of one pull from disk", least=1)
    delete_when: str = setting("04", "the hours of the day at which expired files go, divided by ;", live=True)
    file_reserved_time: int = setting(72, "hours for which a commit log file is kept", least=0, important=True, live=True)
    disk_max_used_space_ratio: int = setting(75, "percent of the disk from which expired files go at any hour", least=10, most=95)
    disk_space_clean_forcibly_ratio: int = setting(85, "percent of the disk from which the oldest files go", least=10, most=100)
    disk_space_warning_level_ratio: int = setting(90, "percent of the disk from which sends are refused", least=10, most=100)
    clean_file_forcibly_enable: bool = setting(True, "the oldest files may go before their time when the disk is full")
    clean_resource_interval: int = setting(10_000, "look for expired files so often, ms", least=1)
    delete_commit_log_files_interval: int = setting(100, _KEPT, least=0)
    delete_consume_queue_files_interval: int = setting(100, _KEPT, least=0)
    destroy_maped_file_interval_forcibly: int = setting(120_000, _KEPT, least=0)
    redelete_hanged_file_interval: int = setting(120_000, _KEPT, least=0)
    os_page_cache_busy_time_out_mills: int = setting(
        1000, "sends that came while an append took longer are refused, ms", least=1, live=True
    )
    message_delay_level: str = setting(DEFAULT_DELAY_LEVELS, "the delays of levels 1, 2, ... with units s, m, h or d")
    flush_delay_offset_interval: int = setting(10_000, "save the progress of delayed delivery so often, ms", least=100)
    enable_consume_queue_ext: bool = setting(
        False, "keep store times and filter bit maps beside the consume queues; see enableCalcFilterBitMap"
    )
    mapped_file_size_consume_queue_ext: int = setting(48 * 1024**2, "bytes of a file of such an extension", least=1024)
    bit_map_length_consume_queue_ext: int = setting(64, _KEPT, least=0)
    enable_multi_dispatch: bool = setting(False, "light queues", choices=(False,))
    enable_lmq: bool = setting(False, "light queues", choices=(False,))

    def __attrs_post_init__(self) -> None:
        """Raises ConfigError for a value that only shows itself wrong as a whole."""
        parse_delay_levels(self.message_delay_level)
        if set(self.log_paths) <= set(self.read_only_log_paths):
            paths = ", ".join(self.log_paths)
            raise ConfigError("readOnlyCommitLogStorePaths", paths, "a folder of storePathCommitLog is needed for new files")

    @property
    def log_paths(self) -> tuple[str, ...]:
        """The folders of the commit log, as they are written in the settings, sorted."""
        return _paths(self.store_path_commit_log) or (f"{self.store_path_root_dir}/{LOG_FOLDER}",)

    @property
    def read_only_log_paths(self) -> tuple[str, ...]:
        """Those folders of the commit log in which no new files are made; they need not be among the others."""
        return _paths(self.read_only_commit_log_store_paths)

    @property
    def consume_queue_file_bytes(self) -> int:
        """Bytes of a consume queue file: a multiple of the unit."""
        return -(-self.mapped_file_size_consume_queue // QUEUE_UNIT_BYTES) * QUEUE_UNIT_BYTES

    @property
    def delay_levels_ms(self) -> tuple[int, ...]:
        """The delays of levels 1, 2, ... in milliseconds."""
        return parse_delay_levels(self.message_delay_level)

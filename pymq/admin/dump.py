# Tests: tests/admin/test_dump.py
"""What is in a store, row by row (`pymq-admin store dump`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from pymq.admin.findings import Finding, counted
from pymq.admin.folder import CHECKPOINT_PATH, CONFIG_FOLDER, StoreFolder
from pymq.admin.indexcheck import HEADER, IndexEntries
from pymq.admin.logcheck import LogWalk
from pymq.admin.output import Output, time_text
from pymq.admin.queuecheck import QueueUnits
from pymq.errors import DecodeError
from pymq.message.record import RecordCheck, decode_record
from pymq.store.checkpoint import Checkpoint
from pymq.store.consumequeueext import ADDRESS_MAX
from pymq.store.documents import FileDocuments
from pymq.store.keyhash import index_hash, topic_seed
from pymq.store.segment import Segment
from pymq.wire import javajson

__all__ = ["SECTIONS", "Filters", "dump"]

BODY_SHOWN = 64
_HASH_SLOTS = "hash 0x{:08x}"

Progress = Callable[[int, int], None]


@attrs.frozen(kw_only=True)
class Filters:
    """Which rows are wanted; None lets everything through. Offsets are queue offsets, both ends included; times in ms."""

    topic: str | None = None
    queue_id: int | None = None
    from_offset: int | None = None
    to_offset: int | None = None
    key: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None

    def wants_queue(self, topic: str, queue_id: int) -> bool:
        """Whether any row of a queue is wanted."""
        return self.topic in (None, topic) and self.queue_id in (None, queue_id)

    def wants_offset(self, queue_offset: int) -> bool:
        """Whether it lies in the range."""
        return _within(queue_offset, self.from_offset, self.to_offset)

    def wants_time(self, time_ms: int) -> bool:
        """Whether it lies in the range."""
        return _within(time_ms, self.from_ms, self.to_ms)

    def wants(self, record: RecordCheck) -> bool:
        """Whether a message is wanted."""
        return (
            self.wants_queue(record.topic, record.queue_id)
            and self.wants_offset(record.queue_offset)
            and self.wants_time(record.store_timestamp)
            and (self.key is None or self.key in record.index_keys)
        )


def _within(value: int, least: int | None, most: int | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


@attrs.frozen
class _Dump:
    """What every section needs."""

    folder: StoreFolder
    filters: Filters
    output: Output
    whole_bodies: bool
    progress: Progress


def dump(
    folder: StoreFolder,
    sections: Sequence[str],
    filters: Filters,
    output: Output,
    *,
    whole_bodies: bool = False,
    progress: Progress = lambda done_bytes, all_bytes: None,
) -> None:
    """Write the rows of the wanted sections, in the order of SECTIONS. Raises OSError, StoreDamaged."""
    this = _Dump(folder, filters, output, whole_bodies, progress)
    for name, show in _SHOW.items():
        if name in sections:
            show(this)


def _ignore(finding: Finding) -> None:
    """A dump shows what is there; verify tells what is wrong."""


def _summary(this: _Dump) -> None:
    folder = this.folder
    segments = folder.log_segments(_ignore)
    state = "in use by a broker" if folder.is_running else "not closed" if folder.has_abort else "closed"
    begin, end = (segments[0].base, segments[-1].end) if segments else (0, 0)
    queues = list(folder.queues())
    topics = len({topic for topic, _ in queues})
    index = folder.index_segments(_ignore)
    this.output.row(
        "summary",
        f"{state}; {counted(len(segments), 'log file')} from offset {begin} to {end}; {counted(len(queues), 'queue')} of "
        f"{counted(topics, 'topic')}; {counted(len(index), 'index file')}",
        state=state,
        logFiles=len(segments),
        logBegin=begin,
        logFilesEnd=end,
        queues=len(queues),
        topics=topics,
        indexFiles=len(index),
    )


def _records(this: _Dump) -> None:
    segments = this.folder.log_segments(_ignore)
    total = sum(segment.size_bytes for segment in segments)
    walk = LogWalk(segments, _ignore, check_crc=False, is_running=True, progress=lambda done: this.progress(done, total))
    position = 0
    for record in walk.records():
        if not this.filters.wants(record):
            continue
        while not segments[position].base <= record.log_offset < segments[position].end:
            position += 1
        _record(this, segments[position], record)


def _record(this: _Dump, segment: Segment, record: RecordCheck) -> None:
    try:
        message = decode_record(segment.view(), record.log_offset - segment.base)
    except DecodeError as error:
        this.output.row(
            "unreadable", f"{segment.path}: {error}", path=segment.path, logOffset=record.log_offset, cause=str(error)
        )
        return
    try:
        body = message.body
    except DecodeError:
        body = message.raw_body
    fields: dict[str, Any] = {
        "topic": message.topic,
        "queueId": message.queue_id,
        "queueOffset": message.queue_offset,
        "logOffset": message.log_offset,
        "size": message.size,
        "storeTimestamp": message.store_timestamp,
        "bornTimestamp": message.born_timestamp,
        "bornHost": _host(message.born_host),
        "storeHost": _host(message.store_host),
        "flag": message.flag,
        "sysFlag": message.sys_flag,
        "reconsumeTimes": message.reconsume_times,
        "preparedTransactionOffset": message.prepared_transaction_offset,
        "msgId": message.msg_id,
        "properties": message.properties,
        "bodyLength": len(body),
        **_body_fields(body if this.whole_bodies else body[:BODY_SHOWN]),
    }
    shown = ascii(bytes(body if this.whole_bodies else body[:BODY_SHOWN]))[1:]
    dots = "" if this.whole_bodies or len(body) <= BODY_SHOWN else "..."
    properties = " ".join(f"{name}={value}" for name, value in sorted(message.properties.items()))
    this.output.row(
        "record",
        f"{message.log_offset} {message.topic}/{message.queue_id}@{message.queue_offset} {time_text(message.store_timestamp)} "
        f"from {fields['bornHost']} {properties} body {counted(len(body), 'byte')} {shown}{dots}",
        **fields,
    )


def _host(host: tuple[str, int]) -> str:
    return f"{host[0]}:{host[1]}"


def _body_fields(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"bodyHex": body.hex()}


def _wanted_queues(this: _Dump) -> Iterator[QueueUnits]:
    for topic, queue_id in this.folder.queues():
        if this.filters.wants_queue(topic, queue_id):
            units = QueueUnits(this.folder, topic, queue_id, _ignore)
            yield units
            units.release()


def _queues(this: _Dump) -> None:
    for queue in _wanted_queues(this):
        offsets = [offset for offset, _ in queue.written()]
        begin, end = (offsets[0], offsets[-1] + 1) if offsets else (0, 0)
        files, ext_files = len(queue.segments), len(queue.ext_segments)
        extended = f", {counted(ext_files, 'file')} of extension" if ext_files else ""
        this.output.row(
            "queue",
            f"{queue.topic}/{queue.queue_id} offsets {begin} to {end}, {counted(files, 'file')}{extended}",
            topic=queue.topic,
            queueId=queue.queue_id,
            beginOffset=begin,
            endOffset=end,
            files=files,
            extFiles=ext_files,
        )


def _units(this: _Dump) -> None:
    for queue in _wanted_queues(this):
        for offset, (log_offset, size, code) in queue.written():
            if not this.filters.wants_offset(offset):
                continue
            fields: dict[str, Any] = {"logOffset": log_offset, "size": size, "tagsCode": code}
            text = f"tags code {code}"
            if code <= ADDRESS_MAX:
                ext = queue.ext_unit(code)
                text = f"address {code}, no unit there"
                if ext is not None:
                    fields |= {"extTagsCode": ext.tags_code, "extStoreTimestamp": ext.store_ms, "extBitMap": ext.bit_map.hex()}
                    text = f"tags code {ext.tags_code} {time_text(ext.store_ms)} bit map {ext.bit_map.hex() or 'none'}"
            line = f"{queue.topic}/{queue.queue_id}@{offset} log offset {log_offset} size {size} {text}"
            this.output.row("unit", line, topic=queue.topic, queueId=queue.queue_id, queueOffset=offset, **fields)


def _index(this: _Dump) -> None:
    key = this.filters.key
    wanted = None if key is None or this.filters.topic is None else index_hash(topic_seed(this.filters.topic), key)
    segments = this.folder.index_segments(_ignore)
    for segment in segments:
        header = HEADER.unpack_dict(segment.view())
        this.output.row(
            "indexFile",
            f"{segment.path} entries {header['index_count'] - 1} log offsets {header['begin_offset']} to {header['end_offset']} "
            f"stored {time_text(header['begin_ms'])} to {time_text(header['end_ms'])}",
            path=segment.path,
            **header,
        )
    for path, number, _, key_hash, log_offset in IndexEntries(segments, this.folder.config, _ignore, check_chains=False):
        if wanted is None or key_hash == wanted:
            line = f"{path} entry {number} {_HASH_SLOTS.format(key_hash)} log offset {log_offset}"
            this.output.row("entry", line, path=path, number=number, keyHash=key_hash, logOffset=log_offset)


def _checkpoint(this: _Dump) -> None:
    if not this.folder.files.exists(CHECKPOINT_PATH):
        return
    checkpoint = Checkpoint(this.folder.files)
    checkpoint.load()
    times = {"physicMs": checkpoint.physic_ms, "logicsMs": checkpoint.logics_ms, "indexMs": checkpoint.index_ms}
    names = ("log", "queues", "index")
    line = ", ".join(f"{name} {time_text(time_ms) if time_ms else 'unknown'}" for name, time_ms in zip(names, times.values()))
    this.output.row("checkpoint", f"safe up to: {line}", **times)


def _config(this: _Dump) -> None:
    documents = FileDocuments(this.folder.files)
    for name in this.folder.files.list(CONFIG_FOLDER):
        if name.endswith(".json"):
            content = documents.load(name)
            this.output.row("document", f"{name} {javajson.encode(content).decode('utf-8')}", name=name, content=content)


_SHOW: dict[str, Callable[[_Dump], None]] = {
    "summary": _summary,
    "records": _records,
    "queues": _queues,
    "units": _units,
    "index": _index,
    "checkpoint": _checkpoint,
    "config": _config,
}
SECTIONS = tuple(_SHOW)

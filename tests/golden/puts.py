"""What was put into the Java stores whose files are kept here, as drafts for ours."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from pymq.message.batch import decode_batch, encode_batch
from pymq.message.flags import TRANSACTION_COMMIT, TRANSACTION_ROLLBACK
from pymq.message.ids import encode_host
from pymq.message.properties import joined
from pymq.message.record import RecordDraft, draft_from, mark_group
from pymq.store.config import MessageStoreConfig
from pymq.testing.builders import draft

#: Sizes at which nine puts fill two files of each kind.
CONFIG = MessageStoreConfig(
    mapped_file_size_commit_log=1024, mapped_file_size_consume_queue=60, max_hash_slot_num=5, max_index_num=8
)
#: The same with extended queues, in whose files the units of extended_puts() roll over.
EXTENDED_CONFIG = attrs.evolve(CONFIG, enable_consume_queue_ext=True, mapped_file_size_consume_queue_ext=1024)


@attrs.frozen
class Put:
    """One call of putMessage or putMessages."""

    draft: RecordDraft
    is_batch: bool = False

    def drafts(self, stored_properties: str | None) -> list[RecordDraft]:
        """The same for our store, whose callers do what Java 4.9's store does by itself.

        A batch's own properties are joined to those of its items, and a delayed message comes where Java moved it, with the
        properties that Java stored. None for 5.x, which does neither.
        """
        made = self.draft
        hosts = {"born_timestamp": made.born_timestamp, "born_host": made.born_host, "store_host": made.store_host}
        if self.is_batch:
            more = "" if stored_properties is None else made.properties.decode()
            drafts = [
                draft_from(made.topic, made.queue_id, item.body, joined(item.properties, more), flag=item.flag, **hosts)
                for item in decode_batch(made.body)
            ]
            mark_group(drafts)
            return drafts
        if b"DELAY\x01" in made.properties and stored_properties is not None:
            return [draft_from("SCHEDULE_TOPIC_XXXX", 17, made.body, stored_properties, **hosts)]
        return [made]


def puts() -> Iterator[Put]:
    """Keys, tags, IPv6, an empty body, a batch with properties of its own, a delay, transactions, and records that fill files."""
    v6 = encode_host("2001:db8::1", 5555)
    yield Put(draft("T", b"hello", keys="k1 k2", tags="TagA"))
    yield Put(draft("T", b"hello6", keys="k3", tags="TagB", born_host=v6, store_host=encode_host("::1", 10911)))
    yield Put(draft("T", b"", queue_id=1))
    yield Put(draft("T", encode_batch([(7, b"a", "KEYS\x01k4"), (0, b"", "")]), more={"B": "C"}), is_batch=True)
    yield Put(draft("T", b"later", keys="k1", more={"DELAY": "18"}))
    yield Put(draft("T", b"committed", keys="k2", sys_flag=TRANSACTION_COMMIT, prepared_transaction_offset=117))
    yield Put(draft("T", b"rolled back", keys="k2", sys_flag=TRANSACTION_ROLLBACK))
    yield Put(draft("T", b"x" * 300, keys="k1 k3", tags="TagA", flag=-1, reconsume_times=3))
    yield Put(draft("%RETRY%g", b"y" * 200, unique="0A010203109218B4AAC2000000000001", keys="polygenelubricants Größe"))


def extended_puts() -> Iterator[Put]:
    """Messages for extended queues: the property BITS, in hex, is the bit map that is kept of each."""
    yield Put(draft("T", b"none"))
    yield Put(draft("T", b"tag", tags="TagA"))
    yield Put(draft("T", b"both", tags="TagB", more={"BITS": "8efcc8192c88223cc015f8b00064"}))
    yield Put(draft("T", b"rolled back", more={"BITS": "ff"}, sys_flag=TRANSACTION_ROLLBACK))
    yield Put(draft("T", b"large", more={"BITS": "5a" * 300}))
    yield Put(draft("T", b"larger", more={"BITS": "a5" * 300}))
    yield Put(draft("T", b"next file", more={"BITS": "c3" * 330}))
    yield Put(draft("T", b"last", queue_id=1, more={"BITS": "00"}))

"""Which queues of a broker in memory are blocked for whom pops in order: pop-and-timer.md 3, as far as a client can tell."""

from __future__ import annotations

import attrs

#: (group, topic, queue id).
Place = tuple[str, str, int]
#: What receipts have instead of a queue for what comes again: there is none.
ORDERED = 999


@attrs.define
class Batch:
    """The messages that the last pop of a queue gave; `ends_ms` is when each comes again, `counts` how often it came before."""

    pop_time_ms: int
    ends_ms: dict[int, int]
    counts: dict[int, int]
    attempt_id: str | None
    acked: set[int] = attrs.Factory(set)


class Blocks:
    """The last batch of each queue."""

    def __init__(self) -> None:
        self._batches: dict[Place, Batch] = {}

    def is_blocked(self, place: Place, now_ms: int, attempt_id: str | None) -> bool:
        """Whether somebody else works on its messages."""
        batch = self._batches.get(place)
        if batch is None or (attempt_id is not None and batch.attempt_id == attempt_id):
            return False
        return any(now_ms < end_ms for offset, end_ms in batch.ends_ms.items() if offset not in batch.acked)

    def give(self, place: Place, offsets: range, now_ms: int, invisible_ms: int, attempt_id: str | None) -> str:
        """Somebody works on these from now on; what the answer says of their counts."""
        queue_id = place[-1]
        before = self._batches.get(place)
        once_more = 0 if before and attempt_id is not None and before.attempt_id == attempt_id else 1
        counts = {offset: before.counts.get(offset, 0) + once_more for offset in offsets if before and offset in before.ends_ms}
        ends_ms = dict.fromkeys(offsets, now_ms + invisible_ms)
        self._batches[place] = Batch(now_ms, ends_ms, counts, attempt_id)
        least = min((counts.get(offset, 0) for offset in offsets), default=0)
        return ";".join([*(f"0 qo{queue_id}%{offset} {n}" for offset, n in counts.items()), f"0 {queue_id} {least}"])

    def ack(self, place: Place, offset: int, pop_time_ms: int) -> int | None:
        """One is done: where the queue is read from now on, unless it was of another pop."""
        batch = self._batches.get(place)
        if batch is None or batch.pop_time_ms != pop_time_ms:
            return None
        batch.acked.add(offset)
        left = [one for one in batch.ends_ms if one not in batch.acked]
        return min(left) if left else max(batch.ends_ms) + 1

    def change(self, place: Place, offset: int, pop_time_ms: int, end_ms: int) -> None:
        """One comes again at another time."""
        batch = self._batches.get(place)
        if batch is not None and batch.pop_time_ms == pop_time_ms:
            batch.ends_ms[offset] = end_ms

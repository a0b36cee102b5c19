"""What the clients were told, and so what must be true of the store."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import attrs

__all__ = ["Back", "Fate", "Kind", "Model", "Sent"]


class Kind(enum.Enum):
    """How a message was sent."""

    PLAIN = "plain"
    DELAYED = "delayed"
    HALF = "half"


class Fate(enum.Enum):
    """What is known of a message."""

    #: No answer yet, or none that says anything: it may be stored.
    UNKNOWN = "unknown"
    #: Stored, said the broker, and durable if it promises that.
    ACKED = "acked"
    #: Refused for want of room: nothing of it is left.
    REFUSED = "refused"
    #: It was not in the store after a restart, and must never be again.
    GONE = "gone"


_FILLING = bytes(range(33, 123)) * 50


@attrs.define(eq=False)
class Sent:
    """One message. `place` is (queue offset, log offset) as the answer said; `is_durable` that the answer promised durability."""

    number: int
    kind: Kind
    topic: str
    queue_id: int
    body: bytes
    level: int = 0
    fate: Fate = Fate.UNKNOWN
    place: tuple[int, int] | None = None
    answered_at: float = 0.0
    is_durable: bool = False
    #: For half messages: what their producer decided; None while it has not.
    commits: bool | None = None
    #: How often it was seen in its topic, by the last check.
    seen: int = 0

    @property
    def key(self) -> str:
        """The message's key."""
        return f"k{self.number}"

    @property
    def is_acked(self) -> bool:
        """Whether it must be there unless a crash may have taken it."""
        return self.fate is Fate.ACKED


@attrs.define(eq=False)
class Back:
    """A message that a consumer wants again."""

    origin: Sent
    fate: Fate = Fate.UNKNOWN
    answered_at: float = 0.0


class Model:
    """All messages by number, the offsets that consumers committed, and what may legally be lost."""

    def __init__(self) -> None:
        self.sent: dict[int, Sent] = {}
        self.backs: list[Back] = []
        #: (group, topic, queue id) -> (time, offset) of every commit that was answered, oldest first; offset -1 before the first.
        self.commits: dict[tuple[str, str, int], list[tuple[float, int]]] = {}
        #: Log files may have been deleted because the disk was full.
        self.may_expire = False
        #: (topic, queue id) -> the log offset at which its topic was deleted for the last time: what stands before is not in it.
        self.begins: dict[tuple[str, int], int] = {}
        #: Queues that may hold again what stands before: their deletion failed, or the broker was started since.
        self.doubted: set[tuple[str, int]] = set()
        #: How often topics were deleted, and those that are certainly not there: nothing was sent to them since.
        self.deletions = 0
        self.absent: set[str] = set()

    def add(self, kind: Kind, topic: str, queue_id: int, size: int, level: int = 0) -> Sent:
        """A new message with a body of its own."""
        number = len(self.sent)
        body = (b"m%d." % number + _FILLING)[: size + 8]
        sent = self.sent[number] = Sent(number, kind, topic, queue_id, body, level)
        return sent

    def sent_back(self, origin: Sent) -> Back:
        """A message is sent back."""
        self.backs.append(Back(origin))
        return self.backs[-1]

    @staticmethod
    def number_of(body: bytes) -> int:
        """The number of the message with that body; -1 when it has none."""
        head, dot, _ = body[:16].partition(b".")
        return int(head[1:]) if dot and head[:1] == b"m" and head[1:].isdigit() else -1

    def queues_removed(self, topic: str, queue_ids: Iterable[int], log_end: int, *, is_whole: bool) -> None:
        """The store removed a topic's queues when the log ended there, or tried to."""
        for queue_id in queue_ids:
            self.begins[topic, queue_id] = log_end
            (self.doubted.discard if is_whole else self.doubted.add)((topic, queue_id))

    def offsets_removed(self, topic: str, now_s: float) -> None:
        """The broker removed what groups committed in a topic, for it is being deleted."""
        self.deletions += 1
        for key in self.commits:
            if key[1] == topic:
                self.committed(key, now_s, -1)

    def started(self, log_end: int) -> None:
        """The broker was started, and found a log that ends there. As with Apache's brokers newest messages of deleted topics may
        be back in their queues.
        """
        self.begins = {key: min(begin, log_end) for key, begin in self.begins.items()}
        self.doubted.update(self.begins)

    def committed(self, key: tuple[str, str, int], now_s: float, offset: int) -> None:
        """A commit of a consumer's offset was answered."""
        self.commits.setdefault(key, []).append((now_s, offset))

# Tests: tests/admin/test_findings.py
"""What a check finds: each damage with file, place and cause. Neighbours with the same cause are told as one."""

from __future__ import annotations

from collections.abc import Callable

import attrs

__all__ = ["Finding", "Report", "Run", "counted"]


@attrs.frozen
class Finding:
    """Something that is not as it should be at byte `offset` of a file; None where the whole file is meant.

    `is_damage` is False for what a sound store may hold too, such as keys that Java does not index again after a crash.
    """

    path: str
    offset: int | None
    cause: str
    is_damage: bool = True

    def sentence(self) -> str:
        """For people."""
        place = self.path if self.offset is None else f"{self.path} at byte {self.offset}"
        return f"{'damage' if self.is_damage else 'note'}: {place}: {self.cause}"


Report = Callable[[Finding], None]


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number with its noun: 1 record, 2 records."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


class Run:
    """Gathers findings of one cause at numbers that follow each other. `cause` has a hole for their description."""

    def __init__(self, report: Report, noun: str, plural: str = "") -> None:
        """`noun` is what is numbered, such as "queue offset"."""
        self._report = report
        self._noun = noun
        self._plural = plural or noun + "s"
        self._first: tuple[str, int | None, str, bool] | None = None
        self._begin = self._end = 0

    def add(self, number: int, path: str, offset: int | None, cause: str, *, count: int = 1, is_damage: bool = True) -> None:
        """Note numbers from `number` on; the file and place of the first are told."""
        if self._first is not None and (number != self._end or self._first[2:] != (cause, is_damage)):
            self.close()
        if self._first is None:
            self._first, self._begin = (path, offset, cause, is_damage), number
        self._end = number + count

    def close(self) -> None:
        """Tell what was gathered."""
        if self._first is not None:
            path, offset, cause, is_damage = self._first
            last = self._end - 1
            numbers = f"{self._noun} {self._begin}" if last == self._begin else f"{self._plural} {self._begin} to {last}"
            self._report(Finding(path, offset, f"{numbers}: {cause}", is_damage))
            self._first = None

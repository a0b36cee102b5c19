"""The limit of open files."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.tap import limits


class Resource:
    """The operating system's limits, in memory."""

    RLIMIT_NOFILE = 7
    RLIM_INFINITY = -1

    def __init__(self, soft: int, hard: int, refuses: bool = False) -> None:
        self.limit = (soft, hard)
        self.refuses = refuses

    def getrlimit(self, which: int) -> tuple[int, int]:
        """What is in force."""
        return self.limit

    def setrlimit(self, which: int, limit: tuple[int, int]) -> None:
        """Change it."""
        if self.refuses:
            raise ValueError("not allowed")
        self.limit = limit


class LimitTests(SynchronousTestCase):
    """Up to what the system allows."""

    def raised(self, soft: int, hard: int, refuses: bool = False) -> tuple[int, tuple[int, int]]:
        """What the function says, and what is in force then."""
        resource = Resource(soft, hard, refuses)
        self.patch(limits, "resource", resource)
        return limits.raise_open_files_limit(), resource.limit

    def test_the_hard_limit_is_taken(self) -> None:
        """A soft limit of 1024 is no reason to refuse clients."""
        self.assertEqual(self.raised(1024, 4096), (4096, (4096, 4096)))

    def test_without_a_hard_limit_there_is_one_of_ours(self) -> None:
        """A number, for "no limit" is not allowed everywhere."""
        self.assertEqual(self.raised(1024, -1), (limits.OPEN_FILES_WANTED, (limits.OPEN_FILES_WANTED, -1)))

    def test_nothing_is_lowered(self) -> None:
        """More than enough stays."""
        self.assertEqual(self.raised(4096, 4096), (4096, (4096, 4096)))
        self.assertEqual(self.raised(-1, -1), (-1, (-1, -1)))

    def test_a_refusal_is_no_reason_to_fail(self) -> None:
        """The limit stays as it is."""
        self.assertEqual(self.raised(1024, 4096, refuses=True), (1024, (1024, 4096)))

    def test_a_platform_without_limits(self) -> None:
        """Nothing is known there."""
        self.patch(limits, "resource", None)
        self.assertEqual(limits.raise_open_files_limit(), 0)

# Tests: tests/tap/test_limits.py
"""The operating system's limit of open files, which holds connections and the store's files alike."""

from __future__ import annotations

from twisted.logger import Logger

try:
    import resource
except ImportError:  # not on every platform
    resource = None  # type: ignore[assignment]

#: Where the hard limit says "no limit"; enough for every bound of ours.
OPEN_FILES_WANTED = 1_048_576

_log = Logger()


def raise_open_files_limit() -> int:
    """Raise the soft limit to the hard one, as a server may without asking; the limit in force, 0 when it is unknown."""
    if resource is None:
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        _log.warn("the limit of open files stays at {soft}: {error}", soft=soft, error=error)
        return soft
    return wanted

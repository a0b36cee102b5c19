# Tests: tests/services/test_announce.py
"""The lines that scripts and test containers wait for, on the real standard output."""

from __future__ import annotations

import sys


def say_line(text: str) -> None:
    """Write one line past twistd's logging, which would put a time before it. A daemon, without standard output, says nothing."""
    stream = sys.__stdout__
    if stream is None:
        return
    try:
        stream.write(text + "\n")
        stream.flush()
    except (OSError, ValueError):
        # The reader of the pipe is gone, or the stream is closed: there is nobody to tell.
        return

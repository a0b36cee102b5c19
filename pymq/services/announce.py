# Tests: tests/services/test_announce.py
"""The lines that scripts and test containers wait for, on the real standard output."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from twisted.logger import Logger

log = Logger()


def say_line(text: str) -> None:
    """Write one line past twistd's logging, which would put a time before it. A daemon, without standard output, logs it."""
    stream = sys.__stdout__
    if stream is None or _is_null(stream):
        log.info("{text}", text=text)
        return
    try:
        stream.write(text + "\n")
        stream.flush()
    except (OSError, ValueError):
        # The reader of the pipe is gone, or the stream is closed: there is nobody to tell.
        return


def _is_null(stream: TextIO) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(os.devnull))
    except (OSError, ValueError):
        return False

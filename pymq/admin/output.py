# Tests: tests/admin/test_output.py
"""Where tools write: lines for people, or one JSON object a line; errors and progress beside."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from typing import Any, TextIO

from pymq.admin.progress import Progress

__all__ = ["Output", "time_text"]


def time_text(time_ms: int) -> str:
    """A time in ms since the epoch as people write it, in UTC: 2023-11-14T22:13:20.000Z."""
    try:
        moment = datetime.fromtimestamp(time_ms / 1000, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return f"{time_ms} ms"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


class Output:
    """Standard output and error of one command."""

    def __init__(self, out: TextIO, error: TextIO, *, as_json: bool = False) -> None:
        self._out = out
        self._error = error
        self.as_json = as_json
        self._progress: Progress | None = None

    def row(self, kind: str, text: str, **fields: Any) -> None:
        """One thing: `text` for people, or an object of `kind` and `fields`."""
        if self._progress is not None:
            self._progress.clear()
        line = json.dumps({"kind": kind, **fields}, ensure_ascii=False) if self.as_json else text
        self._out.write(line + "\n")

    def complain(self, text: str) -> None:
        """Why it cannot be done."""
        self._error.write(f"pymq-admin: {text}\n")

    def progress(self, label: str) -> Progress:
        """A bar for long work, which rows that are written take away for their time."""
        self._progress = Progress(label, self._error, time.monotonic)
        return self._progress

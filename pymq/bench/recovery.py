# Tests: tests/bench/test_recovery.py
"""How long a store takes to start after its process was killed, and what memory it then takes.

One process fills a store and kills itself, as `kill -9` would, in the middle of its work; another one opens it. The filling
pretends that messages came at a given rate, so that the care of the store, which writes the checkpoint, comes as often as then.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock

from pymq.message.ids import encode_host
from pymq.message.record import draft_from
from pymq.store.config import MessageStoreConfig
from pymq.store.files import DiskFiles
from pymq.store.store import FileMessageStore

__all__ = ["measure"]

MODULE = "pymq.bench.recovery"
START_S = 1_700_000_000
TOPIC, QUEUES = "BenchmarkTest", 8
MESSAGES_AT_ONCE = 256
_MEMORY_LINES = ("RssAnon:", "VmHWM:")
_HOST = encode_host("127.0.0.1", 10911)


def measure(options: Any, say: Callable[[str], None]) -> None:
    """Fill a store, kill the one who did, open it, and say what that took. Raises SystemExit when a half fails."""
    folder = options["folder"]
    if os.path.exists(os.path.join(folder, "commitlog")):
        raise SystemExit(f"there is a store in {folder}; name an empty folder")
    say(f"filling {options['gibibytes']} GiB with messages of {options['messageSize']} bytes in {folder}")
    arguments = [folder, str(options["gibibytes"]), str(options["messageSize"]), str(options["megabytesPerSecond"])]
    # The others take pymq from where this process has it.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    filled = subprocess.run([sys.executable, "-m", MODULE, "fill", *arguments], env=environment, check=False)
    if filled.returncode != -signal.SIGKILL:
        raise SystemExit(f"the store could not be filled: status {filled.returncode}")
    say("killed; opening it")
    command = [sys.executable, "-m", MODULE, "open", folder]
    opened = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    for line in opened.stdout.splitlines():
        say(line)
    if opened.returncode:
        raise SystemExit(f"the store could not be opened: status {opened.returncode}")


def fill(folder: str, gibibytes: float, message_bytes: int, megabytes_per_second: float) -> None:
    """Fill a store to that size, as if so much came every second, and die of SIGKILL."""
    clock = Clock()
    clock.advance(START_S)
    store = FileMessageStore(DiskFiles(folder), MessageStoreConfig(), clock=clock)
    store.load()
    body, end, cared_at, number = b"x" * message_bytes, int(gibibytes * 2**30), clock.seconds(), 0
    while (log_end := store.describe()["log_max_offset"]) < end:
        drafts = [
            draft_from(
                TOPIC,
                (number + at) % QUEUES,
                body,
                f"KEYS\x01key{number + at}\x02",
                born_timestamp=int(clock.seconds() * 1000),
                born_host=_HOST,
                store_host=_HOST,
            )
            for at in range(MESSAGES_AT_ONCE)
        ]
        number += len(drafts)
        store.put(drafts)
        clock.rightNow = START_S + log_end / (megabytes_per_second * 1e6)
        while cared_at + 1 <= clock.seconds():
            cared_at += 1
            store.flush()
            store.run_maintenance(int(cared_at * 1000))
    os.kill(os.getpid(), signal.SIGKILL)


def open_store(folder: str, say: Callable[[str], None]) -> None:
    """Open a store that was left behind, and say how long it took, what recovery did, and what memory it takes."""
    clock = Clock()
    clock.advance(START_S)
    store = FileMessageStore(DiskFiles(folder), MessageStoreConfig(), clock=clock)
    say(f"memory before: {_memory()}")
    begun = time.perf_counter()
    store.load()
    seconds = time.perf_counter() - begun
    report, facts = store.report, store.describe()
    mebibytes = (report.log_end - report.walk_begin) / 2**20
    say(
        f"recovered a log of {(facts['log_max_offset'] - facts['log_min_offset']) / 2**30:.2f} GiB in {seconds:.2f} s: "
        f"{report.checked} records in {mebibytes:.0f} MiB were checked, those behind the last checkpoint"
    )
    say(f"memory after: {_memory()}")
    store.close()


def _memory() -> str:
    """What the kernel says of this process: memory of its own, and the most that it had with the mapped files."""
    with open("/proc/self/status", encoding="ascii") as status:
        return ", ".join(" ".join(line.split()) for line in status if line.startswith(_MEMORY_LINES))


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
    else:
        open_store(sys.argv[2], print)

# Tests: tests/bench/test_clients.py
"""`pymq-bench clients`: our client beside Java's on the same broker, each in a process of its own, by the same clock.

The sides take turns, so that what else the machine does meets all of them; of several rounds the median counts.
"""

from __future__ import annotations

import glob
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pymq.bench.clientside import CONSUME, SEND, Measurement

__all__ = ["Side", "compare", "java_side", "our_side", "table"]

JAVA_PROGRAM = Path(__file__).with_name("ClientBenchmark.java")
MODULE = "pymq.bench.clientside"
IN_FLIGHT = (1, 16, 256)
#: Sends one after the other are so much slower that fewer of them take as long.
ALONE_SHARE = 5
#: What Java's own libraries need to be allowed since Java 16.
_JAVA_OPENS = tuple(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in ("java.nio", "sun.nio.ch", "java.lang"))

#: How a side is started for some measurements: its words before them.
Side = Sequence[str]
#: Messages a second by measurement; None for what a side cannot do.
Rates = dict[Measurement, "float | None"]


def our_side(manner: str, namesrv: str, group: str) -> Side:
    """Our client in one manner."""
    return (sys.executable, "-m", MODULE, manner, namesrv, group)


def java_side(lib: str, namesrv: str, group: str, log_folder: str) -> Side:
    """Java's client from the jars of a folder. Raises SystemExit when there are none, or no Java that compiles."""
    if not glob.glob(os.path.join(lib, "rocketmq-client-*.jar")):
        raise SystemExit(f"there is no rocketmq-client-*.jar in {lib}; name the lib folder of an Apache RocketMQ")
    java = shutil.which("java")
    if java is None:
        raise SystemExit("there is no java on the path; a JDK from 11 on is needed for the Java side")
    settings = (f"-Drocketmq.client.logRoot={log_folder}", f"-Duser.home={log_folder}")
    return (java, *_JAVA_OPENS, *settings, "-cp", os.path.join(lib, "*"), str(JAVA_PROGRAM), namesrv, group)


def measurements(topic: str, sizes: Sequence[int], quantity: int) -> list[Measurement]:
    """What is compared, for each size: sends with so many in flight, and then the reading of what they left."""
    found = []
    for size in sizes:
        name = f"{topic}{size}"
        for in_flight in IN_FLIGHT:
            count = quantity if in_flight > 1 else max(quantity // ALONE_SHARE, 1)
            found.append(Measurement(SEND, name, in_flight, size, count))
        found.append(Measurement(CONSUME, name, 0, size, quantity))
    return found


def measure(side: Side, whats: Sequence[Measurement]) -> tuple[str, Rates]:
    """Run one side: its name and its rates. Raises SystemExit when it fails."""
    # The side takes pymq from where this process has it.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [*side, *(what.words for what in whats)]
    ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{side[0]} ended with status {ran.returncode}")
    name, rates = "", {}
    for line in ran.stdout.splitlines():
        word, *rest = line.split()
        if word == "client":
            (name,) = rest
        elif word == "measured":
            what = Measurement.parsed(rest[0])
            rates[what] = None if rest[1] == "-" else what.count / float(rest[1])
    missing = [what.words for what in whats if what not in rates]
    if missing:
        raise SystemExit(f"{side[0]} did not measure {', '.join(missing)}")
    return name, rates


def medians(rounds: Sequence[Rates]) -> Rates:
    """Of each measurement the median over the rounds."""
    merged: Rates = {}
    for what in rounds[0]:
        values = [rate for rates in rounds if (rate := rates[what]) is not None]
        merged[what] = statistics.median(values) if values else None
    return merged


def table(columns: Sequence[tuple[str, Rates]]) -> list[str]:
    """Lines for people: a row for each measurement; behind each side's rate how it compares to that of the first."""
    first = columns[0][1]
    lines = [f"{'messages a second':<22}{'bytes':>7}" + "".join(f"{name:>16}{'':>7}" for name, _ in columns)]
    for what in first:
        title = f"send, {what.in_flight} in flight" if what.kind == SEND else "push consume"
        line = f"{title:<22}{what.size:>7}"
        for _, rates in columns:
            line += _cell(rates[what], first[what] if rates is not first else None)
        lines.append(line.rstrip())
    return lines


def _cell(rate: float | None, reference: float | None) -> str:
    shown = "-" if rate is None else f"{rate:,.0f}"
    compared = f"x{rate / reference:.2f}" if rate and reference else ""
    return f"{shown:>16}{compared:>7}"


def compare(options: Any, say: Callable[[str], None]) -> None:
    """Measure all sides in turn, and print the table. Raises SystemExit when a side fails."""
    namesrv, process = options["namesrvAddr"], os.getpid()
    whats = measurements(options["topic"], options["sizes"], options["messageQuantity"])
    with tempfile.TemporaryDirectory(prefix="pymq-bench-") as log_folder:
        makers: list[Callable[[str], Side]] = []
        if options["java"]:
            makers.append(partial(java_side, options["java"], namesrv, log_folder=log_folder))
        for manner in options["manners"]:
            makers.append(partial(our_side, manner, namesrv))
        names: list[str] = [""] * len(makers)
        rounds: list[list[Rates]] = [[] for _ in makers]
        for number in range(options["rounds"]):
            for at, make in enumerate(makers):
                names[at], rates = measure(make(f"benchmark_clients_{process}_{number}_{at}_"), whats)
                rounds[at].append(rates)
                say(f"round {number + 1} of {options['rounds']}: {names[at]}")
    for line in table([(name, medians(each)) for name, each in zip(names, rounds)]):
        say(line)

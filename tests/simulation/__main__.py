"""The command of the simulation; see the package."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
import traceback
from typing import Any

from twisted.logger import globalLogBeginner

from tests.simulation.run import run_seed

#: How much of the history of a seed that failed is printed.
HISTORY_LINES = 60


def _try(seed: int) -> tuple[int, str, list[str]]:
    """One seed: (its number, what went wrong or nothing, its history)."""
    try:
        return seed, "", run_seed(seed).history
    except Exception as error:
        return seed, f"{type(error).__name__}: {error}", getattr(error, "history", [])


def _show(seed: int) -> int:
    """Run one seed and print all that happens; the exit code."""
    try:
        run_seed(seed, print)
    except Exception:
        traceback.print_exc(file=sys.stdout)
        return 1
    print(f"seed {seed} went well")
    return 0


def main(arguments: list[str]) -> int:
    """Run seeds; the exit code is 0 when all went well."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many seeds to run (%(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the work (%(default)s)")
    parser.add_argument("--seed", type=int, help="run only this one")
    parser.add_argument("--trace", action="store_true", help="with --seed: print all that happens")
    chosen = parser.parse_args(arguments)
    globalLogBeginner.beginLoggingTo([lambda event: None], redirectStandardIO=False, discardBuffer=True)
    if chosen.seed is not None and chosen.trace:
        return _show(chosen.seed)
    seeds = [chosen.seed] if chosen.seed is not None else range(chosen.first, chosen.first + chosen.seeds)
    started, failed = time.monotonic(), []
    with multiprocessing.Pool(chosen.jobs) as pool:
        outcomes: Any = map(_try, seeds) if chosen.jobs == 1 else pool.imap_unordered(_try, seeds, 16)
        for seed, problem, history in outcomes:
            if problem:
                failed.append(seed)
                print(f"\nseed {seed}: {problem}", *history[-HISTORY_LINES:], sep="\n  ")
                print(f"  again: python -m tests.simulation --seed {seed} --trace", flush=True)
    print(f"{len(seeds)} seeds in {time.monotonic() - started:.1f} s, {len(failed)} failed {sorted(failed) or ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

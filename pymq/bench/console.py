# Tests: tests/bench/test_console.py
"""The console script `pymq-bench`."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.python import usage

from pymq.bench.clients import compare
from pymq.bench.consumer import ConsumerBenchmark
from pymq.bench.options import Options, expand_ri
from pymq.bench.producer import PRODUCER_GROUP, ProducerBenchmark
from pymq.bench.recovery import measure
from pymq.client import ConsumeFromWhere, Producer, PushConsumer

#: The parts that need no reactor in this process.
ALONE = {"clients": compare, "recovery": measure}


def main() -> None:
    """Run one part of the benchmark; Ctrl-C ends it."""
    options = Options()
    try:
        options.parseOptions(expand_ri(sys.argv[1:]))
    except usage.UsageError as error:
        raise SystemExit(f"{error}\nTry --help.") from error
    if options.subCommand in ALONE:
        ALONE[options.subCommand](options.subOptions, say)
        return
    react(lambda reactor: Deferred.fromCoroutine(start(reactor, str(options.subCommand), options.subOptions)))


async def start(reactor: Any, half: str, options: Any) -> None:
    """Make the client and run the half that was asked for."""
    namesrv_addr = options["namesrvAddr"]
    if half == "producer":
        producer = Producer(PRODUCER_GROUP, namesrv_addr=namesrv_addr, reactor=reactor)
        await run(reactor, ProducerBenchmark(options, clock=reactor, producer=producer, say=say))
        return
    group = options["group"]
    if options["groupSuffixEnable"]:
        group = f"{group}_{int(reactor.seconds() * 1000) % 100}"
    consumer = PushConsumer(
        group,
        namesrv_addr=namesrv_addr,
        reactor=reactor,
        consume_from_where=ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET,
        consume_concurrency=options["threads"],
    )
    await run(reactor, ConsumerBenchmark(options, clock=reactor, consumer=consumer, group=group, say=say))


async def run(reactor: Any, benchmark: ProducerBenchmark | ConsumerBenchmark) -> None:
    """Run to the end; a Ctrl-C is an end too, with the last line said and the brokers told that the client leaves."""
    reactor.addSystemEventTrigger("before", "shutdown", benchmark.stop)
    await benchmark.run()


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)

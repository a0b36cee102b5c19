# Tests: tests/bench/test_options.py
"""The letters of Apache's benchmark scripts (conventions.md section 2; Java: org.apache.rocketmq.example.benchmark)."""

from __future__ import annotations

import os
from typing import Any

from twisted.python import usage

BODY_BYTES_MAX = 4 * 1024 * 1024
#: The manners of our client: on Twisted, on asyncio, in threads.
MANNERS = ("deferred", "aio", "blocking")


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError("a number of 0 or more is allowed")
    return number


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("true or false is allowed")
    return text.lower() == "true"


class _Versioned(usage.Options):
    def opt_version(self) -> None:
        """Show the version of pymq and exit."""
        import pymq

        raise SystemExit(pymq.__version__)


class _Shared(_Versioned):
    def postOptions(self) -> None:
        """The name server comes from the option or from the environment."""
        self["namesrvAddr"] = self["namesrvAddr"] or os.environ.get("NAMESRV_ADDR") or "127.0.0.1:9876"


class ProducerOptions(_Shared):
    """Send messages for as long, or as many, as is said."""

    optParameters: list[list[Any]] = [
        ["threads", "w", 64, "sends in flight at one time", _count],
        ["messageSize", "s", 128, "bytes of a body", _count],
        ["topic", "t", "BenchmarkTest", "topic to send to"],
        ["namesrvAddr", "n", None, "name servers, host:port;host:port"],
        ["keyEnable", "k", False, "give each message a key: true or false", _flag],
        ["tagCount", "l", 0, "how many tags to use in turn; 0 for none", _count],
        ["messageQuantity", "q", 0, "messages to send; 0 for no end", _count],
        ["reportInterval", None, 10_000, "milliseconds between two lines", _count],
    ]

    def postOptions(self) -> None:
        super().postOptions()
        if self["threads"] < 1 or self["reportInterval"] < 1:
            raise usage.UsageError("at least one send in flight and a positive report interval are needed")
        if self["messageSize"] > BODY_BYTES_MAX:
            raise usage.UsageError(f"messageSize={self['messageSize']}: at most {BODY_BYTES_MAX} bytes are allowed")


class ConsumerOptions(_Shared):
    """Receive what is sent to a topic."""

    optParameters: list[list[Any]] = [
        ["topic", "t", "BenchmarkTest", "topic to read"],
        ["threads", "w", 20, "messages handed out at one time", _count],
        ["group", "g", "benchmark_consumer", "consumer group"],
        ["groupSuffixEnable", "p", False, "put a suffix of its own behind the group: true or false", _flag],
        ["namesrvAddr", "n", None, "name servers, host:port;host:port"],
        ["expression", "e", "*", "tags to read, such as 'TagA || TagB'"],
        ["messageQuantity", "q", 0, "messages to receive; 0 for no end", _count],
        ["reportInterval", None, 10_000, "milliseconds between two lines", _count],
    ]


class RecoveryOptions(_Versioned):
    """Fill a store, kill the process that does it, and time the next start."""

    optParameters: list[list[Any]] = [
        ["folder", "d", None, "an empty folder for the store; it is left there"],
        ["gibibytes", "g", 10.0, "size of the log", float],
        ["messageSize", "s", 4096, "bytes of a body", _count],
        ["megabytesPerSecond", "r", 20.0, "pretend that so much came every second", float],
    ]

    def postOptions(self) -> None:
        """A folder must be said; nothing is written where nobody asked for it."""
        if not self["folder"]:
            raise usage.UsageError("say --folder, an empty one for the store")
        if self["gibibytes"] <= 0 or self["megabytesPerSecond"] <= 0 or not 0 < self["messageSize"] <= BODY_BYTES_MAX:
            raise usage.UsageError(f"positive numbers are needed, and bodies of at most {BODY_BYTES_MAX} bytes")


def _manners(text: str) -> list[str]:
    names = [word.strip() for word in text.split(",") if word.strip()]
    if not names or any(name not in MANNERS for name in names):
        raise ValueError(f"some of {', '.join(MANNERS)} are allowed, with commas between them")
    return names


def _sizes(text: str) -> list[int]:
    sizes = [int(word) for word in text.split(",")]
    if any(not 0 < size <= BODY_BYTES_MAX for size in sizes):
        raise ValueError(f"sizes from 1 to {BODY_BYTES_MAX} bytes are allowed")
    return sizes


class ClientsOptions(_Shared):
    """Measure our client beside Java's on one broker."""

    optParameters: list[list[Any]] = [
        ["namesrvAddr", "n", None, "name servers, host:port;host:port"],
        ["java", "j", None, "the lib folder of an Apache RocketMQ, for the Java side; without it there is none"],
        ["manners", "m", ",".join(MANNERS), "which of our clients, with commas between them"],
        ["sizes", "s", "100,1024", "bytes of a body, with commas between them"],
        ["topic", "t", "BenchmarkClients", "begin of the names of the topics, each made by its first message"],
        ["messageQuantity", "q", 20_000, "messages of one measurement; a fifth where only one is in flight", _count],
        ["rounds", "r", 3, "how often; the median counts", _count],
    ]

    def postOptions(self) -> None:
        """There must be something to do."""
        super().postOptions()
        try:
            self["manners"], self["sizes"] = _manners(self["manners"]), _sizes(self["sizes"])
        except ValueError as error:
            raise usage.UsageError(str(error)) from error
        if self["messageQuantity"] < 1 or self["rounds"] < 1:
            raise usage.UsageError("at least one message and one round are needed")


class Options(_Versioned):
    """What is measured."""

    synopsis = "Usage: pymq-bench"
    subCommands = [
        ["producer", None, ProducerOptions, "send messages and say how many a second"],
        ["consumer", None, ConsumerOptions, "receive messages and say how many a second"],
        ["clients", None, ClientsOptions, "compare our client with Java's on one broker"],
        ["recovery", None, RecoveryOptions, "time the start of a store whose process was killed"],
    ]

    def postOptions(self) -> None:
        """One of them must be said."""
        if not self.subCommand:
            raise usage.UsageError("say producer, consumer, clients or recovery")


def expand_ri(arguments: list[str]) -> list[str]:
    """Apache writes the report interval as `-ri N`; two letters after one dash are no option of Twisted's."""
    return ["--reportInterval" if argument == "-ri" else argument for argument in arguments]

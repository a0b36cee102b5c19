# Tests: tests/testing/test_faults.py
"""Requests that go wrong on purpose: rules between a port and its processors, by request and topic, for so many times.

While there is a rule, no lane takes a frame, so that sends and pulls pass here too.
"""

from __future__ import annotations

import difflib
from typing import Any

import attrs
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import deferLater
from zope.interface import implementer

from pymq.interfaces import IChannel, IProcessorTable, IRequestProcessor
from pymq.remoting.protocol import Lane
from pymq.testing.commands import CommandError, FaultState, SetFault
from pymq.wire.codes import RequestCode, ResponseCode
from pymq.wire.command import RemotingCommand

__all__ = ["FAULT_KINDS", "FaultRules", "request_codes", "response_code"]

FAULT_KINDS = ("refuse", "slow", "drop", "dropAnswer", "disconnect")
#: Rules at one time.
RULES_MAX = 1000

#: Words for what a user does, whose requests have several codes.
_WORDS: dict[str, tuple[RequestCode, ...]] = {
    "send": (RequestCode.SEND_MESSAGE, RequestCode.SEND_MESSAGE_V2, RequestCode.SEND_BATCH_MESSAGE),
    "pull": (RequestCode.PULL_MESSAGE, RequestCode.LITE_PULL_MESSAGE),
    "sendBack": (RequestCode.CONSUMER_SEND_MSG_BACK,),
    "commitOffset": (RequestCode.UPDATE_CONSUMER_OFFSET,),
    "endTransaction": (RequestCode.END_TRANSACTION,),
    "heartbeat": (RequestCode.HEART_BEAT,),
    "route": (RequestCode.GET_ROUTEINFO_BY_TOPIC,),
}
#: Where requests name their topic: in full, as sends of the second version do, as messages that are sent back do.
_TOPIC_FIELDS = ("topic", "b", "originTopic")


def request_codes(request: str | int | None) -> frozenset[int]:
    """The codes of a word, of a name such as HEART_BEAT or of a number; empty for None, every request. Raises CommandError."""
    if request is None or isinstance(request, int):
        return frozenset() if request is None else frozenset([request])
    if request in _WORDS:
        return frozenset(_WORDS[request])
    if request in RequestCode.__members__:
        return frozenset([RequestCode[request]])
    near = difflib.get_close_matches(request, [*_WORDS, *RequestCode.__members__], n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise CommandError(
        f"there is no request {request!r}.{hint} Allowed are {', '.join(_WORDS)}, the names of Java's RequestCode and numbers"
    )


def response_code(code: str | int) -> int:
    """The number of an answer's code, by name or number. Raises CommandError."""
    if isinstance(code, int):
        return code
    if code in ResponseCode.__members__:
        return int(ResponseCode[code])
    near = difflib.get_close_matches(code, ResponseCode.__members__, n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise CommandError(f"there is no response code {code!r}.{hint} Allowed are the names of Java's ResponseCode and numbers")


@attrs.define(kw_only=True)
class _Rule:
    """One fault that is in force."""

    number: int
    given: SetFault
    codes: frozenset[int]
    answer_code: int
    left: int | None
    struck: int = 0

    def is_about(self, request: RemotingCommand) -> bool:
        """Whether the request is one of those that shall fail."""
        if self.codes and request.code not in self.codes:
            return False
        fields = request.ext_fields or {}
        return self.given.topic is None or self.given.topic in {fields.get(name) for name in _TOPIC_FIELDS}

    def state(self) -> FaultState:
        """For people."""
        given = self.given
        named = None if given.request is None else str(given.request)
        return FaultState(
            fault=self.number, kind=given.kind, request=named, topic=given.topic, left=self.left, struck=self.struck
        )


class FaultRules:
    """The rules, and the `pymq.services.listening.Front` that applies them. `reactor` waits for what is slow."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._rules: dict[int, _Rule] = {}
        self._count = 0
        self._ports: list[tuple[dict[bytes, Lane], dict[bytes, Lane]]] = []

    @property
    def states(self) -> tuple[FaultState, ...]:
        """The faults in force, the oldest first."""
        return tuple(rule.state() for rule in self._rules.values())

    def front(self, table: IProcessorTable, lanes: dict[bytes, Lane]) -> IProcessorTable:
        """Stand before the processors of one more port."""
        self._ports.append((lanes, {}))
        return _Front(table, self)

    def forget_ports(self) -> None:
        """The broker is gone, and another will come. (A name server has no lanes.)"""
        self._ports.clear()

    def ports_served(self) -> None:
        """The lanes of all ports are filled: empty them while there are rules, and fill them again when there are none."""
        for lanes, taken in self._ports:
            if self._rules:
                taken.update(lanes)
                lanes.clear()
            else:
                lanes.update(taken)
                taken.clear()

    def add(self, given: SetFault) -> FaultState:
        """Put a rule in force. Raises CommandError when it makes no sense, and above RULES_MAX."""
        if given.kind not in FAULT_KINDS:
            raise CommandError(f"there is no fault {given.kind!r}; allowed are {', '.join(FAULT_KINDS)}")
        if len(self._rules) >= RULES_MAX:
            raise CommandError(f"there are {RULES_MAX} faults in force, the most; clearFaults takes them back")
        codes, answer_code = request_codes(given.request), response_code(given.code)
        self._count += 1
        rule = _Rule(number=self._count, given=given, codes=codes, answer_code=answer_code, left=given.times)
        self._rules[rule.number] = rule
        self.ports_served()
        return rule.state()

    def clear(self, number: int | None = None) -> int:
        """Take back one fault, or all; how many there were. Raises CommandError for one that is not there."""
        if number is not None and number not in self._rules:
            numbers = ", ".join(map(str, self._rules)) or "none"
            raise CommandError(f"there is no fault {number} (any more); in force are {numbers}")
        count = len(self._rules) if number is None else 1
        for taken in list(self._rules) if number is None else [number]:
            del self._rules[taken]
        self.ports_served()
        return count

    def strike(self, request: RemotingCommand) -> _Rule | None:
        """The first rule about a request, which counts it; None when it shall be served."""
        for rule in self._rules.values():
            if rule.is_about(request):
                rule.struck += 1
                if rule.left is not None:
                    rule.left -= 1
                    if not rule.left:
                        self.clear(rule.number)
                return rule
        return None

    def process(self, processor: IRequestProcessor, channel: IChannel, request: RemotingCommand) -> Any:
        """Serve a request, or do to it what a rule says."""
        rule = self.strike(request)
        if rule is None:
            return processor.process(channel, request)
        kind = rule.given.kind
        if kind == "refuse":
            return request.reply(rule.answer_code, rule.given.remark)
        if kind == "slow":
            return deferLater(self._reactor, rule.given.delay_s, processor.process, channel, request)
        if kind == "dropAnswer":
            # However it ends: nobody will know.
            maybeDeferred(processor.process, channel, request).addErrback(lambda _: None)
        elif kind == "disconnect":
            channel.close()
        return None

    def is_empty(self) -> bool:
        """Whether every request is served."""
        return not self._rules


@implementer(IProcessorTable)
class _Front:
    """A table whose processors are asked by way of the rules."""

    def __init__(self, table: IProcessorTable, rules: FaultRules) -> None:
        self._table = table
        self._rules = rules

    def register(self, processor: IRequestProcessor) -> None:
        """As the table behind it."""
        self._table.register(processor)

    def lookup(self, code: int) -> IRequestProcessor | None:
        """The processor itself while there are no rules."""
        processor = self._table.lookup(code)
        return processor if processor is None or self._rules.is_empty() else _Struck(processor, self._rules)


@implementer(IRequestProcessor)
class _Struck:
    """A processor behind the rules."""

    def __init__(self, processor: IRequestProcessor, rules: FaultRules) -> None:
        self.codes = processor.codes
        self._processor = processor
        self._rules = rules

    def process(self, channel: IChannel, request: RemotingCommand) -> Any:
        """Serve, or fail."""
        return self._rules.process(self._processor, channel, request)

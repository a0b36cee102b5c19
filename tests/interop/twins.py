"""Two servers that are asked the same, request by request, and what their answers have in common.

What an answer says is its code, its extra fields and its body, as `meaning` gives them: without what depends on the hour, on an
address or on the process. Remarks may be worded differently.
"""

import itertools
import re
import socket
import struct
from dataclasses import dataclass

from . import wire, witness

ANSWER_S = 60
#: Instead of a code, where no answer came.
CLOSED, SILENT = "the connection is closed", "no answer"
#: Asked behind a request that is not answered: when this is, the other will not be. Lists that both serve.
BEHIND = {"broker": 305, "namesrv": 206}
RUNTIME = 28
#: Requests that store messages.
STORING = {10, 36, 37, 310, 320, 324, 325}
#: V4_9_4, from which on clients read standard JSON.
CLIENT_VERSION = 401
#: How the reason of a difference begins that is none to the version which we follow.
VERSION = "4.9.7"
#: What is not the same at two moments, addresses or processes: names of extra fields, of keys in bodies.
FLEETING = re.compile(
    r"(msgId|transactionId|version|.*[tT]ime[sS]tamp.*|.*[tT]ime(Ms|stamp)?|.*[aA]ddrs?|.*[oO]ffsetPy|.*[pP]hyoffset.*|"
    r"physicOffset|dataVersion|brokerAddrs|.*[hH]ost|.*StampStr)"
)
#: Texts that are JSON.
TOLD_AS_TEXT = {"filterData", "extendDataJson"}
#: Properties that name a place in a log, with an address.
PLACES = {"ORIGIN_MESSAGE_ID"}
SETTING = re.compile(rb"^listenPort=", re.MULTILINE)
ADDRESS = re.compile(r"(\d+\.){3}\d+:\d+")
SOMETHING = "..."
NOTHING, ANY = "nothing", "anything"


def frame(code, fields, body, opaque, flag, version, binary):
    """A request with a JSON header, or with a ROCKETMQ one."""
    texts = {key: str(value) for key, value in fields.items()}
    make = wire.binary_frame if binary else wire.json_frame
    return make(code, texts, body, opaque=opaque, flag=flag, version=version)


def none(why):
    """Instead of an answer."""
    return wire.Answer({"code": why}, b"")


class Line:
    """A connection that is made when it is needed, and anew when the server ended it. `pushed` is what the server asked."""

    def __init__(self, address, behind):
        host, port = address.rsplit(":", 1)
        self._address, self._connection, self._opaques = (host, int(port)), None, itertools.count(1)
        self._behind = behind
        self.pushed = []

    def close(self):
        """End it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(self, code, fields=None, body=b"", *, binary=False, version=CLIENT_VERSION, answered=True):
        """The answer; its code is CLOSED or SILENT when there is none. `answered` false: another request behind it tells so."""
        opaque = self._send(code, fields or {}, body, 0, version, binary)
        if not answered:
            behind = self._send(self._behind, {}, b"", 0, version, False)
            return self._receive({opaque, behind}, behind)
        return self._receive({opaque}, None)

    def tell(self, code, fields=None, body=b"", *, binary=False, version=CLIENT_VERSION):
        """A one-way request; what comes before the next answer, which should be nothing."""
        told = self._send(code, fields or {}, body, 2, version, binary)
        behind = self._send(self._behind, {}, b"", 0, version, False)
        return self._receive({told, behind}, behind)

    def _send(self, code, fields, body, flag, version, binary):
        if self._connection is None:
            self._connection = socket.create_connection(self._address, timeout=ANSWER_S)
        opaque = next(self._opaques)
        self._connection.sendall(frame(code, fields, body, opaque, flag, version, binary))
        return opaque

    def _pushed(self, header, body):
        """Keep what the server asks, and say yes to it."""
        self.pushed.append((header, body))
        if not header["flag"] & 2:
            self._connection.sendall(frame(0, {}, b"", header["opaque"], 1, CLIENT_VERSION, False))

    def _receive(self, wanted, behind):
        try:
            while True:
                header, body = wire.receive_command(self._connection)
                if not header["flag"] & 1:
                    self._pushed(header, body)
                elif header["opaque"] == behind:
                    return none(SILENT)
                elif header["opaque"] in wanted:
                    return wire.Answer(header, body)
        except ConnectionError:
            self.close()
            return none(CLOSED)
        except TimeoutError:
            self.close()
            return none(SILENT)


@dataclass(frozen=True)
class Differs:
    """Where answers differ on purpose: {path: (theirs, ours)} for paths of a meaning, or ANY for one that may.

    `why` is the "What" of a row of docs/differences.rst, or begins with VERSION when Apache 4.9.7 is older than what we follow.
    Where Apache's is ANY it may also be the same. A path with "*" at its end stands for all that begin so. Where the codes differ
    nothing else is compared.
    """

    why: str
    paths: dict


def codes(why, theirs, ours):
    """A difference of the codes."""
    return Differs(why, {"code": (theirs, ours)})


@dataclass(frozen=True)
class Said:
    """What a twin answered in a conversation."""

    name: str
    heard: wire.Answer
    differs: Differs | None


class Twin:
    """One of the two: asked by a conversation, it keeps what it said. `notes` is for the conversation's use."""

    def __init__(self, server):
        self.server, self.said, self.notes, self._stores = server, [], {}, False
        self._lines = {at: Line(getattr(server, at), BEHIND[at]) for at in BEHIND}

    def ask(self, name, code, fields=None, body=b"", *, at="broker", differs=None, **how):
        """Ask what `name` says, and remember the answer for the comparison."""
        self._settle(code)
        heard = self._lines[at].ask(code, fields, body, **how)
        self.said.append(Said(name, heard, differs))
        return heard

    def tell(self, name, code, fields=None, body=b"", *, at="broker", **how):
        """Tell one-way what `name` says, and remember whether it was answered."""
        self._settle(code)
        heard = self._lines[at].tell(code, fields, body, **how)
        self.said.append(Said(name, heard, None))
        return heard

    def _settle(self, code):
        """Have what was sent before in its queues; Apache answers a send before it puts it there."""
        if self._stores and code not in STORING:
            self.until(lambda: self.asks(RUNTIME).json()["table"]["dispatchBehindBytes"] == "0", "the queues")
        self._stores = code in STORING

    def asks(self, code, fields=None, body=b"", *, at="broker"):
        """Ask what is not compared."""
        return self._lines[at].ask(code, fields, body)

    def until(self, condition, what):
        """Wait for what a broker does on its own, such as filling its queues."""
        return wire.wait_until(condition, ANSWER_S, what)

    def heard(self):
        """All that it said since the last time."""
        said, self.said = self.said, []
        return said

    def pushed(self, code):
        """(header, body) of the requests of that code that the broker made."""
        return [(header, body) for header, body in self._lines["broker"].pushed if header["code"] == code]

    def close(self):
        """End its connections; a conversation begins with new ones, as a client that nobody knows."""
        for line in self._lines.values():
            line.close()
            line.pushed.clear()


def meaning(heard):
    """What an answer says that must be the same: code, fields and body."""
    fields = {name: SOMETHING if FLEETING.fullmatch(name) else value for name, value in heard.fields.items()}
    return {"code": heard.code, "fields": fields, "body": meaning_of_body(heard.body)}


def meaning_of_body(body):
    """A body's values, if it is JSON; its messages or settings, if it is these; else the bytes."""
    if body[:1] in (b"{", b"["):
        value = wire.decode_json(body)
        table = value.get("table", {}) if isinstance(value, dict) else {}
        # What goes on in a broker is not the same twice, but what is told of it is.
        return {"table": dict.fromkeys(table, SOMETHING)} if "bootTimestamp" in table else steady(value)
    if len(body) > 8 and struct.unpack_from(">i", body, 4)[0] & 0xFFFFFFFF == witness.MAGIC:
        return [message_meaning(record) for record in witness.records(body)]
    if SETTING.search(body):
        return dict(line.split("=", 1) for line in body.decode().splitlines() if "=" in line)
    return body


def message_meaning(record):
    """What a stored message says, but for where and when."""
    one = witness.decode(struct.unpack_from(">i", record, 12)[0], record)
    flag, sys_flag = struct.unpack_from(">i", record, 16)[0], struct.unpack_from(">i", record, 36)[0]
    return {
        "queue": one.queue,
        "offset": one.offset,
        "flag": flag,
        "sysFlag": sys_flag,
        "reconsume": one.reconsume,
        "body": one.body,
        # One without a name or a value counts for no reader.
        "properties": {name: SOMETHING if name in PLACES else value for name, value in one.properties.items() if name and value},
    }


def steady(value, key=""):
    """JSON without what is fleeting: lists in order of their text, as most are sets in Java."""
    if FLEETING.fullmatch(key):
        return SOMETHING
    if key in TOLD_AS_TEXT and value[:1] in ("{", "["):
        return steady(wire.decode_json(value.encode()))
    if isinstance(value, dict):
        return {steady_text(name): steady(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return sorted((steady(one) for one in value), key=repr)
    return steady_text(value) if isinstance(value, str) else value


def steady_text(text):
    """A text without addresses."""
    return ADDRESS.sub(SOMETHING, text)


def differences(theirs, ours, path=""):
    """Where two meanings differ: {path: (theirs, ours)}, NOTHING for what one of them lacks."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = {}
        for key in sorted({*theirs, *ours}):
            found.update(differences(theirs.get(key, NOTHING), ours.get(key, NOTHING), f"{path}.{key}" if path else str(key)))
        return found
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        return {
            where: pair
            for number, both in enumerate(zip(theirs, ours))
            for where, pair in differences(*both, f"{path}[{number}]").items()
        }
    return {} if theirs == ours and type(theirs) is type(ours) else {path: (theirs, ours)}


def matches(path, found):
    """Is a path that was found the one named, or among those?"""
    return found == path or (path.endswith("*") and found.startswith(path[:-1]))


def unexpected(theirs, ours, expected=None):
    """The lines that tell where two answers differ otherwise than expected; empty for twins."""
    expected, found = expected or {}, differences(meaning(theirs), meaning(ours))
    if "code" in found:
        found = {"code": found["code"]}
    elif ours.code != 0:
        # A refusal may say more than Apache's.
        found = {path: pair for path, pair in found.items() if pair[0] != NOTHING}
    lines = []
    for path, pair in found.items():
        known = [wanted for name, wanted in expected.items() if matches(name, path)]
        if not any(wanted[0] in (pair[0], ANY) and wanted[1] in (pair[1], ANY) for wanted in known):
            lines.append(f"{path}: Apache's {pair[0]!r}, ours {pair[1]!r}")
    for name, wanted in expected.items():
        if wanted[0] != ANY and not any(matches(name, path) for path in found):
            lines.append(f"{name}: is said to differ, and does not")
    if theirs.remark and ours.code != 0 and not ours.remark:
        lines.append(f"remark: Apache's {theirs.remark!r}, ours none")
    if lines:
        lines.append(f"remarks: Apache's {(theirs.remark or '')[:160]!r}, ours {(ours.remark or '')[:160]!r}")
    return lines

# Tests: tests/test_errors.py
"""The tree of errors, and the answer that each one carries.

Four branches: what a peer did wrong on the wire (`ProtocolError`), what a request may be told (`RequestError`), what befell the
store (`StoreError`) and what a user of the client library meets (`ClientError`). A setting that cannot be used is a
`ConfigError`. An error is raised where it is found and turned into an answer in exactly one place, `pymq.remoting.dispatcher`.
"""

from __future__ import annotations


class PyMQError(Exception):
    """The root of every error that pymq raises on purpose."""


class ConfigError(PyMQError):
    """A setting that the broker, the name server or a client cannot use; its text names key, value and what is allowed."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"{key}={value!s} cannot be used: {allowed}")
        self.key = key
        self.value = value
        self.allowed = allowed


class ProtocolError(PyMQError):
    """A peer sent bytes that are not the remoting protocol. The connection cannot go on and is closed."""


class FrameError(ProtocolError):
    """The frame's lengths contradict each other or pass the limit."""


class HeaderError(ProtocolError):
    """The header of a frame could not be read."""


class RequestError(PyMQError):
    """A request that is answered with a response code and a remark that a person can act on; the connection lives on."""

    def __init__(self, code: int, remark: str) -> None:
        super().__init__(f"response code {int(code)}: {remark}")
        self.code = int(code)
        self.remark = remark


class StoreError(PyMQError):
    """The root of what can befall the store."""


class StoreClosed(StoreError):
    """The store is not open: not yet loaded, or already closed."""


class StoreLocked(StoreError):
    """Another process, ours or a Java broker, uses the same store directory."""


class StoreDamaged(StoreError):
    """A file of the store contradicts its layout; the text names file, offset and cause."""


class SyncFailed(StoreError, OSError):
    """A file or folder could not be made durable. Nobody knows what of it is on the disk, and trying again does not tell."""


class StoreReadOnly(StoreError):
    """The store takes no more messages: the disk failed or is full; the text says which."""


class DecodeError(PyMQError):
    """Bytes that should hold a record, a batch or a property string do not; the text says where and why."""


class ConnectionClosed(PyMQError):
    """The channel closed before the answer came, or was closed already."""


class RequestTimeout(PyMQError):
    """No answer came within the deadline."""

    def __init__(self, address: str, code: int, timeout_s: float) -> None:
        super().__init__(f"no answer from {address} to request code {int(code)} within {timeout_s:g} s")
        self.address = address
        self.code = int(code)
        self.timeout_s = timeout_s


class TooManyRequests(PyMQError):
    """The bound on open requests of one channel is reached; try again after some were answered."""


class ClientError(PyMQError):
    """The root of what a user of `pymq.client` can meet."""


class BrokerRefused(ClientError):
    """The server answered with another code than success. `code` and `remark` are the server's own (Java: MQBrokerException)."""

    def __init__(self, code: int, remark: str | None, address: str) -> None:
        super().__init__(f"{address} answered code {int(code)}: {remark or 'no remark'}")
        self.code = int(code)
        self.remark = remark
        self.address = address


class NotSupported(BrokerRefused):
    """The server does not know the request: it is older than the feature, or lacks it."""

    def __init__(self, code: int, remark: str | None, address: str, needs: str) -> None:
        super().__init__(code, f"{remark or 'no remark'}; this needs {needs}", address)


class NoRoute(ClientError):
    """No name server knows a usable route for the topic."""


class NoNameServer(ClientError):
    """No name server address is set, or none of them could be reached."""


class ConnectFailed(ClientError):
    """No connection to a server could be made, or the last try failed so lately that no other is made for `again_s` yet."""

    def __init__(self, address: str, reason: str, again_s: float = 0.0) -> None:
        super().__init__(f"cannot connect to {address}: {reason}")
        self.address = address
        self.reason = reason
        self.again_s = again_s


class InvalidMessage(ClientError):
    """The message breaks a rule that every broker enforces: its topic's name, its size, its properties."""


class NoReply(ClientError):
    """A request was sent, and nobody replied to it in time."""

    def __init__(self, topic: str, timeout_s: float) -> None:
        super().__init__(f"the request to {topic} was sent, but no reply came within {timeout_s:g} s; does anybody consume it?")
        self.topic = topic
        self.timeout_s = timeout_s


class NotStarted(ClientError):
    """The producer or consumer was used before its start or after its shutdown."""

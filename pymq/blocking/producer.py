# Tests: tests/blocking/test_producer.py
"""The producers, for threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymq import aio
from pymq.blocking.callbacks import Callbacks
from pymq.blocking.face import Face, waited
from pymq.client.hooks import SendMessageHook
from pymq.client.transactions import Check, Execute


class Producer(Face[aio.Producer]):
    """Sends messages; may be used by many threads at once.

    ::

        with Producer("my-group", namesrv_addr="127.0.0.1:9876") as producer:
            result = producer.send(Message("my-topic", b"hello", tags="A"))

    Settings, methods and errors are those of `pymq.client.Producer`.
    """

    _survives_fork = True

    def __init__(self, group: str, *, hooks: Sequence[SendMessageHook] = (), **settings: Any) -> None:
        """Raises ConfigError, ClientError."""
        super().__init__(lambda _: aio.Producer(group, hooks=hooks, **settings))

    send = waited(aio.Producer.send)
    send_oneway = waited(aio.Producer.send_oneway)
    send_batch = waited(aio.Producer.send_batch)
    request = waited(aio.Producer.request)
    fetch_publish_queues = waited(aio.Producer.fetch_publish_queues)


class TransactionProducer(Producer):
    """A producer whose messages become visible when its local transaction is committed.

    `execute` and `check` are called in threads of their own and may block; all else is as `pymq.client.TransactionProducer` says.
    """

    def __init__(
        self, group: str, *, execute: Execute, check: Check, hooks: Sequence[SendMessageHook] = (), **settings: Any
    ) -> None:
        """Raises ConfigError, ClientError."""

        def make(callbacks: Callbacks) -> aio.Producer:
            do, ask = callbacks.in_threads(execute), callbacks.in_threads(check)
            return aio.TransactionProducer(group, execute=do, check=ask, hooks=hooks, **settings)

        Face.__init__(self, make)

    send_in_transaction = waited(aio.TransactionProducer.send_in_transaction)

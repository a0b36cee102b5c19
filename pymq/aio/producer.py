# Tests: tests/aio/test_producer.py
"""The producers, for asyncio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymq import client as on_deferreds
from pymq.aio.face import Face, awaited, bridged
from pymq.aio.looptransport import on_loop
from pymq.client.transactions import Check, Execute


class Producer(Face[on_deferreds.Producer]):
    """Sends messages. Many sends may be under way at once.

    ::

        async with Producer("my-group", namesrv_addr="127.0.0.1:9876") as producer:
            result = await producer.send(Message("my-topic", b"hello", tags="A"))

    Settings, methods and errors are those of `pymq.client.Producer`.
    """

    def __init__(self, group: str, *, hooks: Sequence[on_deferreds.SendMessageHook] = (), **settings: Any) -> None:
        """Raises ConfigError, ClientError."""
        self.client = on_deferreds.Producer(group, hooks=hooks, **on_loop(settings))

    send = awaited(on_deferreds.Producer.send)
    send_oneway = awaited(on_deferreds.Producer.send_oneway)
    send_batch = awaited(on_deferreds.Producer.send_batch)
    request = awaited(on_deferreds.Producer.request)
    fetch_publish_queues = awaited(on_deferreds.Producer.fetch_publish_queues)


class TransactionProducer(Producer):
    """A producer whose messages become visible when its local transaction is committed.

    `execute` and `check` may be coroutine functions; all else is as `pymq.client.TransactionProducer` says.
    """

    client: on_deferreds.TransactionProducer

    def __init__(
        self, group: str, *, execute: Execute, check: Check, hooks: Sequence[on_deferreds.SendMessageHook] = (), **settings: Any
    ) -> None:
        """Raises ConfigError, ClientError."""
        self.client = on_deferreds.TransactionProducer(
            group,
            execute=bridged(execute),
            check=bridged(check),
            hooks=hooks,
            **on_loop(settings),
        )

    send_in_transaction = awaited(on_deferreds.TransactionProducer.send_in_transaction)

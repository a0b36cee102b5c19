# Tests: tests/message/test_namespaces.py
"""Namespaces: topics and groups whose names bear that of a namespace on the wire, and not where their users see them.

`orders` of the namespace `shop` is `shop%orders`, the retry topic `%RETRY%carts` is `%RETRY%shop%carts`. It is a matter between
clients: a broker takes such a name for a name. What belongs to the system is in no namespace. Java: NamespaceUtil.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from pymq.message.topics import DLQ_PREFIX, RETRY_PREFIX, is_system_group, is_system_topic
from pymq.wire.bodies.messagequeue import MessageQueue

SEPARATOR = "%"


def _divided(resource: str) -> tuple[str, str]:
    """(`%RETRY%` or `%DLQ%` or nothing, the rest) of a topic or group."""
    for prefix in (RETRY_PREFIX, DLQ_PREFIX):
        if resource.startswith(prefix):
            return prefix, resource[len(prefix) :]
    return "", resource


def without_namespace(resource: str) -> str:
    """The topic or group without whatever namespace it has."""
    prefix, name = _divided(resource)
    namespace, separator, rest = name.partition(SEPARATOR)
    return prefix + rest if separator and namespace else resource


@attrs.frozen
class Namespace:
    """One namespace; that with the empty name leaves everything as it is. Raises ValueError for a name with the separator."""

    name: str = attrs.field(default="")

    @name.validator
    def _check(self, _: object, value: str) -> None:
        if SEPARATOR in value:
            raise ValueError(f"the namespace {value} has a {SEPARATOR} in it, which is what parts it from names")

    def _has(self, resource: str) -> bool:
        return _divided(resource)[1].startswith(self.name + SEPARATOR)

    def wrap(self, resource: str) -> str:
        """A topic or group as it goes over the wire; one that is wrapped already stays as it is."""
        if not self.name or not resource or is_system_topic(resource) or is_system_group(resource) or self._has(resource):
            return resource
        prefix, name = _divided(resource)
        return f"{prefix}{self.name}{SEPARATOR}{name}"

    def unwrap(self, resource: str) -> str:
        """A topic or group as its user knows it; that of another namespace stays as it is."""
        return without_namespace(resource) if self.name and self._has(resource) else resource

    def wrap_queue(self, queue: MessageQueue) -> MessageQueue:
        """The queue of the wrapped topic."""
        return MessageQueue(self.wrap(queue.topic), queue.broker_name, queue.queue_id) if self.name else queue

    def unwrap_queue(self, queue: MessageQueue) -> MessageQueue:
        """The queue of the topic as its user knows it."""
        return MessageQueue(self.unwrap(queue.topic), queue.broker_name, queue.queue_id) if self.name else queue

    def unwrap_queues(self, queues: Iterable[MessageQueue]) -> list[MessageQueue]:
        """All of them, as a list."""
        return [self.unwrap_queue(queue) for queue in queues]


NO_NAMESPACE = Namespace()

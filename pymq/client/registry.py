# Tests: tests/client/test_registry.py
"""The instances of this process: the client library's only global state."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from pymq.client.instance import MQClientInstance
from pymq.interfaces import IClock


class InstanceRegistry:
    """The instances of this process by client id and reactor; empty when every member is shut down (Java: MQClientManager)."""

    def __init__(self) -> None:
        self._instances: dict[tuple[str, IClock], MQClientInstance] = {}
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._instances)

    def unique_number(self) -> int:
        """A number that no other client of this process was given."""
        return next(self._numbers)

    def get_or_make(self, client_id: str, clock: IClock, make: Callable[[], MQClientInstance]) -> MQClientInstance:
        """The instance of that id on the reactor `clock`."""
        key = client_id, clock
        if key not in self._instances:
            self._instances[key] = make()
        return self._instances[key]

    async def release(self, instance: MQClientInstance) -> None:
        """Shut the instance down and forget it, if it has no member any more."""
        if instance.is_empty():
            key = instance.client_id, instance.clock
            if self._instances.get(key) is instance:
                del self._instances[key]
            await instance.shutdown()


#: The one table of the process.
REGISTRY = InstanceRegistry()

# Tests: tests/broker/processors/test_livesettings.py
"""The running broker's settings, shown and changed by tools (25, 26; Java: Configuration).

The settings classes are frozen, and every part holds them by reference. `LiveSettings` is the one place that changes them: only
fields that are declared `live`, only when the whole new configuration was checked, and in place, so that all parts see it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from pymq.errors import ConfigError
from pymq.interfaces import IClock
from pymq.settings import key_of, lines_of, live_keys, read_settings, text_of
from pymq.wire.bodies.topics import DataVersion


class LiveSettings:
    """The settings objects `configs` of a broker. `on_change(keys)` is told which keys a change named.

    `black_list` are keys that tools may not touch at all.
    """

    def __init__(
        self,
        *configs: Any,
        clock: IClock,
        black_list: Sequence[str] = (),
        on_change: Callable[[frozenset[str]], None] | None = None,
    ) -> None:
        self._configs = configs
        self._clock = clock
        self.black_list = frozenset(black_list)
        self._on_change = on_change
        self._version = DataVersion(timestamp=int(clock.seconds() * 1000), counter=0)

    @property
    def version(self) -> DataVersion:
        """Another one after each change."""
        return self._version

    def text(self) -> str:
        """All settings as `key=value` lines."""
        return lines_of(*self._configs)

    def update(self, properties: Mapping[str, str]) -> None:
        """Change settings; unknown keys and values that are set already have no effect.

        Raises ConfigError, having changed nothing, for a value that cannot be and for a setting that needs a new start.
        """
        changes = [(config, read_settings(type(config), properties, config)) for config in self._configs]
        names = []
        for old, new in changes:
            live = live_keys(type(old))
            for field in attrs.fields(type(old)):
                value = getattr(new, field.name)
                if value == getattr(old, field.name):
                    continue
                if key_of(field) not in live:
                    allowed = "it cannot change while the broker runs, only in broker.conf"
                    raise ConfigError(key_of(field), text_of(value), allowed)
                names.append((old, field, value))
        for config, field, value in names:
            # The classes are frozen against everybody else.
            object.__setattr__(config, field.name, value)
        if names:
            self._version = DataVersion(timestamp=int(self._clock.seconds() * 1000), counter=self._version.counter + 1)
            if self._on_change is not None:
                self._on_change(frozenset(key_of(field) for _, field, _ in names))

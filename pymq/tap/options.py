# Tests: tests/tap/test_options.py
"""What the two command lines share: Apache's flags, `key=value` words, and how they become one table of settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.python import usage

from pymq.errors import ConfigError
from pymq.settings import parse_properties, parse_words
from pymq.tap.starting import CannotStart

NAMESRV_ADDR_VARIABLE = "NAMESRV_ADDR"


class ServerOptions(usage.Options):
    """Flags with Apache's letters. Later sources win: environment, file of `-c`, flags, `key=value` words.

    Subclasses give `interpret(properties)`, which checks all settings; what it raises as ConfigError stops the start.
    """

    optParameters = [
        ["configFile", "c", None, "a file of Java properties, such as Apache's broker.conf"],
    ]
    optFlags = [
        ["printConfigItem", "p", "print every setting with its value, and exit"],
        ["printImportantConfig", "m", "print the important settings with their values, and exit"],
    ]
    #: The flags that stand for a setting: option name -> key.
    flag_keys: Mapping[str, str] = {}
    #: The console script, and the word of twistd.
    program = ""
    #: The arguments, for the usage line.
    synopsis = ""
    #: What `--help` ends with: examples, and the settings with their defaults.
    examples: Sequence[str] = ()

    def __init__(self, environ: Mapping[str, str] = os.environ, write: Callable[[str], Any] | None = None) -> None:
        self._environ = environ
        self._write = write or sys.stdout.write
        self._words: tuple[str, ...] = ()
        self.warnings: list[str] = []
        super().__init__()

    def getSynopsis(self) -> str:
        """twistd puts its own words and ours before the synopsis of a plugin."""
        return f"Usage: {self.program} {self.synopsis}" if self.parent is None else super().getSynopsis()

    def getUsage(self, width: int | None = None) -> str:
        """The flags, examples, and a page of settings that is not to be wrapped."""
        examples = "\n".join(f"  {example}" for example in self.examples)
        settings = f"The settings, with their defaults:\n\n{self.settings_page()}\n"
        return f"{super().getUsage(width)}\nExamples:\n\n{examples}\n\n{settings}"

    def opt_help(self) -> None:
        """Display this help and exit."""
        super().opt_help()

    opt_h = opt_help

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse and check a command line. Raises CannotStart; twistd would put the reason below a page of usage."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise CannotStart(f"{error} (see --help)") from None

    def parseArgs(self, *words: str) -> None:
        """Words after the flags are settings: `key=value`."""
        for word in words:
            if word.startswith("-"):
                raise usage.UsageError(f"{word} must stand before the key=value words")
        self._words = words

    def postOptions(self) -> None:
        """Put the sources together and check the result, so that nothing starts with a wrong setting."""
        try:
            self.interpret(self._properties())
        except ConfigError as error:
            raise usage.UsageError(str(error)) from error
        if self["printConfigItem"] or self["printImportantConfig"]:
            self._write(self.settings_text(important_only=not self["printConfigItem"]))
            raise SystemExit(0)

    def _properties(self) -> dict[str, str]:
        properties: dict[str, str] = {}
        if self._environ.get(NAMESRV_ADDR_VARIABLE):
            properties["namesrvAddr"] = self._environ[NAMESRV_ADDR_VARIABLE]
        if self["configFile"] is not None:
            properties.update(read_properties(self["configFile"]))
        for option, key in self.flag_keys.items():
            if self[option] is not None:
                properties[key] = self[option]
        properties.update(parse_words(self._words))
        return properties

    def interpret(self, properties: Mapping[str, str]) -> None:
        """Make the configuration. Raises ConfigError."""
        raise TypeError(f"{type(self).__name__} must say how its settings are read")

    def settings_page(self) -> str:
        """Every setting with its default and its meaning, for `--help`."""
        raise TypeError(f"{type(self).__name__} must say which settings it has")

    def settings_text(self, important_only: bool) -> str:
        """The settings as `key=value` lines."""
        raise TypeError(f"{type(self).__name__} must say how its settings are printed")


def read_properties(path: str) -> dict[str, str]:
    """The settings in a file. Raises ConfigError when it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return parse_properties(file.read())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("configFile", path, f"a readable file of key=value lines is needed ({error})") from error

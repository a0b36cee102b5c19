# Tests: tests/tap/test_namesrv.py
"""`twistd pymq-namesrv`: options and makeService."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.application.service import IService

from pymq.namesrv.config import NamesrvConfig
from pymq.settings import describe_settings, lines_of, read_settings, unknown_keys
from pymq.tap.options import ServerOptions


class Options(ServerOptions):
    """The flags of Apache's mqnamesrv, and every key of its configuration file as a `key=value` word."""

    synopsis = "pymq-namesrv [-c namesrv.conf] [-p] [-m] [key=value ...]"
    longdesc = "Runs a RocketMQ name server.\n\nThe settings, with their defaults:\n\n"

    config: NamesrvConfig

    def getUsage(self, width: int | None = None) -> str:
        """The flags, and the page of settings."""
        return f"{super().getUsage(width)}\n{describe_settings(NamesrvConfig)}\n"

    def interpret(self, properties: Mapping[str, str]) -> None:
        """Make the configuration. Raises ConfigError."""
        self.config = read_settings(NamesrvConfig, properties)
        self.warnings = unknown_keys((NamesrvConfig,), properties, ignored=("namesrvAddr",))

    def settings_text(self, important_only: bool) -> str:
        return lines_of(self.config, important_only=important_only)


def makeService(options: Options) -> IService:
    """The name server as a service; the only place that takes the global reactor."""
    from twisted.internet import reactor

    from pymq.services.namesrv import NamesrvController

    return NamesrvController(options.config, reactor=reactor, warnings=options.warnings)

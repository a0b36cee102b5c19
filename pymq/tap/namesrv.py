# Tests: tests/tap/test_namesrv.py
"""`twistd pymq-namesrv`: options and makeService."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.application.service import IService

from pymq.namesrv.config import NamesrvConfig
from pymq.settings import describe_settings, lines_of, read_settings, unknown_keys
from pymq.tap.limits import raise_open_files_limit
from pymq.tap.options import ServerOptions
from pymq.tap.starting import PlainStart


class Options(ServerOptions):
    """The flags of Apache's mqnamesrv, and every key of its configuration file as a `key=value` word."""

    program = "pymq-namesrv"
    synopsis = "[-c namesrv.conf] [-p] [-m] [key=value ...]"
    longdesc = "Runs a RocketMQ name server, for brokers of PyMQ and of Apache alike."
    examples = (
        "twistd -n pymq-namesrv                  on port 9876",
        "twistd -n pymq-namesrv -c namesrv.conf  as Apache's mqnamesrv",
        "pymq-namesrv listenPort=0               without twistd, on a free port, which the first line names",
    )
    optParameters = [
        ["namesrvAddr", "n", None, "taken, as Apache's does, and of no effect"],
    ]

    config: NamesrvConfig

    def settings_page(self) -> str:
        return describe_settings(NamesrvConfig)

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

    raise_open_files_limit()
    return PlainStart(NamesrvController(options.config, reactor=reactor, warnings=options.warnings))

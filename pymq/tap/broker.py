# Tests: tests/tap/test_broker.py
"""`twistd pymq-broker`: options and makeService."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from twisted.application.service import IService

from pymq.broker.config import BrokerConfig, check_role
from pymq.settings import describe_settings, lines_of, read_settings, unknown_keys
from pymq.store.config import MessageStoreConfig
from pymq.tap.limits import raise_open_files_limit
from pymq.tap.options import ServerOptions
from pymq.tap.starting import PlainStart


class Options(ServerOptions):
    """The flags of Apache's mqbroker, and every key of broker.conf as a `key=value` word."""

    program = "pymq-broker"
    synopsis = "[-c broker.conf] [-n HOST:PORT;...] [--advertise ADDRESS] [-p] [-m] [key=value ...]"
    longdesc = (
        "Runs a RocketMQ broker. Without a name server address a name server runs inside, on port 9876. "
        "The environment variable NAMESRV_ADDR, the file given with -c, the flags and the key=value words set the same settings, "
        "each stronger than the one before it."
    )
    examples = (
        "twistd -n pymq-broker                                  with a name server inside, messages in ~/store",
        "twistd -n pymq-broker -c broker.conf -n 10.0.0.1:9876  as Apache's mqbroker: registers with that name server",
        "twistd -n pymq-broker --advertise 203.0.113.7          behind NAT: clients are told this address",
        "twistd -n pymq-broker storeType=memory listenPort=0    for a test: nothing on disk, a free port",
        "pymq-broker flushDiskType=SYNC_FLUSH                   without twistd; an answer means: on the disk",
    )
    optParameters = [
        ["namesrvAddr", "n", None, "the name servers to register with, host:port;host:port"],
        ["advertise", None, None, "the address that clients are told: the same as the setting brokerIP1"],
    ]
    flag_keys = {"namesrvAddr": "namesrvAddr", "advertise": "brokerIP1"}

    broker_config: BrokerConfig
    store_config: MessageStoreConfig

    def settings_page(self) -> str:
        return f"{describe_settings(BrokerConfig)}\n{describe_settings(MessageStoreConfig)}"

    def interpret(self, properties: Mapping[str, str]) -> None:
        """Make both configurations. Raises ConfigError."""
        broker = read_settings(BrokerConfig, properties)
        self.store_config = read_settings(MessageStoreConfig, properties)
        self.broker_config = attrs.evolve(broker, broker_id=check_role(self.store_config.broker_role, broker.broker_id))
        self.warnings = unknown_keys((BrokerConfig, MessageStoreConfig), properties)

    def settings_text(self, important_only: bool) -> str:
        return lines_of(self.broker_config, self.store_config, important_only=important_only)


def makeService(options: Options) -> IService:
    """The broker as a service; the only place that takes the global reactor."""
    from twisted.internet import reactor

    from pymq.services.broker import BrokerController

    raise_open_files_limit()
    controller = BrokerController(options.broker_config, options.store_config, reactor=reactor, warnings=options.warnings)
    return PlainStart(controller, when_ready=controller.when_ready, reactor=reactor)

# Tests: tests/services/test_broker.py
"""The foreman of a broker: builds every part, hands each just what it uses, starts them in order, stops them in reverse.

Nobody looks up: no part holds the BrokerController (Java's BrokerController is held by 72 classes).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred, succeed
from twisted.logger import Logger

from pymq.broker.config import HA_PORT_STEP, VIP_PORT_STEP, BrokerConfig
from pymq.interfaces import IFiles, IMessageStore
from pymq.namesrv.config import NamesrvConfig
from pymq.periodic import Periodic
from pymq.remoting.client import RemotingClient
from pymq.remoting.dispatcher import Dispatcher, ProcessorTable
from pymq.remoting.server import RemotingServerFactory
from pymq.services.announce import say_line
from pymq.services.brokerparts import BrokerParts
from pymq.services.flushthread import FlushThread
from pymq.services.flusher import Flusher
from pymq.services.listening import Listener, host_name, listen_pair, local_address
from pymq.services.namesrv import NamesrvController
from pymq.services.registrar import Registrar
from pymq.services.sequence import Sequence as PartSequence
from pymq.store.config import MessageStoreConfig
from pymq.store.documents import FileDocuments
from pymq.store.files import DiskFiles
from pymq.store.memory import MemoryMessageStore
from pymq.store.store import FileMessageStore
from pymq.testing.documents import MemoryDocuments

MEMORY_STORE = "memory"
LOOPBACK = "127.0.0.1"
EXPIRY_PERIOD_S = 10.0
HOLD_CHECK_S = 1.0
MAINTENANCE_S = 1.0
STATS_SAMPLE_S = 1.0
IDLE_SWEEP_S = 10.0
OFFSETS_SAVE_INITIAL_S = 10.0


class BrokerController(Service):
    """A broker on its two ports, with a name server inside when it is given none.

    `port` and `namesrv_port` are the real numbers once it is started; `when_ready()` fires when the first registration went through
    and clients find its topics.
    """

    log = Logger()

    def __init__(
        self,
        config: BrokerConfig,
        store_config: MessageStoreConfig,
        *,
        reactor: Any,
        files: IFiles | None = None,
        run_blocking: Any = None,
        say: Callable[[str], None] = say_line,
        warnings: Sequence[str] = (),
    ) -> None:
        self._given_config = config
        self._store_config = store_config
        self._reactor = reactor
        self._files = files
        self._run_blocking = run_blocking
        self._say = say
        self._warnings = warnings
        self._running: PartSequence | None = None
        self._ready: Deferred[None] = Deferred()
        self.namesrv_port = 0
        self.port = 0

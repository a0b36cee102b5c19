"""PyMQ as its users run it: a twistd process with a broker.conf, on free ports, its store in a temporary folder."""

import os
import re
import sys
from pathlib import Path

from . import wire
from .processes import BROKER_NEIGHBOURS, Child, WorkFolder, free_port

ROOT = Path(__file__).resolve().parents[2]
READY_S = 90
BOOTED = re.compile(r"The broker\[.+, .+\] boot success\. serializeType=JSON")
NAMESRV_BOOTED = re.compile(r"The Name Server boot success\. serializeType=JSON")
BROKER_NAME = "broker-pymq"


def twistd(*arguments):
    """The twistd beside this interpreter, in the foreground, without a pid file."""
    script = Path(sys.executable).with_name("twistd")
    start = [script] if script.exists() else [sys.executable, "-m", "twisted.scripts.twistd"]
    return [*start, "-n", "--pidfile=", *arguments]


def environment():
    """This process's environment with the checkout on the path, so that twistd finds the plugin."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


class PyMQProcess:
    """A twistd process with a folder of its own that lasts over restarts.

    `command()`, which each kind defines, gives the words behind `twistd -n --pidfile=`. `on_line`, if given, is called with
    each line of its log, over all restarts.
    """

    booted = BOOTED
    #: The Java client and tools whose servers it is like.
    java_version = "4.9.8"

    def __init__(self, on_line=None):
        self._work = WorkFolder("pymq-server-")
        self._child, self._on_line = None, on_line

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_reason):
        self.kill()
        self._work.remove()

    def start(self):
        """Start it and wait for the line that says so."""
        self._child = Child(self.argv(), self._work.path, self.variables(), on_line=self._on_line)
        self._child.wait_for(lambda: any(map(self.booted.search, self._child.lines)), READY_S, "start of PyMQ")

    def argv(self):
        """How it is run."""
        return twistd(*self.command())

    def variables(self):
        """The environment that it runs in."""
        return environment()

    @property
    def pid(self):
        """The process id."""
        return self._child.pid

    def stop(self):
        """SIGTERM and wait; the exit code."""
        child, self._child = self._child, None
        return child.stop() if child else None

    def kill(self):
        """SIGKILL; what is on the disk stays."""
        child, self._child = self._child, None
        return child.kill() if child else None

    def signal(self, number):
        """Send a signal to it."""
        self._child.signal(number)

    def ended(self):
        """Wait for its end after a signal that asked for it; the exit code."""
        child, self._child = self._child, None
        return child.ended()

    def restart(self):
        """Start again on the same ports with the same store, stopping it first if it runs."""
        self.stop()
        self.start()

    def log(self):
        """The last lines that it wrote."""
        return self._child.tail(60) if self._child else "not running"


class PyMQServer(PyMQProcess):
    """A broker with a name server in it. `namesrv` given: a broker that registers there instead."""

    def __init__(self, namesrv=None, on_line=None, **config):
        super().__init__(on_line)
        self.port = free_port(BROKER_NEIGHBOURS)
        self.broker = f"127.0.0.1:{self.port}"
        self.namesrv = namesrv or f"127.0.0.1:{free_port()}"
        place = {"namesrvAddr": namesrv} if namesrv else {"embeddedNamesrvListenPort": self.namesrv.rsplit(":", 1)[1]}
        self.config = {
            "brokerClusterName": "DefaultCluster",
            "brokerName": BROKER_NAME,
            "brokerId": 0,
            "brokerIP1": "127.0.0.1",
            "listenPort": self.port,
            "haListenPort": self.port + 1,
            "storePathRootDir": self.store,
            # As for Apache's: JVMs that start beside it may keep it from the processor for longer than Apache's 200 ms, and
            # within an append for longer than its 1000 ms.
            "waitTimeMillsInSendQueue": 5000,
            "osPageCacheBusyTimeOutMills": 5000,
            **place,
            **config,
        }

    @property
    def store(self):
        """The folder of the store."""
        return self._work.path / "store"

    @property
    def name(self):
        """The broker's name."""
        return self.config["brokerName"]

    def command(self):
        """The broker with its configuration written out."""
        conf = self._work.path / "broker.conf"
        conf.write_text("".join(f"{key}={value}\n" for key, value in self.config.items()))
        return ["pymq-broker", "-c", conf]

    def start(self):
        """Start it, and wait also until its name server knows it."""
        super().start()
        wire.wait_until(
            lambda: wire.has_broker(self.namesrv, self.name, self.broker), READY_S, "registration of PyMQ", self._child.running
        )

    def create_topic(self, topic, queues=4):
        """Make a topic and wait for its route."""
        return wire.create_topic(self.broker, self.namesrv, topic, queues)


class PyMQNamesrv(PyMQProcess):
    """PyMQ's name server alone."""

    booted = NAMESRV_BOOTED

    def __init__(self):
        super().__init__()
        self.namesrv = f"127.0.0.1:{free_port()}"

    def command(self):
        """The name server on its port."""
        conf = self._work.path / "namesrv.conf"
        conf.write_text(f"listenPort={self.namesrv.rsplit(':', 1)[1]}\n")
        return ["pymq-namesrv", "-c", conf]

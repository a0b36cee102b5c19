"""Real Apache name servers and brokers, small, on free ports, in temporary folders."""

from . import toolchain, wire
from .processes import BROKER_NEIGHBOURS, Child, WorkFolder, free_port

READY_S = 120
BROKER_NAME = "broker-apache"
SMALL_STORE = {
    "mappedFileSizeCommitLog": 16 << 20,
    "mappedFileSizeConsumeQueue": 60000,
    "maxHashSlotNum": 100000,
    "maxIndexNum": 400000,
    "mappedFileSizeTimerLog": 1 << 20,
}


class ApacheCluster:
    """A name server and a broker of one version. `namesrv` given: only a broker. `broker=False`: only a name server.

    `options` are more flags for their JVMs, `files` texts to put into their home folder by name.
    """

    def __init__(self, version, namesrv=None, broker=True, options=(), files=None, **config):
        self.version, self.config, self._options, self._files = version, config, options, files or {}
        self._work = WorkFolder("pymq-apache-")
        self._own_namesrv, self._with_broker = namesrv is None, broker
        self.namesrv = namesrv or f"127.0.0.1:{free_port()}"
        self.port = free_port(BROKER_NEIGHBOURS)
        self.broker = f"127.0.0.1:{self.port}" if broker else None
        self._children = {}

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
        """Start what belongs to it, and wait until it answers."""
        home = self._work.path
        toolchain.write_logback(home)
        for name, text in self._files.items():
            (home / name).write_text(text)
        if self._own_namesrv:
            port = self.namesrv.rsplit(":", 1)[1]
            (home / "namesrv.conf").write_text(
                f"listenPort={port}\nkvConfigPath={home}/kvConfig.json\nconfigStorePath={home}/namesrv.properties\n"
            )
            self._spawn("namesrv", "128m", "org.apache.rocketmq.namesrv.NamesrvStartup")
            self._wait("namesrv", lambda: wire.answers(self.namesrv))
        if self._with_broker:
            (home / "broker.conf").write_text("".join(f"{key}={value}\n" for key, value in self._broker_keys().items()))
            self._spawn("broker", "512m", "org.apache.rocketmq.broker.BrokerStartup")
            self._wait("broker", lambda: wire.has_broker(self.namesrv, self.name, self.broker))

    @property
    def java_version(self):
        """Which Java client, and which of the tools, go with it; those of 4.9 are newer than its servers here."""
        return "4.9.8" if self.version.startswith("4.") else self.version

    @property
    def name(self):
        """The broker's name."""
        return self.config.get("brokerName", BROKER_NAME)

    def _broker_keys(self):
        store = self._work.path / "store"
        keys = {
            "brokerClusterName": "DefaultCluster",
            "brokerName": BROKER_NAME,
            "brokerId": 0,
            "brokerIP1": "127.0.0.1",
            "brokerIP2": "127.0.0.1",
            "listenPort": self.port,
            "haListenPort": self.port + 1,
            "namesrvAddr": self.namesrv,
            "storePathRootDir": store,
            "storePathCommitLog": store / "commitlog",
            "autoCreateTopicEnable": "true",
            "waitTimeMillsInSendQueue": 5000,
            "osPageCacheBusyTimeOutMills": 5000,
            **SMALL_STORE,
        }
        if self.version.startswith("4."):
            del keys["mappedFileSizeTimerLog"]
        return {**keys, **self.config}

    def _spawn(self, part, heap, main):
        home = self._work.path
        command = [
            toolchain.need_tool("java", "default-jre-headless"),
            f"-Xmx{heap}",
            "-XX:MaxDirectMemorySize=512m",
            *toolchain.JVM_FLAGS,
            f"-Duser.home={home}",
            f"-Drocketmq.home.dir={home}",
            "-Drocketmq.broker.diskSpaceWarningLevelRatio=0.99",
            *self._options,
            "-cp",
            f"{toolchain.server_jars(self.version)}/*",
            main,
            "-c",
            home / f"{part}.conf",
        ]
        self._children[part] = Child(command, home)

    def _wait(self, part, condition):
        child = self._children[part]
        try:
            wire.wait_until(condition, READY_S, f"Apache {part} {self.version}", child.running)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None

    def stop(self):
        """SIGTERM to both, the broker first, and wait."""
        for part in ("broker", "namesrv"):
            if part in self._children:
                self._children.pop(part).stop()

    def kill(self):
        """SIGKILL to both."""
        for child in self._children.values():
            child.kill()
        self._children.clear()

    def restart(self):
        """Start again on the same ports with the same store, after `stop` or `kill`."""
        self.stop()
        self.start()

    def create_topic(self, topic, queues=4):
        """Make a topic and wait for its route."""
        return wire.create_topic(self.broker, self.namesrv, topic, queues)

    def log(self):
        """The tails of all that the servers said."""
        said = [child.tail() for child in self._children.values()]
        files = sorted(self._work.path.glob("*.log"))
        return "\n".join(said + [f"--- {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in files])

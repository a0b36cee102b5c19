"""The simulated world: machines on one clock and one network, the broker's disk, and who can cut what."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from pymq.broker.config import BrokerConfig
from pymq.message.topics import keeps_queues
from pymq.services.broker import BrokerController
from pymq.settings import read_settings
from pymq.store.config import MessageStoreConfig
from pymq.testing.machine import MemoryMachine, SimulatedThread
from pymq.testing.memoryfaults import power_cut
from pymq.testing.memoryfiles import MemoryFiles
from pymq.testing.memoryreactor import MemoryReactor

__all__ = ["ADDRESS", "World"]

HOST, PORT = "10.0.1.1", 10911
ADDRESS = f"{HOST}:{PORT}"
#: How often the other machines get a turn while the flusher's thread waits for the disk.
TURN_WHILE_SYNCING = 0.5
#: More calls than this within one step of time are an error: something does not come to rest.
CALLS_MAX = 200_000

#: What every broker of the simulation is set to; small files, so that everything rolls.
SETTINGS = {
    "brokerName": "broker-a",
    "brokerIP1": HOST,
    "bindAddress": HOST,
    "namesrvAddr": "10.0.0.1:9876",
    "messageDelayLevel": "1s 2s 5s",
    "transactionTimeOut": "2000",
    "transactionCheckInterval": "3000",
    "transactionCheckMax": "1000",
    "longPollingEnable": "false",
    "cleanResourceInterval": "1000",
}


class World:
    """Everything there is. `settings` are the broker's, `say` notes what happens."""

    def __init__(self, random: Random, settings: dict[str, str], say: Callable[..., None]) -> None:
        self.random = random
        self.reactor = MemoryReactor()
        self.files = MemoryFiles(clock=self.reactor)
        self.say = say
        self._settings = {**SETTINGS, **settings}
        self.controller: BrokerController | None = None
        self._machine = MemoryMachine(self.reactor)
        self._thread = SimulatedThread(self._machine, float, float)
        #: Operations of the disk until the power is cut; negative for never. And how it is cut.
        self._operations_left = -1
        self._cut_name = ""
        self._is_nested = False
        #: Seconds that a flush of the log takes now.
        self.flush_s = 0.0
        #: When the newest flush began that ended well, and whether one of this life failed; seconds since the epoch.
        self.flushed_at = 0.0
        #: When the last life ended.
        self.ended_at = 0.0
        self.longest_flush_s = 0.0
        #: Told when the store removed queues, (topic, the log's end then, whether that went well), and the broker offsets.
        self.on_queues_removed: Callable[[str, int, bool], None] = lambda topic, log_end, is_whole: None
        self.on_offsets_removed: Callable[[str], None] = lambda topic: None

    @property
    def now(self) -> float:
        """The time, seconds since the epoch."""
        return self.reactor.seconds()

    @property
    def store(self) -> Any:
        """The store of the running broker."""
        assert self.controller is not None
        return self.controller._store

    @property
    def parts(self) -> Any:
        """The parts of the running broker."""
        assert self.controller is not None
        return self.controller._parts

    @property
    def is_up(self) -> bool:
        """Whether the broker runs, as far as it knows."""
        return self.controller is not None

    def start(self) -> None:
        """Start the broker on the disk as it is. Raises what the start raises; nothing runs then."""
        self._machine = machine = MemoryMachine(self.reactor)
        self._thread = SimulatedThread(machine, lambda: 0.0, lambda: self.flush_s)
        files = self.files
        files.watcher = lambda operation, path, is_done: self._watch(files, operation, path, is_done)
        controller = BrokerController(
            read_settings(BrokerConfig, self._settings),
            read_settings(MessageStoreConfig, self._settings),
            reactor=machine,
            files=files,
            flush_thread=self._thread,
            document_thread=SimulatedThread(machine, float, lambda: self.flush_s / 10),
            say=lambda line: None,
        )
        self.controller = controller
        controller.when_ready.addErrback(lambda failure: None)
        try:
            controller.startService()
        except BaseException:
            if self.controller is controller:
                self._end(files)
            raise
        finally:
            if not machine.is_on:
                self.controller = None
        self.longest_flush_s = self.flush_s
        self.flushed_at = self.now
        self._watch_flushes()
        self._watch_deletions()
        self.pass_time(0)

    def _watch_flushes(self) -> None:
        """Note when flushes begin that end well: what was answered before that is durable."""
        store = self.store
        flush = store.flush

        def watched() -> int:
            begun = self.now
            end: int = flush()
            if self._machine.is_on:
                self.flushed_at = max(self.flushed_at, begun)
            return end

        store.flush = watched

    def _watch_deletions(self) -> None:
        """Tell of every removal of queues and offsets, at its moment."""
        store, machine, drop_queues = self.store, self._machine, self.store.drop_queues
        offsets, remove_topic = self.parts.offsets, self.parts.offsets.remove_topic

        def watched_offsets(topic: str) -> None:
            remove_topic(topic)
            if machine.is_on:
                self.on_offsets_removed(topic)

        def watched(is_unwanted: Callable[[str], bool]) -> list[str]:
            if not machine.is_on:
                return []
            log_end = store.describe()["log_max_offset"]
            topics = {queue.topic for queue in store._queues if is_unwanted(queue.topic) and not keeps_queues(queue.topic)}
            is_whole = False
            try:
                dropped: list[str] = drop_queues(is_unwanted)
                is_whole = True
                return dropped
            finally:
                for topic in topics:
                    self.on_queues_removed(topic, log_end, is_whole)

        store.drop_queues, offsets.remove_topic = watched, watched_offsets

    def stop(self) -> bool:
        """Stop the broker as at a SIGTERM; whether it stopped, and not lost its power meanwhile."""
        controller, files = self.controller, self.files
        assert controller is not None
        stopped: list[Any] = []
        controller.stopService().addBoth(stopped.append)
        for _ in range(400):
            if stopped or not self.is_up:
                break
            self.pass_time(0.1)
        if not self.is_up:
            return False
        assert stopped, "the broker does not stop"
        self._end(files)
        return True

    def _end(self, files: MemoryFiles) -> None:
        files.watcher = None
        self.controller = None
        self.ended_at = self.now
        self._operations_left = -1
        self._machine.cut_power()

    def kill(self) -> None:
        """The process dies; what it wrote is still in the kernel's memory."""
        self.say("KILL -9")
        files, self.files = self.files, self.files.kill()
        self._end(files)

    def cut(self, name: str) -> None:
        """The power of the broker's machine is cut; `name` is one of POWER_CUTS."""
        self.say("POWER CUT ({})", name)
        files, self.files = self.files, power_cut(name, self.files, self.random)
        self._end(files)

    def plan_cut(self, name: str, operations: int) -> None:
        """Cut the power in the middle of the operation of the disk that comes after so many."""
        self._operations_left, self._cut_name = operations, name

    def _watch(self, files: MemoryFiles, operation: str, path: str, is_done: bool) -> None:
        if files is not self.files or not self.is_up:
            return
        if operation == "sync" and self._thread.is_working and not self._is_nested and self.random.random() < TURN_WHILE_SYNCING:
            self._turn_of_others()
        if self._operations_left < 0 or files is not self.files:
            return
        self._operations_left -= 1
        if self._operations_left < 0:
            self.say("during {} of {} ({})", operation, path, "done" if is_done else "begun")
            self.cut(self._cut_name)

    def _turn_of_others(self) -> None:
        """The flusher's thread waits for the disk, and the reactor goes on."""
        self._is_nested = True
        try:
            self.pass_time(self.random.choice((0.0, 0.001)))
        finally:
            self._is_nested = False

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with every call at its own time."""
        reactor = self.reactor
        target = self.now + seconds
        reactor.settle()
        for _ in range(CALLS_MAX):
            calls = [call.getTime() for call in reactor.calls]
            if not calls or min(calls) > target:
                break
            reactor.advance(max(0.0, min(calls) - self.now))
            reactor.settle()
        else:
            raise AssertionError("time does not pass")
        if target > self.now:
            reactor.advance(target - self.now)
            reactor.settle()

    def break_a_connection(self) -> None:
        """End one of the connections, with what travels on it."""
        links = self.reactor.network.links
        if links:
            self.say("a connection breaks")
            self.random.choice(links)[0].abortConnection()

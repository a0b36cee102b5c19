"""The run itself: a broker and four JVMs, the blows that fall on them, and the journal they write."""

import signal
import time
from functools import partial

from . import chaos_plan, chaos_workload, wire, witness
from .chaos_journal import Journal
from .chaos_model import Model
from .chaos_workload import DEAD_TOPIC, PLAIN, QUEUES, RETRY_TOPIC, TOPICS
from .programs import Program
from .pymq_server import PyMQServer

SETTINGS = {
    "flushDiskType": "SYNC_FLUSH",
    "flushConsumerOffsetInterval": 500,
    "messageDelayLevel": "1s 1s 1s 2s 2s 3s",
    "transactionCheckInterval": 1000,
    "transactionTimeOut": 1500,
    "transactionCheckMax": 100000,
    # Small files, so that a recovery meets many.
    "mappedFileSizeCommitLog": 4 << 20,
    "mappedFileSizeConsumeQueue": 20 * 1000,
}
HALF_TOPIC, CHECK_GROUP = "RMQ_SYS_TRANS_HALF_TOPIC", "CID_RMQ_SYS_TRANS"
#: Shorter than the longest pause (chaos_plan.PAUSE_S).
REQUEST_TIMEOUT_MS = 5000
UP_S = 240
END_S = 30
#: A queue whose owner died under another name is free after 60 s; then there may be much to consume.
DRAIN_S = 600
#: Longer than the longest delay, also at a broker that is late, so that nothing is under way when nothing came for so long.
QUIET_S = 10
SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "pause": signal.SIGSTOP}
#: twistd ends itself by the signal that it was stopped with, after all else is done.
ENDED_WELL = (0, -signal.SIGTERM)
TROUBLE = ("Traceback", "Unhandled", "[CRITICAL]", "critical]")
FAMILY = "java-"
LOG_LINES = 60


class ProgramVictim:
    """One JVM through its lives, of which each has a number."""

    def __init__(self, name, scene):
        self.name, self._scene = name, scene
        self._life, self._instance, self._program, self._commands, self._count = 0, name, None, None, 0

    @property
    def who(self):
        """How the present life is called in the journal."""
        return f"{self.name}/{self._life}"

    @property
    def _was_up(self):
        return self._scene.model.ready[self.who] == self._count

    def start(self, new_name=False, commands=None):
        """Begin a life; without waiting."""
        self._life += 1
        self._instance = f"{self.name}-{self._life}" if new_name else self._instance
        base = {
            "namesrv": self._scene.server.namesrv,
            "instance": self._instance,
            "journal": self._scene.journal.path,
            "who": self.who,
            "heartbeat_ms": 1000,
            "poll_ms": 1000,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
        }
        self._scene.journal.refresh()
        self._commands = commands or partial(chaos_workload.commands, self.name, self._scene.model.next_seq)
        (command, flags), *also = self._commands(base)
        self._count = 1 + len(also)
        self._program = Program(FAMILY + self.name.rsplit("-", 1)[1], command, also, **flags)

    def wait_up(self):
        """Wait until all its commands are at work. A Java client that finds no name server when it starts fails: again then."""
        wire.wait_until(self._is_up, UP_S, f"start of {self.name}")

    def _is_up(self):
        if not self._program.child.running():
            if self._was_up:
                self._scene.trouble.append(f"{self.who} ended by itself")
            self.ended()
            self.start(commands=self._commands)
        self._scene.journal.refresh()
        return self._was_up

    def signal(self, number):
        """Send a signal."""
        self._program.child.signal(number)

    def ended(self):
        """Wait for the end after a signal that asked for it."""
        self._program.child.ended(END_S)
        self._program.close()
        self._scene.journal.note("gone", who=self.who)
        errors = self._scene.model.errors[self.who]
        if self._was_up and errors:
            self._scene.trouble.append(f"{self.who} failed: {errors}")

    def close(self):
        """Kill what is left of it."""
        if self._program:
            self._program.close()


class BrokerVictim:
    """The broker with its name server."""

    name = chaos_plan.BROKER

    def __init__(self, scene):
        self._scene, self._stopping = scene, False

    def start(self, new_name=False):
        """Start it and wait until it serves."""
        self._scene.server.start()
        self._scene.journal.note("broker up")

    def wait_up(self):
        """It is up when it was started."""

    def signal(self, number):
        """Send a signal."""
        self._stopping = number == signal.SIGTERM
        self._scene.server.signal(number)

    def ended(self):
        """Wait for the end; a broker that was asked to stop must do so well."""
        code = self._scene.server.ended()
        self._scene.journal.note("broker gone", code=code)
        if self._stopping and (code not in ENDED_WELL or (self._scene.folder / "store" / "abort").exists()):
            self._scene.trouble.append(f"the broker did not stop well at SIGTERM, but with {code}")


class Scene:
    """The broker, the programs, the journal and the model of one run. `folder` keeps the store, the journal and the log."""

    def __init__(self, folder, seed):
        self.folder, self.seed = folder, seed
        self.model, self.trouble, self.schedule, self.stored = Model(), [], [], {}
        self.journal = Journal(folder / "journal", self.model)
        self._log = open(folder / "broker.log", "a", buffering=1)  # noqa: SIM115
        self.log_lines = []
        self.server = PyMQServer(on_line=self._logged, storePathRootDir=folder / "store", **SETTINGS)
        names = (*chaos_plan.PRODUCERS, *chaos_plan.CONSUMERS)
        self._programs = {name: ProgramVictim(name, self) for name in names}
        self._victims = {chaos_plan.BROKER: BrokerVictim(self), **self._programs}

    def _logged(self, line):
        self._log.write(line)
        self.log_lines = [*self.log_lines[1 - LOG_LINES :], line.rstrip()]
        if any(word in line for word in TROUBLE):
            self.trouble.append(f"the broker said {line.strip()}")

    def __enter__(self):
        try:
            self.server.__enter__()
            for topic in TOPICS:
                self.server.create_topic(topic, QUEUES)
            self.server.create_topic(RETRY_TOPIC, 1)
            for victim in self._programs.values():
                victim.start()
            for victim in self._programs.values():
                victim.wait_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_reason):
        for victim in self._programs.values():
            victim.close()
        self.server.__exit__()
        self._log.close()

    def strike(self, seconds):
        """Let blows fall for so long, then wait until all are up."""
        started = time.monotonic()
        for step in chaos_plan.steps(self.seed):
            if time.monotonic() - started + step.calm_s > seconds:
                break
            time.sleep(step.calm_s)
            self._take(step, time.monotonic() - started)
        for victim in self._programs.values():
            victim.wait_up()

    def _take(self, step, at_s):
        for blow in step.blows:
            self._victims[blow.victim].wait_up()
        self.schedule.append(f"{at_s:6.1f} s, {int(time.time() * 1000)}: {step}")
        self.journal.note("step", what=str(step))
        for blow in step.blows:
            self._victims[blow.victim].signal(SIGNALS[blow.kind])
        struck = time.monotonic()
        for blow in step.blows:
            if blow.kind == "kill":
                self._victims[blow.victim].ended()
        for blow in sorted(step.blows, key=lambda blow: blow.down_s):
            time.sleep(max(0, struck + blow.down_s - time.monotonic()))
            victim = self._victims[blow.victim]
            if blow.kind == "term":
                victim.ended()
            if blow.kind == "pause":
                victim.signal(signal.SIGCONT)
            else:
                victim.start(blow.new_name)

    def drain(self):
        """End the senders, let the rest be consumed, and wait until nothing moves any more."""
        for name in chaos_plan.PRODUCERS:
            self._programs[name].signal(signal.SIGTERM)
        for name in chaos_plan.PRODUCERS:
            self._programs[name].ended()
            self._programs[name].start(commands=partial(chaos_workload.answerer_commands, name))
        for name in chaos_plan.PRODUCERS:
            self._programs[name].wait_up()
        deadline, quiet_since = time.monotonic() + DRAIN_S, None
        while time.monotonic() < deadline:
            self.journal.refresh()
            if self.model.unsettled() or self.lags():
                quiet_since = None
            elif quiet_since is None:
                quiet_since = time.monotonic()
            elif time.monotonic() > quiet_since + QUIET_S:
                return
            time.sleep(0.5)
        self.trouble.append(f"not drained in {DRAIN_S} s: {self.model.unsettled()} unsettled, behind in {self.lags()}")

    def lags(self):
        """Where somebody is behind: topic, the offsets that are committed and the ends of the queues."""
        groups = [(chaos_workload.group(topic), topic, QUEUES) for topic in TOPICS]
        groups += [(chaos_workload.group(PLAIN), RETRY_TOPIC, 1), (CHECK_GROUP, HALF_TOPIC, 1)]
        found = []
        for group, topic, queues in groups:
            done = [max(0, offset) for offset in witness.committed(self.server.broker, group, topic, queues)]
            ends = wire.queue_ends(self.server.broker, topic, queues)
            if done != ends:
                found.append((topic, done, ends))
        return found

    def end(self):
        """Stop everybody in good order and judge; all that was wrong with messages, as a list of Problem."""
        for name in chaos_plan.CONSUMERS:
            self._programs[name].signal(signal.SIGTERM)
        for name in chaos_plan.CONSUMERS:
            self._programs[name].ended()
        self.journal.refresh()
        self.stored = {topic: self._read(topic) for topic in TOPICS}
        dead = self._read(DEAD_TOPIC, 1)
        problems = self.model.judge(self.stored, self._read(RETRY_TOPIC, 1), dead)
        self.stored[DEAD_TOPIC] = dead
        broker = self._victims[chaos_plan.BROKER]
        broker.signal(signal.SIGTERM)
        broker.ended()
        return problems

    def _read(self, topic, queues=QUEUES):
        return [found for queue in range(queues) for found in witness.read_queue(self.server.broker, topic, queue)]

"""One run of the simulation: what a seed makes happen."""

from __future__ import annotations

import random as random_module
from collections.abc import Callable
from random import Random

import attrs

from pymq.store.store import ABORT_PATH
from pymq.testing.machine import MemoryMachine
from pymq.testing.memoryfaults import DISK_FAULTS, POWER_CUTS
from pymq.testing.memoryfiles import SPACE_BYTES
from tests.simulation.checks import Broken, Loss, check_offsets, check_pulled, check_settled, check_store, check_topics
from tests.simulation.clients import SimulatedClient
from tests.simulation.model import Kind, Model, Sent
from tests.simulation.world import ADDRESS, World

__all__ = ["Run", "run_seed"]

TOPICS = ("A", "B", "C")
QUEUES = 2
CLIENTS = 2
#: The longest that an answered commit of an offset may be unsaved, with what a round of saving may be late.
OFFSETS_UNSAVED_S = 8.0
#: The flusher's period and what it may be late.
FLUSH_PERIOD_S = 0.5
SLACK_S = 0.01
#: After so much time everything delayed, checked or asked for must have arrived.
SETTLING_S = 30.0
START_TRIES_MAX = 3


def _settings_of(random: Random) -> dict[str, str]:
    """Settings as a seed draws them."""
    return {
        "flushDiskType": random.choice(("SYNC_FLUSH", "ASYNC_FLUSH")),
        "mappedFileSizeCommitLog": str(random.choice((4096, 8192, 32768))),
        "mappedFileSizeConsumeQueue": str(random.choice((100, 400, 4000))),
        "maxHashSlotNum": str(random.choice((5, 100))),
        "maxIndexNum": str(random.choice((10, 40, 400))),
        "flushConsumeQueueThoroughInterval": str(random.choice((1000, 5000, 60000))),
        "enableConsumeQueueExt": random.choice(("false", "false", "true")),
        "mappedFileSizeConsumeQueueExt": "2048",
    }


class Run:
    """What happens under one seed. `history` has a line for each event; `run` raises Broken, or whatever else goes wrong."""

    def __init__(self, seed: int, trace: Callable[[str], None] | None = None) -> None:
        self.seed = seed
        self.history: list[str] = []
        self._trace = trace
        self._random = Random(seed)
        self._model = Model()
        settings = _settings_of(self._random)
        self._is_sync = settings["flushDiskType"] == "SYNC_FLUSH"
        self._world = World(self._random, settings, self._say)
        self._world.on_queues_removed = self._queues_removed
        self._world.on_offsets_removed = lambda topic: self._model.offsets_removed(topic, self._world.now)
        self._say("settings {}", settings)
        machine = MemoryMachine(self._world.reactor)
        self._clients = [SimulatedClient(machine, ADDRESS, self._model, self._say, self._random.random) for _ in range(CLIENTS)]
        #: Whether a fault of the disk was asked for, or it was made full, and it was not healed since.
        self._is_faulty = False
        #: Commits of offsets that were answered by then, seconds since the epoch, must outlive the end of the last life.
        self._saved_until = 0.0

    def _say(self, text: str, *parts: object) -> None:
        world = getattr(self, "_world", None)
        line = f"{0.0 if world is None else world.now - 1_700_000_000:10.4f} {text.format(*parts)}"
        self.history.append(line)
        if self._trace is not None:
            self._trace(line)

    # The plot

    def run(self) -> None:
        """A few lives of the broker, and then its peace."""
        random_module.seed(self.seed)  # for the few throws that a broker makes itself
        random = self._random
        self._start(Loss())
        for _ in range(random.randrange(1, 4)):
            self._live(random.randrange(5, 60))
            self._start(self._end())
        self._settle()

    def _live(self, steps: int) -> None:
        random, world = self._random, self._world
        if random.random() < 0.4:
            world.plan_cut(random.choice(list(POWER_CUTS)), int(2 ** random.uniform(0, 9)))
        world.flush_s = random.choice((0.0, 0.0, 0.001, 0.02, 0.3, 2.0, 7.0))
        world.longest_flush_s = max(world.longest_flush_s, world.flush_s)
        for client in self._clients:
            client.heartbeat()
        for _ in range(steps):
            if not world.is_up:
                return
            self._act()
            self._check_pulled()
            if random.random() < 0.6:
                world.pass_time(random.choice((0.0, 0.0005, 0.01, 0.1, 0.4, 1.0, 3.0)))

    def _act(self) -> None:
        """One thing that somebody does."""
        random = self._random
        throw = random.random()
        client = random.choice(self._clients)
        if throw < 0.45:
            for _ in range(random.choice((1, 1, 1, 3, 12))):
                client.send(self._new(Kind.PLAIN))
        elif throw < 0.52:
            first = self._new(Kind.PLAIN)
            others = [self._model.add(Kind.PLAIN, first.topic, first.queue_id, random.randrange(60)) for _ in range(4)]
            client.send(first, *others)
        elif throw < 0.58:
            client.send(self._new(Kind.DELAYED))
        elif throw < 0.64:
            client.send(self._new(Kind.HALF))
        elif throw < 0.70:
            self._decide(client)
        elif throw < 0.80:
            client.pull(random.choice(TOPICS), random.randrange(QUEUES))
        elif throw < 0.86:
            client.commit(random.choice(TOPICS), random.randrange(QUEUES))
        elif throw < 0.89:
            self._send_back(client)
        elif throw < 0.91:
            self._world.break_a_connection()
        elif throw < 0.93:
            self._damage()
        elif throw < 0.95:
            self._fill_disk()
        elif throw < 0.97:
            client.delete_topic(random.choice(TOPICS))
        else:
            self._world.pass_time(random.choice((0.2, 1.5, 6.0)))

    def _new(self, kind: Kind) -> Sent:
        random = self._random
        level = random.randrange(1, 4) if kind is Kind.DELAYED else 0
        size = random.choice((0, 20, 100, 100, 600, 3000))
        return self._model.add(kind, random.choice(TOPICS), random.randrange(QUEUES), size, level)

    def _decide(self, client: SimulatedClient) -> None:
        undecided = [
            sent for sent in self._model.sent.values() if sent.kind is Kind.HALF and sent.is_acked and sent.commits is None
        ]
        if undecided:
            client.decide(self._random.choice(undecided), self._random.random() < 0.7)

    def _send_back(self, client: SimulatedClient) -> None:
        known = [sent for sent in self._model.sent.values() if sent.kind is Kind.PLAIN and sent.is_acked]
        if known:
            client.send_back(self._random.choice(known))

    def _queues_removed(self, topic: str, log_end: int, is_whole: bool) -> None:
        self._say("  the queues of {} are removed, with the log at {}{}", topic, log_end, "" if is_whole else ": that fails")
        self._model.queues_removed(topic, range(QUEUES), log_end, is_whole=is_whole)

    def _damage(self) -> None:
        fault = self._random.choice(list(DISK_FAULTS.values()))
        self._say("from now on: {}", fault.name)
        fault.strike(self._world.files, self._random)
        self._is_faulty = True

    def _fill_disk(self) -> None:
        """Leave little room on the disk, or give it back."""
        files = self._world.files
        if files.foreign_bytes:
            self._say("the disk has room again")
            files.foreign_bytes = 0
            return
        used, _ = files.space()
        files.space_bytes = 4 * max(used, 100_000)
        files.foreign_bytes = max(0, files.space_bytes - used - self._random.randrange(0, 40_000))
        self._say("the disk is full but for {} bytes", files.space()[1])
        self._model.may_expire = self._is_faulty = True

    # Ends and starts

    def _end(self) -> Loss:
        """End this life in one way or another, unless it has ended; what that may have taken."""
        random, world = self._random, self._world
        if not world.is_up:
            return self._after_crash()
        throw = random.random()
        if throw < 0.3:
            self._say("STOP")
            stopped_at = world.now
            if not world.stop():
                return self._after_crash(stopped_at)
            self._saved_until = 0.0 if self._is_faulty else world.ended_at
            is_clean = not world.files.exists(ABORT_PATH)
            return Loss() if is_clean else self._loss()
        if throw < 0.5:
            world.kill()
            self._saved_until = 0.0 if self._is_faulty else world.ended_at - OFFSETS_UNSAVED_S
            return Loss()
        world.cut(random.choice(list(POWER_CUTS)))
        return self._after_crash()

    def _after_crash(self, stopped_at: float = float("inf")) -> Loss:
        """What a power cut may take: answers after the last flush that ended well; of durable ones none.

        From `stopped_at` on, while the broker stops, offsets are saved only once more, behind a disk that may be slow.
        """
        world = self._world
        self._saved_until = 0.0 if self._is_faulty else min(world.ended_at, stopped_at) - OFFSETS_UNSAVED_S
        if not self._is_faulty:
            late = world.ended_at - world.flushed_at
            if late > 2 * FLUSH_PERIOD_S + 2 * world.longest_flush_s + SLACK_S:
                raise Broken(f"the log was not flushed for {late:.3f} s")
        return self._loss()

    def _loss(self) -> Loss:
        since = self._world.flushed_at
        return Loss(since=since) if self._is_sync else Loss(since, since)

    def _start(self, loss: Loss) -> None:
        """Start on what the last life left, and look at everything."""
        world, model = self._world, self._model
        world.pass_time(self._random.choice((0.1, 10.0)))
        for client in self._clients:
            client.positions.clear()
            client.pulled.clear()
        is_healed = self._random.random() < 0.8
        for _ in range(START_TRIES_MAX):
            if is_healed or not self._is_faulty:
                self._heal()
            self._say("START")
            try:
                world.start()
            except OSError as error:
                if is_healed:
                    raise
                self._say("cannot start: {}", error)
                is_healed = True
                continue
            if world.is_up:
                break
        if is_healed:
            self._is_faulty = False
        self._look(loss)
        check_offsets(world.parts.offsets.query, model, self._saved_until)
        check_topics(world.parts.topics.get, model)

    def _look(self, loss: Loss) -> None:
        """Compare the store, which was just opened, with the model."""
        report = self._world.store.report
        self._say("{}", report)
        self._model.started(report.log_end)
        check_store(self._world.store, self._model, attrs.evolve(loss, log_end=report.log_end))

    def _heal(self) -> None:
        files = self._world.files
        files.heal()
        files.foreign_bytes, files.space_bytes = 0, SPACE_BYTES

    def _check_pulled(self) -> None:
        for client in self._clients:
            check_pulled(client.pulled, self._model)
            client.pulled.clear()

    def _settle(self) -> None:
        """Peace: everything arrives; and after a clean stop everything is as it was."""
        world, model = self._world, self._model
        world.plan_cut("", -1)
        if self._is_faulty:
            self._say("STOP, for the disk is healed")
            loss = self._loss()
            world.stop()
            self._heal()
            self._is_faulty = False
            self._say("START")
            world.start()
            self._look(loss)
        world.flush_s = 0.0
        for _ in range(int(SETTLING_S)):
            for client in self._clients:
                client.heartbeat()
            world.pass_time(1.0)
        check_store(world.store, model, Loss())
        check_settled(world.store, model)
        self._say("STOP")
        assert world.stop()
        self._say("START")
        world.start()
        if world.store.report.is_abnormal:
            raise Broken("a clean stop was taken for a crash")
        check_store(world.store, model, Loss())
        assert world.stop()


def run_seed(seed: int, trace: Callable[[str], None] | None = None) -> Run:
    """Run one seed to its end. Raises what goes wrong, with the seed and the last of the history in a note."""
    run = Run(seed, trace)
    try:
        run.run()
    except BaseException as error:
        error.history = run.history  # type: ignore[attr-defined]
        raise
    return run

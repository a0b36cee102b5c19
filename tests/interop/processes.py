"""Child processes in groups of their own, their output read by threads, every wait with a deadline."""

import contextlib
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

#: How often a wait looks whether it is over: seldom enough to look through all that a busy program told.
LOOK_S = 0.02
#: Limits of what usually takes a moment: for an end that was asked for, and for what an ended program still has in its pipes.
END_S, DRAIN_S = 60, 30


class Child:
    """A running program: its lines of output, and ways to wait for it and to end it."""

    def __init__(self, argv, cwd, env=None, stdin=subprocess.DEVNULL, on_line=None):
        self.argv, self.lines, self.errors = [str(word) for word in argv], [], []
        self.process = subprocess.Popen(
            self.argv,
            cwd=cwd,
            env=env,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.process.stdout, self.lines, on_line), (self.process.stderr, self.errors, None))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, into, on_line):
        for line in stream:
            into.append(line.rstrip("\n"))
            if on_line:
                on_line(line)

    @property
    def pid(self):
        """The process id."""
        return self.process.pid

    def running(self):
        """Is it still there?"""
        return self.process.poll() is None

    def wait_for(self, condition, timeout_s, what):
        """Wait until `condition()` gives something true."""
        deadline = time.monotonic() + timeout_s
        while True:
            is_over = not self.running() and not any(reader.is_alive() for reader in self._readers)
            value = condition()
            if value:
                return value
            if is_over:
                raise AssertionError(f"{what}: the process ended ({self.process.returncode})\n{self.tail()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {timeout_s} s\n{self.tail()}")
            time.sleep(LOOK_S)

    def wait(self, timeout_s):
        """Wait for the end; the exit code."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"no end within {timeout_s} s\n{self.tail()}") from None
        self._drain()
        return code

    def _drain(self):
        for reader in self._readers:
            reader.join(DRAIN_S)

    def signal(self, number):
        """Send a signal to the whole group, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def stop(self, timeout_s=END_S):
        """SIGTERM and wait; SIGKILL if that does not help. The exit code."""
        if self.running():
            self.signal(signal.SIGTERM)
        return self.ended(timeout_s)

    def ended(self, timeout_s=END_S):
        """Wait for the end of a child that got a signal; SIGKILL if it does not come. The exit code."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout_s)
        return self.kill()

    def kill(self):
        """SIGKILL to the group, leftovers of the program's own children too; the exit code."""
        self.signal(signal.SIGKILL)
        code = self.process.wait(10)
        self._drain()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        return code

    def tail(self, count=25):
        """The last lines of both outputs, for error messages."""
        return "\n".join([" ".join(self.argv)[-400:], "--- stdout", *self.lines[-count:], "--- stderr", *self.errors[-count:]])


class WorkFolder:
    """A temporary folder that goes when its owner is done."""

    def __init__(self, prefix):
        self.path = Path(tempfile.mkdtemp(prefix=prefix))

    def remove(self):
        """Delete the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)


# A broker wants its own port, the one two below (for VIPs) and the one above (for slaves).
BROKER_NEIGHBOURS = (-2, 0, 1)
#: Outside the range of outgoing connections; so far from one another that nobody's neighbour is another's port.
PORTS_FROM, PORTS_TO, PORTS_APART = 12000, 32000, 4


def ports_of(worker, workers, first=0):
    """The ports of one of so many workers of pytest-xdist, each in turn and without end, from its `first` one on."""
    mine = range(PORTS_FROM + PORTS_APART * worker, PORTS_TO, PORTS_APART * workers)
    return (mine[number % len(mine)] for number in itertools.count(first))


_ports = ports_of(
    int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")),
    int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")),
    random.randrange(PORTS_TO),
)


def free_port(around=(0,)):
    """A port P such that P + d is free for each d of `around`.

    Nobody else here is given it: one listens there only a while later, as a JVM does, and again after a restart.
    """
    for port in itertools.islice(_ports, 200):
        if all(is_free(port + distance) for distance in around):
            return port
    raise AssertionError("no free ports")


def is_free(port):
    """Can one listen there?"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True

"""The client programs of all families behind one face: start one, wait for its events, end it.

All programs understand the same words and print one JSON object a line, each with its `event`:

    send    --namesrv H:P --topic T --group G --count N --size BYTES --mode MODE [--batch 10] [--queue Q] [--tag TAG]
            [--key-prefix K] [--prefix P] [--interval-ms M] [--forever] [--quiet] [--ack-file F] [--instance NAME]
            [--delay-level L] [--first N] [--linger]
    transaction --namesrv H:P --topic T --group G --count N --size BYTES [--outcome LIST] [--check LIST] [--immunity-s S]
            [--linger] [--instance NAME] [--prefix P] [--first N] [--forever] [--interval-ms M] [--work-ms M] [--by-seq]
    receive --namesrv H:P --topic T --group G [--expect N] [--timeout-s S] [--size BYTES] [--broadcast] [--orderly]
            [--pull] [--litepull] [--tag EXPRESSION] [--from first|last] [--at-once] [--instance NAME]
            [--fail-times N] [--max-reconsume N] [--sql EXPRESSION] [--work-ms MS] [--pop] [--invisible-ms MS]

A body is `P:00000042:` padded with letters to the size. `send` prints `ready`, then `sent` (seq, msgId, offsetMsgId,
queueId, queueOffset, status), `oneway` or `failed` for each message unless --quiet, writes `seq queueId queueOffset`
for each acknowledged one into the ack file, and at the end `done` (sent, failed). With --forever it repeats a failed
message until SIGTERM or the end of its standard input. With --linger (all but node) it ends only at SIGTERM: one-way messages
may be lost when a client ends behind them. `receive` prints `ready`, `assigned` (queues) whenever the number
of its queues changes, `received` (body_prefix, size, queueId, queueOffset, msgId, tags, reconsume; from java, node and
python also topic and the times born, stored and at, in ms; from go also at), `corrupt` for a body that is not whole, and
`done` (received) once the expected number of distinct messages came, or at SIGTERM. Events are written out every 100 ms or so;
with --at-once before the message counts as consumed, so that a killed receiver has told all that it took. With --fail-times
(java, node, python) the listener fails a message until it came so many times again; only then it counts as received. With
--work-ms (java, go, python) it takes one message a call and so long for it, and prints `consumed` (queueId, queueOffset, at)
when it is through. With --sql (java, python) an SQL92 expression selects the messages instead of a tag. With --pop (java of 5.x,
python) the brokers share out the queues and may let them be popped, for --invisible-ms; one queue may be all of a broker then.

The Java program takes several commands at once, with a word `,` between them; they run in one JVM and end together, at the
latest when one fails. It also has --first (the number of the first message), --heartbeat-ms and --poll-ms (how often a client
does what Java does every 30 s), --request-timeout-ms, --fail-times with a list, of which the message's number chooses one, and a
--work-ms for local transactions, which take so long after they said `executing`. With --journal F --who NAME all events go into
the file F instead, each with `who` and the time `told`; several programs may share it, and its order is that in which they spoke.

Java and python take besides: --compress ZLIB|LZ4|ZSTD, --compress-level and --compress-over (senders); --namespace (Go too),
--unit, --vip, --client-ip, and --namespace-v2, which is nothing for Java 4.9; --offsets, a folder for the offsets of broadcast
consumers; --trace for transactions, for litepull, and for pull (python). Their `received` events, and Go's, have sysFlag and
storeSize too.

`transaction` is what java and python have: LIST names what the local transactions, or the checks, say one after another
(commit, rollback, unknown, hang) and begins anew at its end. It prints `executing` (seq, outcome) and `sent` (as above, with
state) for each message, `checked` (body_prefix, outcome, times) for each question of a broker; with --linger it waits for
those until SIGTERM. Java's --prefix, --first, --forever and --interval-ms are those of `send`; its --by-seq chooses a check's
answer by the message's number, and `unknown/commit` in its LIST is unknown at the first check and commit from the second on.

What each family can do; the rest its client does not have, or not in a form a program can use:

| family | send modes                                | receive                                    |
|--------|-------------------------------------------|--------------------------------------------|
| java   | sync async oneway batch ordered queue     | push orderly broadcast pull litepull tag   |
| node   | sync async (no batch, order or one-way)   | push broadcast tag                         |
| cpp    | sync async oneway ordered (its batch is   | push orderly broadcast pull tag; always    |
|        | stored as one message by Apache too)      | from the first offset; never says `assigned` |
| go     | sync async oneway batch ordered queue     | push orderly broadcast pull litepull tag;  |
|        |                                           | pull always from the first offset;         |
|        |                                           | broadcast never says `assigned`            |
| python | all                                       | all                                        |

Java and python also have request, reply and trace, all with --namesrv, --topic and --group. `request` sends --count requests
of --size bytes and prints `replied` (seq, body_prefix, size, pushed) for each; Java's with --alone replies to itself, and with
--reply-ms does not wait for a reply for longer. `reply` prints `ready`, replies to each request with an R and its body, and
prints `answered` (status, msgId). `trace` sends --count messages with traces, printing `sent` (seq, msgId), and receives them
with traces; Java's then stays until SIGTERM.
`oversee` is Java's: its admin client tells of each group that knows the message --id of --topic a `track` (group, type, error),
and with --group of each queue a `span` (queueId, min, max, consumed, delay).
Only Java and python have createTopic, view, query and minmax, only Java has `traces`: what the trace topic --topic tells of the
message --id. The Go program has createTopic and deleteTopic, with
`--broker H:P`, and topics, which lists their names. The C++ client does not tell the queue of a sent message, Go no message
id of a batch, and node sends only to topics that exist. A Java family may carry `+rocketmq`: binary request headers instead
of JSON. Java's litepull of 5.x asks with a request code that Apache 4.9 does not know.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from . import toolchain
from .processes import Child, WorkFolder

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
#: Limits of waits that usually end soon, for machines that are very busy.
START_S, RECEIVE_S, STOP_S = 120, 120, 120
# A first look at the queues that comes too early is otherwise repeated only after 20 s.
REBALANCE = "-Drocketmq.client.rebalance.waitInterval=2000"
JVM_TERMINATED = 128 + signal.SIGTERM  # what a JVM ends with, however well its shutdown hooks did


def _java(version, serialization):
    def command(home, arguments):
        options = [
            f"-Duser.home={home}",
            f"-Drocketmq.client.logRoot={home}/logs",
            "-Drocketmq.client.logLevel=WARN",
            REBALANCE,
            f"-Drocketmq.serialize.type={serialization}",
        ]
        return toolchain.java_command(version, options, "ClientProgram", *arguments), {}

    return command


def _node(home, arguments):
    modules = toolchain.node_modules()
    return [toolchain.need_tool("node", "nodejs"), HERE / "node" / "client_program.js", *arguments], {"NODE_PATH": modules}


def _cpp(home, arguments):
    return [toolchain.cpp_python(), HERE / "cpp" / "client_program.py", *arguments], {}


def _go(home, arguments):
    return [toolchain.go_program(), *arguments], {}


def _python(home, arguments):
    program = HERE / "python" / "client_program.py"
    return [sys.executable, program, *arguments], {"PYTHONPATH": ROOT, "PYTHONUNBUFFERED": "1"}


FAMILIES = {
    **{f"java-{version}": _java(version, "JSON") for version in toolchain.CLIENT_VERSIONS},
    **{f"java-{version}+rocketmq": _java(version, "ROCKETMQ") for version in toolchain.CLIENT_VERSIONS},
    "node": _node,
    "cpp": _cpp,
    "go": _go,
    "python": _python,
}
FOREIGN = ("java-4.9.8", "java-5.3.3", "java-5.5.0", "node", "cpp", "go")


class Program:
    """One run of a family's client program. `also` are more commands for the same process, each with its flags (Java)."""

    def __init__(self, family, command, also=(), **flags):
        self.family, self.events, self._by_kind = family, [], defaultdict(list)
        self._work = WorkFolder(f"pymq-{family.replace('+', '-')}-")
        arguments = [command, *words(flags)]
        for other, its_flags in also:
            arguments += [",", other, *words(its_flags)]
        argv, extra = FAMILIES[family](self._work.path, arguments)
        environment = {**os.environ, "HOME": str(self._work.path), **{key: str(value) for key, value in extra.items()}}
        self.child = Child(argv, self._work.path, environment, subprocess.PIPE, self._line)

    def _line(self, line):
        if line.startswith("{"):
            with contextlib.suppress(ValueError):  # cut off by a kill in the middle of a line
                told = json.loads(line)
                self.events.append(told)
                self._by_kind[told["event"]].append(told)

    def __enter__(self):
        return self

    def __exit__(self, *_reason):
        self.close()

    def of(self, event):
        """All events of one kind so far."""
        return list(self._by_kind[event])

    def wait_event(self, event, count=1, timeout_s=START_S):
        """Wait for so many events of a kind; gives them."""

        def enough():
            found = self.of(event)
            return found if len(found) >= count else None

        return self.child.wait_for(enough, timeout_s, f"{count} x {event} of {self.family}")

    def wait_received(self, prefix, count, timeout_s=RECEIVE_S):
        """Wait until so many distinct messages with that prefix came here."""

        def enough():
            return len({event["body_prefix"] for event in self.received(prefix)}) >= count

        self.child.wait_for(enough, timeout_s, f"{count} of {prefix} for {self.family}")

    def received(self, prefix):
        """The `received` events of the messages with that prefix."""
        return [event for event in self.of("received") if event["body_prefix"].startswith(prefix + ":")]

    def wait_queues(self, count, timeout_s=START_S):
        """Wait until the receiver has exactly so many queues (Java, node, Go, python)."""

        def assigned():
            found = self.of("assigned")
            return found and found[-1]["queues"] == count

        self.child.wait_for(assigned, timeout_s, f"{count} queues for {self.family}")

    def finish(self, timeout_s=START_S, good=(0,)):
        """Wait for the program's own end; gives the final event, having checked that nothing was wrong."""
        code = self.child.wait(timeout_s)
        done = self.of("done")
        assert code in good and done, (
            f"{self.family} ended with {code}: {self.of('error')}{self.of('failed')[:3]}\n{self.child.tail()}"
        )
        assert not self.of("corrupt"), self.of("corrupt")[:3]
        return done[-1]

    def stop(self, timeout_s=STOP_S):
        """SIGTERM, and then as `finish`."""
        self.child.signal(signal.SIGTERM)
        return self.finish(timeout_s, good=(0, JVM_TERMINATED))

    def kill(self):
        """SIGKILL."""
        self.child.kill()

    def close(self):
        """Kill what is left and remove its folder."""
        self.child.kill()
        self._work.remove()


def words(flags):
    """Keyword arguments as command line words: `timeout_s=3` is `--timeout-s 3`, `quiet=True` is `--quiet`."""
    result = []
    for key, value in flags.items():
        name = "--" + key.rstrip("_").replace("_", "-")
        if value is True:
            result.append(name)
        elif value is not None and value is not False:
            result += [name, str(value)]
    return result


def run(family, command, end_s=START_S, **flags):
    """Run a program to its end and give it, closed, with its events."""
    with Program(family, command, **flags) as program:
        program.finish(end_s)
        return program


def send(family, server, topic, count, **flags):
    """Send messages to a server and give the program with its `sent` events."""
    flags = {"group": f"PG-{topic}", "size": 1024, **flags}
    return run(family, "send", namesrv=server.namesrv, topic=topic, count=count, **flags)


def receive(family, server, topic, count, **flags):
    """Receive so many distinct messages and give the program with its `received` events."""
    flags = {"group": f"CG-{topic}", "size": 1024, "timeout_s": RECEIVE_S, **flags}
    return run(family, "receive", end_s=flags["timeout_s"] + 30, namesrv=server.namesrv, topic=topic, expect=count, **flags)

"""Runs the Java store program: compiles it once for each version, feeds it, and reads what it prints."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs

from pymq.message.ids import decode_host
from pymq.message.record import RecordDraft
from pymq.store.config import MessageStoreConfig

from ..processes import free_port
from ..toolchain import JVM_FLAGS, ToolchainError, artefact, maven_jars, need_tool, run

HERE = Path(__file__).resolve().parent
#: Version of the store -> the folder of the Adapter that fits it.
VERSIONS = {"4.9.8": "v4", "5.5.0": "v5"}
RUN_TIMEOUT_S = 300

Fact = dict[str, Any]


def class_path(version: str) -> str:
    """The program compiled against one version of the store, and that version's jars."""
    jars = maven_jars(f"store/{version}", ("rocketmq-store",), version)
    sources = [HERE / "StoreProgram.java", HERE / VERSIONS[version] / "Adapter.java"]

    def build(folder: Path) -> None:
        javac = [need_tool("javac", "default-jdk-headless"), "-J-Xmx256m", "-nowarn", "-cp", f"{jars}/*", "-d", str(folder)]
        run([*javac, *map(str, sources)], folder, f"compiling the store program for {version}")

    classes = artefact(f"store-program/{version}", [path.read_text() for path in sources] + [version], build)
    return f"{classes}:{jars}/*"


def put_line(draft: RecordDraft, *, is_batch: bool = False) -> str:
    """What the program's stdin says for one message, or for a client's batch whose encoded items are the draft's body."""
    fields: list[object] = [
        "batch" if is_batch else "put",
        draft.topic,
        draft.queue_id,
        draft.flag,
        draft.sys_flag,
        draft.born_timestamp,
        *decode_host(draft.born_host),
        *decode_host(draft.store_host),
        draft.reconsume_times,
        draft.prepared_transaction_offset,
        draft.body.hex(),
        draft.properties.hex(),
    ]
    return "\t".join(map(str, fields))


def keep_line(topics: Iterable[str]) -> str:
    """What the program's stdin says to destroy the queues of all other topics."""
    return "\t".join(["keep", *topics])


def expire_line(count: int) -> str:
    """What the program's stdin says to delete so many of the log's files, and what they held from queues and index."""
    return f"expire\t{count}"


@attrs.define
class JavaStore:
    """A store folder that Java works on, with file sizes and folders of the log as in a MessageStoreConfig of ours."""

    version: str
    root: str
    config: MessageStoreConfig

    def write(self, lines: Iterable[str], *, leave: str = "normal") -> list[Fact]:
        """Put messages (see put_line), with other work between them (keep_line, expire_line); the result of each put.

        `leave` is normal, or killed for an exit without a shutdown.
        """
        return self._run("write", lines, leave)

    def read(self, keys: Iterable[tuple[str, str]] = (), *, leave: str = "normal") -> list[Fact]:
        """Open, recover, and tell everything: facts of the kinds log, queue, unit, message, missing, and key for (topic, key);
        ext where units are extended."""
        return self._run("read", ["\t".join(pair) for pair in keys], leave)

    def _run(self, action: str, lines: Iterable[str], leave: str) -> list[Fact]:
        config = self.config
        sizes = (
            config.mapped_file_size_commit_log,
            config.mapped_file_size_consume_queue,
            config.max_hash_slot_num,
            config.max_index_num,
        )
        home = tempfile.mkdtemp(prefix="pymq-java-store-")
        java = [need_tool("java", "default-jre-headless"), "-Xmx256m", *JVM_FLAGS, f"-Duser.home={home}"]
        if config.store_path_commit_log:
            java += [f"-DcommitLog={config.store_path_commit_log}", f"-DreadOnly={config.read_only_commit_log_store_paths}"]
        arguments = [action, self.root, str(free_port()), *map(str, sizes), leave]
        if config.enable_consume_queue_ext:
            arguments.append(str(config.mapped_file_size_consume_queue_ext))
        argv = [*java, "-cp", class_path(self.version), "StoreProgram", *arguments]
        try:
            done = subprocess.run(
                argv,
                cwd=home,
                input="".join(f"{line}\n" for line in lines),
                capture_output=True,
                text=True,
                timeout=RUN_TIMEOUT_S,
            )
        finally:
            shutil.rmtree(home, ignore_errors=True)
        facts = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        if not facts or facts[-1]["kind"] != "done":
            raise ToolchainError(
                f"the Java store {self.version} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}"
            )
        return facts[:-1]

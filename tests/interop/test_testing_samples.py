"""The samples of tests in other languages, run as their readers run them: with their own test tool and their own client."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from . import toolchain

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
RUN_S = 540


def java(folder):
    """JUnit by Maven."""
    return [toolchain.need_tool("mvn", "maven"), "-q", "-B", "test"], {}


def go(folder):
    """go test, with the client from the module proxy."""
    return [toolchain.need_tool("go", "golang-go"), "test", "-mod=mod", "-count=1", "./..."], {}


def node(folder):
    """node's own test runner; the client is the one that the other tests use."""
    return [toolchain.need_tool("node", "nodejs"), "--test"], {"NODE_PATH": str(toolchain.node_modules())}


@pytest.mark.parametrize("language", ["java", "go", "node"])
def test_sample(language, tmp_path):
    """It starts a broker, lets two hours pass in no time, and receives its message."""
    folder = shutil.copytree(SAMPLES / language, tmp_path / "sample")
    command, more = {"java": java, "go": go, "node": node}[language](folder)
    environment = {**os.environ, "PYMQ_PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), **more}
    # What a tool fetched before is still where it keeps such things.
    environment.update(tool_folders())
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=RUN_S, check=False)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]


def tool_folders():
    """Where Maven and Go keep what they fetched: a home of the test's own must not make them fetch it again."""
    home = Path.home()
    go_folders = {name: os.environ.get(name) for name in ("GOPATH", "GOMODCACHE", "GOCACHE", "GOFLAGS", "GOENV")}
    defaults = {"GOPATH": home / "go", "GOCACHE": home / ".cache" / "go-build", "GOENV": home / ".config" / "go" / "env"}
    found = {name: str(value or defaults.get(name, "")) for name, value in go_folders.items()}
    maven = os.environ.get("MAVEN_OPTS", "")
    found["MAVEN_OPTS"] = f"{maven} -Duser.home={home}".strip()
    return {name: value for name, value in found.items() if value}

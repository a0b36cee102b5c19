"""`pymq-bench clients` with the Java side: every cell of its table has a figure, or a dash where it must."""

import subprocess
import sys

from . import toolchain
from .pymq_server import PyMQServer, environment

RUN_S = 600
COMMAND = "import sys; from pymq.bench.console import main; main()"


def test_java_and_ours_side_by_side():
    """Few messages: how fast they are is nobody's business here."""
    with PyMQServer() as server:
        words = ["clients", "-n", server.namesrv, "-j", str(toolchain.client_jars("4.9.8")), "-q", "100", "-r", "1", "-s", "100"]
        ran = subprocess.run(
            [sys.executable, "-c", COMMAND, *words], capture_output=True, text=True, timeout=RUN_S, env=environment(), check=False
        )
    assert ran.returncode == 0, ran.stderr
    *rounds, head, alone, some, many, consume = ran.stdout.splitlines()
    assert len(rounds) == 4, rounds
    assert head.split() == ["messages", "a", "second", "bytes", "java-4.9.8", "pymq.client", "pymq.aio", "pymq.blocking"]
    for row, missing in ((alone, 0), (some, 0), (many, 1), (consume, 0)):
        cells = row.split()[-7:] if not missing else row.split()[-6:]
        assert cells.count("-") == missing, row
        assert all(float(cell.strip("x").replace(",", "")) >= 0 for cell in cells if cell != "-"), row

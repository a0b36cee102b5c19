"""Prints a command of README.rst: `run` is the first, `test` the second; both are the indented lines that make a venv."""

import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.rst"
NAMES = ("run", "test")

commands = [line.strip() for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("    python3 -m venv ")]
if len(commands) != len(NAMES) or len(sys.argv) != 2 or sys.argv[1] not in NAMES:
    sys.exit(f"README.rst must hold exactly {len(NAMES)} commands that begin with 'python3 -m venv'; say which: {' or '.join(NAMES)}")
print(commands[NAMES.index(sys.argv[1])])

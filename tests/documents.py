"""The samples of Python in the documents, for the tests that run them as a reader would."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.rst", *sorted((ROOT / "docs").glob("*.rst"))]
#: What only Apache's brokers can do.
ON_APACHE = ("accounts.rst", "pop.rst")
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", re.MULTILINE)
#: Samples of this kind are tests; the others are programs.
IS_TEST = re.compile(r"^ *(?:async )?def test_", re.MULTILINE)
#: The name server in all of them.
NAMESRV = "127.0.0.1:9876"


def samples() -> Iterator[tuple[str, str]]:
    """(document and number, text) of each block of Python."""
    for path in DOCUMENTS:
        for number, block in enumerate(BLOCK.findall(path.read_text(encoding="utf-8")), 1):
            yield f"{path.name}-{number}", textwrap.dedent(block)


def programs(document: str | None = None) -> dict[str, str]:
    """Samples that run by themselves, by document and number: those for our broker, or of one document of ON_APACHE."""
    found = {name: text for name, text in samples() if not IS_TEST.search(text)}
    if document is not None:
        return {name: text for name, text in found.items() if name.startswith(document)}
    return {name: text for name, text in found.items() if not name.startswith(ON_APACHE)}


def tests(*, of_trial: bool) -> list[str]:
    """The samples that are tests: test cases of trial, or what pytest runs."""
    return [text for _, text in samples() if IS_TEST.search(text) and ("twisted.trial" in text) == of_trial]


def write_program(text: str, namesrv: str, path: Path) -> Path:
    """Make a sample a script with another name server, so that tests can run side by side."""
    path.write_text(text.replace(NAMESRV, namesrv), encoding="utf-8")
    return path

"""Makes tests/golden/java_store_*.py anew: `python -m tests.interop.java_store.golden VERSION` prints the module, and with
the word `extended` behind it that of queues with extensions, tests/golden/java_ext_498.py.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.golden.puts import CONFIG, EXTENDED_CONFIG, extended_puts, puts

from .runner import JavaStore, put_line

HEAD = '''"""The files of a Java {version} store after the calls of tests/golden/puts.py, made by
`python -m tests.interop.java_store.golden {arguments}`.

FILES holds (size, content without the zeros at its end) by path; index files are named by their place, not by their time.
STORED holds (store timestamp, log offset, size, message id) of each put.
"""

from __future__ import annotations
'''
LINE_DIGITS = 100


def literal(data: bytes) -> str:
    """A bytes literal as lines of hex."""
    text = data.hex()
    lines = [f'            "{text[at : at + LINE_DIGITS]}"' for at in range(0, len(text), LINE_DIGITS)] or ['            ""']
    return "bytes.fromhex(\n" + "\n".join(lines) + "\n        )"


def main(version: str, extended: str = "") -> None:
    """Let Java write, and print what it left."""
    config, calls = (EXTENDED_CONFIG, extended_puts()) if extended else (CONFIG, puts())
    with tempfile.TemporaryDirectory(prefix="pymq-golden-") as root:
        facts = JavaStore(version, root, config).write([put_line(put.draft, is_batch=put.is_batch) for put in calls])
        print(HEAD.format(version=version, arguments=f"{version} {extended}".strip()))
        print("STORED = [")
        for fact in facts:
            print(f'    ({fact["storeTimestamp"]}, {fact["logOffset"]}, {fact["size"]}, "{fact["msgId"]}"),')
        print("]\n\nFILES = {")
        for folder in ("commitlog", "consumequeue", "consumequeue_ext", "index"):
            paths = sorted(path for path in Path(root, folder).rglob("*") if path.is_file())
            for number, path in enumerate(paths):
                name = f"index/{number}" if folder == "index" else path.relative_to(root).as_posix()
                data = path.read_bytes()
                print(f'    "{name}": (\n        {len(data)},\n        {literal(data.rstrip(bytes(1)))},\n    ),')
        print("}")


if __name__ == "__main__":
    main(*sys.argv[1:])

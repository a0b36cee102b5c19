"""Makes tests/golden/java_bloom_497.py anew: `python -m tests.interop.bloom.golden` prints the module."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ..toolchain import JVM_FLAGS, artefact, maven_jars, need_tool, run

HERE = Path(__file__).resolve().parent
#: The filter module of 4.9.8 is in no registry; its sources are those of 4.9.7.
VERSION = "4.9.7"
#: What is hashed: keys of filters as the broker makes them, and texts of every length modulo the hash's block of 16 bytes.
TEXTS = [
    "CG#TopicTest",
    "%RETRY%g#T",
    "Größe#Müll",
    "漢字#😀",
    *("0123456789abcdefghijklmnopqrstuvwxyz"[:length] for length in (1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 36)),
]
HEAD = f'''"""What Java's BloomFilter {VERSION} reckons, made by `python -m tests.interop.bloom.golden`.

SIZES holds (hash functions, bits) by (error rate in percent, groups); POSITIONS the calcBitPositions of each text, and BIT_MAPS
the bit map into which all of them were hashed, by the same pair.
"""

from __future__ import annotations
'''


def java_facts() -> list[str]:
    """The lines that the Java program prints."""
    jars = maven_jars(f"filter/{VERSION}", ("rocketmq-filter",), VERSION)
    source = HERE / "BloomProgram.java"

    def build(folder: Path) -> None:
        javac = [need_tool("javac", "default-jdk-headless"), "-nowarn", "-cp", f"{jars}/*", "-d", str(folder), str(source)]
        run(javac, folder, "compiling the bloom program")

    classes = artefact(f"bloom-program/{VERSION}", [source.read_text(), VERSION], build)
    java = [need_tool("java", "default-jre-headless"), *JVM_FLAGS, "-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8"]
    argv = [*java, "-cp", f"{classes}:{jars}/*", "BloomProgram", *TEXTS]
    environment = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(argv, capture_output=True, check=True, timeout=120, env=environment)
    return done.stdout.decode("utf-8").splitlines()


def main() -> None:
    """Print the module."""
    sizes, positions, bit_maps = [], [], []
    for line in java_facts():
        kind, _, rest = line.partition("\t" if line.startswith("positions") else " ")
        if kind == "size":
            f, n, k, m = map(int, rest.split())
            sizes.append(f"({f}, {n}): ({k}, {m})")
        elif kind == "positions":
            f_text, n_text, text, numbers = rest.split("\t")
            positions.append(f'    ({f_text}, {n_text}, "{text}"): ({", ".join(numbers.split())}),')
        else:
            f_text, n_text, data = rest.split()
            bit_maps.append(f'    ({f_text}, {n_text}): "{data}",')
    rows = [sizes[at : at + 6] for at in range(0, len(sizes), 6)]
    print(HEAD)
    print("SIZES = {\n" + "\n".join(f"    {', '.join(row)}," for row in rows) + "\n}  # fmt: skip\n")
    print("POSITIONS = {\n" + "\n".join(positions) + "\n}\n")
    print("BIT_MAPS = {\n" + "\n".join(bit_maps) + "\n}")


if __name__ == "__main__":
    main()

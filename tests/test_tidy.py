"""The style, as a test: what must hold for every file, so that rules outlive those who made them (architecture, habit 14)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pymq"

FILE_LINES_MAX = 400
BODY_LINES_MAX = 50
LINE_LENGTH_MAX = 130

FOUNDATION = {"errors", "interfaces", "layout", "settings", "periodic", "statsitems"}
DOMAIN = FOUNDATION | {"wire", "message"}

#: Which packages of pymq a package may import, beside itself (architecture 6.2). `broker` is the domain without its processors.
MAY_IMPORT = {
    "errors": set(),
    "interfaces": set(),
    "layout": set(),
    "settings": {"errors"},
    "periodic": {"errors", "interfaces"},
    "statsitems": set(),
    "wire": {"errors", "layout"},
    "message": {"errors", "layout", "wire"},
    "store": DOMAIN - {"periodic"},
    "broker": DOMAIN - {"periodic"},
    "namesrv": (FOUNDATION - {"periodic"}) | {"wire"},
    "broker.processors": (DOMAIN - {"periodic"}) | {"broker"},
    "remoting": FOUNDATION | {"wire"},
    "client": DOMAIN | {"remoting"},
    "aio": DOMAIN | {"remoting", "client"},
    "blocking": DOMAIN | {"client", "aio"},
    "services": DOMAIN | {"store", "broker", "broker.processors", "namesrv", "remoting"},
    "tap": FOUNDATION | {"services", "broker", "namesrv", "store"},
    "bench": DOMAIN | {"client", "aio", "blocking", "remoting", "store"},
    "admin": DOMAIN | {"store"},
    "testing": {"*"},
}
#: From the store and the services nothing but these may be taken: a tap reads settings and starts foremen.
NO_TWISTED = {"wire", "message", "store", "errors", "layout", "settings", "statsitems"}
#: Packages in which Twisted is only the vocabulary of Deferreds, failures and interfaces.
DEFER_ONLY = {"broker", "namesrv", "broker.processors", "interfaces"}
DEFER_MODULES = {"twisted.internet.defer", "twisted.internet.interfaces", "twisted.python.failure", "twisted.logger"}

#: A call that must not be made, the files where it may, and what to do instead.
BANNED_CALLS = {
    "time.time": ((), "ask the clock that was passed in"),
    "time.sleep": ((), "wait with clock.callLater"),
    "open": (("pymq/store/files.py", "pymq/tap/options.py", "pymq/bench/recovery.py"), "go through IFiles"),
    "os.fsync": (("pymq/store/files.py",), "go through IFile.sync"),
    "os.fdatasync": (("pymq/store/files.py",), "go through IFile.sync"),
    "LoopingCall": (("pymq/periodic.py",), "use pymq.periodic.Periodic, which survives errors"),
    "print": (("pymq/bench/", "pymq/testing/"), "log with twisted.logger"),
}


def sources() -> list[Path]:
    """Every Python file of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """The path as it stands in messages."""
    return path.relative_to(ROOT).as_posix()


def package_of(module: str) -> str:
    """The part of pymq a module belongs to, as MAY_IMPORT names it."""
    parts = module.split(".")[1:]
    if parts[:2] == ["broker", "processors"]:
        return "broker.processors"
    return parts[0] if parts else "pymq"


def module_of(path: Path) -> str:
    """The dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Every module that a file imports, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function less its signature and its docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


class TidyTests(SynchronousTestCase):
    """One test for each rule; a failure lists every place that breaks it."""

    def expect_none(self, breaches: list[str]) -> None:
        """Fail with all breaches at once."""
        if breaches:
            self.fail("\n" + "\n".join(breaches))

    def trees(self) -> Iterator[tuple[Path, str, ast.Module]]:
        """Each source file with its text and syntax tree."""
        for path in sources():
            text = path.read_text(encoding="utf-8")
            yield path, text, ast.parse(text)

    def test_files_are_short(self) -> None:
        """A file is one idea; a long one holds two."""
        self.expect_none(
            [
                f"{name_of(path)}: {lines} lines, at most {FILE_LINES_MAX}"
                for path, text, _ in self.trees()
                if (lines := text.count("\n")) > FILE_LINES_MAX
            ]
        )

    def test_lines_are_short(self) -> None:
        """Two files must fit side by side."""
        self.expect_none(
            [
                f"{name_of(path)}:{number}: {len(line)} characters, at most {LINE_LENGTH_MAX}"
                for path, text, _ in self.trees()
                for number, line in enumerate(text.splitlines(), 1)
                if len(line) > LINE_LENGTH_MAX
            ]
        )

    def test_functions_are_short(self) -> None:
        """A body that needs scrolling needs a name for its parts."""
        self.expect_none(
            [
                f"{name_of(path)}:{node.lineno}: {node.name} has {body_lines(node)} lines, at most {BODY_LINES_MAX}"
                for path, _, tree in self.trees()
                for node in functions_of(tree)
                if body_lines(node) > BODY_LINES_MAX
            ]
        )

    def test_imports_go_one_way(self) -> None:
        """The layers of the map in pymq/__init__.py."""
        breaches = []
        for path, _, tree in self.trees():
            me = package_of(module_of(path))
            allowed = MAY_IMPORT.get(me, {"*"} if me == "pymq" else set()) | {me}
            for imported in imports_of(tree):
                if imported.startswith("pymq."):
                    other = package_of(imported)
                    if other not in allowed and "*" not in allowed and other in MAY_IMPORT:
                        breaches.append(f"{name_of(path)}: {me} must not import {imported}")
        self.expect_none(sorted(set(breaches)))

    def test_twisted_stays_where_it_belongs(self) -> None:
        """The wire, the messages and the store know no Twisted; the domain knows Deferreds at most."""
        breaches = []
        for path, _, tree in self.trees():
            me = package_of(module_of(path))
            for imported in imports_of(tree):
                if not imported.startswith("twisted"):
                    continue
                defer_word = any(imported == m or imported.startswith(m + ".") for m in DEFER_MODULES)
                parent_only = any(m.startswith(imported + ".") for m in DEFER_MODULES)
                if me in NO_TWISTED and not imported.startswith("twisted.logger"):
                    breaches.append(f"{name_of(path)}: {me} must not import {imported}")
                elif me in DEFER_ONLY and not defer_word and not parent_only:
                    breaches.append(f"{name_of(path)}: {me} may import only Deferreds, not {imported}")
        self.expect_none(sorted(set(breaches)))

    def test_the_reactor_is_passed_in(self) -> None:
        """Only where a program begins may the global reactor be taken: makeService, the console, the client's front doors."""
        allowed = ("pymq/tap/", "pymq/bench/", "pymq/testing/", "pymq/client/reactor.py")
        self.expect_none(
            [
                f"{name_of(path)}: imports the reactor"
                for path, _, tree in self.trees()
                if not name_of(path).startswith(allowed)
                for imported in imports_of(tree)
                if imported == "twisted.internet.reactor"
            ]
        )

    def test_banned_calls_are_not_made(self) -> None:
        """Time, disk and network are arguments."""
        breaches = []
        for path, _, tree in self.trees():
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    called = ast.unparse(node.func)
                    last_word = called.rpartition(".")[2]
                    where, instead = BANNED_CALLS.get(called, BANNED_CALLS.get(last_word, (None, "")))
                    if called.startswith(("self.", "os.open")) or where is None:
                        continue
                    if called != "open" and called.endswith(".open"):
                        continue
                    if not name_of(path).startswith(tuple(where) or ("-",)):
                        breaches.append(f"{name_of(path)}:{node.lineno}: {called}() is banned: {instead}")
        self.expect_none(breaches)

    def test_public_things_are_explained(self) -> None:
        """Modules, and classes and functions without a leading underscore, have docstrings."""
        breaches = []
        for path, _, tree in self.trees():
            if not ast.get_docstring(tree):
                breaches.append(f"{name_of(path)}: no docstring")
            for node in tree.body:
                named = isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
                if named and not node.name.startswith("_") and not ast.get_docstring(node):
                    breaches.append(f"{name_of(path)}:{node.lineno}: {node.name} has no docstring")
        self.expect_none(breaches)

    def test_each_file_names_its_tests(self) -> None:
        """The first line of a source file names its test file, and that file is there."""
        breaches = []
        for path, text, _ in self.trees():
            if path.name == "__init__.py" or path.name == "__main__.py":
                continue
            match = re.match(r"# Tests: (tests/\S+\.py)\n", text)
            if match is None:
                breaches.append(f"{name_of(path)}: the first line must be '# Tests: tests/...'")
            elif not (ROOT / match.group(1)).exists():
                breaches.append(f"{name_of(path)}: its tests {match.group(1)} are not there")
        self.expect_none(breaches)

    def test_no_file_is_unreachable(self) -> None:
        """A file that nothing imports and no entry point names is dead."""
        entry_points = (ROOT / "setup.cfg").read_text() + (ROOT / "twisted/plugins/pymq_plugin.py").read_text()
        imported = {name for _, _, tree in self.trees() for name in imports_of(tree)}
        for test in (ROOT / "tests").rglob("*.py"):
            if "testing" in test.parts or "contracts" in test.parts or test.parent.name == "tests":
                imported |= set(imports_of(ast.parse(test.read_text(encoding="utf-8"))))
        self.expect_none(
            [
                f"{name_of(path)}: nothing imports {module_of(path)}"
                for path in sources()
                if path.name not in ("__init__.py", "__main__.py")
                and module_of(path) not in imported
                and module_of(path) not in entry_points
            ]
        )

    def test_nothing_says_unfinished(self) -> None:
        """What is missing is said in the documentation, not left in the code."""
        words = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError")
        self.expect_none(
            [
                f"{name_of(path)}:{number}: {line.strip()}"
                for path, text, _ in self.trees()
                for number, line in enumerate(text.splitlines(), 1)
                if words.search(line)
            ]
        )

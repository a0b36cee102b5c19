"""Fetches and builds the foreign client programs and servers, once, into a cache folder.

Every artefact is a folder of the cache (`PYMQ_INTEROP_CACHE`, by default `~/.cache/pymq-interop`) with a stamp that says
what it was made from. A second run finds the stamp and costs nothing; a change of the sources builds that artefact anew.
Everything comes through the ordinary clients (mvn, npm, pip, go) as they are set up on the machine. Not every Go module
proxy serves the Go client: `go_module_is_served` tells, and `prepare` leaves the Go program to the tests that need it.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENT_VERSIONS = ("4.9.8", "5.3.3", "5.5.0")
SERVER_VERSIONS = ("4.9.7", "5.3.3", "5.5.0")
ALI_ONS_VERSION = "3.12.0"
CPP_PACKAGE = "rocketmq==0.4.4"
GO_CLIENT = "github.com/apache/rocketmq-client-go/v2@v2.1.2"
BUILD_TIMEOUT_S = 600
# A package index may fail for a while; the tools ask again, but at once.
FETCH_TRIES, FETCH_PAUSE_S = 3, 10

# Flags of every JVM here: light, quick to start, open to the reflection of old netty and fastjson on JDK 17.
JVM_FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Djava.net.preferIPv4Stack=true",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
)
LOGBACK = """<configuration><appender name="F" class="ch.qos.logback.core.FileAppender"><file>${user.home}/%s.log</file>
<encoder><pattern>%%d %%p %%c{0} %%m%%n</pattern></encoder></appender>
<root level="WARN"><appender-ref ref="F"/></root></configuration>
"""
POM = """<project><modelVersion>4.0.0</modelVersion><groupId>pymq</groupId><artifactId>interop</artifactId>
<version>1</version><packaging>pom</packaging><dependencies>%s</dependencies></project>
"""


class ToolchainError(Exception):
    """Something that the interop tests need is missing or could not be built; says what and how it failed."""


def cache_folder():
    """The folder that holds every artefact; made on first use."""
    default = Path.home() / ".cache" / "pymq-interop"
    folder = Path(os.environ.get("PYMQ_INTEROP_CACHE") or default)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def need_tool(name, package):
    """The path of a program that the machine must have, or an error naming the package that brings it."""
    path = shutil.which(name)
    if path is None:
        raise ToolchainError(f"{name} is not installed: the interop tests need it (Debian: {package})")
    return path


def run(argv, cwd, what):
    """Run one step of a build; its output goes into the error if it fails."""
    try:
        done = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise ToolchainError(f"{what}: no end after {BUILD_TIMEOUT_S} s") from None
    if done.returncode:
        raise ToolchainError(
            f"{what} failed ({done.returncode}): {' '.join(map(str, argv))}\n{(done.stdout + done.stderr)[-3000:]}"
        )


def fetch(argv, cwd, what):
    """As `run`, for a step that asks a package index: tried some times."""
    for _ in range(FETCH_TRIES - 1):
        with contextlib.suppress(ToolchainError):
            return run(argv, cwd, what)
        time.sleep(FETCH_PAUSE_S)
    return run(argv, cwd, what)


@contextlib.contextmanager
def locked(folder):
    """One builder at a time, also across processes."""
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def artefact(name, made_from, build):
    """The folder `name` of the cache, built by `build(folder)` unless its stamp says it was made from the same things."""
    folder = cache_folder() / name
    stamp = folder / ".stamp"
    digest = hashlib.sha256(repr(made_from).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return folder
    with locked(cache_folder()):
        if stamp.exists() and stamp.read_text() == digest:
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        build(folder)
        stamp.write_text(digest)
    return folder


def maven_jars(name, modules, version):
    """A folder with the jars of some RocketMQ modules of one version, and all that they need."""
    dependency = "<dependency><groupId>org.apache.rocketmq</groupId><artifactId>%s</artifactId><version>%s</version></dependency>"
    pom = POM % "".join(dependency % (module, version) for module in modules)

    def build(folder):
        (folder / "pom.xml").write_text(pom)
        fetch(
            [
                need_tool("mvn", "maven"),
                "-q",
                "-B",
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
                f"-DoutputDirectory={folder / 'lib'}",
            ],
            folder,
            f"fetching {', '.join(modules)} {version}",
        )

    return artefact(name, pom, build) / "lib"


def client_jars(version):
    """The Java client and the admin tools of one version."""
    return maven_jars(f"java-client-{version}", ("rocketmq-client", "rocketmq-tools"), version)


def server_jars(version):
    """The Apache name server and broker of one version."""
    return maven_jars(f"java-server-{version}", ("rocketmq-namesrv", "rocketmq-broker", "rocketmq-tools"), version)


def java_program(version):
    """The class path of our Java client program, compiled against one version of the client."""
    jars = client_jars(version)
    sources = sorted((HERE / "java").glob("*.java"))

    def build(folder):
        run(
            [
                need_tool("javac", "default-jdk-headless"),
                "-nowarn",
                "-Xlint:-deprecation",
                "-cp",
                f"{jars}/*",
                "-d",
                str(folder),
                *map(str, sources),
            ],
            folder,
            f"compiling the Java program for {version}",
        )

    classes = artefact(f"java-program-{version}", [path.read_text() for path in sources] + [version], build)
    return f"{classes}:{jars}/*"


def java_command(version, options, main, *arguments, heap="192m"):
    """The start of a Java client of one version; `options` are JVM options such as -Duser.home=..."""
    return _java(java_program(version), options, main, *arguments, heap=heap)


def _java(class_path, options, main, *arguments, heap="192m"):
    return [
        need_tool("java", "default-jre-headless"),
        f"-Xmx{heap}",
        *JVM_FLAGS,
        *options,
        "-cp",
        class_path,
        main,
        *arguments,
    ]


def node_modules():
    """The folder with ali-ons, to be the NODE_PATH of the node program."""

    def build(folder):
        (folder / "package.json").write_text('{"name": "interop", "version": "1.0.0", "private": true}')
        fetch(
            [need_tool("npm", "npm"), "install", "--no-audit", "--no-fund", "--no-package-lock", f"ali-ons@{ALI_ONS_VERSION}"],
            folder,
            f"fetching ali-ons {ALI_ONS_VERSION}",
        )

    need_tool("node", "nodejs")
    return artefact("node", ALI_ONS_VERSION, build) / "node_modules"


def cpp_python():
    """The interpreter of a virtual environment of its own with the ctypes package over the C++ library."""

    def build(folder):
        run([sys.executable, "-m", "venv", str(folder / "venv")], folder, "making a virtual environment")
        fetch(
            [str(folder / "venv" / "bin" / "pip"), "-q", "--disable-pip-version-check", "install", CPP_PACKAGE],
            folder,
            f"fetching {CPP_PACKAGE}",
        )

    return artefact("cpp", (CPP_PACKAGE, sys.version), build) / "venv" / "bin" / "python"


def go_module_is_served(module=GO_CLIENT):
    """Does the Go module proxy of this machine have that module?"""
    with tempfile.TemporaryDirectory(prefix="pymq-go-") as folder:
        (Path(folder) / "go.mod").write_text("module empty\n")
        asked = subprocess.run(
            [need_tool("go", "golang-go"), "list", "-m", module],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=BUILD_TIMEOUT_S,
        )
        return asked.returncode == 0


def go_program():
    """Our Go client program, compiled with the Go client from the module proxy."""
    sources = [HERE / "go" / "go.mod", *sorted((HERE / "go").glob("*.go"))]

    def build(folder):
        for path in sources:
            shutil.copy(path, folder)
        fetch(
            [need_tool("go", "golang-go"), "build", "-mod=mod", "-o", "client_program", "."],
            folder,
            f"building the Go program with {GO_CLIENT} from the Go module proxy",
        )

    return artefact("go-program", [path.read_text() for path in sources], build) / "client_program"


def write_logback(home):
    """The logging files that 4.9 servers and tools want to find under -Drocketmq.home.dir; warnings go into `home`."""
    (home / "conf").mkdir(exist_ok=True)
    for name in ("namesrv", "broker", "tools"):
        (home / "conf" / f"logback_{name}.xml").write_text(LOGBACK % name)


def mqadmin(version, arguments, timeout_s=180, files=None):
    """Run Java's mqadmin of one version; the completed process, with text output. `files` are texts for its home, by name."""
    jars = client_jars(version) if version in CLIENT_VERSIONS else server_jars(version)
    with tempfile.TemporaryDirectory(prefix="pymq-mqadmin-") as home:
        write_logback(Path(home))
        for name, text in (files or {}).items():
            (Path(home) / name).write_text(text)
        command = _java(
            f"{jars}/*",
            [f"-Duser.home={home}", f"-Drocketmq.home.dir={home}", f"-Drocketmq.client.logRoot={home}/logs"],
            "org.apache.rocketmq.tools.command.MQAdminStartup",
            *arguments,
        )
        return subprocess.run(command, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s)


def prepare():
    """Fetch and build everything but the Go program; what CI runs before the tests, so that their time is their own."""
    for version in CLIENT_VERSIONS:
        java_program(version)
    for version in SERVER_VERSIONS:
        server_jars(version)
    node_modules()
    cpp_python()


if __name__ == "__main__":
    prepare()

"""Interpreters of this machine, virtual environments made with them, and brokers that run in those."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.interop.pymq_server import PyMQServer

ROOT = Path(__file__).resolve().parents[2]
INSTALL_S = 900
RUN_S = 600
#: What would let an installed program see the checkout, or another environment.
HIDDEN = ("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS", "VIRTUAL_ENV")


def supported_versions():
    """The Pythons that setup.cfg says we run on, the oldest first."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return re.findall(r"^Programming Language :: Python :: (3\.\d+)$", config["metadata"]["classifiers"], re.MULTILINE)


@cache
def interpreter(version):
    """The path of a Python of that version: this one, one on the PATH or one of pyenv's; None where there is none."""
    folders = {Path(sys.base_prefix).parent, Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"}
    kept = [path for folder in sorted(folders) for path in sorted(folder.glob(f"{version}.*/bin/python"), reverse=True)]
    named = shutil.which(f"python{version}")
    for candidate in (sys.executable, *filter(None, [named]), *kept):
        # A name alone says little: pyenv puts one on the PATH for each version that it has, also for those that are not in use.
        asked = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
        )
        if asked.stdout.strip() == version:
            return candidate
    return None


def found_versions():
    """Those of the supported versions that are on this machine, the oldest first."""
    return [version for version in supported_versions() if interpreter(version)]


class Environment:
    """A fresh virtual environment, and what runs in it: in a folder of its own, and with nothing of the checkout in sight."""

    def __init__(self, version, folder):
        self.folder, self.python = folder, folder / "venv" / "bin" / "python"
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        # This Python's pip does the installing, for one in each environment would take longer than all that is tested.
        self.check([interpreter(version), "-m", "venv", "--without-pip", self.python.parents[1]])
        self.site = Path(self.check([self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip())

    def variables(self):
        """The variables of a shell that has this environment first on its path, in a home of its own."""
        kept = {name: value for name, value in os.environ.items() if name not in HIDDEN}
        path = os.pathsep.join([str(self.python.parent), os.environ["PATH"]])
        return {**kept, "PATH": path, "HOME": str(self.work), "PYTHONUNBUFFERED": "1"}

    def check(self, words, timeout_s=RUN_S, **more):
        """Run a program to its end, which must be a good one; its standard output."""
        ended = subprocess.run(
            [str(word) for word in words],
            cwd=self.work,
            env={**self.variables(), **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert ended.returncode == 0, f"{words} ended with {ended.returncode}\n{ended.stdout[-6000:]}\n{ended.stderr[-6000:]}"
        return ended.stdout

    def pip(self, *words):
        """Run pip on this environment, with the cache of whoever runs the tests."""
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self.python]
        return self.check([*pip, *words], INSTALL_S, HOME=str(Path.home()))

    def install(self, *requirements):
        """Install; what is never imported need not be compiled."""
        self.pip("install", "-q", "--no-compile", *requirements)

    def installed(self):
        """Name and version of each distribution."""
        return {line["name"]: line["version"] for line in json.loads(self.pip("list", "--format=json"))}

    def script(self, name):
        """The path of a console script."""
        return self.python.with_name(name)


class InstalledBroker(PyMQServer):
    """A broker with a name server in it, started by the console script of an environment."""

    def __init__(self, environment, **config):
        super().__init__(**config)
        self._environment = environment

    def argv(self):
        """The console script takes what twistd's plugin does."""
        name, *arguments = self.command()
        return [self._environment.script(name), *arguments]

    def variables(self):
        """Those of the environment."""
        return self._environment.variables()

"""The distributions, built once from a tree that was used, and one environment for each Python of this machine."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from .places import ROOT, Environment, InstalledBroker, found_versions, interpreter, supported_versions

HERE = Path(__file__).resolve().parent
BUILD_S = 900
#: What use leaves in a tree, and what must not be shipped.
LEFTOVERS = (
    "twisted/plugins/dropin.cache",
    "pymq/__pycache__/errors.cpython-311.pyc",
    "tests/__pycache__/__init__.cpython-311.pyc",
)


def pytest_configure(config):
    """Make the marker known also where no configuration file names it."""
    config.addinivalue_line("markers", "packaging: builds and installs the distributions (pytest -m packaging tests/packaging)")


def pytest_collection_modifyitems(items):
    """Mark what is in this folder; the hook sees the items of all folders."""
    for item in items:
        if HERE in Path(item.path).parents:
            item.add_marker(pytest.mark.packaging)


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """A copy of what git knows of the checkout, with what use leaves in it."""
    folder = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def source_files(tree):
    """The names of all files of the checkout, taken before leftovers come to them."""
    return {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def distributions(tree, source_files, tmp_path_factory):
    """The paths of `wheel` and `sdist`, the one built from the other as for a release."""
    for name in LEFTOVERS:
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_bytes(b"left over")
    out = tmp_path_factory.mktemp("dist")
    built = subprocess.run(
        [sys.executable, "-m", "build", "--outdir", out, tree], capture_output=True, text=True, timeout=BUILD_S, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return SimpleNamespace(wheel=wheel, sdist=sdist)


@pytest.fixture(scope="session")
def make_environment(tmp_path_factory):
    """Makes an environment of a version of Python, with what is named installed."""

    def make(version, *requirements):
        environment = Environment(version, tmp_path_factory.mktemp(f"python{version}-"))
        environment.install(*requirements)
        return environment

    return make


@pytest.fixture(scope="session")
def environments(distributions, make_environment):
    """By version: `wheel`, installed with what it needs and no extra, and `sdist`, installed alone. All are made at once."""
    with ThreadPoolExecutor(4) as pool:
        begun = {
            version: SimpleNamespace(
                wheel=pool.submit(make_environment, version, distributions.wheel),
                sdist=pool.submit(make_environment, version, "--no-deps", distributions.sdist),
            )
            for version in found_versions()
        }
    return {version: SimpleNamespace(wheel=two.wheel.result(), sdist=two.sdist.result()) for version, two in begun.items()}


@pytest.fixture(scope="session", params=supported_versions())
def version(request):
    """Each supported Python that this machine has."""
    if interpreter(request.param) is None:
        pytest.skip(f"this machine has no Python {request.param}")
    return request.param


@pytest.fixture(scope="session")
def newest():
    """The newest Python that this machine has."""
    return found_versions()[-1]


@pytest.fixture(scope="session")
def installed(environments, version):
    """The environment with the wheel, and no extra."""
    return environments[version].wheel


@pytest.fixture(scope="session")
def broker(installed):
    """A broker that runs there."""
    with InstalledBroker(installed) as running:
        yield running

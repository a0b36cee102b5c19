"""What is in the distributions, and what they say of themselves."""

import configparser
import sys
import tarfile
import zipfile
from email.parser import Parser

import pytest

from pymq import __version__

from .places import found_versions, supported_versions

#: Of the checkout alone: its CI, and what git leaves out.
NOT_SHIPPED = (".ci/", ".gitignore")
#: What building adds to the sources.
ADDED_TO_SDIST = ("PKG-INFO", "pymq_broker.egg-info/")
DIST_INFO = f"pymq_broker-{__version__}.dist-info/"
SCRIPTS = {"pymq-broker", "pymq-namesrv", "pymq-bench", "pymq-admin"}
EXTRAS = {"check", "compression", "test", "testing", "tls"}


@pytest.fixture(scope="module")
def wheel(distributions):
    """The opened wheel."""
    with zipfile.ZipFile(distributions.wheel) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel):
    """The wheel's METADATA."""
    return Parser().parsestr(wheel.read(DIST_INFO + "METADATA").decode())


def test_this_python_is_among_those_that_are_tried():
    """Others are where the machine has them; those that it has not are named as skipped."""
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in found_versions()


def test_the_wheel_has_the_package_and_nothing_else(wheel, source_files):
    """All that lies in the package but the news to come, and twistd's plugin; no tests, no caches, nothing of Twisted's own."""
    names = {name for name in wheel.namelist() if not name.startswith(DIST_INFO)}
    package = {name for name in source_files if name.startswith("pymq/") and not name.startswith("pymq/newsfragments/")}
    assert {"pymq/py.typed", "pymq/__init__.py"} < package
    assert names == package | {"twisted/plugins/pymq_plugin.py"}


def test_the_sdist_has_the_sources(distributions, source_files):
    """All that the checkout has, so that its tests can be run and the wheel built from it."""
    with tarfile.open(distributions.sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    shipped = {name for name in names if not name.startswith(ADDED_TO_SDIST)}
    assert shipped == {name for name in source_files if not name.startswith(NOT_SHIPPED)}


def test_the_metadata_say_what_it_is(metadata, wheel):
    """As an index shows it."""
    assert (metadata["Name"], metadata["Version"]) == ("pymq-broker", __version__)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert f"{DIST_INFO}licenses/{metadata['License-File']}" in wheel.namelist()
    assert metadata["Description-Content-Type"] == "text/x-rst"
    assert set(metadata.get_all("Provides-Extra")) == EXTRAS
    assert "Typing :: Typed" in metadata.get_all("Classifier")


def test_the_oldest_python_is_the_one_demanded(metadata):
    """What the classifiers begin with."""
    assert metadata["Requires-Python"] == f">={supported_versions()[0]}"


def test_the_wheel_is_for_every_machine(distributions):
    """No compiled part."""
    assert distributions.wheel.name == f"pymq_broker-{__version__}-py3-none-any.whl"


def test_the_entry_points(wheel):
    """The commands, and the fixtures of pytest."""
    points = configparser.ConfigParser()
    points.read_string(wheel.read(DIST_INFO + "entry_points.txt").decode())
    assert set(points["console_scripts"]) == SCRIPTS
    assert dict(points["pytest11"]) == {"pymq": "pymq.testing.pytest_plugin"}

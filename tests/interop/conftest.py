"""Every test here is marked `interop`; a plain run leaves them out, and a missing tool is an error, not a skip."""
from pathlib import Path

import pytest

from . import toolchain

HERE = Path(__file__).resolve().parent


def pytest_configure(config):
    """Make the marker known also where no configuration file names it."""
    config.addinivalue_line("markers", "interop: real foreign clients and servers (pytest -m interop tests/interop)")


def pytest_collection_modifyitems(items):
    """Mark what is in this folder; the hook sees the items of all folders."""
    for item in items:
        if HERE in Path(item.path).parents:
            item.add_marker(pytest.mark.interop)


@pytest.fixture(scope="session", autouse=True)
def built_toolchain():
    """Fetch and build before the first test, so that no test's deadline runs meanwhile."""
    toolchain.prepare()

"""Every test here is marked `interop`; a plain run leaves them out, and a missing tool is an error, not a skip.

Those of the Go client are marked `interop_go` too, for its module is not to be had everywhere.
"""

from pathlib import Path

import pytest

from . import toolchain

HERE = Path(__file__).resolve().parent


def pytest_configure(config):
    """Make the markers known also where no configuration file names them."""
    config.addinivalue_line("markers", "interop: real foreign clients and servers (pytest -m interop tests/interop)")
    config.addinivalue_line("markers", "interop_go: the Go client (pytest -m interop_go tests/interop)")


def pytest_collection_modifyitems(items):
    """Mark what is in this folder; the hook sees the items of all folders."""
    for item in items:
        if HERE in Path(item.path).parents:
            item.add_marker(pytest.mark.interop)
            if hasattr(item, "callspec") and "go" in item.callspec.params.values():
                item.add_marker(pytest.mark.interop_go)


@pytest.fixture(scope="session", autouse=True)
def built_toolchain():
    """Fetch and build before the first test, so that no test's deadline runs meanwhile."""
    toolchain.prepare()


@pytest.fixture(scope="session")
def go_program():
    """Build the Go program, or fail, once."""
    toolchain.go_program()


@pytest.fixture(autouse=True)
def built_go_program(request):
    """Only the tests of the Go client need its program."""
    if request.node.get_closest_marker("interop_go"):
        request.getfixturevalue("go_program")

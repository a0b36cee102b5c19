# Tests: tests/testing/test_pytest_plugin.py
"""The fixtures of `pip install pymq-broker[testing]`, known to pytest by the entry point `pytest11`.

Brokers run in processes of their own, which are reused: a test, class, module or package has one to itself, and it is wiped when
that is over. Nothing is started, or imported, before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pymq.testing.blocking import RocketMQ
    from pymq.testing.embedded import EmbeddedRocketMQ


class _Pool:
    """The brokers of a session. One that is given back is wiped and given out again."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = dict(settings)
        self._idle: list[RocketMQ] = []

    def lend(self) -> Iterator[RocketMQ]:
        """A clean broker, until the generator is continued."""
        from pymq.testing.blocking import RocketMQ

        rocketmq = self._idle.pop() if self._idle else RocketMQ(**self._settings).start()
        try:
            yield rocketmq
        finally:
            if rocketmq.is_running:
                rocketmq.reset()
                self._idle.append(rocketmq)

    def close(self) -> None:
        """Stop those that nobody has."""
        while self._idle:
            self._idle.pop().stop()


@pytest.fixture(scope="session")
def rocketmq_settings() -> dict[str, Any]:
    """Settings of the brokers, by Apache's keys; to be overridden in a conftest.py."""
    return {}


@pytest.fixture(scope="session")
def _rocketmq_pool(rocketmq_settings: dict[str, Any]) -> Iterator[_Pool]:
    pool = _Pool(rocketmq_settings)
    yield pool
    pool.close()


@pytest.fixture
def rocketmq(_rocketmq_pool: _Pool) -> Iterator[RocketMQ]:
    """A RocketMQ broker, clean for each test."""
    yield from _rocketmq_pool.lend()


@pytest.fixture(scope="class")
def rocketmq_class(_rocketmq_pool: _Pool) -> Iterator[RocketMQ]:
    """A RocketMQ broker for the tests of a class."""
    yield from _rocketmq_pool.lend()


@pytest.fixture(scope="module")
def rocketmq_module(_rocketmq_pool: _Pool) -> Iterator[RocketMQ]:
    """A RocketMQ broker for the tests of a module."""
    yield from _rocketmq_pool.lend()


@pytest.fixture(scope="package")
def rocketmq_package(_rocketmq_pool: _Pool) -> Iterator[RocketMQ]:
    """A RocketMQ broker for the tests of a package."""
    yield from _rocketmq_pool.lend()


@pytest.fixture(scope="session")
def rocketmq_server(_rocketmq_pool: _Pool) -> Iterator[RocketMQ]:
    """A RocketMQ broker for all tests of the session; take names from `rocketmq_topic` to keep them apart."""
    yield from _rocketmq_pool.lend()


@pytest.fixture(scope="session")
def rocketmq_addr(rocketmq_server: RocketMQ) -> str:
    """The address of the name server of `rocketmq_server`, host:port."""
    return rocketmq_server.name_server


@pytest.fixture
def rocketmq_topic(rocketmq_server: RocketMQ, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a new topic of `rocketmq_server`, which is deleted after the test."""
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in request.node.name)
    topic = rocketmq_server.new_topic(name[:64])
    yield topic
    if rocketmq_server.is_running:
        rocketmq_server.delete_topic(topic)


@pytest.fixture(scope="session")
def rocketmq_server_factory() -> Iterator[Callable[..., RocketMQ]]:
    """Starts more brokers, each with settings of its own by Apache's keys; all are stopped at the end of the session."""
    from pymq.testing.blocking import RocketMQ

    made: list[RocketMQ] = []

    def make(**settings: Any) -> RocketMQ:
        server = RocketMQ(**settings)
        made.append(server)
        return server.start()

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def rocketmq_embedded(rocketmq_settings: dict[str, Any]) -> Iterator[EmbeddedRocketMQ]:
    """A RocketMQ broker in this process, whose methods give Deferreds; needs pytest-twisted."""
    pytest_twisted = pytest.importorskip("pytest_twisted", reason="rocketmq_embedded needs pytest-twisted, whose reactor runs it")
    from pymq.testing.embedded import EmbeddedRocketMQ

    server = EmbeddedRocketMQ(**rocketmq_settings)
    pytest_twisted.blockon(server.start())
    yield server
    pytest_twisted.blockon(server.stop())

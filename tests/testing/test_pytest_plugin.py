"""The fixtures, in runs of pytest as users start them."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "pymq.testing.pytest_plugin"
RUN_S = 600

PLAIN = """
    import pytest
    from pymq.testing import RocketMQ

    def test_it(rocketmq):
        rocketmq.create_topic("orders")
        rocketmq.send("orders", "one")
        assert [message.text for message in rocketmq.receive("orders")] == ["one"]

    def test_it_is_clean(rocketmq):
        assert rocketmq.arrived("orders") == []

    def test_other_scopes_have_others(rocketmq, rocketmq_module, rocketmq_server, rocketmq_addr):
        assert len({rocketmq.broker, rocketmq_module.broker, rocketmq_server.broker}) == 3
        assert rocketmq_addr == rocketmq_server.name_server
        rocketmq_module.send("kept", "one")

    def test_a_module_keeps_its_own(rocketmq_module):
        assert len(rocketmq_module.arrived("kept")) == 1

    topics = []

    @pytest.mark.parametrize("number", [1, 2])
    def test_topics(rocketmq_server, rocketmq_topic, number):
        rocketmq_server.send(rocketmq_topic, "one")
        topics.append(rocketmq_topic)
        assert len(set(topics)) == number
        assert rocketmq_topic.startswith("test_topics_")

    def test_a_topic_is_gone(rocketmq_server):
        assert rocketmq_server.arrived(topics[0]) == []

    def test_settings(rocketmq_server_factory):
        server = rocketmq_server_factory(brokerName="mine")
        assert server.broker_name == "mine"

    def test_a_broken_one_is_replaced(rocketmq):
        rocketmq.stop()

    def test_after_that(rocketmq):
        assert rocketmq.status().state == "running"
"""

SETTINGS = """
    import pytest

    @pytest.fixture(scope="session")
    def rocketmq_settings():
        return {"brokerName": "ours"}

    def test_it(rocketmq, rocketmq_server):
        assert rocketmq.broker_name == rocketmq_server.broker_name == "ours"
"""

ASYNCIO = """
    import asyncio
    import pytest

    @pytest.mark.asyncio
    async def test_it(rocketmq):
        host, port = rocketmq.broker.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        await writer.wait_closed()
        rocketmq.send("orders", "one")
        assert len(await asyncio.to_thread(rocketmq.arrived, "orders", 1)) == 1
"""

TWISTED = """
    import pytest_twisted
    from pymq.client import Message, Producer

    @pytest_twisted.ensureDeferred
    async def test_a_process(rocketmq):
        async with_producer(rocketmq.name_server)
        assert len(rocketmq.arrived("orders", 1)) == 1

    @pytest_twisted.ensureDeferred
    async def test_embedded(rocketmq_embedded):
        await with_producer(rocketmq_embedded.name_server)
        assert len(await rocketmq_embedded.arrived("orders", 1)) == 1

    async def with_producer(name_server):
        producer = Producer("senders", namesrv_addr=name_server)
        await producer.start()
        await producer.send(Message("orders", b"one"))
        await producer.shutdown()
""".replace("async with_producer(rocketmq.name", "await with_producer(rocketmq.name")

XDIST = """
    import pytest

    @pytest.mark.parametrize("number", [1, 2])
    def test_it(rocketmq, number):
        rocketmq.send("orders", str(number))
        assert [message.text for message in rocketmq.arrived("orders")] == [str(number)]
"""

UNITTEST = """
    import unittest
    from pymq.testing import RocketMQ

    class OrderTests(unittest.TestCase):
        def test_it(self):
            with RocketMQ() as rocketmq:
                rocketmq.send("orders", "one")
                self.assertEqual(len(rocketmq.arrived("orders", 1)), 1)
"""

UNUSED = """
    import sys

    def test_nothing_is_imported():
        assert not [name for name in sys.modules if name.startswith(("twisted", "pymq.testing.")) and name != "PLUGIN"]
""".replace("PLUGIN", PLUGIN)


class PluginTests(SynchronousTestCase):
    """Each in a process of its own, with the plugins that it names and no others."""

    def run_tests(self, text: str, *words: str, plugins: tuple[str, ...] = ()) -> str:
        """The last line of a run in which all passed."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "test_sample.py").write_text(textwrap.dedent(text), encoding="utf-8")
        named = [word for plugin in (PLUGIN, *plugins) for word in ("-p", plugin)]
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", *named, *words, "test_sample.py"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        return ended.stdout.splitlines()[-1]

    def test_plain(self) -> None:
        """Every fixture of every scope, with blocking calls."""
        self.assertIn("10 passed", self.run_tests(PLAIN))

    def test_settings(self) -> None:
        """For all brokers, by overriding a fixture."""
        self.run_tests(SETTINGS)

    def test_asyncio(self) -> None:
        """With pytest-asyncio: the broker runs beside the test's loop."""
        self.run_tests(ASYNCIO, plugins=("asyncio",))

    def test_twisted(self) -> None:
        """With pytest-twisted: in a process of its own, and embedded."""
        self.assertIn("2 passed", self.run_tests(TWISTED, plugins=("pytest_twisted",)))

    def test_unittest(self) -> None:
        """Without any fixture."""
        self.run_tests(UNITTEST)

    def test_xdist(self) -> None:
        """Each worker has its own."""
        self.assertIn("2 passed", self.run_tests(XDIST, "-n", "2", plugins=("xdist",)))

    def test_who_does_not_use_it_does_not_pay(self) -> None:
        """A run without these fixtures imports neither Twisted nor the kit."""
        self.run_tests(UNUSED)

    def test_pytest_finds_it(self) -> None:
        """Once the package is installed, by its entry point."""
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg", encoding="utf-8")
        name, _, module = setup["options.entry_points"]["pytest11"].strip().partition(" = ")
        self.assertEqual((name, module), ("pymq", PLUGIN))
        self.assertTrue(hasattr(import_module(module), "rocketmq"))

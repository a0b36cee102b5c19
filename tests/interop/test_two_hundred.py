"""Two hundred small tests with the fixture `rocketmq`, and what each costs: printed, for no machine is like another."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from statistics import median
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
COUNT = 200
RUN_S = 900
PLUGINS = ("pymq.testing.pytest_plugin", "pytest_twisted")

COMMANDS = """
    import pytest

    @pytest.mark.parametrize("number", range(200))
    def test_small(rocketmq, number):
        rocketmq.create_topic("orders")
        rocketmq.send("orders", f"order {number}")
        assert [message.text for message in rocketmq.receive("orders")] == [f"order {number}"]
        assert rocketmq.lag("pymq_testing") == 0
"""

CLIENT = """
    import pytest
    import pytest_twisted
    from twisted.internet.defer import Deferred
    from pymq.client import ConsumeFromWhere, Message, Producer, PushConsumer

    FIRST = ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET

    @pytest.mark.parametrize("number", range(200))
    @pytest_twisted.ensureDeferred
    async def test_small(rocketmq, number):
        rocketmq.create_topic("orders")
        producer = Producer("shop", namesrv_addr=rocketmq.name_server)
        await producer.start()
        await producer.send(Message("orders", b"order %d" % number))
        came = Deferred()
        consumer = PushConsumer("billing", namesrv_addr=rocketmq.name_server, consume_from_where=FIRST)
        consumer.subscribe("orders")
        consumer.listen(lambda messages, context: came.callback(messages[0].body))
        await consumer.start()
        assert await came == b"order %d" % number
        await consumer.shutdown()
        await producer.shutdown()
"""


@pytest.mark.parametrize(("name", "text"), [("the kit's own send and receive", COMMANDS), ("producer and push consumer", CLIENT)])
def test_two_hundred(name, text, tmp_path, capsys):
    """Each makes a topic, sends, receives and checks, in a run of pytest of its own; the first starts the broker."""
    (tmp_path / "test_sample.py").write_text(textwrap.dedent(text), encoding="utf-8")
    words = [word for plugin in PLUGINS for word in ("-p", plugin)]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, "--junitxml=times.xml", "test_sample.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    suite = ElementTree.parse(tmp_path / "times.xml").getroot().find("testsuite")
    first, *others = [float(case.get("time")) * 1000 for case in suite.iter("testcase")]
    assert len(others) == COUNT - 1
    with capsys.disabled():
        print(
            f"\n{COUNT} tests with {name}: {float(suite.get('time')):.1f} s; the first {first:.0f} ms, "
            f"the others {sum(others) / len(others):.1f} ms each (median {median(others):.1f}, worst {max(others):.0f})"
        )

"""Somebody's project that tests with the fixtures: nothing but what pip installs, and plugins of pytest as they are now."""

import textwrap

import pytest

from tests import documents

ASYNCIO = """
    import pytest
    from pymq.aio import Message, Producer

    @pytest.mark.asyncio
    @pytest.mark.parametrize("number", range(4))
    async def test_it(rocketmq, number):
        rocketmq.create_topic("orders")
        async with Producer("shop", namesrv_addr=rocketmq.name_server) as producer:
            await producer.send(Message("orders", b"one"))
        assert [message.body for message in rocketmq.arrived("orders")] == [b"one"]
"""
WORKERS = """
    import os

    def test_worker(rocketmq):
        assert os.environ["PYTEST_XDIST_WORKER"].startswith("gw")
        assert rocketmq.arrived("orders") == []
"""


@pytest.fixture(scope="module")
def project(make_environment, newest, distributions):
    """A folder for tests, in an environment with the wheel and its extra for tests."""
    return make_environment(newest, f"{distributions.wheel}[testing]")


def run_tests(project, name, texts, *words):
    """Run them in a folder of their own; what pytest printed."""
    folder = project.work / name
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"test_{number}.py").write_text(textwrap.dedent(text), encoding="utf-8")
    return project.check([project.python, "-m", *words, *sorted(folder.iterdir())])


def test_the_fixtures_are_there_once_it_is_installed(project):
    """With pytest alone: what needs more is told apart by its imports."""
    texts = [text for text in documents.tests(of_trial=False) if "pytest_twisted" not in text]
    assert set(project.installed()) >= {"pytest", "pymq-broker"}
    assert len(texts) >= 3
    assert " passed" in run_tests(project, "plain", texts, "pytest", "-q", "-W", "error")


def test_with_the_plugins_of_now(project):
    """Fixtures under pytest-asyncio, in workers of pytest-xdist; with pytest-twisted; and trial without any of them."""
    project.install("pytest-asyncio", "pytest-xdist")
    printed = run_tests(project, "workers", [ASYNCIO, WORKERS], "pytest", "-q", "-n", "2")
    assert "5 passed" in printed
    project.install("pytest-twisted")
    assert " passed" in run_tests(project, "twisted", documents.tests(of_trial=False), "pytest", "-q", "-p", "no:asyncio")
    assert "PASSED (successes=1)" in run_tests(project, "trial", documents.tests(of_trial=True), "twisted.trial")

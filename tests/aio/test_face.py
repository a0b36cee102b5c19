"""What all asyncio clients do alike."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from pymq import aio
from pymq import client as on_deferreds
from pymq.aio.face import bridged
from pymq.client.results import ServiceState
from pymq.errors import NoNameServer, NotStarted
from pymq.message.message import Message
from tests.aio.cases import AioCase
from tests.client.cases import TOPIC, queue

ROOT = Path(__file__).resolve().parents[2]


class FaceTests(AioCase):
    """Life, questions, cancellation."""

    def test_async_with_starts_and_shuts_down(self) -> None:
        """Also when an error leaves it."""
        producer = self.aio_producer()

        async def work() -> None:
            async with producer as entered:
                self.assertIs(entered, producer)
                self.assertEqual((producer.state, producer.group), (ServiceState.RUNNING, "pg"))
                self.assertIn("10.0.0.7@", producer.client_id)
                raise KeyError

        self.assertRaises(KeyError, self.run_loop, work())
        self.assertIs(producer.state, ServiceState.SHUTDOWN_ALREADY)
        self.assertIn("SHUTDOWN_ALREADY", repr(producer))

    def test_before_the_start(self) -> None:
        """The error says what to do."""

        async def work() -> None:
            with self.assertRaisesRegex(NotStarted, "await its start"):
                await self.aio_producer().send(Message(TOPIC, b"x"))

        self.run_loop(work())

    def test_without_a_name_server(self) -> None:
        """The start fails as it does on Deferreds."""

        async def work() -> None:
            with self.assertRaises(NoNameServer):
                await aio.Producer("pg", **{**self.settings(), "namesrv_addr": ";"}).start()

        self.run_loop(work())

    def test_questions(self) -> None:
        """As every client can ask."""
        self.put(b"one")

        async def work() -> None:
            async with self.aio_producer() as producer:
                self.assertEqual((await producer.min_offset(queue()), await producer.max_offset(queue())), (0, 1))
                self.assertEqual(await producer.earliest_store_time(queue()), -1)
                await producer.create_topic("TBW102", "another")
                result = await producer.send(Message(TOPIC, b"two", keys="k"))
                self.assertEqual((await producer.view_message(result.offset_msg_id)).body, b"two")
                self.assertEqual([m.body for m in (await producer.query_message(TOPIC, "k")).messages], [b"two"])
                found = await producer.query_message_by_unique_id(TOPIC, result.msg_id)
                self.assertEqual([m.body for m in found.messages], [b"two"])
                self.assertEqual(await producer.search_offset(queue(), 0), 1)

        self.run_loop(work())

    def test_cancelling_the_task_cancels_the_work(self) -> None:
        """And the client goes on."""
        consumer = aio.PullConsumer("cg", **self.settings())

        async def work() -> None:
            async with consumer:
                pull = asyncio.create_task(consumer.pull_block_if_not_found(queue(), "*", 0))
                await asyncio.sleep(0)
                self.assertEqual(len(consumer.client.tasks), 1)
                pull.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await pull
                self.assertEqual(len(consumer.client.tasks), 0)
                self.assertEqual(await consumer.max_offset(queue()), 0)

        self.run_loop(work())

    def test_functions_of_users(self) -> None:
        """Plain results stay, coroutines of asyncio become Deferreds, Deferreds stay too."""

        async def later(number: int) -> int:
            await asyncio.sleep(0)
            return number + 1

        async def work() -> None:
            self.assertEqual(bridged(lambda: 3)(), 3)
            outcome = bridged(later)(4)
            self.assertIsInstance(outcome, Deferred)
            self.assertEqual(await outcome.asFuture(asyncio.get_running_loop()), 5)
            given: Deferred[None] = Deferred()
            self.assertIs(bridged(lambda: given)(), given)

        self.run_loop(work())

    def test_a_users_coroutine_that_is_cancelled(self) -> None:
        """It is told as those below know it, before and after its first step, and never began if it had no time to."""
        steps: list[str] = []

        async def endless() -> None:
            steps.append("begun")
            await asyncio.sleep(60)

        async def work() -> None:
            for steps_first in (0, 1):
                outcome = bridged(endless)()
                for _ in range(steps_first):
                    await asyncio.sleep(0)
                failures: list[Failure] = []
                outcome.addErrback(failures.append)
                outcome.cancel()
                await asyncio.sleep(0.01)
                self.assertEqual([failure.type for failure in failures], [CancelledError])
            self.assertEqual(steps, ["begun"])

        self.run_loop(work())

    def test_no_method_is_missing(self) -> None:
        """Whatever the clients on Deferreds can do, these can."""
        kinds = [
            ours for ours in vars(aio).values() if inspect.isclass(ours) and issubclass(ours, aio.Face) and ours is not aio.Face
        ]
        self.assertEqual(len(kinds), 7)
        for ours in kinds:
            for name, method in inspect.getmembers(getattr(on_deferreds, ours.__name__), inspect.isfunction):
                given = inspect.signature(method, follow_wrapped=False).return_annotation
                if not name.startswith("_") and "Deferred" in str(given):
                    self.assertTrue(inspect.iscoroutinefunction(getattr(ours, name, None)), f"{ours.__name__} has no {name}")

    def test_no_reactor_is_installed(self) -> None:
        """Importing, starting and stopping leaves the choice of a reactor to the program."""
        program = (
            "import asyncio, sys\n"
            "from pymq import aio\n"
            "from pymq.periodic import Periodic\n"
            "from pymq.aio.loopclock import LoopClock\n"
            "async def main():\n"
            "    done = asyncio.get_running_loop().create_future()\n"
            "    periodic = Periodic(LoopClock(), 0.001, lambda: done.done() or done.set_result(None), name='x')\n"
            "    periodic.start(); await done; periodic.stop()\n"
            "asyncio.run(main())\n"
            "assert 'twisted.internet.reactor' not in sys.modules\n"
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr.decode()), (0, ""))

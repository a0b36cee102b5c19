"""From a listener to a loop."""

from __future__ import annotations

import asyncio
from typing import Any

from pymq.aio.deliveries import Deliveries, Messages
from pymq.client.results import ConsumeContext, ConsumeStatus
from pymq.errors import ClientError
from tests.aio.cases import AioCase
from tests.client.cases import queue, stored


class DeliveriesTests(AioCase):
    """What becomes of the verdict."""

    def setUp(self) -> None:
        """Two messages that one call of the listener brings."""
        super().setUp()
        self.first, self.second = stored(0), stored(1)

    def offer(self, deliveries: Deliveries, *messages: Any) -> Any:
        """Call the listener."""
        return deliveries.offer(messages, ConsumeContext(queue()))

    def test_success_when_all_are_acknowledged(self) -> None:
        """Not before; again is harmless."""

        async def work() -> None:
            deliveries = Deliveries(is_orderly=False)
            verdict = self.offer(deliveries, self.first, self.second)
            self.assertEqual([await deliveries.take(), await deliveries.take()], [self.first, self.second])
            deliveries.ack(self.first)
            self.assertNoResult(verdict)
            deliveries.ack(self.first)
            deliveries.ack(self.second)
            self.assertIs(self.successResultOf(verdict), ConsumeStatus.CONSUME_SUCCESS)
            deliveries.ack(self.second)

        self.run_loop(work())

    def test_what_is_not_taken_cannot_be_acknowledged(self) -> None:
        """It is still to come."""

        async def work() -> None:
            deliveries = Deliveries(is_orderly=False)
            verdict = self.offer(deliveries, self.first)
            deliveries.ack(self.first)
            deliveries.reject(self.first)
            self.assertNoResult(verdict)

        self.run_loop(work())

    def test_one_rejected_rejects_all(self) -> None:
        """The rest of the call is not given out any more."""

        async def work() -> None:
            deliveries = Deliveries(is_orderly=True)
            verdict = self.offer(deliveries, self.first, self.second)
            other = self.offer(deliveries, stored(2))
            taken = await deliveries.take()
            assert taken is not None
            deliveries.reject(taken)
            self.assertIs(self.successResultOf(verdict), ConsumeStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT)
            third = await deliveries.take()
            assert third is not None
            self.assertEqual(third.queue_offset, 2)
            deliveries.ack(third)
            self.assertIs(self.successResultOf(other), ConsumeStatus.SUCCESS)

        self.run_loop(work())

    def test_what_was_taken_back_is_passed_over(self) -> None:
        """Its queue belongs to another consumer now; acknowledging what was in hand does nothing."""

        async def work() -> None:
            deliveries = Deliveries(is_orderly=False)
            taken_back, in_hand = self.offer(deliveries, self.first), self.offer(deliveries, self.second)
            taken_back.addErrback(lambda _: None).cancel()
            self.assertIs(await deliveries.take(), self.second)
            in_hand.addErrback(lambda _: None).cancel()
            deliveries.ack(self.second)
            deliveries.reject(self.second)

        self.run_loop(work())

    def test_a_cancelled_take_takes_nothing(self) -> None:
        """Also when the message came in the same turn."""

        async def work() -> None:
            deliveries = Deliveries(is_orderly=False)
            taking = asyncio.create_task(deliveries.take())
            await asyncio.sleep(0)
            self.offer(deliveries, self.first)
            taking.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await taking
            self.assertIs(await deliveries.take(), self.first)

        self.run_loop(work())

    def test_the_end_is_told_to_everybody(self) -> None:
        """To those who wait and to those who come later."""

        async def work() -> None:
            deliveries = Deliveries(is_orderly=False)
            waiting = [asyncio.create_task(deliveries.take()) for _ in range(2)]
            await asyncio.sleep(0)
            deliveries.close()
            self.assertEqual(await asyncio.gather(*waiting), [None, None])
            self.assertIsNone(await deliveries.take())

        self.run_loop(work())

    def test_a_walk_acknowledges_as_it_goes(self) -> None:
        """Asking for the next says that the last is done."""

        async def work() -> None:
            deliveries = Deliveries(is_orderly=False)
            verdicts = [self.offer(deliveries, self.first), self.offer(deliveries, self.second)]
            walk = Messages(deliveries)
            self.assertIs(aiter(walk), walk)
            self.assertIs(await walk.__anext__(), self.first)
            self.assertNoResult(verdicts[0])
            self.assertIs(await walk.__anext__(), self.second)
            self.assertIs(self.successResultOf(verdicts[0]), ConsumeStatus.CONSUME_SUCCESS)
            deliveries.close()
            self.assertEqual([message async for message in walk], [])
            self.assertIs(self.successResultOf(verdicts[1]), ConsumeStatus.CONSUME_SUCCESS)

        self.run_loop(work())

    def test_a_consumer_with_a_listener(self) -> None:
        """It has nothing to walk over."""
        self.assertIn("has a listener", str(self.assertRaises(ClientError, Messages, None)))

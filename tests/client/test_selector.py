"""Queues in turn, and brokers left alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.client.routes import PublishInfo
from pymq.client.selector import FaultTable, QueueSelector, avoid_ms
from tests.client.cases import TOPIC, queue

NOW = 1_700_000_000_000
INFO = PublishInfo(TOPIC, tuple(queue(n, broker_name=name) for name in ("a", "b") for n in range(2)))


class SelectorTests(SynchronousTestCase):
    """Which queue is next."""

    def chosen(self, selector: QueueSelector, count: int, last_broker: str | None = None) -> list[str]:
        """Broker and queue of the next choices."""
        found = (selector.select(INFO, last_broker, NOW) for _ in range(count))
        return [f"{one.broker_name}{one.queue_id}" for one in found]

    def test_in_turn(self) -> None:
        """Every queue once a round, beginning where it was told."""
        selector = QueueSelector(fault_enable=False, first_turn=3)
        self.assertEqual(self.chosen(selector, 6), ["b1", "a0", "a1", "b0", "b1", "a0"])

    def test_not_where_the_last_try_failed(self) -> None:
        """The other broker's queues only."""
        self.assertEqual(self.chosen(QueueSelector(fault_enable=False), 3, "a"), ["b0", "b1", "b0"])

    def test_there_when_there_is_no_other(self) -> None:
        """One broker is better than none."""
        selector = QueueSelector(fault_enable=False)
        self.assertEqual(selector.select(PublishInfo(TOPIC, (queue(0, broker_name="a"),)), "a", NOW).broker_name, "a")

    def test_a_failed_broker_is_left_alone_for_ten_minutes(self) -> None:
        """Java's table: a failure counts as 30 s, which is 600 s of avoidance."""
        selector = QueueSelector(fault_enable=True)
        selector.record("a", 10, NOW, failed=True)
        self.assertEqual(self.chosen(selector, 4), ["b0", "b1", "b0", "b1"])
        self.assertTrue(selector.faults.is_usable("a", NOW + 600_000))
        self.assertFalse(selector.faults.is_usable("a", NOW + 599_999))

    def test_when_all_are_bad_the_better_half_is_used(self) -> None:
        """Both avoided: the faster one is taken."""
        selector = QueueSelector(fault_enable=True)
        selector.record("a", 4_000, NOW)
        selector.record("b", 2_500, NOW)
        self.assertEqual({one[0] for one in self.chosen(selector, 4)}, {"b"})

    def test_a_bad_broker_that_is_gone_is_forgotten(self) -> None:
        """A record of a broker without queues does not keep messages from going."""
        selector = QueueSelector(fault_enable=True)
        for name in ("a", "b"):
            selector.record(name, 4_000, NOW)
        selector.record("gone", 600, NOW)
        self.assertEqual(len(self.chosen(selector, 4)), 4)
        self.assertIsNone(FaultTable().pick_least_bad(NOW))

    def test_without_the_setting_nothing_is_recorded(self) -> None:
        """The table stays empty."""
        selector = QueueSelector(fault_enable=False)
        selector.record("a", 10, NOW, failed=True)
        self.assertTrue(selector.faults.is_usable("a", NOW))

    def test_java_s_table(self) -> None:
        """Latency in, avoidance out, at the steps and just below."""
        cases = {0: 0, 99: 0, 549: 0, 550: 30_000, 1_000: 60_000, 1_999: 60_000, 2_000: 120_000, 3_000: 180_000, 15_000: 600_000}
        self.assertEqual({latency: avoid_ms(latency) for latency in cases}, cases)

    @given(st.integers(0, 100_000), st.integers(0, 100_000))
    def test_slower_is_never_avoided_less(self, one: int, other: int) -> None:
        """The table only climbs."""
        self.assertLessEqual(avoid_ms(min(one, other)), avoid_ms(max(one, other)))

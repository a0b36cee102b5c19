"""Instances by client id."""

from __future__ import annotations

from twisted.internet.task import Clock

from pymq.client.registry import InstanceRegistry
from tests.client.cases import ClientCase


class RegistryTests(ClientCase):
    """One instance for each id, as long as it has members."""

    def test_members_of_one_name_share_an_instance(self) -> None:
        """And its connections."""
        one, other = self.producer("p1", instance_name="i"), self.producer("p2", instance_name="i")
        self.assertIs(one.instance, other.instance)
        self.assertEqual((len(self.registry), len(self.cluster.remotings)), (1, 1))

    def test_without_a_name_each_has_its_own(self) -> None:
        """As in Java since 4.9."""
        one, other = self.producer("p1"), self.producer("p2")
        self.assertNotEqual(one.client_id, other.client_id)
        self.assertEqual(len(self.registry), 2)

    def test_the_last_member_takes_the_instance_along(self) -> None:
        """The connections close with it."""
        one, other = self.producer("p1", instance_name="i"), self.producer("p2", instance_name="i")
        self.result(one.shutdown())
        self.assertFalse(self.cluster.remotings[0].is_closed)
        self.result(other.shutdown())
        self.assertTrue(self.cluster.remotings[0].is_closed)
        self.assertEqual(len(self.registry), 0)

    def test_each_reactor_has_instances_of_its_own(self) -> None:
        """A connection cannot be used from another one."""
        one = self.producer("p1", instance_name="i")
        other = Clock()
        other.advance(self.clock.seconds())
        elsewhere = self.producer("p1", instance_name="i", reactor=other)
        self.assertNotEqual(one.instance, elsewhere.instance)
        self.assertEqual((one.client_id, len(self.registry)), (elsewhere.client_id, 2))

    def test_numbers_are_unique(self) -> None:
        """Also when the clock stands still."""
        registry = InstanceRegistry()
        self.assertEqual(len({registry.unique_number() for _ in range(100)}), 100)

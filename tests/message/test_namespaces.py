"""Names with a namespace, as NamespaceUtil of Java makes and takes them apart."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.message.namespaces import Namespace, without_namespace
from pymq.wire.bodies.messagequeue import MessageQueue

SHOP = Namespace("shop")
names = st.text("ab|-_", min_size=1, max_size=8)


class NamespaceTests(SynchronousTestCase):
    """In and out."""

    def test_wrapped(self) -> None:
        """Retry and dead letter topics keep their prefix in front; the system's names and wrapped ones stay."""
        for plain, wrapped in (
            ("orders", "shop%orders"),
            ("%RETRY%carts", "%RETRY%shop%carts"),
            ("%DLQ%carts", "%DLQ%shop%carts"),
            ("shop%orders", "shop%orders"),
            ("%RETRY%shop%carts", "%RETRY%shop%carts"),
            ("RMQ_SYS_TRACE_TOPIC", "RMQ_SYS_TRACE_TOPIC"),
            ("rmq_sys_anything", "rmq_sys_anything"),
            ("CID_RMQ_SYS_TRANS", "CID_RMQ_SYS_TRANS"),
            ("", ""),
        ):
            self.assertEqual(SHOP.wrap(plain), wrapped)

    def test_unwrapped(self) -> None:
        """Only what is of this namespace."""
        for wrapped, plain in (
            ("shop%orders", "orders"),
            ("%RETRY%shop%carts", "%RETRY%carts"),
            ("%DLQ%shop%carts", "%DLQ%carts"),
            ("other%orders", "other%orders"),
            ("shopping%orders", "shopping%orders"),
            ("orders", "orders"),
        ):
            self.assertEqual(SHOP.unwrap(wrapped), plain)

    @settings(deadline=None)
    @given(names, names, st.sampled_from(["", "%RETRY%", "%DLQ%"]))
    def test_back_again(self, namespace: str, name: str, prefix: str) -> None:
        """Wrapping is undone by unwrapping, and wrapping twice is wrapping once."""
        space, resource = Namespace(namespace), prefix + name
        wrapped = space.wrap(resource)
        self.assertEqual((space.unwrap(wrapped), space.wrap(wrapped)), (resource, wrapped))
        self.assertEqual(without_namespace(wrapped), resource)

    @settings(deadline=None)
    @given(names)
    def test_none(self, name: str) -> None:
        """Without a name nothing changes, and queues are the very same."""
        queue = MessageQueue(name, "b", 1)
        self.assertEqual((Namespace().wrap(name), Namespace().unwrap("x%" + name)), (name, "x%" + name))
        self.assertIs(Namespace().wrap_queue(queue), queue)
        self.assertIs(Namespace().unwrap_queue(queue), queue)

    def test_bad_names(self) -> None:
        """The separator cannot be part of one: nobody could tell where it ends."""
        self.assertRaises(ValueError, Namespace, "a%b")

    def test_queues(self) -> None:
        """Are those of the topic."""
        plain, wrapped = MessageQueue("t", "b", 3), MessageQueue("shop%t", "b", 3)
        self.assertEqual((SHOP.wrap_queue(plain), SHOP.unwrap_queue(wrapped)), (wrapped, plain))
        self.assertEqual(SHOP.unwrap_queues([wrapped, plain]), [plain, plain])

    def test_whatever_namespace(self) -> None:
        """Traces show no namespace at all."""
        for wrapped, plain in (("a%b", "b"), ("%RETRY%a%b", "%RETRY%b"), ("b", "b"), ("%b", "%b"), ("%RETRY%b", "%RETRY%b")):
            self.assertEqual(without_namespace(wrapped), plain)

"""The fast hash is Java's, whatever the key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.store import keyhash
from pymq.store.keyhash import index_hash, index_hashes, topic_seed


def java_index_hash(text: str) -> int:
    """Java's rule, spelled out: `Math.abs(text.hashCode())`, and 0 for what abs leaves negative."""
    value = 0
    units = text.encode("utf-16-be", "surrogatepass")
    for at in range(0, len(units), 2):
        value = (value * 31 + int.from_bytes(units[at : at + 2], "big")) & 0xFFFFFFFF
    signed = value - (1 << 32) if value >= 1 << 31 else value
    return 0 if signed == -(1 << 31) else abs(signed)


class IndexHashTests(SynchronousTestCase):
    """`index_hash` goes on from a topic's seed."""

    def hash_of(self, topic: str, key: str) -> int:
        """Both steps together."""
        return index_hash(topic_seed(topic), key)

    def test_known_value(self) -> None:
        """`T#k1`, from a Java store."""
        self.assertEqual(self.hash_of("T", "k1"), 2539445)

    def test_negative_hash_becomes_positive(self) -> None:
        """Java takes the absolute value."""
        key = next(key for key in map(str, range(10_000)) if self.hash_of("TopicTest", key) != java_hash_code("TopicTest#" + key))
        self.assertEqual(self.hash_of("TopicTest", key), java_index_hash("TopicTest#" + key))

    def test_least_integer_becomes_zero(self) -> None:
        """abs() of the least integer is negative; Java puts 0 there, and so do we."""
        self.assertEqual(index_hash(0, "polygenelubricants"), 0)

    @given(st.text(max_size=10), st.text(max_size=300))
    def test_any_text(self, topic: str, key: str) -> None:
        """Every text, long, empty, with any characters."""
        self.assertEqual(self.hash_of(topic, key), java_index_hash(f"{topic}#{key}"))

    @given(st.text(alphabet="0123456789ABCDEF", min_size=32, max_size=32))
    def test_unique_keys(self, key: str) -> None:
        """Unique keys take the way of cached parts: the first time and again."""
        expected = java_index_hash(f"TopicTest#{key}")
        self.assertEqual([self.hash_of("TopicTest", key), self.hash_of("TopicTest", key)], [expected, expected])

    @given(st.lists(st.text(alphabet="0123456789-é", max_size=40), max_size=4))
    def test_keys_of_one_message(self, keys: list[str]) -> None:
        """Many keys at once, numbered ones among them, hash as each of them does, the first time and again."""
        expected = [java_index_hash(f"TopicTest#{key}") for key in keys]
        hashes = [index_hashes(topic_seed("TopicTest"), keys) for _ in range(2)]
        self.assertEqual(hashes, [expected, expected])

    @given(st.text(alphabet="Aé\U0001f600", min_size=32, max_size=32))
    def test_foreign_characters_in_the_length_of_unique_keys(self, key: str) -> None:
        """32 characters beyond ASCII hash over UTF-16 units, also next to cached ASCII parts."""
        self.hash_of("T", "A" * 32)
        self.assertEqual(self.hash_of("T", key), java_index_hash(f"T#{key}"))

    def test_lone_surrogate(self) -> None:
        """Text that is no valid Unicode has a hash in Java, so it has one here."""
        self.assertEqual(self.hash_of("T", "\ud800x"), java_index_hash("T#\ud800x"))

    def test_caches_are_bounded(self) -> None:
        """However many topics and clients come, the dictionaries stay small."""
        for number in range(keyhash.CACHED_PARTS_MAX + 10):
            self.hash_of(f"topic{number}", f"{number:032X}")
            self.hash_of("T", f"{number}000")
        caches = (keyhash._seeds, keyhash._heads, keyhash._middles, keyhash._tails, keyhash._stems)
        self.assertTrue(all(len(cache) <= keyhash.CACHED_PARTS_MAX for cache in caches))


def java_hash_code(text: str) -> int:
    """Java's hashCode of ASCII text, signed."""
    value = 0
    for unit in text.encode("ascii"):
        value = (value * 31 + unit) & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value

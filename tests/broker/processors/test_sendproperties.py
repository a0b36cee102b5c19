"""Tests of pymq.broker.processors.sendproperties."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.processors.sendproperties import own_properties, read_send_properties
from pymq.message.properties import (
    CLUSTER,
    DELAY,
    TAGS,
    TRAN_MSG,
    WAIT,
    decode_properties,
    index_keys,
    property_of,
    waits_for_store,
)
from tests.broker.fixtures import broker_config

ITEM = own_properties(broker_config(broker_cluster_name="C1"))
_names = st.sampled_from(["UNIQ_KEY", "KEYS", "TAGS", "WAIT", "CLUSTER", "DELAY", "TRAN_MSG", "mine", "MYKEYS", "", "WAITS"])
_values = st.text(st.sampled_from("aB1 \x01-"), max_size=6) | st.sampled_from(["true", "TRUE", "false"])
_items = st.tuples(_names, st.sampled_from(["\x01", ""]), _values).map("".join)
_texts = st.lists(_items, max_size=8).map("\x02".join)


class ReadSendPropertiesTests(SynchronousTestCase):
    """One walk over the property string of a message that is being sent."""

    def test_usual_text_of_a_java_client(self) -> None:
        """WAIT goes, CLUSTER comes, the rest is read and stays as it was."""
        text = "KEYS\x01k1 k2\x02UNIQ_KEY\x01U\x02WAIT\x01true\x02TAGS\x01TagA"
        stored, tags, keys, waits, transaction, delay = read_send_properties(text, ITEM)
        self.assertEqual(stored, "KEYS\x01k1 k2\x02UNIQ_KEY\x01U\x02TAGS\x01TagA\x02CLUSTER\x01C1")
        self.assertEqual((tags, keys, waits, transaction, delay), ("TagA", ("U", "k1", "k2"), True, "", ""))

    def test_text_of_other_clients_ends_in_a_separator(self) -> None:
        """Go and Node write one more 0x02; the stored text has none too many."""
        self.assertEqual(read_send_properties("a\x01b\x02", ITEM)[0], "a\x01b\x02CLUSTER\x01C1")

    def test_no_properties(self) -> None:
        """Only the cluster is stored."""
        self.assertEqual(read_send_properties("", ITEM), ("CLUSTER\x01C1", "", (), True, "", ""))

    def test_region_where_traces_are_kept(self) -> None:
        """Clients of 5.x trace no consumption without it."""
        config = broker_config(broker_cluster_name="C1", trace_topic_enable=True, region_id="R")
        self.assertEqual(own_properties(config), "CLUSTER\x01C1\x02MSG_REGION\x01R")

    def test_wait_false(self) -> None:
        """The sender does not want to wait for the disk."""
        self.assertFalse(read_send_properties("WAIT\x01false", ITEM)[3])

    def test_marks_of_later_services(self) -> None:
        """Transactions and delays are noticed."""
        self.assertEqual(read_send_properties("TRAN_MSG\x01true\x02DELAY\x013", ITEM)[4:], ("true", "3"))

    @given(_texts)
    def test_agrees_with_the_plain_functions(self, text: str) -> None:
        """What pymq.message.properties finds one by one, for whatever text."""
        stored, tags, keys, waits, transaction, delay = read_send_properties(text, ITEM)
        expected = decode_properties(text)
        expected.pop(WAIT, None)
        expected[CLUSTER] = "C1"
        self.assertEqual(decode_properties(stored), expected)
        self.assertEqual(tags or None, property_of(text, TAGS))
        self.assertEqual(keys, index_keys(text))
        self.assertEqual(waits, waits_for_store(text))
        self.assertEqual(transaction or None, property_of(text, TRAN_MSG))
        self.assertEqual(delay or None, property_of(text, DELAY))
        self.assertEqual((tags or None, keys), (property_of(stored, TAGS), index_keys(stored)))

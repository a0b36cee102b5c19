"""Registrations of brokers, plain and compressed."""

from __future__ import annotations

import struct
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import DecodeError
from pymq.wire.bodies import registration
from pymq.wire.bodies.registration import RegisterBrokerBody, decode_register_body, encode_register_body
from pymq.wire.bodies.topics import DataVersion, TopicConfig
from tests.wire.cuts import mutations, outcomes, prefixes

#: As Java 4.9.8 writes it (remoting.md 3.1).
GOLDEN = (
    b'{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":0,"timestamp":1795246947901},'
    b'"topicConfigTable":{"T1":{"order":false,"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG","topicName":"T1",'
    b'"topicSysFlag":0,"writeQueueNums":4}}}}'
)
BODY = RegisterBrokerBody({"T1": TopicConfig("T1", 4, 4)}, DataVersion(1795246947901, 0))

topic_names = st.from_regex(r"\A[%|a-zA-Z0-9_-]{1,20}\Z")
topics = st.builds(
    TopicConfig,
    topic_names,
    st.integers(0, 1024),
    st.integers(0, 1024),
    st.integers(0, 7),
    st.sampled_from(("SINGLE_TAG", "MULTI_TAG")),
    attributes=st.none() | st.dictionaries(st.text("+-.ab c", max_size=5), st.text("ab c", max_size=5), max_size=2),
)


def blocks(*parts: bytes | int) -> bytes:
    """A compressed body of integers and blocks with their lengths."""
    return zlib.compress(
        b"".join(struct.pack(">i", part) if isinstance(part, int) else struct.pack(">i", len(part)) + part for part in parts)
    )


class PlainTests(SynchronousTestCase):
    """compressed=false."""

    def test_java(self) -> None:
        """Read, and written to the byte."""
        self.assertEqual(decode_register_body(GOLDEN, False, 409), BODY)
        self.assertEqual(encode_register_body(BODY, False), GOLDEN)

    def test_java_5(self) -> None:
        """Its further members are tolerated, attributes kept."""
        body = decode_register_body(
            b'{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":2,"stateVersion":0,"timestamp":1},'
            b'"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":1},"topicConfigTable":{"T":{"attributes":{},"order":false,'
            b'"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":4}},'
            b'"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}}',
            False,
            479,
        )
        self.assertEqual(body.topic_config_table["T"], TopicConfig("T", 4, 4, attributes={}))
        self.assertEqual(body.data_version, DataVersion(1, 2, 0))

    def test_nothing(self) -> None:
        """No body, and a null wrapper, are an empty table of version 0."""
        for body in (b"", b"{}", b'{"topicConfigSerializeWrapper":null,"filterServerList":null}'):
            self.assertEqual(decode_register_body(body, False, 409), RegisterBrokerBody({}, DataVersion(0, 0), ()))

    def test_brokers_before_3_0_11(self) -> None:
        """Send the table bare."""
        body = decode_register_body(
            b'{"dataVersion":{"counter":1,"timestamp":2},"topicConfigTable":{"T":{"topicName":"T"}}}', False, 36
        )
        self.assertEqual((list(body.topic_config_table), body.data_version), (["T"], DataVersion(2, 1)))

    def test_every_cut_is_refused(self) -> None:
        """No beginning of a body is a body; the empty one is a broker without topics."""
        self.assertEqual(
            outcomes(lambda data: decode_register_body(data, False, 409), prefixes(GOLDEN), DecodeError), (1, len(GOLDEN) - 1)
        )


class CompressedTests(SynchronousTestCase):
    """compressed=true."""

    def test_round_trip(self) -> None:
        """What the lines carry: not order and topicSysFlag."""
        self.assertEqual(decode_register_body(encode_register_body(BODY, True), True, 409), BODY)

    def test_layout(self) -> None:
        """Of the inflated stream, as Java reads it."""
        version, topic = b'{"counter":0,"timestamp":1795246947901}', b"T1 4 4 6 SINGLE_TAG"
        expected = b"".join(
            (struct.pack(">i", len(version)), version, struct.pack(">i", 1), struct.pack(">i", len(topic)), topic,
             struct.pack(">i", 2), b"[]")
        )  # fmt: skip
        self.assertEqual(zlib.decompress(encode_register_body(BODY, True)), expected)

    def test_java_5(self) -> None:
        """Attributes behind each topic, a tail of mappings; a trailing space alone is no attribute."""
        body = blocks(
            b'{"counter":0,"timestamp":1}', 2, b'T1 4 4 6 SINGLE_TAG {"+message.type":"FIFO x"}', b"T2 1 1 6 SINGLE_TAG ",
            b'["10.0.0.1:9"]', 1, b'{"topic":"T1"}',
        )  # fmt: skip
        read = decode_register_body(body, True, 479)
        self.assertEqual(read.topic_config_table["T1"].attributes, {"+message.type": "FIFO x"})
        self.assertIsNone(read.topic_config_table["T2"].attributes)
        self.assertEqual(read.filter_server_list, ("10.0.0.1:9",))

    def test_a_tail_that_is_missing(self) -> None:
        """A 5.x version with a 4.9 body, as a broker of ours might claim."""
        self.assertEqual(decode_register_body(encode_register_body(BODY, True), True, 479), BODY)

    def test_what_java_ignores(self) -> None:
        """Attributes and filter servers that cannot be read."""
        body = blocks(b'{"counter":0,"timestamp":1}', 1, b"T1 4 4 6 SINGLE_TAG {bad", b"[")
        self.assertEqual(decode_register_body(body, True, 409).topic_config_table, {"T1": TopicConfig("T1", 4, 4)})

    def test_what_is_refused(self) -> None:
        """A topic line too short or with words for numbers, lengths beyond the end, negative ones."""
        version = b'{"counter":0,"timestamp":1}'
        for body in (
            blocks(version, 1, b"T1 4 4 6", b"[]"),
            blocks(version, 1, b"T1 four 4 6 SINGLE_TAG", b"[]"),
            blocks(version, 2**31 - 1),
            blocks(version, -1),
            blocks(version),
            blocks(b"[]", 0, b"[]"),
            b"\x78\x9cgarbage",
            encode_register_body(BODY, True)[:-1],
        ):
            with self.assertRaises(DecodeError, msg=body):
                decode_register_body(body, True, 409)

    def test_a_body_that_inflates_without_end(self) -> None:
        """Stops at the bound."""
        self.patch(registration, "REGISTER_BODY_BYTES_MAX", 1000)
        with self.assertRaisesRegex(DecodeError, "over 1000"):
            decode_register_body(zlib.compress(b"\0" * 10_000), True, 409)

    def test_every_cut_and_change_is_read_or_refused(self) -> None:
        """Of the compressed bytes, and of the bytes inside."""
        body = encode_register_body(BODY, True)
        inside = zlib.decompress(body)
        self.assertEqual(
            outcomes(lambda data: decode_register_body(data, True, 409), prefixes(body), DecodeError), (1, len(body) - 1)
        )
        outcomes(lambda data: decode_register_body(data, True, 409), mutations(body), DecodeError)
        for version in (409, 479):
            for inputs in (prefixes(inside), mutations(inside)):
                outcomes(
                    lambda data, version=version: decode_register_body(zlib.compress(data), True, version), inputs, DecodeError
                )

    @settings(deadline=None)
    @given(st.lists(topics, max_size=4), st.booleans(), st.sampled_from((409, 479)))
    def test_round_trips(self, table: list[TopicConfig], compressed: bool, version: int) -> None:
        """Any topics, in both forms."""
        body = RegisterBrokerBody({topic.topic_name: topic for topic in table}, DataVersion(5, 6), ("f:1",))
        self.assertEqual(decode_register_body(encode_register_body(body, compressed), compressed, version), body)

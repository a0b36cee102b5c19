"""All headers at once: what holds for every declaration."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.wire.command import RemotingCommand, SerializeType
from pymq.wire.frame import FrameReader, encode_frame
from pymq.wire.headers import (
    acl,
    admin,
    clients,
    messages,
    offsets,
    routes,
    topics,
    transactions,
)
from tests.wire.headers.checks import check_requirements, header_classes, instances

MODULES = (acl, admin, clients, messages, offsets, routes, topics, transactions)
ALL = [header for module in MODULES for header in header_classes(module)]


class RequestHeaderTests(SynchronousTestCase):
    """Every class."""

    def test_required_fields_are_required(self) -> None:
        """And no others, in each class."""
        for header in ALL:
            check_requirements(header)

    def test_wire_names_are_unique(self) -> None:
        """Two fields of one name would swallow each other."""
        for header in ALL:
            names = header.__struct_encode_fields__
            self.assertEqual(len(set(names)), len(names), header)

    def test_headers_are_made_by_keywords(self) -> None:
        """Fourteen positional values would be a trap."""
        for header in ALL:
            with self.assertRaises(TypeError):
                header("x")

    @settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from(ALL).flatmap(instances), st.sampled_from(SerializeType))
    def test_round_trip_in_a_frame(self, header: object, serialize_type: SerializeType) -> None:
        """Through text and both kinds of header; the binary one knows no empty text."""
        fields = header.to_fields()  # type: ignore[attr-defined]
        if serialize_type is SerializeType.ROCKETMQ:
            fields = {name: value or "0" for name, value in fields.items()}
            header = type(header).from_fields(fields)  # type: ignore[attr-defined]
        reader = FrameReader()
        reader.feed(encode_frame(RemotingCommand(code=1, ext_fields=fields, serialize_type=serialize_type)))
        command = reader.next_command()
        self.assertEqual(type(header).from_fields(command and command.ext_fields), header)  # type: ignore[attr-defined]

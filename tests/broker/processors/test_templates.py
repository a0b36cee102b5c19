"""Tests of pymq.broker.processors.templates."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.processors.templates import answer_template
from pymq.errors import FrameError
from pymq.wire.command import RemotingCommand, SerializeType
from pymq.wire.frame import encode_frame

_kinds = st.sampled_from(list(SerializeType))
_int64 = st.integers(-(2**63), 2**63 - 1)


class AnswerTemplateTests(SynchronousTestCase):
    """Ready-made answers."""

    @given(_kinds, st.integers(-(2**31), 2**31 - 1), _int64, st.integers(0, 2**63 - 1), st.none() | st.text("re %d", max_size=8))
    def test_filled_template_is_the_encoded_answer(
        self, kind: SerializeType, opaque: int, number: int, place: int, remark: str | None
    ) -> None:
        """Byte for byte, in both kinds of headers, around fields that do not vary and hold per cent signs."""
        request = RemotingCommand(310, opaque, serialize_type=kind)
        sample = request.reply(0, remark, ext_fields={"first": "50%d", "a": "?", "b": "?", "last": "ä"})
        template = answer_template(sample, {"a": b"%d", "b": b"AB%016X"})
        answer = request.reply(
            0, remark, ext_fields={"first": "50%d", "a": str(number), "b": f"AB{place:016X}", "last": "ä"}, body=b"body"
        )
        self.assertEqual(template.fill(opaque, (number, place), 4) + b"body", encode_frame(answer))

    def test_body_beyond_the_frame_limit(self) -> None:
        """Is refused like any other frame of that size."""
        template = answer_template(RemotingCommand(11, 1).reply(ext_fields={"a": ""}), {"a": b"%d"})
        self.assertRaises(FrameError, template.fill, 1, (2,), 16 * 1024 * 1024)

    def test_an_answer_that_looks_like_a_hole_is_refused(self) -> None:
        """Rather than be filled in the wrong place."""
        sample = RemotingCommand(11, 1).reply(0, "@hole:a@", ext_fields={"a": ""})
        self.assertRaises(ValueError, answer_template, sample, {"a": b"%d"})

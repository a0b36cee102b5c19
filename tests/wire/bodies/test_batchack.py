"""Many acknowledgements in one body."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.wire import javajson
from pymq.wire.bodies.batchack import BatchAck, BatchAckMessageRequestBody, bit_set, places_in

#: As a broker of 5.5 took it.
GOLDEN = (
    b'{"acks":[{"b":"Ag==","c":"G1","it":5000,"pt":1795259147487,"q":0,"r":"0","rq":2,"so":2,"t":"T2"}],"brokerName":"broker-a"}'
)


class BatchAckTests(SynchronousTestCase):
    """The body and its sets of bits."""

    def test_golden(self) -> None:
        """Read, and written to the byte."""
        body = BatchAckMessageRequestBody("broker-a", (BatchAck("G1", "T2", "0", 2, 0, 2, 1795259147487, 5000, bit_set([1])),))
        self.assertEqual(javajson.decode_as(GOLDEN, BatchAckMessageRequestBody), body)
        self.assertEqual(javajson.encode(body), GOLDEN)

    def test_bits(self) -> None:
        """The lowest byte comes first; nothing is nothing."""
        self.assertEqual((bit_set([0, 8]), bit_set([])), ("AQE=", ""))

    @given(st.sets(st.integers(0, 200)))
    def test_there_and_back(self, places: set[int]) -> None:
        """Any set survives its text."""
        self.assertEqual(places_in(bit_set(places)), sorted(places))

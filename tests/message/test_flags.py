"""The bits of the flags."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.message import flags


class TransactionTypeTests(SynchronousTestCase):
    """Bits 2 and 3."""

    def test_type_of_a_flag(self) -> None:
        """Other bits do not matter."""
        self.assertEqual(flags.transaction_type(0x300 | flags.TRANSACTION_COMMIT | 0x31), flags.TRANSACTION_COMMIT)

    def test_type_replaced(self) -> None:
        """Other bits stay."""
        self.assertEqual(flags.with_transaction_type(0x301 | flags.TRANSACTION_PREPARED, flags.TRANSACTION_ROLLBACK), 0x30D)

    def test_which_types_have_a_place_in_a_queue(self) -> None:
        """NONE and COMMIT do (store.md 2.9)."""
        kinds = (
            flags.TRANSACTION_NONE, flags.TRANSACTION_PREPARED, flags.TRANSACTION_COMMIT, flags.TRANSACTION_ROLLBACK
        )  # fmt: skip
        self.assertEqual([flags.is_queued(kind | 0x33) for kind in kinds], [True, False, True, False])

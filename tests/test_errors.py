"""The tree of errors."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq import errors
from pymq.wire.codes import ResponseCode


class ErrorTests(SynchronousTestCase):
    """What an error tells, and where it stands."""

    def test_every_error_is_one_of_ours(self) -> None:
        """A caller can catch all of them by the root."""
        found = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
        self.assertGreater(len(found), 15)
        self.assertEqual([error for error in found if not issubclass(error, errors.PyMQError)], [])

    def test_a_bad_frame_and_a_bad_header_close_the_connection_alike(self) -> None:
        """Both are protocol errors."""
        self.assertTrue(issubclass(errors.FrameError, errors.ProtocolError))
        self.assertTrue(issubclass(errors.HeaderError, errors.ProtocolError))

    def test_a_request_error_carries_its_answer(self) -> None:
        """The code as a plain number, the remark unchanged, both in the text for logs."""
        error = errors.RequestError(ResponseCode.TOPIC_NOT_EXIST, "no such topic")
        self.assertEqual((error.code, type(error.code), error.remark), (17, int, "no such topic"))
        self.assertEqual(str(error), "response code 17: no such topic")

    def test_a_refusal_names_who_refused(self) -> None:
        """Address, code and remark; a missing remark is said."""
        self.assertEqual(str(errors.BrokerRefused(1, None, "10.0.0.1:10911")), "10.0.0.1:10911 answered code 1: no remark")

    def test_a_timeout_names_its_request(self) -> None:
        """Who did not answer, to what, for how long."""
        error = errors.RequestTimeout("10.0.0.1:10911", 310, 3.0)
        self.assertEqual(str(error), "no answer from 10.0.0.1:10911 to request code 310 within 3 s")
        self.assertEqual((error.address, error.code, error.timeout_s), ("10.0.0.1:10911", 310, 3.0))

    def test_a_request_without_a_reply_names_its_topic(self) -> None:
        """And how long it waited."""
        self.assertIn("the request to T was sent, but no reply came within 2.5 s", str(errors.NoReply("T", 2.5)))

    def test_a_config_error_names_key_value_and_what_is_allowed(self) -> None:
        """So that a person can mend the file without reading code."""
        error = errors.ConfigError("brokerRole", "SLAV", "ASYNC_MASTER, SYNC_MASTER or SLAVE is allowed")
        self.assertEqual(str(error), "brokerRole=SLAV cannot be used: ASYNC_MASTER, SYNC_MASTER or SLAVE is allowed")

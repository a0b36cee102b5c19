"""Numbers and names of the protocol."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pymq.wire.codes import LanguageCode, RequestCode, ResponseCode, request_name, response_name


class CodeTests(SynchronousTestCase):
    """The three tables."""

    def test_numbers_that_clients_depend_on(self) -> None:
        """A few of each family, as the reference lists them."""
        expected = {
            "SEND_MESSAGE": 10, "PULL_MESSAGE": 11, "HEART_BEAT": 34, "CONSUMER_SEND_MSG_BACK": 36, "END_TRANSACTION": 37,
            "LOCK_BATCH_MQ": 41, "REGISTER_BROKER": 103, "GET_ROUTEINFO_BY_TOPIC": 105, "GET_CONSUME_STATS": 208,
            "RESET_CONSUMER_CLIENT_OFFSET": 220, "SEND_MESSAGE_V2": 310, "SEND_BATCH_MESSAGE": 320, "LITE_PULL_MESSAGE": 361,
            "BROKER_HEARTBEAT": 904, "POP_MESSAGE": 200050, "BATCH_ACK_MESSAGE": 200151,
        }  # fmt: skip
        self.assertEqual({name: int(RequestCode[name]) for name in expected}, expected)

    def test_no_request_code_stands_twice(self) -> None:
        """An alias among the requests would be a slip of the pen."""
        self.assertEqual(len(RequestCode.__members__), len(RequestCode))

    def test_response_codes_of_two_lines_share_numbers(self) -> None:
        """209 to 211 mean one thing in 4.9 and another in 5.x; both names work, the newer one is shown."""
        self.assertIs(ResponseCode.UPDATE_AND_CREATE_ACL_CONFIG_FAILED, ResponseCode.POLLING_FULL)
        self.assertEqual(len(ResponseCode.__members__) - len(ResponseCode), 3)
        self.assertEqual(response_name(209), "POLLING_FULL")

    def test_a_code_without_a_name_shows_its_number(self) -> None:
        """Logs must not fail on what a peer invents."""
        self.assertEqual((request_name(310), request_name(-7)), ("SEND_MESSAGE_V2", "-7"))
        self.assertEqual((response_name(17), response_name(99999)), ("TOPIC_NOT_EXIST", "99999"))

    def test_languages_are_numbered_from_zero_without_gaps(self) -> None:
        """The byte of binary headers is an index into Java's enum."""
        self.assertEqual([int(language) for language in LanguageCode], list(range(14)))
        self.assertEqual((LanguageCode.JAVA, LanguageCode.PYTHON, LanguageCode.GO), (0, 3, 9))

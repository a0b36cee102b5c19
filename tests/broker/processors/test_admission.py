"""Tests of pymq.broker.processors.admission; tests of the whole send are in test_send."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pymq.broker.processors.admission import Admission
from pymq.errors import RequestError
from tests.broker.fixtures import NOW_MS
from tests.broker.processors.parts import Parts, send_header


class AdmissionTests(SynchronousTestCase):
    """What may go on, and why not."""

    def setUp(self) -> None:
        """A broker with the topic T."""
        self.use(Parts())

    def use(self, parts: Parts) -> None:
        """Look at these parts."""
        self.parts = parts
        self.admission = Admission(parts.config, parts.topics, parts.clock)

    def admit(self, **changes: Any) -> Any:
        """The topic for a send."""
        return self.admission.admit(send_header(**changes))  # type: ignore[arg-type]  # it makes a send's header

    def refusal(self, **changes: Any) -> tuple[int, str]:
        """Code and remark."""
        error = self.assertRaises(RequestError, self.admit, **changes)
        return error.code, error.remark or ""

    def test_the_topic_of_a_good_send(self) -> None:
        """The one that is there, or one made by the send."""
        self.assertEqual(self.admit().topic_name, "T")
        self.assertEqual(self.admit(topic="N", default_topic_queue_nums=2, queue_id=1).write_queue_nums, 2)
        self.assertIsNotNone(self.parts.topics.get("N"))
        self.assertEqual(self.admit(topic="M", default_topic_queue_nums=None).write_queue_nums, 8)

    def test_topics_of_units_are_marked(self) -> None:
        """1 for a plain topic, 2 for a retry topic."""
        self.assertEqual(self.admit(topic="N", unit_mode=True).topic_sys_flag, 1)
        self.assertEqual(self.admit(topic="%RETRY%G", unit_mode=True).topic_sys_flag, 2)

    def test_too_early(self) -> None:
        """Before startAcceptSendRequestTimeStamp."""
        self.use(Parts(start_accept_send_request_time_stamp=NOW_MS + 1000))
        self.assertEqual(self.refusal()[0], 1)
        self.parts.clock.advance(1)
        self.assertEqual(self.admit().topic_name, "T")

    def test_names(self) -> None:
        """Bad ones, the system's own, and unknown ones without a pattern."""
        self.assertEqual(self.refusal(topic="a b")[0], 1)
        self.assertEqual(self.refusal(topic="SCHEDULE_TOPIC_XXXX")[0], 16)
        self.assertEqual(self.refusal(topic="N", default_topic="none")[0], 17)

    def test_a_broker_without_write_permission(self) -> None:
        """It refuses ordered topics, as Java does; clients do not send to it anyway."""
        self.use(Parts(broker_permission=4))
        self.parts.make_topic("O", order=True)
        self.assertEqual(self.refusal(topic="O")[0], 16)

    def test_a_queue_that_is_not_there(self) -> None:
        """The greater of both counts is the bound."""
        self.assertEqual(self.refusal(queue_id=4), (1, "request queueId[4] is illegal, topic[T] has 4 queues"))
        self.assertEqual(self.admit(queue_id=-1).topic_name, "T")

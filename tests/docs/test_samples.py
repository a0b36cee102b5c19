"""What must be true of all samples of the documents together."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from tests import documents

SENDS = re.compile(r"""\bMessage\(\s*["']([^"']+)""")


class ProgramsTests(SynchronousTestCase):
    """Those that tests/packaging runs."""

    def test_there_are_some(self) -> None:
        """A pattern that finds nothing would test nothing."""
        programs = documents.programs()
        self.assertIn("README.rst-1", programs)
        self.assertGreater(len(programs), 12)
        for name in documents.ON_APACHE:
            self.assertTrue(documents.programs(name), name)

    def test_they_leave_each_other_alone(self) -> None:
        """A reader runs several of them against one broker, in any order: no two send to one topic."""
        senders = [(topic, name) for name, text in documents.programs().items() for topic in set(SENDS.findall(text))]
        topics = [topic for topic, _ in senders]
        self.assertEqual(sorted(topics), sorted(set(topics)), senders)

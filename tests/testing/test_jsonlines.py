"""The conversation in lines of JSON."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from pymq.testing import jsonlines
from pymq.testing.jsonlines import JsonLines
from pymq.testing.kit import KILLED, Kit


class JsonLinesTests(TestCase):
    """Over a transport in memory, with a real kit."""

    timeout = 30

    async def setUp(self) -> None:
        self.kit = Kit(reactor=reactor)
        # Older Twisteds do not run the coroutines that cleanups give.
        self.addCleanup(lambda: Deferred.fromCoroutine(self.kit.stop()))
        await self.kit.start()
        self.lines = JsonLines(self.kit)
        self.transport = StringTransport()
        self.lines.makeConnection(self.transport)

    def said(self) -> list[Any]:
        """The lines so far."""
        return [json.loads(line) for line in self.transport.value().splitlines()]

    async def wait_for(self, count: int) -> list[Any]:
        """So many lines, the first of which tells of the start."""
        while len(self.said()) < count:
            await deferLater(reactor, 0.01)  # type: ignore[arg-type]
        return self.said()

    async def test_the_first_line_has_the_addresses(self) -> None:
        """With which clients connect."""
        (first,) = self.said()
        self.assertEqual(first["nameServer"], self.kit.name_server)
        self.assertEqual(first["state"], "running")

    async def test_commands_are_answered_in_their_order(self) -> None:
        """Though one of them waits; in pieces as they come; empty lines are nothing; an id comes back."""
        text = b'{"do":"arrived","topic":"t","count":1,"timeoutS":0.05,"id":1}\n\n{"do":"createTopic","topic":"t","id":"x"}\n'
        for cut in range(len(text)):
            self.lines.dataReceived(text[cut : cut + 1])
        _, first, second = await self.wait_for(3)
        self.assertEqual((first["id"], first["ok"], first["notYet"]), (1, False, True))
        self.assertEqual(second, {"id": "x", "ok": True, "result": {}})

    async def test_errors_are_answers(self) -> None:
        """With their id where there is one, and the conversation goes on."""
        self.lines.dataReceived(b'hello\n{"do":"nothing","id":3}\n{"do":"resume"}\n{"do":"status"}\n')
        answers = (await self.wait_for(5))[1:]
        self.assertEqual([answer["ok"] for answer in answers], [False, False, False, True])
        self.assertEqual(answers[1]["id"], 3)
        self.assertIn("resume is for", answers[2]["error"])

    async def test_stop(self) -> None:
        """Is answered; the kit is stopped then, and nothing further is done."""
        self.lines.dataReceived(b'{"do":"stop"}\n{"do":"status"}\n')
        await self.lines.over
        self.assertEqual(self.said()[1:], [{"ok": True, "result": {}}])
        self.assertEqual(self.kit.state, KILLED)
        self.assertTrue(self.transport.disconnecting)

    async def test_the_end_of_the_input(self) -> None:
        """What was asked is done first, also in a last line without an end."""
        self.lines.dataReceived(b'{"do":"createTopic","topic":"t"}\n{"do":"status"}')
        self.lines.readConnectionLost()
        await self.lines.over
        self.assertEqual([answer["ok"] for answer in self.said()[1:]], [True, True])
        self.assertEqual(self.kit.state, KILLED)

    async def test_nobody_waits_for_ever(self) -> None:
        """What takes longer than the grace is given up when nobody can read the answer."""
        self.patch(jsonlines, "GRACE_S", 0.05)
        self.lines.dataReceived(b'{"do":"arrived","topic":"t","count":1,"timeoutS":500}\n')
        self.lines.readConnectionLost()
        await self.lines.over
        self.assertIn("stopped meanwhile", self.said()[1]["error"])

    async def test_nobody_listens(self) -> None:
        """The end, at once, and only once."""
        self.lines.writeConnectionLost()
        self.lines.connectionLost()
        over: Deferred[None] = self.lines.over
        await over
        self.assertEqual(self.kit.state, KILLED)

    async def test_bounds(self) -> None:
        """On the lines that wait, and on a line."""
        self.patch(jsonlines, "LINES_WAITING_MAX", 2)
        self.lines.dataReceived(b'{"do":"arrived","topic":"t","count":1,"timeoutS":0.05}\n' + b'{"do":"status"}\n' * 3)
        answers = (await self.wait_for(5))[1:]
        self.assertIn("2 commands wait already", answers[0]["error"])
        self.lines.MAX_LENGTH = 10
        self.lines.dataReceived(b"x" * 100)
        await self.lines.over
        self.assertIn("a line may have", self.said()[-1]["error"])

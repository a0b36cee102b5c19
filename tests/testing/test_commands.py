"""Commands as text: what is understood, and what is said of what is not."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from pymq.testing import commands
from pymq.testing.commands import COMMANDS, CommandError, answer_type, decode_command, signature, summary


class CommandTests(SynchronousTestCase):
    """Lines to commands, and back."""

    def error_of(self, line: bytes) -> CommandError:
        """What is wrong with a line."""
        error = self.assertRaises(CommandError, decode_command, line)
        assert isinstance(error, CommandError)
        return error

    def test_a_line(self) -> None:
        """Fields by Java's names, bytes in base64, the id apart."""
        line = b'{"id":[7],"do":"send","topic":"orders","body":"aGk=","queueId":3,"delayLevel":1}'
        line_id, command = decode_command(line)
        self.assertEqual(line_id, [7])
        self.assertEqual(command, commands.Send(topic="orders", body=b"hi", queue_id=3, delay_level=1))

    def test_every_command_survives_its_own_json(self) -> None:
        """What a face writes the program reads."""
        required = {"topic": "orders", "group": "readers", "kind": "drop"}
        for kind in COMMANDS.values():
            needed = {field.name: required[field.name] for field in msgspec.structs.fields(kind) if field.required}
            self.assertEqual(decode_command(msgspec.json.encode(kind(**needed))), (None, kind(**needed)))

    def test_what_is_no_command(self) -> None:
        """The error says what is wrong and what there is; the id comes back where there is one."""
        self.assertIn("JSON object", str(self.error_of(b"hello")))
        self.assertIn("JSON object", str(self.error_of(b"[]")))
        error = self.error_of(b'{"do":"creatTopic","id":1}')
        self.assertIn("Did you mean createTopic?", str(error))
        self.assertIn("advance", str(error))
        self.assertEqual(error.line_id, 1)

    def test_fields_that_cannot_be(self) -> None:
        """Missing, unknown, of another type, out of bounds: the command's form is in the error."""
        for line, said in (
            (b'{"do":"createTopic"}', "missing required field `topic`"),
            (b'{"do":"createTopic","topic":"t","queue":1}', "unknown field `queue`"),
            (b'{"do":"createTopic","topic":"t","queues":"4"}', "Expected `int`"),
            (b'{"do":"createTopic","topic":"t","queues":1025}', "<= 1024"),
            (b'{"do":"advance","seconds":-1}', ">= 0"),
            (b'{"do":"arrived","topic":"t","timeoutS":601}', "<= 600"),
        ):
            error = str(self.error_of(line))
            self.assertIn(said, error)
            self.assertIn("allowed is", error)

    def test_everything_is_explained(self) -> None:
        """A signature, a line of help and a kind of answer for each."""
        self.assertEqual(signature(commands.CreateTopic), "createTopic(topic, queues=4)")
        for kind in COMMANDS.values():
            self.assertTrue(summary(kind).endswith("."), kind)
            self.assertTrue(issubclass(answer_type(kind), msgspec.Struct))

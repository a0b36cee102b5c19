"""The JSON header, as Java, Go, JavaScript and C++ write it."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.errors import HeaderError
from pymq.wire.codes import LanguageCode
from pymq.wire.command import RemotingCommand
from pymq.wire.header_json import decode, encode
from tests.wire.cuts import mutations, outcomes, prefixes

#: SEND_MESSAGE_V2 as Java 4.9.8 writes it (remoting.md 1.2).
GOLDEN_SEND = (
    b'{"code":310,"extFields":{"a":"PG","b":"T1","c":"TBW102","d":"4","e":"1","f":"0","g":"1","h":"0","i":"K\\u0001V","j":"0",'
    b'"k":"false","m":"false","n":"broker-a"},"flag":0,"language":"JAVA","opaque":0,"serializeTypeCurrentRPC":"JSON","version":409}'
)


def fields_of(header: bytes) -> object:
    """The extFields of a header."""
    return decode(header, b"").ext_fields


class JSONHeaderTests(SynchronousTestCase):
    """Decoding and encoding of type 0."""

    def test_what_java_writes(self) -> None:
        """Read, and written again to the byte."""
        command = decode(GOLDEN_SEND, b"body")
        self.assertEqual((command.code, command.opaque, command.flag, command.version), (310, 0, 0, 409))
        self.assertEqual((command.language, command.remark, command.body), (LanguageCode.JAVA, None, b"body"))
        self.assertEqual(command.ext_fields and command.ext_fields["i"], "K\x01V")
        self.assertEqual(encode(command), GOLDEN_SEND)

    def test_what_go_writes(self) -> None:
        """Always a remark and extFields, empty or not; no serializeTypeCurrentRPC."""
        command = decode(b'{"code":34,"language":"GO","version":317,"opaque":9,"flag":0,"remark":"","extFields":{}}', b"")
        self.assertEqual((command.language, command.remark, command.ext_fields), (LanguageCode.GO, "", {}))

    def test_what_ali_ons_writes(self) -> None:
        """Bare numbers and booleans among the fields become the text that Java makes of them; null is absent."""
        header = b'{"code":310,"extFields":{"a":"PG","d":4,"g":1600000000000,"k":false,"t":true,"x":null},"opaque":1}'
        self.assertEqual(fields_of(header), {"a": "PG", "d": "4", "g": "1600000000000", "k": "false", "t": "true"})

    def test_what_the_cpp_client_writes(self) -> None:
        """A newline behind the brace."""
        self.assertEqual(fields_of(b'{"code":310,"extFields":{"defaultTopicQueueNums":4},"language":"CPP"}\n'), {
            "defaultTopicQueueNums": "4"
        })  # fmt: skip

    def test_fields_of_other_types(self) -> None:
        """Their JSON text; integers of any size keep their digits."""
        self.assertEqual(
            fields_of(b'{"extFields":{"o":{"b":[1]},"f":1.5,"n":123456789012345678901234567890}}'),
            {"o": '{"b":[1]}', "f": "1.5", "n": "123456789012345678901234567890"},
        )

    def test_missing_members(self) -> None:
        """Zero, and Java for the language."""
        command = decode(b"{}", b"")
        self.assertEqual((command.code, command.flag, command.version, command.opaque), (0, 0, 0, 0))
        self.assertEqual((command.language, command.ext_fields, command.remark), (LanguageCode.JAVA, None, None))

    def test_numbers_as_text(self) -> None:
        """fastjson takes them."""
        self.assertEqual(decode(b'{"code":"105","opaque":"7"}', b"").code, 105)

    def test_unquoted_keys_and_single_quotes(self) -> None:
        """What only the lenient reader takes."""
        command = decode(b"{code:105,'extFields':{topic:'T1'}}", b"")
        self.assertEqual((command.code, command.ext_fields), (105, {"topic": "T1"}))

    def test_languages(self) -> None:
        """By name or by number; an unknown name is none, an unknown number closes the connection."""
        self.assertEqual(decode(b'{"language":"NODE_JS"}', b"").language, LanguageCode.NODE_JS)
        self.assertEqual(decode(b'{"language":3}', b"").language, LanguageCode.PYTHON)
        self.assertIsNone(decode(b'{"language":"COBOL"}', b"").language)
        self.assertIsNone(decode(b'{"language":null}', b"").language)
        for language in (b"99", b"[]", b"{}", b"1.5"):
            with self.assertRaises(HeaderError, msg=language):
                decode(b'{"language":' + language + b"}", b"")

    def test_what_is_no_header(self) -> None:
        """Java closes the connection on each of these."""
        for header in (b"", b"[]", b"null", b"garbage", b'"x"', b"1", b'{"code":"x"}', b'{"extFields":[]}', b'{"code":1e400}'):
            with self.assertRaises(HeaderError, msg=header):
                decode(header, b"")

    def test_deep_nesting_is_refused(self) -> None:
        """At once, and as a header error rather than an exhausted stack."""
        for opening in (b"[", b'{"a":', b"{"):
            with self.assertRaises(HeaderError):
                decode(b'{"extFields":{"a":' + opening * 100_000, b"")

    def test_bytes_that_are_not_utf8(self) -> None:
        """Replaced, as Java's String constructor does."""
        self.assertEqual(decode(b'{"remark":"a\xff"}', b"").remark, "a\ufffd")

    def test_every_cut_is_refused(self) -> None:
        """No beginning of a header is a header."""
        self.assertEqual(outcomes(lambda data: decode(data, b""), prefixes(GOLDEN_SEND), HeaderError), (0, len(GOLDEN_SEND)))

    def test_every_changed_byte_is_read_or_refused(self) -> None:
        """Never another error."""
        read, refused = outcomes(lambda data: decode(data, b""), mutations(GOLDEN_SEND), HeaderError)
        self.assertGreater(read, 100)
        self.assertGreater(refused, 100)

    def test_what_we_write_is_strict_json(self) -> None:
        """ali-ons reads headers with JSON.parse, Go with encoding/json."""
        command = RemotingCommand(code=0, opaque=5, flag=1, ext_fields={"b": "\x01ü", "a": "1"}, remark="né\n")
        written = encode(command)
        self.assertEqual(json.loads(written)["remark"], "né\n")
        self.assertEqual(list(json.loads(written)), sorted(json.loads(written)))
        self.assertEqual(decode(written, b""), command)

    @settings(deadline=None)
    @given(st.binary(max_size=100) | st.text(st.sampled_from("{}[]\":,'ax10-e.\\u "), max_size=60).map(str.encode))
    def test_noise(self, data: bytes) -> None:
        """Random bytes, and random pieces of JSON, are read or refused."""
        outcomes(lambda header: decode(header, b""), iter((data,)), HeaderError)

"""The lenient reader and the writer of fastjson's dialect."""

from __future__ import annotations

import contextlib
import json
import time

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pymq.wire.javajson import NESTING_MAX, IntegerKeys, JavaJSONError, ObjectKeys, decode, decode_as, encode
from tests.wire.cuts import mutations, outcomes, prefixes

#: Shapes that fastjson writes and JSON has not (remoting.md 1.12, 3.11).
GOLDEN_INTEGER_KEYS = b'{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"}}'
GOLDEN_OBJECT_KEYS = b'{"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"T1"}:7}}'
QUEUE = '{"brokerName":"broker-a","queueId":0,"topic":"T1"}'

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=10)
values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner.filter(lambda value: value is not None), max_size=4),
    max_leaves=20,
)


class Point(msgspec.Struct, rename="camel", frozen=True):
    """A structure to read and write."""

    point_name: str = "none"
    x: int = 0
    tags: tuple[str, ...] = ()
    extra: str | None = None


class DecodeTests(SynchronousTestCase):
    """decode."""

    def test_strict_json(self) -> None:
        """What every JSON reader takes."""
        self.assertEqual(decode(b' {"a":[1,-2.5e1,true,null,"x\\u00e9"]}\n'), {"a": [1, -25.0, True, None, "xé"]})

    def test_integer_keys(self) -> None:
        """Unquoted, as fastjson writes Map<Long, ..>; they come as text."""
        self.assertEqual(decode(GOLDEN_INTEGER_KEYS), {"brokerAddrs": {"0": "10.0.0.1:10911", "1": "10.0.0.2:10911"}})

    def test_object_keys(self) -> None:
        """Objects as keys come as their compact text, members in alphabetical order whatever the sender's order was."""
        self.assertEqual(decode(GOLDEN_OBJECT_KEYS), {"offsetTable": {QUEUE: 7}})
        self.assertEqual(decode(b'{{"topic":"T1", queueId:0, \'brokerName\':"broker-a"}:7}'), {QUEUE: 7})

    def test_single_quotes_and_bare_words(self) -> None:
        """Keys and values."""
        self.assertEqual(decode("{a:'it\\'s \"so\"',b:word,c:[],d:{},e:true,f:null,-1:-1}"), {
            "a": 'it\'s "so"', "b": "word", "c": [], "d": {}, "e": True, "f": None, "-1": -1,
        })  # fmt: skip

    def test_escapes(self) -> None:
        """Those of JSON, also in single quotes; a pair of surrogates is one character."""
        self.assertEqual(decode(rb"{a:'\n\\\u00e9\ud83d\ude00'}"), {"a": "\n\\é😀"})
        self.assertEqual(decode(rb"""{a:'\'"\"\\'}"""), {"a": '\'""\\'})

    def test_numbers(self) -> None:
        """Integers of any length up to the bound, fractions, exponents; longer ones stay text."""
        self.assertEqual(decode(b"{a:123456789012345678901234567890,b:1.5,c:-2E3}"), {
            "a": 123456789012345678901234567890, "b": 1.5, "c": -2000.0,
        })  # fmt: skip
        self.assertEqual(decode(b"{a:" + b"1" * 5000 + b"}"), {"a": "1" * 5000})

    def test_a_trailing_comma(self) -> None:
        """fastjson takes one."""
        self.assertEqual(decode(b"{a:[1,2,],}"), {"a": [1, 2]})

    def test_the_error_names_the_place(self) -> None:
        """Character, what was due, what is there."""
        with self.assertRaisesRegex(JavaJSONError, "at character 5: ',' or '}' was due, found 'b:2}'"):
            decode(b"{a:1 b:2}")
        with self.assertRaisesRegex(JavaJSONError, "at character 3: a value was due, found the end"):
            decode(b"{a:")

    def test_texts_that_are_refused(self) -> None:
        """Each for another reason."""
        for text in (b"", b"{", b"[1", b"{a}", b"{a:1}}", b'{"a":"x', b"{a:'\\q'}", b'{a:"\\ud800"}', b"[,]", b"{:1}"):
            with self.assertRaises(JavaJSONError, msg=text):
                decode(text)

    def test_deep_nesting_is_refused(self) -> None:
        """In each kind of nesting, at once, without exhausting the stack."""
        for opening in (b"[", b"{a:", b'{"a":', b"{", b"{{"):
            with self.assertRaises(JavaJSONError):
                decode(opening * 200_000)
        self.assertEqual(decode(b"{a:" * (NESTING_MAX - 1) + b"1" + b"}" * (NESTING_MAX - 1))["a"] is None, False)

    def test_keys_within_keys_are_refused(self) -> None:
        """Each level would double the escapes of the one inside: 200 bytes could take all memory."""
        with self.assertRaisesRegex(JavaJSONError, "plain key"):
            decode(b"{" * 40 + b"a:1" + b"}:1" * 39 + b"}")
        with self.assertRaises(JavaJSONError):
            decode(b"{{a:{{b:1}:2}}:3}")
        self.assertEqual(decode(b"{{a:1}:{{b:2}:3}}"), {'{"a":1}': {'{"b":2}': 3}})

    def test_time_grows_with_the_length(self) -> None:
        """Four times the input must not take sixteen times as long; each shape once had or could have such a trap."""
        shapes = {
            "long string": lambda n: b"{a:'" + b"x" * (n * 20) + b"'}",
            "open string": lambda n: b"{a:'" + b"\\'" * (n * 5),
            "strings": lambda n: b"{a:[" + b"'x'," * n + b"]}",
            "keys": lambda n: b"{" + b",".join(b"%d:1" % i for i in range(n)) + b"}",
            "object keys": lambda n: b"{" + b",".join(b"{q:%d}:1" % i for i in range(n)) + b"}",
            "spaces": lambda n: b"{a:" + b" " * (n * 20),
            "digits": lambda n: b"{a:" + b"1" * (n * 20) + b"}",
            "braces": lambda n: b"{" * (n * 20),
            "quotes": lambda n: b'{a:"' + b'\\"' * n + b'"',
        }
        for name, shape in shapes.items():
            small, large = (min(self.seconds(shape(n)) for _ in range(3)) for n in (4_000, 16_000))
            self.assertLess(large, 10 * small + 0.02, name)

    def seconds(self, data: bytes) -> float:
        """How long one decoding takes."""
        start = time.perf_counter()
        outcomes(decode, iter((data,)), JavaJSONError)
        return time.perf_counter() - start

    def test_every_cut_and_change_is_read_or_refused(self) -> None:
        """Never another error."""
        for golden in (GOLDEN_INTEGER_KEYS, GOLDEN_OBJECT_KEYS):
            self.assertEqual(outcomes(decode, prefixes(golden), JavaJSONError), (0, len(golden)))
            outcomes(decode, mutations(golden), JavaJSONError)

    @settings(deadline=None, max_examples=300)
    @given(st.text(st.sampled_from("{}[]\":,'ax10-e.\\u \n\ud800"), max_size=40) | st.binary(max_size=40))
    def test_noise(self, data: str | bytes) -> None:
        """Random pieces of JSON and random bytes are read or refused, also as a structure."""
        for read in (decode, lambda text: decode_as(text, Point)):
            with contextlib.suppress(JavaJSONError):
                read(data)


class DecodeAsTests(SynchronousTestCase):
    """decode_as."""

    def test_numbers_may_come_as_text(self) -> None:
        """And maps by number have text keys in strict JSON."""
        self.assertEqual(decode_as(b'{"pointName":"p","x":"7"}', Point), Point("p", 7))
        self.assertEqual(decode_as(b'{"0":1,"7":"2"}', dict[int, int]), {0: 1, 7: 2})
        self.assertEqual(decode_as(b"{0:1}", dict[int, int]), {0: 1})

    def test_a_null_member_is_an_absent_one(self) -> None:
        """Its default applies, at every depth."""
        self.assertEqual(decode_as(b'{"tags":null,"x":null,"extra":null,"pointName":"p"}', Point), Point("p"))
        self.assertEqual(decode_as(b'{"k":[{"tags":null}]}', dict[str, list[Point]]), {"k": [Point()]})

    def test_unknown_members_are_ignored(self) -> None:
        """A later release adds some."""
        self.assertEqual(decode_as(b'{"x":1,"later":{"deep":[null]}}', Point), Point(x=1))

    def test_the_error_names_the_member(self) -> None:
        """And the structure."""
        with self.assertRaisesRegex(JavaJSONError, r"Point: .*\$\.x"):
            decode_as(b'{"x":"seven"}', Point)
        for text in (b"[]", b"1", b"word", b"null"):
            with self.assertRaises(JavaJSONError):
                decode_as(text, Point)

    def test_unknown_members_nested_beyond_any_use(self) -> None:
        """Strict JSON may nest to the depth of the stack; looking for nulls must not pass it."""
        for depth in (60, 500, 900):
            outcomes(
                lambda data: decode_as(data, Point),
                iter((b'{"x":null,"b":' + b"[" * depth + b"]" * depth + b"}",)),
                JavaJSONError,
            )


class EncodeTests(SynchronousTestCase):
    """encode."""

    def test_members_are_sorted_and_nulls_left_out(self) -> None:
        """Of dicts and structures, compact."""
        self.assertEqual(encode({"b": 1, "a": [Point("p")], "n": None}), b'{"a":[{"pointName":"p","tags":[],"x":0}],"b":1}')

    def test_empty_collections_are_written(self) -> None:
        """Clients expect lockOKMQSet and the like."""
        self.assertEqual(encode({"a": [], "b": {}, "c": (), "d": set()}), b'{"a":[],"b":{},"c":[],"d":[]}')

    def test_integer_keys(self) -> None:
        """Bare where it is asked for, otherwise quoted; in the order of the numbers."""
        self.assertEqual(encode(IntegerKeys({10: "b", 2: "a"})), b'{2:"a",10:"b"}')
        self.assertEqual(encode({10: "b", 2: "a"}), b'{"2":"a","10":"b"}')

    def test_object_keys(self) -> None:
        """Bare objects."""
        self.assertEqual(encode({"offsetTable": ObjectKeys({QUEUE: 7})}), GOLDEN_OBJECT_KEYS)

    def test_sets_are_written_in_one_order(self) -> None:
        """So that equal values give equal bytes."""
        self.assertEqual(encode({"b", "a", "c"}), b'["a","b","c"]')

    def test_doubles_have_a_fraction(self) -> None:
        """Java reads either, Go's structures as well; Java writes it so."""
        self.assertEqual(encode({"tps": 0.0}), b'{"tps":0.0}')

    @settings(deadline=None)
    @given(values)
    def test_round_trip_through_both_readers(self, value: object) -> None:
        """Ours, and Python's strict one."""
        written = encode(value)
        self.assertEqual(decode(written), value)
        self.assertEqual(json.loads(written), value)

    @settings(deadline=None)
    @given(st.dictionaries(st.integers(0, 2**63 - 1), texts, max_size=5), st.dictionaries(texts, texts, max_size=3))
    def test_round_trip_of_bare_keys(self, numbers: dict[int, str], names: dict[str, str]) -> None:
        """Only the lenient reader takes these."""
        key = encode(names).decode()
        written = encode({"n": IntegerKeys(numbers), "o": ObjectKeys({key: 1})})
        self.assertEqual(decode(written), {"n": {str(number): text for number, text in numbers.items()}, "o": {key: 1}})

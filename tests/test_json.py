"""JSON for requests: what is written of Python objects, what is let through as written, and where a fault stands."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import types
import uuid
from collections import OrderedDict
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmfunction import _json
from lmfunction.errors import ParameterError


class Colour(enum.Enum):
    RED = "r"


class Number(enum.IntEnum):
    TWO = 2


@dataclasses.dataclass
class Point:
    x: int
    y: Any


UTC = datetime.UTC


def deep(depth: int) -> Any:
    found: Any = {}
    for _ in range(depth):
        found = {"a": found}
    return found


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [True, None]}, '{"b":1,"a":[true,null]}'),
        ("я\u2028\x7f/\n", '"я\u2028\x7f/\\n"'),
        ((1, (2,)), "[1,[2]]"),
        (datetime.datetime(2026, 1, 2, 3, 4, 5, 6, UTC), '"2026-01-02T03:04:05.000006+00:00"'),
        (datetime.date(2026, 1, 2), '"2026-01-02"'),
        (datetime.time(3, 4), '"03:04:00"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (pathlib.PurePosixPath("/a/b"), '"/a/b"'),
        ({"c": Colour.RED, "n": Number.TWO}, '{"c":"r","n":2}'),
        (Point(1, [Point(2, None)]), '{"x":1,"y":[{"x":2,"y":null}]}'),
        (types.MappingProxyType({"a": 1}), '{"a":1}'),
        (OrderedDict(b=1, a=2), '{"b":1,"a":2}'),
        ({1: "a", None: "c", 1.5: "d"}, '{"1":"a","null":"c","1.5":"d"}'),
        ({True: "b"}, '{"true":"b"}'),
        ([numpy.int8(-3), numpy.float32(0.5), numpy.bool_(True), numpy.str_("s")], '[-3,0.5,true,"s"]'),
        (numpy.array([[1, 2], [3, 4]]), "[[1,2],[3,4]]"),
        (0.1 + 0.2, "0.30000000000000004"),
        (2**70, "1180591620717411303424"),
        ("", '""'),
    ],
)
def test_objects_are_written_without_loss(value, expected):
    """Each convertible object becomes the documented compact JSON in UTF-8."""
    assert _json.encode(value) == expected.encode()


CYCLE: dict[str, Any] = {"list": [1]}
CYCLE["list"].append(CYCLE)


@pytest.mark.parametrize(
    ("value", "path", "why"),
    [
        (b"x", "$", "bytes have no one meaning"),
        ({"a": [0, {"b": bytearray(b"x")}]}, "$.a[1].b", "bytes have no one meaning"),
        ([{1, 2}], "$[0]", "write sorted(...)"),
        ({"a": frozenset()}, "$.a", "a set has no order"),
        ({"a b": decimal.Decimal("1.1")}, "$['a b']", "a Decimal may lose digits"),
        ({"a": float("nan")}, "$.a", "nan is not JSON"),
        ([1, [float("-inf")]], "$[1][0]", "-inf is not JSON"),
        ([numpy.float64("inf")], "$[0]", "inf is not JSON"),
        ({"a": {("x",): 1}}, "$.a", "a key is tuple"),
        ({"a": {float("nan"): 1}}, "$.a", "nan is not JSON"),
        ({"a": "\ud800"}, "$.a", "surrogate"),
        ({"a": {"\udc00": 1}}, "$.a", "surrogate"),
        ({"a": 10**5000}, "$.a", "more digits"),
        (CYCLE, "$.list[1]", "contains itself"),
        ({"f": lambda: 1}, "$.f", "function is not a JSON type"),
        ({"m": types.SimpleNamespace()}, "$.m", "SimpleNamespace is not a JSON type"),
        ((Point(1, {"z": {1}}),), "$[0].y.z", "a set has no order"),
    ],
    ids=lambda part: part if isinstance(part, str) else type(part).__name__,
)
def test_what_cannot_be_written_is_named_by_its_path(value, path, why):
    """What JSON has no form for is refused with its path and a reason, and its content is not repeated."""
    with pytest.raises(ParameterError) as caught:
        _json.encode(value, parameter="ClientContext")
    assert str(caught.value).startswith(f"ClientContext cannot be written as JSON at {path}: ")
    assert why in str(caught.value)
    assert caught.value.parameter == "ClientContext"


def test_an_object_nested_too_deep_is_refused():
    """An object nested deeper than JSON can be written is a ParameterError, not a RecursionError."""
    with pytest.raises(ParameterError, match="nested too deep"):
        _json.encode(deep(100_000))


def test_a_hundred_levels_are_no_depth():
    """Ordinary nesting is written."""
    assert _json.encode(deep(100)) == b'{"a":' * 100 + b"{}" + b"}" * 100


@pytest.mark.parametrize(
    ("text", "line", "column", "why"),
    [
        ("{", 1, 2, "expecting property name"),
        ("[1 2]", 1, 4, "delimiter"),
        ('{"a": 1}x', 1, 9, "extra data"),
        ('{\n  "a": tru\n}', 2, 8, "expecting value"),
        ("{'a': 1}", 1, 2, "write $(...)"),
        ("plain text", 1, 1, "needs its own quotes"),
        ('"tab\there"', 1, 5, "control character"),
        ('"\\x"', 1, 2, "escape"),
        ('{"a": NaN}', 1, 7, "NaN is not JSON"),
        ('{"NaN": "NaN", "b": [0,\n-Infinity]}', 2, 1, "Infinity is not JSON"),
        ('["1e999", 1e999]', 1, 11, "larger than a double"),
        ("[-1e400]", 1, 2, "larger than a double"),
        ('{"a": 1,\n "b": {"a": 2, "c": 3,\n "a": 4}}', 3, 2, "stands twice"),
        ('{"a": {"x": 1}, "b": {"x": 1}, "a": 2}', 1, 32, "stands twice"),
        ('["\\ud800"]', 1, 3, "surrogate"),
        ("01", 1, 2, "extra data"),
        ("\x0b1", 1, 1, "expecting value"),
        ("\xa01", 1, 1, "expecting value"),
    ],
)
def test_a_fault_is_shown_at_its_line_and_column(text, line, column, why):
    """Text that is not JSON is refused at the line and column of the fault, in words and by a caret."""
    for form in (text, text.encode()):
        with pytest.raises(ParameterError) as caught:
            _json.check(form)
        error = caught.value
        assert (error.line, error.column) == (line, column)
        assert f"line {line}, column {column}" in str(error)
        assert why in str(error)
        assert str(error).splitlines()[-1].strip() == "^"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "empty"),
        (" \n", "empty"),
        (b"", "empty"),
        ("\ufeff{}", "byte order mark"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"\xff\xfe{\x00}\x00", "UTF-16"),
        (b"\xfe\xff\x00{\x00}", "UTF-16"),
        (b'{"a":\n"\xe9"}', "byte 0xe9 at line 2, column 2"),
        ('"\ud800"', "surrogate|UTF-8|character"),
        ("[" * 100_000 + "]" * 100_000, "nested too deep"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_is_no_text_of_json_is_refused(content, why):
    """Empty text, byte order marks, other encodings, broken characters and bottomless nesting are refused by name."""
    with pytest.raises(ParameterError, match=why):
        _json.check(content)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":  1.0, "b":1E+2, "c": -0}',
        " [ ] \r\n",
        '"\\u00e9\\ud83d\\ude00é"',
        "9" * 6000,
        '{"a":{"a":1},"b":[{"a":1},{"a":2}]}',
        '"\\\\ud800"',
        "1e308",
        '"\x7f\u2028"',
    ],
    ids=lambda text: text[:24],
)
def test_good_json_passes_unchanged(text):
    """JSON text passes byte for byte: spaces, number spellings, escapes and thousands of digits stay."""
    assert _json.check(text) == text.encode()
    assert _json.check(text.encode()) == text.encode()


def test_a_key_twice_passes_when_allowed():
    """Duplicate keys go through unchanged when the caller says so, and nothing else is let through with them."""
    text = '{"a":1,"a":2}'
    assert _json.check(text, allow_duplicate_keys=True) == text.encode()
    with pytest.raises(ParameterError, match="NaN"):
        _json.check('{"a":1,"a":NaN}', allow_duplicate_keys=True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"name": "Ann", "n": 12}', '{"name": "···", "n": ··}'),
        ("{'name': 'Ann', 'ok': True}", "{'name': '···', 'ok': ····}"),
        ('["a b", [null, -1.5]]', '["· ·", [····, -·.·]]'),
        ('{"k": "it\'s \\"q\\""}', '{"k": "··\'· \\"·\\""}'),
        ("plain secret", "····· ······"),
        ('{"k": "open secret', '{"k": "···· ······'),
        ("{'k': 'open secret", "{'k': '···· ······"),
        ('{"k": $name, "é": "é"}', '{"k": $name, "é": "·"}'),
        ("", ""),
    ],
)
def test_masked_text_keeps_keys_and_columns_only(text, shown):
    """In masked text the values are blanked, the keys, variables and punctuation stay where they stood."""
    assert _json.masked(text) == shown
    assert len(shown) == len(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=15,
)


@given(value=JSON)
def test_every_json_value_survives(value):
    """Whatever JSON holds is written, accepted as text again and read back equal."""
    text = _json.encode(value)
    assert _json.check(text) == text
    assert json.loads(text) == value


@given(text=st.text() | st.text(st.sampled_from("{}[]:,\"'\\ \nab1.eE-+NaIu0")))
def test_check_agrees_with_json_on_any_text(text):
    """Any text is either passed on unchanged, and then is JSON, or refused with a ParameterError."""
    try:
        passed = _json.check(text)
    except ParameterError as error:
        assert str(error)
        return
    assert passed == text.encode()
    json.loads(text)


@given(keys=st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), max_size=4), values=st.lists(st.text(min_size=1)))
def test_masking_hides_every_value_of_any_object(keys, values):
    """No letter or digit of a value is left by masking, and the length never changes."""
    text = json.dumps(dict(zip(keys, values, strict=False)), ensure_ascii=False)
    shown = _json.masked(text)
    assert len(shown) == len(text)
    bare = shown
    for key in dict(zip(keys, values, strict=False)):
        bare = bare.replace(f'"{key}":', "")
    assert not any(c.isalnum() for c in bare)

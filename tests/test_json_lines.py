"""Objects read from text: JSON Lines, documents, plain lines; results' lines; and how they bind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmfunction._json_lines import JsonText, ResultRecord, read_objects
from lmfunction._piped import bind_object
from lmfunction.errors import LMError

RESULT = {"StatusCode": 200, "Payload": {"n": 1}, "RequestId": "r", "Attempts": 1, "ElapsedMs": 1.5}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n \n", []),
        ('{"a": 1}\n\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        ('{"a": 1}\r\n[1, 2]\r\n', [{"a": 1}, [1, 2]]),
        ("\ufeff1\n2\n", [1, 2]),
        ('{\n  "a": [\n    1\n  ]\n}\n', [{"a": [1]}]),
        ('1\n{\n"a": 1}\n{"b":\n2} [3]', [1, {"a": 1}, {"b": 2}, [3]]),
        ("hello\nworld 2\n", ["hello", "world 2"]),
        ("null\ntrue\n-5\n", [None, True, -5]),
        ("9007199254740993\n", [9007199254740993]),
    ],
)
def test_what_is_read(text: str, expected: list[Any]) -> None:
    """A JSON value a line, documents over several lines, and plain lines where a line is no JSON."""
    assert list(read_objects(text.splitlines(keepends=True))) == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [('{"a": 1', "line 1, column 8"), ('1\n{"a": 1}\n{"b" 2}', "line 3, column 6"), ('{"a":\n]\n', "line 2, column 1")],
)
def test_json_that_does_not_end(text: str, place: str) -> None:
    """JSON begun and not ended is an error with its place in the whole input."""
    with pytest.raises(LMError, match=place):
        list(read_objects(text.splitlines(keepends=True)))


def test_json_nested_too_deep() -> None:
    """Brackets without end are an error, not a crash."""
    with pytest.raises(LMError, match="not JSON"):
        list(read_objects(["[" * 200_000]))


def test_lines_are_read_as_they_come() -> None:
    """The first object is there before the second line is asked for."""
    lines = iter(["1\n", "2\n"])
    objects = read_objects(lines)
    assert next(objects) == 1
    assert next(lines) == "2\n"


@given(st.lists(VALUES))
def test_what_was_written_is_read(values: list[Any]) -> None:
    """Whatever is written a line each comes back as it was."""
    assert list(read_objects(json.dumps(value) + "\n" for value in values)) == values


def test_a_result_s_line_stands_for_its_payload() -> None:
    """What one command wrote binds in the next as the result itself would; a failed one is refused."""
    (record,) = read_objects([json.dumps(RESULT)])
    assert type(record) is ResultRecord
    assert bind_object(record, {"FunctionName": "f"})["Payload"] == {"n": 1}
    (failed,) = read_objects([json.dumps({**RESULT, "FunctionError": "Unhandled", "Error": {"Type": "OrderError"}})])
    with pytest.raises(LMError, match="OrderError"):
        bind_object(failed, {"FunctionName": "f"})


@pytest.mark.parametrize("other", [{"StatusCode": 200}, {**RESULT, "more": 1}, {"Payload": 1}, {"FunctionName": "f"}])
def test_what_is_no_result_s_line(other: dict[str, Any]) -> None:
    """An object with other members, or without those that every result has, is an object."""
    (found,) = read_objects([json.dumps(other)])
    assert type(found) is dict


def test_a_json_string_is_a_name_or_a_payload() -> None:
    """As a function's name it is its text, as a payload it is sent as it was written."""
    (text,) = read_objects(['"\\u0041da"\n'])
    assert type(text) is JsonText
    assert text == "Ada"
    assert bind_object(text, {}) == {"FunctionName": "Ada"}
    assert bind_object(text, {"FunctionName": "f"})["Payload"] == '"\\u0041da"'

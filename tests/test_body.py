"""The body of a cell as a payload: JSON as written, YAML as an object, variables in both, faults at their place."""

from __future__ import annotations

import json
import pathlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lmfunction import _json
from lmfunction._body import read_payload
from lmfunction._commands import run_line
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._scope import Scope
from lmfunction._table import INVOKE
from lmfunction.errors import ParameterError

TABLE = yaml.safe_load(pathlib.Path(__file__).with_name("body_cases.yaml").read_text(encoding="utf-8"))
SCOPE = Scope({name: eval(source) for name, source in TABLE["names"].items()}, environ={"STAGE": "blue"})
CANARY = "canary-4711"


@pytest.mark.parametrize("case", TABLE["good"], ids=lambda case: repr(case["body"])[:50])
def test_a_body_is_the_payload_of_the_table(case):
    """JSON stays text as written with variables filled in; anything else is read as YAML into an object."""
    actual = read_payload(case["body"], SCOPE)
    assert actual == case["payload"], {"body": case["body"], "expected": case["payload"], "actual": actual}
    assert type(actual) is type(case["payload"])


@pytest.mark.parametrize("case", TABLE["bad"], ids=lambda case: repr(case["body"])[:50])
def test_a_fault_in_a_body_is_shown_at_its_place(case):
    """A body that cannot be read is a ParameterError for Payload at its line and column, without its values."""
    with pytest.raises(ParameterError) as caught:
        read_payload(case["body"], SCOPE)
    error = caught.value
    actual = {"line": error.line, "column": error.column, "says": str(error)}
    assert case["says"] in str(error), (case, actual)
    assert error.line == case.get("line", error.line), (case, actual)
    assert error.column == case.get("column", error.column), (case, actual)
    assert CANARY not in str(error), (case, actual)


def test_an_object_in_yaml_is_the_very_object():
    """A variable in YAML gives the object itself, so nothing is copied or turned into text on the way."""
    order = {"id": 7}
    assert read_payload("a: $order", Scope({"order": order}))["a"] is order


@pytest.mark.parametrize("body", ['{"a": NaN}', "[1e999]", '{"a": 1, "a": 2}', '"\\ud800"', ""])
def test_json_that_aws_would_refuse_is_refused_before_it_is_sent(body):
    """A body of JSON with NaN, a huge number, a key twice or half a character is refused, and not read as YAML."""
    door = Door(scope=SCOPE)
    line = "f -EndpointUrl http://127.0.0.1:9 -Region us-east-1 -WhatIf"
    if body:
        with pytest.raises(ParameterError) as caught:
            run_line(INVOKE, line, body, Engine(), door, {})
        assert caught.value.parameter == "Payload"
    else:
        assert read_payload(body, SCOPE) is None  # an empty YAML document; IPython itself refuses an empty body


def test_a_body_and_a_payload_exclude_each_other():
    """A payload on the line beside a body is refused at the line's column."""
    for line, column in (("f -Payload {}", 12), ("f {}", 3), ("f -PayloadStream $x", 18)):
        with pytest.raises(ParameterError, match="the cell's body is the Payload") as caught:
            run_line(INVOKE, line, "{}", Engine(), Door(scope=Scope({"x": b"{}"})), {})
        assert caught.value.column == column


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)


@given(value=JSON, indent=st.sampled_from([None, 1, 4]))
def test_any_json_body_is_sent_as_written(value, indent):
    """Any JSON text as a body arrives as it was written, whatever its strings hold."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    assert read_payload(text, SCOPE) == text


@given(value=JSON)
def test_any_object_in_a_json_body_is_written_as_json(value):
    """Any JSON value behind a variable is filled in as JSON, and its text is never read again."""
    text = read_payload('{"a": $x, "b": "$x"}', Scope({"x": value}))
    assert json.loads(text) == {"a": value, "b": "$x"}
    assert _json.check(text)


@given(text=st.text(max_size=40))
def test_any_body_is_read_or_refused(text):
    """Any text as a body is read, or refused with a ParameterError."""
    try:
        read_payload(text, Scope({}, environ={}))
    except ParameterError as error:
        assert str(error)

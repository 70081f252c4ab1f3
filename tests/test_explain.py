"""Function errors explained: the shapes that runtimes write, recorded from AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lmfunction._explain import explain

CASES = yaml.safe_load(Path(__file__).with_name("explain_cases.yaml").read_text())
ID = "8286a188-ba32-4475-8077-530cd35c09a9"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["type"])
def test_each_runtimes_error_is_read(case: dict[str, Any]) -> None:
    """Type, message, stack lines in the language's own order, and what usually mends it."""
    failure = explain("Unhandled", case["payload"])
    seen = {"type": failure.type, "message": failure.message, "stack": list(failure.stack_trace)}
    told = f"input: {case['payload']}\nexpected: {case}\nactual: {failure}"
    assert seen == {"type": case["type"], "message": case["message"], "stack": case.get("stack", [])}, told
    assert (case["hint"] in failure.hint) if "hint" in case else failure.hint == "", told
    assert str(failure) == (f"{failure.type}: {failure.message}" if failure.message else failure.type)


def test_the_runtimes_request_id_is_kept_when_it_wrote_one() -> None:
    """Empty, as before the first event, is None."""
    assert explain("Unhandled", {"requestId": ID}).request_id == ID
    assert explain("Unhandled", {"requestId": ""}).request_id is None


def test_any_spelling_of_the_header_is_a_failure() -> None:
    """`Handled` of old, or anything a proxy makes of it, is the type when the payload names none."""
    assert explain("Handled", {"errorMessage": "no"}).type == "Handled"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["errorType", "errorMessage", "stackTrace", "trace", "requestId", "x"]), inner
        )
    ),
    max_leaves=8,
)


@given(JSON)
def test_no_payload_makes_the_explanation_raise(payload: Any) -> None:
    """Whatever a runtime answers is explained with text."""
    failure = explain("Unhandled", json.loads(json.dumps(payload)))
    assert isinstance(failure.type, str)
    assert isinstance(failure.message, str)
    assert all(isinstance(line, str) and "\n" not in line for line in failure.stack_trace)

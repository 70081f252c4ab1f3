"""The errors: picklable, short in IPython, safe to print, each with what it knows."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lmfunction as lm
from lmfunction._request import InvokeRequest

RESULT = lm.InvokeResult(
    InvokeRequest("f"), 200, b'{"errorType": "E", "errorMessage": "m"}', function_error="Unhandled", request_id="id-1"
)
ERRORS: list[BaseException] = [
    lm.LMError("plain", request_id="r"),
    lm.ParameterError("bad", parameter="Payload", source="f -Payload {", line=1, column=12),
    lm.ProfileError("bad", file="p.yaml", line=3, column=7),
    lm.GuardError("no"),
    lm.TransportError("lost", sent=True, outcome="RESULT_LOST", request_id="r", attempts=2),
    lm.TransportError("no", sent=False, outcome="NOT_SENT", retryable=True),
    lm.ServiceError(
        "no", code="TooManyRequestsException", status=429, request_id="r", retry_after=1.5, reason="Why",
        outcome="THROTTLED_OUT", attempts=5,
    ),
    lm.FunctionError("failed", result=RESULT),
    lm.BulkError("some", result=[RESULT]),
    lm.JournalError("no"),
    lm.InvocationInterrupted("stopped", sent=False),
]  # fmt: skip


def facts(error: BaseException) -> dict[str, Any]:
    return {n: v.to_dict() if isinstance(v, lm.InvokeResult) else repr(v) for n, v in vars(error).items()}


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("through", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_every_error_survives_pickling_and_copying(error: BaseException, through: Callable[[Any], Any]) -> None:
    """Class, text and every fact come back."""
    back = through(error)
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert facts(back) == facts(error)


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_every_error_shows_its_own_few_lines(error: Any) -> None:
    """IPython's hook gives the class and the message, and with `full_traceback` Python's traceback without values."""
    assert error._render_traceback_() == f"{type(error).__name__}: {error}".splitlines()
    assert hasattr(error, "_render_traceback_")
    error = copy.copy(error)
    error.full_traceback = True
    local_secret = "canary"  # noqa: F841 - which a traceback that shows values would show
    try:
        raise error
    except BaseException:
        lines = error._render_traceback_()
    assert lines[0] == "Traceback (most recent call last):"
    assert any("raise error" in line for line in lines)
    assert not any("canary" in line for line in lines)


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_an_attribute_that_is_not_there_is_an_attribute_error(error: BaseException) -> None:
    """The hook's `__getattr__` hides no misspelling."""
    with pytest.raises(AttributeError, match="has no attribute 'messsage'"):
        _ = error.messsage


@pytest.mark.parametrize(
    ("kind", "parents"),
    [
        (lm.ParameterError, (lm.LMError, ValueError)),
        (lm.ProfileError, (lm.LMError, ValueError)),
        (lm.GuardError, (lm.LMError,)),
        (lm.TransportError, (lm.LMError,)),
        (lm.ServiceError, (lm.LMError,)),
        (lm.FunctionError, (lm.LMError,)),
        (lm.BulkError, (lm.LMError,)),
        (lm.JournalError, (lm.LMError,)),
        (lm.InvocationInterrupted, (KeyboardInterrupt,)),
    ],
)
def test_the_tree_is_the_one_that_is_drawn(kind: type, parents: tuple[type, ...]) -> None:
    """Errors of a line or a profile are ValueErrors too; an interrupt is no Exception."""
    assert all(issubclass(kind, parent) for parent in parents)
    assert not (kind is lm.InvocationInterrupted and issubclass(kind, Exception))
    assert str(kind()) == ""


def test_a_function_error_carries_the_results_request_id() -> None:
    """The request id is there without a look into the result."""
    assert lm.FunctionError("x", result=RESULT).request_id == "id-1"
    assert lm.FunctionError("x").request_id is None


@pytest.mark.parametrize(
    ("source", "line", "column", "shown"),
    [
        ("f -Nope 1", 1, 3, "    f -Nope 1\n      ^"),
        ("a\nbc\ndef", 3, 2, "    def\n     ^"),
        ("ab", 1, 3, "    ab\n      ^"),
        ("a\x1bb", 1, 3, "    a\\x1bb\n         ^"),
        ("\tx", 1, 2, "    \\tx\n      ^"),
        (None, 1, 3, ""),
        ("abc", 1, None, ""),
        ("abc", 9, 1, "    \n    ^"),
    ],
)
def test_a_caret_stands_under_the_character(source: str | None, line: int, column: int | None, shown: str) -> None:
    """Also after characters that are written as escapes."""
    text = str(lm.ParameterError("no", source=source, line=line, column=column))
    assert text == (f"no\n{shown}" if shown else "no")


@given(st.text(), st.integers(1, 400), st.integers(1, 5))
def test_a_caret_never_raises_and_never_floods(source: str, column: int, line: int) -> None:
    """Whatever the text and the place, two short lines."""
    text = str(lm.ParameterError("no", source=source, line=line, column=column))
    assert all(len(part) < 1300 for part in text.splitlines())
    assert len(text.splitlines()) == 3


def test_a_long_line_is_shown_around_its_fault() -> None:
    """A window, with marks where it was cut."""
    _, shown, caret = str(lm.ParameterError("no", source="a" * 300 + "X" + "b" * 300, line=1, column=301)).splitlines()
    assert len(shown) < 130
    assert shown.strip().startswith("…")
    assert shown.endswith("…")
    assert shown[caret.index("^")] == "X"


def test_messages_show_no_raw_control_characters() -> None:
    """A message that quotes something hostile cannot move the cursor or reverse the text."""
    for kind in (lm.LMError, lm.ServiceError, lm.TransportError, lm.ProfileError):
        assert str(kind("a\x1b[2J\u202eb\r")) == "a\\x1b[2J\\u202eb\\x0d"


def test_a_profile_error_points_into_its_file() -> None:
    """File, line and column as editors take them."""
    assert str(lm.ProfileError("no", file="a b.yaml", line=3, column=7)) == "a b.yaml:3:7: no"
    assert str(lm.ProfileError("no", file="a.yaml")) == "a.yaml: no"

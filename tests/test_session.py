"""Python's own door."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import lmfunction as lm
from lmfunction._client import Plan
from lmfunction._session import default_session

KEYS = lm.Credential("AKIDEXAMPLE", "not-a-secret")


@pytest.fixture
def session() -> Iterator[lm.Session]:
    with lm.Session(profile_name="local") as session:
        yield session


@pytest.fixture
def server(faults: ModuleType) -> Iterator[Any]:
    with faults.FaultServer() as server:
        yield server


def test_a_failed_function_is_a_result_here(session: lm.Session) -> None:
    """`error_action` is Continue in Python; Stop raises."""
    failed = session.invoke_lm("fail", {"order": 3})
    assert (failed.ok, failed.error.type) == (False, "OrderNotFoundError")
    with pytest.raises(lm.FunctionError, match="There is no order 3") as caught:
        session.invoke_lm("fail", {"order": 3}, error_action="stop")
    assert caught.value.request_id


def test_a_call_takes_positions_and_keywords_of_the_table(session: lm.Session) -> None:
    """Function and payload by position, everything else by its Python name; None is "not given"."""
    assert session.invoke_lm("hello", {"name": "Ada"}, select="Payload.message", qualifier=None) == "Hello, Ada!"
    assert session.invoke_lm("echo", payload_stream=io.BytesIO(b"[1]")).payload == [1]
    assert session.invoke_lm("echo", None).raw_payload == b"null"
    assert session.invoke_lm("echo").payload == {}
    assert session.invoke_lm("hello", invocation_type="event").status_code == 202


def test_the_modules_function_and_a_session_are_the_same_call() -> None:
    """`lm.invoke_lm` uses the default session, which knows the module's defaults."""
    assert lm.invoke_lm("echo", [1], profile_name="local").payload == [1]
    assert lm.defaults is default_session().defaults
    lm.defaults["Invoke-LMFunction:LogType"] = "Tail"
    try:
        assert lm.invoke_lm("hello", profile_name="local").log
    finally:
        del lm.defaults["Invoke-LMFunction:LogType"]
    assert lm.invoke_lm("hello", profile_name="local").log is None


def test_a_sessions_defaults_are_its_own(session: lm.Session) -> None:
    """Two sessions share nothing."""
    session.defaults["*:LogType"] = "Tail"
    with lm.Session(profile_name="local") as other:
        assert session.invoke_lm("hello").log
        assert other.invoke_lm("hello").log is None


@pytest.mark.parametrize(
    ("keywords", "says"),
    [
        ({"paylod": 1}, r"unexpected keyword argument 'paylod'\. Did you mean payload\?"),
        ({"FunctionName": "f"}, "unexpected keyword argument 'FunctionName'"),
        ({"quali": "x"}, "unexpected keyword argument 'quali'"),
    ],
)
def test_an_unknown_keyword_is_a_type_error(session: lm.Session, keywords: dict[str, Any], says: str) -> None:
    """As for any Python function, with the nearest name; no prefixes here."""
    with pytest.raises(TypeError, match=says):
        session.invoke_lm("f", **keywords)


@pytest.mark.parametrize(
    ("keywords", "says"),
    [
        ({}, "FunctionName is missing"),
        ({"function_name": "f", "payload": 1, "payload_stream": b"1"}, "exclude each other"),
        ({"function_name": "f", "select": "Payload", "pass_thru": True}, "exclude each other"),
        ({"function_name": "f", "invocation_type": "Evnt"}, "Did you mean Event?"),
        ({"function_name": "f", "timeout_sec": 0}, "TimeoutSec is 0"),
        ({"function_name": "f", "timeout_sec": "soon"}, "a number of seconds"),
        ({"function_name": "f", "what_if": "yes"}, "True or False"),
        ({"function_name": 7.5}, "FunctionName"),
        ({"function_name": "f", "payload": {1, 2}}, "cannot be written as JSON"),
    ],
    ids=str,
)
def test_a_wrong_value_is_a_parameter_error(session: lm.Session, keywords: dict[str, Any], says: str) -> None:
    """Also a ValueError, and nothing was sent."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - that it is one is what is tested
        session.invoke_lm(**keywords)
    assert isinstance(caught.value, lm.ParameterError)
    assert says in str(caught.value)


def test_what_if_gives_the_plan(session: lm.Session) -> None:
    """In Python the plan is the value."""
    plan = session.invoke_lm("hello", {"a": 1}, what_if=True)
    assert isinstance(plan, Plan)
    assert plan.request.payload == b'{"a":1}'


def test_a_call_overrides_its_session(session: lm.Session, server: Any) -> None:
    """Where one call goes can be said with the call; the session stays as it is."""
    answer = session.invoke_lm("f", endpoint_url=server.url, credential=KEYS)
    assert answer.payload == {}
    assert len(server.requests) == 1
    assert session.invoke_lm("echo", [2]).payload == [2]


def test_a_session_closes_its_connections_and_opens_new_ones(server: Any) -> None:
    """After `close` nothing stays open, and it can be used again."""
    session = lm.Session(region="us-east-1", endpoint_url=server.url, credential=KEYS)
    session.invoke_lm("f")
    session.close()
    server.wait_until_closed()
    assert session.invoke_lm("f").ok
    session.close()
    session.close()
    assert server.connections == 2


def test_a_session_shows_what_it_is_made_of_but_no_secret() -> None:
    """One line."""
    assert repr(lm.Session(region="eu-west-1", credential=KEYS)) == (
        "<Session Region='eu-west-1', Credential=<Credential …MPLE>>"
    )
    assert repr(lm.Session()) == "<Session of the defaults>"


def test_a_warning_points_at_the_users_line(session: lm.Session) -> None:
    """An LMWarning, with the file of who called."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        session.invoke_lm("hello", invocation_type="Event", log_type="Tail")
    (warning,) = caught
    assert issubclass(warning.category, lm.LMWarning)
    assert "brings no log" in str(warning.message)
    assert warning.filename == __file__


def test_warnings_can_be_silenced_or_be_errors(session: lm.Session) -> None:
    """By `warning_action`, as in a line; by Python's own filter, as here."""
    with pytest.warns(lm.LMWarning):
        session.invoke_lm("hello", invocation_type="Event", log_type="Tail")
    session.invoke_lm("hello", invocation_type="Event", log_type="Tail", warning_action="SilentlyContinue")
    with pytest.raises(lm.ParameterError, match="WarningAction Stop"):
        session.invoke_lm("hello", invocation_type="Event", log_type="Tail", warning_action="Stop")


def test_verbose_goes_to_standard_error(session: lm.Session, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing goes to standard output."""
    session.invoke_lm("hello", verbose=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith('VERBOSE: Performing the operation "Invoke-LMFunction" on target "hello"')


def test_confirm_with_nobody_to_ask_refuses(session: lm.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input that is no terminal, or none at all, answers nothing."""
    for stdin in (io.StringIO("hello\n"), None):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(lm.GuardError, match="nobody can"):
            session.invoke_lm("hello", confirm=True)
    assert session.invoke_lm("hello", confirm=True, force=True).ok


@pytest.mark.parametrize(("typed", "confirmed"), [("hello", True), ("yes", False), (EOFError, False)])
def test_confirm_asks_who_sits_at_a_terminal(
    typed: Any, confirmed: bool, session: lm.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function's name lets the call go; anything else, or the end of input, does not."""

    def answer(question: str) -> str:
        assert "Type hello to go on" in question
        if typed is EOFError:
            raise EOFError
        return str(typed)

    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", terminal)
    monkeypatch.setattr("builtins.input", answer)
    if confirmed:
        assert session.invoke_lm("hello", confirm=True).ok
    else:
        with pytest.raises(lm.GuardError):
            session.invoke_lm("hello", confirm=True)

"""The result of one invocation as people read it."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lmfunction as lm
from lmfunction._request import InvokeRequest, Target

LOG = (
    "START RequestId: id-1 Version: 7\nLooking for order 7\n"
    "[ERROR] OrderError: no\nTraceback (most recent call last):\n"
    "END RequestId: id-1\nREPORT RequestId: id-1\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\t"
    "Max Memory Used: 36 MB\tInit Duration: 110.10 ms\t\n"
)
REQUEST = InvokeRequest("orders", b'{"n":1}', qualifier="live", target=Target("eu-west-1"))


def result(payload: bytes = b'{"a": [1, {"b": 2}]}', **more: Any) -> lm.InvokeResult:
    return lm.InvokeResult(REQUEST, more.pop("status_code", 200), payload, **more)


FULL: dict[str, Any] = {
    "log_result": base64.b64encode(LOG.encode()).decode(),
    "executed_version": "7",
    "durable_execution_arn": "arn:x",
    "request_id": "id-1",
    "trace_id": "Root=1",
    "elapsed_ms": 12.5,
    "attempt_log": (lm.Attempt(lm.Outcome.THROTTLED_OUT, "TooManyRequestsException", 3.0), lm.Attempt(lm.Outcome.OK)),
}
FAILED = {
    **FULL,
    "function_error": "Unhandled",
    "payload": b'{"errorType": "OrderError", "errorMessage": "no", '
    b'"stackTrace": ["  File \\"/var/task/a.py\\", line 3, '
    b'in handler\\n    x()\\n", "  File \\"/var/task/b.py\\", line 9, in find\\n    raise\\n"]}',
}


@pytest.mark.parametrize(
    ("raw", "payload"),
    [
        (b"", None),
        (b"null", None),
        (b'{"a": 1.50}', {"a": 1.5}),
        (b' "text" ', "text"),
        (b"not json", "not json"),
        ("é".encode(), "é"),
        (b"\xff\xfe\x00", b"\xff\xfe\x00"),
        (b'{"a": \xff}', b'{"a": \xff}'),
        (b"1" * 5000, "1" * 5000),  # Python refuses to make an integer of more than 4,300 digits
        (b"[" * 100_000, "[" * 100_000),
        (b"[" * 100_000 + b"]" * 100_000, "[" * 100_000 + "]" * 100_000),
        (b"\xef\xbb\xbf{}", {}),  # a byte order mark is forgiven
        (b"NaN", pytest.approx(float("nan"), nan_ok=True)),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_payload_is_json_else_text_else_bytes(raw: bytes, payload: Any) -> None:
    """In that order, never an error; the bytes as received are kept beside it."""
    found = result(raw)
    assert found.payload == payload
    assert found.raw_payload is raw
    assert found.payload is found.payload


def test_a_member_goes_by_its_attribute_and_its_wire_name() -> None:
    """Attributes in Python's spelling and the wire's; items by the wire's in any case."""
    found = result(**FULL)
    assert found.status_code == found.StatusCode == found["StatusCode"] == found["statuscode"] == 200
    assert found.payload == found.Payload == found["PAYLOAD"]
    assert found.log == found["Log"] == LOG
    assert found.report == found["report"]
    assert found.report is not None
    assert (found.report.duration_ms, found.report.cold_start) == (3.01, True)
    assert (found.attempts, found["Attempts"], result().attempts) == (2, 2, 1)
    assert found.error is None
    assert found["FunctionError"] is None


def test_a_misspelt_member_names_the_nearest() -> None:
    """As an attribute and as an item."""
    with pytest.raises(AttributeError, match=r"no attribute 'paylaod'\. Did you mean payload\?"):
        _ = result().paylaod
    with pytest.raises(KeyError, match=r"no member of a result\. Did you mean StatusCode\?"):
        result()["StatusCod"]
    with pytest.raises(KeyError):
        result()[0]  # type: ignore[index]


def test_to_dict_holds_plain_values_under_the_wires_names() -> None:
    """Decoded payload and log, absent members left out; `keys` and `dict()` agree."""
    assert result().to_dict() == {"StatusCode": 200, "Payload": {"a": [1, {"b": 2}]}, "Attempts": 1, "ElapsedMs": 0.0}
    found = result(**FULL)
    assert found.to_dict() == {
        "StatusCode": 200,
        "ExecutedVersion": "7",
        "Payload": {"a": [1, {"b": 2}]},
        "LogResult": FULL["log_result"],
        "Log": LOG,
        "DurableExecutionArn": "arn:x",
        "RequestId": "id-1",
        "TraceId": "Root=1",
        "Report": {
            "DurationMs": 3.01,
            "BilledDurationMs": 4.0,
            "MemorySizeMb": 128,
            "MaxMemoryUsedMb": 36,
            "InitDurationMs": 110.1,
        },
        "Attempts": 2,
        "ElapsedMs": 12.5,
    }
    assert found.keys() == list(found.to_dict()) == found._ipython_key_completions_()
    assert set(dict(found)) == set(found.keys())  # type: ignore[call-overload]
    assert result(b"null").to_dict()["Payload"] is None
    assert "Payload" not in result(b"").to_dict()
    failed = result(**FAILED).to_dict()["Error"]
    assert (failed["Type"], failed["Message"], len(failed["StackTrace"])) == ("OrderError", "no", 4)


def test_a_result_is_one_object() -> None:
    """It is not iterated over, by item access neither, and has no length."""
    with pytest.raises(TypeError, match=r"one object; iterate over its \.payload"):
        iter(result())
    with pytest.raises(TypeError):
        list(result())  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        len(result())  # type: ignore[arg-type]
    assert not isinstance(result(), dict)
    assert bool(result())


def test_an_unknown_right_side_of_a_pipe_is_python_s_own_error() -> None:
    """`|` belongs to other libraries too: unknown right sides may answer themselves."""

    class Sink:
        def __ror__(self, left: Any) -> str:
            return f"got {left.status_code}"

    assert result() | Sink() == "got 200"
    with pytest.raises(TypeError):
        result() | 3  # type: ignore[operator]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("Payload.a[1].b", 2),
        ("payload.a[0]", 1),
        ("STATUSCODE", 200),
        ("Report.DurationMs", 3.01),
        ("{code: StatusCode, first: Payload.a[0]}", {"code": 200, "first": 1}),
        ("Payload.nothing", None),
        ("length(Payload.a)", 2),
        ("FunctionError", None),
    ],
)
def test_select_is_jmespath_over_the_wires_names(expression: str, found: Any) -> None:
    """The first name is matched in any case."""
    assert result(**FULL).select(expression) == found


@pytest.mark.parametrize(
    ("expression", "says"),
    [("Payloads.a", "Did you mean Payload?"), ("Payload.[", "not a JMESPath expression"), ("", "JMESPath")],
)
def test_select_points_at_what_is_wrong(expression: str, says: str) -> None:
    """A name that is no member, and what is no JMESPath."""
    with pytest.raises(lm.ParameterError) as caught:
        result().select(expression)
    assert says in str(caught.value)


def test_a_failed_function_tells_why_where_and_which_request() -> None:
    """`raise_for_error` gives the result itself, or the few lines that somebody needs at night."""
    good = result()
    assert good.raise_for_error() is good
    failed = result(**FAILED)
    assert (failed.ok, failed.outcome, str(failed.error)) == (False, "FUNCTION_ERROR", "OrderError: no")
    with pytest.raises(lm.FunctionError) as caught:
        failed.raise_for_error()
    assert caught.value.result is failed
    assert str(caught.value).splitlines() == [
        "orders:live failed: OrderError: no",
        "  at /var/task/b.py:9 in find",
        "  log: Looking for order 7",
        "  RequestId: id-1",
    ]


@pytest.mark.parametrize(("status", "outcome"), [(200, "OK"), (202, "ACCEPTED"), (204, "ACCEPTED")])
def test_the_outcome_follows_the_status(status: int, outcome: str) -> None:
    """An event that was queued is accepted, not done."""
    assert result(b"", status_code=status).outcome == outcome


@pytest.mark.parametrize("through", [lambda r: pickle.loads(pickle.dumps(r)), copy.copy, copy.deepcopy])
def test_a_result_survives_pickling_and_copying(through: Callable[[Any], Any]) -> None:
    """With its request; only the session is left behind."""
    found = result(resend=lambda _: result(), **FULL)
    back = through(found)
    assert back.to_dict() == found.to_dict()
    assert back.request == found.request
    assert back.attempt_log == found.attempt_log
    with pytest.raises(lm.LMError, match="there is no session"):
        back.replay()


def test_replay_sends_the_same_request_again() -> None:
    """Through the session that sent it: a new request id, the same answer, and a replay can be replayed."""
    with lm.Session(profile_name="local") as session:
        first = session.invoke_lm("echo", {"n": 1}, log_type="Tail", qualifier="$LATEST")
        second = first.replay()
        third = second.replay()
    assert first.payload == second.payload == third.payload == {"n": 1}
    assert second.request == first.request
    assert len({r.request_id for r in (first, second, third)}) == 3
    assert third.log


def test_save_writes_the_very_bytes_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An existing file is replaced whole; when that fails it is the old one, and no scraps are left."""
    target = tmp_path / "out.json"
    assert result(b"\xff first").save(target) == target
    assert result(b"second").save(str(target)) == target
    assert target.read_bytes() == b"second"

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        result(b"third").save(target)
    assert target.read_bytes() == b"second"
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.parametrize(
    ("raw", "rows"),
    [
        (b'[{"a": 1, "b": 2}, {"a": 3}]', [[1, 2.0], [3, None]]),
        (b'{"a": 1, "b": "x"}', [[1, "x"]]),
        (b"[1, 2]", [[1], [2]]),
        (b"7", [[7]]),
        (b"[]", []),
    ],
)
def test_to_frame_makes_a_row_of_each_item(raw: bytes, rows: list[list[Any]]) -> None:
    """One row for an object, one a list item; scalars stand in a column Payload."""
    frame = result(raw).to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert frame.astype(object).where(frame.notna(), None).values.tolist() == rows


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (result(**FULL), '<InvokeResult 200 orders:live 7 12 ms {"a": [1, {"b": 2}]}>'),
        (result(b"", status_code=202), "<InvokeResult 202 orders:live 0 ms>"),
        (result(**FAILED), "<InvokeResult 200 orders:live 7 12 ms Unhandled OrderError: no>"),
        (
            result(b'"a\nb\x1b[31m\xe2\x80\xaec\x00"'),
            '<InvokeResult 200 orders:live 0 ms "a\\nb\\x1b[31m\\u202ec\\x00">',
        ),
    ],
    ids=["whole", "queued", "failed", "hostile"],
)
def test_repr_is_one_honest_line(found: lm.InvokeResult, shown: str) -> None:
    """Control characters are written as escapes."""
    assert repr(found) == shown


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
ANY_TEXT = st.none() | st.text(max_size=60)


@settings(max_examples=150, deadline=None)
@given(
    payload=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()),
    status_code=st.sampled_from([200, 202, 204, 299, 0, 999]),
    function_error=ANY_TEXT,
    log_result=ANY_TEXT | st.binary(max_size=100).map(lambda b: base64.b64encode(b).decode()),
    executed_version=ANY_TEXT,
    request_id=ANY_TEXT,
    elapsed_ms=st.floats(0, 1e12),
)  # fmt: skip
def test_no_answer_makes_a_display_raise(payload: bytes, **more: Any) -> None:
    """repr, text and HTML come for any bytes and headers, on one line and without control characters."""
    found = lm.InvokeResult(REQUEST, more.pop("status_code"), payload, **more)
    line = repr(found)
    assert len(line) <= 161
    assert len(line.splitlines()) == 1
    assert not set(line) & set("\x1b\x07\x00\r\x08\u202e\u2066\x9b")
    bundle = found._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert {"text/plain", "text/html"} <= set(data)
    assert not set(data["text/plain"]) & set("\x07\x00\r\x08\u202e\u2066\x9b")
    found.to_dict()
    if not found.ok:
        with pytest.raises(lm.FunctionError):
            found.raise_for_error()


def test_the_card_of_a_failure_is_shown_once() -> None:
    """After it was shown beside the error, the same cell's value is one line."""
    failed = result(**FAILED)
    failed.shown()
    assert failed._repr_mimebundle_() == {"text/plain": repr(failed)}
    assert failed._repr_mimebundle_() != {"text/plain": repr(failed)}

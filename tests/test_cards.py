"""The cards of real answers: what a person sees of a result, a plan and a record, as text and as HTML."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import lmfunction as lm
from lmfunction._cards import card_of
from lmfunction._model import Attempt, InvokeResult, Outcome
from lmfunction._record import Record
from lmfunction._redact import Redaction
from lmfunction._render.lines import frame_styles
from lmfunction._request import InvokeRequest, Target


@pytest.fixture(scope="module")
def session() -> Iterator[lm.Session]:
    """A session with the embedded Lambda."""
    with lm.Session(profile_name="local") as opened:
        yield opened


def bundle(shown: Any) -> tuple[str, str]:
    """What IPython gets: the text, and the HTML's text."""
    data, _ = shown._repr_mimebundle_()
    assert data.keys() == {"text/plain", "text/html"}
    return data["text/plain"], html.unescape(re.sub(r"<[^>]*>", "", data["text/html"]))


def made(payload: bytes = b"{}", status: int = 200, **more: Any) -> InvokeResult:
    """A result as the service would have answered it."""
    request = InvokeRequest("orders", b'{"id": 1}', target=Target(region="eu-west-1"))
    return InvokeResult(request, status, payload, **more)


KINDS: dict[str, tuple[Callable[[lm.Session], Any], list[str], list[str]]] = {
    "OK": (
        lambda s: s.invoke_lm("hello", {"name": "Ada"}, log_type="Tail"),
        ["[OK] hello", "200", "version $LATEST", "RequestId", '{"message": "Hello, Ada!"}', "Greeting Ada", "REPORT"],
        ["Error", "Stack trace"],
    ),
    "FAILED": (
        lambda s: s.invoke_lm("fail", {"order": 7}, log_type="Tail"),
        [
            "[FAILED] fail",
            "OrderNotFoundError: There is no order 7",
            "Stack trace",
            "in handler",
            "Looking for order 7",
        ],
        ["[OK]"],
    ),
    "ACCEPTED": (
        lambda s: s.invoke_lm("hello", invocation_type="Event"),
        ["[ACCEPTED] hello", "202", "RequestId"],
        ["Payload\n", "null", "Hello"],
    ),
    "DRY RUN": (
        lambda s: s.invoke_lm("hello", invocation_type="DryRun"),
        ["[DRY RUN OK] hello", "204", "RequestId"],
        ["Payload\n", "Hello"],
    ),
    "WHAT IF": (
        lambda s: s.invoke_lm("hello", {"secret": "s3cr3t"}, qualifier="live", what_if=True),
        ["[WHAT IF] hello:live", "nothing was sent", "embedded Lambda", "us-east-1", "19 bytes", "local"],
        ["s3cr3t", "RequestId"],
    ),
    "PUBLISHED": (
        lambda s: s.publish_lm_function("carded", "def handler(event, context):\n    return 1\n", timeout=9),
        ["[FunctionConfiguration] carded", "Timeout", "9", "lambda_function.handler", "$LATEST"],
        ["return 1"],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_card_says(kind: str, session: lm.Session) -> None:
    """Text and HTML say the same facts about the answer, and nothing that is not so."""
    make, present, absent = KINDS[kind]
    text, markup = bundle(make(session))
    flat = " ".join(text.split())  # a long path pushes what follows it onto the next line
    assert [fragment for fragment in present if fragment not in text and fragment not in flat] == []
    assert [
        fragment for fragment in present if fragment.replace("[", "").replace("] ", "") not in _joined(markup)
    ] == []
    assert [fragment for fragment in absent if fragment in text] == []
    assert "s3cr3t" not in markup


def _joined(markup: str) -> str:
    """The HTML's text with the badge and the title joined, as the fragments are."""
    return re.sub(r"\s*\xa0\s*", "", markup, count=1)


@pytest.mark.parametrize(
    ("ms", "shown"), [(8.42, "8.4 ms"), (141.6, "142 ms"), (2_345, "2.35 s"), (843_000, "14 min 3 s")]
)
def test_durations(ms: float, shown: str) -> None:
    """The caller's time is told in the unit a person would use."""
    assert f" · {shown} · " in bundle(made(elapsed_ms=ms))[0]


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b"null", "null"),
        (b'""', "(empty)"),
        (b"0", "0"),
        (b"false", "false"),
        (b'"text"', "text"),
        (b"[]", "[]"),
        (b"not json", "not json"),
        (b"\xff\xfe", r"\xff"),
    ],
)
def test_payloads_that_look_like_nothing(payload: bytes, shown: str) -> None:
    """null, zero, empty and undecodable payloads are shown as what they are, not left out."""
    text, markup = bundle(made(payload))
    assert "Payload" in text
    assert shown in text.partition("Payload")[2]
    assert shown in markup


@pytest.mark.parametrize(
    ("error", "payload", "shown"),
    [
        ("Unhandled", b'{"errorType": "KeyError", "errorMessage": "\'id\'"}', "KeyError: 'id'"),
        ("Unhandled", b'{"errorMessage": "2026 x Task timed out after 3.00 seconds"}', "raise it (up to 900 s)"),
        ("Handled", b'"plain text"', "plain text"),
        ("Unhandled", b"null", "Unhandled"),
        ("Unhandled", b"", "Unhandled"),
        ("Unhandled", b'{"errorType": "E", "errorMessage": "m", "trace": ["E: m", "    at x.js:1"]}', "x.js:1"),
    ],
)
def test_every_shape_of_an_error(error: str, payload: bytes, shown: str) -> None:
    """Whatever shape the error object has, the card is red and tells what is known."""
    result = made(payload, function_error=error)
    text, markup = bundle(result)
    assert "[FAILED] orders" in text
    assert shown in " ".join(text.split())
    assert shown in " ".join(markup.split())
    with pytest.raises(lm.FunctionError) as raised:
        result.raise_for_error()
    assert "orders failed: " in str(raised.value)


def test_a_failure_in_python_shows_its_card(session: lm.Session) -> None:
    """Python's own door shows nothing by itself, so that the first look at a failed result is its whole card."""
    result = session.invoke_lm("fail")
    assert "Stack trace" in bundle(result)[0]
    assert "Stack trace" in bundle(result)[0]


def test_repr_is_one_line(session: lm.Session) -> None:
    """`repr` is one honest line, also of a result inside a list, and of a failure."""
    good, bad = session.invoke_lm("hello"), session.invoke_lm("fail")
    assert re.fullmatch(r'<InvokeResult 200 hello \$LATEST \d+ ms \{"message": "Hello, world!"\}>', repr(good))
    assert repr(bad).startswith("<InvokeResult 200 fail $LATEST ")
    assert "OrderNotFoundError" in repr(bad)
    assert all("\n" not in repr(r) and len(repr(r)) <= 161 for r in (good, bad))


def test_a_card_never_raises() -> None:
    """A result whose parts are nonsense still shows itself as text."""
    result = made(b"{}", log_result="%%% not base64 %%%")
    data, _ = result._repr_mimebundle_()
    assert "orders" in data["text/plain"]
    broken = made(b"{}")
    broken.elapsed_ms = "soon"  # type: ignore[assignment]
    data, _ = broken._repr_mimebundle_()
    assert data.keys() <= {"text/plain", "text/html"}
    assert data["text/plain"]


def test_what_has_no_card() -> None:
    """Plain values have no card."""
    assert [card_of(value) for value in (None, 1, "text", {"card": 1}, [made()])] == [None] * 5


LOG = (
    "START RequestId: 1 Version: 3\n2026-01-14 DEBUG a\n2026-01-14 WARN b\n[ERROR] c\nWARNING d\nEND RequestId: 1\n"
    "REPORT RequestId: 1\tDuration: 1102.25 ms\tBilled Duration: 1103 ms\tMemory Size: 128 MB\t"
    "Max Memory Used: 125 MB\tInit Duration: 212.07 ms\t\n"
)


def with_log(log: str, **more: Any) -> InvokeResult:
    return made(log_result=base64.b64encode(log.encode()).decode(), **more)


def test_the_report_is_figures() -> None:
    """The REPORT line is a small table; a cold start and memory that is nearly full stand in the header."""
    card = with_log(LOG).card()
    report = next(section for section in card.sections if section.title == "Report")
    assert report.body == [
        {
            "Duration": "1,102.25 ms",
            "Billed": "1,103 ms",
            "Memory used": "125 of 128 MB (98%)",
            "Init": "212.07 ms (cold start)",
        }
    ]
    assert {"cold start", "memory 98% full"} <= set(card.facts)
    warm = with_log(LOG.replace("\tInit Duration: 212.07 ms", "").replace("125 MB", "64 MB")).card()
    assert not {"cold start", "memory 50% full"} & set(warm.facts)
    assert "Init" not in str(warm.sections)


def test_the_log_counts_what_matters() -> None:
    """The log's title says how many lines there are, and how many errors and warnings."""
    titles = [section.title for section in with_log(LOG).card().sections]
    assert "Log tail (7 lines, 1 ERROR, 2 WARN)" in titles
    assert "Log tail (1 line)" in [section.title for section in with_log("x\n").card().sections]


def test_what_came_of_each_attempt() -> None:
    """A call that was sent more than once tells of each time; one that was not, does not."""
    log = (
        Attempt(Outcome.THROTTLED_OUT, "TooManyRequestsException", 31.0),
        Attempt(Outcome.OK, "", 142.0, 988.0),
    )
    card = made(attempt_log=log).card()
    (section,) = [section for section in card.sections if section.title == "Attempts"]
    assert [list(row.values()) for row in section.body] == [  # type: ignore[attr-defined]
        [1, "THROTTLED_OUT", "TooManyRequestsException", "", "31 ms"],
        [2, "OK", "", "988 ms", "142 ms"],
    ]
    assert "2 attempts" in card.facts
    assert "Attempts" not in [section.title for section in made(attempt_log=log[1:]).card().sections]


TRACES = yaml.safe_load((Path(__file__).parent / "render" / "traces.yaml").read_text("utf-8"))
# The first line, the last one, and what is other people's code, told by a piece of each line.
ORDER = {
    "python": ("functools.py", "~~~~^^^^", {"functools.py", "return call", "recorder.py", "return wrapped"}),
    "node": ("TypeError: Cannot", "task_queues", {"/var/runtime/", "task_queues"}),
    "java": ("at shop.Orders.total", "connect0", {"Direct", "Method.invoke", "EventHandlerLoader", "connect0"}),
    "ruby": ("in `fetch'", "in `call'", {"/var/runtime/gems"}),
    "go": ("main.go:21 handler", "reflect/value.go", set()),
}


@pytest.mark.parametrize("language", TRACES)
def test_a_stack_trace_reads_as_in_its_language(language: str) -> None:
    """Frames keep the order of their language; the runtime's and the libraries' are dim, causes strong."""
    result = made(json.dumps(TRACES[language]).encode(), function_error="Unhandled")
    (section,) = [section for section in result.card().sections if section.title == "Stack trace"]
    assert section.kind == "trace"
    lines = str(section.body).split("\n")
    first, last, foreign = ORDER[language]
    assert first in lines[0]
    assert last in lines[-1]
    styles = dict(zip(lines, frame_styles(lines), strict=True))
    assert {line for line, style in styles.items() if style == "dim"} == {
        line for line in lines if any(part in line for part in foreign)
    }
    assert [line for line, style in styles.items() if style == "strong"] == [
        line for line in lines if line.startswith("Caused by: ")
    ]


def test_an_error_has_a_card(session: lm.Session) -> None:
    """An error that is looked at as a value says what is known of the call in one word, and its figures."""
    with pytest.raises(lm.ServiceError) as raised:
        session.invoke_lm("nope")
    text, markup = bundle(raised.value)
    assert text.startswith("[REFUSED] ResourceNotFoundException · 404")
    assert "Function not found" in text
    assert text.count("RequestId") == 1
    assert "REFUSED" in markup
    _, metadata = raised.value._repr_mimebundle_()
    assert metadata["lmfunction"] == {
        "error": "ServiceError",
        "code": "ResourceNotFoundException",
        "status_code": 404,
        "outcome": "REJECTED",
        "attempts": 1,
        "request_id": raised.value.request_id,
    }


@pytest.mark.parametrize(
    ("error", "badge"),
    [
        (lm.TransportError("no answer", phase="wait"), "[UNKNOWN] TransportError"),
        (lm.TransportError("no way", sent=False, outcome="NOT_SENT"), "[NOT SENT] TransportError"),
        (lm.TransportError("cut", sent=True, outcome="RESULT_LOST"), "[RESULT LOST] TransportError"),
        (lm.ServiceError("slow", code="TooManyRequestsException", outcome="THROTTLED_OUT"), "[THROTTLED] TooMany"),
        (lm.ParameterError("wrong"), "[NOT SENT] ParameterError"),
        (lm.ProfileError("wrong"), "[NOT SENT] ProfileError"),
        (lm.GuardError("no"), "[NOT SENT] GuardError"),
        (lm.ExpectationError("no"), "[FAILED] ExpectationError"),
        (lm.FunctionError("no"), "[FAILED] FunctionError"),
        (lm.BulkError("no"), "[FAILED] BulkError"),
    ],
    ids=str,
)
def test_what_an_error_knows(error: lm.LMError, badge: str) -> None:
    """The badge says whether the call can have run; the words are the error's own."""
    text, _ = bundle(error)
    assert text.startswith(badge)
    assert str(error) in text


def test_errors_with_results_show_them(session: lm.Session) -> None:
    """The card of a function's error is that of its answer, the card of a bulk error that of the run."""
    with pytest.raises(lm.FunctionError) as raised:
        session.invoke_lm("fail").raise_for_error()
    assert bundle(raised.value) == bundle(raised.value.result)
    run = lm.pipe([{}, {}]) | lm.Invoke("fail").profile_name("local")
    with pytest.raises(lm.BulkError) as many:
        run.raise_for_error()
    assert bundle(many.value) == bundle(run)


def test_functions_are_a_table(session: lm.Session) -> None:
    """The list of functions shows what one looks for, numbers as numbers; one function shows all it has."""
    text, markup = bundle(session.get_lm_function_list())
    assert re.search(r"FunctionName +Runtime +MemorySize +Timeout +CodeSize +LastModified", text)
    assert re.search(r"hello +python3\.\d+ +128 +3 ", text)
    assert "arn:aws" not in text
    text, markup = bundle(session.get_lm_function("hello"))
    assert re.search(r"Configuration\n +FunctionName +hello\n +FunctionArn +arn:aws:lambda", text)
    assert "RepositoryType" in markup


def test_a_record_hides_what_its_profile_does() -> None:
    """Secrets in a function's environment show in no card, whatever the profile; its keys are hidden too."""
    variables = {"STAGE": "live", "DB_PASSWORD": "hunter2", "CONTACT": "a@example.com"}
    record = Record("FunctionConfiguration", {"FunctionName": "f", "Environment": {"Variables": variables}})
    text, markup = bundle(record.hiding(Redaction(keys=("contact",))))
    assert "live" in text
    for hidden in ("hunter2", "a@example.com"):
        assert hidden not in text + markup
    assert record["Environment"]["Variables"]["DB_PASSWORD"] == "hunter2"
    text, _ = bundle(record.Environment)
    assert "a@example.com" not in text

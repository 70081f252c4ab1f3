"""The cards of real answers: what a person sees of a result, a plan and a record, as text and as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import lmfunction as lm
from lmfunction._cards import card_of
from lmfunction._model import InvokeResult
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
    assert [fragment for fragment in present if fragment not in text] == []
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

"""The card of several invocations: kinds of failures, outcomes, times, the first payloads."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterator

import pytest

import lmfunction as lm
from lmfunction._bulk_card import bulk_card
from lmfunction._bulk_result import BulkResult
from lmfunction._item import Item
from lmfunction._model import _UNREAD, InvokeResult
from lmfunction._redact import Redaction
from lmfunction._render import render_text
from lmfunction._request import InvokeRequest
from lmfunction.errors import ServiceError, TransportError

REQUEST = InvokeRequest("orders")


def answered(payload: object = None, elapsed_ms: float = 50.0, **more: str) -> InvokeResult:
    return InvokeResult(REQUEST, 200, json.dumps(payload).encode(), elapsed_ms=elapsed_ms, **more)  # type: ignore[arg-type]


def failed(kind: str, message: str) -> InvokeResult:
    return answered({"errorType": kind, "errorMessage": message}, function_error="Unhandled")


def run_of(*found: InvokeResult | lm.LMError | None) -> BulkResult:
    run = BulkResult()
    run.elapsed_ms = 2_000.0
    for index, one in enumerate(found):
        run.items.append(Item(index, result=one) if isinstance(one, InvokeResult) else Item(index, error=one))
    return run


def text_of(run: BulkResult) -> str:
    return " ".join(render_text(bulk_card(run)).split())


def test_all_went_well() -> None:
    """Green, how many, how long, how many a second; the payloads are shown."""
    card = bulk_card(run_of(*(answered({"n": n}) for n in range(4))))
    assert (card.status, card.title) == ("OK", "4 invocations")
    assert card.facts == ("4 succeeded", "2.00 s", "2.0/s")
    assert [section.title for section in card.sections] == ["Latency", "Payloads"]
    assert card.sections[1].body == [{"n": n} for n in range(4)]
    assert card.sections[1].open


def test_failures_are_told_by_kind() -> None:
    """Failures of one kind are one line: how many, what the first one said, and which objects."""
    refused = ServiceError("AWS answered 429.", code="TooManyRequestsException", outcome="THROTTLED_OUT")
    run = run_of(
        answered(1),
        *(failed("OrderNotFound", f"no order {n}") for n in range(7)),
        failed("KeyError", "'id'"),
        refused,
        TransportError("No answer came.", phase="wait"),
        None,
    )
    card = bulk_card(run)
    assert (card.status, card.title) == ("FAILED", "12 invocations")
    assert card.facts[:2] == ("1 succeeded", "11 did not")
    assert card.sections[0].body == [
        ("7 × FUNCTION_ERROR", "OrderNotFound: no order 0 (objects 2, 3, 4, 5, 6, …)"),
        ("1 × FUNCTION_ERROR", "KeyError: 'id' (object 9)"),
        ("1 × THROTTLED_OUT", "AWS answered 429. (object 10)"),
        ("1 × UNKNOWN", "No answer came. (object 11)"),
        ("1 × NOT_SENT", "not sent (object 12)"),
    ]
    assert [row["outcome"] for row in card.sections[1].body] == [  # type: ignore[attr-defined]
        "OK",
        "FUNCTION_ERROR",
        "THROTTLED_OUT",
        "NOT_SENT",
        "UNKNOWN",
    ]
    assert "run.failed, run.unknown, run.not_sent" in card.sections[0].more


BADGES = {
    "FAILED": [failed("E", "m"), TransportError("No answer came."), None],
    "UNKNOWN": [TransportError("No answer came."), None],
    "NOT SENT": [None],
    "OK": [],
}


@pytest.mark.parametrize("badge", BADGES)
def test_the_badge_is_the_worst_of_them(badge: str) -> None:
    """A run that was stopped, or of which an answer is missing, is not said to have failed."""
    assert bulk_card(run_of(answered(1), *BADGES[badge])).status == badge


def test_what_was_sent_again_is_told() -> None:
    """A throttled run, and one that may have run something twice, say so; neither is a failure."""
    run = run_of(answered(1))
    run.samples, run.possible_duplicates = [(0.0, 0, 0), (0.5, 20, 1_012)], 3
    card = bulk_card(run)
    assert card.status == "OK"
    assert card.facts[-2:] == ("1,012 refused for now (429) and sent again", "3 possible duplicates")


def test_no_call_is_no_bar() -> None:
    """An empty step of the histogram has no bar, a step with one call of thousands has."""
    run = run_of(*(answered(elapsed_ms=1 if n % 50 else 5) for n in range(5_000)))
    page = run._repr_mimebundle_()[0]["text/html"]
    steps = re.findall(r"<td[^>]*>[\d.]+ to [\d.]+ ms</td><td[^>]*>(\d+)</td><td[^>]*>(.*?)</td>", page)
    assert {(count == "0", bar == "") for count, bar in steps} == {(True, True), (False, False)}


def test_lists_of_items() -> None:
    """What failed is a table of objects, errors and inputs, as the profile hides them; of many only some are read."""
    hides = Redaction(keys=("phone",), paths=("Payload.errorMessage",))
    good, bad = answered(1), failed("KeyError", "card 4111")
    good.redaction = bad.redaction = hides
    run = run_of(good, bad, ServiceError("AWS answered 403.", code="AccessDenied", outcome="REJECTED"), None)
    for item in run.items:
        item.input = {"order": item.index, "phone": "555-0199"}
    assert repr(run.failed) == "<2 items, FUNCTION_ERROR 1, REJECTED 1>"
    assert repr(run.failed[1]) == "<Item 2 REJECTED: AWS answered 403.>"
    data, metadata = run.failed._repr_mimebundle_()
    shown = " ".join(data["text/plain"].split())
    assert shown.startswith("[ITEMS] 2 items · 1 FUNCTION_ERROR · 1 REJECTED Items Index Outcome Error Input 1 FUN")
    assert '{"order": 1' in shown
    assert "4111" not in data["text/plain"] + data["text/html"]
    assert "555-0199" not in data["text/plain"] + data["text/html"]
    assert metadata["lmfunction"] == {"type": "Item", "count": 2, "FUNCTION_ERROR": 1, "REJECTED": 1}
    assert "4111" not in repr(list(run.failed))
    again = pickle.loads(pickle.dumps(run.failed))
    assert (repr(list(again)), again.redaction) == (repr(list(run.failed)), hides)
    unanswered = run_of(None, None)
    unanswered.items[0].input = {"phone": "555-0199"}
    assert "555" not in unanswered.not_sent._repr_mimebundle_()[0]["text/plain"]  # nobody knows what is to be hidden


def test_a_list_of_very_many_items_is_shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(Item, "told", lambda item: told.append(item.index) or "not sent")
    many = run_of(*[None] * 100_000).not_sent
    assert "of 100,000 rows" in many._repr_mimebundle_()[0]["text/plain"]
    assert len(told) < 1_000


def test_the_histogram_of_many_times() -> None:
    """From twenty calls on the times are shown as bars; the outlier is beyond the last one."""
    run = run_of(*(answered(elapsed_ms=10 + n % 10) for n in range(199)), answered(elapsed_ms=900))
    text = text_of(run)
    assert "fastest median 90 % 99 % slowest 10 ms 14 ms 18 ms 19 ms 900 ms" in text
    assert re.search(r"10 to 12 ms 40 █+", text)
    assert re.search(r"over 20 ms 1 ▌", text)


def test_few_times_are_no_distribution() -> None:
    """Of a few calls the fastest, the median and the slowest are told, of one call nothing."""
    assert "fastest median slowest 10 ms 20 ms 30 ms" in text_of(
        run_of(*(answered(elapsed_ms=n) for n in (10, 20, 30)))
    )
    assert "Latency" not in text_of(run_of(answered(1)))


def test_the_first_of_many_payloads() -> None:
    """Twenty payloads are decoded and no more; how many there are is said, and the part is folded."""
    results = [answered({"n": n}) for n in range(500)]
    section = bulk_card(run_of(*results)).sections[-1]
    assert section.title == "Payloads (the first 20 of 500)"
    assert not section.open
    assert sum(result._decoded is not _UNREAD for result in results) == 20


def test_many_failures_are_looked_into_up_to_a_thousand() -> None:
    """The explanation of failures has a bound, which is said."""
    card = bulk_card(run_of(*(failed("E", "m") for _ in range(1_200))))
    assert card.sections[0].title == "Not succeeded (the first 1,000)"
    assert card.facts[:2] == ("0 succeeded", "1,200 did not")


def test_the_figures_for_machines() -> None:
    """The metadata is the summary, the rate and the percentiles."""
    run = run_of(*(answered(elapsed_ms=n) for n in range(1, 101)), None)
    _, metadata = run._repr_mimebundle_()
    assert metadata == {
        "lmfunction": {
            **run.summary(),
            "PerSecond": 50.0,
            "MedianMs": 50,
            "P90Ms": 90,
            "P99Ms": 99,
            "MaxMs": 100,
        }
    }


def test_nothing_was_invoked() -> None:
    """A run without objects has a card too."""
    run = BulkResult()
    assert text_of(run) == "[OK] 0 invocations · 0 succeeded · 0.0 ms"


def test_what_a_profile_hides() -> None:
    """A run's card hides what the results' profile hides, in payloads and in errors."""
    hides = Redaction(paths=("Payload.card", "Payload.errorMessage"))
    good, bad = answered({"card": "4111"}), failed("E", "card 4111")
    good.redaction = bad.redaction = hides
    data, _ = run_of(good, bad)._repr_mimebundle_()
    assert "4111" not in data["text/plain"] + data["text/html"]


@pytest.fixture(scope="module")
def session() -> Iterator[lm.Session]:
    with lm.Session(profile_name="local") as opened:
        yield opened


def test_a_real_run(session: lm.Session) -> None:
    """What the embedded Lambda answers to several objects."""
    run = lm.pipe([{"name": "Ada"}, {"name": "Bob"}]) | lm.Invoke("hello").profile_name("local")
    data, metadata = run._repr_mimebundle_()
    assert "[OK] 2 invocations · 2 succeeded" in data["text/plain"]
    assert "Hello, Bob!" in data["text/html"]
    assert metadata["lmfunction"]["OK"] == 2

"""No card raises, outgrows its caps or keeps the kernel waiting."""

import base64
import json
import sys
import tracemalloc
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmfunction._bulk_result import BulkResult
from lmfunction._item import Item
from lmfunction._model import Attempt, InvokeResult, Outcome
from lmfunction._record import Record, Records
from lmfunction._redact import Redaction
from lmfunction._render import Card, Section, Tone, mime_bundle, render_html, render_text
from lmfunction._request import InvokeRequest, Target
from lmfunction.errors import LMError, ServiceError, TransportError


class Loud:
    def __repr__(self):
        raise RuntimeError("no repr")


class Broken(Mapping):
    """A mapping whose every answer is an error."""

    def __getitem__(self, key):
        raise KeyError(key)

    def __iter__(self):
        raise RuntimeError("changed while it was read")

    def __len__(self):
        return 3


class Endless(dict):
    def __len__(self):
        return -1


class Impostor:
    @property
    def __class__(self):
        raise RuntimeError("no class")


def cycle():
    value = {"list": []}
    value["list"].append(value)
    return value


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value, {"a": value}]
    return value


ODD = {
    "cycle": cycle(),
    "deep": deep(500),
    "not a number": [float("nan"), float("inf"), float("-inf")],
    "huge integer": {"n": 10**5_000, "m": -(10**5_000)},
    "surrogates": {"\ud800": "\udfff"},
    "bytes": [b"\x00\xff" * 5_000, bytearray(b"x"), memoryview(b"y")],
    "objects": [Loud(), object(), Loud, {1, 2}, frozenset(), (1,), range(3), 1j, ...],
    "repr fails": Loud(),
    "mapping fails": Broken(),
    "mapping fails inside": [Broken(), {"a": Broken()}],
    "rows fail": [Broken(), Broken()],
    "length lies": Endless(a=1),
    "class lies": [Impostor()],
    "odd keys": {None: 1, (1, 2): 2, b"x": 3, 4.5: 4, Loud(): 5},
    "wide rows": [dict.fromkeys(range(1_000), 1)] * 30,
    "null": None,
}
HUGE = {
    "10 MB line": "x" * 10_000_000,
    "10 MB line that grows": "\x1b$" * 5_000_000,
    "10 MB in data": {"a": ["x" * 10_000_000]},
    "10 MB key": {"k" * 10_000_000: 1},
    "10 MB bytes": b"\x00" * 10_000_000,
    "10 MB of lines": "ERROR x\n" * 1_250_000,
    "1 M keys": dict.fromkeys(range(1_000_000), 0),
    "1 M keys inside": [{"a": dict.fromkeys(range(1_000_000), 0)}],
    "1 M rows": [{"a": 1, "b": 2}] * 1_000_000,
    "1 M columns": [dict.fromkeys(range(1_000_000), 0)] * 2,
    "1 M numbers": list(range(1_000_000)),
}
KINDS = ["text", "data", "table", "log", "trace", "pairs"]


def card(body, kind="data", size=None):
    return Card(Tone.OK, "OK", "f", ("200",), (Section("Payload", body, kind, more="r.payload", size=size),))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_odd_values_are_shown_somehow(page, body, kind):
    """A cycle, a liar or an object without a repr is described, and the card stays well formed."""
    assert len(render_text(card(body, kind)).splitlines()) > 2
    assert "Payload" in page(render_html(card(body, kind))).text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", HUGE.values(), ids=HUGE)
def test_huge_values_cost_what_is_shown_of_them(page, body, kind):
    """Ten megabytes or a million keys take a bounded number of steps and bytes: those of what is shown."""
    value = card(body, kind)
    (text, markup), calls, peak = measured(lambda: (render_text(value), render_html(value)))
    assert calls < 600_000  # a step for each key, line or character would be a million or more
    assert peak < 24_000_000  # the one copy that measures a text's bytes, and what is shown
    assert len(text.encode()) <= 8_192
    assert len(markup.encode()) <= 65_536
    page(markup)
    assert "r.payload" in text
    assert "r.payload" in markup


def test_the_measure_notices_more():
    """The count can fail: a walk over all keys is seen as such."""
    _, calls, peak = measured(lambda: [repr(key) for key in HUGE["1 M keys"]])
    assert calls > 600_000
    assert peak > 24_000_000


def measured(work):
    """What `work` gives, how many Python and C functions it called, and how many bytes it held at most."""
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    work()  # imports and caches are no part of it
    tracemalloc.start()
    before = sys.getprofile()
    try:
        sys.setprofile(count)
        found = work()
    finally:
        sys.setprofile(before)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return found, calls, peak


def test_what_cannot_be_spelled_is_described():
    """Each odd value says what it is."""
    text = render_text(card([10**5_000, float("nan"), Loud(), b"ab", cycle(), Broken()]))
    for words in (
        "<integer of about 5,001 digits>",
        "NaN",
        "<Loud: cannot be shown>",
        "<2 B of bytes: b'ab'>",
        "<cycle>",
        "<the rest cannot be read>",
    ):
        assert words in text


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(Loud)
leaves |= st.text(alphabet="\x1b$\\<>&\"'\u202e\ud800漢\n\t")
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
failures = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("errorType", "errorMessage", "stackTrace", "trace", "cause", "requestId"), json_values),
)
payloads = (json_values | failures).map(lambda value: json.dumps(value).encode())
reports = st.text().map(
    lambda text: base64.b64encode(
        f"REPORT RequestId: x\tDuration: {text} ms\tMemory Size: 1{text} MB\tMax Memory Used: 0 MB\n".encode(
            "utf-8", "surrogatepass"
        )
    ).decode()
)
sections = st.builds(
    Section,
    st.text(),
    values | st.lists(st.fixed_dictionaries({"a": leaves, "b": leaves})) | st.lists(st.tuples(st.text(), st.text())),
    st.sampled_from(KINDS),
    st.booleans(),
    st.text(),
    st.none() | st.integers(0, 10**9),
)
cards = st.builds(
    Card,
    st.sampled_from(Tone),
    st.text(),
    st.text(),
    st.lists(st.text()).map(tuple),
    st.lists(sections).map(tuple),
    st.none() | st.dictionaries(st.text(), values),
)


@given(cards, st.integers(0, 12_000), st.integers(-5, 300), st.booleans())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_card_keeps_its_caps(page, controls, value, limit, width, color):
    """Whatever is in a card, and however little room it is given, it renders within its limit and well formed."""
    text = render_text(value, width=width, color=color, limit=limit)
    assert len(text.encode()) <= limit
    if not color:
        assert not controls(text)
    markup = render_html(value, limit=limit)
    assert len(markup.encode()) <= limit
    page(markup)


@given(cards)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_card_makes_a_bundle(page, value):
    """The bundle holds both media; its metadata can be stored in a notebook."""
    data, metadata = mime_bundle(lambda: value, lambda: "fallback")
    assert set(data) == {"text/plain", "text/html"}
    assert data["text/plain"] != "fallback"
    json.dumps(metadata, allow_nan=False, ensure_ascii=False).encode()


results = st.builds(
    InvokeResult,
    st.builds(
        InvokeRequest,
        st.text(min_size=1),
        st.binary(),
        qualifier=st.none() | st.text(),
        target=st.builds(Target, st.text(), st.none() | st.text(), st.none() | st.text()),
    ),
    st.integers(),
    st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")) | payloads,
    function_error=st.none() | st.text(),
    log_result=st.none() | st.text() | st.binary().map(lambda raw: base64.b64encode(raw).decode()) | reports,
    executed_version=st.none() | st.text(),
    durable_execution_arn=st.none() | st.text(),
    request_id=st.none() | st.text(),
    trace_id=st.none() | st.text(),
    elapsed_ms=st.floats() | st.integers(),
    attempt_log=st.lists(st.builds(Attempt, st.sampled_from(Outcome), st.text(), st.floats(), st.floats())).map(tuple),
    redaction=st.builds(
        Redaction,
        st.lists(st.text()).map(tuple),
        paths=st.lists(st.sampled_from(["Payload", "Payload.a", "Payload.*[].b", "Log"])).map(tuple),
        secrets=st.lists(st.tuples(st.text(), st.text())).map(tuple),
    ),
)
items = st.builds(Item, st.integers(0), values, st.none() | results, st.none() | st.builds(LMError, st.text()))


def kept(found, page, controls):
    """The bundle of `found`, after checking that it is its card and within its caps."""
    data, metadata = found._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html"}  # the fallback would be text alone
    assert len(data["text/plain"].encode()) <= 8_192
    assert len(data["text/html"].encode()) <= 65_536
    assert not controls(data["text/plain"])
    page(data["text/html"])
    json.dumps(metadata, allow_nan=False, ensure_ascii=False).encode()
    line = repr(found)
    assert not controls(line)
    assert "\n" not in line
    assert len(line) <= 200


@pytest.mark.parametrize("payload", [b"[0]", b'{"a": 1.0}', b"\xff0"])
def test_what_stands_for_a_secret_is_made_safe_too(page, controls, payload):
    """Wherever it stands: also for digits of a number, and in bytes."""
    redaction = Redaction(secrets=(("0", "\x1f\n"),))
    kept(InvokeResult(InvokeRequest("f", b""), 200, payload, redaction=redaction), page, controls)


@given(results)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_result_shows_its_card(page, controls, value):
    """However odd an answer is, its card and its line are made, within their caps and inert."""
    kept(value, page, controls)


@given(st.lists(items), st.floats(allow_nan=True))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_run_shows_its_card(page, controls, found, elapsed):
    """However odd the items of a run are, its card is made."""
    run = BulkResult()
    run.items, run.elapsed_ms = found, elapsed
    kept(run, page, controls)


members = st.dictionaries(st.text(), json_values | st.binary() | st.datetimes(), max_size=5)


@given(st.text(min_size=1), members, st.lists(members, max_size=3))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_record_shows_its_card(page, controls, name, found, rows):
    """However odd the members of records are, their cards are made."""
    kept(Record(name, found), page, controls)
    kept(Records(name, [Record(name, row) for row in rows]), page, controls)


@given(
    st.sampled_from([ServiceError, TransportError]),
    st.text(),
    st.dictionaries(st.sampled_from(["outcome", "request_id"]), st.text()),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_error_shows_its_card(page, kind, message, known):
    """However odd the words of an error are, its card is made."""
    data, _ = kind(message, **known)._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html"}
    page(data["text/html"])

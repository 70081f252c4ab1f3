"""No card raises, outgrows its caps or keeps the kernel waiting."""

import time
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmfunction._render import Card, Section, Tone, mime_bundle, render_html, render_text


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
KINDS = ["text", "data", "table", "log", "pairs"]


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
def test_huge_values_are_quick_and_small(page, body, kind):
    """Ten megabytes or a million keys cost what is shown of them: far less than a person notices."""
    value = card(body, kind)
    start = time.perf_counter()
    text, markup = render_text(value), render_html(value)
    took = time.perf_counter() - start
    assert took < 0.4, took  # two renderings
    assert len(text.encode()) <= 8_192
    assert len(markup.encode()) <= 65_536
    page(markup)
    assert "r.payload" in text
    assert "r.payload" in markup


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
    import json

    data, metadata = mime_bundle(lambda: value, lambda: "fallback")
    assert set(data) == {"text/plain", "text/html"}
    assert data["text/plain"] != "fallback"
    json.dumps(metadata, allow_nan=False, ensure_ascii=False).encode()

"""JSON text of which a part is in memory: what is read does not hang on where the parts end."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmfunction import _json_window
from lmfunction._json_window import Window

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def values(text: str, part: int) -> list[Any]:
    """The values that stand in `text`, of which so many characters are read at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json_window, "_PART", part)
        window, found = Window(io.StringIO(text)), []
        while window.sign():
            found.append(window.value())
            if window.sign() == ",":
                window.pass_over()
        return found


@given(st.lists(PLAIN, max_size=4), st.integers(1, 9), st.sampled_from([",", " ,\n ", ", "]))
def test_values_are_read_whatever_the_parts(written: list[Any], part: int, between: str) -> None:
    """Numbers, texts and nested values that the end of a part cuts."""
    assert values(between.join(map(json.dumps, written)), part) == written


@pytest.mark.parametrize("text", ['{"a": ', '"text', "nul", "[1, 2"])
@pytest.mark.parametrize("part", [1, 100])
def test_a_value_that_is_cut_is_no_json(text: str, part: int) -> None:
    """At the end of the text nothing more comes."""
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        values(text, part)


def test_no_more_than_a_part_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long list of short values little is read before the first is given."""
    monkeypatch.setattr(_json_window, "_PART", 100)
    source = io.StringIO("1234567,\n" * 1000)
    window = Window(source)
    assert window.sign() == "1"
    assert window.value() == 1234567
    assert source.tell() == 100


def test_what_never_becomes_a_value_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text without an end in a file of any length."""
    monkeypatch.setattr(_json_window, "_PART", 10)
    monkeypatch.setattr(_json_window, "_LONGEST", 100)
    source = io.StringIO('"' + "x" * 10_000)
    window = Window(source)
    with pytest.raises(ValueError, match="Unterminated"):
        window.value()
    assert source.tell() <= 400

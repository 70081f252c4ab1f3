"""YAML read strictly: what is taken, what it means, and where a refusal points."""

from __future__ import annotations

import pathlib
import re
import time
import tracemalloc

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from lmfunction import _yaml
from lmfunction._yaml import YamlError

TABLE = yaml.safe_load(pathlib.Path(__file__).with_name("yaml_cases.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", TABLE["good"], ids=lambda case: repr(case["text"])[:50])
def test_a_text_means_what_the_table_says(case):
    """Only JSON's own spellings of numbers, true, false and null are not text; `$...` goes to the variable reader."""
    node = _yaml.parse(case["text"], max_bytes=10_000)
    actual = _yaml.plain_value(node, lambda scalar: f"<{scalar.text}>")
    assert repr(actual) == repr(case["value"]), case["text"]


@pytest.mark.parametrize("case", TABLE["bad"], ids=lambda case: repr(case["text"])[:50])
def test_what_is_not_taken_is_refused_at_its_place(case):
    """Tags, anchors, merge keys, duplicate keys, several documents and broken text are refused at line and column."""
    with pytest.raises(YamlError) as caught:
        _yaml.parse(case["text"], max_bytes=10_000)
    actual = {"line": caught.value.line, "column": caught.value.column, "says": str(caught.value)}
    assert case["says"] in str(caught.value), (case, actual)
    assert (caught.value.line, caught.value.column) == (case["line"], case["column"]), (case, actual)


def test_every_node_knows_its_place():
    """Scalars, lists and mappings carry the line and column where they begin."""
    node = _yaml.parse("a: 1\nb:\n  - x\n  - {c: 'd'}\n", max_bytes=100)
    assert isinstance(node, _yaml.Mapping)
    (_, one), (key, items) = node.items
    assert isinstance(one, _yaml.Scalar)
    assert isinstance(items, _yaml.Sequence)
    assert (one.line, one.column, one.plain) == (1, 4, True)
    assert (key.line, key.column) == (2, 1)
    inner = items.items[1]
    assert isinstance(inner, _yaml.Mapping)
    quoted = inner.items[0][1]
    assert isinstance(quoted, _yaml.Scalar)
    assert (inner.line, inner.column, quoted.line, quoted.column, quoted.plain) == (4, 5, 4, 9, False)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 3000 + "]" * 3000, "nested deeper than 100"),
        ("a: 1\n" * 200_000, "larger than"),
        ("x" * 10_001, "larger than 10,000 bytes"),
        ("é" * 5001, "larger than 10,000 bytes"),
        ("a: &a [x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nd: &d [*c,*c,*c]", "anchors and aliases"),
    ],
    ids=["deep", "many keys", "large", "large in bytes", "alias bomb"],
)
def test_what_is_meant_to_exhaust_is_refused_at_once(text, says):
    """Depth, size and alias bombs are refused quickly and in little memory."""
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(YamlError, match=says):
        _yaml.parse(text, max_bytes=10_000)
    elapsed = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert elapsed < 1
    assert peak < 10_000_000


def test_a_number_with_too_many_digits_is_refused():
    """An integer of thousands of digits is a YamlError at its place, not Python's ValueError."""
    node = _yaml.parse("a: 1\nb: " + "9" * 5000, max_bytes=10_000)
    with pytest.raises(YamlError, match="too many digits") as caught:
        _yaml.plain_value(node, lambda scalar: scalar)
    assert (caught.value.line, caught.value.column) == (2, 4)


def test_half_a_surrogate_pair_is_refused_at_its_place():
    """Text that UTF-8 cannot hold is a YamlError at its place."""
    with pytest.raises(YamlError, match="a character that YAML does not allow") as caught:
        _yaml.parse("a: 1\nb: \ud800", max_bytes=100)
    assert (caught.value.line, caught.value.column) == (2, 4)


@example(text="\ud800")
@given(text=st.text(st.sampled_from("ab:-[]{},'\"#&*!|>%@` \n\t\x00?~$1.") | st.characters(), max_size=30))
def test_any_text_is_read_or_refused_at_a_line(text):
    """Any text is read, or refused with a YamlError that has a line of the text."""
    try:
        _yaml.plain_value(_yaml.parse(text, max_bytes=10_000), lambda scalar: scalar.text)
    except YamlError as error:
        assert 1 <= error.line <= len(re.split("\r\n|[\n\r\x85\u2028\u2029]", text))  # YAML's line ends
        assert error.column >= 1

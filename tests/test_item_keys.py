"""The keys that tell a run's objects apart: found again wherever they stand, in few bytes."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmfunction._item_keys import SeenKeys, told_apart
from lmfunction._items_file import ItemsFile
from lmfunction.errors import ParameterError


@given(st.lists(st.text(max_size=2)), st.integers(0, 5))
def test_keys_that_are_there_twice_are_found(keys: list[str], first: int) -> None:
    """As a dict finds them: each later one, with the place of the first."""
    seen, places, expected = SeenKeys(first), dict[str, int](), []
    for place, key in enumerate(keys, first):
        seen.add(key)
        if places.setdefault(key, place) != place:
            expected.append((key, places[key], place))
    assert seen.found == expected


def test_they_are_found_after_the_table_grew() -> None:
    """Of 20,000 keys the first, the last and one twice over, whose first place is told."""
    seen = SeenKeys()
    for n in range(20_000):
        seen.add(f"k{n}")
    for key in ("k0", "k19999", "k0"):
        seen.add(key)
    assert seen.found == [("k0", 0, 20_000), ("k19999", 19_999, 20_001), ("k0", 0, 20_002)]


def test_a_key_takes_few_bytes() -> None:
    """No object stays for a key, however long it is."""
    tracemalloc.start()
    seen, before = SeenKeys(), tracemalloc.get_traced_memory()[0]
    for n in range(30_000):
        seen.add(f"{n:0100}")
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown / 30_000 < 40


def test_a_file_is_looked_through_and_not_held(tmp_path: Path) -> None:
    """Its keys are seen to before an object of it is given, and it is read again then."""
    path = tmp_path / "items.jsonl"
    path.write_text("".join(f"{json.dumps({'id': n, 'pad': 'x' * 1000})}\n" for n in range(3_000)))
    file = ItemsFile(path, skip_invalid=False, tell=lambda _: None)
    told_apart([{"id": 1}], "id", at_hand=True)  # what is imported for it
    tracemalloc.start()
    apart = told_apart(file, "id", at_hand=True)
    assert sum(value["id"] for value in apart) == sum(range(3_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000  # the file has 3 MB
    path.write_text('{"id": 1}\n{"id": 2}\n{"id": 1}\n')
    with pytest.raises(ParameterError, match="1: items 1 and 3"):
        told_apart(ItemsFile(path, skip_invalid=False, tell=lambda _: None), "id", at_hand=True)

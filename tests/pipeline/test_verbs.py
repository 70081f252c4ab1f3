"""The verbs, end to end: a line against the table, the value, the files and the variables it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lmfunction._sinks import Formatted
from lmfunction.errors import LMError, ParameterError

MARK = "▸"


def show(case: dict[str, Any], actual: object) -> str:
    return "\n" + yaml.safe_dump({"case": case}, allow_unicode=True, sort_keys=False) + f"actual: {actual!r}"


def test_a_line_gives_what_the_table_says(
    verb_case: Any, offline: Any, nothing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line emits exactly the value of its row, or fails with its words at its mark; files and variables too."""
    sources, case = verb_case
    monkeypatch.chdir(tmp_path)
    for name, text in case.get("have", {}).items():
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    names = {name: eval(source) for name, source in sources.items() if name in repr(case)}
    try:
        actual = offline(case["line"].replace(MARK, ""), **names)
    except LMError as error:
        assert "error" in case, show(case, error)
        assert case["error"] in str(error), show(case, str(error))
        if MARK in case["line"] and "column" not in case:
            assert isinstance(error, ParameterError)
            assert error.column == case["line"].index(MARK) + 1, show(case, f"{error}")
    else:
        assert "error" not in case, show(case, actual)
        if "rows" in case:
            assert isinstance(actual, Formatted), show(case, actual)
            assert actual.rows == case["rows"], show(case, actual.rows)
        elif case.get("nothing"):
            assert actual is nothing, show(case, actual)
        else:
            expected = eval(case["as"], dict(names)) if "as" in case else case["gives"]
            assert actual == expected, show(case, actual)
            assert [type(v) for v in _flat(actual)] == [type(v) for v in _flat(expected)], show(case, actual)
    for name, text in case.get("files", {}).items():
        assert (tmp_path / name).read_bytes().decode() == text, show(case, (tmp_path / name).read_bytes())
    assert {p.name for p in tmp_path.iterdir()} == {*case.get("files", ()), *case.get("have", ())}, "a file was left"
    for name, value in case.get("sets", {}).items():
        expected = eval(case["as_set"], dict(names)) if "as_set" in case else value
        assert offline.names[name] == expected, show(case, offline.names[name])


def _flat(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in _flat(item)]
    return [leaf for item in value.values() for leaf in _flat(item)] if isinstance(value, dict) else [value]


@pytest.mark.parametrize("name", ["formulas", "awkward", "orders"])
def test_csv_gives_back_what_was_written(name: str, offline: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """Any text survives Export-Csv and Import-Csv: formulas, quotes, ends of lines, other scripts, 200,000 letters."""
    table = yaml.safe_load(Path(__file__).with_name("verb_cases.yaml").read_text("utf-8"))
    objects = eval(table["names"][name])
    monkeypatch.chdir(tmp_path)
    offline("$objects | select -Property v,status | export_csv all.csv", objects=objects)
    read = offline("import_csv all.csv")
    wanted = [{"v": str(o["v"]) if "v" in o else "", "status": o.get("status") or ""} for o in objects]
    assert read == wanted


def test_no_formula_begins_a_cell(offline: Any, tmp_path: Path) -> None:
    """A cell that a spreadsheet would run begins with a ' in the file, in headers as in rows."""
    import csv

    bad = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x", "=cmd|' /C calc'!A0"]
    offline("$bad | export_csv $path", bad=[{text: text} for text in bad], path=str(tmp_path / "f.csv"))
    with (tmp_path / "f.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row if cell]
    assert len(cells) == 2 * len(bad)
    assert all(cell.startswith("'") for cell in cells)


def test_half_of_a_surrogate_pair_does_not_lose_the_file(offline: Any, tmp_path: Path) -> None:
    """Text that UTF-8 cannot hold is written as its escape, which JSON reads back."""
    import json

    path = tmp_path / "s.jsonl"
    offline("$objects | out_file $path", objects=[{"v": "\ud800"}], path=str(path))
    assert json.loads(path.read_text("utf-8")) == {"v": "\ud800"}


# Streaming


class Source:
    """An iterator that counts what was read from it."""

    def __init__(self, count: int) -> None:
        self.read = 0
        self.count = count

    def __iter__(self) -> Source:
        return self

    def __next__(self) -> int:
        if self.read >= self.count:
            raise StopIteration
        self.read += 1
        return self.read


@pytest.mark.parametrize(
    ("line", "gives", "read"),
    [
        ("$s | first", 1, 1),
        ("$s | first 3", [1, 2, 3], 3),
        ("$s | select -First 2", [1, 2], 2),
        ("$s | select -Skip 2 -First 2", [3, 4], 4),
        ("$s | where { $_ % 2 == 0 } | first 2", [2, 4], 4),
        ("$s | foreach { $_ * 10 } | first 2", [10, 20], 2),
        ("$s | select @ | first 2", [1, 2], 2),
        ("$s | select @ -First 2", [1, 2], 2),
        ("$s | tee -Variable kept | first 2", [1, 2], 2),
        ("$s | expect @ -gt 0 | first 2", [1, 2], 2),
        ("$s | select -Unique | first 2", [1, 2], 2),
        ("$s | first 0", [], 0),
    ],
)
def test_no_more_is_read_than_is_needed(line: str, gives: Any, read: int, offline: Any) -> None:
    """A stage that has enough stops the reading of an endless source."""
    source = Source(10**9)
    assert offline(line, s=source) == gives
    assert source.read == read


def test_objects_flow_one_by_one(offline: Any) -> None:
    """Each object passes all the stages before the next is read."""
    seen: list[str] = []

    def note(tag: str) -> Any:
        return lambda value: seen.append(f"{tag}{value}") or value

    offline("$s | $a | where { True } | select @ | foreach { $_ } | $b", s=iter([1, 2]), a=note("a"), b=note("b"))
    assert seen == ["a1", "b1", "a2", "b2"]


def test_parallel_keeps_the_order_and_the_limit(offline: Any) -> None:
    """ForEach-Object -Parallel runs at most ThrottleLimit at a time, and the results come in the input's order."""
    import threading

    lock, busy, most = threading.Lock(), [0], [0]
    two = threading.Barrier(2)

    def work(value: int) -> int:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        if value < 2:
            two.wait(10)  # the first two must be under way together
        with lock:
            busy[0] -= 1
        return value * 2

    assert offline("$n | foreach -Parallel $work -ThrottleLimit 2", n=list(range(20)), work=work) == [
        value * 2 for value in range(20)
    ]
    assert most[0] == 2


def test_parallel_gives_the_error_of_the_block(offline: Any) -> None:
    """The first failure in input order ends the pipeline with its own message."""
    with pytest.raises(LMError, match="failed: ZeroDivisionError"):
        offline("$n | foreach -Parallel { 1 / (2 - $_) } -ThrottleLimit 2", n=[1, 2, 3])

"""What must hold of a journal and of what the function really ran, whatever happened in between.

Read with SQL of its own, so that the product's way of reading is under test as well. The letters are used in messages:

(a) no item that was never sent has run; (b) at most once: none has run twice; (c) every item is in exactly one final
class, or is listed as unknown; (d) what is OK has run, and the stored answer is the one that was given; (e) the file is
whole; (f) the report counts every item once; (g) at least once: all have run, and no more repeats than were reported.
"""

from __future__ import annotations

import json
import pathlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

FINAL = {"OK", "FUNCTION_ERROR", "ACCEPTED", "REJECTED", "THROTTLED_OUT", "NOT_SENT", "RESULT_LOST", "UNKNOWN"}


def violations_while_open(path: str, ran: Mapping[int, int], *, at_most_once: bool = True) -> list[str]:
    """What does not hold of a run that was killed and not resumed yet."""
    found = []
    with opened(path) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'item'").fetchone():
            return [f"(a) there is no run, and {ran} ran"] if any(ran.values()) else []
        sent = {place >> 20 for (place,) in database.execute("SELECT place FROM intent")}
        for seq, number in _numbers(database).items():
            if seq not in sent and ran.get(number, 0):
                found.append(f"(a) item {seq} has no intent and ran {ran[number]} times")
        if unlisted := set(ran) - set(_numbers(database).values()):
            found.append(f"(a) {unlisted} ran and are not written down")
        found += _repeats(ran) if at_most_once else []
        found += _damage(database)
    return found


def violations(
    path: str,
    ran: Mapping[int, int],
    count: int,
    answer: Callable[[int], bytes],
    report: Mapping[str, int] | None = None,
    *,
    at_most_once: bool = True,
    possible_duplicates: int = 0,
) -> list[str]:
    """What does not hold of a run of `count` items that is over. `report` is the summary that the user got."""
    with opened(path) as database:
        numbers = _numbers(database)
        last = {}
        for place, outcome, final, body in database.execute(
            "SELECT place, outcome, final, body FROM outcome ORDER BY place"
        ):
            last[place >> 20] = (place, outcome, final, body)
        intents = {place >> 20: place for (place,) in database.execute("SELECT place FROM intent ORDER BY place")}
        found = _damage(database)
    if sorted(numbers) != list(range(count)):
        found.append(f"(c) of {count} items {len(numbers)} are written down")
    for seq, number in numbers.items():
        times = ran.get(number, 0)
        place, outcome, final, body = last.get(seq, (0, None, 0, None))
        if outcome not in FINAL or not final or place < intents.get(seq, 0):
            found.append(f"(c) item {seq} ended in no class: {outcome}, final {final}")
        if outcome == "OK" and not times:
            found.append(f"(d) item {seq} is OK and never ran")
        if outcome == "OK" and body != answer(number):
            found.append(f"(d) item {seq} is OK with another answer: {body!r}")
        if outcome == "NOT_SENT" and times:
            found.append(f"(a) item {seq} is NOT_SENT and ran {times} times")
    if at_most_once:
        found += _repeats(ran)
    else:
        found += _beyond_reported(ran, numbers.values(), possible_duplicates)
    if report is not None:
        found += _misreported(report, count, Counter(outcome for _, outcome, _, _ in last.values()))
    return found


def _beyond_reported(ran: Mapping[int, int], numbers: Iterable[int], possible_duplicates: int) -> list[str]:
    found = [f"(g) {number} never ran" for number in numbers if not ran.get(number)]
    repeats = sum(times - 1 for times in ran.values() if times > 1)
    if repeats > possible_duplicates:
        found.append(f"(g) {repeats} ran again, {possible_duplicates} were reported as possible")
    return found


def _misreported(report: Mapping[str, int], count: int, known: Counter[str]) -> list[str]:
    classes = Counter({name: number for name, number in report.items() if name in FINAL})
    found = []
    if sum(classes.values()) != count:
        found.append(f"(f) the report counts {sum(classes.values())} of {count} items")
    if classes != known:
        found.append(f"(f) the report says {dict(classes)}, the journal {dict(known)}")
    return found


def _repeats(ran: Mapping[int, int]) -> list[str]:
    return [f"(b) {number} ran {times} times" for number, times in ran.items() if times > 1]


def _damage(database: sqlite3.Connection) -> list[str]:
    told = database.execute("PRAGMA integrity_check").fetchone()[0]
    return [] if told == "ok" else [f"(e) {told}"]


def _numbers(database: sqlite3.Connection) -> dict[int, int]:
    rows: Any = database.execute("SELECT seq, payload FROM item")
    return {seq: json.loads(payload)["n"] for seq, payload in rows}


class opened:
    """The database, read-only, closed at the end."""

    def __init__(self, path: str) -> None:
        mode = "rw" if pathlib.Path(f"{path}-journal").exists() else "ro"  # rw undoes a write that was cut off
        self._database = sqlite3.connect(f"file:{path}?mode={mode}", uri=True)

    def __enter__(self) -> sqlite3.Connection:
        return self._database

    def __exit__(self, *_: object) -> None:
        self._database.close()

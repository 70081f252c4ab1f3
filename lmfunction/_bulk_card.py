"""The card of several invocations: what became of them, why some failed, how long they took; in one pass."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, overload

from lmfunction._jsonable import jsonable
from lmfunction._model import Outcome
from lmfunction._redact import NONE, Redaction
from lmfunction._render.card import Card, Section, Tone
from lmfunction._render.walk import brief
from lmfunction._spread import bars, histogram, quantile
from lmfunction._text import duration, one_line

if TYPE_CHECKING:
    from lmfunction._bulk_result import BulkResult
    from lmfunction._item import Item, ItemList

_SHOWN: Final = 20  # payloads
_INPUT: Final = 50  # characters of what an item was sent with
_GROUPED: Final = 1_000  # failures that are looked into; the others are counted
_MANY: Final = 20  # calls of which a hundredth part is worth a word


@dataclass
class _Group:
    """Failures of one kind: the first one's words, and the objects."""

    outcome: str
    told: str
    count: int = 0
    objects: list[int] = field(default_factory=list)


@dataclass
class _Tally:
    """What one pass over the items finds."""

    counts: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    payloads: list[Any] = field(default_factory=list)
    groups: dict[tuple[str, str], _Group] = field(default_factory=dict)
    looked_into: int = 0
    succeeded: int = 0
    redaction: Redaction = NONE

    def add(self, item: Item) -> None:
        """Counts one item."""
        self.counts[item.outcome.value] += 1
        result = item.result
        if result is not None:
            if math.isfinite(result.elapsed_ms):
                self.latencies.append(result.elapsed_ms)
            self.redaction = result.redaction
        if item.ok and result is not None:
            self.succeeded += 1
            if len(self.payloads) < _SHOWN:
                self.payloads.append(result.payload)
        elif self.looked_into < _GROUPED:
            self.looked_into += 1
            self._group(item)

    def _group(self, item: Item) -> None:
        kind = _kind_of(item)
        group = self.groups.get((item.outcome.value, kind))
        if group is None:
            group = self.groups[item.outcome.value, kind] = _Group(item.outcome.value, item.shown())
        group.count += 1
        if len(group.objects) < 5:
            group.objects.append(item.index + 1)


def bulk_card(run: BulkResult) -> Card:
    """The card of `run`, as far as it has come."""
    tally = _tally_of(run)
    ordered = sorted(tally.latencies)
    bad = len(run.items) - tally.succeeded
    refused = run.samples[-1][2] if run.samples else 0
    rate = len(tally.latencies) / run.elapsed_ms * 1000 if run.elapsed_ms > 0 else 0.0
    facts = [
        f"{tally.succeeded:,} succeeded",
        f"{bad:,} did not" if bad else "",
        duration(run.elapsed_ms),
        f"{_short(rate)}/s" if rate else "",
        f"{refused:,} refused for now (429) and sent again" if refused else "",
        f"{run.possible_duplicates:,} possible duplicates" if run.possible_duplicates else "",
    ]
    tone, status = _badge(tally.counts)
    return Card(
        tone,
        status,
        f"{len(run.items):,} invocation{'' if len(run.items) == 1 else 's'}",
        tuple(fact for fact in facts if fact),
        (
            *_failure_sections(tally, bad),
            *_outcome_sections(tally),
            *_latency_sections(ordered),
            *_payload_sections(tally),
        ),
        _summary(run, tally, rate, ordered),
        tally.redaction,
    )


def _badge(counts: Mapping[str, int]) -> tuple[Tone, str]:
    """The worst that became of them. What merely was not sent, or may well have run, did not fail."""
    bad = {Outcome(name) for name, count in counts.items() if count} - {Outcome.OK, Outcome.ACCEPTED}
    if not bad:
        return Tone.OK, "OK"
    if bad - {Outcome.UNKNOWN, Outcome.NOT_SENT}:
        return Tone.FAILED, "FAILED"
    return (Tone.WARNING, "UNKNOWN") if Outcome.UNKNOWN in bad else (Tone.WARNING, "NOT SENT")


def items_card(items: ItemList) -> Card:
    """The card of some items of a run: a row for each, with what it was sent with where that may be shown."""
    counts = Counter(item.outcome.value for item in items)
    count = f"{len(items):,} item{'' if len(items) == 1 else 's'}"
    rows = _ItemRows(items, items.redaction)
    return Card(
        Tone.PLAIN,
        "ITEMS",
        count,
        tuple(f"{number:,} {name}" for name, number in counts.items()),
        (Section("Items", rows, "table", more="the list itself: r[0].input, r[0].request_id"),) if items else (),
        {"type": "Item", "count": len(items), **counts},
        items.redaction or NONE,
    )


class _ItemRows(Sequence[Mapping[str, Any]]):
    """The rows of some items, each made when it is shown."""

    def __init__(self, items: Sequence[Item], redaction: Redaction | None) -> None:
        self._items = items
        self._redaction = redaction

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self._row(item) for item in self._items[index]]
        return self._row(self._items[index])

    def _row(self, item: Item) -> Mapping[str, Any]:
        row = {"Index": item.index, "Outcome": item.outcome.value, "Error": item.shown()}
        if self._redaction is not None:
            row["Input"] = brief(jsonable(item.input), _INPUT, self._redaction, ("Payload",))
        return row


def _tally_of(run: BulkResult) -> _Tally:
    """The tally; where the items are in a file, only those that are shown are read."""
    tally = _Tally()
    if isinstance(run.items, list):
        for item in run.items:
            tally.add(item)
        return tally
    bad = tuple(outcome for outcome in Outcome if outcome not in (Outcome.OK, Outcome.ACCEPTED))
    shown = (run.of(Outcome.OK, Outcome.ACCEPTED), _SHOWN), (run.of(*bad), _GROUPED)
    for items, most in shown:
        for item in itertools.islice(items, most):
            tally.add(item)
    tally.counts = Counter({outcome.value: count for outcome, count in run.outcomes() if count})
    tally.succeeded = tally.counts[Outcome.OK.value] + tally.counts[Outcome.ACCEPTED.value]
    tally.latencies = run.latencies()
    return tally


def _kind_of(item: Item) -> str:
    """What makes two failures one kind: the type of the function's error or the code of AWS's, not its words."""
    if item.result is not None and item.result.error is not None:
        return item.result.error.type
    return str(getattr(item.error, "code", "") or type(item.error).__name__)


def _failure_sections(tally: _Tally, bad: int) -> tuple[Section, ...]:
    if not bad:
        return ()
    pairs = [
        (
            f"{group.count:,} × {group.outcome}",
            one_line(f"{group.told} {_places(group)}", 600),
        )
        for group in sorted(tally.groups.values(), key=lambda group: -group.count)
    ]
    title = "Not succeeded" if bad <= tally.looked_into else f"Not succeeded (the first {tally.looked_into:,})"
    return (Section(title, pairs, "pairs", more="run.failed, run.unknown, run.not_sent"),)


def _places(group: _Group) -> str:
    """Where the failures of a group stand in the input, from 1."""
    places = ", ".join(map(str, group.objects)) + (", …" if group.count > len(group.objects) else "")
    return f"(object{'' if group.count == 1 else 's'} {places})"


def _outcome_sections(tally: _Tally) -> tuple[Section, ...]:
    if len(tally.counts) < 2:
        return ()
    known = [outcome.value for outcome in Outcome]
    rows = [(name, tally.counts[name]) for name in known if tally.counts[name]]
    return (Section("Outcomes", bars("outcome", rows), "table", more="run.summary()"),)


def _latency_sections(ordered: Sequence[float]) -> tuple[Section, ...]:
    if len(ordered) < 2:
        return ()
    shares = _SHARES if len(ordered) >= _MANY else _FEW
    figures = {name: duration(quantile(ordered, share)) for name, share in shares.items()}
    sections = [Section("Latency", [figures], "table")]
    if len(ordered) >= _MANY and ordered[0] < ordered[-1]:
        sections.append(Section("Latency histogram", bars("time", histogram(ordered)), "table"))
    return tuple(sections)


_SHARES: Final = {"fastest": 0.0, "median": 0.5, "90 %": 0.9, "99 %": 0.99, "slowest": 1.0}
_FEW: Final = {name: _SHARES[name] for name in ("fastest", "median", "slowest")}
_NAMES: Final = {"MedianMs": 0.5, "P90Ms": 0.9, "P99Ms": 0.99, "MaxMs": 1.0}


def _summary(run: BulkResult, tally: _Tally, rate: float, ordered: Sequence[float]) -> dict[str, Any]:
    """The figures of `run.summary()`, the rate and the times."""
    times = {name: round(quantile(ordered, share), 1) for name, share in _NAMES.items()} if ordered else {}
    figures = {"Count": len(run.items), **dict(sorted(tally.counts.items())), "ElapsedMs": round(run.elapsed_ms, 1)}
    return {**figures, "PerSecond": round(rate, 1), **times}


def _payload_sections(tally: _Tally) -> tuple[Section, ...]:
    if not tally.payloads:
        return ()
    shown = len(tally.payloads)
    title = "Payloads" if shown == tally.succeeded else f"Payloads (the first {shown:,} of {tally.succeeded:,})"
    return (
        Section(
            title,
            tally.payloads,
            "data",
            open=tally.succeeded <= _SHOWN and not tally.groups,
            more="run.payloads, run.to_frame()",
            path=("Payload",),
            each=True,
        ),
    )


def _short(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"

"""How measured values are spread: percentiles that were really seen, and the rows of a histogram."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from lmfunction._render.card import Bar

_BUCKETS: Final = 8
_STEPS: Final = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Spread:
    """The spread of `count` values. A percentile is the smallest value that so many of them do not pass (nearest rank),
    so that each is one of the values; of fewer than 100, p99 is the largest.
    """

    count: int
    min: float
    p50: float
    p90: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self | None:
        """The spread of `values`; None when there are none."""
        ranked = sorted(values)
        if not ranked:
            return None
        p50, p90, p99 = (quantile(ranked, share) for share in (0.5, 0.9, 0.99))
        return cls(len(ranked), ranked[0], p50, p90, p99, ranked[-1])

    def to_dict(self) -> dict[str, float]:
        """The figures under their names, rounded to a hundredth."""
        return {
            "Count": self.count,
            **{n: round(getattr(self, n.lower()), 2) for n in ("Min", "P50", "P90", "P99", "Max")},
        }


def histogram(values: Sequence[float]) -> list[tuple[str, int]]:
    """Label and count of some ten equal steps in ms, from the fastest to the slowest; outliers share the last."""
    ordered = sorted(values)
    low, high = ordered[0], quantile(ordered, 0.99)
    step = _nice((high - low) / _BUCKETS)
    first = math.floor(low / step)
    last = max(math.floor(high / step), first)
    counts = Counter(min(math.floor(value / step), last + 1) for value in ordered)
    digits = max(0, -math.floor(math.log10(step)))
    rows = [
        (f"{at * step:,.{digits}f} to {(at + 1) * step:,.{digits}f} ms", counts[at]) for at in range(first, last + 1)
    ]
    if counts[last + 1]:
        rows.append((f"over {(last + 1) * step:,.{digits}f} ms", counts[last + 1]))
    return rows


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of the ordered values do not exceed."""
    return ordered[max(math.ceil(round(share * len(ordered), 6)) - 1, 0)]


def bars(name: str, rows: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """The rows of a table: each label under `name`, its count, and a bar for it."""
    most = max(count for _, count in rows)
    return [{name: label, "calls": count, "": Bar(count / most)} for label, count in rows]


def _nice(step: float) -> float:
    """The next of 1, 2, 5, 10, 20 ... that is not below `step`."""
    power = 10.0 ** math.floor(math.log10(max(step, 0.001)))
    return next((power * unit for unit in (*_STEPS, 10) if power * unit >= step), power * 10)

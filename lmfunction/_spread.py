"""How measured values are spread: percentiles that were really seen, and a histogram in text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

_BINS: Final = 12
_BAR: Final = 40  # cells of the longest bar
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


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
        p50, p90, p99 = (ranked[math.ceil(len(ranked) * share / 100) - 1] for share in (50, 90, 99))
        return cls(len(ranked), ranked[0], p50, p90, p99, ranked[-1])

    def to_dict(self) -> dict[str, float]:
        """The figures under their names, rounded to a hundredth."""
        return {
            "Count": self.count,
            **{n: round(getattr(self, n.lower()), 2) for n in ("Min", "P50", "P90", "P99", "Max")},
        }


def histogram(values: Sequence[float], unit: str = "ms") -> str:
    """Lines of bars: how many of `values` lie in each of at most 12 equal ranges.

    The ranges end at the 99th percentile; what lies above, which would press all others into one bar, has a line of its
    own. Empty for fewer than two different values: there is nothing to see.
    """
    found = Spread.of(values)
    if found is None or found.min == found.max:
        return ""
    top = found.p99 if found.min < found.p99 else found.max
    ranges = min(_BINS, max(found.count // 2, 2))
    width = (top - found.min) / ranges
    counts = [0] * ranges
    above = 0
    for value in values:
        if value > top:
            above += 1
        else:
            counts[min(int((value - found.min) / width), ranges - 1)] += 1
    edges = [_figure(found.min + width * index, width) for index in range(ranges + 1)]
    rows = [(f"{low} to {high}", count) for low, high, count in zip(edges, edges[1:], counts, strict=False)]
    if above:
        rows.append((f"above, up to {_figure(found.max, width)}", above))
    names = max(len(name) for name, _ in rows)
    most = max(count for _, count in rows)
    return "\n".join(f"{name:>{names}} {unit} {_bar(count / most)}{count:,}" for name, count in rows)


def _figure(value: float, width: float) -> str:
    """The value with as many decimals as tell one range from the next."""
    return f"{value:,.{min(max(1 - math.floor(math.log10(width)), 0), 3)}f}"


def _bar(share: float) -> str:
    """A bar, an eighth of a cell exact; something is never drawn as nothing."""
    eighths = round(share * _BAR * 8)
    if share and not eighths:
        eighths = 1
    bar = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
    return f"{bar} " if bar else ""

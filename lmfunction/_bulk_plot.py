"""A run of many calls as a matplotlib figure: how latency is spread, and calls in flight and refusals over the time."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, Final

from lmfunction._measurement_plot import new_figure
from lmfunction.errors import LMError

if TYPE_CHECKING:
    from lmfunction._bulk_result import BulkResult

_CALLS: Final = "#0072B2"
_REFUSED: Final = "#D55E00"
_BINS: Final = 40


def figure_of(run: BulkResult) -> Any:
    """The figure. Raises LMError when matplotlib is missing or there is nothing to draw."""
    latencies = run.latencies()
    if not latencies:
        raise LMError("There is nothing to plot: no call was answered.")
    figure, (spread, course) = new_figure((9, 4.2), 1, 2)
    spread.hist(latencies, bins=_edges(latencies), color=_CALLS)
    spread.set_xlabel("latency seen by the caller (ms)")
    spread.set_ylabel("number of calls")
    if max(latencies) > 20 * sorted(latencies)[len(latencies) // 2] > 0:
        spread.set_xscale("log")
    _draw_course(course, run)
    figure.suptitle(f"{len(run):,} invocations in {run.elapsed_ms / 1000:,.1f} s")
    return figure


def _draw_course(axes: Any, run: BulkResult) -> None:
    seconds = [sample[0] for sample in run.samples]
    axes.step(seconds, [sample[1] for sample in run.samples], where="post", color=_CALLS, label="in flight")
    refused = [(after[0], after[2] - before[2]) for before, after in itertools.pairwise(run.samples)]
    if any(count for _, count in refused):
        at, counts = zip(*refused, strict=True)
        axes.hist(at, bins=_BINS, weights=counts, color=_REFUSED, label="refused (429)")
    axes.set_xlabel("seconds since the begin")
    axes.set_ylabel("calls")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small", frameon=False, loc="best")


def _edges(values: list[float]) -> list[float]:
    low, high = min(values), max(values)
    if low == high:
        return [low * 0.95, high * 1.05] if high else [0.0, 1.0]
    if high > 20 * sorted(values)[len(values) // 2] > 0 and low > 0:  # a logarithmic axis: bars of equal width on it
        step = math.log(high / low) / _BINS
        inner = [low * math.exp(step * index) for index in range(1, _BINS)]
    else:
        inner = [low + (high - low) * index / _BINS for index in range(1, _BINS)]
    return [low, *inner, high]  # exactly, so that rounding leaves none out

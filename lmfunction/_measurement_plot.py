"""A measurement as a matplotlib figure: the calls in their order, and beside it how their latency is spread."""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING, Any, Final

from lmfunction.errors import LMError

if TYPE_CHECKING:
    from lmfunction._measurement import Measurement, Sample

# Of Okabe and Ito's palette, which colour-blind people can tell apart; the shapes differ as well.
_WARM: Final = "#0072B2"
_COLD: Final = "#E69F00"
_FAILED: Final = "#D55E00"
_LONG_TAIL: Final = 20  # times the median: from there on a linear axis hides the rest


def figure_of(found: Measurement) -> Any:
    """The figure. Raises LMError when matplotlib is missing or there is nothing to draw."""
    answered = [sample for sample in found.samples if sample.latency_ms is not None]
    if not answered:
        raise LMError("There is nothing to plot: no call was answered.")
    figure, (calls, spread) = new_figure((9, 4.2), 1, 2, sharey=True, width_ratios=(3, 1))
    _draw_calls(calls, found, answered)
    _draw_spread(spread, found)
    figure.suptitle(_title(found))
    return figure


def new_figure(size: tuple[float, float], rows: int, columns: int, **options: Any) -> tuple[Any, Any]:
    """An empty figure and its axes. Raises LMError when matplotlib is missing."""
    try:
        import matplotlib
        from matplotlib.figure import Figure  # not pyplot, which keeps figures alive and may open windows
    except ImportError as error:
        raise LMError("plot() needs matplotlib: pip install 'lmfunction[plot]'.") from error
    with matplotlib.rc_context({"axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(rows, columns, **options)
    # A notebook shows a figure only once pyplot has told it how; this one says it itself.
    figure._repr_png_ = functools.partial(_png, figure)  # type: ignore[attr-defined]
    return figure, axes


def _png(figure: Any) -> bytes:
    """The figure as an image."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _title(found: Measurement) -> str:
    starts = f"{found.cold_starts:,} cold start{'' if found.cold_starts == 1 else 's'}"
    parts = [f"{len(found):,} calls", starts]
    if found.failed:
        parts.append(f"{len(found.failed):,} failed")
    return f"{found.label}: latency of {', '.join(parts)}".replace("$", r"\$")  # $LATEST is no mathematics


def _draw_calls(axes: Any, found: Measurement, answered: list[Sample]) -> None:
    kinds = (
        ("warm", _WARM, "o", [s for s in answered if s.ok and not s.cold]),
        ("cold start", _COLD, "^", [s for s in answered if s.ok and s.cold]),
        ("failed", _FAILED, "X", [s for s in answered if not s.ok]),
    )
    for name, colour, marker, samples in kinds:
        if samples:
            axes.scatter(
                [s.number for s in samples],
                [s.latency_ms for s in samples],
                s=18 if marker == "o" else 48,
                c=colour,
                marker=marker,
                alpha=0.75 if marker == "o" else 1.0,
                label=name,
                zorder=2 if marker == "o" else 3,
            )
    latency = found.latency
    if latency is not None:
        for name, value, style in (("p50", latency.p50, "-"), ("p99", latency.p99, "--")):
            axes.axhline(value, color=_WARM, linewidth=0.9, linestyle=style, label=f"{name} warm {value:,.1f} ms")
    highest = max(s.latency_ms or 0.0 for s in answered)
    median = (latency or found.cold_latency or None) and (latency or found.cold_latency).p50  # type: ignore[union-attr]
    if median and highest > _LONG_TAIL * median:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:,g}")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel("call")
    axes.set_ylabel("latency seen by the caller (ms)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize="small", frameon=False, ncols=2, loc="best")


def _draw_spread(axes: Any, found: Measurement) -> None:
    kinds = (("warm", _WARM, found.latencies(cold=False)), ("cold start", _COLD, found.latencies(cold=True)))
    drawn = [(name, colour, values) for name, colour, values in kinds if values]
    if drawn:
        axes.hist(
            [values for _, _, values in drawn],
            bins=_edges([value for _, _, values in drawn for value in values], log=axes.get_yscale() == "log"),
            orientation="horizontal",
            stacked=True,
            color=[colour for _, colour, _ in drawn],
        )
    axes.set_xlabel("number of calls")
    axes.xaxis.get_major_locator().set_params(integer=True)


def _edges(values: list[float], *, log: bool, bins: int = 24) -> list[float]:
    """The edges of bars that look alike on the axis."""
    low, high = min(values), max(values)
    if low == high:
        return [low * 0.95, high * 1.05] if high else [0.0, 1.0]
    if log and low > 0:
        return [low * (high / low) ** (index / bins) for index in range(bins + 1)]
    return [low + (high - low) * index / bins for index in range(bins + 1)]

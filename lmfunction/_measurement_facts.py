"""What a measurement's figures say about memory, timeout, cold starts and cost, as sentences that can be checked.

Only facts: what was seen, and what would have been with another setting. Sources of what is not seen: the developer
guide's pages on memory ("Lambda allocates CPU power in proportion to the amount of memory configured", 128 MB at least)
and on quotas.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from lmfunction._text import duration

if TYPE_CHECKING:
    from lmfunction._measurement import Measurement

_TIGHT: Final = 0.9  # shares of the memory
_ROOMY: Final = 0.5
_LEAST: Final = 128  # MB
_ENOUGH: Final = 100  # calls of which p99 leaves one out


def facts_of(found: Measurement) -> list[str]:
    """The sentences for `found`, the most useful first."""
    return [*_memory(found), *_timeout(found), *_cold(found), *_outside(found), *_cost(found), *_caution(found)]


def _memory(found: Measurement) -> Iterator[str]:
    used, size = found.max_memory_used_mb, found.memory_size_mb
    if not used or not size:
        return
    share = used / size
    then = ""
    if share >= 1:
        then = " Nothing is left: a run that needs more is killed (Runtime.OutOfMemory)."
    elif share >= _TIGHT:
        then = f" {size - used:,} MB are left; a run that needs more is killed (Runtime.OutOfMemory)."
    elif share < _ROOMY and size > _LEAST:
        then = " Less would do for memory, but CPU shrinks with it: measure again after a change."
    yield f"Memory: at most {used:,} of {size:,} MB used ({share:.0%}).{then}"


def _timeout(found: Measurement) -> Iterator[str]:
    durations = [s.report.duration_ms for s in found.samples if s.report and s.report.duration_ms is not None]
    seconds = found.suggested_timeout
    if seconds is None:
        return
    p99 = f", p99 of warm ones {duration(found.duration.p99)}" if found.duration else ""
    yield (
        f"Timeout: the longest run took {duration(max(durations))}{p99}. "
        f"{seconds:,} s would leave each of them twice its time."
        if 2 * max(durations) <= seconds * 1000
        else f"Timeout: the longest run took {duration(max(durations))}{p99}; Lambda allows {seconds:,} s."
    )


def _cold(found: Measurement) -> Iterator[str]:
    calls = len(found.samples)
    init, slow, warm = found.init_duration, found.cold_latency, found.latency
    if not found.cold_starts:
        if calls and found.duration:
            yield "Cold starts: none, an environment was ready for each call."
        return
    told = f"Cold starts: {found.cold_starts:,} of {_calls(calls)}"
    if init:
        span = duration(init.min) if init.count == 1 else f"{duration(init.min)} to {duration(init.max)}"
        told += f", starting took {span}"
    if slow and warm:
        told += f"; such a call took {duration(slow.p50)}, a warm one {duration(warm.p50)} (median)"
    yield f"{told}."


def _outside(found: Measurement) -> Iterator[str]:
    outside, latency = found.outside, found.latency
    if outside and latency:
        yield (
            f"Outside the function: {duration(outside.p50)} of {duration(latency.p50)} at the median "
            "(network and Lambda itself)."
        )


def _cost(found: Measurement) -> Iterator[str]:
    billed = found.gb_seconds_per_million
    if billed is not None:
        yield f"Cost: a million such calls are billed {billed:,.0f} GB-seconds, and a million requests."


def _caution(found: Measurement) -> Iterator[str]:
    samples = found.samples
    if found.latency and found.latency.count < _ENOUGH:
        yield f"p99: of {found.latency.count:,} warm calls it is the slowest; {_ENOUGH} are needed to leave one out."
    if found.throttles:
        hit = sum(sample.throttles > 0 for sample in samples)
        yield (
            f"Throttling: {found.throttles:,} refusals (429) in {_calls(hit)}, whose latency includes the waits. "
            "Fewer at a time (-ThrottleLimit), or more concurrency, avoids them."
        )
    silent = sum(sample.ok and sample.report is None for sample in samples)
    if silent:
        yield f"No REPORT line came with {_calls(silent)}: nothing is known of its duration, memory or cold start."


def _calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"

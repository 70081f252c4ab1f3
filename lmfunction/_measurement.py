"""What Measure-LMFunction found out: every call in figures, and what they say about memory and timeout."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from lmfunction._cards import failure_told
from lmfunction._model import InvokeResult, Outcome
from lmfunction._redact import NONE, Redaction
from lmfunction._render.card import Card, Section, Tone
from lmfunction._spread import Spread, bars, histogram
from lmfunction._text import duration, one_line
from lmfunction._wire import Report
from lmfunction.errors import LMError

_SEEN: Final = 5  # calls of which a histogram shows something
_MOST_TIMEOUT: Final = 900  # seconds: Lambda quotas


@dataclass(frozen=True, slots=True)
class Sample:
    """One call: its `number` from 1, and what is known of it; times in ms. `latency_ms` is the caller's time, waits
    after a throttled try included; None when no answer came. `result` is kept of a function that failed.
    """

    number: int
    outcome: Outcome
    latency_ms: float | None = None
    report: Report | None = None
    request_id: str | None = None
    attempts: int = 1
    throttles: int = 0
    error: str = ""
    result: InvokeResult | None = None

    @property
    def ok(self) -> bool:
        """Whether the function answered and did not fail."""
        return self.outcome is Outcome.OK

    @property
    def cold(self) -> bool:
        """Whether the call started an execution environment; False also when no REPORT line told it."""
        return self.report is not None and self.report.cold_start


def sample_of(number: int, found: InvokeResult | LMError) -> Sample:
    """The sample that an answer, or the error in its place, makes."""
    if isinstance(found, InvokeResult):
        throttles = sum(attempt.outcome is Outcome.THROTTLED_OUT for attempt in found.attempt_log)
        return Sample(
            number,
            found.outcome,
            found.elapsed_ms,
            found.report,
            found.request_id,
            found.attempts,
            throttles,
            "" if found.error is None else " ".join(failure_told(found.error, found.redaction).split()),
            None if found.ok else found,
        )
    outcome = Outcome(getattr(found, "outcome", Outcome.NOT_SENT))
    attempts = int(getattr(found, "attempts", 0) or 1)
    throttles = attempts if outcome is Outcome.THROTTLED_OUT else attempts - 1
    told = str(found).partition("\n")[0]
    return Sample(number, outcome, None, None, found.request_id, attempts, throttles, told)


class Measurement:
    """The calls of one Measure-LMFunction, there before the first is sent and filled as answers come.

    `samples` holds each call in the order of its number. The spreads (`latency`, `duration` ...) are those of calls
    that succeeded, warm and cold apart, in ms; None where there was no such call. `facts` says in sentences what
    follows for memory, timeout and cost.
    """

    def __init__(self, label: str, count: int, throttle_limit: int = 1, redaction: Redaction = NONE) -> None:
        self.label = label
        self.count = count
        self.throttle_limit = throttle_limit
        self.elapsed_ms = 0.0
        self.redaction = redaction
        self._samples: list[Sample] = []

    def add(self, sample: Sample) -> None:
        """Takes in one more call."""
        self._samples.append(sample)

    @property
    def samples(self) -> list[Sample]:
        """The calls so far, by their number."""
        return sorted(self._samples, key=lambda sample: sample.number)

    @property
    def ok(self) -> bool:
        """Whether every call succeeded that was made."""
        return all(sample.ok for sample in self._samples)

    @property
    def complete(self) -> bool:
        """Whether as many calls were made as were asked for."""
        return len(self._samples) == self.count

    @property
    def failed(self) -> list[Sample]:
        """The calls that failed or brought no answer."""
        return [sample for sample in self.samples if not sample.ok]

    @property
    def cold_starts(self) -> int:
        """How many calls started an execution environment."""
        return sum(sample.cold for sample in self._samples)

    @property
    def throttles(self) -> int:
        """How often a call was refused for throttling (429)."""
        return sum(sample.throttles for sample in self._samples)

    @property
    def latency(self) -> Spread | None:
        """The time from the call to its answer as the caller saw it, of warm calls."""
        return Spread.of(self.latencies(cold=False))

    @property
    def cold_latency(self) -> Spread | None:
        """The same of calls that started an environment."""
        return Spread.of(self.latencies(cold=True))

    @property
    def duration(self) -> Spread | None:
        """How long the function ran, of warm calls: Duration in the log's REPORT line."""
        return self._spread(lambda report: report.duration_ms, cold=False)

    @property
    def cold_duration(self) -> Spread | None:
        """The same of calls that started an environment, without the start."""
        return self._spread(lambda report: report.duration_ms, cold=True)

    @property
    def billed_duration(self) -> Spread | None:
        """What is billed, of warm and cold calls."""
        return self._spread(lambda report: report.billed_duration_ms)

    @property
    def init_duration(self) -> Spread | None:
        """How long environments took to start."""
        return self._spread(lambda report: report.init_duration_ms)

    @property
    def outside(self) -> Spread | None:
        """The part of warm calls' latency in which the function did not run: network, TLS, Lambda itself."""
        return Spread.of(
            max(s.latency_ms - s.report.duration_ms, 0.0)
            for s in self._samples
            if s.ok and not s.cold and s.latency_ms is not None and s.report and s.report.duration_ms is not None
        )

    @property
    def memory_size_mb(self) -> int | None:
        """The memory that the function is given, in MB."""
        return max(self._reported(lambda report: report.memory_size_mb), default=None)

    @property
    def max_memory_used_mb(self) -> int | None:
        """The most memory that any call used, in MB. An environment reports the most it ever used."""
        return max(self._reported(lambda report: report.max_memory_used_mb), default=None)

    @property
    def gb_seconds_per_million(self) -> float | None:
        """What a million such calls are billed, in GB-seconds: the mean of billed time x memory, cold starts included.

        No money: the price differs by region, architecture and agreement.
        """
        billed = [
            s.report.billed_duration_ms / 1000 * s.report.memory_size_mb / 1024
            for s in self._samples
            if s.report and s.report.billed_duration_ms is not None and s.report.memory_size_mb is not None
        ]
        return sum(billed) / len(billed) * 1e6 if billed else None

    @property
    def suggested_timeout(self) -> int | None:
        """Twice the longest run, in whole seconds, at most Lambda's 900."""
        longest = max(self._reported(lambda report: report.duration_ms), default=None)
        return None if longest is None else min(max(math.ceil(2 * longest / 1000), 1), _MOST_TIMEOUT)

    @property
    def facts(self) -> list[str]:
        """What the figures say, in sentences."""
        from lmfunction._measurement_facts import facts_of

        return facts_of(self)

    def latencies(self, *, cold: bool) -> list[float]:
        """The latency of each call that succeeded, in the order of the calls."""
        return [s.latency_ms for s in self.samples if s.ok and s.cold is cold and s.latency_ms is not None]

    def errors(self) -> dict[str, int]:
        """How often each failure came, the most frequent first."""
        counted = collections.Counter(one_line(sample.error or sample.outcome.value, 200) for sample in self.failed)
        return dict(counted.most_common())

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data, absent ones left out; `to_frame()` has each call."""
        spreads = {
            "LatencyMs": self.latency,
            "ColdLatencyMs": self.cold_latency,
            "DurationMs": self.duration,
            "ColdDurationMs": self.cold_duration,
            "BilledDurationMs": self.billed_duration,
            "InitDurationMs": self.init_duration,
            "OutsideMs": self.outside,
        }
        billed = self.gb_seconds_per_million
        figures = {
            "FunctionName": self.label,
            "Count": self.count,
            "Calls": len(self._samples),
            "Failed": len(self.failed),
            "ColdStarts": self.cold_starts,
            "Throttles": self.throttles,
            "ThrottleLimit": self.throttle_limit,
            "ElapsedMs": round(self.elapsed_ms, 1),
            **{name: spread.to_dict() for name, spread in spreads.items() if spread is not None},
            "MemorySizeMb": self.memory_size_mb,
            "MaxMemoryUsedMb": self.max_memory_used_mb,
            "GbSecondsPerMillion": None if billed is None else round(billed, 2),
            "Errors": self.errors() or None,
            "Facts": self.facts,
        }
        return {name: value for name, value in figures.items() if value is not None}

    def to_frame(self) -> Any:
        """A pandas DataFrame, a row for each call. Raises LMError without `lmfunction[frame]`."""
        from lmfunction._frames import frame_of

        columns = {
            "Call": [s.number for s in self.samples],
            "Outcome": [s.outcome.value for s in self.samples],
            "ColdStart": [s.cold for s in self.samples],
            "LatencyMs": [s.latency_ms for s in self.samples],
            "DurationMs": self._column(lambda report: report.duration_ms),
            "BilledDurationMs": self._column(lambda report: report.billed_duration_ms),
            "InitDurationMs": self._column(lambda report: report.init_duration_ms),
            "MaxMemoryUsedMb": self._column(lambda report: report.max_memory_used_mb),
            "Attempts": [s.attempts for s in self.samples],
            "RequestId": [s.request_id for s in self.samples],
            "Error": [s.error for s in self.samples],
        }
        return frame_of(columns)

    def plot(self) -> Any:
        """A matplotlib Figure: the latency of each call, cold starts marked, and how it is spread.

        Needs `lmfunction[plot]`. In a notebook it shows itself; elsewhere `figure.savefig("latency.png")` keeps it.
        """
        from lmfunction._measurement_plot import figure_of

        return figure_of(self)

    def card(self) -> Card:
        """The card: how many calls, a table of figures, what they say, a histogram."""
        failed = len(self.failed)
        head = (
            f"{len(self._samples):,} of {self.count:,} calls" if not self.complete else _times(self.count),
            "one after the other" if self.throttle_limit == 1 else f"{self.throttle_limit:,} at a time",
            _times(self.cold_starts, "cold start"),
            f"{failed:,} failed" if failed else "",
            _times(self.throttles, "throttle") if self.throttles else "",
            duration(self.elapsed_ms),
        )
        tone = Tone.FAILED if failed else Tone.OK if self.complete else Tone.WARNING
        figures = self.to_dict()
        return Card(
            tone,
            "FAILED" if failed else "MEASURED" if self.complete else "STOPPED",
            self.label,
            tuple(fact for fact in head if fact),
            tuple(self._sections()),
            {name: value for name, value in figures.items() if name not in ("Facts", "Errors")},
            self.redaction,
        )

    def _sections(self) -> Iterator[Section]:
        if self.failed:
            failures = [(f"{count:,} ×", error) for error, count in self.errors().items()]
            yield Section("Failures", failures, "pairs", more="m.failed")
        rows = [*self._rows()]
        if rows:
            yield Section("Milliseconds", rows, "table", more="m.to_frame()")
        if self.facts:
            yield Section("What the figures say", "\n".join(self.facts), "text")
        latencies = self.latencies(cold=False)
        if len(latencies) >= _SEEN and min(latencies) < max(latencies):
            yield Section("Latency of warm calls", bars("time", histogram(latencies)), "table", more="m.plot()")

    def _rows(self) -> Iterator[dict[str, Any]]:
        both = self.cold_starts > 0
        spreads = {
            f"latency{', warm' if both else ''}": self.latency,
            "latency, cold": self.cold_latency,
            f"duration{', warm' if both else ''}": self.duration,
            "duration, cold": self.cold_duration,
            "init of cold starts": self.init_duration,
            "billed": self.billed_duration,
            "outside the function": self.outside,
        }
        for name, spread in spreads.items():
            if spread is not None:
                figures = spread.to_dict()
                yield {"figure": name, "calls": figures.pop("Count"), **{n.lower(): v for n, v in figures.items()}}

    def _spread(self, take: Callable[[Report], float | None], *, cold: bool | None = None) -> Spread | None:
        kept = [s for s in self._samples if s.ok and (cold is None or s.cold is cold)]
        return Spread.of(_taken(kept, take))

    def _reported(self, take: Callable[[Report], Any]) -> list[Any]:
        return [*_taken(self._samples, take)]

    def _column(self, take: Callable[[Report], Any]) -> list[Any]:
        return [take(s.report) if s.report is not None else None for s in self.samples]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "redaction": dataclasses.replace(self.redaction, secrets=())}

    def __len__(self) -> int:
        return len(self._samples)

    def __bool__(self) -> bool:
        return True  # also before the first call

    def __repr__(self) -> str:
        latency = self.latency or self.cold_latency
        told = f", p50 {duration(latency.p50)}, p99 {duration(latency.p99)}" if latency else ""
        failed = f", {len(self.failed)} failed" if self.failed else ""
        calls = f"{len(self)} of {self.count} calls" if not self.complete else _times(self.count)
        return f"<Measurement {self.label} {calls}{told}{failed}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: repr(self), include, exclude)


def _taken(samples: Iterable[Sample], take: Callable[[Report], Any]) -> Iterator[Any]:
    """What `take` finds in the reports of the samples."""
    for sample in samples:
        value = take(sample.report) if sample.report is not None else None
        if value is not None:
            yield value


def _times(count: int, what: str = "call") -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"

"""Measure-LMFunction: one call, made ready once and sent several times, observed from here and from its own log.

Every send goes the way of an ordinary invocation; nothing is sent twice unless it provably did not run. One after the
other the calls are made in the caller's thread, so that what is measured is the call alone.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lmfunction._batch import Batch
from lmfunction._client import Plan
from lmfunction._cmdlets import Call, prepare
from lmfunction._crew import Crew, Job
from lmfunction._defaults import add_defaults
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._gathered import gather
from lmfunction._item import Item
from lmfunction._measure_row import COUNT
from lmfunction._measurement import Measurement, sample_of
from lmfunction._model import InvokeResult, Outcome
from lmfunction._notices import assign, check_assignable, empty_lists, keep
from lmfunction._progress import Counts, Progress, shown, wanted
from lmfunction._render.card import Card
from lmfunction._table import INVOKE, MEASURE
from lmfunction._waiting import tick
from lmfunction.errors import BulkError, FunctionError, InvocationInterrupted, LMError, ServiceError, TransportError

OnResult = Callable[[InvokeResult], None]
# Whatever the defaults say: each call is sent, waited for and brings its REPORT line.
_FIXED: Final = {"InvocationType": "RequestResponse", "LogType": "Tail", "OnceKey": None, "DurableExecutionName": None}


def measure(values: Mapping[str, Any], engine: Engine, door: Door, on_result: OnResult) -> Any:
    """The Measurement for `values` (by parameter name), or NOTHING where -WhatIf showed the call.

    Raises what making a call raises; with ErrorAction Stop BulkError at the first call that does not succeed; whatever
    comes, when no later call can succeed; InvocationInterrupted on Ctrl-C. The last three hold the Measurement so far
    in `result`.
    """
    gathered = gather(MEASURE, values, engine)
    arguments = gathered.arguments
    check_assignable(arguments, door)
    empty_lists(arguments, door)
    count, limit = arguments.get("count", COUNT), arguments.get("throttle_limit", 1)
    batch = Batch(count)  # a person who is asked is told how many, and asked once
    batch.admit(gathered.profile, count)
    call = prepare(_call_values(values, engine), engine, door, batch)
    if call is None:
        door.show(PlannedMeasurement(batch.plan.first[0].resolved(), count, limit))
        return NOTHING
    redaction = call.plan.place.profile.redaction
    run = _Run(Measurement(call.plan.request.label, count, limit, redaction), call, door, on_result)
    if "out_variable" in arguments:
        assign(door, arguments["out_variable"], run.found)  # now, so that an interrupted one can be looked at
    viewers = wanted(arguments, door.progress_action, door.progress)
    start = time.perf_counter()
    try:
        with shown(viewers, run.progress, engine.policy.clock, end="measured in"):
            (run.in_turn if limit == 1 else run.together)(engine)
    except KeyboardInterrupt as error:
        raise run.interrupted(error) from None
    finally:
        run.found.elapsed_ms = (time.perf_counter() - start) * 1000
        _keep_errors(run, arguments)
    if run.end is None:
        return run.found
    if not any(sample.latency_ms is not None for sample in run.found.samples):
        raise run.errors[0]  # there is no measurement, only the reason
    if call.error_action(door) != "SilentlyContinue":
        door.show(run.found)
    raise run.end


@dataclass
class _Run:
    """One measurement under way. `end` is why it goes no further than it got."""

    found: Measurement
    call: Call
    door: Door
    on_result: OnResult
    end: BulkError | None = None
    in_flight: int = 0
    errors: list[LMError] = field(default_factory=list)

    def in_turn(self, engine: Engine) -> None:
        """Makes the calls one after the other, in this thread."""
        for number in range(1, self.found.count + 1):
            self.in_flight = 1
            try:
                outcome: InvokeResult | LMError = self.call.send(engine)
            except LMError as error:
                outcome = error
            self.in_flight = 0
            self._take(number, outcome)
            if self.end is not None:
                return
            tick()

    def together(self, engine: Engine) -> None:
        """Makes the calls with several under way at a time."""
        crew = Crew(engine, self.found.throttle_limit)
        try:
            for number in range(1, self.found.count + 1):
                for done in crew.wait_for_a_hand():
                    self._take_job(done, crew)
                if self.end is not None:
                    break
                crew.send(Job(Item(number), self.call))
                self.in_flight = len(crew.open)
            for done in crew.drain():
                self._take_job(done, crew)
        except KeyboardInterrupt:
            self.in_flight = len(crew.abandon())
            crew.stopped.set()
            raise
        finally:
            crew.dismiss()

    def progress(self, elapsed: float) -> Progress:
        """How far the measurement is."""
        failed = len(self.errors)
        counts = Counts(len(self.found), failed, self.in_flight, self.found.count)
        return Progress(self.found.label, elapsed, counts=counts, on_stop="ends the measurement")

    def interrupted(self, error: KeyboardInterrupt) -> InvocationInterrupted:
        """The interruption, with what is known of the calls under way, and the measurement so far."""
        running = self.in_flight if getattr(error, "sent", None) is not False else 0
        told = f" {_calls(running)} may still be running: AWS cannot cancel an invocation." if running else ""
        return InvocationInterrupted(
            f"Stopped after {_calls(len(self.found))} of {self.found.count:,}.{told} "
            "The error's .result holds the measurement.",
            sent=None if running else False,
            result=self.found,
        )

    def _take_job(self, job: Job, crew: Crew) -> None:
        self.in_flight = len(crew.open)
        outcome = job.item.result or job.item.error
        assert outcome is not None
        self._take(job.item.index, outcome)

    def _take(self, number: int, outcome: InvokeResult | LMError) -> None:
        """Takes a call's outcome in, and decides whether it is the last."""
        sample = sample_of(number, outcome)
        self.found.add(sample)
        if isinstance(outcome, InvokeResult):
            self.found.redaction = outcome.redaction  # which knows the secrets that were looked up for the call
            self.on_result(outcome)
        if sample.ok:
            return
        error = _error_of(outcome)
        self.errors.append(error)
        if self.end is None and (self.call.error_action(self.door) == "Stop" or _is_hopeless(error)):
            told = str(error).rstrip(".").replace("\n", "\n  ")
            self.end = BulkError(
                f"Stopped at call {number:,} of {self.found.count:,}: {told}\n"
                f"  The error's .result holds the measurement of {_calls(len(self.found))}.",
                result=self.found,
            )
            self.end.request_id = sample.request_id
            self.end.__cause__ = error


def _error_of(outcome: InvokeResult | LMError) -> LMError:
    if isinstance(outcome, LMError):
        return outcome
    try:
        outcome.raise_for_error()
    except FunctionError as error:
        return error
    raise ValueError("it did not fail")


def _is_hopeless(error: LMError) -> bool:
    """Whether every later call would end alike: refused for good, or wrong here."""
    if isinstance(error, ServiceError):
        return error.outcome == Outcome.REJECTED
    return not isinstance(error, FunctionError | TransportError)


def _keep_errors(run: _Run, arguments: Mapping[str, Any]) -> None:
    if "error_variable" in arguments and run.errors:
        keep(run.door, arguments["error_variable"], list(run.errors))


def _call_values(values: Mapping[str, Any], engine: Engine) -> dict[str, Any]:
    """What Invoke-LMFunction gets: what was given here, defaults set for Measure-LMFunction, and what must be."""
    every = dict(values)
    add_defaults(MEASURE, every, engine.defaults.values_for(MEASURE))
    return {**{name: value for name, value in every.items() if name in INVOKE.by_name and name not in _HERE}, **_FIXED}


_HERE: Final = ("ThrottleLimit", "OutVariable", "ErrorVariable")


@dataclass(frozen=True)
class PlannedMeasurement:
    """What -WhatIf shows: the call, and how often it would be made."""

    plan: Plan
    count: int
    throttle_limit: int

    def __repr__(self) -> str:
        return f"{self.plan!r}".rstrip(".") + f", {self._often()}."

    def card(self) -> Card:
        """The card of the call, with how often it would be made."""
        card = self.plan.card()
        return dataclasses.replace(card, facts=(*card.facts, self._often()))

    def _often(self) -> str:
        together = "one after the other" if self.throttle_limit == 1 else f"{self.throttle_limit:,} at a time"
        return f"{self.count:,} times, {together}" if self.count > 1 else "once"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: repr(self), include, exclude)


def _calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"

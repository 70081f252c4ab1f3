"""Several objects into Invoke-LMFunction: at most `limit` calls under way, each at most once.

Objects are read, bound, checked and confirmed in the caller's thread, one after the other; threads only send. They are
daemons: an interrupted run neither waits for its calls nor keeps the process alive.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from lmfunction._batch import Batch
from lmfunction._bulk_result import BulkResult, Item
from lmfunction._cmdlets import Call, prepare
from lmfunction._crew import Crew, Job
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._journaling import KeptCall, begun, open_run
from lmfunction._kept_run import KeptRun
from lmfunction._model import InvokeResult, Outcome
from lmfunction._progress import Counts, Progress, Viewers, shown
from lmfunction._run_items import Kept
from lmfunction._survey import Binding, surveyed
from lmfunction._text import one_line
from lmfunction._waiting import tick
from lmfunction.errors import BulkError, GuardError, InvocationInterrupted, LMError, TransportError

OnResult = Callable[[InvokeResult], None]


@dataclass(frozen=True)
class Watch:
    """Who is shown how a run goes on, and what is known of it beforehand; `total` None: nobody knows how many."""

    viewers: Viewers = ()
    title: str = "invocations"
    total: int | None = None


def invoke_many(
    objects: Iterable[Any],
    bind: Binding,
    engine: Engine,
    door: Door,
    on_result: OnResult,
    limit: int,
    watch: Watch = Watch(),
) -> BulkResult:
    """Invokes once for each of `objects`, whose parameters `bind` gives.

    With ErrorAction Stop the first failure ends the feeding; calls under way are waited for, then BulkError is raised,
    whose `result` holds everything; so it is when the objects themselves cannot be read on. On Ctrl-C
    InvocationInterrupted is raised at once, with `result` too: nothing more is sent, not even again. Where a guard
    refuses them before the first is sent it is GuardError.
    """
    objects, batch = surveyed(objects, watch.total, bind, engine, door)
    kept = None if batch.dry else open_run(bind, engine, door)
    run = BulkResult(
        retry=lambda again: invoke_many(again, bind, engine, door, on_result, limit, replace(watch, total=len(again)))
    )
    crew = Crew(engine, limit)
    feeding = _Feeding(run, crew, door, on_result, batch, kept)
    start = time.monotonic()
    try:
        source = iter(objects) if kept is None else begun(kept, run, objects, watch.total, bind, engine)
        with shown(
            watch.viewers, lambda elapsed: feeding.progress(watch, elapsed), engine.policy.clock, end="ended after"
        ):
            feeding.feed(source, lambda item: _prepared(item, bind, engine, door, batch))
    except KeyboardInterrupt:
        raise _interrupted(run, crew) from None
    finally:
        crew.dismiss()
        run.elapsed_ms = (time.monotonic() - start) * 1000
        if kept is not None:
            kept.end()
    if batch.dry:
        door.show(batch.plan.resolved())
    if batch.closed is not None:
        raise _closed(run, batch.closed)
    if kept is not None and kept.failed is not None:
        raise _unwritten(run, kept.failed)
    if feeding.stopping:
        raise _stopped(run)
    if feeding.unreadable is not None:
        why = one_line(f"{type(feeding.unreadable).__name__}: {feeding.unreadable}", 200)
        raise BulkError(
            f"Object {len(run.items) + 1} could not be read: {why}\n  {_told(run)} The error's .result holds them.",
            result=run,
        ) from feeding.unreadable
    if kept is not None and run.unknown:
        raise _left_unknown(run, kept)
    return run


@dataclass
class _Feeding:
    """One run under way: objects go to the crew, one by one, until they end, one fails, or they cannot be read on."""

    run: BulkResult
    crew: Crew
    door: Door
    on_result: OnResult
    batch: Batch
    kept: KeptRun | None = None
    stopping: bool = False
    failed: int = 0
    unreadable: Exception | None = None

    def feed(self, source: Iterator[Any], prepared: Callable[[Item], Call | None]) -> None:
        """Sends what `prepared` makes of each object, and waits for all answers."""
        while not self.stopping and (self.kept is None or self.kept.failed is None):
            for done in self.crew.wait_for_a_hand():
                self._take(done)
            tick()
            if self.stopping or not self._feed_next(source, prepared):
                break
        for done in self.crew.drain():
            self._take(done)

    def progress(self, watch: Watch, elapsed: float) -> Progress:
        """How far the run is."""
        in_flight = len(self.crew.open)
        counts = Counts(len(self.run.items) - in_flight, self.failed, in_flight, watch.total)
        return Progress(watch.title, elapsed, counts=counts, on_stop="ends the run, not the calls in flight")

    def _feed_next(self, source: Iterator[Any], prepared: Callable[[Item], Call | None]) -> bool:
        """Takes one object and sends its call; False when there is none to take."""
        try:
            value = next(source)
        except StopIteration:
            return False
        except Exception as error:  # noqa: BLE001 - the user's iterator; what was sent before must stay reachable
            self.unreadable = error
            return False
        item = _item_for(value, self.run)
        call = prepared(item)
        if call is not None:
            self.crew.send(Job(item, call if self.kept is None else KeptCall(call, item, self.kept)))
        elif item.error is not None:
            self.failed += 1
            if self.kept is not None:
                self.kept.refuse(item.index, item.error)
            self.stopping = self.door.error_action == "Stop"
        return self.batch.closed is None

    def _take(self, job: Job) -> None:
        """Takes note of a call that ended; its failure may end the run."""
        if job.item.result is not None:
            self.on_result(job.item.result)
        if not job.item.ok:
            self.failed += 1
            self.stopping |= job.call.error_action(self.door) == "Stop"


def _item_for(value: Any, run: BulkResult) -> Item:
    """The place of an object in the result: of one that a journal held before, the one it has there."""
    if isinstance(value, Kept) and value.entry.seq < len(run.items):
        return run.items[value.entry.seq]
    item = Item(len(run.items), value)
    run.items.append(item)
    return item


def _prepared(item: Item, bind: Binding, engine: Engine, door: Door, batch: Batch) -> Call | None:
    """The call for one object; None with the reason in the item, or when it is only planned."""
    try:
        call = prepare(bind(item.input), engine, door, batch)
        item.select = call.select if call is not None else None
        return call
    except LMError as error:
        item.error = error
        if batch.dry:
            batch.plan.refuse(error)
        return None


def _closed(run: BulkResult, refusal: GuardError) -> LMError:
    """The refusal, which ended the run; when something had been sent, with the result."""
    if all(item.result is None and item.outcome is Outcome.NOT_SENT for item in run.items):
        return refusal
    error = BulkError(
        f"Stopped at object {len(run.items):,}: {refusal.args[0]}\n  {_told(run)} Nothing more was sent. "
        "The error's .result holds them all.",
        result=run,
    )
    error.__cause__ = refusal
    return error


def _stopped(run: BulkResult) -> BulkError:
    first = next(item for item in run.items if not item.ok)
    error = BulkError(
        f"Stopped at object {first.index + 1}: {first.told()}\n  {_told(run)} Nothing more was sent. "
        f"The error's .result holds them all.{f'{chr(10)}  RequestId: {first.request_id}' if first.request_id else ''}",
        result=run,
    )
    error.request_id = first.request_id
    return error


def _unwritten(run: BulkResult, why: LMError) -> LMError:
    """The journal's error; when something had been sent, with the result."""
    if all(item.outcome is Outcome.NOT_SENT for item in run.items):
        return why
    error = BulkError(f"{why.args[0]}\n  {_told(run)} The error's .result holds them all.", result=run)
    error.__cause__ = why
    return error


def _left_unknown(run: BulkResult, kept: KeptRun) -> BulkError:
    first = run.unknown[0]
    count = len(run.unknown)
    return BulkError(
        f"Of {count:,} item{'' if count == 1 else 's'} nobody knows whether {'it' if count == 1 else 'they'} ran; the "
        f"first is object {first.index + 1}: {first.told()}\n  {_told(run)} The error's .result holds them all, and so "
        f"does the journal {one_line(kept.journal.path, 200)}.",
        result=run,
    )


def _told(run: BulkResult) -> str:
    counts = ((len(run.succeeded), "succeeded"), (len(run.failed), "failed"), (len(run.unknown), "are unknown"))
    told = ", ".join(f"{count:,} {what}" for count, what in counts if count)
    return f"{told}." if told else "None had succeeded."


def _interrupted(run: BulkResult, crew: Crew) -> InvocationInterrupted:
    under_way = crew.abandon()
    for item in under_way:
        item.error = TransportError("Stopped while the call was under way.", sent=None, outcome="UNKNOWN")
    crew.stopped.set()
    return InvocationInterrupted(
        f"Stopped. {len(run.succeeded):,} had succeeded, {len(under_way):,} were under way and may still be running; "
        "AWS cannot cancel an invocation. The error's .result holds what is known.",
        sent=None if under_way else False,
        result=run,
    )

"""Several objects into Invoke-LMFunction: at most `limit` calls under way, each at most once.

Objects are read, bound, checked and confirmed in the caller's thread, one after the other; threads only send. They are
daemons: an interrupted run neither waits for its calls nor keeps the process alive.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lmfunction._bulk_result import BulkResult, Item
from lmfunction._cmdlets import Call, Engine, prepare
from lmfunction._door import Door
from lmfunction._model import InvokeResult
from lmfunction.errors import BulkError, FunctionError, InvocationInterrupted, LMError, ParameterError, TransportError

OnResult = Callable[[InvokeResult], None]


@dataclass(frozen=True)
class Job:
    """What to send and where its answer goes."""

    item: Item
    call: Call


def invoke_many(
    objects: Iterable[Any],
    bind: Callable[[Any], Mapping[str, Any]],
    engine: Engine,
    door: Door,
    on_result: OnResult,
    limit: int,
) -> BulkResult:
    """Invokes once for each of `objects`, whose parameters `bind` gives.

    With ErrorAction Stop the first failure ends the feeding; calls under way are waited for, then BulkError is raised,
    whose `result` holds everything. On Ctrl-C InvocationInterrupted is raised at once, with `result` too.
    """
    run = BulkResult(retry=lambda again: invoke_many(again, bind, engine, door, on_result, limit))
    crew = _Crew(engine, limit)
    start = time.monotonic()
    stopping: Item | None = None
    try:
        for index, value in enumerate(objects):
            item = Item(index, value)
            run.items.append(item)
            call = _prepared(item, bind, engine, door)
            if call is not None:
                for done in crew.send(Job(item, call)):
                    stopping = stopping or _stops(done, door, on_result)
            elif item.error is not None and door.error_action == "Stop":
                stopping = item
            if stopping is not None:
                break
        for done in crew.drain():
            stopping = stopping or _stops(done, door, on_result)
    except KeyboardInterrupt:
        raise _interrupted(run, crew) from None
    finally:
        crew.dismiss()
        run.elapsed_ms = (time.monotonic() - start) * 1000
    if stopping is not None:
        stopping = next(item for item in run.items if not item.ok)
        raise BulkError(
            f"Stopped at object {stopping.index + 1}: {stopping.told()}\n  {len(run.succeeded):,} had succeeded, the "
            "rest was not sent. The error's .result holds them all.",
            result=run,
        )
    return run


def _prepared(item: Item, bind: Callable[[Any], Mapping[str, Any]], engine: Engine, door: Door) -> Call | None:
    """The call for one object; None with the reason in the item, or when -WhatIf showed it."""
    try:
        call = prepare(bind(item.input), engine, door)
        item.select = call.select if call is not None else None
        return call
    except (ParameterError, FunctionError) as error:
        item.error = error
        return None


def _stops(job: Job, door: Door, on_result: OnResult) -> Item | None:
    """The job's item when its failure ends the run."""
    if job.item.result is not None:
        on_result(job.item.result)
    return job.item if not job.item.ok and job.call.error_action(door) == "Stop" else None


def _interrupted(run: BulkResult, crew: _Crew) -> InvocationInterrupted:
    under_way = crew.under_way()
    for item in under_way:
        item.error = TransportError("Stopped while the call was under way.", sent=None, outcome="UNKNOWN")
    return InvocationInterrupted(
        f"Stopped. {len(run.succeeded):,} had succeeded, {len(under_way):,} were under way and may still be running; "
        "AWS cannot cancel an invocation. The error's .result holds what is known.",
        sent=None if under_way else False,
        result=run,
    )


class _Crew:
    """Threads that send, started as work comes, at most `limit` of them."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self.engine = engine
        self.limit = limit
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.done: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.open: dict[int, Item] = {}
        self.threads = 0

    def send(self, job: Job) -> list[Job]:
        """Hands a job over; gives those that ended meanwhile, waiting for one when every hand is busy."""
        ended = [self._take()] if len(self.open) >= self.limit else []
        self.open[job.item.index] = job.item
        if self.threads < min(self.limit, len(self.open)):
            self.threads += 1
            threading.Thread(target=self._work, name=f"invoke-{self.threads}", daemon=True).start()
        self.jobs.put(job)
        while not self.done.empty():
            ended.append(self._take())
        return ended

    def drain(self) -> Iterable[Job]:
        """Waits for every job under way."""
        while self.open:
            yield self._take()

    def under_way(self) -> list[Item]:
        """The items that were handed over and have not come back."""
        while not self.done.empty():
            self._take()
        return list(self.open.values())

    def dismiss(self) -> None:
        """Lets the threads end when they have nothing left to send."""
        for _ in range(self.threads):
            self.jobs.put(None)

    def _take(self) -> Job:
        while True:
            # In steps: where the caller is not the main thread, Ctrl-C reaches it between two of them only.
            with contextlib.suppress(queue.Empty):
                job = self.done.get(timeout=0.1)
                del self.open[job.item.index]
                return job

    def _work(self) -> None:
        while (job := self.jobs.get()) is not None:
            try:
                job.item.result = job.call.send(self.engine)
            except LMError as error:
                job.item.error = error
            finally:
                self.done.put(job)

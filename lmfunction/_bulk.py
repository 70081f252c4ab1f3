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
from dataclasses import dataclass, replace
from typing import Any

from lmfunction._bulk_result import BulkResult, Item
from lmfunction._cmdlets import Call, prepare
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._model import InvokeResult
from lmfunction._text import one_line
from lmfunction.errors import BulkError, InvocationInterrupted, LMError, TransportError

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
    whose `result` holds everything; so it is when the objects themselves cannot be read on. On Ctrl-C
    InvocationInterrupted is raised at once, with `result` too: nothing more is sent, not even again.
    """
    run = BulkResult(retry=lambda again: invoke_many(again, bind, engine, door, on_result, limit))
    crew = _Crew(engine, limit)
    start = time.monotonic()
    stopping = False
    unreadable: Exception | None = None
    source = iter(objects)
    try:
        while True:
            for done in crew.wait_for_a_hand():
                stopping |= _stops(done, door, on_result)
            if stopping:
                break
            try:
                value = next(source)
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001 - the user's iterator; what was sent before must stay reachable
                unreadable = error
                break
            item = Item(len(run.items), value)
            run.items.append(item)
            call = _prepared(item, bind, engine, door)
            if call is not None:
                crew.send(Job(item, call))
            elif item.error is not None:
                stopping = door.error_action == "Stop"
        for done in crew.drain():
            stopping |= _stops(done, door, on_result)
    except KeyboardInterrupt:
        raise _interrupted(run, crew) from None
    finally:
        crew.dismiss()
        run.elapsed_ms = (time.monotonic() - start) * 1000
    if stopping:
        raise _stopped(run)
    if unreadable is not None:
        why = one_line(f"{type(unreadable).__name__}: {unreadable}", 200)
        raise BulkError(
            f"Object {len(run.items) + 1} could not be read: {why}\n  {_told(run)} The error's .result holds them.",
            result=run,
        ) from unreadable
    return run


def _prepared(item: Item, bind: Callable[[Any], Mapping[str, Any]], engine: Engine, door: Door) -> Call | None:
    """The call for one object; None with the reason in the item, or when -WhatIf showed it."""
    try:
        call = prepare(bind(item.input), engine, door)
        item.select = call.select if call is not None else None
        return call
    except LMError as error:
        item.error = error
        return None


def _stops(job: Job, door: Door, on_result: OnResult) -> bool:
    """Whether the job's failure ends the run."""
    if job.item.result is not None:
        on_result(job.item.result)
    return not job.item.ok and job.call.error_action(door) == "Stop"


def _stopped(run: BulkResult) -> BulkError:
    first = next(item for item in run.items if not item.ok)
    error = BulkError(
        f"Stopped at object {first.index + 1}: {first.told()}\n  {_told(run)} Nothing more was sent. "
        f"The error's .result holds them all.{f'{chr(10)}  RequestId: {first.request_id}' if first.request_id else ''}",
        result=run,
    )
    error.request_id = first.request_id
    return error


def _told(run: BulkResult) -> str:
    counts = ((len(run.succeeded), "succeeded"), (len(run.failed), "failed"), (len(run.unknown), "are unknown"))
    told = ", ".join(f"{count:,} {what}" for count, what in counts if count)
    return f"{told}." if told else "None had succeeded."


def _interrupted(run: BulkResult, crew: _Crew) -> InvocationInterrupted:
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


class _Abandoned(Exception):  # noqa: N818 - ends a wait between two tries, nobody sees it
    pass


class _Crew:
    """Threads that send, started as work comes, at most `limit` of them."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self.stopped = threading.Event()
        self.engine = replace(engine, policy=replace(engine.policy, sleep=self._sleeper(engine.policy.sleep)))
        self.limit = limit
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.done: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.open: dict[int, Item] = {}
        self.threads = 0

    def wait_for_a_hand(self) -> list[Job]:
        """Waits while every hand is busy; gives the jobs that ended meanwhile."""
        ended = []
        while len(self.open) >= self.limit or not self.done.empty():
            ended.append(self._take())
        return ended

    def send(self, job: Job) -> None:
        """Hands a job to a free hand."""
        self.open[job.item.index] = job.item
        if self.threads < min(self.limit, len(self.open)):
            self.threads += 1
            threading.Thread(target=self._work, name=f"invoke-{self.threads}", daemon=True).start()
        self.jobs.put(job)

    def drain(self) -> Iterable[Job]:
        """Waits for every job under way."""
        while self.open:
            yield self._take()

    def abandon(self) -> list[Item]:
        """Takes back what no thread has begun, and gives the items whose calls are under way."""
        with contextlib.suppress(queue.Empty):
            while (job := self.jobs.get_nowait()) is not None:
                self.open.pop(job.item.index, None)
        with contextlib.suppress(queue.Empty):
            while True:
                self.open.pop(self.done.get_nowait().item.index, None)
        return [item for item in self.open.values() if item.result is None]

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

    def _sleeper(self, sleep: Callable[[float], None]) -> Callable[[float], None]:
        """The wait between two tries, which ends with the run: what was stopped is not sent again."""

        def wait(seconds: float) -> None:
            if sleep is time.sleep:
                self.stopped.wait(seconds)
            else:
                sleep(seconds)
            if self.stopped.is_set():
                raise _Abandoned

        return wait

    def _work(self) -> None:
        while (job := self.jobs.get()) is not None:
            try:
                job.item.result = job.call.send(self.engine)
            except LMError as error:
                job.item.error = error
            except _Abandoned:
                job.item.error = TransportError(
                    "Stopped before it was sent again; it did not run.", sent=False, outcome="NOT_SENT"
                )
            except Exception as error:  # noqa: BLE001 - a thread that ended would take its answer with it
                job.item.error = TransportError(
                    f"The call failed inside lmfunction: {one_line(f'{type(error).__name__}: {error}', 200)}.",
                    sent=None,
                )
            finally:
                self.done.put(job)

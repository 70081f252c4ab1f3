"""Threads that send calls, at most so many at a time. They are daemons: who stops waiting is not held up by them."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple, Protocol

from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._item import Item
from lmfunction._model import InvokeResult
from lmfunction._retry import AtLeastOnce
from lmfunction._text import one_line
from lmfunction._waiting import tick
from lmfunction.errors import LMError, TransportError


class Sendable(Protocol):
    """A call, with whatever happens before and after it."""

    def send(self, engine: Engine) -> InvokeResult:
        """Sends it, at most once. Raises LMError."""

    def error_action(self, door: Door) -> str:
        """What a failed function does."""


class Job(NamedTuple):
    """What to send and where its answer goes. `counts` unless its end says nothing of how other calls would end."""

    item: Item
    call: Sendable
    counts: bool = True


class _Abandoned(Exception):  # noqa: N818 - ends a wait between two tries, nobody sees it
    outcome = "NOT_SENT"  # for an audit: the last try was refused, and there was no other


class Crew:
    """Threads that send, started as work comes, at most `limit` of them; `at_least_once` what may have run, too."""

    def __init__(self, engine: Engine, limit: int, *, at_least_once: bool = False) -> None:
        self.stopped = threading.Event()
        self.bell = threading.Event()  # rings when a job ended
        self._repeated: list[None] = []  # to append is one step, whatever thread does it
        policy = replace(engine.policy, sleep=self._sleeper(engine.policy.sleep))
        if at_least_once:
            policy = AtLeastOnce.like(policy, lambda: self._repeated.append(None))
        self.engine = replace(engine, policy=policy)
        self.limit = limit
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.done: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.open: dict[int, Item] = {}
        self.threads = 0

    @property
    def possible_duplicates(self) -> int:
        """How many calls were sent again that may have run."""
        return len(self._repeated)

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

    def take(self) -> list[Job]:
        """The jobs that ended since the last time."""
        ended = []
        self.bell.clear()
        with contextlib.suppress(queue.Empty):
            while True:
                job = self.done.get_nowait()
                del self.open[job.item.index]
                ended.append(job)
        return ended

    def wait(self, seconds: float) -> None:
        """Waits until a job ended, at most so long. Takes nothing: an interrupt would let it fall."""
        if self.done.empty():
            self.bell.wait(seconds)

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
            tick()
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
                self.bell.set()

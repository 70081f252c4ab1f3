"""Keeps what must not be lost, in a thread of its own: many changes at once become one commit.

The event loop hands over changes and goes on; it is told when they are on the disk. Without a state folder nothing
needs to be kept but the records of destinations, and the thread starts with the first of them.

Order: records are written before the event they tell of is forgotten. Between the two a kill leaves the event in the
queue, so that it runs again; nothing is lost, and a record may stand there twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lmfunction.local._event import Event
from lmfunction.local._sinks import Sinks
from lmfunction.local._state import Change, State, event_row, function_row, no_event, no_function

Done = Callable[[Exception | None], None]

_GROUP: Final = 2_000  # changes in one commit at most: the first of them waits for the last


@dataclass(frozen=True, slots=True)
class _Job:
    lines: Sequence[tuple[str, bytes]]
    changes: Sequence[Change]
    done: Done
    folders: Sequence[Path] = ()


class Store:
    """Keeps events, functions and records. `state` None keeps records only.

    Each `done` is called in the event loop, once, with None or with what went wrong.
    """

    def __init__(self, sinks: Sinks, state: State | None = None) -> None:
        self._sinks = sinks
        self._state = state
        self._loop = asyncio.get_running_loop()
        self._jobs: list[_Job] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._synced: set[Path] = set()

    def add(self, event: Event, done: Done) -> None:
        """Keeps a new event."""
        self._keep([event_row(event)] if self._state else [], done)

    def change(self, event: Event, done: Done) -> None:
        """Keeps an event that has been tried."""
        self._keep([event_row(event)] if self._state else [], done)

    def finish(self, event: Event, lines: Sequence[tuple[str, bytes]], follow_up: Sequence[Event], done: Done) -> None:
        """Writes records, forgets the event and keeps those that follow from it."""
        self._keep([no_event(event), *map(event_row, follow_up)] if self._state else [], done, lines)

    def put_function(self, name: str, content: str, folders: Sequence[Path], done: Done) -> None:
        """Keeps a function, after its code in `folders`."""
        if self._state is None:
            done(None)
        else:
            self._hand_over(_Job((), [function_row(name, content)], done, folders))

    def remove_function(self, name: str, done: Done) -> None:
        """Forgets a function."""
        self._keep([no_function(name)] if self._state else [], done)

    def flush(self, done: Done) -> None:
        """Calls `done` when all that was handed over before is on the disk."""
        if self._thread is None:
            done(None)
        else:
            self._hand_over(_Job((), (), done))

    def close(self) -> None:
        """Waits until all is on the disk, and lets the state folder go."""
        if self._thread is not None:
            with self._changed:
                self._closing = True
                self._changed.notify()
            self._thread.join()
        if self._state is not None:
            self._state.close()

    def _keep(self, changes: Sequence[Change], done: Done, lines: Sequence[tuple[str, bytes]] = ()) -> None:
        if not changes and not lines:
            done(None)
        else:
            self._hand_over(_Job(lines, changes, done))

    def _hand_over(self, job: _Job) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="lmfunction-store", daemon=True)
            self._thread.start()
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._jobs and not self._closing:
                    self._changed.wait()
                group, self._jobs = self._jobs[:_GROUP], self._jobs[_GROUP:]
            if not group:
                return
            outcomes = self._write_each(group)
            with contextlib.suppress(RuntimeError):  # the event loop is closed
                self._loop.call_soon_threadsafe(self._tell, outcomes)

    def _write_each(self, group: Sequence[_Job]) -> list[tuple[Done, Exception | None]]:
        """Writes a group as one; where that fails each alone, so that one does not spoil the others."""
        error = self._write(group)
        if error is None or len(group) == 1:
            return [(job.done, error) for job in group]
        return [(job.done, self._write([job])) for job in group]

    def _write(self, group: Sequence[_Job]) -> Exception | None:
        try:
            self._sync({folder for job in group for folder in job.folders})
            self._sinks.append(line for job in group for line in job.lines)
            changes = [change for job in group for change in job.changes]
            if changes and self._state is not None:
                self._state.write(changes)
        except Exception as error:  # noqa: BLE001 - the thread must live on; whoever waits is told
            return error
        return None

    def _sync(self, folders: set[Path]) -> None:
        """Has code on the disk, once: it is never changed."""
        for folder in folders - self._synced:
            for path in (folder, *folder.rglob("*")):
                _sync_path(path)
            self._synced.add(folder)

    def _tell(self, outcomes: Sequence[tuple[Done, Exception | None]]) -> None:
        for done, error in outcomes:
            self._loop.call_soon(done, error)  # each for itself, whatever becomes of the others


def _sync_path(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:  # a link, or removed meanwhile
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Jobs: commands that go on in threads of this process while the user does something else.

A job is stopped as Ctrl-C stops a command: once, and what it drains can be left by stopping it once more. It prints
nothing: its messages are kept, and told by who receives its result. It ends with the process, which tells of it.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Final, Literal

from lmfunction._card_list import CardList
from lmfunction._progress import Progress
from lmfunction._text import one_line
from lmfunction._thread_interrupts import Watch, watched
from lmfunction._unset import UNSET
from lmfunction._waiting import tick
from lmfunction.errors import InvocationInterrupted, LMError, LMWarning

State = Literal["Running", "Completed", "Failed", "Stopped"]

_STEP: Final = 0.1  # seconds: where the caller is not the main thread, Ctrl-C reaches it between two of them only
_STOPPING: Final = 15.0  # seconds that a stop is waited for: a run drains 10 s at most
_AT_THE_END: Final = 1.5  # seconds for draining when the session or the process ends, and as many for leaving


class Job:
    """A command in the background. `state` is Running, Completed, Failed or Stopped.

    `command` is its line without payloads and secrets, `begin_time` and `end_time` are local times. `result` is what it
    emitted, and of a run of several the BulkResult, which fills while it runs; `error` why it failed or was stopped.
    """

    def __init__(
        self,
        number: int,
        command: str,
        work: Callable[[], Any],
        progress: Callable[[float], Progress],
        *,
        partial: Any = None,
        line: Mapping[str, Any],
    ) -> None:
        self.id = number
        self.name = f"Job{number}"
        self.command = command
        self.line = line  # the arguments of its line, by Python name
        self.state: State = "Running"
        self.error: BaseException | None = None
        self.begin_time = datetime.datetime.now().astimezone()
        self.end_time: datetime.datetime | None = None
        self.messages: list[tuple[Any, str]] = []
        self.received = False
        self._work: Callable[[], Any] | None = work
        self._progress = progress
        self._value: Any = UNSET
        self._partial = partial
        self._start = time.monotonic()
        self._took: float | None = None
        self._watch: Watch | None = None
        self._begun = threading.Event()
        self._over = threading.Event()

    @property
    def ended(self) -> bool:
        """Whether it does not run any more."""
        return self._over.is_set()

    @property
    def result(self) -> Any:
        """What it emitted, or what there is so far; None when there is nothing, or it was received."""
        if self._value is not UNSET:
            return self._value
        return self._partial if self._partial is not None else getattr(self.error, "result", None)

    @property
    def has_more_data(self) -> bool:
        """Whether there is a result, or will be, that was not received."""
        return not self.received

    @property
    def warnings(self) -> list[str]:
        """The warnings so far that were not received."""
        return [text for level, text in self.messages if level == "warning"]

    @property
    def progress(self) -> Progress:
        """How far it is; once it has ended, how far it came."""
        if self._took is None:
            return self._progress(time.monotonic() - self._start)
        found = self._progress(self._took)
        counts = None if found.counts is None else replace(found.counts, in_flight=0)
        return replace(found, counts=counts, ended="ran")

    @property
    def facts(self) -> tuple[str, ...]:
        """How far it is, in a few words each."""
        return self.progress.facts

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it has ended, so many seconds at most; whether it has."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self._over.wait(_STEP if end is None else max(0.0, min(_STEP, end - time.monotonic()))):
            tick()
            if end is not None and time.monotonic() >= end:
                break
        return self.ended

    def receive(self, *, keep: bool = False, wait: bool = False) -> Any:
        """Its result, which it lets go then, unless `keep` says otherwise; None while it runs, unless it is to `wait`.

        Its warnings are given as warnings. Raises its error when it failed, each time.
        """
        if wait:
            self.wait()
        for text in self.warnings:
            warnings.warn(text, LMWarning, stacklevel=2)
        self.messages.clear()
        if not self.ended:
            warnings.warn(self.still_running(), LMWarning, stacklevel=2)
            return None
        if self.state == "Failed" and self.error is not None:
            raise self.error
        if self.state == "Stopped":
            warnings.warn(f"{self.name} was stopped: {self.error}", LMWarning, stacklevel=2)
        return self.take(keep=keep)

    def take(self, *, keep: bool = False) -> Any:
        """What it emitted; None when that was taken before."""
        found = self.result
        if not keep:
            self.received = True
            self._value, self._partial = None, None
            if self.state == "Stopped" and isinstance(self.error, InvocationInterrupted):
                self.error.result = None
        return found

    def stop(self, timeout: float = _STOPPING) -> bool:
        """Stops it as Ctrl-C does, and waits until it has ended, so many seconds at most; whether it has.

        A run of several drains first: stop it once more, or press Ctrl-C, to leave the calls under way.
        """
        self.interrupt()
        try:
            return self.wait(timeout)
        except KeyboardInterrupt:
            self.interrupt()
            self.wait(1.0)
            raise

    def interrupt(self) -> None:
        """Stops it, without waiting."""
        self._begun.wait(_STEP)
        if self._watch is not None and not self.ended:
            self._watch.interrupt()

    def still_running(self) -> str:
        """That there is no result yet, for people."""
        return (
            f"{self.name} is still running ({', '.join(self.facts)}): receive_job {self.id} -Wait waits for its "
            "result, .result holds what there is so far."
        )

    def run(self, inside: AbstractContextManager[Any]) -> None:
        """What its thread does. `inside` is what the command needs around it."""
        work, self._work = self._work, None
        assert work is not None
        state: State = "Completed"
        try:
            with inside, watched() as watch:
                self._watch = watch
                self._begun.set()
                self._value = work()
        except KeyboardInterrupt as error:  # Stop-Job; what was emitted right before it is there all the same
            state = "Completed" if self._value is not UNSET else "Stopped"
            self.error = None if self._value is not UNSET else error
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is received
            state, self.error = "Failed", error
        self._took = time.monotonic() - self._start
        self.end_time = datetime.datetime.now().astimezone()
        self.state = state
        _running.discard(self)
        self._over.set()

    def to_dict(self) -> dict[str, Any]:
        """What it is and how far, as plain data, without its result."""
        counts = self.progress.counts
        end = self.end_time
        found = {
            "Id": self.id,
            "Name": self.name,
            "State": self.state,
            "HasMoreData": self.has_more_data,
            "Command": self.command,
            "BeginTime": self.begin_time.isoformat(timespec="milliseconds"),
            "EndTime": end.isoformat(timespec="milliseconds") if end is not None else None,
            "Done": counts.done if counts is not None else None,
            "Failed": counts.failed if counts is not None else None,
            "InFlight": counts.in_flight if counts is not None else None,
            "Total": counts.total if counts is not None else None,
            "Error": f"{type(self.error).__name__}: {self.error}" if self.error is not None else None,
        }
        return {name: value for name, value in found.items() if value is not None}

    def card(self) -> Any:
        """The card, as it stands now."""
        from lmfunction._job_card import job_card

        return job_card(self)

    def __repr__(self) -> str:
        told = ", ".join(self.facts)
        return f"<Job {self.id} {self.state}: {one_line(self.command, 80)}{f' ({told})' if told else ''}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: repr(self), include, exclude)


class JobList(CardList[Job]):
    """Jobs: a list that shows itself as a table."""

    def pipeline_objects(self) -> Iterator[Job]:
        """The jobs one by one."""
        return iter(self)

    def to_dict(self) -> list[Any]:
        """The jobs as plain data."""
        return [job.to_dict() for job in self]

    def card(self) -> Any:
        """The card: a row for each, as it stands now."""
        from lmfunction._job_card import jobs_card

        return jobs_card(self)

    def in_one_line(self) -> str:
        """What they are, for where there is no room for the card."""
        return (
            f"<{len(self)} job{'' if len(self) == 1 else 's'}: {', '.join(f'{job.id} {job.state}' for job in self)}>"
            if self
            else "<no jobs>"
        )


class Jobs:
    """The jobs of one session, in the order in which they began."""

    def __init__(self) -> None:
        self._jobs: dict[int, Job] = {}
        self._last = 0

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs.values()))

    def begin(
        self,
        command: str,
        work: Callable[[], Any],
        progress: Callable[[float], Progress],
        inside: AbstractContextManager[Any],
        *,
        partial: Any = None,
        line: Mapping[str, Any],
        messages: list[tuple[Any, str]],
    ) -> Job:
        """The job that does `work`, in a thread that begins now. `messages` gets what it tells."""
        self._last += 1
        job = Job(self._last, command, work, progress, partial=partial, line=line)
        job.messages = messages
        self._jobs[job.id] = job
        if not _running:
            atexit.unregister(_end_with_the_process)  # so that it comes before what was registered since
            atexit.register(_end_with_the_process, os.getpid())
        _running.add(job)
        threading.Thread(target=job.run, args=[inside], name=f"job-{job.id}", daemon=True).start()
        return job

    def remove(self, job: Job) -> None:
        """Forgets a job. Raises LMError for one that runs."""
        if not job.ended:
            raise LMError(f"{job.name} is running: stop_job {job.id} first, or -Force, which does.")
        self._jobs.pop(job.id, None)

    def close(self) -> None:
        """Stops those that run and warns of each. They remain in the list."""
        for text in end_all([job for job in self if not job.ended]):
            warnings.warn(text, LMWarning, stacklevel=3)


_running: Final[set[Job]] = set()


def end_all(jobs: Iterable[Job]) -> Iterator[str]:
    """Stops `jobs`, waits for them briefly, and gives what there is to tell of each."""
    jobs = list(jobs)
    for _ in range(2):
        for job in jobs:
            job.interrupt()
        end = time.monotonic() + _AT_THE_END
        for job in jobs:
            job.wait(max(0.0, end - time.monotonic()))
    for job in jobs:
        told = str(job.error) if job.ended else "It did not end in time, and nobody knows what became of its calls."
        journal = job.line.get("journal")
        on = "" if journal is None or "resume_lm_run" in told else f" resume_lm_run {journal} goes on with it."
        yield f"{job.name} ({job.command}) was ended, {', '.join(job.facts)}: {told}{on}"


def _end_with_the_process(pid: int) -> None:
    if os.getpid() != pid:  # a fork has no such threads
        return
    with contextlib.suppress(Exception):
        for text in end_all(list(_running)):
            sys.stderr.write(f"WARNING: {text}\n")

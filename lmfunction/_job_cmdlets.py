"""Get-, Wait-, Receive-, Stop- and Remove-Job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from lmfunction._bulk_result import BulkResult
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._failures import act_on_error
from lmfunction._gathered import Gathered, gather
from lmfunction._jobs import Job, JobList, Jobs
from lmfunction._model import InvokeResult
from lmfunction._notices import Notices, assign, check_assignable, empty_lists, keep
from lmfunction._operators import wildcard
from lmfunction._params import Cmdlet
from lmfunction._pipeline import Objects
from lmfunction._progress import Progress, shown, wanted
from lmfunction.errors import InvocationInterrupted, LMError, ParameterError

OnResult = Callable[[InvokeResult], None]


def run_job_cmdlet(cmdlet: Cmdlet, values: Mapping[str, Any], engine: Engine, door: Door, on_result: OnResult) -> Any:
    """What `cmdlet` emits for `values` (by parameter name), or NOTHING. Raises ParameterError for a job unknown."""
    gathered = gather(cmdlet, values, engine)
    arguments = gathered.arguments
    check_assignable(arguments, door)
    empty_lists(arguments, door)
    jobs = _chosen(cmdlet, arguments, engine.jobs)
    emitted = _STEPS[cmdlet.name](jobs, gathered, engine, door, on_result)
    if "out_variable" in arguments and emitted is not NOTHING:
        assign(door, arguments["out_variable"], emitted)
    return emitted


def _get(jobs: JobList, gathered: Gathered, engine: Engine, door: Door, on_result: OnResult) -> Any:
    state = gathered.arguments.get("state")
    found = JobList(job for job in jobs if state is None or job.state == state)
    return found[0] if len(found) == 1 and _names_one(gathered.arguments) else found


def _wait(jobs: JobList, gathered: Gathered, engine: Engine, door: Door, on_result: OnResult) -> Any:
    _wait_for(jobs, gathered, door, gathered.arguments.get("timeout"))
    for job in jobs:
        if job.state == "Failed":
            _raise_error(job, gathered, door)
    return _emitted(JobList(job for job in jobs if job.ended), gathered)


def _receive(jobs: JobList, gathered: Gathered, engine: Engine, door: Door, on_result: OnResult) -> Any:
    arguments = gathered.arguments
    if arguments.get("wait"):
        _wait_for(jobs, gathered, door, None)
    found = []
    for job in jobs:
        value = _received(job, gathered, door, on_result)
        if value is not NOTHING:
            found.append(value)
    if len(found) == 1:
        return found[0]
    return Objects(found) if found else NOTHING


def _stop(jobs: JobList, gathered: Gathered, engine: Engine, door: Door, on_result: OnResult) -> Any:
    notices = Notices(gathered.arguments, door)
    for job in jobs:
        job.interrupt()
    for job in jobs:
        if not job.ended and not job.stop():
            notices.warn(f"{job.name} has not ended yet: what it waits for cannot be broken off.")
    return NOTHING


def _remove(jobs: JobList, gathered: Gathered, engine: Engine, door: Door, on_result: OnResult) -> Any:
    for job in jobs:
        if gathered.arguments.get("force") and not job.ended:
            job.stop()
        engine.jobs.remove(job)
    return NOTHING


_STEPS: Final[Mapping[str, Callable[[JobList, Gathered, Engine, Door, OnResult], Any]]] = {
    "Get-Job": _get,
    "Wait-Job": _wait,
    "Receive-Job": _receive,
    "Stop-Job": _stop,
    "Remove-Job": _remove,
}


def _wait_for(jobs: JobList, gathered: Gathered, door: Door, timeout: float | None) -> None:
    """Waits for `jobs`, so many seconds at most, and shows how far they are. Ctrl-C leaves them running."""
    viewers = wanted(gathered.arguments, door.progress_action, door.progress)
    end = None if timeout is None else time.monotonic() + timeout

    def look(elapsed: float) -> Progress:
        job = next((one for one in jobs if not one.ended), jobs[-1])
        now = job.progress
        return Progress(job.name, elapsed, timeout, now.counts, "leaves the job running")

    try:
        with shown(viewers, look):
            for job in jobs:
                job.wait(None if end is None else max(0.0, end - time.monotonic()))
    except KeyboardInterrupt:
        left = ", ".join(str(job.id) for job in jobs if not job.ended)
        raise InvocationInterrupted(
            f"Stopped waiting. The job goes on: get_job {left} tells how far it is, stop_job {left} stops it."
        ) from None


def _received(job: Job, gathered: Gathered, door: Door, on_result: OnResult) -> Any:
    """What the job emitted, or NOTHING; its messages are told, and its line's variables set."""
    notices = Notices(gathered.arguments, door)
    messages = list(job.messages)
    del job.messages[: len(messages)]
    warned = [text for level, text in messages if level == "warning"]
    for level, text in messages:
        if level == "warning":
            notices.warn(text)
        else:
            door.tell(level, text)
    if warned and door.assign is not None and "warning_variable" in job.line:
        keep(door, job.line["warning_variable"], warned)
    if not job.ended:
        notices.warn(job.still_running())
        return NOTHING
    if job.state == "Failed":
        _raise_error(job, gathered, door)
    elif job.state == "Stopped" and not job.received:
        notices.warn(f"{job.name} was stopped: {job.error}")
    value = NOTHING if job.received else job.take(keep=bool(gathered.arguments.get("keep")))
    if value is None and job.state != "Completed":
        return NOTHING
    for result in _results(value):
        on_result(result)
    if value is not NOTHING and door.assign is not None and "out_variable" in job.line:
        assign(door, job.line["out_variable"], value)
    return value


def _raise_error(job: Job, gathered: Gathered, door: Door) -> None:
    """Raises why the job failed, as ErrorAction says; a function's card is shown before."""
    error = job.error
    assert error is not None
    if "error_variable" in job.line and door.assign is not None:
        keep(door, job.line["error_variable"], [error])
    if not isinstance(error, LMError):
        raise error
    result = getattr(error, "result", None)
    if result is not None and gathered.arguments.get("error_action") != "SilentlyContinue":
        door.show(result)
    act_on_error(error, gathered, door)


def _results(value: Any) -> Iterator[InvokeResult]:
    if isinstance(value, InvokeResult):
        yield value
    elif isinstance(value, BulkResult) and isinstance(value.items, list):
        yield from (item.result for item in value.items if item.result is not None)


def _emitted(jobs: JobList, gathered: Gathered) -> Any:
    if len(jobs) == 1 and _names_one(gathered.arguments):
        return jobs[0]
    return jobs or NOTHING


def _names_one(arguments: Mapping[str, Any]) -> bool:
    wanted_jobs = arguments.get("job")
    return isinstance(wanted_jobs, int | Job) or (isinstance(wanted_jobs, str) and "*" not in wanted_jobs)


def _chosen(cmdlet: Cmdlet, arguments: Mapping[str, Any], jobs: Jobs) -> JobList:
    """The jobs that are meant, each once, in the order given; all where none is named and none needs to be."""
    wanted_jobs = arguments.get("job")
    if wanted_jobs is None:
        if cmdlet.by_name["Job"].mandatory:
            raise ParameterError(f"{cmdlet.name} needs a job: {_known(jobs)}.", parameter="Job")
        return JobList(jobs)
    each = wanted_jobs if isinstance(wanted_jobs, list | tuple) else [wanted_jobs]
    return JobList(dict.fromkeys(job for one in each for job in _meant(one, jobs)))


def _meant(wanted_job: Any, jobs: Jobs) -> list[Job]:
    if isinstance(wanted_job, Job):
        return [wanted_job]
    if isinstance(wanted_job, int) and not isinstance(wanted_job, bool):
        found = [job for job in jobs if job.id == wanted_job]
    elif isinstance(wanted_job, str):
        fits = wildcard(wanted_job, parameter="Job")
        found = [job for job in jobs if fits.match(job.name)]
    else:
        raise ParameterError("Job takes a job, its number or its name.", parameter="Job")
    if not found and not (isinstance(wanted_job, str) and "*" in wanted_job):
        raise ParameterError(f"There is no job {wanted_job}: {_known(jobs)}.", parameter="Job")
    return found


def _known(jobs: Jobs) -> str:
    told = ", ".join(f"{job.id} ({job.state})" for job in jobs)
    return f"there are {told}" if told else "there is none; -AsJob begins one"

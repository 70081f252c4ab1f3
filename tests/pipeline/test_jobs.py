"""Jobs: what -AsJob begins, what happens before it does, and what becomes of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ctrl_c import ctrl_c_when

import lmfunction as lm
from lmfunction._door import Door
from lmfunction._jobs import Job, JobList
from lmfunction._render import terminal_text
from lmfunction._runners import run
from lmfunction._table import INVOKE


@pytest.fixture
def gate(fake: Any) -> Iterator[threading.Event]:
    """Held, no call is answered; whatever happens, none is held in the end, and no job runs."""
    opened = threading.Event()

    def hold(event: Any) -> None:
        assert opened.wait(20)

    fake.gate = hold
    yield opened
    opened.set()
    for job in fake.session.engine.jobs:
        assert job.wait(20)


def under_way(fake: Any, count: int) -> None:
    end = time.monotonic() + 10
    while fake.busy < count:
        assert time.monotonic() < end
        time.sleep(0.005)


def told(fake: Any) -> list[str]:
    return [f"{level}: {text}" for level, text in fake.line.told]


def test_one_call(fake: Any, gate: threading.Event, nothing: Any) -> None:
    """The job is there at once; its result is handed out once, and stays with -Keep."""
    job = fake.line('invoke_lm f -Payload {"id": 7} -AsJob')
    assert isinstance(job, Job)
    assert (job.id, job.name, job.state, job.command) == (1, "Job1", "Running", "invoke_lm f -Payload <str> -AsJob")
    assert (job.result, job.error, job.end_time, job.has_more_data) == (None, None, None, True)
    assert repr(job).startswith("<Job 1 Running: invoke_lm f -Payload <str> -AsJob (0 s)")
    gate.set()
    assert fake.line("wait_job 1") is job
    assert job.state == "Completed"
    assert job.begin_time <= job.end_time
    assert fake.line("receive_job 1 -Keep").payload == {"got": {"id": 7}}
    assert fake.line("receive_job Job1 | select Payload.got.id") == 7
    assert job.result is None
    assert fake.line("receive_job 1") is nothing
    assert not job.has_more_data
    assert len(fake.events) == 1


def test_several_calls(fake: Any, gate: threading.Event, nothing: Any) -> None:
    """How far it is can be looked at, and what there is so far; then the whole result is received."""
    job = fake.line("$(range(5)) | invoke_lm f -ThrottleLimit 2 -AsJob")
    under_way(fake, 2)
    counts = job.progress.counts
    assert (counts.done, counts.in_flight, counts.total) == (0, 2, 5)
    assert isinstance(job.result, lm.BulkResult)
    assert job.to_dict()["InFlight"] == 2
    assert fake.line("receive_job 1") is nothing
    assert told(fake)[-1].startswith("warning: Job1 is still running (0 of 5 done, 2 in flight, ")
    gate.set()
    found = fake.line("receive_job $job -Wait", job=job)
    assert found.payloads == [{"got": n} for n in range(5)]
    assert "5 of 5 done" in repr(job)
    assert "in flight" not in repr(job)


def test_objects_that_come_one_by_one_come_in_the_job(fake: Any) -> None:
    """A source is read by the job; when it breaks, the job failed, and what was sent is in hand."""

    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("the tape is torn")

    job = fake.line("$source | invoke_lm f -AsJob", source=source())
    assert job.wait(10)
    assert job.state == "Failed"
    with pytest.raises(lm.BulkError, match="the tape is torn") as caught:
        fake.line("receive_job 1")
    assert caught.value.result.payloads == [{"got": 1}, {"got": 2}]


def test_a_failure_is_raised_each_time(fake: Any) -> None:
    """Its card is shown and its error raised whenever it is received; -ErrorAction Continue passes it over."""
    fake.answer = lambda name, event: fake.failing("no")
    fake.line("invoke_lm f -AsJob").wait(10)
    for line in ("receive_job 1", "receive_job 1", "wait_job 1"):
        with pytest.raises(lm.FunctionError, match="no"):
            fake.line(line)
    assert [shown.function_error for shown in fake.line.shown] == ["Unhandled"] * 3
    assert not fake.line("receive_job 1 -ErrorAction Continue").ok
    assert "f failed" in told(fake)[-1]
    passed = fake.line("invoke_lm f -AsJob -ErrorAction Continue")
    assert passed.wait(10)
    assert (passed.state, passed.result.ok) == ("Completed", False)


def test_python_has_methods(fake: Any, gate: threading.Event) -> None:
    """`wait`, `receive` and `stop`, and a builder in a pipe; a failed function is a result."""
    job = fake.session.invoke_lm("f", {"id": 1}, as_job=True)
    assert not job.wait(0.01)
    with pytest.warns(lm.LMWarning, match="still running"):
        assert job.receive() is None
    gate.set()
    assert job.receive(wait=True, keep=True).payload == job.receive().payload == {"got": {"id": 1}}
    assert job.receive() is None
    more = lm.pipe([1, 2]) | lm.Invoke("f").session(fake.session).as_job()
    assert more.receive(wait=True).payloads == [{"got": 1}, {"got": 2}]
    assert fake.session.get_job(state="Completed") == [job, more]
    fake.answer = lambda name, event: fake.failing("no")
    failed = fake.session.invoke_lm("f", error_action="Stop", as_job=True)
    with pytest.raises(lm.FunctionError):
        failed.receive(wait=True)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("invoke_lm f -AsJob -Select nonsense", "nonsense"),
        ("$(range(3)) | invoke_lm f -AsJob -Select nonsense", "nonsense"),
        ("invoke_lm 'no name' -AsJob", "FunctionName"),
        ("$(range(3)) | invoke_lm f -AsJob -Resume", "Journal"),
        ("invoke_lm f -AsJob -Confirm", "confirm"),
        ("$(range(3)) | invoke_lm f -AsJob -Confirm", "confirm"),
        ("$((n for n in range(3))) | invoke_lm f -AsJob -Confirm", "confirm"),
        ("receive_job", "there is none; -AsJob begins one"),
        ("stop_job 7", "There is no job 7"),
    ],
)
def test_what_is_wrong_is_told_before_a_job_begins(line: str, says: str, fake: Any) -> None:
    """Parameters, guards and questions: the line itself fails, and there is no job."""
    with pytest.raises(lm.LMError, match=f"(?i){says}"):
        fake.line(line)
    assert list(fake.session.engine.jobs) == []
    assert fake.events == []


@pytest.mark.parametrize("what", ["InputObject", "generator", "one"])
def test_a_person_is_asked_before_a_job_begins(what: str, fake: Any) -> None:
    """Once, in the foreground; the job itself asks nobody."""
    asked = []

    def ask(question: str) -> str:
        asked.append((question, threading.current_thread()))
        return "f"

    values = {"FunctionName": "f", "Confirm": True, "AsJob": True}
    if what != "one":
        values["InputObject"] = [1, 2, 3] if what == "InputObject" else iter([1, 2, 3])
    job = run(INVOKE, values, fake.session.engine, Door(ask=ask), lambda _: None)
    assert [thread for _, thread in asked] == [threading.main_thread()]
    assert job.receive(wait=True) is not None
    assert len(asked) == 1
    assert len(fake.events) == (1 if what == "one" else 3)


def test_what_if_begins_no_job(fake: Any) -> None:
    """The plan is shown at once."""
    fake.line("invoke_lm f -AsJob -WhatIf")
    fake.line("$(range(3)) | invoke_lm f -AsJob -WhatIf")
    assert len(fake.line.shown) == 2
    assert list(fake.session.engine.jobs) == []


def test_nothing_is_told_before_it_is_received(fake: Any, gate: threading.Event) -> None:
    """Warnings and -Verbose wait with the job; so do the variables of its line."""
    line = "invoke_lm f -AsJob -Verbose -InvocationType Event -LogType Tail -OutVariable out -WarningVariable warned"
    job = fake.line(f"$(range(2)) | {line}")
    gate.set()
    assert job.wait(10)
    assert told(fake) == []
    assert "out" not in fake.line.names
    found = fake.line("receive_job 1")
    assert "warning: LogType Tail brings no log with InvocationType Event." in told(fake)
    assert any(text.startswith("verbose: ") for text in told(fake))
    assert fake.line.names["out"] is found
    assert set(fake.line.names["warned"]) == {"LogType Tail brings no log with InvocationType Event."}
    assert job.warnings == []


def test_stages_before_it_tell_nothing_either(fake: Any) -> None:
    """A cmdlet whose objects come one by one into a job runs in it; what it tells stays with the job."""
    for number in range(3):
        early = fake.line("invoke_lm f -AsJob")
        assert early.wait(10)
        early.messages.append(("warning", f"beware of {number}"))
    job = fake.line("$((n for n in (1, 2, 3))) | receive_job | invoke_lm f -AsJob")
    assert job.wait(10)
    assert len(job.result) == 3
    assert told(fake) == ["warning: beware of 0"]  # the first object is looked at before the job begins
    assert job.warnings == ["beware of 1", "beware of 2"]


def test_stop_drains_and_stop_again_leaves(fake: Any, gate: threading.Event, nothing: Any) -> None:
    """As Ctrl-C does; what there is is received, with a word about the rest. A stopped single call ends at once."""
    job = fake.line("$(range(9)) | invoke_lm f -ThrottleLimit 2 -AsJob")
    under_way(fake, 2)
    job.interrupt()
    time.sleep(0.2)
    assert job.state == "Running"
    gate.set()
    assert job.wait(5)
    assert (job.state, len(fake.events), len(job.result.succeeded)) == ("Stopped", 2, 2)
    assert len(fake.line("receive_job 1").succeeded) == 2
    assert told(fake)[-1].startswith("warning: Job1 was stopped: Stopped. 2 had succeeded, 0 were under way")

    gate.clear()
    second = fake.line("$(range(9)) | invoke_lm f -ThrottleLimit 2 -AsJob")
    under_way(fake, 2)
    second.interrupt()
    time.sleep(0.5)
    assert second.stop(5)
    assert (second.state, len(second.result.unknown)) == ("Stopped", 2)
    alone = fake.line("invoke_lm f -AsJob")
    under_way(fake, 3)
    fake.line("stop_job 3")
    assert (alone.state, type(alone.error)) == ("Stopped", lm.InvocationInterrupted)
    assert "may still be running" in str(alone.error)
    assert fake.line("receive_job 3") is nothing
    assert told(fake)[-1].startswith("warning: Job3 was stopped: Stopped waiting. f may still be running")


def test_waiting_is_interrupted_alone(fake: Any, gate: threading.Event, nothing: Any) -> None:
    """Ctrl-C in Wait-Job leaves the job running; a timeout emits nothing."""
    job = fake.line("invoke_lm f -AsJob")
    assert fake.line("wait_job 1 -Timeout 0.01") is nothing
    begun = threading.Event()
    begun.set()
    with ctrl_c_when(begun) as passed, pytest.raises(lm.InvocationInterrupted, match="stop_job 1 stops it"):
        fake.line("wait_job 1")
    assert passed() < 0.5
    assert job.state == "Running"
    gate.set()
    assert fake.line("receive_job 1 -Wait").ok


def test_jobs_in_a_pipe(fake: Any, gate: threading.Event) -> None:
    """Jobs flow like other objects; Remove-Job forgets those that ended, and with -Force any."""
    for _ in range(3):
        fake.line("invoke_lm f -AsJob")
    gate.set()
    assert isinstance(fake.line("get_job"), JobList)
    assert [r.payload for r in fake.line("get_job | receive_job -Wait -Keep")] == [{"got": {}}] * 3
    assert fake.line("get_job | where State -eq Completed | select Id") == [1, 2, 3]
    fake.line("remove_job 1,Job3")
    assert [job.id for job in fake.session.engine.jobs] == [2]
    gate.clear()
    running = fake.line("invoke_lm f -AsJob")
    with pytest.raises(lm.LMError, match="stop_job 4 first"):
        fake.line("remove_job $job", job=running)
    fake.line("remove_job $job -Force", job=running)
    assert running.state == "Stopped"
    assert "3 jobs" not in terminal_text(fake.line("get_job").card(), None)


def test_a_command_without_secrets(fake: Any) -> None:
    """The line that a job shows holds no payload and no key."""
    keys = {"id": "AKIAIOSFODNN7EXAMPLE", "secret": "wJalrXUtnFEMI"}
    line = 'invoke_lm f -Payload {"card": "4111"} -AccessKey $id -SecretKey $secret -Region us-east-1 -AsJob'
    session = lm.Session(endpoint_url="http://127.0.0.1:9")
    session.engine.connections.transport = lambda place: fake  # type: ignore[method-assign]
    fake.line.engine = session.engine
    job = fake.line(line, **keys)
    assert job.wait(10)
    assert job.state == "Completed"
    seen = repr(job) + repr(job.to_dict()) + terminal_text(job.card(), None)
    assert not any(text in seen for text in ("AKIA", "wJalr", "4111"))
    assert job.command.startswith("invoke_lm f -Payload <")
    assert "-AccessKey *** -SecretKey ***" in job.command


def test_the_session_ends_its_jobs(fake: Any, gate: threading.Event) -> None:
    """`close()` lets nothing more be sent, waits briefly and warns of each job that it ended."""
    job = fake.line("$(range(9)) | invoke_lm f -ThrottleLimit 1 -AsJob")
    under_way(fake, 1)
    threading.Timer(0.3, gate.set).start()
    with pytest.warns(lm.LMWarning, match=r"Job1 \(invoke_lm f .*\) was ended, 1 of 9 done.*1 had succeeded"):
        fake.session.close()
    assert (job.state, len(fake.events)) == ("Stopped", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fake.session.close()


def test_a_run_goes_on_in_a_job(fake: Any, gate: threading.Event, tmp_path: Path) -> None:
    """What a stopped job left is sent by Resume-LMRun, in a job too."""
    journal = str(tmp_path / "run.db")
    job = fake.line("$(range(5)) | invoke_lm f -ThrottleLimit 1 -Journal $journal -AsJob", journal=journal)
    under_way(fake, 1)
    job.interrupt()
    gate.set()
    assert job.wait(10)
    assert f"resume_lm_run {journal} goes on with the run." in str(job.error)
    again = fake.line("resume_lm_run $journal -AsJob")
    assert isinstance(again, Job)
    assert again.receive(wait=True, keep=True).payloads == [{"got": n} for n in range(5)]
    counts = again.progress.counts
    assert (counts.done, counts.earlier, counts.total) == (5, 1, 5)
    assert sorted(fake.events) == [*range(5)]


def test_the_process_ends_its_jobs(the_lambda: Any, tmp_path: Path) -> None:
    """At the end of a program a job's calls are waited for briefly, and its journal is said to go on with."""
    program = (
        "import lmfunction as lm, sys, time\n"
        "job = lm.invoke_lm('slow', input_object=[{'seconds': 0.4}] * 50, throttle_limit=2, journal='run.db',"
        " as_job=True)\n"
        "while not job.result.succeeded: time.sleep(0.05)\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(lm.__file__).parents[1]),
        "AWS_ENDPOINT_URL_LAMBDA": the_lambda.url,
        "AWS_ACCESS_KEY_ID": the_lambda.access_key,
        "AWS_SECRET_ACCESS_KEY": the_lambda.secret_key,
        "AWS_DEFAULT_REGION": the_lambda.region,
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("WARNING: Job1 (invoke_lm slow ")
    assert "0 were under way" in done.stderr
    assert "resume_lm_run run.db goes on with the run." in done.stderr.replace(f"{tmp_path}/", "")
    assert len(done.stderr.splitlines()) == 1

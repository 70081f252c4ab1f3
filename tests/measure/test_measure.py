"""Measure-LMFunction itself: how often and how it sends, what failures and Ctrl-C do, guards, doors."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ctrl_c import ctrl_c_when

import lmfunction as lm
from lmfunction import _wire
from lmfunction._commands import run_pipeline
from lmfunction._door import Door
from lmfunction._help import cmdlet_help
from lmfunction._scope import Scope
from lmfunction._table import MEASURE
from lmfunction._terminal import Terminal
from lmfunction._transport import Reply
from lmfunction._wire import Report
from lmfunction.errors import ServiceError, TransportError

COUNTER = "calls = []\ndef handler(event, context):\n    calls.append(event)\n    return len(calls)\n"
GROWING = (
    "kept = []\n"
    "def handler(event, context):\n"
    "    kept.append(bytes(range(256)) * (event['mb'] * 4096))\n"
    "    return len(kept)\n"
)


@pytest.fixture(scope="module")
def session() -> Iterator[lm.Session]:
    """A session with the embedded Lambda."""
    with lm.Session(profile_name="local") as opened:
        yield opened


# In the embedded Lambda


def test_it_invokes_so_often(session: lm.Session) -> None:
    """As many times as asked for and no more; the first call is the cold one, and the figures are those of the log."""
    session.publish_lm_function("measured-counter", COUNTER)
    found = session.measure_lm_function("measured-counter", {"n": 1}, count=7)
    assert session.invoke_lm("measured-counter").payload == 8
    assert [sample.number for sample in found.samples] == [1, 2, 3, 4, 5, 6, 7]
    assert [sample.cold for sample in found.samples] == [True] + [False] * 6
    assert found.ok
    assert found.complete
    assert found.latency.count == 6
    assert found.cold_latency.count == found.init_duration.count == 1
    assert found.memory_size_mb == 128
    assert all(sample.latency_ms > sample.report.duration_ms for sample in found.samples)
    assert len({sample.request_id for sample in found.samples}) == 7
    assert found.elapsed_ms >= sum(sample.latency_ms for sample in found.samples)


def test_twenty_unless_told() -> None:
    """The default is small: each is an invocation."""
    fake = Fake()
    assert len(fake.session.measure_lm_function("f")) == len(fake.events) == 20


def test_a_slow_function(session: lm.Session) -> None:
    """Duration is the function's time, latency a little more, and the timeout suggested twice the longest."""
    found = session.measure_lm_function("slow", {"seconds": 0.06}, count=5)
    assert 60 <= found.duration.p50 < 200
    assert found.latency.p50 > found.duration.p50
    assert found.outside.p50 < found.latency.p50 - 55
    assert found.suggested_timeout == 1


def test_a_function_that_grows(session: lm.Session) -> None:
    """The most memory used is the last calls', and the sentence says how much of it is left."""
    session.publish_lm_function("measured-growing", GROWING, memory_size=256, timeout=30)
    found = session.measure_lm_function("measured-growing", {"mb": 8}, count=6)
    used = [sample.report.max_memory_used_mb for sample in found.samples]
    assert used == sorted(used)
    assert used[-1] - used[0] >= 35
    assert found.max_memory_used_mb == used[-1]
    assert found.facts[0].startswith(f"Memory: at most {used[-1]} of 256 MB used")


def test_several_at_a_time_start_environments(session: lm.Session) -> None:
    """With a ThrottleLimit as many environments start, each told as a cold start; samples keep their numbers."""
    session.publish_lm_function("measured-wide", "import time\ndef handler(e, c):\n    time.sleep(0.2)\n")
    found = session.measure_lm_function("measured-wide", count=9, throttle_limit=3)
    assert found.cold_starts == 3
    assert [sample.number for sample in found.samples] == list(range(1, 10))
    assert "3 at a time" in found._repr_mimebundle_()[0]["text/plain"]


# With a Lambda in this process


class Fake:
    """Stands for the transport: answers with a REPORT line, counts, and can hold calls back or raise."""

    connection = SimpleNamespace(endpoint_url="http://127.0.0.1:9")

    def __init__(self, **settings: Any) -> None:
        self.lock = threading.Lock()
        self.events: list[Any] = []
        self.requests: list[Any] = []
        self.busy = self.most = 0
        self.gate: Callable[[int], None] = lambda number: None
        self.failing: Callable[[int], bool] = lambda number: False
        keys = lm.Credential("AKIDEXAMPLE", "not-a-secret")
        policy = lm.RetryPolicy(sleep=lambda seconds: None)
        self.session = lm.Session(
            region="us-east-1",
            endpoint_url="http://127.0.0.1:9",
            credential=keys,
            retry_policy=policy,
            **settings,
        )
        self.session.engine.connections.transport = lambda place: self  # type: ignore[method-assign,assignment,return-value]

    def send(self, request: Any) -> Reply:
        with self.lock:
            self.requests.append(request)
            self.events.append(json.loads(request.payload))
            number = len(self.events)
            self.busy += 1
            self.most = max(self.most, self.busy)
        try:
            self.gate(number)
        finally:
            with self.lock:
                self.busy -= 1
        log = _wire.format_report(f"r{number}", Report(10.0, 10.0, 256, 100, 50.0 if number == 1 else None))
        headers = {"x-amzn-requestid": f"r{number}", "x-amz-log-result": base64.b64encode(log.encode()).decode()}
        if self.failing(number):
            headers["x-amz-function-error"] = "Unhandled"
            return Reply(200, headers, b'{"errorType": "Refused", "errorMessage": "no such order"}')
        return Reply(200, headers, b"{}")


@pytest.fixture
def fake() -> Fake:
    """A Lambda in this process."""
    return Fake()


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_the_limit_is_reached_and_not_passed(limit: int, fake: Fake) -> None:
    """Exactly so many calls are under way together; one is made in the caller's own thread."""
    full, threads = threading.Barrier(limit), set[threading.Thread]()

    def gate(number: int) -> None:
        threads.add(threading.current_thread())
        if number <= limit:
            full.wait(10)

    fake.gate = gate
    found = fake.session.measure_lm_function("f", count=20, throttle_limit=limit)
    assert (len(found), fake.most) == (20, limit)
    assert (threads == {threading.main_thread()}) is (limit == 1)


def test_one_plan_is_sent(fake: Fake) -> None:
    """Each call is the same request: waited for, with the log's tail, whatever the defaults say."""
    fake.session.defaults["*-LM*:InvocationType"] = "Event"
    fake.session.defaults["*-LM*:LogType"] = "None"
    fake.session.defaults["Measure-LM*:Count"] = 3
    fake.session.defaults["Measure-LM*:Payload"] = {"a": 1}
    fake.session.defaults["Invoke-LM*:OnceKey"] = "once"
    fake.session.measure_lm_function("f", qualifier="live")
    assert len(set(map(id, fake.requests))) == 1
    request = fake.requests[0]
    assert (request.invocation_type, request.log_type, request.qualifier) == ("RequestResponse", "Tail", "live")
    assert fake.events == [{"a": 1}] * 3


def test_a_throttled_call(fake: Fake) -> None:
    """A refusal for now is tried again, counted, and told; nothing is counted as a failure."""
    refused = ServiceError("429", code="TooManyRequestsException", status=429, outcome="THROTTLED_OUT")

    def gate(number: int) -> None:
        if number in (2, 3):
            raise refused

    fake.gate = gate
    found = fake.session.measure_lm_function("f", count=3)
    assert (len(fake.events), found.throttles, found.ok) == (5, 2, True)
    assert any(sentence.startswith("Throttling: 2 refusals (429) in 1 call") for sentence in found.facts)


# Failures


def test_continue_counts_failures(fake: Fake) -> None:
    """Python's default goes on; a failed call is in no spread and keeps its result."""
    fake.failing = lambda number: number in (2, 4)
    found = fake.session.measure_lm_function("f", count=5)
    assert (len(found), found.ok, found.latency.count) == (5, False, 2)
    assert [sample.number for sample in found.failed] == [2, 4]
    assert found.failed[0].result.error.type == "Refused"
    assert found.errors() == {"Refused: no such order": 2}


@pytest.mark.parametrize("limit", [1, 3])
def test_stop_ends_it_at_the_first_failure(limit: int, fake: Fake) -> None:
    """The error names the call and the reason, and holds the measurement so far; nothing more is sent."""
    fake.failing = lambda number: number == 4
    with pytest.raises(lm.BulkError, match=r"Stopped at call \d of 50: f failed: Refused: no such order") as caught:
        fake.session.measure_lm_function("f", count=50, throttle_limit=limit, error_action="Stop")
    found = caught.value.result
    assert isinstance(found, lm.Measurement)
    assert 4 <= len(found) == len(fake.events) <= 4 + limit
    assert len(found.failed) == 1
    assert caught.value.request_id == "r4"
    assert isinstance(caught.value.__cause__, lm.FunctionError)


@pytest.mark.parametrize(
    ("error", "at", "sent"),
    [
        (ServiceError("404", code="ResourceNotFoundException", status=404, outcome="REJECTED"), 1, 1),
        (ServiceError("404", code="ResourceNotFoundException", status=404, outcome="REJECTED"), 3, 3),
        (lm.ProfileError("no credentials"), 1, 1),
        (TransportError("no answer", sent=None, outcome="UNKNOWN"), 2, 6),
        (TransportError("cut", sent=True, outcome="RESULT_LOST", request_id="r2"), 2, 6),
    ],
    ids=["refused at once", "refused later", "no credentials", "unknown", "lost"],
)
def test_what_goes_wrong_between(error: lm.LMError, at: int, sent: int, fake: Fake) -> None:
    """What would go wrong again ends it in any case; with nothing measured the reason itself is raised. Nothing that
    may have run is sent again.
    """

    def gate(number: int) -> None:
        if number == at:
            raise error

    fake.gate = gate
    if sent == 6:
        found = fake.session.measure_lm_function("f", count=6)
        assert [sample.outcome.value for sample in found.failed] == [error.outcome]  # type: ignore[attr-defined]
    else:
        with pytest.raises(lm.LMError) as caught:
            fake.session.measure_lm_function("f", count=6)
        assert (caught.value is error) is (at == 1)
        if at > 1:
            assert len(caught.value.result) == at  # type: ignore[attr-defined]
    assert len(fake.events) == sent


# Ctrl-C


@pytest.mark.parametrize("limit", [1, 4])
def test_ctrl_c_keeps_what_was_measured(limit: int, fake: Fake) -> None:
    """The wait ends at once, nothing more is sent, and the calls before are in the error's result and -OutVariable."""
    busy, release = threading.Event(), threading.Event()

    def gate(number: int) -> None:
        if number >= 6:
            if number == 5 + limit:
                busy.set()
            assert release.wait(10)

    fake.gate = gate
    names: dict[str, Any] = {}
    door = Door(scope=Scope(names, environ={}), assign=names.__setitem__)
    line = f"measure_lm_function f -Count 100 -ThrottleLimit {limit} -OutVariable m"
    try:
        with ctrl_c_when(busy) as passed, pytest.raises(lm.InvocationInterrupted) as caught:
            run_pipeline(line, fake.session.engine, door, {})
        assert passed() < 0.6
    finally:
        release.set()
    found = caught.value.result
    assert found is names["m"]
    numbers = [sample.number for sample in found.samples]
    assert len(numbers) == 5
    assert max(numbers) <= 4 + limit  # calls under way together may be answered out of turn
    assert numbers == sorted(numbers)
    assert caught.value.sent is None
    running = "1 call" if limit == 1 else "4 calls"
    assert f"Stopped after 5 calls of 100. {running} may still be running" in str(caught.value)
    assert found._repr_mimebundle_()[0]["text/plain"].startswith("[STOPPED] f · 5 of 100 calls")
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("invoke-") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(fake.events) == 5 + limit


# Guards


@pytest.fixture
def guarded(tmp_path: Path) -> dict[str, Any]:
    """Where a profile lies that asks for the function's name and takes ten objects."""
    (tmp_path / "guarded.yaml").write_text("endpoint: embedded\nguard: {confirm: always, max_items: 10}\n")
    return {"profile_name": "guarded", "profile_location": str(tmp_path)}


def test_more_than_a_profile_takes(guarded: dict[str, Any]) -> None:
    """A measurement counts as so many objects, also as a dry run; nothing is sent."""
    for more in ({}, {"what_if": True}):
        with pytest.raises(lm.GuardError, match="max_items"):
            lm.measure_lm_function("hello", count=11, **guarded, **more)


def test_nobody_to_confirm(guarded: dict[str, Any]) -> None:
    """A guarded profile fails closed."""
    with pytest.raises(lm.GuardError, match="nobody can answer"):
        lm.measure_lm_function("hello", count=3, **guarded)


@pytest.mark.parametrize(("typed", "sent"), [("hello", 3), ("no", 0)])
def test_one_question_for_all(typed: str, sent: int, guarded: dict[str, Any]) -> None:
    """A person is asked once, is told how many, and all calls or none are made."""
    asked: list[str] = []
    emitted: list[Any] = []

    def ask(question: str) -> str:
        asked.append(question)
        return typed

    line = f"measure_lm_function hello -Count 3 -ProfileName guarded -ProfileLocation '{guarded['profile_location']}'"
    with contextlib.nullcontext() if sent else pytest.raises(lm.GuardError, match="not confirmed"):
        door = Door(scope=Scope({}, environ={}), ask=ask)
        emitted.append(run_pipeline(line, lm.Session().engine, door, {}, emitted.append))
    assert len(asked) == 1
    assert "Objects: 3" in asked[0]
    assert len(emitted) == (sent + 1 if sent else 0)


@pytest.mark.parametrize(
    ("more", "often"),
    [({}, "20 times, one after the other"), ({"count": 9, "throttle_limit": 3}, "9 times, 3 at a time")],
)
def test_what_if(more: dict[str, Any], often: str, fake: Fake) -> None:
    """The plan tells how often it would be sent, as line and as card, and nothing is sent."""
    plan = fake.session.measure_lm_function("f", {"secret": "s3cr3t"}, what_if=True, **more)
    data = plan._repr_mimebundle_()[0]
    assert often in repr(plan)
    assert often in data["text/plain"]
    assert often in data["text/html"]
    assert "s3cr3t" not in repr(plan) + data["text/plain"]
    assert fake.events == []


# Doors


def test_a_line(session: lm.Session) -> None:
    """As a cmdlet with a payload as typed; functions piped in are measured one after the other; verbs look into it."""
    names: dict[str, Any] = {}
    shown: list[Any] = []
    door = Door(scope=Scope(names, environ={}), assign=names.__setitem__, show=shown.append)

    def line(text: str) -> Any:
        return run_pipeline(text, session.engine, door, {})

    found = line('Measure-LMFunction echo -Payload {"n": 1} -Count 3 -OutVariable m')
    assert isinstance(found, lm.Measurement)
    assert names["m"] is found
    names["functions"] = ["hello", "echo"]
    both = line("$functions | measure_lm_function -Count 2")
    assert [one.label for one in both] == ["hello", "echo"]
    assert line("measure_lm_function echo -Count 2 | select Calls") == 2
    assert line("measure_lm_function echo -Count 4 | select LatencyMs.Count") in (3, 4)
    with pytest.raises(lm.BulkError):
        line("measure_lm_function fail -Count 4 -ErrorVariable errors")
    assert [type(error).__name__ for error in names["errors"]] == ["FunctionError"]
    assert isinstance(shown[-1], lm.Measurement)


def test_the_terminal() -> None:
    """A program gets one JSON line and the exit code of a failed function; a person gets the card."""
    out, err = io.StringIO(), io.StringIO()
    code = Terminal(stdin=io.StringIO(), stdout=out, stderr=err).run(
        ["measure_lm_function", "hello", "-Count", "3", "-ProfileName", "local"]
    )
    assert (code, err.getvalue()) == (0, "")
    assert json.loads(out.getvalue())["Calls"] == 3
    assert out.getvalue().count("\n") == 1
    for action, stdout_lines in (("Continue", 1), ("Stop", 0)):
        out, err = io.StringIO(), io.StringIO()
        words = ["measure_lm_function", "fail", "-Count", "3", "-ProfileName", "local", "-ErrorAction", action]
        assert Terminal(stdin=io.StringIO(), stdout=out, stderr=err).run(words) == 1
        assert out.getvalue().count("\n") == stdout_lines
    assert "Stopped at call 1 of 3" in err.getvalue()


def test_cold_is_refused_with_the_reason() -> None:
    """Nothing forces a cold start: that would change the function. The error says what to do."""
    with pytest.raises(lm.ParameterError, match="configuration"):
        run_pipeline("measure_lm_function f -Cold", lm.Session().engine, Door(), {})
    assert "-Cold" not in cmdlet_help(MEASURE)


def test_wrong_counts_are_refused(fake: Fake) -> None:
    """Before anything is sent."""
    for count in (0, -1, "many", 100_001, 2.5):
        with pytest.raises(lm.ParameterError, match="Count"):
            fake.session.measure_lm_function("f", count=count)
    assert fake.events == []

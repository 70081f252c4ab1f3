"""Runs of many calls over real connections: how they go, where results go, what ends them."""

from __future__ import annotations

import json
import math
import os
import pathlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from counting import Served, counting_lambda, make_certificate

import lmfunction as lm
from lmfunction._commands import run_arguments
from lmfunction._connection_pool import Pool
from lmfunction._door import Door

KEYS = lm.Credential("AKIDEXAMPLE", "not-a-secret")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with counting_lambda() as found:
        yield found


@pytest.fixture
def cloud(served: Served) -> Served:
    """The counting Lambda, counting anew."""
    served.reset()
    return served


@pytest.fixture
def session(cloud: Served) -> Iterator[lm.Session]:
    policy = lm.RetryPolicy(base=0.01)
    with lm.Session(region="us-east-1", endpoint_url=cloud.url, credential=KEYS, retry_policy=policy) as opened:
        yield opened


def engine_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "invoke-engine"]


def test_each_object_is_sent_once_and_answers_stand_in_input_order(cloud: Served, session: lm.Session) -> None:
    """A thousand objects, forty at a time: one request each, answers where their objects are, no thread left."""
    run = session.invoke_lm("f", input_object=[{"n": n} for n in range(1000)], throttle_limit=40)
    assert run.payloads == [{"n": n} for n in range(1000)]
    assert [result.request.payload for result in run[3:5]] == [b'{"n":3}', b'{"n":4}']
    counts = cloud.counts()
    assert counts["executions"] == {str(n): 1 for n in range(1000)}
    assert counts["connections"] <= 40 + 3  # the others are those of the test itself
    assert not engine_threads()
    first = run[0]
    assert (first.attempts, first.status_code, first.executed_version, first.trace_id is not None) == (
        1,
        200,
        "$LATEST",
        True,
    )
    assert first.replay().payload == {"n": 0}


def test_the_limit_holds_and_is_reached(cloud: Served, session: lm.Session) -> None:
    """No more calls than ThrottleLimit are with Lambda at a time, and as many when there is enough to do."""
    cloud.set(delay=0.02)
    session.invoke_lm("f", input_object=[{"n": n} for n in range(120)], throttle_limit=12)
    assert cloud.counts()["most"] == 12


def test_objects_may_name_their_functions_and_parameters(cloud: Served, session: lm.Session) -> None:
    """A table of jobs: FunctionName, Payload, Qualifier and LogType by property name, each its own request."""
    jobs = [
        {"FunctionName": f"f-{n % 3}", "Payload": {"n": n}, "Qualifier": "live", "log_type": "Tail"} for n in range(30)
    ]
    run = lm.pipe(jobs) | lm.Invoke().session(session).throttle_limit(5)
    assert [one.request.function_name for one in run] == [f"f-{n % 3}" for n in range(30)]
    assert run.payloads == [{"n": n} for n in range(30)]
    assert {one.request.qualifier for one in run} == {"live"}


def test_a_run_can_be_looked_at_while_it_goes_on(cloud: Served, session: lm.Session) -> None:
    """Results are in hand before the source has ended: they can be counted and read by another thread."""
    seen: list[int] = []

    def source() -> Iterator[dict[str, int]]:
        for n in range(50):
            if n == 40:
                seen.append(len(held[0]))
            yield {"n": n}

    held: list[Any] = []
    made = lm._bulk_result.BulkResult.__init__  # type: ignore[attr-defined]

    def remember(self: Any, *args: Any, **keywords: Any) -> None:
        made(self, *args, **keywords)
        held.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lmfunction._bulk_result.BulkResult.__init__", remember)
        session.invoke_lm("f", input_object=source(), throttle_limit=4)
    assert seen == [40]


@pytest.mark.parametrize("streamed", [False, True])
def test_item_key_refuses_objects_that_are_there_twice(cloud: Served, session: lm.Session, streamed: bool) -> None:
    """B29: the first five pairs are listed; of a list nothing is sent, a stream ends before the first repetition."""
    items = [{"n": n, "id": n % 6} for n in range(12)]
    if streamed:
        with pytest.raises(lm.BulkError, match=r"0: items 1 and 7") as ended:
            session.invoke_lm("f", input_object=(each for each in items), item_key="id")
        assert len(ended.value.result) == 6
    else:
        with pytest.raises(lm.ParameterError, match=r"6 keys are there more than once[^$]*and 1 more") as refused:
            session.invoke_lm("f", input_object=items, item_key="id")
        assert str(refused.value).count(": items ") == 5
        assert cloud.counts()["requests"] == 0
    assert session.invoke_lm("f", input_object=items[:6], item_key="id").ok


def test_sockets_are_probed_often_enough_to_outlive_a_nat(
    cloud: Served, session: lm.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep-alive is on for each connection, after 45 s idle, each 15 s, four times; small packets are not held back."""
    seen: list[tuple[int, ...]] = []
    send = Pool._write
    wanted = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE)] + [
        (socket.IPPROTO_TCP, getattr(socket, name))
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_NODELAY")
    ]

    def noted(self: Pool, wire: Any) -> None:
        seen.append(tuple(wire.sock.getsockopt(*option) for option in wanted))
        send(self, wire)

    monkeypatch.setattr(Pool, "_write", noted)
    assert session.invoke_lm("f", input_object=[{"n": n} for n in range(6)], throttle_limit=3).ok
    assert len(seen) == 6
    assert {tuple(map(int, (on != 0, idle, each, count, quick != 0))) for on, idle, each, count, quick in seen} == {
        (1, 45, 15, 4, 1)
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [(n, v) for n in ("throttle_limit", "tolerated_failure_percent") for v in (-1, 1e9, "abc", float("nan"), [5])]
    + [("throttle_limit", 0), ("throttle_limit", 2.5)],
)
def test_limits_that_are_none(cloud: Served, session: lm.Session, name: str, value: Any) -> None:
    """C12: what is no number of calls, or no percentage, is refused by its name before anything is sent."""
    with pytest.raises(lm.ParameterError, match=name.title().replace("_", "")):
        session.invoke_lm("f", input_object=[{"n": 1}, {"n": 2}], **{name: value})
    assert cloud.counts()["requests"] == 0


# What goes wrong


def test_nothing_of_unknown_fate_is_sent_again(cloud: Served, session: lm.Session) -> None:
    """A connection that breaks after the request: unknown, once; the others are answered."""
    objects: list[Any] = [{"n": n} for n in range(40)]
    objects[7]["do"] = {"raw": "", "then": "reset"}
    objects[9]["do"] = {"raw": "", "then": "fin"}
    run = session.invoke_lm("f", input_object=objects, throttle_limit=8)
    assert [item.index for item in run.unknown] == [7, 9]
    assert set(cloud.counts()["executions"].values()) == {1}
    assert run.summary()["OK"] == 38


def test_at_least_once_sends_again_and_counts(cloud: Served, session: lm.Session) -> None:
    """Delivery AtLeastOnce: what may have run is sent again until it is answered; that is told."""
    objects: list[Any] = [{"n": n} for n in range(10)]
    objects[3]["do"] = [{"raw": "", "then": "reset"}, {"status": 200, "body": '"second"'}]
    run = session.invoke_lm("f", input_object=objects, delivery="AtLeastOnce", throttle_limit=4)
    assert run.ok
    assert run[3].payload == "second"
    assert run[3].attempts == 2
    assert run.summary()["PossibleDuplicates"] == run.possible_duplicates == 1
    assert cloud.counts()["executions"]["3"] == 2


@pytest.mark.parametrize(
    "reason", ["ReservedFunctionConcurrentInvocationLimitExceeded", "ConcurrentInvocationLimitExceeded"]
)
def test_throttling_by_concurrency_costs_no_object(reason: str, cloud: Served, session: lm.Session) -> None:
    """Five at a time where forty are wanted: nothing gives up, few are refused, no attempt is counted for it."""
    cloud.set(limit=5, delay=0.01, reason=reason)
    run = session.invoke_lm("by-" + reason, input_object=[{"n": n} for n in range(300)], throttle_limit=40)
    assert run.ok
    counts = cloud.counts()
    assert counts["executions"] == {str(n): 1 for n in range(300)}
    assert counts["refused"] <= 0.15 * 300  # of so few; the benchmark looks at the share in a longer run
    assert max(one.attempts for one in run) > 1  # told in its log, but not what ends it


def test_throttling_by_rate_halves_the_rate(cloud: Served, session: lm.Session) -> None:
    """Reasons of a rate leave the window alone and slow the calls down."""
    cloud.set(rate=400)
    run = session.invoke_lm("by-rate", input_object=[{"n": n} for n in range(300)], throttle_limit=20)
    assert run.ok
    assert cloud.counts()["refused"] < 100


def test_twenty_refusals_in_a_row_end_a_run(cloud: Served, session: lm.Session) -> None:
    """Where each call is refused a run does not burn its objects, even with ErrorAction Continue."""
    cloud.set(do={"status": 403, "type": "AccessDeniedException"})
    with pytest.raises(lm.BulkError, match="20 calls in a row") as caught:
        session.invoke_lm("f", input_object=({"n": n} for n in range(10_000)), throttle_limit=4)
    assert 20 <= cloud.counts()["requests"] <= 40
    assert caught.value.result.failed[0].error.status == 403


def test_credentials_that_expired_end_a_run_at_once(cloud: Served, session: lm.Session) -> None:
    """Refused credentials that cannot be renewed: what is under way is all that is lost to it."""
    cloud.set(do={"status": 403, "type": "ExpiredTokenException"})
    with pytest.raises(lm.BulkError, match=r"credentials are no longer taken.*403 ExpiredTokenException"):
        session.invoke_lm("f", input_object=({"n": n} for n in range(10_000)), throttle_limit=4)
    assert cloud.counts()["requests"] <= 8


def test_credentials_that_expired_are_renewed(cloud: Served, tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    """A profile whose keys were changed meanwhile: the refused calls go again with the new ones, and none is lost."""
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = AKIDOLD\naws_secret_access_key = old\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    cloud.set(refuse_key="AKIDOLD", refuse_after=10)

    def source() -> Iterator[dict[str, int]]:
        for n in range(60):
            if n == 30:
                file.write_text("[default]\naws_access_key_id = AKIDNEW\naws_secret_access_key = new\n")
            yield {"n": n}

    with lm.Session(region="us-east-1", endpoint_url=cloud.url) as session:
        run = session.invoke_lm("f", input_object=list(source()), throttle_limit=2)
    assert run.ok
    assert cloud.counts()["executions"] == {str(n): 1 for n in range(60)}


@pytest.mark.parametrize(
    ("percent", "failing", "ends"), [(0, 1, True), (10, 5, False), (10, 30, True), (100, 100, False)]
)
def test_tolerated_failures(percent: float, failing: int, ends: bool, cloud: Served, session: lm.Session) -> None:
    """ToleratedFailurePercent takes the place of the first failure that would end a run."""
    error = {"status": 200, "headers": {"X-Amz-Function-Error": "Unhandled"}, "body": '{"errorType": "E"}'}
    objects = [{"n": n, **({"do": error} if n < failing else {})} for n in range(100)]
    options = {"input_object": objects, "tolerated_failure_percent": percent, "error_action": "Stop"}
    if ends:
        with pytest.raises(lm.BulkError, match="are tolerated"):
            session.invoke_lm("f", **options)
    else:
        run = session.invoke_lm("f", **options)
        assert (len(run.failed), len(run.succeeded)) == (failing, 100 - failing)


@pytest.mark.parametrize("percent", [101, -1, math.nan, "many"])
def test_a_percentage_is_one(percent: Any, cloud: Served, session: lm.Session) -> None:
    """Anything else is refused with nothing sent."""
    with pytest.raises(lm.ParameterError, match="ToleratedFailurePercent"):
        session.invoke_lm("f", input_object=[1], tolerated_failure_percent=percent)
    assert cloud.counts()["requests"] == 0


@pytest.mark.parametrize("value", ["10", "", "abc", "0", "-1"])
def test_settings_of_boto3_change_nothing(value: str, cloud: Served, monkeypatch: Any) -> None:
    """Whatever AWS_MAX_ATTEMPTS, AWS_RETRY_MODE and AWS_NEW_RETRIES_2026 say: one request a call."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", value)
    monkeypatch.setenv("AWS_RETRY_MODE", "Standard")
    monkeypatch.setenv("AWS_NEW_RETRIES_2026", "true")
    cloud.set(do={"raw": "", "then": "reset"})
    with lm.Session(region="us-east-1", endpoint_url=cloud.url, credential=KEYS) as session:
        run = session.invoke_lm("f", input_object=[{"n": n} for n in range(5)])
    assert len(run.unknown) == 5
    assert cloud.counts()["requests"] == 5


def test_a_fault_of_ours_ends_a_run(cloud: Served, session: lm.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever breaks in the engine's thread: what was under way is unknown, the rest is not sent, nobody waits."""

    def broken(*_: Any) -> bytes:
        raise RuntimeError("a fault")

    monkeypatch.setattr("lmfunction._signing.Signer.request", broken)
    with pytest.raises(lm.BulkError, match="inside lmfunction: RuntimeError: a fault") as caught:
        session.invoke_lm("f", input_object=({"n": n} for n in range(1000)), throttle_limit=4)
    assert caught.value.result.unknown
    assert not engine_threads()


# Ways to Lambda


def test_tls_is_trusted_as_boto3_does(tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    """AWS_CA_BUNDLE is trusted, another authority is not, and then nothing is sent."""
    certificate = make_certificate(tmp_path)
    with counting_lambda(certificate) as served:
        with lm.Session(region="us-east-1", endpoint_url=served.url, credential=KEYS) as session:
            run = session.invoke_lm("f", input_object=[{"n": 1}, {"n": 2}])
            assert [item.outcome for item in run.items] == ["NOT_SENT", "NOT_SENT"]
            assert "certificate is not trusted" in str(run.items[0].error)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate[0]))
        with lm.Session(region="us-east-1", endpoint_url=served.url, credential=KEYS) as session:
            run = session.invoke_lm(
                "f", input_object=[{"n": n, "big": "x" * 100_000} for n in range(50)], throttle_limit=8
            )
            assert run.ok
            assert len(run[7].payload["big"]) == 100_000
        assert served.counts()["requests"] == 50


def test_what_only_boto3_can_do_is_left_to_it_and_told_once(cloud: Served, session: lm.Session) -> None:
    """A client certificate: boto3 in threads, which is told once. Hooks go so, too."""
    options = {"input_object": [{"n": 1}, {"n": 2}], "client_config": {"client_cert": "/certificate.pem"}}
    with pytest.warns(lm.LMWarning, match="sent by boto3 in threads, which is slower: a client certificate"):
        assert session.invoke_lm("f", **options).payloads == [{"n": 1}, {"n": 2}]
    assert session.invoke_lm("f", **options).ok
    hooked = lm.Invoke("f").session(session).customize().mutate_request(lambda http: http.headers.update({"X-A": "b"}))
    assert (lm.pipe([{"n": 1}, {"n": 2}]) | hooked).ok
    assert not engine_threads()


def test_boto3_in_threads_delivers_at_least_once_too(cloud: Served, session: lm.Session) -> None:
    """What may have run is sent again there as well, and counted; without it, it is not."""

    def objects() -> list[Any]:
        found: list[Any] = [{"n": n} for n in range(4)]
        found[2]["do"] = [{"raw": "", "then": "reset"}, {"status": 200, "body": '"second"'}]
        return found

    def hooked(**options: Any) -> Any:
        made = lm.Invoke("f").session(session).throttle_limit(2)
        for name, value in options.items():
            made = getattr(made, name)(value)
        return made.customize().mutate_request(lambda http: http.headers.update({"X-A": "b"}))

    run = lm.pipe(objects()) | hooked(delivery="AtLeastOnce")
    assert run[2].payload == "second"
    assert run.summary()["PossibleDuplicates"] == 1
    assert cloud.counts()["executions"] == {"0": 1, "1": 1, "2": 2, "3": 1}
    cloud.reset()
    run = lm.pipe(objects()) | hooked(error_action="Continue")
    assert [item.index for item in run.unknown] == [2]
    assert cloud.counts()["executions"]["2"] == 1


# Where results go


def test_out_file(cloud: Served, session: lm.Session, tmp_path: pathlib.Path) -> None:
    """Every object has a line under the final name; the result reads them back, also by place."""
    path = tmp_path / "results.jsonl"
    objects: list[Any] = [{"n": n} for n in range(100)]
    objects[5]["do"] = {"status": 200, "headers": {"X-Amz-Function-Error": "Unhandled"}, "body": '{"errorType": "E"}'}
    objects[6]["do"] = {"status": 404, "type": "ResourceNotFoundException"}
    objects[7]["do"] = {"status": 200, "body": "no json\n"}
    objects[8]["do"] = {"status": 200, "body": '{"a":\n 1.50}'}
    run = session.invoke_lm("f", input_object=objects, throttle_limit=9, out_file=str(path))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(line["Index"] for line in lines) == list(range(100))
    assert [p.name for p in tmp_path.iterdir()] == ["results.jsonl"]
    assert run[50].payload == {"n": 50}
    assert run[50].raw_payload == b'{"n": 50}'.replace(b" ", b"")
    assert (run[7].payload, run[8].payload) == ("no json\n", {"a": 1.5})
    assert [item.index for item in run.failed] == [5, 6]
    assert run.failed[0].result.error.type == "E"
    assert (run.failed[1].error.status, run.failed[1].error.code) == (404, "ResourceNotFoundException")
    assert run.summary() == {**run.summary(), "Count": 100, "OK": 98, "FUNCTION_ERROR": 1, "REJECTED": 1}
    assert run.failed[1].input == objects[6]
    assert len(run) == len(list(run)) == 100
    assert "98 succeeded" in run._repr_mimebundle_()[0]["text/plain"]
    cloud.reset()
    again = run.retry()
    assert [item.input["n"] for item in again.items] == [5, 6]
    assert len(run.to_frame()) == 100


def test_out_file_of_a_run_that_ended_early(cloud: Served, session: lm.Session, tmp_path: pathlib.Path) -> None:
    """The final name is for whole runs: what there is has another, and the file that was there before is kept."""
    path = tmp_path / "results.jsonl"
    path.write_text("before\n")
    error = {"status": 200, "headers": {"X-Amz-Function-Error": "Unhandled"}, "body": '{"errorType": "E"}'}
    objects = [{"n": n, **({"do": error} if n == 3 else {})} for n in range(100)]
    with pytest.raises(lm.BulkError) as caught:
        session.invoke_lm("f", input_object=objects, throttle_limit=1, out_file=str(path), error_action="Stop")
    assert path.read_text() == "before\n"
    assert (tmp_path / "results.jsonl.partial").read_text().count("\n") == len(caught.value.result) == 4
    assert len(list(tmp_path.iterdir())) == 2


def test_out_file_and_what_its_lines_do_not_tell(cloud: Served, session: lm.Session, tmp_path: pathlib.Path) -> None:
    """-Select, the function of each object and what a profile hides are those of the call, not of the last one."""
    (tmp_path / "hiding.yaml").write_text(f"region: us-east-1\nendpoint: {cloud.url}\nredact: {{keys: [phone]}}\n")
    line = {"profile_name": "hiding", "profile_location": str(tmp_path), "credential": KEYS}
    jobs = [{"FunctionName": f"f{n}", "Payload": {"n": n, "phone": "555-0199"}} for n in range(4)]
    with lm.Session() as other:
        run = other.invoke_lm(input_object=jobs, out_file=str(tmp_path / "a.jsonl"), **line)
        numbers = other.invoke_lm(input_object=jobs, out_file=str(tmp_path / "b.jsonl"), select="Payload.n", **line)
        names = other.invoke_lm(input_object=jobs, out_file=str(tmp_path / "c.jsonl"), select="^FunctionName", **line)
    assert (numbers, names) == ([0, 1, 2, 3], ["f0", "f1", "f2", "f3"])
    assert [result.request.function_name for result in run] == names
    assert [result.request.payload for result in run] == [b""] * 4  # not that of another object
    shown = run._repr_mimebundle_()[0]
    assert "555-0199" not in shown["text/plain"] + shown["text/html"]
    assert run[2].payload["phone"] == "555-0199"


def test_out_file_on_a_disk_that_is_full(cloud: Served, session: lm.Session, tmp_path: pathlib.Path) -> None:
    """The run ends, every answer so far is at hand, and what the disk took are whole lines under the other name."""
    resource = pytest.importorskip("resource")
    path, objects = tmp_path / "results.jsonl", [{"n": n, "pad": "x" * 2000} for n in range(1000)]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
    try:
        with pytest.raises(lm.BulkError, match=r"OutFile .* cannot be written: File too large") as caught:
            session.invoke_lm("f", input_object=objects, throttle_limit=20, out_file=str(path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    run = caught.value.result
    assert 200 < len(run.succeeded) == sum(cloud.counts()["executions"].values()) < 1000
    assert all(result.payload == objects[at] for at, result in enumerate(run) if isinstance(result, lm.InvokeResult))
    lines = (tmp_path / "results.jsonl.partial").read_text().splitlines()
    assert 100 < len([json.loads(line) for line in lines]) < len(run)
    assert [p.name for p in tmp_path.iterdir()] == ["results.jsonl.partial"]


def test_out_file_needs_a_name(session: lm.Session) -> None:
    with pytest.raises(lm.ParameterError, match="OutFile names no file"):
        session.invoke_lm("f", input_object=[{"n": 1}], out_file="")


@pytest.mark.parametrize("name", ["", "missing/results.jsonl"])
def test_out_file_that_cannot_be(name: str, cloud: Served, session: lm.Session, tmp_path: pathlib.Path) -> None:
    """A folder, or one in a folder that is not there: refused with nothing sent."""
    with pytest.raises(lm.ParameterError, match="OutFile"):
        session.invoke_lm("f", input_object=[{"n": 1}], out_file=str(tmp_path / name))
    assert cloud.counts()["requests"] == 0


@pytest.mark.parametrize("spilled", [False, True])
def test_plot(spilled: bool, cloud: Served, session: lm.Session, tmp_path: pathlib.Path) -> None:
    """A figure with the latencies and the course of the run, also from a file; nothing answered is nothing to plot."""
    cloud.set(limit=3, delay=0.01)
    options = {"out_file": str(tmp_path / "results.jsonl")} if spilled else {}
    run = session.invoke_lm(f"plot-{spilled}", input_object=[{"n": n} for n in range(60)], throttle_limit=20, **options)
    figure = run.plot()
    spread, course = figure.axes
    assert sum(patch.get_height() for patch in spread.patches) == 60
    assert course.get_xlabel() == "seconds since the begin"
    assert figure._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(lm.LMError, match="nothing to plot"):
        lm.BulkResult().plot()


def test_what_is_for_many_needs_many(session: lm.Session) -> None:
    """OutFile and SkipInvalid without objects are a slip."""
    with pytest.raises(lm.ParameterError, match="OutFile is for many"):
        session.invoke_lm("f", out_file="x")
    with pytest.raises(lm.ParameterError, match="give -InputObject file://PATH"):
        session.invoke_lm("f", input_object=[1], skip_invalid=True)


# Where objects come from

LINES = [
    ("empty", b"", []),
    ("no last newline", b'{"n": 1}\n{"n": 2}', [1, 2]),
    ("CR LF", b'{"n": 1}\r\n{"n": 2}\r\n', [1, 2]),
    ("blank lines", b'\n{"n": 1}\n\n   \n{"n": 2}\n\n', [1, 2]),
    ("byte order mark", b'\xef\xbb\xbf{"n": 1}\n', [1]),
]


@pytest.mark.parametrize(("content", "wanted"), [row[1:] for row in LINES], ids=[row[0] for row in LINES])
def test_a_file_of_objects(
    content: bytes, wanted: list[int], cloud: Served, session: lm.Session, tmp_path: Any
) -> None:
    """JSON Lines by a Path, however their lines end; an empty file is no object, and that is well."""
    path = tmp_path / "items.jsonl"
    path.write_bytes(content)
    run = session.invoke_lm("f", input_object=path)
    assert [payload["n"] for payload in (run.payloads if isinstance(run, lm.BulkResult) else [])] == wanted
    assert cloud.counts()["requests"] == len(wanted)


def test_a_file_of_objects_on_a_line(cloud: Served, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the terminal, where no variable is, file:// names the file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs.jsonl").write_text('{"n": 1}\n{"n": 2}\n')
    words = ["invoke_lm", "f", "-InputObject", "file://jobs.jsonl", "-Select", "Payload.n"]
    with lm.Session(region="us-east-1", endpoint_url=cloud.url, credential=KEYS) as session:
        assert run_arguments(words, session.engine, Door(), lambda _: None) == [1, 2]


def test_a_wrong_line_is_found_before_the_first_is_sent(cloud: Served, session: lm.Session, tmp_path: Any) -> None:
    """Line and column, nothing of what stands there, nothing sent; SkipInvalid leaves it out and says so."""
    path = tmp_path / "items.jsonl"
    path.write_bytes(b'{"n": 0}\n' * 500 + b'{"secret": 1,,}\n' + b'{"n": NaN}\n\xff\n' + b'{"n": 1}\n')
    with pytest.raises(lm.ParameterError, match=r"3 lines are not JSON \(line 501: column 14") as caught:
        session.invoke_lm("f", input_object=path)
    assert "secret" not in str(caught.value)
    assert cloud.counts()["requests"] == 0
    with pytest.warns(lm.LMWarning, match="3 lines are not JSON.*They are left out"):
        run = session.invoke_lm("f", input_object=path, skip_invalid=True, throttle_limit=50)
    assert len(run) == cloud.counts()["requests"] == 501


def test_a_file_of_objects_that_is_none(session: lm.Session, tmp_path: Any) -> None:
    """Missing, a folder, a pipe: refused at once."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", ".", "pipe"):
        with pytest.raises(lm.ParameterError, match="InputObject"):
            session.invoke_lm("f", input_object=tmp_path / name)


@pytest.mark.parametrize("kept", [{"journal": "run.db"}, {"out_file": "r.jsonl"}, {"journal": "b.db", "out_file": "b"}])
@pytest.mark.parametrize(
    ("emits", "expected"),
    [
        ({"pass_thru": True}, ["f-0", "f-1", "f-0"]),
        ({"select": "^FunctionName"}, ["f-0", "f-1", "f-0"]),
        ({"select": "^Payload"}, [{"n": 0}, {"n": 1}, {"n": 2}]),
        ({"select": "Payload.n"}, [0, 1, 2]),
    ],
)
def test_what_was_given_is_emitted_wherever_the_results_went(
    session: lm.Session, tmp_path: pathlib.Path, kept: dict[str, str], emits: dict[str, Any], expected: list[Any]
) -> None:
    """-PassThru and -Select ^NAME of objects that name their functions, also of a run that is resumed."""
    jobs = [{"FunctionName": f"f-{n % 2}", "Payload": {"n": n}} for n in range(3)]
    files = {name: str(tmp_path / file) for name, file in kept.items()}
    assert session.invoke_lm(input_object=jobs, **files, **emits) == expected
    if "journal" in files:
        assert session.invoke_lm(input_object=jobs, resume=True, **files, **emits) == expected


def test_names_of_executions_stand_in_the_file(session: lm.Session, tmp_path: pathlib.Path) -> None:
    """Each call's own, which is found in its result again; nothing of it stays in memory."""
    jobs = [{"FunctionName": "f", "Payload": {"n": n}, "DurableExecutionName": f"run-{n}"} for n in range(20)]
    run = session.invoke_lm(input_object=jobs, out_file=str(tmp_path / "r.jsonl"))
    assert [result.request.durable_execution_name for result in run] == [f"run-{n}" for n in range(20)]
    lines = map(json.loads, (tmp_path / "r.jsonl").read_text().splitlines())
    assert {line["Index"]: line["DurableExecutionName"] for line in lines} == {n: f"run-{n}" for n in range(20)}

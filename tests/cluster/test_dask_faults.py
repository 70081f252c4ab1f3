"""What goes wrong with a cluster in the middle of the night: each ends with a clear word, a journal that goes on, and
no item that ran twice.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cluster.cluster_runs import by_value
from counting import Served
from ctrl_c import ctrl_c_when

import lmfunction as lm
from lmfunction._dask_cluster import Cluster

Ran = Callable[[int], Counter[int]]
When = Callable[..., threading.Event]
STAGING, PRODUCTION = "123456789012", "210987654321"


def items_from(first: int, count: int, delay: float = 0.02) -> list[dict[str, Any]]:
    """So many items whose calls take their time."""
    return [{"n": first + n, "do": {"delay": delay}} for n in range(count)]


def accounted_for(run: lm.BulkResult, ran: Counter[int], limit: int) -> Counter[str]:
    """How many items ended in which class, once it is certain that each is where it belongs."""
    assert max(ran.values()) <= 1
    for item, times in zip(run.items, ran.values(), strict=True):
        assert item.outcome == "UNKNOWN" or times == (item.outcome == "OK"), (item.index, item.outcome, times)
    counts = Counter(str(item.outcome) for item in run.items)
    assert counts["UNKNOWN"] <= limit
    return counts


class Programs:
    """A scheduler and its workers, as programs of their own. `scheduler` is its process, `address` where it is."""

    def __init__(self, folder: Path) -> None:
        self._file = str(folder / "scheduler.json")
        self._begun: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._begin("dask_scheduler", "--host", "127.0.0.1", "--port", "0")
        self.add_worker()
        from distributed import Client

        self.client = Client(scheduler_file=self._file, timeout=60, set_as_default=False)
        self.client.wait_for_workers(1, timeout=60)
        self.address = self.client.scheduler.address

    def add_worker(self) -> None:
        """Begins one more."""
        self._begin("dask_worker", "--no-nanny", "--nthreads", "1", "--death-timeout", "60")

    def close(self) -> None:
        """Ends all."""
        self.client.close(timeout=1)
        for process in self._begun:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()

    def _begin(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", f"distributed.cli.{name}", "--scheduler-file", self._file, "--no-dashboard"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        found = subprocess.Popen([*line, *options], **quiet)  # type: ignore[call-overload]
        self._begun.append(found)
        return found  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def programs(_clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """A scheduler and a worker of their own, for what must not happen to others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
        found = Programs(tmp_path_factory.mktemp("scheduler"))
    yield found
    found.close()


def test_ctrl_c(
    client: Any, served: Served, place: dict[str, Any], first: int, ran: Ran, when: When, tmp_path: Path
) -> None:
    """Once: nothing more is sent, and what is under way is waited for. Twice: that is left, and unknown."""
    served.reset()
    items, path = items_from(first, 200), str(tmp_path / "once.db")
    with ctrl_c_when(when(20)) as since, pytest.raises(lm.InvocationInterrupted, match="resume_lm_run") as caught:
        lm.invoke_lm("f", input_object=items, journal=path, engine=client, throttle_limit=4, **place)
    assert since() < 2
    counts = accounted_for(caught.value.result, ran(200), 4)
    assert counts["OK"] >= 20
    assert counts["UNKNOWN"] == 0
    assert (
        lm.invoke_lm("f", input_object=items, journal=path, resume=True, engine=client, **place).summary()["OK"] == 200
    )
    assert {*ran(200).values()} == {1}

    slow = [{"n": first + 200 + n, "do": {"delay": 20}} for n in range(20)]
    with ctrl_c_when(when(204), times=2) as since, pytest.raises(lm.InvocationInterrupted) as caught:
        lm.invoke_lm(
            "f", input_object=slow, journal=str(tmp_path / "twice.db"), engine=client, throttle_limit=4, **place
        )
    assert since() < 2
    counts = Counter(str(item.outcome) for item in caught.value.result.items)
    assert counts == {"UNKNOWN": 4, "NOT_SENT": 16}
    assert ran(220).total() == 204


def test_workers_come_and_go(
    programs: Programs, place: dict[str, Any], first: int, ran: Ran, when: When, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """One that joins gets its share; one that is sent away leaves no more unknown than it had under way."""
    begun: list[str] = []
    starts = Cluster.start

    def start(self: Cluster, function: Any, task: Any, worker: str) -> Any:
        begun.append(worker)
        return starts(self, function, task, worker)

    def change() -> None:
        programs.add_worker()
        wait_for(lambda: len(begun) == 2)
        so_far = ran(4000).total()
        wait_for(lambda: ran(4000).total() >= so_far + 30)
        programs.client.retire_workers(begun[:1])

    def coming() -> Iterator[dict[str, Any]]:
        for item in items_from(first, 4000):
            yield item
            if changed.is_set():
                break
        yield from items_from(first + 5000, 50)

    monkeypatch.setattr(Cluster, "start", start)
    changed = when(20, change)
    options = {"journal": str(tmp_path / "run.db"), "throttle_limit": 6, "error_action": "Continue", **place}
    try:
        run = lm.invoke_lm("f", input_object=coming(), engine=programs.client, **options)
    except lm.BulkError as error:  # some are unknown
        run = error.result
    assert changed.is_set()
    assert len(begun) == 2
    items = [item["n"] for item in items_from(first, len(run) - 50)] + [first + 5000 + n for n in range(50)]
    counts = accounted_for(run, Counter({n: ran(6000)[n] for n in items}), 6)
    assert counts["OK"] + counts["UNKNOWN"] == len(run)


def wait_for(condition: Callable[[], bool]) -> None:
    """Waits until something holds."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


class _Cloud(BaseHTTPRequestHandler):
    """STS, which tells the account of a key by its name, and a Lambda: what either was asked is kept."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[tuple[str, str]]] = []

    def do_POST(self) -> None:
        """Answers a request of STS or of Lambda."""
        self.rfile.read(int(self.headers["Content-Length"]))
        _, _, key = self.headers["Authorization"].partition("Credential=")
        account = PRODUCTION if key.startswith("AKIAPRODUCTION") else STAGING
        service = key.split("/")[3]
        self.asked.append((service, account))
        body = b"{}"
        if service == "sts":
            body = (
                '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
                f"<Arn>arn:aws:iam::{account}:user/ada</Arn><UserId>U</UserId><Account>{account}</Account>"
                "</GetCallerIdentityResult></GetCallerIdentityResponse>"
            ).encode()
        self.send_response(200)
        self.send_header("x-amzn-RequestId", "11111111-2222-3333-4444-000000000001")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Writes nothing."""


@pytest.fixture
def cloud() -> Iterator[str]:
    """Where STS and Lambda of two accounts answer; `_Cloud.asked` begins empty."""
    _Cloud.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Cloud) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _sign_as(key: str) -> None:
    """On a worker: its credentials from now on."""
    import os

    os.environ["AWS_ACCESS_KEY_ID"] = key


def test_workers_with_another_account(client: Any, cloud: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker with credentials of another account refuses before it sends anything; others go on, and it is told."""
    (tmp_path / "guarded.yaml").write_text(f'{{region: eu-west-1, endpoint: "{cloud}", account: "{PRODUCTION}"}}')
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAPRODUCTION")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    line = {"input_object": [{"n": n} for n in range(30)], "profile_name": "guarded", "profile_location": str(tmp_path)}
    workers = sorted(client.scheduler_info()["workers"])
    try:
        path = str(tmp_path / "refused.db")
        told = f"credentials are of account {STAGING}, and the run is of {PRODUCTION}"
        with pytest.raises(lm.BulkError, match=f"No worker of the cluster can send.*{told}") as caught:
            lm.invoke_lm("f", journal=path, engine=client, **line)
        assert caught.value.result.summary()["NOT_SENT"] == 30
        assert {account for service, account in _Cloud.asked if service == "sts"} == {STAGING, PRODUCTION}
        assert [service for service, _ in _Cloud.asked if service == "lambda"] == []
        client.run(by_value(_sign_as), "AKIAPRODUCTION", workers=workers[:1])
        with pytest.warns(lm.LMWarning, match=f"{workers[1]} sends nothing: .*{told}"):
            run = lm.invoke_lm("f", journal=path, resume=True, engine=client, throttle_limit=1, **line)
        assert run.summary()["OK"] == 30
        assert [account for service, account in _Cloud.asked if service == "lambda"] == [PRODUCTION] * 30
    finally:
        client.run(by_value(_sign_as), "AKIDEXAMPLE")


def _without_lmfunction(present: bool) -> None:
    """On a worker: whether lmfunction can be imported."""
    import sys

    if present:
        del sys.modules["lmfunction._dask_sender"]
    else:
        sys.modules["lmfunction._dask_sender"] = None  # type: ignore[assignment]


def test_workers_without_lmfunction(client: Any, place: dict[str, Any], tmp_path: Path) -> None:
    """What is missing there is told; Dask does not end them for it."""
    client.run(by_value(_without_lmfunction), present=False)
    try:
        with pytest.raises(lm.BulkError, match="lmfunction must be installed there as it is here"):
            lm.invoke_lm("f", input_object=[{}], journal=str(tmp_path / "run.db"), engine=client, **place)
        assert len(client.ncores()) == 2
    finally:
        client.run(by_value(_without_lmfunction), present=True)


@pytest.mark.parametrize(
    ("engine", "text"),
    [
        ("bogus://127.0.0.1:1", "unknown address scheme 'bogus'"),
        ("tcp://127.0.0.1:port", "invalid literal for int.*'port'"),
        ("tls://127.0.0.1:1", "made with the cluster's certificates"),
        ("tcp://nobody", "no answer of a scheduler in"),
        ("tcp://worker", "a Worker answers there, not a scheduler"),
    ],
)
def test_an_address_that_is_wrong(
    client: Any, place: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, text: str
) -> None:
    """Each is told at once, in one line; no half-made client of Dask holds up the process."""
    monkeypatch.setattr("lmfunction._dask_cluster._CONNECT", 0.5 if "nobody" in engine else 5.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:  # it takes connections, and says nothing
        engine = engine.replace("nobody", f"127.0.0.1:{mute.getsockname()[1]}")
        engine = engine.replace("tcp://worker", min(client.scheduler_info()["workers"]))
        with pytest.raises(lm.ParameterError, match=f"cannot be reached.*{text}") as caught:
            lm.invoke_lm("f", input_object=[{}], journal=str(tmp_path / "run.db"), engine=engine, **place)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run.db").exists()


def test_a_scheduler_that_stands_still_and_dies(
    programs: Programs, place: dict[str, Any], first: int, ran: Ran, when: When, tmp_path: Path
) -> None:
    """The run ends and says so, what was under way is unknown, the rest was not sent, and is resumed at home."""
    scheduler, address = programs.scheduler, programs.address
    programs.client.close()
    runs: list[lm.BulkResult] = []
    items = [items_from(first + at, 100) for at in (0, 100, 200)]

    def begin(number: int, engine: str = address) -> lm.BulkResult:
        path = str(tmp_path / f"{number}.db")
        return lm.invoke_lm(  # type: ignore[return-value]
            "f", input_object=items[number], journal=path, engine=engine, throttle_limit=4, **place
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lmfunction._dask_post.ANSWER", 0.5)
        when(20, lambda: scheduler.send_signal(signal.SIGSTOP))
        with pytest.raises(
            lm.BulkError, match=r"scheduler tcp://\S+ is gone \(no answer in .* may name another"
        ) as caught:
            begin(0)
    runs.append(caught.value.result)
    scheduler.send_signal(signal.SIGCONT)

    ran_before = ran(300).total()
    stopped = when(ran_before + 20, lambda: scheduler.send_signal(signal.SIGSTOP))
    with ctrl_c_when(stopped, times=2) as since, pytest.raises(lm.InvocationInterrupted) as interrupted:
        begin(1)
    assert since() < 10  # of which 3 are for the scheduler
    runs.append(interrupted.value.result)
    scheduler.send_signal(signal.SIGCONT)

    when(ran(300).total() + 20, scheduler.kill)
    with pytest.raises(lm.BulkError, match=r"scheduler tcp://\S+ is gone \(.* may name another") as caught:
        begin(2)
    runs.append(caught.value.result)
    time.sleep(0.3)  # what the worker had leave for
    for number, run in enumerate(runs):
        found = Counter({n: ran(300)[n] for n in range(first + number * 100, first + number * 100 + 100)})
        counts = accounted_for(run, found, 4)
        assert counts["NOT_SENT"] > 0
        path = str(tmp_path / f"{number}.db")
        told = pytest.warns(lm.LMWarning, match="unknown") if counts["UNKNOWN"] else contextlib.nullcontext()
        with told, contextlib.suppress(lm.BulkError):  # that some are unknown
            lm.invoke_lm("f", input_object=items[number], journal=path, resume=True, on_unknown="Skip", **place)
    assert max(ran(300).values()) == 1
    assert ran(300).total() >= 300 - 3 * 4

"""Ctrl-C: at once, with what is known about the call, and nothing broken afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ctrl_c import ctrl_c_when

import lmfunction as lm

KEYS = lm.Credential("AKIDEXAMPLE", "not-a-secret")
SLOW = [{"raw": "", "then": "stall"}, {"status": 200, "body": '"next"'}]


@pytest.fixture
def server(faults: ModuleType) -> Iterator[Any]:
    with faults.FaultServer() as server:
        yield server


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("RequestResponse", "Stopped waiting. some-function may still be running: AWS cannot cancel an invocation."),
        ("DryRun", "Stopped waiting."),
        ("Event", "Stopped waiting. The event for some-function may have been queued."),
    ],
)
def test_ctrl_c_while_waiting_says_that_the_fate_is_unknown(kind: str, says: str, server: Any) -> None:
    """The wait ends within half a second, the error is a KeyboardInterrupt, and the next call works."""
    server.play(SLOW)
    with lm.Session(region="us-east-1", endpoint_url=server.url, credential=KEYS, timeout_sec=20) as session:
        with ctrl_c_when(server.asked) as passed, pytest.raises(KeyboardInterrupt) as caught:
            session.invoke_lm("some-function", invocation_type=kind)
        assert passed() < 0.5
        assert isinstance(caught.value, lm.InvocationInterrupted)
        assert caught.value.sent is None
        assert str(caught.value).startswith(says)
        assert caught.value.__suppress_context__
        assert session.invoke_lm("some-function").payload == "next"
    assert len(server.requests) == 2


def test_ctrl_c_while_the_body_comes_says_that_the_fate_is_unknown(server: Any) -> None:
    """Also between the head and the end of an answer; its connection is not used again."""
    server.play([{"status": 200, "body": "{", "length": 100, "then": "stall"}, {"status": 200, "body": '"next"'}])
    with lm.Session(region="us-east-1", endpoint_url=server.url, credential=KEYS, timeout_sec=20) as session:
        with ctrl_c_when(server.asked), pytest.raises(lm.InvocationInterrupted) as caught:
            session.invoke_lm("some-function")
        assert caught.value.sent is None
        assert session.invoke_lm("some-function").payload == "next"


def test_ctrl_c_between_two_tries_says_that_nothing_runs(server: Any) -> None:
    """While a throttled call waits for its next try the function is not running, and the message says so."""
    waiting = threading.Event()

    def sleep(seconds: float) -> None:
        waiting.set()
        time.sleep(seconds)

    server.play([{"status": 429, "type": "TooManyRequestsException", "headers": {"Retry-After": "60"}}, SLOW[1]])
    policy = lm.RetryPolicy(sleep=sleep)
    with lm.Session(region="us-east-1", endpoint_url=server.url, credential=KEYS, retry_policy=policy) as session:
        with ctrl_c_when(waiting) as passed, pytest.raises(lm.InvocationInterrupted) as caught:
            session.invoke_lm("some-function")
        assert passed() < 0.5
        assert caught.value.sent is False
        assert str(caught.value) == "Stopped. Nothing is running: some-function was not sent, or was refused."
        assert session.invoke_lm("some-function").payload == "next"


def test_ctrl_c_before_a_connection_is_there_says_that_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the client is made, or the embedded Lambda starts, nothing was sent."""
    session = lm.Session(profile_name="local")

    def interrupted(_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(session.engine.connections, "transport", interrupted)
    with pytest.raises(lm.InvocationInterrupted) as caught:
        session.invoke_lm("hello")
    assert caught.value.sent is False


def test_ctrl_c_leaves_the_embedded_lambda_alive() -> None:
    """The running handler is not ours to stop; the next call is answered."""
    with lm.Session(profile_name="local") as session:
        session.invoke_lm("slow", {"seconds": 0})
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
        try:
            start = time.monotonic()
            with pytest.raises(lm.InvocationInterrupted):
                session.invoke_lm("slow", {"seconds": 20})
            assert time.monotonic() - start < 0.7
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
        assert session.invoke_lm("echo", ["still there"]).payload == ["still there"]


def command(*words: str, **variables: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(lm.__file__).parents[1]), **variables}
    return subprocess.Popen(
        [sys.executable, "-m", "lmfunction", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_the_command_ends_with_130_and_one_message(server: Any) -> None:
    """SIGINT at the terminal: exit status 130, one short message, no traceback, nothing on stdout."""
    server.play(SLOW)
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}
    run = command("invoke_lm", "slow", "-Region", "us-east-1", "-EndpointUrl", server.url, **keys)
    assert server.asked.wait(20)
    run.send_signal(signal.SIGINT)
    stdout, stderr = run.communicate(timeout=5)
    assert (run.returncode, stdout) == (130, "")
    assert stderr.strip().startswith("Stopped waiting. slow may still be running")
    assert len(stderr.strip().splitlines()) == 1
    assert "Traceback" not in stderr


def test_the_command_leaves_no_process_behind() -> None:
    """Ctrl-C for the whole process group ends the command, its embedded Lambda and the function's process."""
    run = command("invoke_lm", "slow", '{"seconds": 30}', "-ProfileName", "local")
    deadline = time.monotonic() + 20
    while len(below := processes_below(run.pid)) < 2:  # the embedded Lambda, and the function's process
        assert time.monotonic() < deadline, below
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGINT)
    _, stderr = run.communicate(timeout=10)
    assert (run.returncode, "Traceback" in stderr) == (130, False), stderr
    deadline = time.monotonic() + 5
    while left := {pid for pid in below if _state(pid) not in ("", "Z")}:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def processes_below(pid: int) -> set[int]:
    listing = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listing.splitlines()]
    found = {int(child) for child, parent in rows if int(parent) == pid}
    return found.union(*(processes_below(child) for child in found))


def _state(pid: int) -> str:
    run = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return run.stdout.strip()[:1]

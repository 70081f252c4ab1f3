"""Ctrl-C for a command in a thread: as soon, as truthful and as harmless as in the main thread."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import lmfunction as lm
from lmfunction import _pipeline
from lmfunction._cmdlets import invoke
from lmfunction._door import Door
from lmfunction._interrupts import patient
from lmfunction._stages import InvokeStage
from lmfunction._thread_interrupts import interrupt_all, interruptible

KEYS = lm.Credential("AKIDEXAMPLE", "not-a-secret")
STALL = {"raw": "", "then": "stall"}
NEXT = {"status": 200, "body": '"next"'}


@pytest.fixture
def server(faults: ModuleType) -> Iterator[Any]:
    with faults.FaultServer() as server:
        yield server


class Command(threading.Thread):
    """A command in a thread, as a shell runs it."""

    def __init__(self, action: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self.action = action
        self.value: Any = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            with interruptible():
                self.value = self.action()
        except BaseException as error:  # the test looks at it
            self.error = error

    def interrupt(self) -> float:
        """Interrupts it; gives the seconds until it ended."""
        start = time.monotonic()
        assert interrupt_all()
        self.join(5)
        assert not self.is_alive()
        return time.monotonic() - start


@pytest.fixture
def run(server: Any) -> Iterator[Callable[..., Command]]:
    """Starts Invoke-LMFunction in a thread."""
    with lm.Session(region="us-east-1", endpoint_url=server.url, credential=KEYS) as session:
        yield lambda name="some-function": Command(
            lambda: invoke({"FunctionName": name}, patient(session.engine), Door(), lambda _: None)
        )


def test_a_call_that_is_waited_for(server: Any, run: Callable[..., Command]) -> None:
    """The wait ends at once, the message says that the function may run, and the next call is answered."""
    server.play([STALL, NEXT])
    command = run()
    assert server.asked.wait(10)
    assert command.interrupt() < 0.5
    assert isinstance(command.error, lm.InvocationInterrupted)
    assert command.error.sent is None
    assert "may still be running" in str(command.error)
    after = run()
    after.join(10)
    assert after.value.payload == "next"


def test_a_call_between_two_tries(server: Any) -> None:
    """While a throttled call waits for its next try nothing runs, and the message says so."""
    server.play([{"status": 429, "type": "TooManyRequestsException", "headers": {"Retry-After": "60"}}])
    with lm.Session(region="us-east-1", endpoint_url=server.url, credential=KEYS) as session:
        command = Command(lambda: invoke({"FunctionName": "f"}, patient(session.engine), Door(), lambda _: None))
        assert server.asked.wait(10)
        time.sleep(0.3)  # the refusal arrives; what follows is the wait for the next try
        assert command.interrupt() < 0.5
    assert isinstance(command.error, lm.InvocationInterrupted)
    assert command.error.sent is False


@pytest.mark.parametrize("twice", [False, True])
def test_several_calls(server: Any, twice: bool) -> None:
    """A run of several stops feeding and waits for the call under way, as it says; the second Ctrl-C leaves it."""
    answer = threading.Event()
    server.play([NEXT, STALL if twice else {**NEXT, "held": answer}])
    told: list[str] = []
    stopping = threading.Event()

    def tell(level: str, text: str) -> None:
        told.append(f"{level}: {text}")
        stopping.set()

    with lm.Session(region="us-east-1", endpoint_url=server.url, credential=KEYS) as session:
        stage = InvokeStage(
            {"FunctionName": "some-function", "ThrottleLimit": 1},
            patient(session.engine),
            Door(tell=tell),
            lambda _: None,
        )
        command = Command(lambda: _pipeline.run([[1, 2, 3]], [stage]))
        while len(server.requests) < 2:
            time.sleep(0.01)
        assert interrupt_all()
        assert stopping.wait(5)
        assert told == ["notice: Stopping: waiting for 1 call under way; Ctrl-C again to leave them."]
        if twice:
            assert command.interrupt() < 1.0
            assert not interrupt_all()
        answer.set()
        command.join(5)
    assert isinstance(command.error, lm.InvocationInterrupted)
    result = command.error.result
    assert [len(result.succeeded), len(result.unknown)] == ([1, 1] if twice else [2, 0])
    assert len(server.requests) == 2


def test_a_command_that_starts_threads() -> None:
    """Of a thread that is just starting nothing is broken, so that who starts it does not wait for ever."""

    def action() -> None:
        while True:
            helper = threading.Thread(target=int)
            helper.start()
            helper.join()

    for _ in range(25):
        command = Command(action)
        time.sleep(0.002)
        assert command.interrupt() < 2
        assert type(command.error) is KeyboardInterrupt


def test_errors_and_values_pass_through(server: Any, run: Callable[..., Command]) -> None:
    """The helper thread's answer or error is the command's own."""
    server.play([NEXT, {"status": 404, "type": "ResourceNotFoundException", "body": '{"Message": "none"}'}])
    found, refused = run(), None
    found.join(10)
    refused = run()
    refused.join(10)
    assert found.value.payload == "next"
    assert isinstance(refused.error, lm.ServiceError)
    assert refused.error.status == 404


def test_an_interrupt_is_for_running_commands_only() -> None:
    """With none running, or one that was interrupted already, there is nothing to interrupt; none comes too late."""
    assert not interrupt_all()
    held = threading.Event()

    def action() -> None:
        held.set()
        while True:
            time.sleep(0.01)

    command = Command(action)
    assert held.wait(5)
    assert interrupt_all()
    assert not interrupt_all()
    command.join(5)
    assert type(command.error) is KeyboardInterrupt
    for _ in range(50):  # an interrupt at any moment stays inside the command
        short = Command(lambda: sum(range(2000)))
        interrupt_all()
        short.join(5)
        assert short.error is None or type(short.error) is KeyboardInterrupt


def test_the_main_thread_keeps_its_engine() -> None:
    """There Python interrupts by itself: no helper thread, no other engine."""
    engine = lm.Session(region="us-east-1").engine
    assert patient(engine) is engine
    with interruptible():
        assert not interrupt_all()
    assert dataclasses.replace(engine) == engine


_TRACED = """
import sys, threading
from lmfunction._thread_interrupts import watched

def stopped():
    try:
        with watched() as watch:
            watch.interrupt()
            for _ in range(1000):
                pass
    except KeyboardInterrupt:
        pass

thread = threading.Thread(target=stopped)
thread.start()
thread.join()
sys.setprofile(lambda *_: None)
(lambda: None)()
sys.setprofile(None)
print("done")
"""


def test_a_profiler_gets_on_after_an_interrupt() -> None:
    """CPython must not go on looking for an error that was taken back: with %prun no call would ever begin."""
    ended = subprocess.run([sys.executable, "-c", _TRACED], capture_output=True, text=True, timeout=20, check=False)
    assert ended.stdout == "done\n"

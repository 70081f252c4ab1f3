"""Ticks while the network is waited for: they come, in the thread that waits, and change nothing about the call."""

from __future__ import annotations

import contextvars
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ctrl_c import ctrl_c_when

import lmfunction as lm
from lmfunction import _waiting
from lmfunction._auth import Credential
from lmfunction._boto import Connection
from lmfunction._interrupts import patient
from lmfunction._request import InvokeRequest
from lmfunction._thread_interrupts import interruptible
from lmfunction._transport import Transport
from lmfunction._waiting import TICK, pause, tick, ticking

ANSWER = {"status": 200, "body": '"answered"'}


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of 10 ms."""
    monkeypatch.setattr(_waiting, "STEP", 0.01)


@pytest.fixture(params=["plain", "TLS"])
def tls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ssl.SSLContext, str] | None:
    """A server's TLS and the file of whom to trust; None for a plain connection."""
    if request.param == "plain":
        return None
    if shutil.which("openssl") is None:
        pytest.skip("this machine has no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, str(certificate)


class Gate:
    """A tick that lets the server's next piece go after so many calls; it keeps who called it."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self.threads: list[threading.Thread] = []
        self.pieces = threading.Semaphore(0)

    def __call__(self) -> None:
        self.threads.append(threading.current_thread())
        if len(self.threads) % self.calls == 0:
            self.pieces.release()


@pytest.fixture
def slow_server(faults: ModuleType, tls: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Starts a server that sends head and body in two pieces, each when `gate` lets it, and a transport to it."""
    opened: list[Any] = []

    def start(gate: Gate, timeout: float = 20.0) -> Any:
        def pieces(step: Any) -> Iterator[bytes]:
            (whole,) = blocks(step)
            head, body = whole[:20], whole[20:]
            for piece in (head, body):
                assert gate.pieces.acquire(timeout=10)
                yield piece

        blocks = faults.answer_blocks
        monkeypatch.setattr(faults, "answer_blocks", pieces)
        server = faults.FaultServer(tls=tls[0] if tls else None)
        server.play([ANSWER])
        connection = Connection(
            "us-east-1",
            server.url,
            credential=Credential("AKIDEXAMPLE", "not-a-secret"),
            read_timeout=timeout,
            verify=tls[1] if tls else None,
        )
        transport = Transport(connection)
        opened.extend((transport, server))
        return transport

    yield start
    for one in opened:
        one.close()


def test_ticks_come_while_head_and_body_are_waited_for(slow_server: Any) -> None:
    """They come in the thread that waits, before the head and inside it, on a first and on a kept connection.

    The server goes on only because of them. With TLS 1.3 a new connection's socket is readable at once, for tickets
    that are no answer: whoever asked the socket alone would wait there without a tick.
    """
    gate = Gate(3)
    transport = slow_server(gate)
    for _ in range(2):
        with ticking(gate):
            reply = transport.send(InvokeRequest("f"))
        assert reply.body == b'"answered"'
    assert len(gate.threads) >= 4 * gate.calls
    assert set(gate.threads) == {threading.current_thread()}
    assert TICK.get() is None


def test_the_timeout_is_the_one_of_the_line(slow_server: Any) -> None:
    """Many small steps together wait as long as the one wait they replace, and end with the same error."""
    gate = Gate(1_000_000)  # the server never answers
    transport = slow_server(gate, timeout=0.2)
    start = time.monotonic()
    with ticking(gate), pytest.raises(lm.TransportError, match="no answer came in time") as caught:
        transport.send(InvokeRequest("f"))
    assert 0.18 < time.monotonic() - start < 2
    assert (caught.value.sent, caught.value.phase) == (None, "wait")
    assert len(gate.threads) > 5
    gate.pieces.release(2)


def test_what_a_tick_raises_ends_the_wait(slow_server: Any) -> None:
    """Ctrl-C while something is drawn is Ctrl-C while waiting; the connection is not used again."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    gate = Gate(1)
    transport = slow_server(gate)
    with ticking(interrupted), pytest.raises(KeyboardInterrupt):
        transport.send(InvokeRequest("f"))
    gate.pieces.release(4)  # its answer comes later, to nobody
    with ticking(gate):
        assert transport.send(InvokeRequest("f")).body == b'"answered"'


def test_without_a_tick_the_answer_is_read_as_ever(slow_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No step is made, so that a call that nobody watches costs what it cost."""
    monkeypatch.setattr(_waiting, "_StepwiseSocket", None)  # making one would fail
    gate = Gate(1)
    gate.pieces.release(2)
    assert slow_server(gate).send(InvokeRequest("f")).body == b'"answered"'


def test_ctrl_c_while_ticks_come(faults: ModuleType) -> None:
    """A real signal ends a wait in steps within half a second, with what is known, and the next call works."""
    with faults.FaultServer() as server:
        server.play([{"raw": "", "then": "stall"}, ANSWER])
        keys = lm.Credential("AKIDEXAMPLE", "not-a-secret")
        with lm.Session(region="us-east-1", endpoint_url=server.url, credential=keys, timeout_sec=20) as session:
            with ticking(lambda: None), ctrl_c_when(server.asked) as passed:
                with pytest.raises(lm.InvocationInterrupted) as caught:
                    session.invoke_lm("some-function")
                assert passed() < 0.5
            assert caught.value.sent is None
            assert session.invoke_lm("some-function").payload == "answered"
        assert len(server.requests) == 2


def test_a_pause_is_made_of_steps() -> None:
    """The whole time is slept, with a tick after each step; without a tick in one piece."""
    slept: list[float] = []
    ticks: list[None] = []
    pause(0.035, slept.append)
    assert slept == [0.035]
    slept.clear()
    with ticking(lambda: ticks.append(None)):
        pause(0.035, slept.append)
    assert sum(slept) == pytest.approx(0.035)
    assert max(slept) == 0.01
    assert len(ticks) == len(slept) == 4


def test_ticks_belong_to_their_context() -> None:
    """Another thread and another context know nothing of them, and they end with their block."""
    seen: list[str] = []
    with ticking(lambda: seen.append("outer")):
        with ticking(lambda: seen.append("inner")):
            tick()
        tick()
        thread = threading.Thread(target=tick)
        thread.start()
        thread.join()
        contextvars.Context().run(tick)
        with ticking(None):
            tick()
    tick()
    assert seen == ["inner", "outer"]


def test_a_command_in_a_thread_ticks_there(faults: ModuleType) -> None:
    """Where the call is made by a helper thread, the command's own thread ticks, once for each step."""
    threads: list[threading.Thread] = []
    with faults.FaultServer() as server, lm.Session(region="us-east-1", endpoint_url=server.url) as session:
        released = threading.Event()
        blocks = faults.answer_blocks

        def late(step: Any) -> Iterator[bytes]:
            assert released.wait(10)
            yield from blocks(step)

        def note() -> None:
            threads.append(threading.current_thread())
            if len(threads) == 3:
                released.set()

        def command() -> None:
            engine = patient(session.engine)
            place = Connection("us-east-1", server.url, credential=Credential("AKIDEXAMPLE", "not-a-secret"))
            with interruptible(), ticking(note):
                from lmfunction._connection import Place
                from lmfunction._profile_values import Profile

                engine.connections.transport(Place(place, Profile(""))).send(InvokeRequest("f"))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(faults, "answer_blocks", late)
            thread = threading.Thread(target=command)
            thread.start()
            thread.join(10)
    assert len(threads) >= 3
    assert set(threads) == {thread}

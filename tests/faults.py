"""A server on loopback whose answers go wrong in the ways of `fault_cases.yaml`, and one call against it observed.

An answer is a mapping: `raw` bytes as they are, or `status`, `headers`, `body`, `type` (the error type), with Lambda's
usual headers around them unless `bare`. `length` replaces Content-Length (null: none). `fill` is how many more body
bytes follow. `held` is an event that it waits for. `then` says what becomes of the connection: keep (default), fin,
reset, stall.

As a program it plays the whole table in one process and prints what was observed as JSON:
`python faults.py fault_cases.yaml`.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lmfunction as lm

REQUEST_ID = "11111111-2222-3333-4444-555555555555"
_BLOCK = 65536


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    line: str
    headers: Mapping[str, str]
    body: bytes


class FaultServer:
    """Plays a script of answers, one a request; the last one is repeated. Counts what it was asked."""

    def __init__(self, tls: Any = None) -> None:
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._lock = threading.Lock()
        self._live: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Condition(self._lock)
        self.play([{"status": 200, "body": "{}"}])
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def __enter__(self) -> FaultServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def play(self, script: Sequence[Mapping[str, Any]]) -> None:
        """Answers from `script` from now on, and counts anew. Connections kept from before are hung up."""
        self.hang_up()
        with self._lock:
            self.script = script
            self.requests: list[Request] = []
            self.connections = 0
            self.bytes_sent = 0
            self.asked = threading.Event()

    def hang_up(self) -> None:
        """Closes every connection from this end, and waits until their threads have seen it."""
        with self._lock:
            live = list(self._live)
        for connection in live:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.wait_until_closed()

    def wait_until_closed(self) -> None:
        """Waits until no connection is left."""
        with self._idle:
            assert self._idle.wait_for(lambda: not self._live, timeout=10), "a connection stayed open"

    def close(self) -> None:
        """Stops listening, hangs up and joins every thread."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(10)
        self.hang_up()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._live.add(connection)
                self.connections += 1
            thread = threading.Thread(target=self._serve, args=[connection], daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        stream = connection
        try:
            with contextlib.suppress(OSError):
                if self._tls:
                    stream = self._tls.wrap_socket(connection, server_side=True)
                while self._answer_one(stream):
                    pass
        finally:
            stream.close()
            connection.close()
            with self._idle:
                self._live.discard(connection)
                self._idle.notify_all()

    def _answer_one(self, connection: socket.socket) -> bool:
        request = read_request(connection)
        if request is None:
            return False
        with self._lock:
            self.requests.append(request)
            step = self.script[min(len(self.requests), len(self.script)) - 1]
            self.asked.set()
        if "held" in step:
            step["held"].wait(10)
        for block in answer_blocks(step):
            connection.sendall(block)
            self.bytes_sent += len(block)
        then = step.get("then", "keep")
        if then == "stall":
            while connection.recv(_BLOCK):
                pass
        elif then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return bool(then == "keep")


def read_request(connection: socket.socket) -> Request | None:
    """One whole request; None when the other end closed before."""
    data = b""
    while b"\r\n\r\n" not in data:
        block = connection.recv(_BLOCK)
        if not block:
            return None
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (text.split(": ", 1) for text in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        block = connection.recv(_BLOCK)
        if not block:
            return None
        body += block
    return Request(line, headers, body)


def answer_blocks(step: Mapping[str, Any]) -> Iterator[bytes]:
    """The bytes of the answer that `step` describes."""
    if "raw" in step:
        if step["raw"]:
            yield step["raw"].encode("latin-1")
    else:
        yield _whole_answer(step)
    left = step.get("fill", 0)
    while left > 0:
        block = b" " * min(left, _BLOCK)
        yield block
        left -= len(block)


def _whole_answer(step: Mapping[str, Any]) -> bytes:
    kind = step.get("type")
    text = step.get("body", json.dumps({"Type": "User", "message": "told"}) if kind else "")
    body = text.encode()
    headers = {} if step.get("bare") else {"x-amzn-RequestId": REQUEST_ID, "Content-Type": "application/json"}
    if kind:
        headers["x-amzn-ErrorType"] = kind
    length = step.get("length", len(body) + step.get("fill", 0))
    if length is not None:
        headers["Content-Length"] = str(length)
    headers |= step.get("headers", {})
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {step['status']} Any\r\n{head}\r\n".encode("latin-1") + body


@dataclass
class FakeTime:
    """A clock that only `sleep` moves, and the waits it was asked for."""

    now: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(round(seconds, 6))
        self.now += seconds


class Caller:
    """Calls with a policy whose time is not the wall's and whose dice always show a half."""

    def __init__(self) -> None:
        self.time = FakeTime()
        policy = lm.RetryPolicy(clock=self.time.clock, sleep=self.time.sleep, random=lambda: 0.5)
        self.session = lm.Session(
            region="us-east-1", credential=lm.Credential("AKIDEXAMPLE", "not-a-secret"), retry_policy=policy
        )

    def call(self, url: str, **more: Any) -> Any:
        """One call to `url`."""
        return self.session.invoke_lm("some-function", {"n": 1}, endpoint_url=url, **more)

    def close(self) -> None:
        """Closes the connections."""
        self.session.close()


@contextlib.contextmanager
def nowhere(kind: str) -> Iterator[str]:
    """The URL of a port where nobody is (`refused`), or where a connection is never taken (`full`)."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    if kind == "refused":
        listener.close()
        yield url
        return
    waiting: list[socket.socket] = []
    try:
        for _ in range(8):  # what the backlog takes is the system's business: fill it until one is left waiting
            probe = socket.socket()
            probe.settimeout(0.1)
            waiting.append(probe)
            try:
                probe.connect(("127.0.0.1", port))
            except TimeoutError:
                break
        else:
            raise AssertionError("the backlog never filled")
        yield url
    finally:
        for probe in waiting:
            probe.close()
        listener.close()


def observe(case: Mapping[str, Any], server: FaultServer, caller: Caller) -> dict[str, Any]:
    """What comes of `case`: what the server saw, the last call's error or result, and the waits before resending."""
    caller.time.waits.clear()
    options = {"timeout_sec": case.get("timeout", 300), **case.get("call", {})}
    server.play(case.get("answers", []))
    with contextlib.ExitStack() as stack:
        url = server.url if "nowhere" not in case else stack.enter_context(nowhere(case["nowhere"]))
        for _ in range(case.get("calls", 1) - 1):
            caller.call(url, **options)
            if case.get("wait_until_closed"):
                server.wait_until_closed()
        try:
            seen = _of_result(caller.call(url, **options))
        except lm.LMError as error:
            seen = _of_error(error)
    return {**seen, "requests": len(server.requests), "waits": list(caller.time.waits)}


def _of_result(result: Any) -> dict[str, Any]:
    return {
        "outcome": str(result.outcome),
        "status": result.status_code,
        "payload": result.payload if not isinstance(result.payload, bytes) else result.payload.hex(),
        "function_error": result.function_error,
        "attempts": result.attempts,
        "attempt_log": [f"{a.outcome} {a.code}".strip() for a in result.attempt_log],
        "waited_ms": [round(a.waited_ms) for a in result.attempt_log],
    }


def _of_error(error: Any) -> dict[str, Any]:
    names = ("outcome", "sent", "status", "code", "reason", "retry_after", "attempts", "request_id", "retryable")
    found = {name: getattr(error, name) for name in names if hasattr(error, name)}
    return {"error": type(error).__name__, "text": str(error), **found}


def main() -> int:
    """Plays the table given on the command line; with `--boto3` as where only boto3 can send."""
    import yaml

    if "--boto3" in sys.argv:
        from lmfunction import _client, _transport

        _client.DirectTransport = _transport.Transport  # type: ignore[misc]
    cases = yaml.safe_load(Path(sys.argv[1]).read_text())
    caller = Caller()
    with FaultServer() as server:
        found = {case["id"]: observe(case, server, caller) for case in cases}
        caller.close()
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())

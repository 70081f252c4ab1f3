"""A load client in a process of its own: one prepared request, sent again and again over some connections.

Each connection has one request in flight. `{invocation}` in the request is replaced by a new id each time, as the SDKs
do with the header `amz-sdk-invocation-id`, which they do not sign; nothing else is done to a request or read of an
answer that could be measured in the server's place.
`python http_load.py` reads its plan as JSON on standard input and writes a `Load` as JSON.
"""

from __future__ import annotations

import base64
import json
import os
import select
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

_INVOCATION: Final = b"{invocation}"


@dataclass(frozen=True)
class Load:
    """What was measured: answers per second, latencies in ms, answers that were not the expected status."""

    per_second: float
    p50_ms: float
    p99_ms: float
    wrong: int


def run_load(port: int, request: bytes, *, connections: int, seconds: float, status: int = 200) -> Load:
    """Sends `request` for `seconds` from another process. Raises RuntimeError when the server hangs up or is silent."""
    plan = {
        "port": port,
        "request": base64.b64encode(request).decode(),
        "connections": connections,
        "seconds": seconds,
        "status": status,
    }
    done = subprocess.run(
        [sys.executable, __file__], input=json.dumps(plan), capture_output=True, text=True, timeout=seconds + 60
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return Load(**json.loads(done.stdout))


class _Client:
    """One connection."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.before, self.mark, self.after = request.partition(_INVOCATION)
        self.sent_at = 0.0
        self.parts: list[bytes] = []
        self.left = -1  # bytes of the answer still to come; -1 while its head is not read

    def send(self) -> None:
        invocation = os.urandom(18).hex().encode() if self.mark else b""
        self.parts, self.left = [], -1
        self.sent_at = time.perf_counter()
        self.socket.sendall(self.before + invocation + self.after)

    def receive(self) -> bool:
        """Reads once; whether the answer is complete."""
        data = self.socket.recv(65_536)  # more would cost ten times as much in fresh memory
        if not data:
            raise RuntimeError("the server hung up")
        if self.left < 0:
            if self.parts:
                data = self.parts.pop() + data
            self.parts.append(data)
            end = data.find(b"\r\n\r\n")
            if end < 0:
                return False
            self.left = end + 4 + _content_length(data[:end]) - len(data)
        else:
            self.left -= len(data)
        return self.left == 0


def _content_length(head: bytes) -> int:
    return int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])


def _measure(plan: dict[str, Any]) -> Load:
    request, expected = base64.b64decode(plan["request"]), str(plan["status"]).encode()
    clients = [_Client(plan["port"], request) for _ in range(plan["connections"])]
    by_fd = {c.socket.fileno(): c for c in clients}
    poll = select.poll()
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    times: list[float] = []
    wrong = 0
    start = time.perf_counter()
    end = start + plan["seconds"]
    for client in clients:
        client.send()
    running = len(clients)
    while running:
        ready = poll.poll(30_000)
        if not ready:
            raise RuntimeError(f"no answer for 30 s after {len(times)} answers")
        for fd, _ in ready:
            client = by_fd[fd]
            if not client.receive():
                continue
            now = time.perf_counter()
            times.append(now - client.sent_at)
            wrong += client.parts[0][9:12] != expected
            if now < end:
                client.send()
            else:
                poll.unregister(fd)
                running -= 1
    elapsed = time.perf_counter() - start
    for client in clients:
        client.socket.close()
    times.sort()
    return Load(len(times) / elapsed, times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000, wrong)


if __name__ == "__main__":
    json.dump(asdict(_measure(json.load(sys.stdin))), sys.stdout)

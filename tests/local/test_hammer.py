"""Handlers that crash, over and over, from eight sides at once: right errors, and nothing is left behind.

Two seconds; LMFUNCTION_HAMMER_SECONDS=20 for a thorough run.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lmfunction.local._child import Embedded, start_embedded
from lmfunction.local._settings import Settings

SECONDS = float(os.environ.get("LMFUNCTION_HAMMER_SECONDS", "2"))
CRASHES = """
import os, signal, subprocess, sys, time
def handler(event, context):
    if event == "exit":
        os._exit(5)
    if event == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if event == "system exit":
        sys.exit(7)
    if event == "raise":
        raise ValueError("no")
    if event == "child":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen(["sleep", "60"])
        if os.fork() == 0:
            time.sleep(60)
        os._exit(6)
    if event == "write":
        print("x" * 100_000, flush=True)
        os._exit(8)
    return event
"""
EXPECTED = {
    "exit": "Runtime exited with error: exit status 5",
    "kill": "Runtime exited with error: signal: killed",
    "system exit": "Runtime exited with error: exit status 7",
    "raise": "no",
    "child": "Runtime exited with error: exit status 6",
    "write": "Runtime exited with error: exit status 8",
}


class Hammer:
    """One connection that sends each event in turn until the time is over, and notes every answer that is wrong."""

    def __init__(self, wire: Any, requests: dict[str, bytes], read_reply: Any, end: float) -> None:
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._port = wire.port
        self._requests = requests
        self._read_reply = read_reply
        self._end = end
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=20) as connection:
            while time.monotonic() < self._end:
                for event, request in self._requests.items():
                    connection.sendall(request)
                    self._check(event, self._read_reply(connection))

    def _check(self, event: str, reply: Any) -> None:
        message = reply.json().get("errorMessage", "")
        function_error = reply.lower.get("x-amz-function-error")
        if (reply.status, function_error) != (200, "Unhandled") or not message.endswith(EXPECTED[event]):
            self.wrong.append(f"{event}: {reply.status} {function_error} {message[:200]}")
        self.counts[event] += 1


@pytest.fixture
def crowded(client_of: Any, Deployer: Any) -> Any:
    """A server of its own, and the name of a function that crashes as it is told to."""
    with start_embedded(settings=replace(Settings(), idle_seconds=0.5)) as server:
        yield server, Deployer(client_of(server))(CRASHES, Timeout=10)
        assert server.errors == ""


def descriptors(pid: int) -> int:
    """How many descriptors a process has open; 0 where the system does not tell."""
    folder = Path(f"/proc/{pid}/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def settled(server: Embedded, children_of: Any, most: int, seconds: float = 5.0) -> tuple[int, int]:
    """Processes and descriptors of a server, once idle environments are closed, or after some seconds."""
    deadline = time.monotonic() + seconds
    while True:
        found = len(children_of(server.pid)), descriptors(server.pid)
        if (found[0] == 0 and found[1] <= most) or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def test_hammering_crashing_handlers(
    crowded: Any, make_wire: Any, to_bytes: Any, read_reply: Any, children_of: Any
) -> None:
    """Eight connections get the right error every time; then no process and no descriptor is left."""
    server, name = crowded
    wire = make_wire(server)
    path = f"/2015-03-31/functions/{name}/invocations"
    assert wire.request(path, b"1").body == b"1"
    _, before = settled(server, children_of, 0, seconds=1.5)
    bodies = {event: json.dumps(event).encode() for event in EXPECTED}
    requests = {event: to_bytes("POST", path, wire.signed(path, body), body) for event, body in bodies.items()}
    end = time.monotonic() + SECONDS
    hammers = [Hammer(wire, requests, read_reply, end) for _ in range(8)]
    for hammer in hammers:
        hammer.thread.join(SECONDS + 30)
        assert not hammer.thread.is_alive()
    assert [text for hammer in hammers for text in hammer.wrong] == []
    counts = sum((hammer.counts for hammer in hammers), Counter())
    assert min(counts[event] for event in EXPECTED) >= 8
    assert wire.request(path, b"2").body == b"2"
    assert settled(server, children_of, before) == (0, before)


@pytest.mark.parametrize(
    ("event", "message"),
    [("exit", EXPECTED["exit"]), ("child", EXPECTED["child"]), ("raise", "no")],
)
def test_log_of_a_crash(call: Any, deploy: Any, event: str, message: str) -> None:
    """K36: what crashes is told in the log as in the payload, each time anew."""
    name = deploy(CRASHES)
    for _ in range(2):
        payload, answer = call(name, event, LogType="Tail")
        assert payload["errorMessage"].endswith(message)
        assert answer["ResponseMetadata"]["RequestId"] in answer["Log"]
        assert message in answer["Log"]


def test_secrets_that_a_handler_prints(server: Any, call: Any, deploy: Any) -> None:
    """K36: a handler that prints all it can find finds the keys of this server only, which open nothing else."""
    name = deploy("import os\ndef handler(event, context): print(dict(os.environ))\n")
    _, answer = call(name, LogType="Tail")
    assert server.secret_key in answer["Log"]
    assert server.errors == ""

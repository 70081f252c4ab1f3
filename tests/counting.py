"""A Lambda of its own process that counts how often each item ran, and goes wrong as it is told.

An event `{"n": 7}` counts under 7 and comes back as the answer. What else becomes of it stands in the event's `do`: one
step, or a list of which the n-th try of the item plays the n-th (the last one again and again). A step is what
`faults.answer_blocks` takes, and `delay` in seconds; one that refuses (a typed error, or `runs: false`) does not count
as run. Settings hold for all events: `delay`, `limit` (so many at a time, else 429), `rate` (so many a second, else 429
by rate), `reason`, `retry_after`, `do`; requests signed with `refuse_key` are refused
after the first `refuse_after`; with `forget` only requests are counted.

As a program it serves until its standard input ends, and prints its URL:
`python counting.py [--tls CERTIFICATE KEY] [--settings JSON] [--processes N]`. Only one process knows all counts.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONCURRENCY = "ReservedFunctionConcurrentInvocationLimitExceeded"
RATE = "CallerRateLimitExceeded"
_ID = "11111111-2222-3333-4444-%012d"


class Ledger:
    """What was asked and what ran."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.tries: collections.Counter[str] = collections.Counter()
        self.executions: collections.Counter[str] = collections.Counter()
        self.requests = self.refused = self.busy = self.most = self.connections = 0
        self.refusals: list[float] = []
        self.tokens = 0.0
        self.filled = time.monotonic()

    def counts(self) -> dict[str, Any]:
        """Everything, as plain data."""
        return {
            "requests": self.requests,
            "refused": self.refused,
            "most": self.most,
            "busy": self.busy,
            "connections": self.connections,
            "open": Connection.open,
            "executions": self.executions,
            "refusals": self.refusals,
        }

    def refusal(self) -> dict[str, Any] | None:
        """The step that throttles the next request, where the settings want that."""
        limit, rate = self.settings.get("limit"), self.settings.get("rate")
        if limit is not None and self.busy >= limit:
            return self._throttled(self.settings.get("reason", CONCURRENCY))
        if rate is not None:
            now = time.monotonic()
            self.tokens = min(self.tokens + (now - self.filled) * rate, max(rate / 10, 1.0))
            self.filled = now
            if self.tokens < 1:
                return self._throttled(self.settings.get("reason", RATE))
            self.tokens -= 1
        return None

    def _throttled(self, reason: str) -> dict[str, Any]:
        self.refused += 1
        self.refusals.append(round(time.monotonic(), 3))
        retry = self.settings.get("retry_after")
        return {
            "status": 429,
            "type": "TooManyRequestsException",
            "body": json.dumps({"Reason": reason, "Type": "User", "message": "Rate exceeded"}),
            "headers": {} if retry is None else {"Retry-After": str(retry)},
        }


class Connection(asyncio.Protocol):
    """One connection: whole requests in, answers out, one after the other."""

    open = 0  # of all connections

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.data = b""

    def connection_made(self, transport: Any) -> None:
        """The other end is there."""
        self.transport = transport
        self.ledger.connections += 1
        Connection.open += 1
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, error: Exception | None) -> None:
        """The other end is gone."""
        Connection.open -= 1

    def data_received(self, data: bytes) -> None:
        """Bytes; a whole request is answered."""
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.data) < end + 4 + length:
                return
            body = self.data[end + 4 : end + 4 + length]
            whole = self.data[:end]
            self.data = self.data[end + 4 + length :]
            self.request(whole, body)

    def request(self, head: bytes, body: bytes) -> None:
        """Answers one request."""
        line = head
        ledger = self.ledger
        if line.startswith(b"GET /counts"):
            return self.answer({"status": 200, "body": json.dumps(ledger.counts())}, 0)
        if line.startswith(b"PUT /changes"):
            ledger.settings.update(json.loads(body))
            return self.answer({"status": 200, "body": "{}"}, 0)
        if line.startswith(b"PUT /settings"):
            ledger.__init__(json.loads(body))  # type: ignore[misc]
            return self.answer({"status": 200, "body": "{}"}, 0)
        ledger.requests += 1
        refused = ledger.settings.get("refuse_key")
        if refused and refused.encode() in head and ledger.requests > ledger.settings.get("refuse_after", 0):
            return self.answer({"status": 403, "type": "ExpiredTokenException"}, ledger.requests)
        event = json.loads(body)
        item = event.get("n") if isinstance(event, dict) else event
        key = str(item)
        refusal = ledger.refusal()
        if refusal is not None:
            return self.answer(refusal, ledger.requests)
        if ledger.settings.get("forget"):
            return self.finish(None, body, ledger.requests)
        ledger.tries[key] += 1
        plan = (event.get("do") if isinstance(event, dict) else None) or ledger.settings.get("do")
        if isinstance(plan, list):
            plan = plan[min(ledger.tries[key], len(plan)) - 1]
        delay = (plan or {}).get("delay", ledger.settings.get("delay", 0))
        if plan is None or plan.get("runs", "type" not in plan):
            ledger.executions[key] += 1
        if not delay:
            return self.finish(plan, body, ledger.requests)
        ledger.busy += 1
        ledger.most = max(ledger.most, ledger.busy)
        asyncio.get_running_loop().call_later(delay, self.later, plan, body, ledger.requests)
        return None

    def later(self, plan: dict[str, Any] | None, body: bytes, number: int) -> None:
        """Answers what was held back."""
        self.ledger.busy -= 1
        self.finish(plan, body, number)

    def finish(self, plan: dict[str, Any] | None, body: bytes, number: int) -> None:
        """Answers with the event itself, or as the step says."""
        if plan is None or not plan.keys() - {"delay", "runs"}:
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nDate: Sat, 28 Nov 2026 13:00:00 GMT\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\nConnection: keep-alive\r\nx-amzn-RequestId: %b\r\n"
                b"X-Amz-Executed-Version: $LATEST\r\n"
                b"X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0\r\n\r\n%b"
                % (len(body), (_ID % number).encode(), body)
            )
        else:
            self.answer(plan, number)

    def answer(self, step: dict[str, Any], number: int) -> None:
        """Answers as a step says."""
        from faults import answer_blocks

        for block in answer_blocks(step):
            self.transport.write(block.replace(b"11111111-2222-3333-4444-555555555555", (_ID % number).encode()))
        then = step.get("then", "keep")
        if then == "fin":
            self.transport.close()
        elif then == "reset":
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()


async def serve(options: argparse.Namespace) -> None:
    """Serves until the standard input ends."""
    context = None
    if options.tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*options.tls)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", options.port))
    ledger = Ledger(json.loads(options.settings))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(ledger), sock=listener, ssl=context, backlog=4096)
    port = listener.getsockname()[1]
    others = [
        subprocess.Popen([sys.executable, __file__, *sys.argv[1:], "--port", str(port), "--processes", "1"], stdin=0)
        for _ in range(options.processes - 1)
    ]
    if not options.port:
        print(f"{'https' if context else 'http'}://127.0.0.1:{port}", flush=True)
    ended = loop.create_future()
    loop.add_reader(0, lambda: os.read(0, 1) or ended.done() or ended.set_result(None))
    await ended
    server.close()
    for other in others:
        other.wait()


class Served:
    """A counting Lambda under way: its `url`, and what it is asked and told."""

    def __init__(self, url: str, certificate: Path | None) -> None:
        self.url = url
        self.certificate = certificate

    def counts(self) -> dict[str, Any]:
        """What was asked and what ran; `executions` by item, as text."""
        return dict(self._ask("/counts"))

    def set(self, **settings: Any) -> None:
        """Gives it other settings, all of them; it counts anew."""
        self._ask("/settings", json.dumps(settings).encode())

    def change(self, **settings: Any) -> None:
        """Gives it some other settings; it counts on."""
        self._ask("/changes", json.dumps(settings).encode())

    def reset(self) -> None:
        """As it was when it began."""
        self.set()

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        context = ssl.create_default_context(cafile=self.certificate) if self.certificate else None
        request = urllib.request.Request(self.url + path, data=body, method="PUT" if body else "GET")
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return json.loads(answer.read())


@contextlib.contextmanager
def counting_lambda(
    certificate: tuple[Path, Path] | None = None, processes: int = 1, **settings: Any
) -> Iterator[Served]:
    """Serves in another process. `certificate` is a file of it and one of its key (`make_certificate`)."""
    line = [sys.executable, __file__, "--settings", json.dumps(settings), "--processes", str(processes)]
    if certificate:
        line += ["--tls", *map(str, certificate)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            url = process.stdout.readline().strip()
            assert url, "the counting Lambda did not start"
            yield Served(url, certificate[0] if certificate else None)
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key. Needs openssl."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def main() -> int:
    """Serves as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--settings", default="{}")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--port", type=int, default=0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

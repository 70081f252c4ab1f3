"""A Lambda that counts: every invocation it gets is kept before it is answered."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Counting:
    """What was asked. `answer` is the body of each answer, `status` and `headers` the rest, `wait` what comes first."""

    def __init__(self) -> None:
        self.url = ""
        self.reset()

    def reset(self) -> None:
        """Forgets what was asked, and answers as in the beginning."""
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.answer = b'{"done": true}'
        self.status = 200
        self.headers: dict[str, str] = {}
        self.wait: Callable[[], object] = lambda: None

    @property
    def digests(self) -> Counter[str]:
        """How often each payload came, by its SHA-256."""
        return Counter(hashlib.sha256(body).hexdigest() for body in [*self.bodies])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        counting: Counting = self.server.counting  # type: ignore[attr-defined]
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            return  # killed within its request, which no Lambda would run
        counting.bodies.append(body)
        counting.paths.append(self.path)
        counting.wait()
        if counting.status == 0:  # hangs up
            self.close_connection = True
            return
        self.send_response(counting.status)
        for name, value in {"x-amzn-RequestId": f"request-{len(counting.bodies)}", **counting.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(counting.answer)))
        self.end_headers()
        self.wfile.write(counting.answer)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):  # who asked was killed
            super().handle()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def counting_lambda() -> Iterator[Counting]:
    """A counting Lambda on a free port, stopped at the end."""
    counting = Counting()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        server.counting = counting  # type: ignore[attr-defined]
        counting.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield counting
        finally:
            server.shutdown()
            thread.join()


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits for something that another process does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)

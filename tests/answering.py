"""A server that answers what it is told, and keeps what it was asked."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Any


class Requests(list[tuple[str, str, bytes]]):
    """What was asked (method, path with query, body), and what is answered: the last answer is repeated."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[tuple[int, dict[str, str], bytes]] = []

    def answer(self, body: Any = None, status: int = 200, **headers: str) -> None:
        """Adds an answer; a mapping is sent as JSON."""
        content = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        self.answers.append((status, {name.replace("_", "-"): value for name, value in headers.items()}, content))


class AnsweringHandler(BaseHTTPRequestHandler):
    """Serves the `requests` of its server."""

    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        asked: Requests = self.server.requests  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        asked.append((self.command, self.path, body))
        status, headers, content = asked.answers.pop(0) if len(asked.answers) > 1 else asked.answers[0]
        self.send_response(status)
        for name, value in {"x-amzn-RequestId": "request-1", **headers}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if status != 204:
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def log_message(self, *_: Any) -> None:
        pass

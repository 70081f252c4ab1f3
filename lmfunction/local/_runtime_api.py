"""The Runtime API of one process: `/2018-06-01/runtime/...` on a port of its own.

A port for each process tells who is calling (the real runtime clients cannot carry a token in the path).
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from lmfunction import _wire
from lmfunction.local._addresses import LOOPBACK, foreign_fault, hosts_of
from lmfunction.local._connection import FOREVER, Connection
from lmfunction.local._http import Answer, Limits, Request
from lmfunction.local._invocation import Invocation, deadline_ms
from lmfunction.local._listener import Listener
from lmfunction.local._streaming import StreamedResponse, reported_error

_NEXT: Final = "/2018-06-01/runtime/invocation/next"
_INIT_ERROR: Final = "/2018-06-01/runtime/init/error"
_RESULT: Final = re.compile(r"/2018-06-01/runtime/invocation/(?P<id>[0-9a-f-]{36})/(?P<kind>response|error)")
# What our own loops send in one piece: a result and, behind its body, the next poll.
_RESULT_AND_POLL: Final = re.compile(
    rb"POST /2018-06-01/runtime/invocation/([0-9a-f-]{36})/(response|error) HTTP/1\.1\r\n"
    rb"Host: ([\d.:]+)\r\nContent-Length: (\d{1,7})\r\n\r\n"
)
_ACCEPTED_BYTES: Final = (
    b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'
)
_MODE: Final = "lambda-runtime-function-response-mode"
_JSON: Final = (("Content-Type", "application/json"),)
_ACCEPTED: Final = Answer(202, _JSON, b'{"status":"OK"}\n')
_PATIENCE_SECONDS: Final = 0.25
_UNBOUNDED: Final = 1 << 62
# A function may think for 15 minutes between two requests, and a response of any size is read to its end. awslambdaric
# tells of an error in a header, too, which may have 1 MB.
_LIMITS: Final = Limits(
    head_seconds=30,
    body_seconds=900,
    idle_seconds=1e9,
    connections=16,
    drain_bytes=_UNBOUNDED,
    head_bytes=2_097_152,
)


class Sandbox(Protocol):
    """Who owns the process, and hears what it says."""

    def process_polls(self, api: RuntimeApi) -> None:
        """The process asks for its next event; `api.hand_over` gives it one."""

    def process_responds(self, request_id: str, payload: bytes, *, error: bool, oversized: bool) -> bool:
        """The process answers an event; False when that event is not its current one."""

    def process_streams(self, request_id: str, content_type: str) -> StreamedResponse | None:
        """The process begins to stream its response to an event; None when that event is not its current one."""

    def process_has_streamed(self, response: StreamedResponse, error: bytes | None) -> None:
        """The response has come to its end, or the process reports the `error` that ended it."""

    def process_fails_to_start(self, payload: bytes) -> None:
        """The process reports that its initialisation failed."""


class RuntimeApi:
    """Serves the Runtime API to one process on a free loopback port."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._poll: Callable[[Answer], None] | None = None
        self._listener = _RuntimeListener(self, _LIMITS, hold_pipelined=True)
        listening = socket.create_server((LOOPBACK, 0), backlog=4)
        self._port: int = listening.getsockname()[1]
        self._hosts = hosts_of(self._port)
        self._host = self.address.encode()
        self._poll_bytes = f"GET {_NEXT} HTTP/1.1\r\nHost: {self.address}\r\n\r\n".encode()
        self._listening = listening
        self._near: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._starting = asyncio.get_running_loop().create_task(self._serve())

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API says: `host:port`."""
        return f"{LOOPBACK}:{self._port}"

    def connection(self) -> socket.socket:
        """The far end of a connection for our own loop, which spares both sides TCP. To be closed once passed on."""
        self._near, far = socket.socketpair()
        return far

    def when_quiet(self, then: Callable[[], None]) -> None:
        """Calls `then` once no connection is open on which an answer can still be under way.

        A child of the process can keep a connection open after its end: that is waited for only a moment.
        """
        if not self._listener.connections:
            then()
            return
        patience = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._listener.close)

        def quiet() -> None:
            patience.cancel()
            self._listener.on_last_closed = None
            then()

        self._listener.on_last_closed = quiet

    @property
    def polled(self) -> bool:
        """Whether the process is waiting for an event."""
        return self._poll is not None

    def hand_over(self, invocation: Invocation) -> None:
        """Gives the waiting process its next event."""
        poll, self._poll = self._poll, None
        assert poll is not None
        headers = [
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(deadline_ms(invocation))),
            ("Lambda-Runtime-Invoked-Function-Arn", invocation.arn),
            ("Lambda-Runtime-Trace-Id", invocation.trace_id),
        ]
        if invocation.client_context:
            headers.append(("Lambda-Runtime-Client-Context", invocation.client_context))
        if invocation.tenant_id:
            headers.append(("Lambda-Runtime-Aws-Tenant-Id", invocation.tenant_id))
        poll(Answer(200, headers, invocation.event))

    def close(self) -> None:
        """Stops listening and closes the connections."""
        self._poll = None
        self._listener.on_last_closed = None
        self._starting.cancel()
        if self._near is not None:
            self._near.close()
        if self._server is not None:
            self._server.close()
        elif self._listening.fileno() >= 0:
            # Cancelled on its way, it leaves the socket with the loop, which would take the next one of that number
            # for this one.
            asyncio.get_running_loop().remove_reader(self._listening)
        self._listening.close()
        self._listener.close()

    def admit(self, request: Request) -> int | Answer:
        """Only programs on this machine; a response may be as long as Invoke can return."""
        fault = foreign_fault(request.headers, self._hosts)
        if fault is not None:
            return _error(403, "Forbidden", fault)
        found = _RESULT.fullmatch(request.target) if _MODE in request.headers and request.method == "POST" else None
        if found is not None and found["kind"] == "response" and request.headers[_MODE].lower() == "streaming":
            kind = request.headers.get("content-type", "application/octet-stream")
            request.sink = request.route = self._sandbox.process_streams(found["id"], kind)
            if request.sink is None:
                return _UNKNOWN
        return _wire.SYNC_RESPONSE_LIMIT

    def take_result_and_poll(self, data: bytes) -> bool:
        """Takes a result when `data` is that and the next poll, as our own loops write them; else leaves it be."""
        found = _RESULT_AND_POLL.match(data)
        if found is None or found[3] != self._host:
            return False
        start = found.end()
        stop = start + int(found[4])
        if stop - start > _wire.SYNC_RESPONSE_LIMIT or data[stop:] != self._poll_bytes:
            return False
        request_id, error = found[1].decode(), found[2] == b"error"
        return self._sandbox.process_responds(request_id, data[start:stop], error=error, oversized=False)

    def wait_for_event(self, reply: Callable[[Answer], None]) -> None:
        """The process polls: `reply` is how it gets its next event."""
        self._poll = reply
        self._sandbox.process_polls(self)

    def answer(self, request: Request, reply: Callable[[Answer], None]) -> None:
        """Answers one request of the runtime."""
        if request.target == _NEXT and request.method == "GET":
            self.wait_for_event(reply)
        elif request.sink is not None:
            self._sandbox.process_has_streamed(request.route, reported_error(request.trailers or {}))
            reply(_ACCEPTED)
        elif request.method == "POST" and (found := _RESULT.fullmatch(request.target)):
            error = found["kind"] == "error"
            known = self._sandbox.process_responds(found["id"], request.body, error=error, oversized=request.oversized)
            # Accepted even when it was too long: awslambdaric ends on any other status, and AWS keeps the environment.
            reply(_ACCEPTED if known else _UNKNOWN)
        elif request.method == "POST" and request.target == _INIT_ERROR:
            self._sandbox.process_fails_to_start(request.body)
            reply(_ACCEPTED)
        else:
            reply(_error(404, "NotFound", "The Runtime API has no such path."))

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        near, self._near = self._near, None
        if near is not None:
            await loop.connect_accepted_socket(self._listener.connection, near)
        self._server = await loop.create_server(self._listener.connection, sock=self._listening)


@dataclass(slots=True)
class _RuntimeListener(Listener):
    """The listener of a Runtime API."""

    def connection(self) -> Connection:
        """A protocol for a new connection."""
        return _RuntimeConnection(self)


class _RuntimeConnection(Connection):
    """A runtime's connection, with a short way for the two requests that come with every invocation.

    They are what they are elsewhere, and answered alike; only, they are recognised as a whole and not taken apart,
    which saves a third of the server's work.
    """

    def __init__(self, listener: _RuntimeListener) -> None:
        super().__init__(listener)
        assert isinstance(listener.application, RuntimeApi)
        self._api = listener.application

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepts the connection; that of our own loop is there long before it asks: it loads the handler first."""
        super().connection_made(transport)
        if transport.get_extra_info("socket").family == socket.AF_UNIX:
            self.deadline = FOREVER

    def data_received(self, data: bytes) -> None:
        """Takes bytes in and answers every request that is complete."""
        if not self.at_rest or not self._api.take_result_and_poll(data):
            super().data_received(data)
        elif not self.closed:
            self.begin_answer(after=_ACCEPTED_BYTES)
            self._api.wait_for_event(self._reply)


def _error(status: int, kind: str, message: str) -> Answer:
    return Answer(status, _JSON, json.dumps({"errorMessage": message, "errorType": kind}).encode())


_UNKNOWN: Final = _error(400, "InvalidRequestID", "Invalid request ID")

"""HTTP/1.1 as values: heads to requests, answers to bytes, for the Lambda API and the Runtime API alike.

Strict where leniency has been exploited (RFC 9112 sections 2.2, 5.2 and 6.3): a bare LF, a folded header, a repeated
Content-Length, or Content-Length beside Transfer-Encoding is answered 400 and the connection is closed.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final, Protocol

_COMMON_START: Final = 1_024  # characters; longer start lines are rare, and not worth remembering
_ILLEGAL: Final = re.compile(r"[^\x21-\x7e ]")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER: Final = re.compile(r"^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([^\x00-\x08\n-\x1f\x7f]*)\r\n", re.MULTILINE)
_SINGLE: Final = frozenset({"content-length", "transfer-encoding", "host", "authorization", "expect"})
_PHRASE: Final = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True)
class Request:
    """One request. Header names are lower case; a repeated header's values are joined by a comma.

    `oversized` says that the body was longer than the application allows and was thrown away. `route` is room for
    what the application found out when it admitted the request. A `sink` that it set then takes the body as it comes,
    in place of `body`; `trailers` are the fields after it.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    oversized: bool = False
    route: Any = None
    sink: Sink | None = None
    trailers: dict[str, str] | None = None


class Flow(Protocol):
    """The incoming side of a connection, whose sender can be held up."""

    def pause(self) -> None:
        """Reads no more for now."""

    def resume(self) -> None:
        """Goes on reading."""


class Sink(Protocol):
    """Takes a request's body as it comes. Then the request is answered, as any; or the sink is `cut`."""

    def begin(self, flow: Flow) -> None:
        """The body begins to come through `flow`."""

    def put(self, data: bytes) -> None:
        """The next bytes."""

    def cut(self) -> None:
        """The body will not come to its end."""


class Body(Protocol):
    """The body of an answer that is written bit by bit. After `end`, or when the client has gone, writes do nothing.

    `full` says that the client takes it more slowly than it is written; `on_room` is called when that is over, and when
    the client goes.
    """

    full: bool
    on_room: Callable[[], None]

    def write(self, data: bytes) -> None:
        """Sends bytes, as one chunk."""

    def end(self) -> None:
        """Ends the body."""


@dataclass(slots=True)  # not frozen, which would make each one three times as dear; nobody changes one
class Answer:
    """One answer. `headers` go out in this order and case, after Date and before Content-Length.

    `stream` is for a body that comes bit by bit: it is called with the Body once the head is sent.
    """

    status: int
    headers: Iterable[tuple[str, str]] = ()
    body: bytes = b""
    close: bool = False
    stream: Callable[[Body], None] | None = None


class Application(Protocol):
    """What a listener serves."""

    def admit(self, request: Request) -> int | Answer:
        """The largest body in bytes that `request` may bring, or the refusal, before any body is read."""

    def answer(self, request: Request, reply: Callable[[Answer], None]) -> None:
        """Answers by calling `reply` once, now or later, from the event loop's thread."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one listener: seconds for a header, a body and an idle connection; connections; bytes.

    `drain_bytes` is how much of a refused body is read and thrown away, so that a client which sends first and
    reads later sees the answer; a longer one has its connection closed at once. `head_bytes` bounds the headers.
    """

    head_seconds: float = 10.0
    body_seconds: float = 60.0
    idle_seconds: float = 300.0
    connections: int = 2_000
    drain_bytes: int = 134_217_728
    head_bytes: int = 32_768


class MalformedError(Exception):
    """The bytes are not a request. `args` are the status and the reason."""


def parse_head(text: str) -> tuple[str, str, dict[str, str]]:
    """The start line and headers in `text`, each line ended by CRLF: method, target, headers.

    Raises MalformedError.
    """
    start, _, lines = text.partition("\r\n")
    method, target, version = (_parse_start if len(start) < _COMMON_START else _parse_start.__wrapped__)(start)
    headers = parse_fields(lines)
    if version == "HTTP/1.0":
        headers["connection"] = "close"
    return method, target, headers


@functools.lru_cache(maxsize=64)  # the same function is called again and again
def _parse_start(start: str) -> tuple[str, str, str]:
    parts = start.split(" ")
    if (
        len(parts) != 3
        or parts[2] not in ("HTTP/1.1", "HTTP/1.0")
        or not _TOKEN.fullmatch(parts[0])
        or _ILLEGAL.search(start)
    ):
        raise MalformedError(400, "The request line is malformed.")
    return parts[0], parts[1], parts[2]


def parse_fields(lines: str) -> dict[str, str]:
    """The headers or trailers in `lines`, each line ended by CRLF. Raises MalformedError."""
    found = _HEADER.findall(lines)
    if len(found) != lines.count("\n"):  # a bare line break makes them differ as well
        raise MalformedError(400, "A header is malformed or folded.")
    headers = {name.lower(): value.strip(" \t") for name, value in found}
    return headers if len(headers) == len(found) else _joined(found)


def _joined(fields: list[tuple[str, str]]) -> dict[str, str]:
    """Headers of which some are repeated."""
    headers: dict[str, str] = {}
    for name, value in fields:
        name, value = name.lower(), value.strip(" \t")
        if name in headers:
            if name in _SINGLE:
                raise MalformedError(400, f"The header {name} is repeated.")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers


def serialize(answer: Answer, *, keep_alive: bool = True) -> bytes:
    """The bytes of `answer`. 204 has no body and no Content-Length."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in answer.headers])
    length = f"Content-Length: {len(answer.body)}\r\n" if answer.status != 204 else ""
    if answer.stream is not None:
        length = "Transfer-Encoding: chunked\r\n"
    connection = "keep-alive" if keep_alive else "close"
    head = f"{_start(answer.status)}{lines}{length}Connection: {connection}\r\n\r\n"
    return head.encode("latin-1") + answer.body


def _start(status: int) -> str:
    """The status line and today's date, made once a second."""
    now = int(time.time())
    if _starts.second != now:
        _starts.second = now
        _starts.lines = {}
    line = _starts.lines.get(status)
    if line is None:
        line = f"HTTP/1.1 {status} {_PHRASE.get(status, '')}\r\nDate: {formatdate(now, usegmt=True)}\r\n"
        _starts.lines[status] = line
    return line


@dataclass(slots=True)
class _Starts:
    second: int = 0
    lines: dict[int, str] = field(default_factory=dict)


_starts: Final = _Starts()


def plain(status: int, message: str) -> Answer:
    """A refusal below Lambda's own rules, as `{"message": ...}`. `message` is ours and plain ASCII."""
    return Answer(status, (("Content-Type", "application/json"),), f'{{"message":"{message}"}}'.encode(), close=True)


def keeps_alive(request: Request) -> bool:
    """Whether the client wants to go on with this connection."""
    wish = request.headers.get("connection")
    return wish is None or "close" not in wish.lower()


def framing(headers: dict[str, str]) -> tuple[bool, int]:
    """Whether the body is chunked, and its length when it is not. Raises MalformedError."""
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None:
        if length is not None:
            raise MalformedError(400, "Content-Length and Transfer-Encoding exclude each other.")
        if coding.lower() != "chunked":
            raise MalformedError(400, "Only the transfer coding 'chunked' is understood.")
        return True, 0
    if length is None:
        return False, 0
    if not (length.isascii() and length.isdigit() and len(length) <= 18):
        raise MalformedError(400, "Content-Length is not a number of bytes.")
    return False, int(length)

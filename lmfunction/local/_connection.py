"""Connections: bytes come in, requests are cut out of them, answered in order and within deadlines.

Written by hand because the header case has to be AWS's own, and because it was the fastest of what was measured.
"""

from __future__ import annotations

import asyncio
import re
import socket
import sys
import time
import traceback
from typing import TYPE_CHECKING, Final

from lmfunction.local._chunked_body import ChunkedBody
from lmfunction.local._http import (
    Answer,
    MalformedError,
    Request,
    framing,
    keeps_alive,
    parse_fields,
    parse_head,
    plain,
    serialize,
)

if TYPE_CHECKING:
    from lmfunction.local._listener import Listener

_CHUNK_LINE_LIMIT: Final = 256
_TRAILER_LIMIT: Final = 8_388_608  # Lambda's runtimes send an error object in it
FOREVER: Final = float("inf")
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_HEX: Final = re.compile(rb"[0-9a-fA-F]{1,15}")


class Connection(asyncio.Protocol):
    """One client's connection: requests are answered in order, one at a time. For a sink it is the `Flow`."""

    def __init__(self, listener: Listener) -> None:
        self.deadline = FOREVER
        self._listener = listener
        self._application = listener.application
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._request: Request | None = None  # whose head is read
        self._refusal: Answer | None = None
        self._body = bytearray()
        self._left = 0  # bytes of the body or the chunk still to come
        self._limit = 0
        self._seen = 0
        self._chunked = False
        self._in_chunk = False
        self._stream: ChunkedBody | None = None  # the answer that is being written
        self._answering = False
        self._advancing = False
        self._keep_alive = True
        self._finished = False

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepts the connection, or refuses it when there are too many."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        connected = transport.get_extra_info("socket")
        if connected.family != socket.AF_UNIX:
            # asyncio leaves it out for sockets that were made without naming the protocol.
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.deadline = time.monotonic() + self._listener.limits.head_seconds
        if not self._listener.opened(self):
            self._finish(plain(503, "Too many connections."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        self._finished = True
        self._transport = None
        if self._stream is not None:
            self._stream.lost()
            self._stream = None
        self._cut_sink()
        self._listener.closed(self)

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        if self._stream is not None:
            self._stream.full = True

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._stream is not None:
            self._stream.full = False
            self._stream.on_room()

    def pause(self) -> None:
        """Reads no more of a body for now."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Goes on reading."""
        if self._transport is not None:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Takes bytes in and answers every request that is complete."""
        if self._finished:
            return
        self._buffer += data
        if self._answering:
            if len(self._buffer) > self._listener.limits.head_bytes and self._transport is not None:
                self._transport.pause_reading()
            return
        self._advance()

    @property
    def at_rest(self) -> bool:
        """Whether nothing of a request or an answer is under way."""
        return not (self._answering or self._buffer or self._request is not None or self._finished)

    def begin_answer(self, *, after: bytes) -> None:
        """Has the next reply go out behind the bytes `after`, to requests that were read elsewhere."""
        self._out.append(after)
        self._keep_alive = self._answering = True
        self.deadline = FOREVER

    @property
    def closed(self) -> bool:
        """Whether the client has gone."""
        return self._transport is None

    def abort(self) -> None:
        """Closes the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def expire(self) -> None:
        """Closes a connection whose deadline has passed; a half-sent request is answered 408."""
        if self._finished:
            self.abort()  # the client does not take what is left for it
        elif self._request is not None or self._buffer:
            self._finish(plain(408, "The request took too long to arrive."))
        else:
            self._close()

    # -- requests

    def _advance(self) -> None:
        self._advancing = True
        try:
            while not self._finished and not self._answering and self._next_request():
                pass
        except MalformedError as e:
            self._finish(plain(*e.args))
        finally:
            self._advancing = False
        if self._out and not (self._answering and self._listener.hold_pipelined):
            self._flush()

    def _next_request(self) -> bool:
        """Reads and answers one request; False when more bytes are needed."""
        request = self._request or self._read_head()
        if request is None or self._finished:
            return False
        if not (self._read_chunks(request) if self._chunked else self._read_body(request)):
            return False
        self._request = None
        self.deadline = FOREVER
        self._answering = True
        if self._refusal is not None:
            self._reply(self._refusal)
        else:
            self._answer(request)
        return True

    def _answer(self, request: Request) -> None:
        try:
            self._application.answer(request, self._reply)
        except Exception:  # noqa: BLE001 - our own fault: the client hears 500, the log has the reason
            traceback.print_exc(file=sys.stderr)
            if self._answering:
                self._reply(plain(500, "The embedded Lambda failed; its standard error says why."))

    def _read_head(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        limits = self._listener.limits
        if end < 0 or end > limits.head_bytes:
            if len(self._buffer) > limits.head_bytes:
                raise MalformedError(431, "The request's headers are too long.")
            if _BARE_LF.search(self._buffer):
                raise MalformedError(400, "A line must end in CRLF.")
            if self._buffer:
                self.deadline = min(self.deadline, time.monotonic() + limits.head_seconds)
            return None
        request = Request(*parse_head(self._buffer[: end + 2].decode("latin-1")))
        del self._buffer[: end + 4]
        self._keep_alive = keeps_alive(request)
        self._begin_body(request)
        return request

    def _begin_body(self, request: Request) -> None:
        self._chunked, length = framing(request.headers)
        self._seen, self._in_chunk, self._refusal = 0, False, None
        admitted = self._application.admit(request)
        if isinstance(admitted, Answer):
            self._refusal, self._limit = admitted, 0
            self._keep_alive = False
        else:
            self._limit = admitted
        self._request, self._left = request, length
        request.oversized = length > self._limit and request.sink is None
        if request.sink is not None:
            request.sink.begin(self)
        if length or self._chunked:
            self._expect_body(request, length)

    def _expect_body(self, request: Request, length: int) -> None:
        self.deadline = time.monotonic() + self._listener.limits.body_seconds
        waits = request.headers.get("expect", "").lower()
        if waits not in ("", "100-continue"):
            raise MalformedError(417, "Only 'Expect: 100-continue' is understood.")
        if length > max(self._limit, self._listener.limits.drain_bytes) or (waits and self._refusal is not None):
            self._answer_unread(request)
        elif waits and len(self._buffer) < max(length, 1):
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _answer_unread(self, request: Request) -> None:
        """Answers without reading the body, which ends the connection."""
        self._keep_alive = False
        request.oversized = True
        self._answering = True
        if self._refusal is not None:
            self._reply(self._refusal)
        else:
            self._answer(request)
        self._request = None
        self._finished = True

    def _read_body(self, request: Request) -> bool:
        """Reads a body whose length is known: all of it at once, or bit by bit when it is thrown away."""
        size = self._left
        if not size:
            return True
        have = len(self._buffer)
        if request.oversized or request.sink is not None:
            self._take(request, min(size, have))
            return not self._left
        if have < size:
            return False
        if have == size:
            request.body, self._buffer = bytes(self._buffer), bytearray()
        else:
            request.body = bytes(self._buffer[:size])
            del self._buffer[:size]
        return True

    def _read_chunks(self, request: Request) -> bool:
        while True:
            if not self._in_chunk:
                if not self._read_chunk_size():
                    return False
                if not self._in_chunk:
                    request.body, self._body = bytes(self._body), bytearray()
                    return True
            self._take(request, min(self._left, len(self._buffer)))
            if self._left or len(self._buffer) < 2:
                return False
            if self._buffer[:2] != b"\r\n":
                raise MalformedError(400, "A chunk must end in CRLF.")
            del self._buffer[:2]
            self._in_chunk = False

    def _read_chunk_size(self) -> bool:
        """Reads a chunk's size line, and the end of the body after the last one."""
        end = self._buffer.find(b"\r\n")
        if end < 0 or end > _CHUNK_LINE_LIMIT:
            if len(self._buffer) > _CHUNK_LINE_LIMIT or _BARE_LF.search(self._buffer):
                raise MalformedError(400, "A chunk's size is malformed.")
            return False
        size = bytes(self._buffer[:end])
        if not _HEX.fullmatch(size):  # extensions have no use here and have hidden requests elsewhere
            raise MalformedError(400, "A chunk's size is malformed.")
        self._left = int(size, 16)
        if self._seen + self._left > max(self._limit, self._listener.limits.drain_bytes):
            raise MalformedError(400, "A chunk is too large.")
        if self._left == 0:
            return self._read_trailers(end + 2)
        del self._buffer[: end + 2]
        self._in_chunk = True
        return True

    def _read_trailers(self, start: int) -> bool:
        """Reads what follows the last chunk, whose line ends before `start`; only a sink's request may have any."""
        end = self._buffer.find(b"\r\n\r\n", start - 2)
        taken = self._request is not None and self._request.sink is not None
        if end < 0:
            if not taken and bytes(self._buffer[start : start + 2]) not in (b"", b"\r"):
                raise MalformedError(400, "Trailer fields are not understood.")
            if len(self._buffer) > _TRAILER_LIMIT:
                raise MalformedError(431, "The request's trailers are too long.")
            return False
        if end >= start:
            if self._request is None or not taken:
                raise MalformedError(400, "Trailer fields are not understood.")
            self._request.trailers = parse_fields(self._buffer[start : end + 2].decode("latin-1"))
        del self._buffer[: end + 4]
        return True

    def _take(self, request: Request, count: int) -> None:
        """Moves `count` bytes of body out of the buffer; those beyond the limit are dropped."""
        self._seen += count
        self._left -= count
        if request.sink is not None:
            if count:
                request.sink.put(bytes(self._buffer[:count]))
            del self._buffer[:count]
            return
        if self._seen > self._limit:
            request.oversized = True
            self._body.clear()
        if not request.oversized:
            self._body += self._buffer[:count]
        del self._buffer[:count]

    # -- answers

    def _reply(self, answer: Answer) -> None:
        if not self._answering:
            return
        keep = self._keep_alive and not answer.close
        self._out.append(serialize(answer, keep_alive=keep))
        if answer.stream is not None:
            self._keep_alive = keep
            self._flush()
            self._stream = ChunkedBody(self)
            answer.stream(self._stream)
            return
        self._answered(keep)

    def write_chunk(self, data: bytes) -> None:
        """Sends a chunk of the answer that is being written."""
        self._write(b"%x\r\n%b\r\n" % (len(data), data))

    def end_chunks(self) -> None:
        """Ends the answer that is being written."""
        self._stream = None
        self._out.append(b"0\r\n\r\n")
        self._answered(self._keep_alive)

    def _answered(self, keep: bool) -> None:
        """Sends what is left of an answer, and goes on with the next request."""
        self._answering = False
        if not keep:
            self._flush()
            self._close()
            return
        self.deadline = time.monotonic() + self._listener.limits.idle_seconds
        if self._advancing:
            return  # `_advance` goes on, and flushes
        self._flush()
        if self._buffer and self._transport is not None:
            self._transport.resume_reading()
            asyncio.get_running_loop().call_soon(self._continue)

    def _continue(self) -> None:
        if not self._answering and not self._finished:
            self._advance()

    def _flush(self) -> None:
        data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        self._write(data)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and data:
            self._transport.write(data)

    def _finish(self, answer: Answer) -> None:
        self._out.append(serialize(answer, keep_alive=False))
        self._flush()
        self._close()

    def _cut_sink(self) -> None:
        request, self._request = self._request, None
        if request is not None and request.sink is not None:
            request.sink.cut()

    def _close(self) -> None:
        self._finished = True
        self._cut_sink()
        if self._transport is not None:
            self._transport.close()

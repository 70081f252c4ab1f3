"""Connections that never block: opened, secured, written to and read from as the network lets them.

One thread owns them. Each holds at most one call; how it ended is told to the owner, translated nowhere but in
`_transport`.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from lmfunction._boto import keepalive_options
from lmfunction._http_answer import AnswerReader, NotHttp
from lmfunction._idle_connections import IDLE
from lmfunction._line import Line
from lmfunction._sending import Sending
from lmfunction._transport import RESPONSE_CAP

_BLOCK: Final = 65_536
_SCAN: Final = 0.25  # seconds between two looks for calls whose time is over
_SOME: Final = 32  # answers, after which calls may go before the others are read
_LEFT_OPEN: Final = 1000  # connections to one place, for the next run
_LOOKED_UP: Final = 60.0  # seconds for which a host's addresses are believed
_READ: Final = selectors.EVENT_READ
_WRITE: Final = selectors.EVENT_WRITE
_AGAIN: Final = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Place = tuple[Any, ...]  # one of getaddrinfo's
Ended = Callable[[Sending, AnswerReader, Exception | None], None]
Unsent = Callable[[Sending, Exception], None]
Freed = Callable[[int], None]


class Wire:
    """One connection. `sending` is the call that it carries."""

    __slots__ = ("deadline", "idle_since", "line", "opening", "others", "reader", "rest", "sending", "sock")

    def __init__(
        self, line: Line, sock: socket.socket, sending: Sending | None, deadline: float, others: Sequence[Place]
    ) -> None:
        self.line = line
        self.sock = sock
        self.others = others  # where else the host is, should it not be there
        self.sending = sending
        self.deadline = deadline
        self.opening = sending is not None
        self.reader: AnswerReader | None = None
        self.rest = b""
        self.idle_since = 0.0


class Pool:
    """Every connection of one run. `ended` is told of calls that were sent, `unsent` of those that could not be.

    While many answers are there to be read, `freed` is told now and then of how many connections became free.
    With `shared` it takes what an earlier one has left open by `leave_open`.
    """

    def __init__(
        self,
        ended: Ended,
        unsent: Unsent,
        freed: Freed = lambda _: None,
        now: Callable[[], float] = time.time,
        *,
        shared: bool = False,
    ) -> None:
        self._ended = ended
        self._unsent = unsent
        self._freed = freed
        self._now = now
        self._shared = shared
        self._selector = selectors.DefaultSelector()
        self._pid = os.getpid()
        self._free: dict[Line, list[Wire]] = {}
        self._all: set[Wire] = set()
        self._places: dict[Line, tuple[float, list[Place]]] = {}  # with when they were looked up
        self._next_scan = 0.0

    def watch(self, alarm: socket.socket) -> None:
        """Lets bytes that can be read from `alarm` end a wait."""
        self._selector.register(alarm, _READ, None)

    def send(self, sending: Sending) -> None:
        """Sends a call, on a connection that is free or a new one. Its end may be told before this returns."""
        line = sending.address.line
        free = self._free.get(line)
        if free is None:
            free = self._free[line] = self._left_open(line)
        if free:
            wire = free.pop()
            wire.sending = sending
            self._write(wire)
        else:
            self._open(line, sending)

    def turn(self, timeout: float) -> None:
        """Waits at most `timeout` seconds for the network, and does what it lets be done."""
        if self._all:
            timeout = min(timeout, max(self._next_scan - time.monotonic(), 0.0))
        before = 0
        for number, (key, events) in enumerate(self._selector.select(timeout)):
            if number % _SOME == 0 and len(self._free) == 1:
                # No more than became free just now: another may have been closed by the other end, and its turn to be
                # looked at has not come.
                (free,) = self._free.values()
                if number and len(free) > before:
                    self._freed(len(free) - before)
                before = len(free)
            wire = key.data
            if wire is None:
                assert isinstance(key.fileobj, socket.socket)
                with contextlib.suppress(OSError):
                    key.fileobj.recv(4096)
            elif wire.opening:
                self._go_on_opening(wire)
            elif wire.rest and events & _WRITE:
                self._flush(wire)
            else:
                self._read(wire)
        now = time.monotonic()
        if now >= self._next_scan:
            self._next_scan = now + _SCAN
            self._look_at_clocks(now)

    def leave_open(self) -> None:
        """Leaves the connections that nobody uses to the next run; they are no longer this one's."""
        for line, free in self._free.items():
            for wire in free:
                self._all.discard(wire)
                self._selector.unregister(wire.sock)
            line.idle.keep([(wire.idle_since, wire.sock) for wire in free], _LEFT_OPEN)
            free.clear()

    def forget(self) -> list[Sending]:
        """Closes everything; gives the calls that were under way."""
        left = [wire.sending for wire in self._all if wire.sending is not None]
        for wire in list(self._all):
            self._drop(wire)
        return left

    def close(self) -> None:
        """Closes everything, the selector too."""
        self.forget()
        self._selector.close()

    def _left_open(self, line: Line) -> list[Wire]:
        """What an earlier run has left open."""
        found: list[Wire] = []
        for since, sock in line.idle.take(time.monotonic()) if self._shared else ():
            wire = Wire(line, sock, None, 0.0, ())
            wire.idle_since = since
            self._all.add(wire)
            self._selector.register(sock, _READ, wire)
            found.append(wire)
        return found

    def _open(self, line: Line, sending: Sending) -> None:
        try:
            places = self._looked_up(line)
        except OSError as error:
            self._unsent(sending, line.no_connection(error))
            return
        self._connect(line, sending, places)

    def _looked_up(self, line: Line) -> list[Place]:
        """The addresses of the host. Raises OSError."""
        now = time.monotonic()
        looked_up, places = self._places.get(line, (now, []))
        if not places or now - looked_up > _LOOKED_UP:
            places = socket.getaddrinfo(line.host, line.port, type=socket.SOCK_STREAM)
            self._places[line] = now, places
        return places

    def _connect(self, line: Line, sending: Sending, places: Sequence[Place]) -> None:
        """Begins a connection to the first of `places`; the others are tried where that fails."""
        (family, kind, protocol, _, address), *others = places
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as error:
            self._unsent(sending, line.no_connection(error))
            return
        sock.setblocking(False)
        for option in keepalive_options():
            with contextlib.suppress(OSError):
                sock.setsockopt(*option)
        wire = Wire(line, sock, sending, time.monotonic() + line.connect_timeout, others)
        self._all.add(wire)
        try:
            sock.connect(address)
        except _AGAIN:
            pass
        except OSError as error:
            self._fail_opening(wire, error)
            return
        self._selector.register(sock, _WRITE, wire)
        self._next_scan = min(self._next_scan, wire.deadline)

    def _go_on_opening(self, wire: Wire) -> None:
        try:
            if not isinstance(wire.sock, ssl.SSLSocket):
                number = wire.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if number:
                    raise OSError(number, os.strerror(number))
                if wire.line.tls is not None:
                    self._selector.unregister(wire.sock)
                    wire.sock = wire.line.tls.wrap_socket(
                        wire.sock,
                        server_hostname=wire.line.host,
                        do_handshake_on_connect=False,
                        session=next(iter(wire.line.sessions), None),
                    )
                    self._selector.register(wire.sock, _WRITE, wire)
            if isinstance(wire.sock, ssl.SSLSocket):
                wire.sock.do_handshake()
        except ssl.SSLWantReadError:
            self._selector.modify(wire.sock, _READ, wire)
            return
        except ssl.SSLWantWriteError:
            self._selector.modify(wire.sock, _WRITE, wire)
            return
        except OSError as error:
            self._fail_opening(wire, error)
            return
        wire.opening = False
        self._selector.modify(wire.sock, _READ, wire)
        self._write(wire)

    def _fail_opening(self, wire: Wire, error: Exception) -> None:
        sending, line = wire.sending, wire.line
        connected = isinstance(wire.sock, ssl.SSLSocket)
        self._drop(wire)
        assert sending is not None
        if connected:
            self._unsent(sending, line.no_connection(error))
            return
        places = self._places.get(line, (0.0, []))[1]
        places.append(places.pop(0))  # the next connection begins with another one
        if wire.others:
            self._connect(line, sending, wire.others)
        else:
            self._unsent(sending, line.no_connection(error))

    def _write(self, wire: Wire) -> None:
        sending = wire.sending
        assert sending is not None
        data = sending.address.signer.request(sending.body, self._now())
        wire.reader = AnswerReader(RESPONSE_CAP)
        sending.sent_at = now = time.monotonic()
        wire.deadline = now + wire.line.read_timeout
        if wire.deadline < self._next_scan:
            self._next_scan = wire.deadline
        try:
            sent = wire.sock.send(data)
        except _AGAIN:
            sent = 0
        except OSError as error:
            self._end(wire, error)
            return
        if sent < len(data):
            wire.rest = data[sent:]
            self._selector.modify(wire.sock, _READ | _WRITE, wire)

    def _flush(self, wire: Wire) -> None:
        try:
            while wire.rest:
                # TLS wants the same bytes again that it could not send.
                wire.rest = wire.rest[wire.sock.send(wire.rest) :]
        except _AGAIN:
            return
        except OSError as error:
            self._end(wire, error)
            return
        self._selector.modify(wire.sock, _READ, wire)

    def _read(self, wire: Wire) -> None:
        reader = wire.reader
        try:
            while True:
                data = wire.sock.recv(_BLOCK)
                if reader is None:  # nobody asked: the other end closes, or speaks out of turn
                    self._drop(wire)
                    return
                if not data:
                    self._end(wire, None if reader.ended() else ConnectionError("the connection was closed"))
                    return
                if reader.feed(data):
                    self._end(wire, None)
                    return
        except _AGAIN:
            return
        except (OSError, NotHttp) as error:
            if reader is not None and not reader.status:
                reader.ended()
            self._end(wire, error)

    def _end(self, wire: Wire, why: Exception | None) -> None:
        sending, reader = wire.sending, wire.reader
        if reader is None or sending is None:
            self._drop(wire)
            return
        wire.sending = wire.reader = None
        if why is not None and reader.status:  # of a refusal that was cut, what has come tells why
            reader.ended()
        if why is None and reader.keeps and not reader.over and not wire.rest:
            wire.idle_since = sending.sent_at
            self._free[wire.line].append(wire)
            if wire.line.tls is not None and not wire.line.sessions:
                _keep_session(wire)
        else:
            self._drop(wire)
        self._ended(sending, reader, None if why is None else wire.line.broken(why))

    def _drop(self, wire: Wire) -> None:
        self._all.discard(wire)
        with contextlib.suppress(ValueError, KeyError):
            self._free[wire.line].remove(wire)
        if os.getpid() == self._pid:  # a fork shares the selector, and would take the socket from its parent
            with contextlib.suppress(KeyError, ValueError, OSError):
                self._selector.unregister(wire.sock)
        with contextlib.suppress(OSError):
            wire.sock.close()

    def _look_at_clocks(self, now: float) -> None:
        for wire in list(self._all):
            if wire.sending is None:
                if now - wire.idle_since > IDLE:
                    self._drop(wire)
            elif now >= wire.deadline:
                if wire.opening:
                    self._fail_opening(wire, TimeoutError())
                else:
                    self._end(wire, TimeoutError())
            else:
                self._next_scan = min(self._next_scan, wire.deadline)


def _keep_session(wire: Wire) -> None:
    session = wire.sock.session if isinstance(wire.sock, ssl.SSLSocket) else None
    if session is not None and session.has_ticket:
        wire.line.sessions[:] = [session]

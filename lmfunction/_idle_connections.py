"""Connections that one run leaves open for the next one to the same place, which need not open them again."""

from __future__ import annotations

import collections
import contextlib
import os
import selectors
import socket
import weakref
from collections.abc import Iterable, Sequence
from typing import Final

# Seconds after which an unused connection is not used again: before the minute after which many servers close it, for
# a call that goes at that moment may be lost.
IDLE: Final = 50.0

Idle = tuple[float, socket.socket]  # since when (`time.monotonic`) nobody has used it


class IdleConnections:
    """Open connections that nobody uses. Safe to use from several threads; a fork does not take its parent's."""

    def __init__(self) -> None:
        self._kept: collections.deque[Idle] = collections.deque()
        self._pid = os.getpid()
        self._closed = False
        # Whoever forgets to close a session leaves no connection behind.
        weakref.finalize(self, _close_all, self._kept)

    def keep(self, connections: Iterable[Idle], most: int) -> None:
        """Keeps connections, at most `most` in all; the others are closed."""
        for since, connection in connections:
            if self._closed or self._pid != os.getpid() or len(self._kept) >= most:
                _close(connection)
            else:
                self._kept.append((since, connection))

    def take(self, now: float) -> list[Idle]:
        """All connections that can be used still; they are the caller's from now on."""
        if self._pid != os.getpid():
            self.close()
            return []
        found: list[Idle] = []
        with contextlib.suppress(IndexError):
            while True:
                found.append(self._kept.popleft())
        fresh = [entry for entry in found if now - entry[0] <= IDLE]
        silent = _silent([connection for _, connection in fresh])
        for _, connection in found:
            if connection not in silent:
                _close(connection)
        return [entry for entry in fresh if entry[1] in silent]

    def close(self) -> None:
        """Closes them, and what is given later."""
        self._closed = True
        _close_all(self._kept)


def _silent(connections: Sequence[socket.socket]) -> set[socket.socket]:
    """Those whose other end says nothing: it has not closed them."""
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
        spoken = {key.fileobj for key, _ in selector.select(0)}
        return {connection for connection in connections if connection not in spoken}


def _close_all(kept: collections.deque[Idle]) -> None:
    with contextlib.suppress(IndexError):
        while True:
            _close(kept.popleft()[1])


def _close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.close()

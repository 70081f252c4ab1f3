"""The connections of one listening socket: how many there may be, and which of them are late."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lmfunction.local._connection import Connection
from lmfunction.local._http import Application, Limits


@dataclass(slots=True)
class Listener:
    """The open connections of one listening socket, and the deadlines they have to keep."""

    application: Application
    limits: Limits
    hold_pipelined: bool = False
    connections: set[Connection] = field(default_factory=set)
    on_last_closed: Callable[[], None] | None = None
    _sweeping: asyncio.TimerHandle | None = None

    def connection(self) -> Connection:
        """A protocol for a new connection (the factory that `create_server` wants)."""
        return Connection(self)

    def opened(self, connection: Connection) -> bool:
        """Notes a connection; False when there are too many."""
        if len(self.connections) >= self.limits.connections:
            return False
        self.connections.add(connection)
        if self._sweeping is None:
            self._sweep_later()
        return True

    def closed(self, connection: Connection) -> None:
        """Forgets a connection; `on_last_closed` hears when it was the last one."""
        self.connections.discard(connection)
        if not self.connections and self.on_last_closed is not None:
            self.on_last_closed()

    def close(self) -> None:
        """Closes every connection."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for connection in list(self.connections):
            connection.abort()

    def _sweep_later(self) -> None:
        # One timer for all connections: a timer for each request would cost more than parsing it.
        interval = min(1.0, self.limits.head_seconds / 2)
        self._sweeping = asyncio.get_running_loop().call_later(interval, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        now = time.monotonic()
        for connection in [c for c in self.connections if c.deadline < now]:
            connection.expire()
        if self.connections:
            self._sweep_later()

"""The body of an answer that is written while it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmfunction.local._connection import Connection


class ChunkedBody:
    """The body of an answer, in chunks (an `_http.Body`)."""

    def __init__(self, connection: Connection) -> None:
        self.full = False
        self.on_room: Callable[[], None] = _nothing
        self._connection: Connection | None = None if connection.closed else connection

    def write(self, data: bytes) -> None:
        """Sends bytes, as one chunk; none at all would end the body."""
        if self._connection is not None and data:
            self._connection.write_chunk(data)

    def end(self) -> None:
        """Ends the body."""
        connection, self._connection = self._connection, None
        self.on_room = _nothing  # whoever is to be called holds this body, as a rule
        if connection is not None:
            connection.end_chunks()

    def lost(self) -> None:
        """The client has gone."""
        self._connection = None
        self.full = False
        self.on_room()


def _nothing() -> None:
    """Nobody waits for room."""

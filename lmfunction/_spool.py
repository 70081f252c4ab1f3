"""A file that holds a line for each thing under way and nothing else, whole lines at any moment.

Each line stands in a slot of a page of its own. Linux looks for a fatal signal between the pages of a write, so that a
kill leaves a slot as it was or as it should be, never half. A line is taken out by the last one moving into its place;
a kill between the two steps leaves that one twice, which a reader tells by its content.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from typing import Final

from lmfunction._locks import HeldFile

SLOT: Final = 4096
LINE_LIMIT: Final = SLOT - 1


class Spool:
    """The lines of one process in a file that it holds. For one thread at a time."""

    def __init__(self, held: HeldFile) -> None:
        self._held = held
        self._lines: list[bytes] = []  # by place in the file
        self._tickets: list[int] = []
        self._places: dict[int, int] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, lines: Sequence[bytes]) -> list[int]:
        """Writes the lines, each without its newline, and gives a ticket for each. Raises OSError: then none is in."""
        start = len(self._lines)
        slots = b"".join(map(_slot, lines))
        try:
            write_at(self._held.descriptor, slots, start * SLOT)
        except BaseException:
            os.ftruncate(self._held.descriptor, start * SLOT)
            raise
        tickets = list(range(self._next, self._next + len(lines)))
        self._next += len(lines)
        self._places.update(zip(tickets, range(start, start + len(lines)), strict=True))
        self._tickets += tickets
        self._lines += lines
        return tickets

    def replace(self, ticket: int, line: bytes) -> None:
        """Writes another line in the place of one that is in. Raises OSError."""
        place = self._places[ticket]
        write_at(self._held.descriptor, _slot(line), place * SLOT)
        self._lines[place] = line

    def remove(self, tickets: Sequence[int]) -> None:
        """Takes the lines out. Raises OSError."""
        if len(tickets) == len(self._lines):
            os.ftruncate(self._held.descriptor, 0)
            self._lines, self._tickets, self._places = [], [], {}
            return
        for ticket in tickets:
            self._remove(ticket)

    def release(self) -> None:
        """Ends the spool: an empty one is removed, another stays for whoever finds it."""
        self._held.release(remove=not self._lines)

    def abandon(self) -> None:
        """Closes the file of a forked child's parent; the parent goes on with it."""
        os.close(self._held.descriptor)

    def _remove(self, ticket: int) -> None:
        place, last = self._places[ticket], len(self._lines) - 1
        if place != last:
            write_at(self._held.descriptor, _slot(self._lines[last]), place * SLOT)
            self._lines[place], self._tickets[place] = self._lines[last], self._tickets[last]
            self._places[self._tickets[place]] = place
        os.ftruncate(self._held.descriptor, last * SLOT)
        self._lines.pop()
        self._tickets.pop()
        del self._places[ticket]


def lines_of(content: bytes) -> Iterator[bytes]:
    """The whole lines of a spool's content."""
    for line in content.split(b"\n")[:-1]:
        if line.strip(b" \x00"):
            yield line.rstrip(b" ")


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Writes all of `data` at `offset`. Raises OSError; a part may be written then."""
    written = 0
    while written < len(data):  # a disk that is full takes what fits, and tells why only of the next write
        if hasattr(os, "pwrite"):
            written += os.pwrite(descriptor, data[written:], offset + written)
        else:
            os.lseek(descriptor, offset + written, os.SEEK_SET)
            written += os.write(descriptor, data[written:])


def read_all(descriptor: int) -> bytes:
    """The content of an open file."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    pieces = []
    while piece := os.read(descriptor, 1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


def _slot(line: bytes) -> bytes:
    if len(line) > LINE_LIMIT:
        raise OSError(errno.EMSGSIZE, f"a line has {len(line):,} bytes, a slot takes {LINE_LIMIT:,}")
    return line.ljust(LINE_LIMIT) + b"\n"

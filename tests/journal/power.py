"""A disk that loses its power: SQLite's writes stay in memory until they are forced, then the process dies.

A file system of APSW (another SQLite than Python's, through which the same journal runs). What was written and not
forced is dropped, or a random part of it is kept, whole writes or single sectors of them, as disks do.
"""

from __future__ import annotations

import os
import random
from typing import Any

import apsw

_SECTOR = 512
_files: dict[str, _Content] = {}


class _Content:
    """A file as its readers see it, and what of it is not on the disk yet."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            self.seen = bytearray(file.read())
        self.waiting: list[tuple[int, bytes | None]] = []  # at an offset these bytes; None: cut off there

    def apply(self, path: str, writes: list[tuple[int, bytes | None]]) -> None:
        """Puts writes onto the disk."""
        descriptor = os.open(path, os.O_RDWR)
        for offset, data in writes:
            if data is None:
                os.ftruncate(descriptor, offset)
            else:
                os.pwrite(descriptor, data, offset)
        os.close(descriptor)


class _Power:
    """Counts the calls that force, and ends the process at one of them."""

    def __init__(self, cut_at: int, cut: str, dice: random.Random) -> None:
        self.left = cut_at
        self.cut = cut
        self.dice = dice

    def forced(self, path: str) -> None:
        """Is told before `path` is forced."""
        self.left -= 1
        if self.left == 0:
            for name, content in _files.items():
                content.apply(name, self._survivors(content.waiting))
            os._exit(77)

    def _survivors(self, waiting: list[tuple[int, bytes | None]]) -> list[tuple[int, bytes | None]]:
        if self.cut == "all":
            return []
        kept = [write for write in waiting if self.dice.random() < 0.5]
        if self.cut == "some":
            return kept
        torn: list[tuple[int, bytes | None]] = []
        for offset, data in kept:
            if data is None:
                torn.append((offset, data))
                continue
            for start in range(0, len(data), _SECTOR):
                if self.dice.random() < 0.5:
                    torn.append((offset + start, data[start : start + _SECTOR]))
        return torn


class _File(apsw.VFSFile):
    def __init__(self, power: _Power, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._power = power
        self._path = name.filename() if hasattr(name, "filename") else name
        self._content = _files.setdefault(self._path, _Content(self._path)) if self._path else None

    def xRead(self, amount: int, offset: int) -> bytes:
        if self._content is None:
            return super().xRead(amount, offset)
        return bytes(self._content.seen[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._content is None:
            super().xWrite(data, offset)
            return
        seen = self._content.seen
        seen.extend(bytes(max(0, offset + len(data) - len(seen))))
        seen[offset : offset + len(data)] = data
        self._content.waiting.append((offset, bytes(data)))

    def xTruncate(self, size: int) -> None:
        if self._content is None:
            super().xTruncate(size)
            return
        del self._content.seen[size:]
        self._content.waiting.append((size, None))

    def xFileSize(self) -> int:
        return super().xFileSize() if self._content is None else len(self._content.seen)

    def xSync(self, flags: int) -> None:
        if self._content is None:
            super().xSync(flags)
            return
        self._power.forced(self._path)
        self._content.apply(self._path, self._content.waiting)
        self._content.waiting = []


class _Disk(apsw.VFS):
    def __init__(self, power: _Power) -> None:
        super().__init__("losing", "unix")
        self._power = power

    def xOpen(self, name: Any, flags: list[int]) -> _File:
        return _File(self._power, name, flags)

    def xDelete(self, path: str, sync: bool) -> None:
        _files.pop(path, None)
        super().xDelete(path, sync)


def connector(cut_at: int, cut: str, dice: random.Random) -> Any:
    """What opens a journal on that disk, in place of sqlite3."""
    disk = _Disk(_Power(cut_at, cut, dice))

    def connect(path: str, *, writes: bool) -> Any:
        flags = apsw.SQLITE_OPEN_READWRITE if writes else apsw.SQLITE_OPEN_READONLY
        database = apsw.Connection(path, vfs="losing", flags=flags)
        database.set_busy_timeout(5000)
        _KEPT.append(disk)
        return database

    return connect


_KEPT: list[Any] = []

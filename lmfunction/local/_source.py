"""The folder that a function runs from while it is being written, and whether it has changed since it was looked at.

What counts is each file's time, size and inode; new and deleted files count too. Files that only a running program
writes do not, nor do hidden folders. A package folder such as node_modules counts by its own time: an installation
changes that, and nobody edits what is inside.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_FILES_LIMIT: Final = 2_000  # a look at so many takes 3 ms; the nearest to the top are looked at
_NO_SOURCE: Final = ("~", ".pyc", ".log", ".tmp", ".swp", ".db", ".sqlite", ".sqlite3", "-journal", "-wal", "-shm")
_PACKAGES: Final = frozenset({"node_modules", "site-packages", "venv"})
_Mark = tuple[int, int, int]


class Source:
    """The files below `folders` as they are now; `changed` compares, and takes what it finds as the new state."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._roots = [str(folder) for folder in folders]
        self._folders: dict[str, int] = {}
        self._files: dict[str, _Mark] = {}
        self._look()

    def changed(self) -> bool:
        """Whether a file is not what it was at the last look."""
        if self._as_before():
            return False
        before = self._files
        self._look()
        return self._files != before

    def _as_before(self) -> bool:
        """Whether nothing was touched: a `stat` for each file and folder, no folder is read."""
        stat = os.stat
        try:
            for path, modified in self._folders.items():
                if stat(path).st_mtime_ns != modified:
                    return False
            for path, mark in self._files.items():
                found = stat(path)
                if (found.st_mtime_ns, found.st_size, found.st_ino) != mark:
                    return False
        except OSError:
            return False
        return True

    def _look(self) -> None:
        self._folders, self._files = {}, {}
        waiting = deque(self._roots)
        seen: set[tuple[int, int]] = set()
        while waiting and len(self._files) < _FILES_LIMIT:
            folder = waiting.popleft()
            try:
                status = os.stat(folder)  # noqa: PTH116 - hot path
                entries = [*os.scandir(folder)]
            except OSError:  # gone, or not ours to read
                continue
            if (status.st_dev, status.st_ino) in seen:  # a link back to where we come from
                continue
            seen.add((status.st_dev, status.st_ino))
            self._folders[folder] = status.st_mtime_ns
            waiting.extend(self._noted(entries))

    def _noted(self, entries: list[os.DirEntry[str]]) -> Iterator[str]:
        """The folders among `entries` to look into; the files are noted."""
        for entry in entries:
            try:
                folder, status = entry.is_dir(), entry.stat()
            except OSError:
                continue
            if folder and entry.name in _PACKAGES:
                self._files[entry.path] = (status.st_mtime_ns, status.st_size, status.st_ino)
            elif folder and entry.name != "__pycache__" and not entry.name.startswith("."):
                yield entry.path
            elif not folder and not entry.name.endswith(_NO_SOURCE):
                self._files[entry.path] = (status.st_mtime_ns, status.st_size, status.st_ino)

"""The mark beside a journal: the number of the last commit that its owner saw done.

SQLite passes over the damaged end of a WAL file in silence, and so it does over one that is missing: what was committed
last is gone then, and what was sent would be sent again. The mark tells: it is written behind each commit, so that it
is never ahead of what is on the disk.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
from dataclasses import dataclass

from lmfunction._locks import SAFELY


@dataclass
class Mark:
    """The number of the last commit, in a file beside the journal."""

    path: str
    descriptor: int

    @classmethod
    def made(cls, journal: str, number: int) -> Mark:
        """The mark of a journal that is about to be written, on the disk with its name when this returns."""
        path = mark_path(journal)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | SAFELY, 0o600)
        mark = cls(path, descriptor)
        try:
            mark.set(number)
            os.fsync(descriptor)
            _sync_folder(path)
        except BaseException:
            os.close(descriptor)
            raise
        return mark

    def set(self, number: int) -> None:
        """Writes the number: into the page cache, which outlives the process but not a loss of power."""
        data = b"%020d\n" % number
        if hasattr(os, "pwrite"):
            os.pwrite(self.descriptor, data, 0)
        else:
            os.lseek(self.descriptor, 0, os.SEEK_SET)
            os.write(self.descriptor, data)

    def close(self, *, remove: bool) -> None:
        """Lets go of it; a journal that is let go of in order needs none."""
        os.close(self.descriptor)
        if remove:
            with contextlib.suppress(OSError):
                os.unlink(self.path)  # noqa: PTH108 - beside `os.close`


def read_mark(journal: str) -> int | None:
    """The number of the last commit that a journal's owner saw done; None when there is no mark, -1 when it is none."""
    try:
        descriptor = os.open(mark_path(journal), os.O_RDONLY | SAFELY)
    except FileNotFoundError:
        return None
    try:
        return int(os.read(descriptor, 64))
    except ValueError:
        return -1
    finally:
        os.close(descriptor)


def mark_path(journal: str) -> str:
    """Where a journal's mark is."""
    return f"{journal}-mark"


def _sync_folder(path: str) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(pathlib.Path(path).absolute().parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

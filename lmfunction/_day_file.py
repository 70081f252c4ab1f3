"""One file of lines that processes append to, and beside it a spool of what this process has under way.

A line is one `write` under the file's lock. What a kill or a full disk left of one is cut off before the next.
"""

from __future__ import annotations

import contextlib
import errno
import json
import mmap
import os
import pathlib
import re
import stat
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from lmfunction._locks import SAFELY, HeldFile, hold, lock, names_file, unlock
from lmfunction._origin import host
from lmfunction._spool import Spool, read_all
from lmfunction._user_files import make_private_folder

SPOOL_ENDING: Final = ".open.jsonl"
# A spool's name: that of its file, then whose it is, and a word so that no two have one name.
OWNER: Final = re.compile(r"\.(?P<host>[\w-]*)-(?P<pid>\d+)-(?P<word>[0-9a-f]{8})" + re.escape(SPOOL_ENDING) + r"\Z")
_ID: Final = re.compile(rb'"id":"[0-9a-f]+"')


@dataclass(eq=False)
class DayFile:
    """The file at `path`. For one thread at a time. Every method raises OSError for what cannot be written."""

    path: str
    spool: Spool | None = None
    descriptor: int | None = None
    end: int = -1  # of the file behind this process's last line
    stranded: list[tuple[int, bytes]] = field(default_factory=list)  # final lines that could not be written

    def begin(self, lines: Sequence[bytes]) -> list[int]:
        """Puts the lines into the spool, and gives a number for each."""
        if self.stranded:
            self._write_stranded()
        self._opened()
        if self.spool is None:
            self.spool = Spool(_new_spool(self.path))
        try:
            return self.spool.add(lines)
        except OSError:
            self._rest()
            raise

    def finish(self, finished: Sequence[tuple[int, bytes]]) -> None:
        """Appends the final lines and takes them out of the spool; where that fails they stand in the spool."""
        assert self.spool is not None
        try:
            self.append([line for _, line in finished])
        except OSError:
            self.stranded += finished
            for number, line in finished:
                self.spool.replace(number, line)
            raise
        self.spool.remove([number for number, _ in finished])
        self._rest()

    def append(self, lines: Sequence[bytes]) -> None:
        """Appends the lines, all or none."""
        with self._locked() as descriptor:
            self._write(descriptor, lines)

    def append_new(self, lines: Sequence[bytes]) -> None:
        """Appends those of the lines whose ids the file does not hold."""
        by_id = {match.group(): line for line in lines if (match := _ID.search(line))}
        with self._locked() as descriptor:
            if self._mended_end(descriptor):  # the rest of a line that was cut is no line that is there
                with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as written:
                    by_id = {mark: line for mark, line in by_id.items() if written.find(mark) < 0}
            if by_id:
                self._write(descriptor, list(by_id.values()))

    def close(self) -> None:
        """Closes the file; the spool goes on."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def abandon(self) -> None:
        """Closes what a forked child has of its parent's, and leaves it alone."""
        self.close()
        if self.spool is not None:
            self.spool.abandon()

    def _write_stranded(self) -> None:
        assert self.spool is not None
        self.append([line for _, line in self.stranded])
        self.spool.remove([number for number, _ in self.stranded])
        self.stranded = []
        self._rest()

    def _rest(self) -> None:
        """Removes the spool when nothing is under way: a file of that name tells that something is."""
        if self.spool is not None and not len(self.spool):
            self.spool.release()
            self.spool = None

    def _write(self, descriptor: int, lines: Sequence[bytes]) -> None:
        data = b"".join([line + b"\n" for line in lines])
        end = self._mended_end(descriptor)
        written = os.write(descriptor, data)
        try:
            while written < len(data):  # a disk that is full takes what fits, and tells why only of the next write
                written += os.write(descriptor, data[written:])
        except OSError:
            os.ftruncate(descriptor, end)
            raise
        self.end = end + written

    def _mended_end(self, descriptor: int) -> int:
        end = os.fstat(descriptor).st_size
        return end if end in (0, self.end) else _mended(descriptor, end)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """The open file, locked, and still the one at its path: somebody may have moved it away."""
        while True:
            descriptor = self._opened()
            if not lock(descriptor):
                raise OSError(errno.EBUSY, "another process has held its lock for seconds", self.path)
            if names_file(self.path, descriptor):
                break
            self.close()
        try:
            yield descriptor
        finally:
            unlock(descriptor)

    def _opened(self) -> int:
        if self.descriptor is None:
            _refuse_what_is_no_file(self.path)
            make_private_folder(pathlib.Path(self.path).parent)
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | SAFELY, 0o600)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise OSError(errno.EINVAL, "it is no file", self.path)
            self.descriptor, self.end = descriptor, -1
        return self.descriptor


def stem_of(path: str) -> tuple[str, str]:
    """The path without its ending, and the ending, which is `.jsonl` or nothing."""
    ending = ".jsonl" if path.endswith(".jsonl") else ""
    return path.removesuffix(ending), ending


def own_name() -> str:
    """The machine's name as it stands in a spool's."""
    return re.sub(r"[^A-Za-z0-9-]", "_", host())


def _new_spool(path: str) -> HeldFile:
    while True:
        name = f"{stem_of(path)[0]}.{own_name()}-{os.getpid()}-{uuid.uuid4().hex[:8]}{SPOOL_ENDING}"
        held = hold(name)
        if held is not None:
            return held


_KINDS: Final = {
    stat.S_IFLNK: "it is a symbolic link, which could lead the lines anywhere",
    stat.S_IFDIR: "it is a folder",
    stat.S_IFIFO: "it is a FIFO",
}


def _refuse_what_is_no_file(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, _KINDS.get(stat.S_IFMT(mode), "it is a device or a socket"), path)


def _mended(descriptor: int, end: int) -> int:
    """The end of the file once its last line is whole: what a kill left of one is cut off."""
    os.lseek(descriptor, end - 1, os.SEEK_SET)
    if os.read(descriptor, 1) == b"\n":
        return end
    content = read_all(descriptor)
    rest = content[content.rfind(b"\n") + 1 :]
    try:
        json.loads(rest)
    except ValueError:
        with contextlib.suppress(OSError):  # a file that may only grow keeps the rest, on a line of its own
            os.ftruncate(descriptor, len(content) - len(rest))
            return len(content) - len(rest)
    os.write(descriptor, b"\n")
    return end + 1

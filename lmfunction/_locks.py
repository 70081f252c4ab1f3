"""Locks on open files, which the system frees when their process ends, however it ends.

Unix: `flock`, which belongs to the open file, so that two threads that open a file each for themselves exclude each
other too. Windows: one byte far behind the end of the file, which no reader or writer of the content touches.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# No link is followed, no terminal or FIFO is waited for, no child inherits it.
SAFELY: Final = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
_STEP: Final = 0.0005

if sys.platform == "win32":
    import msvcrt

    _FAR: Final = 1 << 40

    def try_lock(descriptor: int) -> bool:
        """Locks the open file unless somebody else holds it; tells whether it did."""
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Frees the lock."""
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Locks the open file unless somebody else holds it; tells whether it did. Raises OSError."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Frees the lock."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def lock(descriptor: int, *, patience: float = 5.0, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Locks the open file, waiting `patience` seconds for it; tells whether it did. Raises OSError.

    In steps, not in the system: a stopped process that holds it must not stop this one for ever.
    """
    waited = 0.0
    while not try_lock(descriptor):
        if waited >= patience:
            return False
        sleep(_STEP)
        waited += _STEP
    return True


@dataclass(frozen=True)
class HeldFile:
    """A file that this process holds the lock of, for as long as it lives or until `release()`."""

    path: str
    descriptor: int

    def release(self, *, remove: bool = True) -> None:
        """Frees the lock, and removes the file unless it is to stay."""
        try:
            if remove and sys.platform != "win32":
                _remove(self.path)  # while it is held: nobody else can have made another of that name
        finally:  # Ctrl-C may come in between
            with contextlib.suppress(OSError):
                os.close(self.descriptor)
        if remove and sys.platform == "win32":  # an open file cannot be removed there
            _remove(self.path)


def hold(path: str, *, create: bool = True) -> HeldFile | None:
    """The file at `path`, held; None when another holds it, or when there is none and it is not to be made.

    A file that is made can be read by its owner only. Raises OSError; also for a symbolic link.
    """
    while True:
        descriptor, kept = -1, False
        try:
            descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0) | SAFELY, 0o600)
            held = try_lock(descriptor)
            if held and names_file(path, descriptor):
                kept = True
                return HeldFile(path, descriptor)
        except FileNotFoundError:
            if create or descriptor >= 0:
                raise
            return None
        finally:  # also when Ctrl-C comes in between
            if descriptor >= 0 and not kept:
                os.close(descriptor)
        if not held:
            return None


def names_file(path: str, descriptor: int) -> bool:
    """Whether the open file is still the one at `path`, and nobody removed or replaced it."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))  # noqa: PTH116 - a tenth of what pathlib takes
    except FileNotFoundError:
        return False


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108 - a tenth of what pathlib takes

"""The AWS CLI's outfile: checked before anything is sent, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from lmfunction._text import ascii_only, shorten
from lmfunction.errors import LMError, ParameterError

# Opened by name, /dev/stdout would be emptied or written over when it is a file; it is the same stream as `-`.
_STANDARD_OUTPUT: Final = frozenset(["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])


def is_standard_output(name: str) -> bool:
    """Whether the outfile `name` is the standard output."""
    return name in _STANDARD_OUTPUT


def check_outfile(name: str) -> None:
    """Refuses an outfile that could not be written: the AWS CLI finds out when the function has run."""
    if not is_standard_output(name) and (fault := _fault_of(name)):
        raise ParameterError(f"outfile '{ascii_only(shorten(name, 80))}' {fault}.", parameter="outfile")


def write_outfile(name: str, content: bytes, *, request_id: str | None = None) -> None:
    """Writes `content` to the file `name`: the old content or the new one, never half; links and modes are kept.

    A pipe or a device is written to as it stands. Raises LMError, with the request id, when the disk refuses.
    """
    target = Path(os.path.realpath(name))
    try:
        if _is_replaceable(target):
            _replace(target, content)
        else:
            with target.open("wb") as file:
                file.write(content)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise LMError(
            f"The function ran, but its answer could not be written to '{ascii_only(shorten(name, 80))}': "
            f"{error.strerror or error}.\n  RequestId: {request_id or 'unknown'}",
            request_id=request_id,
        ) from error


def _fault_of(name: str) -> str:
    if name.startswith(("file://", "fileb://")):
        return "is a path to write to: leave file:// out"
    if not name or "\x00" in name:
        return "is no file name"
    target = Path(os.path.realpath(name))
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        if not target.parent.is_dir():
            return f"cannot be made: there is no directory '{ascii_only(shorten(str(target.parent), 80))}'"
    except OSError as error:
        return f"cannot be used: {error.strerror}"
    else:
        if stat.S_ISDIR(mode):
            return "is a directory"
        return "" if os.access(target, os.W_OK) else "may not be written"
    return "" if os.access(target.parent, os.W_OK | os.X_OK) else "may not be made in its directory"


def _is_replaceable(target: Path) -> bool:
    """Whether another file may take the target's place: a plain file without a second name, in a folder open to us."""
    if not os.access(target.parent, os.W_OK | os.X_OK):
        return False
    try:
        found = target.stat()
    except FileNotFoundError:
        return True
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1


def _replace(target: Path, content: bytes) -> None:
    beside = target.parent / f".lmfunction-{secrets.token_hex(8)}"
    # Not mkstemp: its files are for their owner alone, and a new outfile has the modes that the umask leaves.
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        with contextlib.suppress(FileNotFoundError):
            beside.chmod(stat.S_IMODE(target.stat().st_mode))
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise

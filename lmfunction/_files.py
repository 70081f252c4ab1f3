"""Files named on a line: read whole, once, within a limit, and only when they are plain files."""

from __future__ import annotations

import os
import pathlib
import stat

from lmfunction._text import ascii_only, size
from lmfunction.errors import ParameterError

_BOM = b"\xef\xbb\xbf"


def read_file(name: str | os.PathLike[str], *, limit: int, parameter: str) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; `~` and `$VARIABLES` in its name are expanded.

    Raises ParameterError for what is missing, a directory, a pipe or device, unreadable, too large, or changed while
    it was read.
    """
    path = pathlib.Path(os.path.expandvars(name)).expanduser()
    shown = f"{parameter}: file {ascii_only(str(path))}"
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to must not hang.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ParameterError(f"{shown} cannot be read: {why}.", parameter=parameter) from None
    before = os.fstat(handle)
    if not stat.S_ISREG(before.st_mode):
        os.close(handle)  # before fdopen, which refuses a directory and leaves it open
        what = "a directory" if stat.S_ISDIR(before.st_mode) else "not a regular file"
        raise ParameterError(f"{shown} is {what}.", parameter=parameter)
    with os.fdopen(handle, "rb") as file:
        if before.st_size > limit:
            raise ParameterError(
                f"{shown} has {size(before.st_size)}; {size(limit)} is the limit.", parameter=parameter
            )
        content = file.read(limit + 1)
        after = os.fstat(handle)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(content) != after.st_size:
        raise ParameterError(f"{shown} changed while it was read: try again.", parameter=parameter)
    return content


def read_text_file(name: str, *, limit: int, parameter: str) -> str:
    """The text of a UTF-8 file; a byte order mark, which Windows editors write, is dropped."""
    content = read_file(name, limit=limit, parameter=parameter)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ParameterError(f"{parameter}: file {ascii_only(name)} is UTF-16; save it as UTF-8.", parameter=parameter)
    try:
        return content.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise ParameterError(
            f"{parameter}: file {ascii_only(name)} is not UTF-8: byte 0x{content[error.start]:02x} at line {line}, "
            f"column {column}.",
            parameter=parameter,
        ) from None

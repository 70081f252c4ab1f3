"""A wait told in text: one line of a terminal that is written over and vanishes, or a line of a log now and then."""

from __future__ import annotations

import os
from typing import Any, Final, TextIO

from lmfunction._progress import Progress
from lmfunction._text import shorten

_ECHO: Final = 2  # columns of the ^C that a terminal writes behind the line


def log_line(progress: Progress) -> str:
    """The wait as a line of a log."""
    return f"PROGRESS: {progress.text}"


class StatusLine:
    """The wait in the last line of a terminal. Whatever else is written there calls `clear` first."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._length = 0

    def draw(self, progress: Progress) -> None:
        """Writes the line over what it showed before; takes it away when the wait has ended."""
        if progress.ended:
            self.clear()
            return
        hint = f"; Ctrl-C {progress.on_stop}" if progress.on_stop else ""
        room = columns_of(self._stream) - 1  # the last column would make some terminals begin another line
        text = progress.text if len(progress.text + hint) > room else progress.text + hint
        self._write(shorten(text, room))

    def clear(self) -> None:
        """Takes the line away."""
        if self._length:
            self._length = min(self._length + _ECHO, columns_of(self._stream) - 1)
            self._write("")
            self._stream.write("\r")
            self._stream.flush()

    def _write(self, text: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        safe = text.encode(encoding, "replace").decode(encoding)
        blanks = " " * (self._length - len(safe))  # not an escape sequence: they also work where TERM is dumb
        self._length = max(self._length, len(safe))  # known beforehand: Ctrl-C can come before the next line
        self._stream.write(f"\r{safe}{blanks}")
        self._stream.flush()
        self._length = len(safe)


def is_terminal(stream: Any) -> bool:
    """Whether a person sees what is written to `stream`."""
    try:
        return stream is not None and bool(stream.isatty())
    except (AttributeError, ValueError):  # no stream at all, or a closed one
        return False


def columns_of(stream: Any) -> int:
    """How wide the stream's terminal is; 80 where nobody knows."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (AttributeError, OSError, ValueError):
        return 80

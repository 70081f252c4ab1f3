"""A card for one terminal: its width, its colours, its encoding."""

from __future__ import annotations

import os
from typing import Final, Protocol

from .card import Card
from .text import render_text

_WIDTH: Final = 100
# What cards are drawn with, for terminals that have no such characters.
_PLAIN: Final = str.maketrans({"·": "-", "—": "-", "…": "...", "×": "x", "█": "#", "▌": ":", "▰": "#", "▱": "."})


class Stream(Protocol):
    """What is asked of an output stream; `fileno` and `encoding` are used when there are any."""

    def isatty(self) -> bool:
        """Whether a person is reading."""
        ...


def terminal_text(card: Card, stream: Stream) -> str:
    """The card for `stream`; characters its encoding lacks are escaped, so that writing it never fails."""
    text = render_text(card, width=_width(stream), color=_color(stream))
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except LookupError:
        encoding = "ascii"
    except UnicodeError:
        pass
    else:
        return text
    return text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)


def _width(stream: Stream) -> int:
    if not _tty(stream):
        return _WIDTH
    asked = os.environ.get("COLUMNS", "")
    if asked.isascii() and asked.isdigit() and int(asked[:6]) > 0:
        return int(asked[:6])
    try:
        return os.get_terminal_size(stream.fileno()).columns or _WIDTH  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return _WIDTH


def _color(stream: Stream) -> bool:
    """The order Python's own tracebacks use: NO_COLOR, FORCE_COLOR, TERM, then whether a person is reading."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return os.environ.get("TERM") != "dumb" and _tty(stream)


def _tty(stream: Stream) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # a captured or closed stream
        return False

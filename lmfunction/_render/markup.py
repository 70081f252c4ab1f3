"""Safe pieces of HTML: text made inert, and a buffer that closes what it opens within a byte limit."""

from __future__ import annotations

import html
import re
from typing import Final

from lmfunction._text import visible

# MathJax typesets `$..$`, `\(..\)`, `\[..\]` and `\begin{..}` found within one text node. It skips <pre>, <code>
# and what stands in an INERT element; a page may be configured otherwise, so the delimiters also get a node of
# their own.
_MATH: Final = re.compile(r"\$|\\(?=[(\[b]|$)")
INERT: Final = "tex2jax_ignore mathjax_ignore"
GROWTH: Final = 14  # bytes one character can become: `<span>$</span>`


def escaped(text: str) -> str:
    """`text` as inert HTML text: nothing in it is markup, a control character or mathematics."""
    return _MATH.sub(r"<span>\g<0></span>", html.escape(visible(text), quote=True))


class Room:
    """HTML in pieces that never outgrow `limit` bytes, and whatever was opened is closed."""

    def __init__(self, limit: int) -> None:
        self.left = limit
        self._parts: list[str] = []
        self._ends: list[str] = []

    def add(self, text: str) -> bool:
        """Append `text` if it fits."""
        cost = len(text.encode())
        if cost > self.left:
            return False
        self.left -= cost
        self._parts.append(text)
        return True

    def open(self, start: str, end: str) -> bool:
        """Append `start` and promise `end`, if both fit."""
        if len((start + end).encode()) > self.left:
            return False
        self.left -= len((start + end).encode())
        self._parts.append(start)
        self._ends.append(end)
        return True

    def close(self) -> None:
        """Append what the last `open` promised."""
        self._parts.append(self._ends.pop())

    def finish(self) -> str:
        """Everything, closed."""
        return "".join(self._parts + self._ends[::-1])

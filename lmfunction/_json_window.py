"""JSON text of any length, of which no more than a part is in memory."""

from __future__ import annotations

import json
from typing import Any, Final, TextIO

_DECODER: Final = json.JSONDecoder()
_PART: Final = 1 << 20  # characters
_LONGEST: Final = 64 << 20
_BLANKS: Final = " \t\r\n"


class Window:
    """What is read of `source` and not taken yet. Raises ValueError for what is no JSON, OSError from the source."""

    def __init__(self, source: TextIO) -> None:
        self._source = source
        self._text = ""
        self._at = 0

    def sign(self) -> str:
        """The next character that is no blank, which stays; nothing at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _BLANKS:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def pass_over(self) -> None:
        """Takes the character that `sign` gave."""
        self._at += 1

    def value(self) -> Any:
        """Takes the next value, where `sign` is its begin."""
        while True:
            try:
                found, end = _DECODER.raw_decode(self._text, self._at)
            except ValueError:
                if len(self._text) - self._at > _LONGEST or not self._more():
                    raise
                continue
            if end == len(self._text) and self._more():
                continue  # of a number the rest may come
            self._at = end
            return found

    def _more(self) -> bool:
        """Reads on, as much again as is there, so that a long value is not begun too often; False at the end."""
        rest = self._text[self._at :]
        part = self._source.read(max(_PART, len(rest)))
        if part:
            self._text, self._at = rest + part, 0
        return bool(part)

"""The log frames that awslambdaric writes among what a function prints, taken out of the stream again.

A frame is 4 bytes of type (0xa55a00.. in network order), 4 of length, 8 of time in microseconds, and the message. The
first byte of a type begins no UTF-8 character, and the time has to be one of our days: printed text is not mistaken
for a frame.
"""

from __future__ import annotations

import re
from typing import Final

_HEADER: Final = 16
_START: Final = b"\xa5\x5a\x00"
# What a clock shows in this century, in microseconds, begins with these two bytes.
_FRAME: Final = re.compile(rb"\xa5\x5a\x00[\x00-\x1f](?P<length>.{4})\x00[\x04-\x0b].{6}", re.DOTALL)


class LogFrames:
    """Turns the bytes of a log pipe into plain text, piece by piece: each framed message ends in one line break."""

    def __init__(self) -> None:
        self._held = b""  # what may be the beginning of a frame's header
        self._left = 0  # of the message under way

    def plain(self, data: bytes) -> bytes:
        """The text in the next piece of the stream."""
        data, self._held = self._held + data, b""
        text = bytearray()
        while data:
            if self._left:
                message, data = data[: self._left], data[self._left :]
                self._left -= len(message)
                text += message
                if not self._left and not message.endswith(b"\n"):
                    text += b"\n"
                continue
            found = _FRAME.search(data)
            if found is None:
                begun = self._beginning(data)
                text += data[:begun]
                self._held = data[begun:]
                break
            text += data[: found.start()]
            self._left = int.from_bytes(found["length"], "big")
            data = data[found.end() :]
        return bytes(text)

    def rest(self) -> bytes:
        """What is left when the stream has ended."""
        held, self._held = self._held, b""
        return held

    @staticmethod
    def _beginning(data: bytes) -> int:
        """Where a header that is not yet complete begins; the end of `data` when none does."""
        begun = data.find(_START[:1], max(0, len(data) - _HEADER + 1))
        while begun >= 0 and not _START.startswith(data[begun : begun + len(_START)]):
            begun = data.find(_START[:1], begun + 1)
        return len(data) if begun < 0 else begun

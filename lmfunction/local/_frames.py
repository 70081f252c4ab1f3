"""Event streams as bytes: the messages of `application/vnd.amazon.eventstream`.

Source: the event stream encoding of the AWS SDKs. A message is its length and that of its headers (4 bytes each), the
CRC-32 of those eight bytes, the headers, the body, and the CRC-32 of all before. A header is the length of its name in
a byte, the name, the type of its value in a byte (7: text), and for a text its length in two bytes and the text.
"""

from __future__ import annotations

import functools
import struct
from typing import Final
from zlib import crc32

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"
_TEXT: Final = 7
_AROUND: Final = 16  # bytes of a message that are neither headers nor body


def event_frame(kind: str, body: bytes, content_type: str) -> bytes:
    """The message that carries one event of type `kind`. The readers' limit for a body is 24 MB."""
    headers = _headers(kind, content_type)
    prelude = struct.pack("!II", _AROUND + len(headers) + len(body), len(headers))
    start = b"".join((prelude, struct.pack("!I", crc32(prelude)), headers))
    return b"".join((start, body, struct.pack("!I", crc32(body, crc32(start)))))


@functools.cache
def _headers(kind: str, content_type: str) -> bytes:
    pairs = ((":event-type", kind), (":content-type", content_type), (":message-type", "event"))
    return b"".join(_header(name.encode(), value.encode()) for name, value in pairs)


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack(f"!B{len(name)}sBH", len(name), name, _TEXT, len(value)) + value

r"""One value as one safe line: JSON spelling where JSON has one, an honest description where it has none.

Every escape is spelled the way `visible` spells it (`\x1b`), in data as in names and logs.
"""

from __future__ import annotations

import math
from typing import Final

from lmfunction._text import one_line, shorten, size, visible

# Python refuses to print integers above 4,300 digits (about 14,280 bits), and nobody reads a thousand.
_INTEGER_BITS: Final = 3_000
_JSON: Final = {None: "null", True: "true", False: "false"}


def leaf(value: object, limit: int) -> str:
    """`value` as one line of about `limit` characters; never raises."""
    try:
        return _leaf(value, limit)
    except Exception:  # noqa: BLE001 - any code can hide in __repr__ or __getitem__, and a card never raises
        return f"<{one_line(type(value).__name__, 80)}: cannot be shown>"


def quoted(text: str, limit: int) -> str:
    """`text` as a JSON-like string literal; what was cut is counted."""
    head = text[:limit]
    for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        head = head.replace(char, escape)
    literal = f'"{visible(head)}"'
    return literal if len(text) <= limit else f"{literal}… ({len(text):,} characters)"


def label(value: object, limit: int) -> str:
    """A name from outside (title, fact, column) as one safe line."""
    return one_line(value, limit) if type(value) is str else leaf(value, limit)


def _leaf(value: object, limit: int) -> str:
    if value is None or value is True or value is False:
        return _JSON[value]
    if isinstance(value, str):
        return quoted(value, limit)
    if isinstance(value, int):
        return _integer(value, limit)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _binary(value, limit)
    if isinstance(value, dict | list | tuple | set | frozenset):
        # Never repr(): 40 lists that hold each other twice spell out to a terabyte.
        return f"<{one_line(type(value).__name__, 80)} of {len(value):,}>"
    # The doubled cut bounds the work on a huge repr before its characters are looked at.
    return shorten(visible(repr(value)[: 2 * limit], one_line=True), limit)


def _integer(value: int, limit: int) -> str:
    if value.bit_length() > _INTEGER_BITS:
        return f"<integer of about {int(value.bit_length() * math.log10(2)) + 1:,} digits>"
    return shorten(int.__repr__(value), limit)


def _float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float.__repr__(value)


def _binary(value: bytes | bytearray | memoryview, limit: int) -> str:
    head = bytes(value[: max(limit // 4, 1)])
    return f"<{size(len(value))} of bytes: {head!r}{'…' if len(value) > len(head) else ''}>"

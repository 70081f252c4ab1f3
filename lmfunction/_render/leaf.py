r"""One value as one safe line: JSON spelling where JSON has one, an honest description where it has none.

Secrets are hidden before a text is cut, so that none is missed for being half of itself. Every escape is spelled the
way `visible` spells it (`\x1b`), in data as in names and logs.
"""

from __future__ import annotations

import math
from typing import Final

from lmfunction._redact import NONE, Redaction
from lmfunction._text import one_line, shorten, size, visible

EDGE: Final = 4_096  # characters beside a cut in which half a secret could stand

# Python refuses to print integers above 4,300 digits (about 14,280 bits), and nobody reads a thousand.
_INTEGER_BITS: Final = 3_000
_JSON: Final = {None: "null", True: "true", False: "false"}


def leaf(value: object, limit: int, redaction: Redaction = NONE) -> str:
    """`value` as one line of about `limit` characters; never raises."""
    try:
        return _leaf(value, limit, redaction)
    except Exception:  # noqa: BLE001 - any code can hide in __repr__ or __getitem__, and a card never raises
        return f"<{one_line(type(value).__name__, 80)}: cannot be shown>"


def quoted(text: str, limit: int, redaction: Redaction = NONE) -> str:
    """`text` as a JSON-like string literal; what was cut is counted."""
    known = beginning(text, limit, redaction)
    head = known[:limit]
    for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        head = head.replace(char, escape)
    literal = f'"{visible(head)}"'
    cut = len(known) > limit or len(text) > limit + EDGE
    return f"{literal}… ({len(text):,} characters)" if cut else literal


def label(value: object, limit: int, redaction: Redaction = NONE) -> str:
    """A name from outside (title, fact, column) as one safe line."""
    return line(value, limit, redaction) if type(value) is str else leaf(value, limit, redaction)


def line(text: str, limit: int, redaction: Redaction = NONE) -> str:
    """`text` as one safe line of at most `limit` characters."""
    return one_line(beginning(text, limit, redaction), limit)


def beginning(text: str, limit: int, redaction: Redaction) -> str:
    """The first characters of `text`, secrets hidden: more than `limit` where it goes on and secrets took no room."""
    if len(text) <= limit + EDGE:
        return redaction.text(text)
    return redaction.text(text[: limit + 1 + EDGE])[:-EDGE]


def end(text: str, limit: int, redaction: Redaction) -> str:
    """The last characters of `text`, as `beginning` gives the first."""
    if len(text) <= limit + EDGE:
        return redaction.text(text)
    return redaction.text(text[-limit - EDGE :])[EDGE:]


def _leaf(value: object, limit: int, redaction: Redaction) -> str:
    if value is None or value is True or value is False:
        return _JSON[value]
    if isinstance(value, str):
        return quoted(value, limit, redaction)
    if isinstance(value, int):
        return line(_integer(value, limit), limit, redaction)  # what stands for a secret may be anything, too
    if isinstance(value, float):
        return line(_float(value), limit, redaction)
    if isinstance(value, bytes | bytearray | memoryview):
        return _binary(value, limit, redaction)
    if isinstance(value, dict | list | tuple | set | frozenset):
        # Never repr(): 40 lists that hold each other twice spell out to a terabyte.
        return f"<{one_line(type(value).__name__, 80)} of {len(value):,}>"
    return line(repr(value), limit, redaction)


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


def _binary(value: bytes | bytearray | memoryview, limit: int, redaction: Redaction) -> str:
    text = redaction.text(repr(bytes(value[: limit + EDGE])))
    return f"<{size(len(value))} of bytes: {one_line(text, limit)}>"

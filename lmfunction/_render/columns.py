"""Text measured in terminal columns: wide characters take two, combining marks none."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

GAP: Final = "  "  # between the columns of a table
_FAIR: Final = 40  # what a column may ask for before the others have what they need
_PARTING: Final = "/.,:;-_&=)("
_SLIVER: Final = 16  # below this a shortened column says nothing


def cells(text: str) -> int:
    """Terminal columns of `text`."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def wrap(text: str, width: int, hang: str = "") -> Iterator[str]:
    """`text` cut into pieces of `width` columns; the ones after the first start with `hang`."""
    start, prefix = 0, ""
    plain = text.isascii()
    while True:
        end = fitting(text, start, max(width - len(prefix), 1), plain)
        if end < len(text):
            end = _good_end(text, start, end)
        yield prefix + text[start:end]
        if end >= len(text):
            return
        start, prefix = end, hang


def _good_end(text: str, start: int, end: int) -> int:
    """After a blank in the last half, else after what parts a path or name in the last third, else where it is full."""
    blank = text.rfind(" ", end - (end - start) // 2, end) + 1
    return blank or max(text.rfind(mark, end - (end - start) // 3, end) + 1 for mark in _PARTING) or end


def clip(text: str, width: int) -> str:
    """`text` in at most `width` columns; the cut is marked with `…`."""
    if cells(text) <= width:
        return text
    return text[: fitting(text, 0, width - 1, text.isascii())] + "…"


def pad(text: str, width: int, *, right: bool) -> str:
    """`text` in exactly `width` columns."""
    text = clip(text, width)
    blank = " " * (width - cells(text))
    return blank + text if right else text + blank


def shared(wanted: Sequence[int], width: int) -> list[int]:
    """The widths of the first columns that fit side by side, of those that want so much; always at least one.

    A long column is shortened before the next one is left out, and takes what the others leave over.
    """
    given: list[int] = []
    left = width + len(GAP)
    for want in wanted:
        got = min(want, _FAIR)
        if got + len(GAP) > left and (got := left - len(GAP)) < min(want, _SLIVER) and given:
            break
        given.append(max(got, 1))
        left -= got + len(GAP)
    for index, got in enumerate(given):
        more = min(wanted[index] - got, max(left, 0))
        given[index] += more
        left -= more
    return given


def fitting(text: str, start: int, width: int, plain: bool) -> int:
    """Where a piece of at most `width` columns from `start` ends; always takes at least one character."""
    if plain:
        return min(start + width, len(text))
    end, used = start, 0
    while end < len(text):
        used += _cells(text[end])
        if used > width and end > start:
            break
        end += 1
    return end


def _cells(char: str) -> int:
    if char.isascii():
        return 1
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1

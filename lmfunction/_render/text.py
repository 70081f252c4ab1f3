"""Cards as text: for terminals, logs, diffs and every front end without HTML."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Final, NamedTuple

from lmfunction._text import shorten, size, visible

from .body import (
    Body,
    Data,
    Pairs,
    Table,
    Words,
    body_of,
    level,
    lines_of,
    note,
    shown_part,
    shown_rows,
    weight,
)
from .card import Card, Section, Tone
from .leaf import label
from .room import Piece, share
from .walk import Shape, Step, Walk

_ROWS: Final = 20
_COLUMNS: Final = 12
_NARROW: Final = 40
_WIDE: Final = 1_000
_NOTE_ROOM: Final = 300  # bytes kept for a section's note: what is shown, and how to get the rest
_SECTION_ROOM: Final = 400  # below this share, fewer sections are shown instead of slivers of all
_HANG: Final = "  "

_BADGE: Final = {
    Tone.OK: "1;32",
    Tone.FAILED: "1;31",
    Tone.WARNING: "1;33",
    Tone.INFO: "1;36",
    Tone.DRYRUN: "1;35",
    Tone.PLAIN: "1",
}
_STYLE: Final = {"dim": "2", "bold": "1", "platform": "2", "error": "31", "warn": "33"}


class Line(NamedTuple):
    """One line and how it looks where colour is on."""

    text: str
    style: str = ""


def render_text(card: Card, *, width: int = 100, color: bool = False, limit: int = 8_192) -> str:
    """The card as lines of at most `width` columns and, together, at most `limit` bytes of UTF-8.

    Text cannot be folded: a section that starts closed is left out.
    """
    width = min(max(width, _NARROW), _WIDE)
    head = "\n".join(_header(card, width, color))
    left = limit - len(head.encode())
    if left < 0:
        return _clipped("\n".join(_header(card, width, False)), limit)
    wanted = [section for section in card.sections if section.open]
    shown = wanted[: max(left // _SECTION_ROOM, 0)]
    dropped = len(wanted) - len(shown)
    tail = f"\n  … {dropped:,} more section{'' if dropped == 1 else 's'}" if dropped else ""
    if len(tail.encode()) > left:
        return head
    sections = [partial(_section, section, width, color) for section in shown]
    return head + "".join(share(left - len(tail.encode()), sections)) + tail


def cells(text: str) -> int:
    """Terminal columns of `text`: wide characters take two, combining marks none."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def wrap(text: str, width: int, hang: str = "") -> Iterator[str]:
    """`text` cut into pieces of `width` columns; the ones after the first start with `hang`."""
    start, prefix = 0, ""
    plain = text.isascii()
    while True:
        end = _fitting(text, start, max(width - len(prefix), 1), plain)
        if end < len(text):  # after a blank, if there is one in the last third
            end = text.rfind(" ", end - (end - start) // 3, end) + 1 or end
        yield prefix + text[start:end]
        if end >= len(text):
            return
        start, prefix = end, hang


def _header(card: Card, width: int, color: bool) -> Iterator[str]:
    badge = f"[{label(card.status, 40)}]"
    lines = [f"{badge} {label(card.title, 200)}".rstrip()]
    for fact in card.facts[:20]:
        text = label(fact, 120)
        if cells(lines[-1]) + 3 + cells(text) <= width:
            lines[-1] += f" · {text}"
        else:
            lines.append(f"     {text}")
    for index, line in enumerate(lines):
        for row, part in enumerate(wrap(line, width, "     ")):
            if index == row == 0 and color:
                yield _paint(badge, _BADGE[card.tone]) + part.removeprefix(badge)
            else:
                yield part


def _section(section: Section, width: int, color: bool, room: int) -> Piece:
    title = _ink(Line(f"  {_clip(label(section.title, 200), width - 2)}", "bold"), color)
    left = room - len(title.encode()) - _NOTE_ROOM
    if left <= 0:
        return Piece("", cut=True)
    body = body_of(section, rows=_ROWS, columns=_COLUMNS)
    lines, about = _body(body, section, width - 4, left, partial(_take, color=color))
    if about:
        lines = chain(
            lines, (_ink(Line(f"    {part}", "dim"), color) for part in wrap(note(about, section.more), width - 4))
        )
    return Piece("".join(f"\n{line}" for line in chain([title], lines)), cut=bool(about))


_Take = Callable[[Iterable[Line], int], tuple[list[str], bool]]


def _body(body: Body, section: Section, width: int, room: int, take: _Take) -> tuple[Iterable[str], str]:
    """The lines of a body that fit into `room` bytes, and a note when some did not."""
    match body:
        case Words(text, log=True):
            return _log(text, width, room, take)
        case Words(text):
            return _words(text, width, room, take)
        case Table():
            lines, _ = take(_table(body, width), room)
            return lines, _table_note(body, width, len(lines) - 1)
        case Pairs(pairs, total):
            lines, cut = take(_pairs(body, width), room)
            return lines, f"showing part of {total:,} entries" if cut or len(pairs) < total else ""
        case Data(value):
            walk = Walk(Shape(width=width, depth=8, items=50, leaf=4 * width))
            lines, cut = take(_data(walk, value, width), room)
            return lines, shown_part(value, walk.shown, section.size) if cut or walk.cut else ""


def _take(lines: Iterable[Line], room: int, *, color: bool) -> tuple[list[str], bool]:
    """The first lines that fit into `room` bytes, indented and inked; and whether any were left."""
    taken: list[str] = []
    for line in lines:
        text = _ink(Line(f"    {line.text}".rstrip(), line.style), color)
        room -= len(text.encode()) + 1
        if room < 0:
            return taken, True
        taken.append(text)
    return taken, False


def _words(text: str, width: int, room: int, take: _Take) -> tuple[list[str], str]:
    safe = visible(text[:room]).expandtabs(4)
    lines, cut = take((Line(part) for line in lines_of(safe) for part in wrap(line, width)), room)
    if not text:
        return ["    (empty)"], ""
    return lines, _bytes_note(text, lines) if cut or len(text) > room else ""


def _log(text: str, width: int, room: int, take: _Take) -> tuple[list[str], str]:
    """The end of a log: when something went wrong, the last lines say so."""
    tail = text[-room:]
    lines, cut = take(_backwards(lines_of(tail), width), room)
    if not text:
        return ["    (empty)"], ""
    return lines[::-1], f"the end: {_bytes_note(text, lines)}" if cut or len(tail) < len(text) else ""


def _backwards(lines: list[str], width: int) -> Iterator[Line]:
    for line in reversed(lines):
        style = level(line)
        parts = list(wrap(visible(line).expandtabs(4), width, _HANG))
        yield from (Line(part, style) for part in reversed(parts))


def _bytes_note(text: str, lines: list[str]) -> str:
    whole = weight(text)
    return f"showing {size(min(sum(len(line) - 4 for line in lines), whole))} of {size(whole)}"


def _data(walk: Walk, value: object, width: int) -> Iterator[Line]:
    for event in walk.events(value):
        indent = "  " * event.depth
        hang = indent + 2 * _HANG if event.step is Step.LINE else indent
        yield from map(Line, wrap(f"{indent}{event.key}{event.text}", width, hang))


def _pairs(body: Pairs, width: int) -> Iterator[Line]:
    names = [shorten(name, 32) for name, _ in body.pairs]
    column = max(map(cells, names), default=0) + 2
    for name, (_, value) in zip(names, body.pairs, strict=True):
        for row, part in enumerate(wrap(value, max(width - column, 20))):
            yield Line((name + " " * (column - cells(name)) if row == 0 else " " * column) + part)


def _table(body: Table, width: int) -> Iterator[Line]:
    columns = _fitting_columns(body, width)
    for index, row in enumerate((body.columns, *body.rows)):
        padded = (_pad(row[at], size, right=body.numeric[at]) for at, size in enumerate(columns))
        yield Line(_HANG.join(padded).rstrip(), "" if index else "dim")


def _table_note(body: Table, width: int, rows: int) -> str:
    kept = len(_fitting_columns(body, width))
    return shown_rows(replace(body, columns=body.columns[:kept]), max(rows, 0))


def _fitting_columns(body: Table, width: int) -> list[int]:
    """The widths of the first columns that fit side by side; always at least one."""
    fitting: list[int] = []
    for column in zip(body.columns, *body.rows, strict=True):
        wanted = min(max(map(cells, column)), width)
        if fitting and sum(fitting) + len(_HANG) * len(fitting) + wanted > width:
            break
        fitting.append(wanted)
    return fitting


def _pad(text: str, width: int, *, right: bool) -> str:
    text = _clip(text, width)
    blank = " " * (width - cells(text))
    return blank + text if right else text + blank


def _clip(text: str, width: int) -> str:
    if cells(text) <= width:
        return text
    return text[: _fitting(text, 0, width - 1, text.isascii())] + "…"


def _fitting(text: str, start: int, width: int, plain: bool) -> int:
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


def _ink(line: Line, color: bool) -> str:
    return _paint(line.text, _STYLE[line.style]) if color and line.style else line.text


def _paint(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m"


def _clipped(text: str, limit: int) -> str:
    return text.encode()[: max(limit, 0)].decode("utf-8", "ignore")

"""Cards as text: for terminals, logs, diffs and every front end without HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Final, NamedTuple

from lmfunction._redact import Redaction
from lmfunction._text import shorten, size, visible

from .body import Body, Data, Limits, Pairs, Table, Words, body_of, note, shown_part, shown_rows
from .card import Bar, Card, Section, Tone
from .columns import GAP, cells, clip, pad, shared, wrap
from .leaf import label
from .lines import TAB, frame_styles, level, lines_of
from .room import Piece, share
from .walk import Shape, Step, Walk

_ROWS: Final = 20
_COLUMNS: Final = 12
_NARROW: Final = 40
_WIDE: Final = 1_000
_NOTE_ROOM: Final = 300  # bytes kept for a section's note: what is shown, and how to get the rest
_SECTION_ROOM: Final = 400  # below this share, fewer sections are shown instead of slivers of all
_HANG: Final = "  "
_BAR: Final = 24  # columns of the longest bar
_BESIDE: Final = 20  # columns that a value needs beside its name; in fewer it stands below
_CELL: Final = 200  # characters of a table cell, before its column is given its width

_BADGE: Final = {
    Tone.OK: "1;32",
    Tone.FAILED: "1;31",
    Tone.WARNING: "1;33",
    Tone.INFO: "1;36",
    Tone.DRYRUN: "1;35",
    Tone.PLAIN: "1",
}
_STYLE: Final = {"dim": "2", "strong": "1", "error": "31", "warn": "33"}


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
    sections = [partial(_section, section, card.redaction, width, color) for section in shown]
    return head + "".join(share(left - len(tail.encode()), sections)) + tail


def _header(card: Card, width: int, color: bool) -> Iterator[str]:
    badge = f"[{label(card.status, 40, card.redaction)}]"
    name = label(card.title, 200, card.redaction)
    lines = [f"{badge} {name}".rstrip()]
    for fact in card.facts[:20]:
        text = label(fact, 120, card.redaction)
        if cells(lines[-1]) + 3 + cells(text) <= width:
            lines[-1] += f" · {text}"
        else:
            lines.append(f"     {text}")
    for index, line in enumerate(lines):
        for row, part in enumerate(wrap(line, width, "     ")):
            yield _inked_header(part, badge, name, card.tone, first=index == row == 0) if color else part


def _inked_header(part: str, badge: str, name: str, tone: Tone, *, first: bool) -> str:
    """A line of the header where colour is on: the badge in its colour, the name strong, the facts dim."""
    if not first:
        return _paint(part, _STYLE["dim"])
    if not part.startswith(f"{badge} {name}") or not name:
        return _paint(badge, _BADGE[tone]) + part.removeprefix(badge)
    facts = part.removeprefix(f"{badge} {name}")
    ink = f"{_paint(badge, _BADGE[tone])} {_paint(name, _STYLE['strong'])}"
    return ink + (_paint(facts, _STYLE["dim"]) if facts else "")


def _section(section: Section, redaction: Redaction, width: int, color: bool, room: int) -> Piece:
    title = _ink(Line(f"  {clip(label(section.title, 200, redaction), width - 2)}", "strong"), color)
    left = room - len(title.encode()) - _NOTE_ROOM
    if left <= 0:
        return Piece("", cut=True)
    body = body_of(section, redaction, Limits(rows=_ROWS, columns=_COLUMNS, cell=_CELL, text=left))
    walk = Walk(
        Shape(width=width - 4, depth=8, items=50, leaf=4 * (width - 4)), redaction, section.path, each=section.each
    )
    lines, about = _body(body, section, walk, width - 4, left, partial(_take, color=color))
    if about:
        lines = chain(
            lines, (_ink(Line(f"    {part}", "dim"), color) for part in wrap(note(about, section.more), width - 4))
        )
    return Piece("".join(f"\n{line}" for line in chain([title], lines)), cut=bool(about))


_Take = Callable[[Iterable[Line], int], tuple[list[str], bool]]


def _body(body: Body, section: Section, walk: Walk, width: int, room: int, take: _Take) -> tuple[Iterable[str], str]:
    """The lines of a body that fit into `room` bytes, and a note when some did not."""
    match body:
        case Words() as words:
            return _words(words, width, room, take)
        case Table():
            lines, _ = take(_table(body, width), room)
            return lines, _table_note(body, width, len(lines) - 1)
        case Pairs(pairs, total):
            lines, cut = take(_pairs(body, width), room)
            return lines, f"showing part of {total:,} entries" if cut or len(pairs) < total else ""
        case Data(value):
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


def _words(words: Words, width: int, room: int, take: _Take) -> tuple[list[str], str]:
    """A text from its beginning or, where that says what went wrong, from its end."""
    if not words.text:
        return ["    (empty)"], ""
    lines = lines_of(words.text)
    styles = list(_styles(words, lines))
    order = range(len(lines))
    flow = (
        Line(part, styles[at])
        for at in (reversed(order) if words.from_end else order)
        for part in _wrapped(lines[at], words, width)
    )
    taken, cut = take(flow, room)
    if not cut and words.whole:
        about = ""
    else:
        shown = sum(len(line) - 4 for line in taken)
        about = f"{'the end: ' if words.from_end else ''}showing {size(min(shown, words.bytes))} of {size(words.bytes)}"
    return taken[::-1] if words.from_end else taken, about


def _styles(words: Words, lines: list[str]) -> Iterable[str]:
    if words.kind == "trace":
        return frame_styles(lines)
    return map(level, lines) if words.kind == "log" else [""] * len(lines)


def _wrapped(line: str, words: Words, width: int) -> Iterable[str]:
    """The pieces of a line, last first where the text is taken from its end; later ones hang behind its blanks."""
    safe = visible(line).expandtabs(4) if words.kind == "text" else visible(line.replace("\t", TAB))
    blanks = min(len(safe) - len(safe.lstrip(" ")), width // 3)
    parts = wrap(safe, width, "" if words.kind == "text" else " " * blanks + _HANG)
    return reversed(list(parts)) if words.from_end else parts


def _data(walk: Walk, value: object, width: int) -> Iterator[Line]:
    for event in walk.events(value):
        indent = "  " * event.depth
        hang = indent + 2 * _HANG if event.step is Step.LINE else indent
        yield from map(Line, wrap(f"{indent}{event.key}{event.text}", width, hang))


def _pairs(body: Pairs, width: int) -> Iterator[Line]:
    names = [shorten(name, 32) for name, _ in body.pairs]
    column = max(map(cells, names), default=0) + 2
    beside = column + _BESIDE <= width
    for name, (_, value) in zip(names, body.pairs, strict=True):
        if not beside:
            yield Line(clip(name, width))
        for row, part in enumerate(wrap(value, width - column if beside else width - len(_HANG))):
            lead = (name + " " * (column - cells(name)) if row == 0 else " " * column) if beside else _HANG
            yield Line(lead + part)


def _table(body: Table, width: int) -> Iterator[Line]:
    columns = shared(_wanted(body), width)
    for index, row in enumerate((body.columns, *_spelled(body))):
        padded = (pad(row[at], size, right=body.numeric[at]) for at, size in enumerate(columns))
        yield Line(GAP.join(padded).rstrip(), "" if index else "dim")


def _spelled(body: Table) -> list[list[str]]:
    """The rows, their bars drawn."""
    return [[_bar(cell.share) if isinstance(cell, Bar) else cell for cell in row] for row in body.rows]


def _bar(share: float) -> str:
    halves = max(round(share * _BAR * 2), 1) if share else 0
    return "█" * (halves // 2) + "▌" * (halves % 2)


def _wanted(body: Table) -> list[int]:
    return [max(map(cells, column)) for column in zip(body.columns, *_spelled(body), strict=True)]


def _table_note(body: Table, width: int, rows: int) -> str:
    wanted = _wanted(body)
    kept = shared(wanted, width)
    clipped = any(got < want for got, want in zip(kept, wanted, strict=False))
    shown = replace(body, columns=body.columns[: len(kept)], shortened=body.shortened or clipped)
    return shown_rows(shown, max(rows, 0))


def _ink(line: Line, color: bool) -> str:
    return _paint(line.text, _STYLE[line.style]) if color and line.style else line.text


def _paint(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m"


def _clipped(text: str, limit: int) -> str:
    return text.encode()[: max(limit, 0)].decode("utf-8", "ignore")

"""What a section's body really is, settled once for every medium: words, a table, pairs or data; secrets hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, TypeAlias

from lmfunction._redact import HIDDEN, Path, Redaction
from lmfunction._text import one_line, size

from .card import Bar, Section
from .leaf import EDGE, beginning, end, label, leaf, line
from .lines import innermost_last, lines_of
from .walk import branch, brief, hidden, step

_NAME: Final = 60  # characters of a column's or a pair's name
_VALUE: Final = 2_000  # characters of a pair's value
_PAIRS: Final = 100
_COLUMNS: Final = 200  # rows wider than this are data: nobody reads such a table


@dataclass(frozen=True)
class Words:
    """Text as it is; the lines of a log or a stack trace. Where `from_end`, the end matters most."""

    text: str
    kind: Literal["text", "log", "trace"]
    from_end: bool
    bytes: int  # of the whole text
    whole: bool = True  # whether `text` is all of it


Cell: TypeAlias = str | Bar


@dataclass(frozen=True)
class Table:
    """The first rows and columns of many; `numeric` columns are aligned right."""

    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]
    all_rows: int
    all_columns: int
    shortened: bool = False  # whether a cell shows less than its value


@dataclass(frozen=True)
class Pairs:
    """Label and value, one pair a line."""

    pairs: tuple[tuple[str, str], ...]
    all_pairs: int


@dataclass(frozen=True)
class Data:
    """Anything else. What is hidden of it is decided where it is walked."""

    value: object


Body: TypeAlias = Words | Table | Pairs | Data


@dataclass(frozen=True)
class Limits:
    """How much a medium can show: rows, columns, characters of a cell and of a text."""

    rows: int
    columns: int
    cell: int
    text: int


def body_of(section: Section, redaction: Redaction, limits: Limits) -> Body:
    """The section's body in the form that fits it best."""
    body = section.body
    try:
        if not section.each and hidden(body, redaction, section.path):
            return Words(HIDDEN, "text", from_end=False, bytes=len(HIDDEN))
        if type(body) is str:
            return _words(body, section, redaction, limits)
        if section.kind == "pairs":
            return _pairs(body, redaction) or Data(body)
        return _Rows(redaction, section, limits).table(body, strict=section.kind != "table") or Data(body)
    except Exception:  # noqa: BLE001 - rows may be any objects; what cannot be read as a table is data
        return Data(body)


def weight(text: str) -> int:
    """Bytes of `text` in UTF-8, lone surrogates included."""
    return len(text.encode("utf-8", "surrogatepass"))


def note(what: str, more: str) -> str:
    """The last line of a section that was cut: what is shown, and how to get the rest."""
    return f"{what} — {one_line(more, 100)}" if more else what


def shown_rows(table: Table, shown: int) -> str:
    """`showing 20 of 512 rows`, and the same of columns; nothing when all is shown."""
    parts = []
    if shown < table.all_rows:
        parts.append(f"{shown:,} of {table.all_rows:,} rows")
    if len(table.columns) < table.all_columns:
        parts.append(f"{len(table.columns):,} of {table.all_columns:,} columns")
    if table.shortened:
        parts.append("long values shortened" if parts else "long values in short")
    return f"showing {', '.join(parts)}" if parts else ""


def shown_part(value: object, shown: int, total: int | None) -> str:
    """How much of some data is shown: bytes when the whole is known, else what it is a part of."""
    if total is not None and total > shown:
        return f"showing {size(shown)} of {size(total)}"
    whole = branch(value)
    return f"showing part of {whole.holds}" if whole is not None else "shortened"


def _words(text: str, section: Section, redaction: Redaction, limits: Limits) -> Words:
    if section.kind == "trace":
        from_end = innermost_last(lines_of(text[: limits.text]))
    else:
        from_end = section.kind == "log"
    cut = end if from_end else beginning
    kind = section.kind if section.kind in ("log", "trace") else "text"
    return Words(cut(text, limits.text, redaction), kind, from_end, weight(text), len(text) <= limits.text + EDGE)


class _Rows:
    """Rows read as a table."""

    def __init__(self, redaction: Redaction, section: Section, limits: Limits) -> None:
        self._redaction = redaction
        self._section = section
        self._limits = limits

    def table(self, body: object, *, strict: bool) -> Table | None:
        """The table; `strict` asks for two or more rows with the same keys and only leaves, so nothing is lost."""
        if not isinstance(body, Sequence) or isinstance(body, bytes | bytearray | memoryview):
            return None
        head = [row for row in body[: self._limits.rows] if isinstance(row, Mapping)]
        if len(head) != min(len(body), self._limits.rows) or not head or not all(head):
            return None
        if strict and not _regular(head, len(body)):
            return None
        names: dict[object, None] = {}
        for row in head:
            names.update(dict.fromkeys(islice(row, _COLUMNS)))
        kept = list(names)[: self._limits.columns]
        return Table(
            columns=tuple(label(name, _NAME, self._redaction) for name in kept),
            numeric=tuple(all(_number(row.get(name, 0)) for row in head) for name in kept),
            rows=tuple(tuple(self._cell(index, row, name) for name in kept) for index, row in enumerate(head)),
            all_rows=len(body),
            all_columns=max(len(names), *map(len, head)),
            shortened=any(self._shortened(row[name]) for row in head for name in kept if name in row),
        )

    def _cell(self, index: int, row: Mapping[object, object], name: object) -> Cell:
        if name not in row:
            return ""
        value = row[name]
        if type(value) is Bar:
            return value
        if hidden(value, self._redaction, self._path(index, name)):
            return HIDDEN
        if type(value) is str:
            return line(value, self._limits.cell, self._redaction)
        inner = branch(value)
        if inner is None:
            return leaf(value, self._limits.cell, self._redaction)
        return inner.start + (f"… {inner.holds}" if inner.size else "") + inner.end

    def _path(self, index: int, name: object) -> Path:
        section = self._section
        return (*section.path, step(name)) if section.each else (*section.path, index, step(name))

    def _shortened(self, value: object) -> bool:
        inner = branch(value)
        return inner.size > 0 if inner is not None else type(value) is str and len(value) > self._limits.cell


def _regular(head: list[Mapping[object, object]], total: int) -> bool:
    first = head[0]
    if total < 2 or len(first) > _COLUMNS:
        return False
    same = all(len(row) == len(first) and all(name in first for name in row) for row in head)
    return same and all(branch(value) is None for row in head for value in row.values())


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _pairs(body: object, redaction: Redaction) -> Pairs | None:
    if not isinstance(body, Sequence) or isinstance(body, bytes | bytearray | memoryview):
        return None
    pairs = [(label(name, _NAME, redaction), _value(name, value, redaction)) for name, value in body[:_PAIRS]]
    return Pairs(tuple(pairs), len(body))


def _value(name: object, value: object, redaction: Redaction) -> str:
    path = (step(name),)
    if hidden(value, redaction, path):
        return HIDDEN
    return line(value, _VALUE, redaction) if type(value) is str else brief(value, _VALUE, redaction, path)

"""What a section's body really is, settled once for every medium: words, a log, a table, pairs or data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from lmfunction._text import one_line, size

from .card import Section
from .leaf import label, leaf
from .walk import branch, brief

CELL: Final = 60  # characters of a table cell
_VALUE: Final = 2_000  # characters of a pair's value
_PAIRS: Final = 100
_COLUMNS: Final = 200  # rows wider than this are data: nobody reads such a table
_LOOKED_AT: Final = 5_000  # characters of a log line that are searched for a level

_PLATFORM: Final = re.compile(r"(?:START|END|REPORT|INIT_START|INIT_REPORT|RESTORE_\w+|EXTENSION|XRAY|TELEMETRY)\b")
_ERROR: Final = re.compile(r'\b(?:ERROR|CRITICAL|FATAL)\b|"level"\s*:\s*"(?:error|critical|fatal)"|Task timed out')
_WARN: Final = re.compile(r'\bWARN(?:ING)?\b|"level"\s*:\s*"warn(?:ing)?"')


@dataclass(frozen=True)
class Words:
    """Text as it is, or the lines of a log (then the end matters most)."""

    text: str
    log: bool = False


@dataclass(frozen=True)
class Table:
    """The first rows and columns of many; `numeric` columns are aligned right."""

    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
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
    """Anything else."""

    value: object


Body: TypeAlias = Words | Table | Pairs | Data


def body_of(section: Section, *, rows: int, columns: int) -> Body:
    """The section's body in the form that fits it best."""
    body = section.body
    if type(body) is str:
        return Words(body, log=section.kind == "log")
    try:
        if section.kind == "pairs":
            return _pairs(body) or Data(body)
        return _table(body, rows, columns, strict=section.kind != "table") or Data(body)
    except Exception:  # noqa: BLE001 - rows may be any objects; what cannot be read as a table is data
        return Data(body)


def level(line: str) -> str:
    """`error`, `warn`, `platform` (the lines Lambda itself writes) or nothing."""
    head = line[:_LOOKED_AT]
    if _PLATFORM.match(head):
        return "platform"
    if _ERROR.search(head):
        return "error"
    return "warn" if _WARN.search(head) else ""


def lines_of(text: str) -> list[str]:
    """The lines of `text`; only a newline ends one, so a forged carriage return cannot start another."""
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


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


def _table(body: object, rows: int, columns: int, *, strict: bool) -> Table | None:
    """`body` as a table; `strict` asks for two or more rows with the same keys and only leaves, so nothing is lost."""
    if not isinstance(body, Sequence) or isinstance(body, bytes | bytearray | memoryview):
        return None
    head = [row for row in body[:rows] if isinstance(row, Mapping)]
    if len(head) != min(len(body), rows) or not head or not all(head):
        return None
    if strict and not _regular(head, len(body)):
        return None
    names: dict[object, None] = {}
    for row in head:
        names.update(dict.fromkeys(islice(row, _COLUMNS)))
    kept = list(names)[:columns]
    return Table(
        columns=tuple(label(name, CELL) for name in kept),
        numeric=tuple(all(_number(row.get(name, 0)) for row in head) for name in kept),
        rows=tuple(tuple(_cell(row[name]) if name in row else "" for name in kept) for row in head),
        all_rows=len(body),
        all_columns=max(len(names), *map(len, head)),
        shortened=any(_shortened(row[name]) for row in head for name in kept if name in row),
    )


def _regular(head: list[Mapping[object, object]], total: int) -> bool:
    first = head[0]
    if total < 2 or len(first) > _COLUMNS:
        return False
    same = all(len(row) == len(first) and all(name in first for name in row) for row in head)
    return same and all(branch(value) is None for row in head for value in row.values())


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if type(value) is str:
        return one_line(value, CELL)
    inner = branch(value)
    if inner is None:
        return leaf(value, CELL)
    return inner.start + (f"… {inner.holds}" if inner.size else "") + inner.end


def _shortened(value: object) -> bool:
    inner = branch(value)
    return inner.size > 0 if inner is not None else type(value) is str and len(value) > CELL


def _pairs(body: object) -> Pairs | None:
    if not isinstance(body, Sequence) or isinstance(body, bytes | bytearray | memoryview):
        return None
    pairs = [(label(name, CELL), _value(value)) for name, value in body[:_PAIRS]]
    return Pairs(tuple(pairs), len(body))


def _value(value: object) -> str:
    return one_line(value, _VALUE) if type(value) is str else brief(value, _VALUE)

"""What the AWS CLI prints of an answer: JSON, text, table, YAML, character by character.

The formats are those of version 1 (json, text, table) and version 2 (yaml, yaml-stream, off). Values are JSON's kinds.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lmfunction.errors import LMError

_WIDTH: Final = 80  # of a terminal that does not tell its own
_BRIGHT_BLUE: Final = "\x1b[1m\x1b[34m"
_DIM_YELLOW: Final = "\x1b[2m\x1b[33m"
_RESET: Final = "\x1b[0m"


def formatted(value: Any, output: str, *, title: str = "Invoke", color: bool = False, width: int = _WIDTH) -> str:
    """`value` as `--output` wants it, with its last newline; empty where the AWS CLI prints nothing.

    `color` and `width`, in columns, matter to tables alone. Raises LMError for what no table can show.
    """
    if output == "text":
        pieces: list[str] = []
        _write_text(value, pieces.append)
        return "".join(pieces)
    if output == "table":
        return _table(value, title, color, width)
    if output == "off" or (value == {} and output != "yaml-stream"):
        return ""
    if output in ("yaml", "yaml-stream"):
        from lmfunction import _yaml

        return _yaml.dump([value] if output == "yaml-stream" else value)
    return json.dumps(value, indent=4, ensure_ascii=False) + "\n"


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _write_text(value: Any, write: Callable[[str], object], name: str = "", keys: Sequence[str] | None = None) -> None:
    """Tab-separated lines; a nested value's lines begin with its key in capitals.

    `keys` are those that the scalars of an object's neighbours have, so that columns stay in line.
    """
    if isinstance(value, dict):
        own = keys if keys is not None else sorted(k for k in value if _is_scalar(value[k]))
        if own:
            write("\t".join([*([name.upper()] if name else []), *(str(value.get(key, "")) for key in own)]) + "\n")
        for key in sorted(set(value).difference(own)):
            _write_text(value[key], write, key)
    elif not isinstance(value, list):
        write(f"{value}\n")
    elif any(isinstance(item, dict) for item in value):
        every = sorted({k for item in value if isinstance(item, dict) for k in item if _is_scalar(item[k])})
        for item in value:
            _write_text(item, write, name, every)
    else:
        _write_scalars([item for item in value if _is_scalar(item)], write, name)
        for item in value:
            if not _is_scalar(item):
                _write_text(item, write, name)


def _write_scalars(items: list[Any], write: Callable[[str], object], name: str) -> None:
    if name:
        for item in items:
            write(f"{name.upper()}\t{item}\n")
    elif items:
        write("\t".join(map(str, items)) + "\n")


@dataclass
class _Section:
    """One part of a table: a title, perhaps a line of headers, rows of equal length."""

    title: str = ""
    indent: int = 0
    headers: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    columns: int | None = None

    def add_headers(self, headers: list[str]) -> None:
        self._widen(headers)
        self.headers = headers

    def add_row(self, values: Sequence[Any]) -> None:
        if self.columns not in (None, len(values)):
            raise _unequal_rows()
        row = [str(value) for value in values]
        self._widen(row)
        self.rows.append(row)

    def _widen(self, cells: list[str]) -> None:
        self.columns = len(cells) if self.columns is None else self.columns
        self.widths = self.widths or [0] * len(cells)
        if len(cells) > len(self.widths):
            raise _unequal_rows()
        for place, cell in enumerate(cells):
            self.widths[place] = max(self.widths[place], _columns_of(cell))

    def natural_width(self) -> int:
        """The columns it needs, its borders and those of the sections around it included."""
        cells = sum(width + 4 for width in self.widths) + 2
        return max(_columns_of(self.title) + 2, cells) + 2 * self.indent

    def fitted_widths(self, total: int) -> list[int]:
        """The widths of the columns stretched to `total`: in proportion, the rest given to the last or taken from the
        first.
        """
        padded = [width + 4 for width in self.widths]
        fitted = [round(total / sum(padded) * width) for width in padded]
        over = sum(fitted) - total
        order = range(len(fitted)) if over > 0 else range(len(fitted) - 1, -1, -1)
        while over:
            for index in order:
                if over:
                    step = 1 if over > 0 else -1
                    fitted[index] -= step
                    over -= step
        return fitted

    def upright(self) -> _Section:
        """The section with its one row below each other, a header and its value a line."""
        if len(self.rows) != 1 or not self.headers:
            return self
        turned = _Section(self.title, self.indent)
        for pair in zip(self.headers, self.rows[0], strict=False):
            turned.add_row(pair)
        return turned


def _unequal_rows() -> LMError:
    return LMError("The answer came, but no table shows rows of different lengths: use another --output or --query.")


def _columns_of(text: str) -> int:
    """The columns of a terminal that `text` takes: wide and ambiguous characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WFA" else 1 for char in text)


def _table(value: Any, title: str, color: bool, width: int) -> str:
    if not value:
        return ""
    sections: list[_Section] = []
    _collect(sections, title, value, 0)
    if max(section.natural_width() for section in sections) > width:
        sections = [section.upright() for section in sections]
    total = max(section.natural_width() for section in sections)
    pen = _Pen(color)
    pen.write("-" * total + "\n")
    for section in sections:
        _draw(section, total - 2 * section.indent, pen)
    return "".join(pen.pieces)


def _collect(sections: list[_Section], title: str | None, value: Any, indent: int) -> None:
    """Adds the sections of `value`; without a title its rows go on in the last section."""
    if not value:
        return
    if title is not None:
        sections.append(_Section(title, indent))
    if isinstance(value, dict):
        headers, nested = _split_keys([value])
        if len(headers) == 1:
            sections[-1].add_row([headers[0], value[headers[0]]])
        elif headers:
            sections[-1].add_headers(headers)
            sections[-1].add_row([value[key] for key in headers])
        for key in nested:
            _collect(sections, key, value[key], indent + 1)
    elif isinstance(value, list) and isinstance(value[0], dict):
        _collect_objects(sections, title, value, indent)
    elif isinstance(value, list):
        for item in value:
            if _is_scalar(item):
                sections[-1].add_row([item])
            elif all(map(_is_scalar, item)):
                sections[-1].add_row(list(item))
            else:
                _collect(sections, None, item, 0)


def _collect_objects(sections: list[_Section], title: str | None, objects: list[Any], indent: int) -> None:
    if not all(isinstance(item, dict) for item in objects):
        raise LMError("The answer came, but no table shows objects beside other values: use another --output.")
    headers, nested = _split_keys(objects)
    sections[-1].add_headers(headers)
    for number, item in enumerate(objects):
        if number and nested:
            sections.append(_Section(title or "", indent))
            sections[-1].add_headers(headers)
        sections[-1].add_row([item.get(key, "") for key in headers])
        for key in nested:
            _collect(sections, key, item.get(key), indent + 1)


def _split_keys(objects: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """The keys that some of `objects` have with a scalar, and with something nested; each sorted."""
    pairs = [(key, _is_scalar(item[key])) for item in objects for key in item]
    return sorted({key for key, plain in pairs if plain}), sorted({key for key, plain in pairs if not plain})


class _Pen:
    """Collects what is drawn. In colour each write ends in a reset, as the terminal library of the AWS CLI does it."""

    def __init__(self, color: bool) -> None:
        self.pieces: list[str] = []
        self.color = color

    def write(self, text: str) -> None:
        self.pieces.append(text + _RESET if self.color else text)

    def styled(self, text: str, style: str) -> str:
        return f"{style}{text}{_RESET}" if self.color else text

    def line(self, text: str, indent: int) -> None:
        edge = self.styled("|", _DIM_YELLOW) * indent
        for piece in (edge, text, edge, "\n"):
            self.write(piece)


def _draw(section: _Section, total: int, pen: _Pen) -> None:
    empty = not section.headers and not section.rows
    if section.title:
        pen.line(_centred(section.title, total, "|"), section.indent)
        if empty:
            pen.line(f"+{'-' * (total - 2)}+", section.indent)
    if empty or not section.widths:
        return
    widths = section.fitted_widths(total)
    rule = "+" + "".join(f"{'-' * (width - (1 if place else 2))}+" for place, width in enumerate(widths))
    if section.headers:
        pen.line(rule, section.indent)
        cells = [
            _centred(h, w, "" if place else "|")
            for place, (w, h) in enumerate(zip(widths, section.headers, strict=False))
        ]
        pen.line("".join(cells), section.indent)
    if section.rows:
        pen.line(rule, section.indent)
        for row in section.rows:
            cells = [
                _left(c, w, "" if place else "|", pen) for place, (w, c) in enumerate(zip(widths, row, strict=False))
            ]
            pen.line("".join(cells), section.indent)
        pen.line(rule, section.indent)


def _centred(text: str, length: int, edge: str) -> str:
    before = " " * (length // 2 - _columns_of(text) // 2 - 1)
    after = " " * (length - 1 - len(edge) - len(before) - _columns_of(text))
    return f"{edge}{before}{text}{after}|"


def _left(text: str, length: int, edge: str, pen: _Pen) -> str:
    taken = _columns_of(text) + len(edge) + 1
    before = "  " if length >= taken + 2 else ""
    return f"{edge}{before}{pen.styled(text, _BRIGHT_BLUE)}{' ' * (length - taken - len(before))}|"

"""Export-Csv and Import-Csv. What a spreadsheet would run as a formula is written as text, and read back as it was.

A ' goes in front of text that begins like a formula, and of text that begins like one written so; reading takes one
such ' away again.
"""

from __future__ import annotations

import csv
import itertools
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any, Final

from lmfunction._jsonable import members_of
from lmfunction._outputs import Options, Writing, check_file, line_of, path_of
from lmfunction._pipeline import Flow
from lmfunction.errors import ParameterError

# What a spreadsheet takes for the begin of a formula, also in full width (OWASP, CSV Injection).
_FORMULA: Final = r"[=+\-@\t\r\n＝＋－＠]"
_TO_MARK: Final = re.compile(rf"'*{_FORMULA}")
_MARKED: Final = re.compile(rf"'+{_FORMULA}")


def check_delimiter(options: Options) -> str:
    """The character between cells. Raises ParameterError when it is none."""
    delimiter: str = options.get("delimiter", ",")
    delimiter = {"\\t": "\t", "`t": "\t"}.get(delimiter, delimiter)
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise ParameterError("Delimiter must be one character.", parameter="Delimiter")
    return delimiter


def check_export(options: Options) -> None:
    """Refuses a delimiter that is none, and a file that cannot be written. Raises ParameterError."""
    check_delimiter(options)
    check_file(options)


def export_csv(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Export-Csv: a column for every member that an object has, in the order in which they first appear."""
    delimiter = check_delimiter(options)
    rows = [members_of(value) for value in objects]
    flow.many = False
    columns: list[str] = list(dict.fromkeys(name for row in rows for name in row))
    existing = _columns_of(path_of(options), delimiter) if options.get("append") else None
    if existing is not None:
        strange = next((name for name in columns if name not in existing), None)
        if strange is not None:
            raise ParameterError(
                f"Export-Csv: an object has '{strange}', which is no column of {path_of(options)}: select the members "
                "first.",
                parameter="Append",
            )
        columns = existing
    with Writing(options) as file:
        writers = [csv.writer(file, delimiter=delimiter, lineterminator="\n", quoting=q) for q in _QUOTING]
        header: list[list[Any]] = [columns] if existing is None and columns else []
        for cells in itertools.chain(header, ([row.get(name) for name in columns] for row in rows)):
            texts = [safe_cell(cell) for cell in cells]
            # Python 3.11 and 3.12 write a lone CR without quotes and cannot read it back.
            writers[any("\r" in text for text in texts)].writerow(texts)
    return iter(())


_QUOTING: Final = (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)


def import_csv(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Import-Csv: a mapping of text for each row, a row at a time."""
    path = path_of(options)
    flow.many = True
    # A cell can hold a whole payload; the module's own limit of 128 KiB is the process's, and is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), min(sys.maxsize, 2**31 - 1)))
    line = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=check_delimiter(options))
            header = options.get("header") or [plain_cell(name) for name in next(reader, [])]
            _check_header(header, path)
            for cells in reader:
                line = reader.line_num
                if cells:
                    yield _row(header, cells, path, line)
    except OSError as error:
        raise ParameterError(f"Import-Csv: {path} cannot be read: {error.strerror}.", parameter="Path") from None
    except UnicodeDecodeError:
        raise ParameterError(f"Import-Csv: {path} is not UTF-8 after line {line}.", parameter="Path") from None
    except csv.Error as error:
        raise ParameterError(f"Import-Csv: {path}, after line {line}: {error}.", parameter="Path") from None


def safe_cell(value: Any) -> str:
    """A cell's text; text that a spreadsheet would run as a formula gets a ' in front, numbers stay."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = line_of(value)
    return f"'{text}" if _TO_MARK.match(text) else text


def plain_cell(text: str) -> str:
    """The text that `safe_cell` made a cell of."""
    return text[1:] if _MARKED.match(text) else text


def _columns_of(path: pathlib.Path, delimiter: str) -> list[str] | None:
    """The columns of a file that has some."""
    if not path.exists() or not path.stat().st_size:
        return None
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [plain_cell(name) for name in next(csv.reader(file, delimiter=delimiter), [])]


def _check_header(header: list[str], path: pathlib.Path) -> None:
    folded = [name.casefold() for name in header]
    twice = next((name for name in header if folded.count(name.casefold()) > 1), None)
    if twice is not None:
        raise ParameterError(f"Import-Csv: {path}: the column '{twice}' stands twice in the header.", parameter="Path")


def _row(header: list[str], cells: list[str], path: pathlib.Path, line: int) -> dict[str, str]:
    if len(cells) > len(header):
        raise ParameterError(
            f"Import-Csv: {path}, line {line}: {len(cells)} cells for {len(header)} columns.", parameter="Path"
        )
    filled = [*map(plain_cell, cells), *([""] * (len(header) - len(cells)))]
    return dict(zip(header, filled, strict=True))

"""Verbs that write or show: tables, files, CSV, data frames."""

from __future__ import annotations

import csv
import io
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lmfunction._blocks import property_of
from lmfunction._jsonable import jsonable, members_of
from lmfunction._pipeline import Flow
from lmfunction._render.card import Card, Section, Tone
from lmfunction.errors import ParameterError

Options = Mapping[str, Any]
# What a spreadsheet takes for a formula when a cell begins with it.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Formatted:
    """A table or list to look at: the end of a pipeline. `rows` holds what it shows."""

    def __init__(self, rows: list[dict[str, Any]], title: str, *, as_list: bool = False) -> None:
        self.rows = rows
        self.title = title
        self.as_list = as_list

    def card(self) -> Card:
        """The card that notebooks and terminals show."""
        count = f"{len(self.rows):,} object{'' if len(self.rows) == 1 else 's'}"
        if self.as_list:
            sections = tuple(
                Section(f"{index}", [(k, _cell(v)) for k, v in row.items()], "pairs")
                for index, row in enumerate(self.rows, 1)
            )
        else:
            sections = (Section("Objects", self.rows, "table", more="the pipeline without its last stage"),)
        return Card(Tone.PLAIN, "LIST" if self.as_list else "TABLE", self.title, (count,), sections)

    def to_dict(self) -> list[Any]:
        """The rows as plain data."""
        return [jsonable(row) for row in self.rows]

    def __repr__(self) -> str:
        from lmfunction._render import render_text

        return render_text(self.card())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: f"<Formatted {len(self.rows)} objects>", include, exclude)


def format_table(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Format-Table."""
    yield _formatted(objects, flow, options, as_list=False)


def format_list(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Format-List."""
    yield _formatted(objects, flow, options, as_list=True)


def out_file(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Out-File: as the objects come, under a temporary name until all are written."""
    with _writing(options["file_path"], options) as file:
        for value in objects:
            file.write(f"{line_of(value)}\n")
    flow.many = False
    return iter(())


def tee_file(objects: Iterator[Any], path: str, *, append: bool) -> Iterator[Any]:
    """Lets the objects through, writing each to the file."""
    with pathlib.Path(path).expanduser().open("a" if append else "w", encoding="utf-8", newline="\n") as file:
        for value in objects:
            file.write(f"{line_of(value)}\n")
            yield value


def export_csv(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Export-Csv: columns of the first object; a later one's other members are an error, as a lost value would be."""
    delimiter = _delimiter(options)
    columns: list[str] | None = None
    path = pathlib.Path(options["path"]).expanduser()
    appended = bool(options.get("append")) and path.exists() and path.stat().st_size > 0
    if appended:
        with path.open(encoding="utf-8-sig", newline="") as existing:
            columns = next(csv.reader(existing, delimiter=delimiter), None)
    with _writing(options["path"], options) as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        for value in objects:
            row = members_of(value)
            if columns is None:
                columns = list(row)
                writer.writerow([safe_cell(name) for name in columns])
            strange = next((name for name in row if name not in columns), None)
            if strange is not None:
                raise ParameterError(
                    f"Export-Csv: an object has '{strange}', which is no column: select the members first."
                )
            writer.writerow([safe_cell(row.get(name)) for name in columns])
    flow.many = False
    return iter(())


def import_csv(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Import-Csv: a row at a time."""
    path = pathlib.Path(options["path"]).expanduser()
    try:
        file = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise ParameterError(f"Import-Csv: {path} cannot be read: {error.strerror}.", parameter="Path") from None
    flow.many = True
    with file:
        reader = csv.reader(file, delimiter=_delimiter(options))
        header = options.get("header") or next(reader, None) or []
        if len(set(header)) != len(header):
            raise ParameterError(f"Import-Csv: {path}: a column stands twice in the header.", parameter="Path")
        for cells in reader:
            if not cells:
                continue
            if len(cells) > len(header):
                raise ParameterError(
                    f"Import-Csv: {path}, line {reader.line_num}: {len(cells)} cells for {len(header)} columns.",
                    parameter="Path",
                )
            yield dict(zip(header, cells, strict=False))


def to_frame(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """ConvertTo-DataFrame."""
    rows = [_row(value, options.get("property")) for value in objects]
    flow.many = False
    for library in [options["library"]] if "library" in options else ["pandas", "polars"]:
        try:
            module = __import__(library)
        except ImportError:
            continue
        yield module.DataFrame(rows)
        return
    raise ParameterError("ConvertTo-DataFrame needs pandas or polars: pip install 'lmfunction[frame]'.")


def line_of(value: Any) -> str:
    """Text as it is, anything else as one line of JSON."""
    return value if isinstance(value, str) else json.dumps(jsonable(value), ensure_ascii=False)


def safe_cell(value: Any) -> str:
    """A cell's text; text that a spreadsheet would run as a formula gets a ' in front, numbers stay."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        return repr(value)
    text = line_of(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _formatted(objects: Iterator[Any], flow: Flow, options: Options, *, as_list: bool) -> Formatted:
    rows = [_row(value, options.get("property")) for value in objects]
    flow.many = False
    return Formatted(rows, options.get("title", ""), as_list=as_list)


def _row(value: Any, names: Any) -> dict[str, Any]:
    if not names:
        return members_of(value)
    return {str(name): property_of(value, name) if isinstance(name, str) else name(value) for name in names}


def _cell(value: Any) -> str:
    return "" if value is None else line_of(value)


def _delimiter(options: Options) -> str:
    delimiter: str = options.get("delimiter", ",")
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise ParameterError("Delimiter must be one character.", parameter="Delimiter")
    return delimiter


class _writing:  # noqa: N801 - used as a verb: with _writing(path, options)
    """A file that appears under its name when all is written, or not at all; appending writes to it directly."""

    def __init__(self, name: str, options: Options) -> None:
        self.path = pathlib.Path(name).expanduser()
        self.append = bool(options.get("append"))
        if options.get("no_clobber") and self.path.exists() and not self.append:
            raise ParameterError(f"{self.path} exists, and -NoClobber keeps it.", parameter="NoClobber")
        self.part = self.path if self.append else self.path.with_name(f".{self.path.name}.{os.getpid()}.part")

    def __enter__(self) -> io.TextIOWrapper:
        try:
            self.file = self.part.open("a" if self.append else "w", encoding="utf-8", newline="")
        except OSError as error:
            raise ParameterError(f"{self.path} cannot be written: {error.strerror}.", parameter="Path") from None
        return self.file

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.file.close()
        if self.append:
            return
        if kind is None:
            self.part.replace(self.path)
        else:
            self.part.unlink(missing_ok=True)

"""Verbs that show: tables, lists, data frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lmfunction._jsonable import jsonable, members_of
from lmfunction._outputs import line_of
from lmfunction._pipeline import Flow
from lmfunction._render.card import Card, Section, Tone
from lmfunction._selecting import picked
from lmfunction.errors import LMError

Options = Mapping[str, Any]


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
        kind = "LIST" if self.as_list else "TABLE"
        return Card(Tone.PLAIN, kind, self.title, (count,), sections, {"format": kind, "count": len(self.rows)})

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


def to_frame(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """ConvertTo-DataFrame."""
    rows = _rows(objects, options)
    flow.many = False
    for library in [options["library"]] if "library" in options else ["pandas", "polars"]:
        try:
            module = __import__(library)
        except ImportError:
            continue
        # polars would settle a column's type by its first rows, and fail at a later one.
        yield module.DataFrame(rows, **({"infer_schema_length": None} if library == "polars" else {}))
        return
    raise LMError("ConvertTo-DataFrame needs pandas or polars: pip install 'lmfunction[frame]'.")


def _formatted(objects: Iterator[Any], flow: Flow, options: Options, *, as_list: bool) -> Formatted:
    rows = _rows(objects, options)
    flow.many = False
    return Formatted(rows, options.get("title", ""), as_list=as_list)


def _rows(objects: Iterator[Any], options: Options) -> list[dict[str, Any]]:
    names = options.get("property")
    return [picked(value, names, []) if names else members_of(value) for value in objects]


def _cell(value: Any) -> str:
    return "" if value is None else line_of(value)

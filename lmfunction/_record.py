"""Records that an API returned: read-only mappings with attributes and cards, and lists of them shown as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from lmfunction._params import snake_case
from lmfunction._render.card import Card, Section, Tone
from lmfunction._text import did_you_mean, one_line

_MOST_COLUMNS: Final = 6
# What tells one record from another, best first: the ends of members' names.
_IDENTIFYING: Final = ("Name", "UUID", "Arn")


class Record(Mapping[str, Any]):
    """Members under the API's names: `record["Timeout"]`, `record.Timeout`, `record.timeout`.

    A structure inside it is a dict when it is looked up as an item, and a Record when it is as an attribute. `title`
    names the identifying member; unset it is the first that looks like one.
    """

    __slots__ = ("_members", "_title", "_type")

    def __init__(self, type_name: str, members: Mapping[str, Any], title: str | None = None) -> None:
        self._type = type_name
        self._members = dict(members)
        self._title = title or identifying(self._members)

    def __getitem__(self, name: str) -> Any:
        return self._members[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        for known, value in self._members.items():
            if name in (known, snake_case(known)):
                return Record(known, value) if isinstance(value, dict) else value
        raise AttributeError(f"{self._type} has no member {name!r}.{did_you_mean(name, self._members)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._members})

    def __getstate__(self) -> tuple[str, dict[str, Any], str]:
        return self._type, self._members, self._title

    def __setstate__(self, state: tuple[str, dict[str, Any], str]) -> None:
        self._type, self._members, self._title = state

    def __repr__(self) -> str:
        return one_line(f"<{self._type} {self.label}".rstrip(), 160) + ">"

    @property
    def label(self) -> str:
        """What identifies it: the value of its title, looked for one level down too."""
        if self._title in self._members:
            return str(self._members[self._title])
        for value in self._members.values():
            if isinstance(value, dict) and (title := identifying(value)) in value:
                return str(value[title])
        return ""

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of the members."""
        return dict(self._members)

    def card(self) -> Card:
        """The card: scalar members as pairs, the others as data."""
        pairs = [(k, _shown(v)) for k, v in self._members.items() if not isinstance(v, dict | list) and v not in _EMPTY]
        nested = {k: v for k, v in self._members.items() if isinstance(v, dict | list) and v}
        sections = [Section("Members", pairs, "pairs")] if pairs else []
        if nested:
            sections.append(Section("More", nested, "data", open=not pairs))
        return Card(Tone.PLAIN, self._type, self.label, sections=tuple(sections))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: repr(self), include, exclude)


class Records(list[Any]):
    """Records of one type: a list that shows itself as a table."""

    def __init__(self, type_name: str, records: Iterable[Any] = ()) -> None:
        super().__init__(records)
        self._type = type_name

    def __repr__(self) -> str:
        return one_line(f"<{len(self)} {self._type}: {', '.join(map(_label, self[:5]))}", 160) + ">"

    def pipeline_objects(self) -> Iterator[Any]:
        """The records one by one, for a pipeline and for a program that reads lines."""
        return iter(self)

    def to_dict(self) -> list[Any]:
        """The records as plain dicts."""
        return [record.to_dict() if isinstance(record, Record) else record for record in self]

    def __reduce__(self) -> Any:
        return Records, (self._type, list(self))

    def card(self) -> Card:
        """The card: a table whose first column identifies the records."""
        columns = _columns(self)
        rows = [
            {name: _shown(record.get(name, "")) for name in columns}
            if isinstance(record, Mapping)
            else {self._type: _shown(record)}
            for record in self
        ]
        count = f"{len(self):,}"
        return Card(Tone.PLAIN, self._type, count, sections=(Section("Records", rows, "table"),) if rows else ())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: repr(self), include, exclude)


def recorded(type_name: str, value: Any) -> Any:
    """A mapping as a Record, a list of mappings as Records of `type_name`; anything else as it is."""
    if isinstance(value, Record | Records):
        return value
    if isinstance(value, dict):
        return Record(type_name, value)
    if isinstance(value, list):
        return Records(type_name, [recorded(type_name, item) for item in value])
    return value


def identifying(members: Mapping[str, Any]) -> str:
    """The member that tells one such record from another; empty when none looks like it."""
    for ending in _IDENTIFYING:
        for name, value in members.items():
            if name.endswith(ending) and isinstance(value, str) and value:
                return name
    return ""


_EMPTY: Final = (None, "")


def _columns(records: list[Any]) -> list[str]:
    """The members that a table shows: the identifying one, then others with scalar values, in the API's order."""
    mappings = [record for record in records if isinstance(record, Mapping)]
    if not mappings:
        return []
    names = dict.fromkeys(name for record in mappings for name in record)
    scalar = [n for n in names if not any(isinstance(r.get(n), dict | list) for r in mappings)]
    first = identifying(mappings[0])
    filled = [n for n in scalar if n != first and any(r.get(n) not in _EMPTY for r in mappings)]
    return [name for name in (first, *filled) if name][:_MOST_COLUMNS]


def _label(record: Any) -> str:
    return record.label if isinstance(record, Record) else str(record)


def _shown(value: Any) -> str:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)

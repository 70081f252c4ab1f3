"""Records that an API returned: read-only mappings with attributes and cards, and lists of them shown as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Self

from lmfunction._card_list import CardList
from lmfunction._params import snake_case
from lmfunction._redact import NONE, Redaction
from lmfunction._render.card import Card, Section, Tone
from lmfunction._render.walk import brief
from lmfunction._text import did_you_mean, one_line

_MOST_COLUMNS: Final = 6
# What a table of such records is looked at for; other types show what tells most, see `_columns`.
_COLUMNS: Final = {
    "FunctionConfiguration": (
        "FunctionName",
        "Runtime",
        "MemorySize",
        "Timeout",
        "CodeSize",
        "LastModified",
        "Version",
    ),
    "LMRun": (
        "Path",
        "Status",
        "Items",
        "OK",
        "ACCEPTED",
        "FUNCTION_ERROR",
        "REJECTED",
        "THROTTLED_OUT",
        "RESULT_LOST",
        "UNKNOWN",
        "NOT_SENT",
        "PENDING",
        "UNDER_WAY",
        "HANDED_OVER",
        "Owner",
        "LastOutcome",
    ),
    "AliasConfiguration": ("Name", "FunctionVersion", "Description"),
    "EventSourceMappingConfiguration": ("UUID", "State", "EventSourceArn", "FunctionArn", "BatchSize", "LastModified"),
}
_OPAQUE: Final = ("Arn", "Sha256", "RevisionId", "Role")  # long, and alike in all rows but for the name within
# What tells one record from another, best first: the ends of members' names.
_IDENTIFYING: Final = ("Name", "UUID", "Arn")


class Record(Mapping[str, Any]):
    """Members under the API's names: `record["Timeout"]`, `record.Timeout`, `record.timeout`.

    A structure inside it is a dict when it is looked up as an item, and a Record when it is as an attribute. `title`
    names the identifying member; unset it is the first that looks like one.
    """

    __slots__ = ("_members", "_redaction", "_title", "_type")

    def __init__(self, type_name: str, members: Mapping[str, Any], title: str | None = None) -> None:
        self._type = type_name
        self._members = dict(members)
        self._title = title or identifying(self._members)
        self._redaction = NONE

    def __getitem__(self, name: str) -> Any:
        return self._members[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        for known, value in self._members.items():
            if name in (known, snake_case(known)):
                return Record(known, value).hiding(self._redaction) if isinstance(value, dict) else value
        raise AttributeError(f"{self._type} has no member {name!r}.{did_you_mean(name, self._members)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._members})

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._members)

    def __getstate__(self) -> tuple[str, dict[str, Any], str]:
        return self._type, self._members, self._title

    def __setstate__(self, state: tuple[str, dict[str, Any], str]) -> None:
        self._type, self._members, self._title = state
        self._redaction = NONE

    def hiding(self, redaction: Redaction) -> Self:
        """The record itself, of which its card and its repr hide what `redaction` does."""
        self._redaction = redaction
        return self

    def __repr__(self) -> str:
        return one_line(self._redaction.text(f"<{self._type} {self.label}".rstrip()), 160) + ">"

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
        """The card: short members as pairs, each longer one in a part of its own."""
        redaction = self._redaction
        short, long = [], []
        for name, value in self._members.items():
            if value in _EMPTY or (isinstance(value, dict | list) and not value):
                continue
            if isinstance(value, dict | list) and len(brief(value, _INLINE + 1, redaction, (name,))) > _INLINE:
                long.append(_part(name, value))
            else:
                short.append((name, _shown(value)))
        sections = [Section("Members", short, "pairs")] if short else []
        summary = {"type": self._type, **({"name": self.label} if self.label else {})}
        return Card(
            Tone.PLAIN, self._type, self.label, sections=(*sections, *long), summary=summary, redaction=redaction
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: repr(self), include, exclude)


class Records(CardList[Any]):
    """Records of one type: a list that shows itself as a table."""

    def __init__(self, type_name: str, records: Iterable[Any] = ()) -> None:
        super().__init__(records)
        self._type = type_name
        self._redaction = NONE

    def in_one_line(self) -> str:
        """What they are, for where there is no room for the card."""
        names = ", ".join(map(_label, self[:5]))
        more = ", …" if len(self) > 5 else ""
        return one_line(self._redaction.text(f"<{len(self)} {self._type}: {names}{more}"), 160) + ">"

    def hiding(self, redaction: Redaction) -> Self:
        """The list itself, of which cards and reprs hide what `redaction` does."""
        self._redaction = redaction
        for record in self:
            if isinstance(record, Record):
                record.hiding(redaction)
        return self

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
        columns = _columns(self._type, self)
        rows = [
            {name: "" if record.get(name) is None else _shown(record[name]) for name in columns}
            if isinstance(record, Mapping)
            else {self._type: _shown(record)}
            for record in self
        ]
        count = f"{len(self):,} record{'' if len(self) == 1 else 's'}"
        return Card(
            Tone.PLAIN,
            self._type,
            count,
            sections=(Section("Records", rows, "table", more="the list itself: r[0], r.to_dict()"),) if rows else (),
            summary={"type": self._type, "count": len(self)},
            redaction=self._redaction,
        )


def recorded(type_name: str, value: Any) -> Any:
    """A mapping as a Record, a list of mappings as Records of `type_name`; anything else as it is."""
    if isinstance(value, Record | Records):
        return value
    if isinstance(value, dict):
        return Record(type_name, value)
    if isinstance(value, list):
        return Records(type_name, [recorded(type_name, item) for item in value])
    return value


def hiding(value: Any, redaction: Redaction) -> Any:
    """The value itself; records hide what `redaction` does."""
    return value.hiding(redaction) if isinstance(value, Record | Records) else value


def identifying(members: Mapping[str, Any]) -> str:
    """The member that tells one such record from another; empty when none looks like it."""
    for ending in _IDENTIFYING:
        for name, value in members.items():
            if isinstance(value, str) and value and isinstance(name, str) and name.endswith(ending):
                return name
    return ""


_EMPTY: Final = (None, "")
_INLINE: Final = 100  # characters of a nested member beside the others


def _part(name: str, value: Any) -> Section:
    """A long member as pairs, as a table or as a tree."""
    if isinstance(value, dict):
        return Section(name, [(key, _shown(item)) for key, item in value.items() if item not in _EMPTY], "pairs")
    return Section(name, value, "data", path=(name,))


def _columns(type_name: str, records: list[Any]) -> list[str]:
    """The members that a table shows: those known to matter, or the identifying one and others with short values."""
    mappings = [record for record in records if isinstance(record, Mapping)]
    if not mappings:
        return []
    if type_name in _COLUMNS:
        return [name for name in _COLUMNS[type_name] if any(r.get(name) not in _EMPTY for r in mappings)]
    names = dict.fromkeys(name for record in mappings for name in record)
    scalar = [n for n in names if not any(isinstance(r.get(n), dict | list) for r in mappings)]
    first = identifying(mappings[0])
    filled = [n for n in scalar if n != first and any(r.get(n) not in _EMPTY for r in mappings)]
    telling = sorted(filled, key=lambda name: bool(first) and name.endswith(_OPAQUE))
    return [name for name in (first, *telling) if name][:_MOST_COLUMNS]


def _label(record: Any) -> str:
    return record.label if isinstance(record, Record) else str(record)


def _shown(value: Any) -> Any:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value

"""A record that an API returned: a read-only mapping with attributes, a one-line repr and a card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lmfunction._render.card import Card, Section, Tone
from lmfunction._text import did_you_mean, one_line


class Record(Mapping[str, Any]):
    """Members under the API's names: `record["Timeout"]`, `record.Timeout`; `title` names the identifying one."""

    __slots__ = ("_members", "_title", "_type")

    def __init__(self, type_name: str, members: Mapping[str, Any], title: str) -> None:
        self._type = type_name
        self._members = dict(members)
        self._title = title

    def __getitem__(self, name: str) -> Any:
        return self._members[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._members:
            raise AttributeError(f"{self._type} has no member {name!r}.{did_you_mean(name, self._members)}")
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._members})

    def __repr__(self) -> str:
        return one_line(f"<{self._type} {self._members.get(self._title, '')}>", 160)

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of the members."""
        return dict(self._members)

    def card(self) -> Card:
        """The card: scalar members as pairs, the others as data."""
        pairs = [
            (k, str(v)) for k, v in self._members.items() if not isinstance(v, dict | list) and v not in (None, "")
        ]
        nested = {k: v for k, v in self._members.items() if isinstance(v, dict | list) and v}
        sections = [Section("Members", pairs, "pairs")]
        if nested:
            sections.append(Section("More", nested, "data", open=False))
        return Card(Tone.PLAIN, self._type, str(self._members.get(self._title, "")), sections=tuple(sections))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: repr(self), include, exclude)

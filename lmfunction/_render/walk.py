"""A lazy walk over JSON-like data: lines, and where a branch opens and closes.

The renderer stops asking when its room is used up, so a card costs what it shows and not what the payload
weighs: nothing is dumped first and cut afterwards.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple, cast

from lmfunction._redact import HIDDEN, NONE, Path, Redaction
from lmfunction._text import shorten

from .leaf import leaf

_KEY: Final = 120  # characters of a key
_UNNAMED: Final = object()  # the name of a member that has none
_FLAT_ITEMS: Final = 12  # a branch of this many leaves may go on one line ...
_FLAT_LEAF: Final = 60  # ... if none of its strings is longer than this


class Step(enum.Enum):
    """What an event is: a whole line, or the first or last line of a branch."""

    LINE = "line"
    OPEN = "open"
    CLOSE = "close"


class Event(NamedTuple):
    """One line of pretty-printed data at `depth`; `holds` and `size` say how much a branch holds."""

    step: Step
    depth: int
    key: str
    text: str
    holds: str = ""
    size: int = 0


@dataclass(frozen=True)
class Shape:
    """How much of the data is wanted: columns of one line, levels, members of one branch, characters of one leaf."""

    width: int = 100
    depth: int = 12
    items: int = 100
    leaf: int = 400


class Branch(NamedTuple):
    """A mapping or sequence, told apart once."""

    start: str
    end: str
    size: int
    members: Iterable[tuple[object, object]]

    @property
    def holds(self) -> str:
        """`3 keys`, `1 item`."""
        noun = "key" if self.start.endswith("{") and self.end == "}" else "item"
        return f"{self.size:,} {noun}{'' if self.size == 1 else 's'}"


def branch(value: object) -> Branch | None:
    """`value` as a branch, or None for a leaf."""
    kind = type(value)  # not isinstance: it would ask the object for its __class__, which is the object's own code
    try:
        if issubclass(kind, Mapping):
            assert isinstance(value, Mapping)
            return Branch("{", "}", len(value), _pairs(value))
        if issubclass(kind, list | tuple):
            assert isinstance(value, list | tuple)
            return Branch("[", "]", len(value), _unnamed(value))
        if issubclass(kind, set | frozenset):
            assert isinstance(value, set | frozenset)
            return Branch("<set [", "]>", len(value), _unnamed(value))
    except Exception:  # noqa: BLE001 - a mapping's own __len__ may fail; then it is shown as a leaf
        return None
    return None


def brief(value: object, limit: int, redaction: Redaction = NONE, path: Path = ()) -> str:
    """`value` on one line of about `limit` characters."""
    words = ""
    for event in Walk(Shape(width=limit, depth=3, items=20, leaf=limit), redaction, path).events(value):
        glued = not words or words.endswith(("{", "[")) or event.step is Step.CLOSE
        words += f"{'' if glued else ' '}{event.key}{event.text}"
        if len(words) > limit:
            return shorten(words, limit)
    return words


def hidden(value: object, redaction: Redaction, path: Path) -> bool:
    """Whether `value` is hidden whole, for its name or its place. What says nothing (null, false, "") is shown."""
    if not path or value is None or value is True or value is False:
        return False
    inner = branch(value)
    empty = inner.size == 0 if inner is not None else issubclass(type(value), str | bytes) and not value
    return not empty and redaction.hides(path)


class Walk:
    """One walk over one value. `cut` tells whether anything was left out, `shown` how many characters went by.

    `path` is where the value stands, for what `redaction` hides; with `each` where each of its items does.
    """

    def __init__(self, shape: Shape, redaction: Redaction = NONE, path: Path = (), *, each: bool = False) -> None:
        self.cut = False
        self.shown = 0
        self._shape = shape
        self._redaction = redaction
        self._root = path
        self._each = each
        self._above: set[int] = set()

    def events(self, value: object) -> Iterator[Event]:
        """The lines of `value`, first to last."""
        for event in self._value(value, self._root, 0, "", ""):
            self.shown += len(event.key) + len(event.text) + 1
            yield event

    def _value(self, value: object, path: Path, depth: int, key: str, comma: str) -> Iterator[Event]:
        found = branch(value)
        if (depth or not self._each) and hidden(value, self._redaction, path):
            yield Event(Step.LINE, depth, key, f'"{HIDDEN}"{comma}')
        elif found is None:
            yield Event(Step.LINE, depth, key, self._leaf(value) + comma)
        elif id(value) in self._above:
            yield Event(Step.LINE, depth, key, f"<cycle>{comma}")
        elif (flat := self._flat(found, path, depth, key)) is not None:
            yield Event(Step.LINE, depth, key, flat + comma)
        elif depth >= self._shape.depth:
            self.cut = True
            yield Event(Step.LINE, depth, key, f"{found.start}… {found.holds}{found.end}{comma}")
        else:
            self._above.add(id(value))
            yield from self._members(found, path, depth, key, comma)
            self._above.discard(id(value))

    def _members(self, found: Branch, path: Path, depth: int, key: str, comma: str) -> Iterator[Event]:
        yield Event(Step.OPEN, depth, key, found.start, found.holds, found.size)
        wanted = min(found.size, self._shape.items)
        for index, (name, member) in enumerate(islice(found.members, wanted)):
            below = self._below(path, depth, name, index)
            yield from self._value(member, below, depth + 1, self._key(name), "," if index < found.size - 1 else "")
        if found.size > wanted:
            self.cut = True
            rest = found._replace(size=found.size - wanted).holds.replace(" ", " more ", 1)
            yield Event(Step.LINE, depth + 1, "", f"… {rest}")
        yield Event(Step.CLOSE, depth, "", found.end + comma)

    def _below(self, path: Path, depth: int, name: object, index: int) -> Path:
        return path if self._each and depth == 0 else (*path, step(name, index))

    def _flat(self, found: Branch, path: Path, depth: int, key: str) -> str | None:
        """A small branch of leaves on one line, or None when it needs several."""
        if found.size > _FLAT_ITEMS:
            return None
        words = []
        for index, (name, member) in enumerate(islice(found.members, _FLAT_ITEMS)):
            if _length(member) > _FLAT_LEAF or _full(member):
                return None
            hides = hidden(member, self._redaction, self._below(path, depth, name, index))
            words.append(self._key(name) + (f'"{HIDDEN}"' if hides else self._leaf(member)))
        line = found.start + ", ".join(words) + found.end
        return line if 2 * depth + len(key) + len(line) + 1 <= self._shape.width else None

    def _leaf(self, value: object) -> str:
        inner = branch(value)
        if inner is not None:
            return inner.start + inner.end
        self.cut = self.cut or _length(value) > self._shape.leaf
        return leaf(value, self._shape.leaf, self._redaction)

    def _key(self, name: object) -> str:
        if name is _UNNAMED:
            return ""
        self.cut = self.cut or _length(name) > _KEY
        return f"{leaf(name, _KEY, self._redaction)}: "


def step(name: object, index: int = 0) -> str | int:
    """How a path tells a member: by its key (the beginning of a very long one), or by its place."""
    if name is _UNNAMED:
        return index
    return cast("str", name)[:_KEY] if issubclass(type(name), str) else leaf(name, _KEY)


def _length(value: object) -> int:
    """The length of text or bytes; 0 for anything else."""
    return len(cast("str", value)) if issubclass(type(value), str | bytes | bytearray) else 0


def _full(value: object) -> bool:
    inner = branch(value)
    return inner is not None and inner.size > 0


class _Again:
    """Members that can be walked twice: once to try one line, once for many."""

    def __init__(self, value: Iterable[object], named: bool) -> None:
        self._value = value
        self._named = named

    def __iter__(self) -> Iterator[tuple[object, object]]:
        try:
            yield from self._members()
        except Exception:  # noqa: BLE001 - a mapping may change or fail while it is walked: show what came
            yield _UNNAMED, Unreadable()

    def _members(self) -> Iterator[tuple[object, object]]:
        if self._named:
            assert isinstance(self._value, Mapping)
            return iter(self._value.items())
        return ((_UNNAMED, member) for member in self._value)


class Unreadable:
    """Stands where a container failed to give its members."""

    def __repr__(self) -> str:
        return "<the rest cannot be read>"


def _pairs(value: Mapping[object, object]) -> _Again:
    return _Again(value, named=True)


def _unnamed(value: Iterable[object]) -> _Again:
    return _Again(value, named=False)

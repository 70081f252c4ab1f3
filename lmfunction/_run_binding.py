"""What makes a run the run it is: its function, its place and its items, against which a resumed one is held."""

from __future__ import annotations

import hashlib
import json
import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from lmfunction._journal_file import Database
from lmfunction._ledger import Entry
from lmfunction._text import one_line, shorten, visible
from lmfunction.errors import JournalError

_TOLD: Final = {
    "function": "the function",
    "qualifier": "the qualifier",
    "account": "the account",
    "region": "the region",
    "endpoint": "the endpoint",
    "invocation_type": "the invocation type",
    "delivery": "the delivery",
    "item_key": "the item key",
}
_SHOWN: Final = 5


@dataclass(frozen=True)
class Binding:
    """What all items of a run have in common; None where each item says it, or nobody knows (the account).

    `settings` are the parameters of the line, by name, with which the run can be resumed: none of them is a secret.
    `run_id` is that of the journal it was read from.
    """

    function: str | None = None
    qualifier: str | None = None
    account: str | None = None
    region: str | None = None
    endpoint: str | None = None
    invocation_type: str | None = None
    delivery: str = "AtMostOnce"
    item_key: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = field(default="", compare=False)

    def differing(self, other: Binding) -> list[str]:
        """What differs in `other`, for people; an account counts where both are known."""
        return [
            f"{told} (the run has {_brief(mine)}, the line {_brief(theirs)})"
            for name, told in _TOLD.items()
            if (mine := getattr(self, name)) != (theirs := getattr(other, name))
            and not (name == "account" and None in (mine, theirs))
        ]

    def write(self, database: Database, tool: str, created: float) -> str:
        """Writes the row of `run`, begun with `tool`, and gives the run's id."""
        run_id = uuid.uuid4().hex
        values = (run_id, created, tool, *(getattr(self, name) for name in _TOLD), _json(self.settings))
        marks = ", ".join("?" * (len(values) + 2))
        database.execute(f"INSERT INTO run VALUES ({marks})", (1, *values, _sum(values)))  # noqa: S608
        return run_id


def read_binding(database: Database) -> Binding:
    """The binding of a journal. Raises ValueError when it is not what was written."""
    _, *values, kept = database.execute("SELECT * FROM run").fetchone() or (None, None)
    if kept is None or kept != _sum(tuple(values)):
        raise ValueError("what the run is bound to is not what was written")
    names = [found.name for found in fields(Binding)]
    run_id, _, _, *bound, settings = values
    return Binding(**dict(zip(names, [*bound, json.loads(settings), run_id], strict=True)))


class Digest:
    """A digest that grows with each item of a source: of keys, payloads and calls, in their order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.count = 0

    def add(self, entry: Entry) -> None:
        """Takes in the next item."""
        self._hash.update(f"{entry.key}\0{entry.call}\0".encode("utf-8", "surrogatepass") + entry.payload_sha256)
        self.count += 1

    def value(self) -> bytes:
        """The digest so far."""
        return self._hash.digest()


@dataclass
class Changes:
    """What differs between the items of a run and those of the source that it is resumed with: the first five."""

    found: list[str] = field(default_factory=list)
    count: int = 0

    def compare(self, stored: Entry, given: Entry) -> None:
        """Takes note when the two are not the same item."""
        if stored.key != given.key:
            self._note(given.seq, f"its key is {_brief(given.key)}, the run has {_brief(stored.key)}")
        elif stored.payload_sha256 != given.payload_sha256:
            digests = f"{stored.payload_sha256.hex()[:8]}… in the run, {given.payload_sha256.hex()[:8]}… now"
            self._note(given.seq, f"{_named(given)}another payload (SHA-256 {digests})")
        elif stored.call != given.call:
            self._note(given.seq, f"{_named(given)}other parameters")

    def missing(self, first: int, count: int) -> None:
        """Takes note that the source ends before `count` items of the run, from place `first`."""
        self._note(first, f"the source ends there, and the run has {count:,} more")

    def surplus(self, first: int) -> None:
        """Takes note that the source goes on where the run's ended."""
        self._note(first, "the run has none there, the source goes on")

    def refuse(self, path: str) -> None:
        """Raises JournalError when anything was noted."""
        if not self.count:
            return
        shown = "\n".join(f"  {line}" for line in self.found)
        more = f"\n  and {self.count - len(self.found):,} more" if self.count > len(self.found) else ""
        raise JournalError(
            "The source is not the one that the run was begun with, so that nothing was sent:\n"
            f"{shown}{more}\n  Give the same objects in the same order, or take another -Journal for these.\n"
            f"  {one_line(path, 300)}"
        )

    def _note(self, seq: int, what: str) -> None:
        self.count += 1
        if len(self.found) < _SHOWN:
            self.found.append(f"item {seq + 1}: {what}")


def refuse_other_run(stored: Binding, given: Binding, path: str) -> None:
    """Raises JournalError when `given` is not what the run was begun with."""
    if differing := stored.differing(given):
        raise JournalError(
            f"The journal is of another run, and nothing was sent: {', '.join(differing)} differ"
            f"{'s' if len(differing) == 1 else ''}. Resume with what it was begun with, or take another -Journal.\n"
            f"  {one_line(path, 300)}"
        )


def repeated(pairs: Sequence[tuple[str, int, int]]) -> str:
    """Which keys stand for several objects, the first five of them, for people."""
    count = len(pairs)
    shown = "\n".join(f"  {_brief(key)}: items {one + 1} and {other + 1}" for key, one, other in pairs[:_SHOWN])
    more = f"\n  and {count - _SHOWN:,} more" if count > _SHOWN else ""
    return (
        f"ItemKey: {count:,} key{' is' if count == 1 else 's are'} there more than once, so that nothing tells their "
        f"items apart:\n{shown}{more}"
    )


def refuse_duplicates(pairs: Sequence[tuple[str, int, int]], path: str) -> JournalError:
    """The error for keys that stand for several items: `pairs` holds each with the places of two items."""
    return JournalError(f"{repeated(pairs)}\n  {one_line(path, 300)}")


def _named(entry: Entry) -> str:
    return "" if entry.key == str(entry.seq) else f"key {_brief(entry.key)}, "


def _brief(value: Any) -> str:
    return "none" if value is None else visible(shorten(str(value), 100), one_line=True)


def _json(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


def _sum(values: Sequence[Any]) -> int:
    return zlib.crc32(repr(tuple(values)).encode("utf-8", "surrogatepass"))

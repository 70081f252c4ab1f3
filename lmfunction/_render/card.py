"""A card: what a result, an error or a plan shows, as plain values. Each medium has one renderer for it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from lmfunction._redact import NONE, Path, Redaction

Kind: TypeAlias = Literal["text", "data", "table", "log", "trace", "pairs"]


class Tone(enum.Enum):
    """What the badge means; the badge word says the same, so colour is never the only sign."""

    OK = "ok"
    FAILED = "failed"
    WARNING = "warning"
    INFO = "info"
    DRYRUN = "dryrun"
    PLAIN = "plain"


@dataclass(frozen=True)
class Bar:
    """A table cell that is a bar: `share` (0 to 1) of the longest one."""

    share: float


@dataclass(frozen=True)
class Section:
    """One titled part of a card.

    `body` is a str for `text`, `log` and `trace` (a stack trace), anything JSON-like for `data`, rows (mappings) for
    `table` and `(label, value)` tuples for `pairs`. A body that does not fit its kind is shown as data. `path` is where
    it stands in what a redaction's paths speak of: `("Payload",)`; with `each` that is where each of its items does.
    """

    title: str
    body: object
    kind: Kind = "text"
    open: bool = True
    more: str = ""  # how to get the rest when it is cut: "r.payload, r.save('x.json')"
    size: int | None = None  # bytes of the whole, when the caller knows: data is never dumped just to measure it
    path: Path = ()
    each: bool = False


@dataclass(frozen=True)
class Card:
    """A header line (badge, title, facts) above sections; `summary` goes into the notebook's output metadata.

    Whatever is drawn of it, in any medium, passes through `redaction` first.
    """

    tone: Tone
    status: str
    title: str
    facts: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    summary: Mapping[str, object] | None = None
    redaction: Redaction = field(default=NONE, repr=False)  # it knows secrets by heart

"""What the journal writes in one transaction: of what was handed over, the rows and what the file tells then."""

from __future__ import annotations

import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lmfunction import _journal_rows as rows
from lmfunction._journal_file import Database
from lmfunction._journal_rows import Totals
from lmfunction._ledger import Committed, Entry, Settlement
from lmfunction._run_binding import Digest


@dataclass(frozen=True)
class Work:
    """Something handed over: rows to add, or a question that is answered from within the journal's thread."""

    items: Sequence[Entry] = ()
    intents: Sequence[Entry] = ()
    committed: Committed | None = None
    settled: Sequence[Settlement] = ()
    ended: Digest | None = None
    ask: Callable[[Database], None] | None = None

    @property
    def count(self) -> int:
        """How many rows it adds."""
        return len(self.items) + len(self.intents) + len(self.settled)


class Written:
    """Which items are in the file: all before a place, and some ahead of it."""

    def __init__(self, before: int) -> None:
        self._before = before
        self._ahead: set[int] = set()

    def holds(self, seq: int) -> bool:
        """Whether item `seq` is in."""
        return seq < self._before or seq in self._ahead

    def add(self, seqs: set[int]) -> None:
        """Takes in what was written."""
        self._ahead |= seqs
        while self._before in self._ahead:
            self._ahead.remove(self._before)
            self._before += 1


class Tries:
    """How often each item was intended that has not ended; `before` tells it of the items that were there before."""

    def __init__(self, before: array.array[int]) -> None:
        self._before = before
        self._since: dict[int, int] = {}

    def of(self, seq: int) -> int:
        """How often item `seq` was intended."""
        return self._before[seq] if seq < len(self._before) else self._since.get(seq, 0)

    def update(self, changed: Mapping[int, int]) -> None:
        """Takes in what is otherwise now; 0 for an item that ended."""
        for seq, number in changed.items():
            if seq < len(self._before):
                self._before[seq] = number
            elif number:
                self._since[seq] = number
            else:
                self._since.pop(seq, None)


class Batch:
    """The rows of one transaction, which comes after `totals` and `tries`.

    `new` holds the items that it adds, `tried` how often items were intended where it changes that.
    """

    def __init__(self, totals: Totals, tries: Tries, written: Written, epoch: int, now: float, *, keyed: bool) -> None:
        self.items: list[tuple[Any, ...]] = []
        self.intents: list[tuple[Any, ...]] = []
        self.outcomes: list[tuple[Any, ...]] = []
        self.tried: dict[int, int] = {}
        self.new: set[int] = set()
        self._totals = totals
        self._tries = tries
        self._written = written
        self._epoch = epoch
        self._now = now
        self._keyed = keyed
        self._settled: list[tuple[int, Settlement]] = []
        self._digest: Digest | None = None

    def add(self, work: Work) -> None:
        """Takes in what was handed over, in its order."""
        self._add_items(work.items)
        self._add_items(work.intents)
        tried, tries, now, epoch = self.tried, self._tries, self._now, self._epoch
        for entry in work.intents:
            seq = entry.seq
            number = tried[seq] = (tried[seq] if seq in tried else tries.of(seq)) + 1
            self.intents.append(rows.intent_row(rows.place_of(seq, number), epoch, now))
        for settled in work.settled:
            seq = settled.seq
            number = tried[seq] if seq in tried else tries.of(seq)
            if settled.final:
                tried[seq] = 0
            place = rows.place_of(seq, number)
            self._settled.append((place, settled))
            self.outcomes.append(rows.outcome_row(place, epoch, now, settled))
        self._digest = work.ended or self._digest

    def totals(self) -> Totals:
        """What the lease's row says once the rows are in."""
        before, digest = self._totals, self._digest
        return replace(
            before,
            commits=before.commits + 1,
            items=before.items + len(self.items),
            intents=before.intents + len(self.intents),
            outcomes=before.outcomes + len(self.outcomes),
            source_digest=before.source_digest if digest is None else digest.value(),
            source_count=before.source_count if digest is None else digest.count,
        )

    def late(self) -> list[tuple[Any, ...]]:
        """The rows for what became of calls that were sent before another process took over."""
        return [
            (place, self._epoch, self._now, settled.outcome, settled.request_id, settled.body)
            for place, settled in self._settled
        ]

    def duplicates(self, database: Database) -> list[tuple[str, int, int]]:
        """The keys of this batch that stand for two items, each with their places."""
        found = []
        seen: dict[str, int] = {}
        for seq, key, *_ in self.items:
            if key is None:
                continue
            stored = database.execute("SELECT seq FROM item WHERE key = ?", (key,)).fetchone()
            if stored is not None or key in seen:
                found.append((key, stored[0] if stored is not None else seen[key], seq))
            seen.setdefault(key, seq)
        return found

    def _add_items(self, entries: Sequence[Entry]) -> None:
        """The items' rows, but of those written already: they come in order, but for those that are sent at once."""
        new, written, keyed = self.new, self._written, self._keyed
        for entry in entries:
            seq = entry.seq
            if seq not in new and not written.holds(seq):
                new.add(seq)
                self.items.append(rows.item_row(entry, keyed=keyed))

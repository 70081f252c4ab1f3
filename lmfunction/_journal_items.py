"""The items of a run whose results its journal keeps, so that memory follows the calls under way and not their number.

In memory stay five bytes an item, its outcome and its latency, and of what ended without an answer the first thousand
errors as they were; the others are what the journal tells of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from lmfunction._item import Item
from lmfunction._kept_run import PAGE, KeptRun
from lmfunction._ledger import HANDED_OVER, Entry, Settlement
from lmfunction._model import Outcome
from lmfunction._run_items import Kept
from lmfunction._spilled_items import CODES, OPEN, SpilledItems
from lmfunction.errors import JournalError

_CODES: Final = {**CODES, HANDED_OVER: CODES[Outcome.UNKNOWN]}
_WHOLE: Final = 1000  # errors that stay in memory


class JournalItems(SpilledItems):
    """The items of `kept`, made again from the journal by `make` when they are looked at."""

    def __init__(
        self,
        kept: KeptRun,
        make: Callable[[Entry, Settlement | None], Item],
    ) -> None:
        super().__init__(kept.states.coded(lambda state: OPEN if state in kept.sendable else _CODES.get(state, OPEN)))
        self._kept = kept
        self._make = make
        self._unanswered: list[int] = []
        self._page: tuple[int, list[Item]] = (0, [])

    def claim(self, kept: Kept) -> Item:
        """The item of an object that is about to be sent."""
        seq = kept.entry.seq
        item = Item(seq, kept)
        if seq == len(self._codes):
            self.append(item)
        self._live[seq] = item
        return item

    def ended(self, item: Item) -> None:
        """Takes note that an item ended. One that is in the journal is let go of, but for the first errors."""
        index = item.index
        self._codes[index] = _CODES[item.outcome.value]
        if item.result is not None:
            self.latencies[index] = item.result.elapsed_ms
            self._live.pop(index, None)
            if self._page[0] <= index < self._page[0] + PAGE:
                self._page = (0, [])
        else:
            self._unanswered.append(index)
            if len(self._unanswered) >= 2 * _WHOLE:
                self._let_go()

    def _let_go(self) -> None:
        """Lets go of errors that the journal tells too: not of those of calls that were never to be written down."""
        told = self._unanswered[_WHOLE:]
        del self._unanswered[_WHOLE:]
        with contextlib.suppress(JournalError):  # the run ends with it; they stay
            for seq, outcome in self._kept.journal.outcomes_of(told).items():
                if _CODES.get(outcome) == self._codes[seq]:
                    del self._live[seq]
                    self._page = (0, [])

    def _stored(self, at: int) -> Item:
        first, page = self._page
        if not first <= at < first + len(page):
            first = at - at % PAGE
            page = [
                self._make(entry, None if self._codes[entry.seq] == OPEN else settled)
                for entry, settled in self._kept.journal.recall(first, min(first + PAGE, len(self)))
            ]
            self._page = (first, page)
        return page[at - first]

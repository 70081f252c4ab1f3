"""The items of a run whose results its journal keeps, so that memory follows the calls under way and not their number.

In memory stay five bytes an item, its outcome and its latency, and of what ended without an answer the first thousand
errors as they were; the others are what the journal tells of them.
"""

from __future__ import annotations

import array
import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final, overload

from lmfunction._item import Item
from lmfunction._kept_run import PAGE, KeptRun
from lmfunction._ledger import HANDED_OVER, Entry, Settlement
from lmfunction._model import Outcome
from lmfunction._run_items import Kept
from lmfunction.errors import JournalError, LMError

_OUTCOMES: Final = tuple(Outcome)
_CODES: Final = {outcome.value: code for code, outcome in enumerate(_OUTCOMES)}
_CODES[HANDED_OVER] = _CODES[Outcome.UNKNOWN]
_OPEN: Final = 255
_NONE: Final = float("nan")
_WHOLE: Final = 1000  # errors that stay in memory


class JournalItems(Sequence[Item]):
    """The items of `kept`, made again from the journal by `make` when they are looked at.

    `latencies` holds the elapsed ms of each that ended in this process, NaN for the others.
    """

    failed: LMError | None = None  # the journal tells itself

    def __init__(
        self,
        kept: KeptRun,
        make: Callable[[Entry, Settlement | None], Item],
    ) -> None:
        self._kept = kept
        self._make = make
        self._live: dict[int, Item] = {}
        self._unanswered: list[int] = []
        self._codes = kept.states.coded(lambda state: _OPEN if state in kept.sendable else _CODES.get(state, _OPEN))
        self._latencies = array.array("f", [_NONE]) * len(self._codes)
        self.latencies: Sequence[float] = self._latencies
        self._page: tuple[int, list[Item]] = (0, [])

    def append(self, item: Item) -> None:
        """Adds the next item, which is about to be sent."""
        self._codes.append(_OPEN)
        self._latencies.append(_NONE)
        self._live[item.index] = item

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
            self._latencies[index] = item.result.elapsed_ms
            self._live.pop(index, None)
            if self._page[0] <= index < self._page[0] + PAGE:
                self._page = (0, [])
        else:
            self._unanswered.append(index)
            if len(self._unanswered) >= 2 * _WHOLE:
                self._let_go()

    def outcomes(self) -> list[tuple[Outcome, int]]:
        """How many items are in each outcome class; those under way count as not sent."""
        under_way = self._codes.count(_OPEN)
        counts = [(outcome, self._codes.count(code)) for code, outcome in enumerate(_OUTCOMES)]
        return [(o, n + (under_way if o is Outcome.NOT_SENT else 0)) for o, n in counts]

    def of(self, *outcomes: Outcome) -> Iterator[Item]:
        """The items in these outcome classes; the others are not read."""
        wanted = {_CODES[outcome.value] for outcome in outcomes}
        if Outcome.NOT_SENT in outcomes:
            wanted.add(_OPEN)
        return (self[index] for index, code in enumerate(self._codes) if code in wanted)

    def __len__(self) -> int:
        return len(self._codes)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError("there are not so many items")
        live = self._live.get(at)
        return live if live is not None else self._stored(at)

    def __reduce__(self) -> tuple[type[list[Item]], tuple[list[Item]]]:
        return (list, ([*self],))

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
                self._make(entry, None if self._codes[entry.seq] == _OPEN else settled)
                for entry, settled in self._kept.journal.recall(first, min(first + PAGE, len(self)))
            ]
            self._page = (first, page)
        return page[at - first]

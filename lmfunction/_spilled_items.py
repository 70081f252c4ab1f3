"""Items of a run whose results are kept elsewhere than in memory, where only those are that are under way."""

from __future__ import annotations

import abc
import array
from collections.abc import Iterator, Sequence
from typing import Final, overload

from lmfunction._item import Item
from lmfunction._model import Outcome
from lmfunction.errors import LMError

OPEN: Final = 255  # stands for the outcome of an item that has none yet
_OUTCOMES: Final = tuple(Outcome)
CODES: Final = {outcome.value: code for code, outcome in enumerate(_OUTCOMES)}


class SpilledItems(Sequence[Item]):
    """The items, of which five bytes each are in memory: the outcome (`codes`) and the latency.

    `latencies` holds the elapsed ms of each that was answered in this process, NaN for the others. `failed` tells why
    no more results can be kept.
    """

    failed: LMError | None = None

    def __init__(self, codes: bytearray) -> None:
        self._codes = codes
        self.latencies = array.array("f", [float("nan")]) * len(codes)
        self._live: dict[int, Item] = {}

    def append(self, item: Item) -> None:
        """Adds the next item, which is about to be sent."""
        self._codes.append(OPEN)
        self.latencies.append(float("nan"))
        self._live[item.index] = item

    @abc.abstractmethod
    def ended(self, item: Item) -> None:
        """Takes note that an item ended, and lets go of it where it can be read back."""

    @abc.abstractmethod
    def _stored(self, at: int) -> Item:
        """The item at a place, read back from where it is kept."""

    def outcomes(self) -> list[tuple[Outcome, int]]:
        """How many items are in each outcome class; those under way count as not sent."""
        under_way = self._codes.count(OPEN)
        counts = [(outcome, self._codes.count(code)) for code, outcome in enumerate(_OUTCOMES)]
        return [(o, n + (under_way if o is Outcome.NOT_SENT else 0)) for o, n in counts]

    def of(self, *outcomes: Outcome) -> Iterator[Item]:
        """The items in these outcome classes; the others are not read."""
        wanted = {CODES[outcome.value] for outcome in outcomes}
        if Outcome.NOT_SENT in outcomes:
            wanted.add(OPEN)
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

"""The results of several invocations, in the order of their input."""

from __future__ import annotations

import collections
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, overload

from lmfunction import _pipeline
from lmfunction._callables import is_function
from lmfunction._item import Item, ItemList
from lmfunction._model import InvokeResult, Outcome
from lmfunction._render.card import Card
from lmfunction._spilled_items import SpilledItems
from lmfunction._text import one_line
from lmfunction.errors import BulkError, LMError, LMWarning

_GOOD: Final = frozenset([Outcome.OK, Outcome.ACCEPTED])
_ANSWERED: Final = (*_GOOD, Outcome.FUNCTION_ERROR)
_BAD: Final = tuple(outcome for outcome in Outcome if outcome not in _GOOD)

Items = list[Item] | SpilledItems


class BulkResult(Sequence[Any]):
    """Several invocations: a sequence in input order, there before the first was sent and filled as answers come.

    `run[i]` is the InvokeResult of the i-th object, or its `Item` when there is no answer. `succeeded` holds results,
    `failed`, `unknown` and `not_sent` hold items, whose `input` and `error` tell more.
    """

    def __init__(self, retry: Callable[[list[Any]], BulkResult] | None = None, items: Any = None) -> None:
        self.items: Items = [] if items is None else items
        self.elapsed_ms = 0.0
        self.possible_duplicates = 0
        self.samples: list[tuple[float, int, int]] = []
        self._retry = retry

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        found = self.items[index]
        return [_shown(item) for item in found] if isinstance(found, list) else _shown(found)

    def __len__(self) -> int:
        return len(self.items)

    def ended(self, item: Item) -> None:
        """Takes note that an item has its result, or the error in place of one."""
        if not isinstance(self.items, list):
            self.items.ended(item)

    def of(self, *outcomes: Outcome) -> Iterator[Item]:
        """The items in these outcome classes."""
        if isinstance(self.items, list):
            return (item for item in self.items if item.outcome in outcomes)
        return self.items.of(*outcomes)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_retry": None}

    def __or__(self, other: Any) -> Any:
        if not isinstance(other, _pipeline.Stage) and not is_function(other):
            return NotImplemented
        if not self.ok:
            warnings.warn(self.left_out(), LMWarning, stacklevel=2)
        return _pipeline.run([self], _pipeline.as_stages(other), empty=[], many=True)

    @property
    def succeeded(self) -> list[InvokeResult]:
        """The results of the invocations that did not fail."""
        return [item.result for item in self.of(Outcome.OK, Outcome.ACCEPTED) if item.result is not None]

    @property
    def failed(self) -> ItemList:
        """The items whose function failed, or that AWS refused."""
        return self._listed(Outcome.FUNCTION_ERROR, Outcome.REJECTED, Outcome.THROTTLED_OUT, Outcome.RESULT_LOST)

    @property
    def unknown(self) -> ItemList:
        """The items of which nobody knows whether they ran."""
        return self._listed(Outcome.UNKNOWN)

    @property
    def not_sent(self) -> ItemList:
        """The items that provably did not leave."""
        return self._listed(Outcome.NOT_SENT)

    def _listed(self, *outcomes: Outcome) -> ItemList:
        answered = next((item.result for item in self.of(*_ANSWERED) if item.result is not None), None)
        return ItemList(self.of(*outcomes), None if answered is None else answered.redaction)

    @property
    def payloads(self) -> list[Any]:
        """The decoded payloads of `succeeded`."""
        return [result.payload for result in self.succeeded]

    def selected(self) -> list[Any]:
        """What the line's -Select makes of each of `succeeded`. Raises BulkError when it cannot be applied to one."""
        try:
            return [item.select(item.result) for item in self.items if item.ok and item.result and item.select]
        except LMError as error:
            raise BulkError(f"{error}\n  The error's .result holds all answers.", result=self) from error

    @property
    def ok(self) -> bool:
        """Whether every invocation succeeded."""
        if isinstance(self.items, list):
            return all(item.ok for item in self.items)
        return all(outcome in _GOOD for outcome, count in self.outcomes() if count)

    def outcomes(self) -> list[tuple[Outcome, int]]:
        """How many items are in each outcome class."""
        if isinstance(self.items, list):
            return list(collections.Counter(item.outcome for item in self.items).items())
        return self.items.outcomes()

    def summary(self) -> dict[str, Any]:
        """How many objects ended in each outcome class, and the time of the run in ms."""
        counts = {outcome.value: count for outcome, count in self.outcomes() if count}
        repeated = {"PossibleDuplicates": self.possible_duplicates} if self.possible_duplicates else {}
        return {
            "Count": len(self.items),
            **dict(sorted(counts.items())),
            **repeated,
            "ElapsedMs": round(self.elapsed_ms, 1),
        }

    def raise_for_error(self) -> BulkResult:
        """The result itself; raises BulkError when an invocation did not succeed."""
        first = next(self.of(*_BAD), None)
        if first is None:
            return self
        raise BulkError(
            f"{self.shortfall()}. The first is object {first.index + 1}: {one_line(first.told(), 300)}",
            result=self,
        )

    def retry(self) -> BulkResult:
        """Invokes again what failed or was not sent, in the order of the input, and gives the new result.

        What is unknown is left alone, and so is a call whose answer was lost: it ran.
        """
        if self._retry is None:
            raise LMError("This result was loaded or made by hand: there is no session to send it again with.")
        again = (Outcome.FUNCTION_ERROR, Outcome.REJECTED, Outcome.THROTTLED_OUT, Outcome.NOT_SENT)
        return self._retry([item.input for item in self.of(*again)])

    def to_dict(self) -> list[Any]:
        """A plain list: each result as its `to_dict()`, an item without answer as its place, outcome and error."""
        return [item.result.to_dict() if item.result is not None else item.to_dict() for item in self.items]

    def to_frame(self) -> Any:
        """A pandas DataFrame, a row for each object. Raises LMError without `lmfunction[frame]`."""
        from lmfunction._frames import frame_of

        return frame_of(
            [
                {
                    "Index": item.index,
                    "Outcome": item.outcome.value,
                    "Payload": item.result.payload if item.result is not None else None,
                    "RequestId": item.result.request_id if item.result is not None else None,
                    "ElapsedMs": item.result.elapsed_ms if item.result is not None else None,
                    "Error": "" if item.ok else item.told(),
                }
                for item in self.items
            ]
        )

    def latencies(self) -> list[float]:
        """The caller's time of each call that was answered, in ms."""
        if not isinstance(self.items, list):
            return [latency for latency in self.items.latencies if math.isfinite(latency)]
        times = (item.result.elapsed_ms for item in self.items if item.result is not None)
        return [latency for latency in times if math.isfinite(latency)]

    def plot(self) -> Any:
        """A matplotlib figure: the latencies' histogram, and calls in flight and 429s over time.

        Needs `lmfunction[plot]`. Raises LMError without it, and where no call was answered.
        """
        from lmfunction._bulk_plot import figure_of

        return figure_of(self)

    def pipeline_objects(self) -> Iterator[InvokeResult]:
        """What flows on in a pipeline: the results that succeeded; a failed payload is never fed on."""
        return iter(self.succeeded)

    def shortfall(self) -> str:
        """How many invocations did not succeed, for people."""
        bad = sum(count for outcome, count in self.outcomes() if outcome in _BAD)
        return f"{bad:,} of {len(self.items):,} invocations did not succeed"

    def left_out(self) -> str:
        """What a pipe leaves out of this result, for people who write Python."""
        return (
            f"{self.shortfall()}; only what succeeded is passed on. "
            "Write .succeeded | ... when that is meant, or .raise_for_error() | ... when it is not."
        )

    def card(self) -> Card:
        """The card: failures by kind, outcomes, times, then the first payloads."""
        from lmfunction._bulk_card import bulk_card

        return bulk_card(self)

    def __repr__(self) -> str:
        counts = ", ".join(f"{k} {v}" for k, v in self.summary().items() if k != "ElapsedMs")
        return f"<BulkResult {counts}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: repr(self), include, exclude)


def _shown(item: Item) -> Any:
    return item.result if item.result is not None else item

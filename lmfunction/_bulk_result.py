"""The results of several invocations, in the order of their input."""

from __future__ import annotations

import collections
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, overload

from lmfunction import _pipeline
from lmfunction._callables import is_function
from lmfunction._model import InvokeResult, Outcome
from lmfunction._render.card import Card
from lmfunction._text import one_line
from lmfunction.errors import BulkError, LMError, LMWarning


@dataclass(slots=True)
class Item:
    """One input object: its place (from 0), and its result or the error that stands for one."""

    index: int
    input: Any = None
    result: InvokeResult | None = None
    error: LMError | None = None
    select: Callable[[InvokeResult], Any] | None = None  # what the line's -Select makes of the result

    @property
    def outcome(self) -> Outcome:
        """The outcome class; NOT_SENT until something else is known."""
        if self.result is not None:
            return self.result.outcome
        return Outcome(getattr(self.error, "outcome", Outcome.NOT_SENT))

    @property
    def ok(self) -> bool:
        """Whether it was invoked and did not fail."""
        return self.result is not None and self.result.ok

    def failure(self) -> LMError:
        """Why there is no good answer, as an error."""
        if self.result is None:
            return self.error or LMError("It was not sent.")
        try:
            self.result.raise_for_error()
        except LMError as error:
            return error
        raise ValueError("it did not fail")

    def to_dict(self) -> dict[str, Any]:
        """Place, outcome, input and what became of it, as plain data."""
        found = {"Index": self.index, "Outcome": self.outcome.value, "Input": self.input, "Error": self.told()}
        return found | ({"RequestId": self.request_id} if self.request_id else {})

    @property
    def request_id(self) -> str | None:
        """The request id AWS gave, when an answer was seen."""
        return self.result.request_id if self.result is not None else getattr(self.error, "request_id", None)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"select": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def told(self) -> str:
        """What became of it, for people."""
        if self.result is not None and self.result.error is not None:
            return str(self.result.error)
        return str(self.error).partition("\n")[0] if self.error is not None else "not sent"


_GOOD: Final = frozenset([Outcome.OK, Outcome.ACCEPTED])
_BAD: Final = tuple(outcome for outcome in Outcome if outcome not in _GOOD)


class SpilledItems(Protocol):
    """Items that are kept elsewhere than in memory."""

    latencies: Sequence[float]

    @property
    def failed(self) -> LMError | None: ...  # why no more of them can be kept
    def append(self, item: Item) -> None: ...
    def ended(self, item: Item) -> None: ...
    def outcomes(self) -> list[tuple[Outcome, int]]: ...
    def of(self, *outcomes: Outcome) -> Iterator[Item]: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Item]: ...
    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...


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
    def failed(self) -> list[Item]:
        """The items whose function failed, or that AWS refused."""
        failures = (Outcome.FUNCTION_ERROR, Outcome.REJECTED, Outcome.THROTTLED_OUT, Outcome.RESULT_LOST)
        return list(self.of(*failures))

    @property
    def unknown(self) -> list[Item]:
        """The items of which nobody knows whether they ran."""
        return list(self.of(Outcome.UNKNOWN))

    @property
    def not_sent(self) -> list[Item]:
        """The items that provably did not leave."""
        return list(self.of(Outcome.NOT_SENT))

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
        """A pandas DataFrame, a row for each object. Needs `lmfunction[frame]`."""
        import pandas as pd

        return pd.DataFrame(
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

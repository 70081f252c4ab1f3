"""One of several objects to invoke with, and what became of it; and lists of such."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lmfunction._card_list import CardList
from lmfunction._model import InvokeResult, Outcome
from lmfunction._redact import NONE, Redaction
from lmfunction._text import one_line
from lmfunction.errors import LMError

if TYPE_CHECKING:
    from lmfunction._render.card import Card


@dataclass(slots=True, repr=False)
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

    def shown(self) -> str:
        """What became of it, on one line, without what is hidden of its result."""
        if self.result is None:
            return self.told()
        if self.result.error is None:
            return repr(self.result)
        from lmfunction._cards import failure_told

        return " ".join(failure_told(self.result.error, self.result.redaction).split())

    def __repr__(self) -> str:
        redaction = self.result.redaction if self.result is not None else NONE
        return one_line(redaction.text(f"<Item {self.index} {self.outcome.value}: {self.shown()}"), 160) + ">"

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


class ItemList(CardList[Item]):
    """Items of a run that have something in common: a list that shows itself as a table.

    `redaction` is what the run's results hide; None where nobody knows, and no input is shown then.
    """

    def __init__(self, items: Iterable[Item] = (), redaction: Redaction | None = None) -> None:
        super().__init__(items)
        self.redaction = redaction

    def __reduce__(self) -> Any:
        return ItemList, (list(self), self.redaction and replace(self.redaction, secrets=()))

    def card(self) -> Card:
        """The card: a row for each, with what became of it."""
        from lmfunction._bulk_card import items_card

        return items_card(self)

    def in_one_line(self) -> str:
        """What they are, for where there is no room for the card."""
        counts = collections.Counter(item.outcome.value for item in self)
        return f"<{len(self):,} items{''.join(f', {name} {count:,}' for name, count in counts.items())}>"

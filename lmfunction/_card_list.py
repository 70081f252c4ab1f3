"""Lists that show themselves as a card, in notebook and terminal; inside another object one line is enough."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeVar

T = TypeVar("T")


class CardList(list[T], ABC):
    """A list with a `card()`, and a line that stands for it elsewhere."""

    @abstractmethod
    def card(self) -> Any:
        """The card."""

    @abstractmethod
    def in_one_line(self) -> str:
        """What stands for it where there is no room for the card."""

    def __repr__(self) -> str:
        # Here, not in a subclass: IPython looks for whichever of the two methods is nearer to the object's own class.
        return self.in_one_line()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # IPython has a printer for lists, which it asks before the bundle.
        outermost = len(getattr(printer, "stack", ())) <= 1
        printer.text(self._repr_mimebundle_({"text/plain"})[0]["text/plain"] if outermost else repr(self))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: repr(self), include, exclude)

"""Text that is shown while it comes. Who reads it adds to it; who shows it takes what is new, or draws its end anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lmfunction._progress import Progress
from lmfunction._text import visible

KEPT: Final = 20_000  # characters that a card shows; a notebook stores no more than these
EVERY: Final = 0.25  # seconds between two looks of a card


class LiveText:
    """Text that comes bit by bit; only its last characters are kept."""

    def __init__(self) -> None:
        self.length = 0
        self._new: list[str] = []
        self._end = ""

    def add(self, text: str) -> None:
        """More has come."""
        self.length += len(text)
        self._new.append(text)

    def take(self) -> str:
        """What has come since the last call."""
        text = "".join(self._new)
        self._new.clear()
        self._end = (self._end + text)[-KEPT:]
        return text

    @property
    def end(self) -> str:
        """The last characters of what was taken."""
        return self._end


class LiveLines:
    """Text that is written on as it comes, for a terminal. `put` writes; the last line is ended when the text is."""

    def __init__(self, text: LiveText, put: Callable[[str], None], hidden: Callable[[str], str]) -> None:
        self._text = text
        self._put = put
        self._hidden = hidden

    def draw(self, progress: Progress) -> None:
        """Writes what is new."""
        new = self._text.take()
        if progress.ended and self._text.length and not self._text.end.endswith("\n"):
            new += "\n"
        if new:
            self._put(visible(self._hidden(new)))


class LiveCard:
    """Text in one output of a notebook, which is drawn anew as it comes. `display` is IPython's."""

    def __init__(self, text: LiveText, display: Callable[..., Any], hidden: Callable[[str], str]) -> None:
        self._text = text
        self._display = display
        self._hidden = hidden
        self._handle: Any = None

    def draw(self, progress: Progress) -> None:
        """Shows the text's end when something is new."""
        if not self._text.take():
            return
        dropped = self._text.length - len(self._text.end)
        before = f"… {dropped:,} characters before\n" if dropped else ""
        data = {"text/plain": visible(before + self._hidden(self._text.end))}
        if self._handle is None:
            self._handle = self._display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)

"""A wait in a notebook: a card that changes while it lasts, and a quiet line once it is over.

What a notebook saves is the last state. A card that still counts seconds would be a lie there, an empty output a gap;
so the line says how long was waited, once for all waits of a cell, above the result's own card. Only where the kernel
died while it waited does the card stay, which is then the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lmfunction._progress import Progress
from lmfunction._render.card import Card, Tone
from lmfunction._text import duration

_BAR: Final = 20  # cells


class ProgressCard:
    """The waits of one notebook cell, in one output of it. `display` is IPython's."""

    def __init__(self, display: Callable[..., Any]) -> None:
        self._display = display
        self._handle: Any = None
        self._ended = 0
        self._seconds = 0.0

    def draw(self, progress: Progress) -> None:
        """Shows the wait as it stands."""
        if progress.ended:
            self._ended += 1
            self._seconds += progress.elapsed
            self._put({"text/plain": self._told(progress)}, {})
            return
        from lmfunction._render import mime_bundle

        self._put(*mime_bundle(lambda: progress_card(progress), lambda: progress.text))

    def forget(self) -> None:
        """The cell is over: the next wait gets an output of its own."""
        self._handle = None
        self._ended, self._seconds = 0, 0.0

    def _told(self, last: Progress) -> str:
        if self._ended == 1:
            return last.text
        return f"{last.text} ({self._ended:,} waits, {duration(self._seconds * 1000)})"

    def _put(self, data: dict[str, str], metadata: dict[str, object]) -> None:
        if self._handle is None:
            self._handle = self._display(data, raw=True, metadata=metadata, display_id=True)
        else:
            self._handle.update(data, raw=True, metadata=metadata)


def progress_card(progress: Progress) -> Card:
    """The card of a wait that goes on."""
    hint = (f"Stop {progress.on_stop}",) if progress.on_stop else ()
    facts = (*_bar(progress), *progress.facts, *hint)
    return Card(Tone.INFO, "RUNNING" if progress.counts else "WAITING", progress.title, facts)


def _bar(progress: Progress) -> tuple[str, ...]:
    counts = progress.counts
    if counts is None or not counts.total:
        return ()
    share = min(counts.done / counts.total, 1.0)
    full = int(share * _BAR)
    return (f"{'▰' * full}{'▱' * (_BAR - full)} {int(share * 100)} %",)

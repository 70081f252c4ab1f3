"""Who sees how a wait goes on in IPython: a card in a notebook, a terminal's line, lines in the log where nobody is."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from lmfunction._live_text import EVERY, LiveCard, LiveLines, LiveText
from lmfunction._progress import Progress, Viewer, Viewers
from lmfunction._progress_card import ProgressCard
from lmfunction._progress_lines import StatusLine, is_terminal, log_line


class ShellProgress:
    """The waits of one IPython shell. `display` is IPython's; `log_every` gives the seconds between a log's lines."""

    def __init__(self, shell: Any, display: Callable[..., Any], log_every: Callable[[], float]) -> None:
        self._shell = shell
        self._display = display
        self._card = ProgressCard(display)
        self._log_every = log_every
        self._status: StatusLine | None = None

    def viewers(self) -> Viewers:
        """Those who watch; nobody in another thread than the main one, whose output belongs to no cell.

        A notebook that is run unattended gets the card too, for whoever opens it while it runs or after it died.
        """
        if threading.current_thread() is not threading.main_thread():
            return ()
        every = self._log_every()
        lines = Viewer(_log, every, every)
        if not hasattr(self._shell, "kernel"):
            self._status = StatusLine(sys.stderr)
            return (Viewer(self._status.draw),) if is_terminal(sys.stderr) else (lines,)
        return (Viewer(self._card.draw),) if self._is_attended() else (Viewer(self._card.draw), lines)

    def live(self, text: LiveText, hidden: Callable[[str], str]) -> Viewers:
        """Those who see a streamed answer while it comes: an output of the notebook, or a terminal."""
        if threading.current_thread() is not threading.main_thread():
            return ()
        if hasattr(self._shell, "kernel"):
            return (Viewer(LiveCard(text, self._display, hidden).draw, after=0.0, every=EVERY),)
        if not is_terminal(sys.stdout):
            return ()
        return (Viewer(LiveLines(text, self._put, hidden).draw, after=0.0, every=0.0),)

    def _put(self, text: str) -> None:
        self.clear()
        sys.stdout.write(text)
        sys.stdout.flush()

    def clear(self) -> None:
        """Takes a terminal's line away, for what is written next."""
        if self._status is not None:
            self._status.clear()

    def forget(self) -> None:
        """The cell is over."""
        self._card.forget()

    def _is_attended(self) -> bool:
        """Whether the cell comes from a front end with somebody in front of it: those that run alone take no input."""
        request: Mapping[str, Any] = getattr(self._shell, "get_parent", dict)()
        return bool(request.get("content", {}).get("allow_stdin", True))


def _log(progress: Progress) -> None:
    print(log_line(progress), file=sys.stderr, flush=True)  # noqa: T201 - the notebook's message stream

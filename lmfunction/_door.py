"""What a door (notebook, terminal, Python) lends to a cmdlet: names to look up, somebody to ask, a place to show."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal

from lmfunction._live_text import LiveText
from lmfunction._progress import Viewers
from lmfunction._scope import Scope
from lmfunction.errors import LMError

Level = Literal["warning", "verbose", "error", "notice"]


def _nobody(*_: Any) -> Viewers:
    return ()


class Nothing(enum.Enum):
    """The type of `NOTHING`."""

    NOTHING = "nothing was emitted"


NOTHING = Nothing.NOTHING


def _ignore(*_: Any) -> None:
    return None


def what_if_set(environ: Mapping[str, Any]) -> bool:
    """Whether LMFUNCTION_WHAT_IF asks for every call to be shown and not sent. Any text but a plain no is a yes."""
    return str(environ.get("LMFUNCTION_WHAT_IF") or "").strip().casefold() not in ("", "0", "false", "no", "off")


@dataclass(frozen=True)
class Door:
    """One door's services.

    `tell` gets messages that are not results; `show` displays an object beside what is emitted; `ask` returns the
    answer to a question (empty when the input ends), or None when nobody can answer; `assign` sets a variable of the
    user (None: there are none).
    `show_error` displays an error that the line goes on after; a door without it tells the error's words.
    `ask_secret` asks as `ask` does, and shows nothing of what is typed. `lasts`: the process goes on after this line.
    `defaults` are what the door's own settings give to parameters.
    `progress` gives those who are shown how a wait goes on, in the thread that asks; `progress_action` says whether
    they are when the line does not.
    `live` gives those who see a streamed answer while it comes, from the text and what hides parts of it. `streams`:
    such an answer is handed out at once, and read by who gets it. `live_log`: what a handler of the embedded Lambda
    writes is shown in the same way.
    `around_a_job` is what a command that goes on in the background needs around it, begun while the line runs.
    `shows_failures` when a failed function's card is the door's business, so that the value need not show it again.
    """

    scope: Scope = field(default_factory=Scope)
    error_action: str = "Stop"
    tell: Callable[[Level, str], None] = _ignore
    show: Callable[[Any], None] = _ignore
    ask: Callable[[str], str | None] = _ignore
    assign: Callable[[str, Any], None] | None = None
    what_if: bool = False
    shows_failures: bool = True
    show_error: Callable[[LMError], None] | None = None
    ask_secret: Callable[[str], str | None] = _ignore
    lasts: bool = True
    defaults: Mapping[str, Any] = field(default_factory=dict)
    progress: Callable[[], Viewers] = tuple
    progress_action: str = "Continue"
    live: Callable[[LiveText, Callable[[str], str]], Viewers] = _nobody
    streams: bool = False
    live_log: bool = False
    around_a_job: Callable[[], AbstractContextManager[Any]] = contextlib.nullcontext

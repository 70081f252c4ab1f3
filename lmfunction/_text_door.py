"""A door whose output is text: a card for a person, one JSON line per object for a program, messages on stderr.

Exit codes are those of the AWS CLI: 252 for usage, 253 for configuration, 254 for a refusal, 255 for the rest.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TextIO

from lmfunction._door import NOTHING, Level
from lmfunction._live_text import LiveLines, LiveText
from lmfunction._model import InvokeResult
from lmfunction._pipeline import Objects
from lmfunction._progress import LOG_EVERY, Viewer, Viewers
from lmfunction._progress_lines import StatusLine, is_terminal, log_line
from lmfunction._redact import NONE, Redaction
from lmfunction._text import visible, visible_json
from lmfunction.errors import (
    BulkError,
    ExpectationError,
    FunctionError,
    InvocationInterrupted,
    LMError,
    ParameterError,
    ProfileError,
    ServiceError,
)

FUNCTION_FAILED: Final = 1
USAGE: Final = 252
CONFIGURATION: Final = 253
REFUSED: Final = 254
INCOMPLETE: Final = 255
INTERRUPTED: Final = 130


@dataclass
class TextDoor:
    """One command: its output streams, how many invocations were answered, and whether a function failed."""

    stdout: TextIO
    stderr: TextIO
    answered: int = dataclasses.field(default=0, init=False)
    failed: bool = dataclasses.field(default=False, init=False)
    hidden: Redaction = dataclasses.field(default=NONE, init=False)
    status: StatusLine | None = dataclasses.field(default=None, init=False, repr=False)

    @property
    def is_watched(self) -> bool:
        """Whether a person sees what is written to stdout."""
        return self.stdout.isatty()

    @property
    def screen(self) -> TextIO:
        """The stream whose width and colours a card on stdout gets."""
        return self.stdout

    @property
    def error_screen(self) -> TextIO:
        """The stream that a card on stderr is drawn for."""
        return self.stderr

    def viewers(self) -> Viewers:
        """Who sees how a wait goes on: a person a line in place, a log one every half minute."""
        if not is_terminal(self.error_screen):
            return (Viewer(lambda progress: self.say(log_line(progress)), LOG_EVERY, LOG_EVERY),)
        self.status = self.status or StatusLine(self.error_screen)
        return (Viewer(self.status.draw),)

    def live(self, text: LiveText, hidden: Callable[[str], str]) -> Viewers:
        """Who sees a streamed answer while it comes: a person, as it is written; a program gets it whole."""
        if not self.is_watched:
            return ()
        return (Viewer(LiveLines(text, self._put_live, hidden).draw, after=0.0, every=0.0),)

    def _put_live(self, text: str) -> None:
        self._clear_status()
        self.screen.write(text)  # past pipes that keep a line until it ends
        self.screen.flush()

    def guarded(self, action: Callable[[], int]) -> int:
        """The exit code that `action` gives, or that of its error, which is told in a few lines."""
        try:
            return action()
        except LMError as error:
            if isinstance(error, BulkError) and not self.is_watched:
                self.write_all(Objects(_emitted_before(error)))  # what ran is not run again to see it
            self.say(f"{type(error).__name__}: {error}")
            return code_of(error)
        except InvocationInterrupted as error:
            self.say(f"\n{error}")
            return INTERRUPTED
        except KeyboardInterrupt:
            self.say("\nStopped. " + ("Nothing is running." if self.answered else "Nothing was sent."))
            return INTERRUPTED

    def note(self, result: InvokeResult) -> None:
        """Takes note of an invocation's result, for the exit code."""
        self.answered += 1
        self.failed = self.failed or not result.ok
        self.hidden = self.hidden.and_also(result.redaction)

    def write_all(self, emitted: Any) -> int:
        """Writes what a command emitted and gives the exit code."""
        for one in objects_of(emitted, apart=not self.is_watched):
            self.write(as_text(one, self.screen, self.hidden) if self.is_watched else json_line(one, self.hidden))
        return self.outcome(emitted)

    def outcome(self, emitted: Any) -> int:
        """The exit code of a command that emitted this without an error."""
        whole = getattr(emitted, "ok", True) if _is_bulk(emitted) else True
        return FUNCTION_FAILED if self.failed or not whole else 0

    def show(self, shown: Any) -> None:
        """Something beside the results: help goes to stdout, which was asked for; a card to a person's stderr."""
        if isinstance(shown, str):
            self.write(shown)
        elif self.error_screen.isatty() or not (isinstance(shown, InvokeResult) or _is_bulk(shown)):
            self.say(as_text(shown, self.error_screen))

    def tell(self, level: Level, text: str) -> None:
        """A message."""
        self.say(text if level in ("error", "notice") else f"{level.upper()}: {text}")

    def write(self, text: str) -> None:
        """A line on stdout."""
        self.put(f"{text}\n")

    def put(self, text: str) -> None:
        """Text on stdout, as it is."""
        self._clear_status()
        self.stdout.write(text)
        self.stdout.flush()

    def say(self, text: str) -> None:
        """A line on stderr."""
        self._clear_status()
        self.stderr.write(f"{text}\n")
        self.stderr.flush()

    def _clear_status(self) -> None:
        if self.status is not None:
            self.status.clear()


def code_of(error: LMError) -> int:
    """The exit code that stands for `error`."""
    codes: dict[type[LMError], int] = {
        FunctionError: FUNCTION_FAILED,
        ExpectationError: FUNCTION_FAILED,
        ParameterError: USAGE,
        ProfileError: CONFIGURATION,
        ServiceError: REFUSED,
    }
    if isinstance(error, BulkError) and any(item.result is not None for item in getattr(error.result, "failed", ())):
        return FUNCTION_FAILED
    return next((code for kind, code in codes.items() if isinstance(error, kind)), INCOMPLETE)


def objects_of(emitted: Any, *, apart: bool) -> Iterator[Any]:
    """The objects that are written one by one. A bulk result is taken `apart` for a program; a person sees its card."""
    if emitted is NOTHING:
        return
    if isinstance(emitted, Objects):
        yield from emitted
    elif apart and _is_bulk(emitted):
        yield from emitted.to_dict()
    else:
        yield emitted


def _is_bulk(emitted: Any) -> bool:
    return callable(getattr(emitted, "pipeline_objects", None))


def _emitted_before(error: BulkError) -> Iterator[Any]:
    """What the objects gave that succeeded before a run of several stopped."""
    for item in getattr(error.result, "items", ()):
        if item.ok:
            yield item.select(item.result) if item.select is not None else item.result


def json_line(emitted: Any, hidden: Redaction = NONE) -> str:
    """One line of JSON for an emitted object: a result as `to_dict()`, bytes as base64 text.

    It is data for a program, so that of what is `hidden` only the secrets are that were looked up for the call: a
    function that gives them back must not write them into a build's log.
    """
    found = emitted.to_dict() if callable(getattr(emitted, "to_dict", None)) else emitted
    if hidden.secrets:
        found = hidden.only_secrets().value(found)
        if isinstance(found, dict) and "Log" in found and "LogResult" in found:
            found["LogResult"] = base64.b64encode(str(found["Log"]).encode()).decode()
    return visible_json(json.dumps(found, ensure_ascii=False, default=_plain))


def as_text(emitted: Any, stream: TextIO, hidden: Redaction = NONE) -> str:
    """An object for a person: its card (once), a JSON value indented, text with its control characters escaped."""
    from lmfunction._cards import card_of

    if isinstance(emitted, InvokeResult) and emitted.was_shown:
        return repr(emitted)
    from lmfunction._render import terminal_text

    card = card_of(emitted)
    if card is not None:
        return terminal_text(card, stream)
    if isinstance(emitted, str):
        return visible(hidden.text(emitted))
    return visible(json.dumps(hidden.value(emitted), ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)

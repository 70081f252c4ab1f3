"""The terminal's door: results on stdout (a card for a person, JSON lines for a program), everything else on stderr."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

from lmfunction._commands import run_arguments
from lmfunction._door import NOTHING, Door, Level
from lmfunction._help import overview
from lmfunction._model import InvokeResult
from lmfunction._pipeline import Objects
from lmfunction._session import default_session
from lmfunction._text import visible, visible_json
from lmfunction._values import Scope
from lmfunction.errors import (
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
class Terminal:
    """One run of the command: its streams and whether a function failed."""

    stdin: Any = field(default_factory=lambda: sys.stdin)
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    failed: bool = False

    def run(self, arguments: Sequence[str]) -> int:
        """Runs the command and gives its exit code; errors are a few lines on stderr, never a traceback."""
        try:
            return self._run(arguments)
        except LMError as error:
            self._say(f"{type(error).__name__}: {error}")
            return _code_of(error)
        except InvocationInterrupted as error:
            self._say(f"\n{error}")
            return INTERRUPTED
        except KeyboardInterrupt:
            self._say("\nStopped. Nothing was sent.")
            return INTERRUPTED

    def _run(self, arguments: Sequence[str]) -> int:
        if not arguments or arguments[0] in ("--help", "-h", "-?", "help"):
            self._print(overview())
            return 0
        if arguments[0] == "--version":
            from lmfunction import __version__

            self._print(f"lmfunction {__version__}\n")
            return 0
        if arguments[0] == "local":
            from lmfunction.local._command import run_local

            return run_local(arguments[1:])
        if arguments[0] == "aws":
            return self._run_aws(arguments[1:])
        emitted = run_arguments(arguments, default_session().engine, self._door(), self._note)
        for one in emitted if isinstance(emitted, Objects) else [emitted]:
            if one is not NOTHING:
                self._emit(one)
        return FUNCTION_FAILED if self.failed else 0

    def _door(self) -> Door:
        return Door(
            scope=Scope({}, environ=self.environ, stdin=self._read),
            tell=self._tell,
            show=self._show,
            ask=self._ask,
        )

    def _run_aws(self, words: Sequence[str]) -> int:
        from lmfunction._awscli import Screen, error_text, run_aws

        person = self.stdout.isatty()
        screen = Screen(
            write=self._print,
            write_bytes=None if person else self._print_bytes,
            color=person,
            width=_columns_of(self.stdout) if person else 80,
        )
        try:
            run_aws(words, default_session().engine, self._door(), screen)
        except LMError as error:
            self._say(error_text(error, words))
            return _code_of(error)
        return 0

    def _note(self, result: InvokeResult) -> None:
        self.failed = self.failed or not result.ok

    def _emit(self, emitted: Any) -> None:
        if self.stdout.isatty():
            self._print(_as_text(emitted, self.stdout) + "\n")
        else:
            self._print(json_line(emitted) + "\n")

    def _show(self, shown: Any) -> None:
        """Something beside the results: help goes to stdout, which was asked for; a card to a person's stderr."""
        if isinstance(shown, str):
            self._print(f"{shown}\n")
        elif self.stderr.isatty() or not isinstance(shown, InvokeResult):
            self._say(_as_text(shown, self.stderr))

    def _tell(self, level: Level, text: str) -> None:
        self._say(text if level == "error" else f"{level.upper()}: {text}")

    def _ask(self, question: str) -> str | None:
        if not (self.stdin.isatty() and self.stderr.isatty()):
            return None
        self.stderr.write(question)
        self.stderr.flush()
        answer: str = self.stdin.readline()
        return answer.rstrip("\n") if answer else None

    def _read(self, limit: int) -> bytes:
        content: bytes = self.stdin.buffer.read(limit)
        return content

    def _print(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _print_bytes(self, content: bytes) -> None:
        self.stdout.flush()
        stream = getattr(self.stdout, "buffer", None)
        if stream is None:  # a text stream over nothing, as a program that embeds the command may give
            self.stdout.write(content.decode("utf-8", "backslashreplace"))
        else:
            stream.write(content)
            stream.flush()

    def _say(self, text: str) -> None:
        self.stderr.write(f"{text}\n")
        self.stderr.flush()


def _columns_of(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def json_line(emitted: Any) -> str:
    """One line of JSON for an emitted object: a result as `to_dict()`, bytes as base64 text."""
    found = emitted.to_dict() if callable(getattr(emitted, "to_dict", None)) else emitted
    return visible_json(json.dumps(found, ensure_ascii=False, default=_plain))


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script. Gives the exit code."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Callable[..., None] | None = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        return Terminal().run(sys.argv[1:] if arguments is None else arguments)
    except BrokenPipeError:
        # The reader went away (`| head`). Python would complain again at exit when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INCOMPLETE


def _code_of(error: LMError) -> int:
    codes: dict[type[LMError], int] = {
        FunctionError: FUNCTION_FAILED,
        ParameterError: USAGE,
        ProfileError: CONFIGURATION,
        ServiceError: REFUSED,
    }
    return next((code for kind, code in codes.items() if isinstance(error, kind)), INCOMPLETE)


def _as_text(emitted: Any, stream: TextIO) -> str:
    """An object for a person: its card (once), a JSON value indented, text with its control characters escaped."""
    from lmfunction._cards import card_of

    if isinstance(emitted, InvokeResult) and emitted.was_shown:
        return repr(emitted)
    from lmfunction._render import terminal_text

    card = card_of(emitted)
    if card is not None:
        return terminal_text(card, stream)
    if isinstance(emitted, str):
        return visible(emitted)
    return visible(json.dumps(emitted, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)

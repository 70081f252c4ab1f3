"""The terminal's door: results on stdout (a card for a person, JSON lines for a program), everything else on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from lmfunction._commands import run_arguments
from lmfunction._door import Door, what_if_set
from lmfunction._help import overview
from lmfunction._progress_lines import columns_of
from lmfunction._scope import Scope
from lmfunction._session import default_session
from lmfunction._text_door import INCOMPLETE, TextDoor, code_of
from lmfunction._unseen import ask_unseen
from lmfunction.errors import LMError


@dataclass
class Terminal(TextDoor):
    """One run of the command."""

    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    stdin: Any = field(default_factory=lambda: sys.stdin)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def run(self, arguments: Sequence[str]) -> int:
        """Runs the command and gives its exit code; errors are a few lines on stderr, never a traceback."""
        return self.guarded(lambda: self._run(arguments))

    def _run(self, arguments: Sequence[str]) -> int:
        if not arguments or arguments[0] in ("--help", "-h", "-?") or list(arguments) == ["help"]:
            self.put(overview())
            return 0
        if arguments[0] == "help":
            arguments = ["get_help", *arguments[1:]]
        if arguments[0] == "--version":
            from lmfunction import __version__

            self.put(f"lmfunction {__version__}\n")
            return 0
        if arguments[0] == "local":
            from lmfunction.local._command import run_local

            return run_local(arguments[1:])
        if arguments[0] == "aws":
            return self._run_aws(arguments[1:])
        return self.write_all(run_arguments(arguments, default_session().engine, self._door(), self.note))

    def _door(self) -> Door:
        return Door(
            scope=Scope({}, environ=self.environ, stdin=self._read),
            tell=self.tell,
            show=self.show,
            ask=self._ask,
            ask_secret=self._ask_secret,
            lasts=False,
            what_if=what_if_set(self.environ),
            progress=self.viewers,
            live=self.live,
        )

    def _run_aws(self, words: Sequence[str]) -> int:
        from lmfunction._awscli import Screen, error_text, run_aws

        person = self.stdout.isatty()
        screen = Screen(
            write=self.put,
            write_bytes=None if person else self._print_bytes,
            color=person,
            width=columns_of(self.stdout) if person else 80,
        )
        try:
            run_aws(words, default_session().engine, self._door(), screen)
        except LMError as error:
            self.say(error_text(error, words))
            return code_of(error)
        return 0

    def _ask(self, question: str) -> str | None:
        if not (self.stdin.isatty() and self.stderr.isatty()):
            return None
        self.stderr.write(question)
        self.stderr.flush()
        answer: str = self.stdin.readline()
        return answer.rstrip("\n")

    def _ask_secret(self, question: str) -> str | None:
        return ask_unseen(question) if self.stdin.isatty() and self.stderr.isatty() else None

    def _read(self, limit: int) -> bytes:
        content: bytes = self.stdin.buffer.read(limit)
        return content

    def _print_bytes(self, content: bytes) -> None:
        self.stdout.flush()
        stream = getattr(self.stdout, "buffer", None)
        if stream is None:  # a text stream over nothing, as a program that embeds the command may give
            self.stdout.write(content.decode("utf-8", "backslashreplace"))
        else:
            stream.write(content)
            stream.flush()


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

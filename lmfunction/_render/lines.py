"""The lines of logs and stack traces, and what kind of line each is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

TAB: Final = "  "  # a log's tabs part its fields; a terminal's eight columns would only part them far
_LOOKED_AT: Final = 5_000  # characters of a line that are searched for a level

_PLATFORM: Final = re.compile(
    r"(?:START|END|REPORT|INIT_START|INIT_REPORT|RESTORE_\w+|EXTENSION|XRAY|TELEMETRY)\b"
    r'|\{"time":"[^"]*","type":"platform\.'
)
_ERROR: Final = re.compile(r'\b(?:ERROR|CRITICAL|FATAL)\b|"level"\s*:\s*"(?:error|critical|fatal)"|Task timed out')
_WARN: Final = re.compile(r'\bWARN(?:ING)?\b|"level"\s*:\s*"warn(?:ing)?"')
_DETAIL: Final = re.compile(r'\b(?:DEBUG|TRACE)\b|"level"\s*:\s*"(?:debug|trace)"')

# Frames of runtimes and libraries: where the fault shows, seldom where it is.
_FOREIGN: Final = re.compile(
    r"/var/(?:runtime|lang)/|/(?:site|dist)-packages/|/node_modules/|\bnode:|\(internal/|<frozen |awslambdaric"
    r"|^\s*(?:at )?(?:java|javax|jdk|sun|kotlin|scala|System|Amazon\.Lambda)\."
    r"|^\s*(?:at )?com\.amazonaws\.services\.lambda\.runtime\.|/gems/"
)
_PYTHON_FRAME: Final = re.compile(r'\s*File "')
_HEADLINE: Final = re.compile(r"Caused by: |Traceback \(most recent call last\)|During handling of|The above exception")


def lines_of(text: str) -> list[str]:
    """The lines of `text`; only a newline ends one, so a forged carriage return cannot start another."""
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def level(line: str) -> str:
    """`error`, `warn`, `dim` (debug lines, and those that Lambda itself writes) or nothing."""
    head = line[:_LOOKED_AT]
    if _PLATFORM.match(head):
        return "dim"
    if _ERROR.search(head):
        return "error"
    if _WARN.search(head):
        return "warn"
    return "dim" if _DETAIL.search(head) else ""


def frame_styles(lines: list[str]) -> Iterator[str]:
    """For each line of a stack trace `strong` (which error, and its causes), `dim` (other people's code) or nothing."""
    foreign = False
    for line in lines:
        head = line[:_LOOKED_AT]
        if _HEADLINE.match(head):
            foreign = False
            yield "strong"
            continue
        # Python tells a frame in several lines: its place, then its source.
        if not foreign or _PYTHON_FRAME.match(head) or not head.startswith("    ") or head.lstrip().startswith("at "):
            foreign = bool(_FOREIGN.search(head))
        yield "dim" if foreign else ""


def innermost_last(lines: list[str]) -> bool:
    """Whether the trace ends where the error arose, as Python's do; all others begin there."""
    return any(_PYTHON_FRAME.match(line[:_LOOKED_AT]) for line in lines)

"""A result and its failure in a line or a few, without what is hidden."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from lmfunction._cards import failure_told
from lmfunction._explain import FunctionFailure
from lmfunction._text import one_line

if TYPE_CHECKING:
    from lmfunction._model import InvokeResult

_LOOKED_THROUGH: Final = 64 * 1024  # bytes of a payload that a one-line repr reads as data to hide parts of it


def payload_text(result: InvokeResult) -> str:
    """The beginning of the payload as text, without what is hidden."""
    if len(result.raw_payload) <= _LOOKED_THROUGH and isinstance(result.payload, dict | list):
        shown = result.redaction.value(result.payload, ("Payload",))
        if shown != result.payload:
            return json.dumps(shown, ensure_ascii=False)
    elif result.redaction.paths or result.redaction.keys:
        return f"{len(result.raw_payload):,} bytes"
    return result.redaction.text(result.raw_payload[:2000].decode("utf-8", "replace"))


def failure_text(result: InvokeResult, failure: FunctionFailure) -> str:
    """The few lines that a FunctionError shows: what, where, which request, the last log line, the cure."""
    lines = [f"{result.request.label} failed: {one_line(failure_told(failure, result.redaction), 500)}"]
    place = _place_of(failure)
    if place:
        lines.append(f"  at {one_line(place, 200)}")
    last = _last_log_line(result.log or "")
    if last:
        lines.append(f"  log: {one_line(result.redaction.text(last), 200)}")
    if failure.hint:
        lines.append(f"  {failure.hint}")
    lines.append(f"  RequestId: {result.request_id or 'unknown'}")
    return "\n".join(lines)


_LAMBDA_LINES: Final = ("START ", "END ", "REPORT ", "XRAY ", "INIT_START ")
_PYTHON_FRAME: Final = re.compile(r'\s*File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)')


def _place_of(failure: FunctionFailure) -> str:
    """Where the function failed: the innermost Python frame of its stack trace, `file:line in function`."""
    frames = [m for line in failure.stack_trace if (m := _PYTHON_FRAME.match(line))]
    return f"{frames[-1]['file']}:{frames[-1]['line']} in {frames[-1]['function']}" if frames else ""


def _last_log_line(log: str) -> str:
    """The last line the function itself wrote; the runtime's own report of the error comes after it."""
    own = ""
    for line in log.splitlines():
        if line.startswith("[ERROR] ") and "\t" not in line:
            break
        if line.strip() and not line.startswith(_LAMBDA_LINES):
            own = line
    return own

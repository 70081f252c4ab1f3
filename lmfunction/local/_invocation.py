"""One invocation and its outcome, with the error payloads that Lambda itself writes.

Source of the texts: payloads recorded from AWS.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from lmfunction import _wire
from lmfunction.local._functions import Configuration
from lmfunction.local._http import Flow

UNHANDLED: Final = "Unhandled"
TIMED_OUT: Final = "Sandbox.Timedout"
TRUNCATED: Final = "Runtime.TruncatedResponse"
EXIT_ERROR: Final = "Runtime.ExitError"
INVALID_ENTRYPOINT: Final = "Runtime.InvalidEntrypoint"
OUT_OF_MEMORY: Final = "Runtime.OutOfMemory"


class Receiver(Protocol):
    """Who takes a streamed response while the function runs."""

    def begin(self, content_type: str, flow: Flow) -> None:
        """The response begins; `flow` is paused for as long as no more can be taken."""

    def put(self, data: bytes) -> None:
        """The next bytes of it."""


@dataclass(slots=True)
class Invocation:
    """One event for one version of a function. `done` is called once, with this and the outcome.

    What `done` holds must not hold this: the event would stay in memory until the garbage collector comes by.
    `client_context` is JSON text in one line, ready for the Runtime API's header. `receiver` takes what the function
    streams; without one it is collected into the outcome's payload.
    """

    request_id: str
    configuration: Configuration
    arn: str
    event: bytes
    done: Callable[[Invocation, Outcome], None]
    trace_id: str = ""
    client_context: str = ""
    tenant_id: str = ""
    wants_log: bool = False
    receiver: Receiver | None = None


@dataclass(slots=True)
class Outcome:
    """What came of an invocation: the payload byte for byte, whether it is an error, and the end of the log.

    `memory_mb` is the most that the process has used; `init_ms` is there for a cold start only.
    """

    payload: bytes
    error: str | None = None
    log: bytes = b""
    duration_ms: float = 0.0
    memory_mb: int = 0
    init_ms: float | None = None


def error_payload(kind: str, message: str) -> bytes:
    """The payload of an error that Lambda reports in the function's place."""
    return json.dumps({"errorType": kind, "errorMessage": message}, separators=(",", ":")).encode()


def timeout_payload(invocation: Invocation) -> bytes:
    """The payload after the function's time was up."""
    return error_payload(TIMED_OUT, f"RequestId: {invocation.request_id} Error: {timeout_text(invocation)}")


def exit_payload(invocation: Invocation, status: int, kind: str = EXIT_ERROR) -> bytes:
    """The payload after the runtime process ended; `status` is negative for a signal, as in `subprocess`."""
    return error_payload(kind, exit_text(invocation, status))


def too_large_payload() -> bytes:
    """The payload in place of a response over the limit."""
    return _too_large(_wire.SYNC_RESPONSE_LIMIT)


def stream_too_large_payload() -> bytes:
    """The error of a streamed response over its limit."""
    return _too_large(_wire.STREAM_RESPONSE_LIMIT)


def _too_large(limit: int) -> bytes:
    text = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
    value = {"errorMessage": text, "errorType": "Function.ResponseSizeTooLarge"}
    return json.dumps(value, separators=(",", ":")).encode()


def error_type(payload: bytes) -> str:
    """The error type in an error that a runtime reported; an empty text when it has none."""
    try:
        kind = json.loads(payload)["errorType"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return kind if isinstance(kind, str) else ""


def deadline_ms(invocation: Invocation) -> int:
    """When the function's time is up, as milliseconds since 1970."""
    return int((time.time() + invocation.configuration.timeout) * 1000)


def timeout_text(invocation: Invocation) -> str:
    """How Lambda says that the function's time was up."""
    return f"Task timed out after {invocation.configuration.timeout:.2f} seconds"


def exit_text(invocation: Invocation, status: int) -> str:
    """How Lambda says that the runtime process ended; `status` is negative for a signal, as in `subprocess`."""
    start = f"RequestId: {invocation.request_id} Error: Runtime exited"
    if status == 0:
        return f"{start} without providing a reason"
    if status > 0:
        return f"{start} with error: exit status {status}"
    name = signal.strsignal(-status) or f"signal {-status}"
    return f"{start} with error: signal: {name.lower()}"

"""One invocation and its outcome, with the log and the error payloads that Lambda itself writes.

Source of the texts: payloads and log tails recorded from AWS.
"""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lmfunction import _wire
from lmfunction.local._functions import Configuration

UNHANDLED: Final = "Unhandled"


@dataclass(slots=True)
class Invocation:
    """One event for one version of a function. `done` is called once, with the outcome.

    `client_context` is JSON text in one line, ready for the Runtime API's header.
    """

    request_id: str
    configuration: Configuration
    arn: str
    event: bytes
    done: Callable[[Outcome], None]
    trace_id: str = ""
    client_context: str = ""
    tenant_id: str = ""
    wants_log: bool = False


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


@dataclass(slots=True)
class Measured:
    """The figures for the REPORT line: times in ms, memory in MB. `init_ms` only for a cold start."""

    duration_ms: float
    memory_mb: int
    init_ms: float | None = None


def error_payload(kind: str, message: str) -> bytes:
    """The payload of an error that Lambda reports in the function's place."""
    return json.dumps({"errorType": kind, "errorMessage": message}, separators=(",", ":")).encode()


def timeout_payload(invocation: Invocation) -> bytes:
    """The payload after the function's time was up."""
    return error_payload("Sandbox.Timedout", f"RequestId: {invocation.request_id} Error: {_timeout_text(invocation)}")


def exit_payload(invocation: Invocation, status: int) -> bytes:
    """The payload after the runtime process ended; `status` is negative for a signal, as in `subprocess`."""
    return error_payload("Runtime.ExitError", _exit_text(invocation, status))


def too_large_payload() -> bytes:
    """The payload in place of a response over the limit."""
    return json.dumps(
        {
            "errorMessage": "Response payload size exceeded maximum allowed payload size "
            f"({_wire.SYNC_RESPONSE_LIMIT} bytes).",
            "errorType": "Function.ResponseSizeTooLarge",
        },
        separators=(",", ":"),
    ).encode()


def timeout_line(invocation: Invocation) -> bytes:
    """What the log says about a timeout."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{now} {invocation.request_id} {_timeout_text(invocation)}\n\n".encode()


def exit_line(invocation: Invocation, status: int) -> bytes:
    """What the log says about a runtime process that ended."""
    return f"{_exit_text(invocation, status)}\nRuntime.ExitError\n".encode()


def report_of(invocation: Invocation, measured: Measured) -> _wire.Report:
    """The figures of the REPORT line."""
    return _wire.Report(
        duration_ms=measured.duration_ms,
        billed_duration_ms=math.ceil(measured.duration_ms),
        memory_size_mb=invocation.configuration.memory_size,
        max_memory_used_mb=measured.memory_mb,
        init_duration_ms=measured.init_ms,
    )


def log_tail(invocation: Invocation, before: bytes, written: bytes, measured: Measured) -> bytes:
    """The last 4,096 bytes of the log: what was written during init, START, what was written since, END, REPORT."""
    report = report_of(invocation, measured)
    start = f"START RequestId: {invocation.request_id} Version: {invocation.configuration.version}\n"
    if written and not written.endswith(b"\n"):
        written += b"\n"
    end = f"END RequestId: {invocation.request_id}\n" + _wire.format_report(invocation.request_id, report)
    return (before + start.encode() + written + end.encode())[-_wire.LOG_TAIL_LIMIT :]


def deadline_ms(invocation: Invocation) -> int:
    """When the function's time is up, as milliseconds since 1970."""
    return int((time.time() + invocation.configuration.timeout) * 1000)


def _timeout_text(invocation: Invocation) -> str:
    return f"Task timed out after {invocation.configuration.timeout:.2f} seconds"


def _exit_text(invocation: Invocation, status: int) -> str:
    start = f"RequestId: {invocation.request_id} Error: Runtime exited"
    if status == 0:
        return f"{start} without providing a reason"
    if status > 0:
        return f"{start} with error: exit status {status}"
    name = signal.strsignal(-status) or f"signal {-status}"
    return f"{start} with error: signal: {name.lower()}"

"""What Lambda itself writes into a function's log: START, END and REPORT, and how a runtime failed.

A function whose log is JSON has platform events in their place. Sources: log tails recorded from AWS; the Telemetry
API's schema for the events.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from lmfunction import _wire
from lmfunction.local._functions import Configuration
from lmfunction.local._invocation import EXIT_ERROR, TIMED_OUT, Invocation, exit_text, timeout_text


@dataclass(slots=True)
class Measured:
    """The figures for the REPORT line: times in ms, memory in MB. `init_ms` only for a cold start.

    `failure` is the error type when the runtime itself failed, such as Runtime.ExitError.
    """

    duration_ms: float
    memory_mb: int
    init_ms: float | None = None
    failure: str = ""


def timeout_line(invocation: Invocation) -> bytes:
    """What the log says about a timeout."""
    return f"{_now()} {invocation.request_id} {timeout_text(invocation)}\n\n".encode()


def exit_line(invocation: Invocation, status: int, kind: str = EXIT_ERROR) -> bytes:
    """What the log says about a runtime process that ended."""
    return f"{exit_text(invocation, status)}\n{kind}\n".encode()


def init_line(configuration: Configuration, duration_ms: float, kind: str) -> bytes:
    """What the log says about an initialisation that failed with an error of type `kind`."""
    if not configuration.logging.is_json:
        return f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: init\t{status_of(kind)}\n".encode()
    record: dict[str, Any] = {"initializationType": "on-demand", "phase": "init", "status": "timeout"}
    if kind != TIMED_OUT:
        record |= {"status": "error", "errorType": kind}
    return _event("platform.initReport", {**record, "metrics": {"durationMs": round(duration_ms, 3)}})


def status_of(failure: str) -> str:
    """How INIT_REPORT and REPORT end when the runtime has failed; empty when it has not."""
    if failure == TIMED_OUT:
        return "Status: timeout"
    return f"Status: error\tError Type: {failure}" if failure else ""


class Started(NamedTuple):
    """What START says."""

    request_id: str
    version: str

    def texts(self) -> tuple[str, ...]:
        """The line."""
        return (f"START RequestId: {self.request_id} Version: {self.version}\n",)


class Ended(NamedTuple):
    """What END and REPORT say."""

    request_id: str
    memory_size: int
    measured: Measured

    def texts(self) -> tuple[str, ...]:
        """The two lines."""
        measured = self.measured
        report = _wire.Report(
            duration_ms=measured.duration_ms,
            billed_duration_ms=math.ceil(measured.duration_ms),
            memory_size_mb=self.memory_size,
            max_memory_used_mb=measured.memory_mb,
            init_duration_ms=measured.init_ms,
        )
        line = _wire.format_report(self.request_id, report, status=status_of(measured.failure))
        return (f"END RequestId: {self.request_id}\n", line)


def started(invocation: Invocation) -> Started:
    """START of an invocation."""
    return Started(invocation.request_id, invocation.configuration.version)


def ended(invocation: Invocation, measured: Measured) -> Ended:
    """END and REPORT of an invocation."""
    return Ended(invocation.request_id, invocation.configuration.memory_size, measured)


def log_tail(invocation: Invocation, before: bytes, written: bytes, measured: Measured) -> bytes:
    """The last 4,096 bytes of the log: what was written during init, START, what was written since, END, REPORT."""
    if written and not written.endswith(b"\n"):
        written += b"\n"
    if invocation.configuration.logging.is_json:
        text = before + start_event(invocation) + written + end_events(invocation, measured)
    else:
        start, end = "".join(started(invocation).texts()), "".join(ended(invocation, measured).texts())
        text = before + start.encode() + written + end.encode()
    return text[-_wire.LOG_TAIL_LIMIT :]


def start_event(invocation: Invocation) -> bytes:
    """START as a platform event; none when the function does not want to hear of it."""
    if invocation.configuration.logging.system_level == "WARN":
        return b""
    return _event("platform.start", {"requestId": invocation.request_id, "version": invocation.configuration.version})


def end_events(invocation: Invocation, measured: Measured) -> bytes:
    """END and REPORT as platform events."""
    status = "timeout" if measured.failure == TIMED_OUT else "error" if measured.failure else "success"
    ended: dict[str, Any] = {"requestId": invocation.request_id, "status": status}
    if status == "error":
        ended["errorType"] = measured.failure
    metrics = {
        "durationMs": round(measured.duration_ms, 3),
        "billedDurationMs": math.ceil(measured.duration_ms),
        "memorySizeMB": invocation.configuration.memory_size,
        "maxMemoryUsedMB": measured.memory_mb,
    }
    if measured.init_ms is not None:
        metrics["initDurationMs"] = round(measured.init_ms, 3)
    level = invocation.configuration.logging.system_level
    done = {**ended, "metrics": {"durationMs": metrics["durationMs"]}}
    events = b""
    if level == "DEBUG" or measured.failure:
        events += _event("platform.runtimeDone", done)
    if level != "WARN" or measured.failure:
        events += _event("platform.report", {**ended, "metrics": metrics})
    return events


def _event(kind: str, record: dict[str, Any]) -> bytes:
    return json.dumps({"time": _now(), "type": kind, "record": record}, separators=(",", ":")).encode() + b"\n"


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

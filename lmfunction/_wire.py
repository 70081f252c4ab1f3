"""Lambda's Invoke on the wire: paths, header names, limits and the log's REPORT line.

Both ends read this module, the client and the embedded Lambda, so that they share one truth.
Sources: API page of Invoke; answers recorded from AWS.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

API_VERSION: Final = "2015-03-31"
FUNCTIONS_PATH: Final = f"/{API_VERSION}/functions"

# Request headers.
INVOCATION_TYPE: Final = "X-Amz-Invocation-Type"
LOG_TYPE: Final = "X-Amz-Log-Type"
CLIENT_CONTEXT: Final = "X-Amz-Client-Context"
TENANT_ID: Final = "X-Amz-Tenant-Id"
DURABLE_EXECUTION_NAME: Final = "X-Amz-Durable-Execution-Name"

# Response headers.
FUNCTION_ERROR: Final = "X-Amz-Function-Error"
LOG_RESULT: Final = "X-Amz-Log-Result"
EXECUTED_VERSION: Final = "X-Amz-Executed-Version"
DURABLE_EXECUTION_ARN: Final = "X-Amz-Durable-Execution-Arn"
REQUEST_ID: Final = "x-amzn-RequestId"
ERROR_TYPE: Final = "x-amzn-ErrorType"
REMAPPED_LENGTH: Final = "x-amzn-Remapped-Content-Length"
REMAPPED_CONTENT_TYPE: Final = "X-Amzn-Remapped-Content-Type"
TRACE_ID: Final = "X-Amzn-Trace-Id"

INVOCATION_TYPES: Final = ("RequestResponse", "Event", "DryRun")
LOG_TYPES: Final = ("None", "Tail")
STREAMING_INVOCATION_TYPES: Final = ("RequestResponse", "DryRun")
STATUS_OF_TYPE: Final = {"RequestResponse": 200, "Event": 202, "DryRun": 204}

# Limits in bytes. "Request must be smaller than 6291456 bytes" is the service's own text; whether the exact number
# passes is undocumented. The asynchronous limit is 1 MB since October 2025.
SYNC_REQUEST_LIMIT: Final = 6_291_456
EVENT_REQUEST_LIMIT: Final = 1_048_576
SYNC_RESPONSE_LIMIT: Final = 6_291_556
STREAM_RESPONSE_LIMIT: Final = 209_715_200  # 200 MB; Lambda quotas
PACKAGE_LIMIT: Final = 52_428_800  # a zip file sent directly; Lambda quotas
CLIENT_CONTEXT_LIMIT: Final = 3_583
LOG_TAIL_LIMIT: Final = 4_096

# Wire name -> attribute, for everything `-Select` and `to_dict()` know.
RESULT_MEMBERS: Final[Mapping[str, str]] = {
    "StatusCode": "status_code",
    "FunctionError": "function_error",
    "ExecutedVersion": "executed_version",
    "Payload": "payload",
    "LogResult": "log_result",
    "Log": "log",
    "DurableExecutionArn": "durable_execution_arn",
    "RequestId": "request_id",
    "TraceId": "trace_id",
    "Report": "report",
    "Error": "error",
    "Attempts": "attempts",
    "ElapsedMs": "elapsed_ms",
    "Replayed": "replayed",
}

_REPORT: Final = re.compile(r"^REPORT RequestId: (?P<request_id>\S+)\t(?P<figures>[^\n]*)", re.MULTILINE)
_PLATFORM_REPORT: Final = '"type":"platform.report"'
_METRICS: Final = ("durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs")
_FIGURE: Final = re.compile(r"(?P<name>[A-Z][A-Za-z ]*): (?P<value>[\d.]+) (?:ms|MB)")


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of the REPORT line that Lambda writes after each invocation: times in ms, memory in MB.

    `init_duration_ms` is there only for a cold start.
    """

    duration_ms: float | None = None
    billed_duration_ms: float | None = None
    memory_size_mb: int | None = None
    max_memory_used_mb: int | None = None
    init_duration_ms: float | None = None

    @property
    def cold_start(self) -> bool:
        """Whether this invocation started a new execution environment."""
        return self.init_duration_ms is not None


def decode_log(log_result: str | None) -> str | None:
    """The text of a base64 log tail; None when there is none or it is not base64. A cut UTF-8 character is replaced."""
    if not log_result:
        return None
    try:
        return base64.b64decode(log_result, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None


def parse_report(log: str | None) -> Report | None:
    """The REPORT figures of a log tail, or None when it has none."""
    found = [m["figures"] for m in _REPORT.finditer(log or "")]
    if not found:
        return _platform_report(log or "")
    # The last one counts: a function may print text that looks like a REPORT.
    figures = {m["name"]: m["value"] for m in _FIGURE.finditer(found[-1])}
    return Report(
        duration_ms=_number(figures.get("Duration")),
        billed_duration_ms=_number(figures.get("Billed Duration")),
        memory_size_mb=_whole(figures.get("Memory Size")),
        max_memory_used_mb=_whole(figures.get("Max Memory Used")),
        init_duration_ms=_number(figures.get("Init Duration")),
    )


def _platform_report(log: str) -> Report | None:
    """The figures in the log of a function whose log format is JSON."""
    for line in reversed(log.splitlines()):
        if _PLATFORM_REPORT not in line:
            continue
        try:
            metrics = json.loads(line)["record"]["metrics"]
            return Report(*(metrics.get(name) for name in _METRICS))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue
    return None


def format_report(request_id: str, report: Report, *, status: str = "") -> str:
    """The REPORT line for `report`, ending in a tab and a newline as Lambda writes it.

    `status` is what follows the figures when the runtime itself failed; no tab comes after that.
    """
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {report.duration_ms or 0:.2f} ms",
        f"Billed Duration: {report.billed_duration_ms or 0:.0f} ms",
        f"Memory Size: {report.memory_size_mb or 0} MB",
        f"Max Memory Used: {report.max_memory_used_mb or 0} MB",
    ]
    if report.init_duration_ms is not None:
        parts.append(f"Init Duration: {report.init_duration_ms:.2f} ms")
    return "\t".join([*parts, status]) + "\n"


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def _whole(text: str | None) -> int | None:
    number = _number(text)
    return int(number) if number is not None else None

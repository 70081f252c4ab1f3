"""The cards of what people see: results, plans, errors. Values only; `_render` draws them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from lmfunction._redact import NONE, Redaction
from lmfunction._render.card import Card, Section, Tone
from lmfunction._render.lines import level, lines_of
from lmfunction._text import duration, size

if TYPE_CHECKING:
    from lmfunction._explain import FunctionFailure
    from lmfunction._model import InvokeResult
    from lmfunction._request import InvokeRequest
    from lmfunction._stream_result import StreamResult
    from lmfunction._wire import Report

_MEANING: Final = {202: "queued, its answer is not awaited", 204: "allowed, not run"}
_NEAR: Final = 0.9  # of the memory: the next larger event may end in Runtime.OutOfMemory
_STATUS: Final = {200: ("OK", Tone.OK), 202: ("ACCEPTED", Tone.INFO), 204: ("DRY RUN OK", Tone.DRYRUN)}


def card_of(shown: Any) -> Card | None:
    """The card of anything that has one: a result, a plan, a record."""
    make = getattr(shown, "card", None)
    card = make() if callable(make) else None
    return card if isinstance(card, Card) else None


def result_card(result: InvokeResult) -> Card:
    """The card of one invocation: what came back first, how it went above it, the request folded below."""
    status, tone = _STATUS.get(result.status_code, (str(result.status_code), Tone.INFO))
    if not result.ok:
        status, tone = "FAILED", Tone.FAILED
    elif result.replayed:
        status, tone = "REPLAYED", Tone.INFO
    report = result.report
    facts = [
        f"ran at {result.first_run}, not sent again" if result.replayed else "",
        str(result.status_code),
        _MEANING.get(result.status_code, ""),
        duration(result.elapsed_ms),
        size(len(result.raw_payload)) if result.raw_payload else "",
        f"version {result.executed_version}" if result.executed_version else "",
        "cold start" if report and report.cold_start else "",
        _memory_warning(report),
        f"{result.attempts} attempts" if result.attempts > 1 else "",
        result.request.target.region,
        f"RequestId {result.request_id}" if result.request_id else "",
    ]
    return Card(
        tone=tone,
        status=status,
        title=result.request.label,
        facts=tuple(fact for fact in facts if fact),
        sections=(
            *_outcome_sections(result),
            *_report_sections(report),
            *_log_sections(result),
            *_attempt_sections(result),
            _request_section(result),
        ),
        summary=_summary(result),
        redaction=result.redaction,
    )


def stream_card(result: StreamResult, so_far: str) -> Card:
    """The card of an answer that is still coming, or that broke off."""
    facts = (str(result.status_code), f"{so_far} so far", result.request.target.region)
    return Card(
        tone=Tone.FAILED if result.over else Tone.INFO,
        status="BROKE OFF" if result.over else "STREAMING",
        title=result.request.label,
        facts=(*facts, *((f"RequestId {result.request_id}",) if result.request_id else ())),
        sections=(
            Section("Read it", [("Text", "for text in r: ..."), ("Bytes", "for data in r.raw: ...")], "pairs"),
            Section("Request", _request_pairs(result.request), "pairs", open=False),
        ),
        redaction=result.redaction,
    )


def plan_card(
    request: InvokeRequest, account: str, endpoint: str, redaction: Redaction = NONE, *, arn: str | None = None
) -> Card:
    """The card of `-WhatIf`: the resolved call, which was not sent."""
    return Card(
        tone=Tone.DRYRUN,
        status="WHAT IF",
        title=request.label,
        facts=("nothing was sent", f"{len(request.payload):,} bytes", request.target.region),
        sections=(Section("Call", _request_pairs(request, account, endpoint, arn), "pairs"),),
        summary={
            "what_if": "Invoke-LMFunction",
            "function": request.label,
            "account": account,
            "region": request.target.region,
            "endpoint": endpoint,
            "payload_bytes": len(request.payload),
        },
        redaction=redaction,
    )


def _outcome_sections(result: InvokeResult) -> tuple[Section, ...]:
    more = "r.payload, r.save('payload.json')"
    length = len(result.raw_payload)
    place = ("Payload",)
    if result.error is None:
        if not result.raw_payload:
            return ()
        seen = getattr(result, "payload_shown", False)  # while it came
        return (Section("Payload", result.payload, "data", open=not seen, more=more, size=length, path=place),)
    failure = result.error
    told = failure_told(failure, result.redaction)
    sections = [Section("Error", f"{told}\n{failure.hint}" if failure.hint else told, "text", more="r.error")]
    if failure.stack_trace:
        trace = "\n".join(trace_lines(failure.stack_trace))
        path = (*place, "stackTrace")
        sections.append(Section("Stack trace", trace, "trace", more="r.error.stack_trace", path=path))
    sections.append(Section("Payload", result.payload, "data", open=False, more=more, size=length, path=place))
    return tuple(sections)


def failure_told(failure: FunctionFailure, redaction: Redaction) -> str:
    """Type and message of a failure, the message as `redaction` leaves it in the payload it came from."""
    message = redaction.value(failure.message, ("Payload", "errorMessage"))
    return f"{failure.type}: {message}" if message else failure.type


_BARE_FRAME: Final = re.compile(r"[\w.$<>/@-]+\([^()]*\)\s*$")  # Java's: a method, then its file and line


def trace_lines(stack_trace: tuple[str, ...]) -> list[str]:
    """The lines of a stack trace in its language's order and look: Lambda sends Java's frames without their `at`."""
    return [f"    at {line}" if _BARE_FRAME.match(line) else line for line in stack_trace]


def _report_sections(report: Report | None) -> tuple[Section, ...]:
    """The figures of the REPORT line."""
    if report is None:
        return ()
    figures = {
        "Duration": _figure(report.duration_ms, "ms"),
        "Billed": _figure(report.billed_duration_ms, "ms"),
        "Memory used": _memory(report),
        "Init": f"{_figure(report.init_duration_ms, 'ms')} (cold start)" if report.cold_start else "",
    }
    row = {name: figure for name, figure in figures.items() if figure}
    return (Section("Report", [row], "table"),) if row else ()


def _figure(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:,.10g} {unit}"


def _memory(report: Report) -> str:
    used, whole = report.max_memory_used_mb, report.memory_size_mb
    if used is None or not whole:
        return _figure(used, "MB")
    return f"{used:,} of {whole:,} MB ({used / whole:.0%})"


def _memory_warning(report: Report | None) -> str:
    used, whole = (report.max_memory_used_mb, report.memory_size_mb) if report is not None else (None, None)
    return f"memory {used / whole:.0%} full" if used and whole and used / whole >= _NEAR else ""


def _log_sections(result: InvokeResult) -> tuple[Section, ...]:
    if not result.log:
        return ()
    lines = lines_of(result.log)
    levels = Counter(map(level, lines))
    counts = [f"{len(lines):,} line{'' if len(lines) == 1 else 's'}"]
    counts += [f"{levels[name]:,} {word}" for name, word in (("error", "ERROR"), ("warn", "WARN")) if levels[name]]
    return (Section(f"Log tail ({', '.join(counts)})", result.log, "log", more="r.log", path=("Log",)),)


def _attempt_sections(result: InvokeResult) -> tuple[Section, ...]:
    """What came of each send, when there was more than one."""
    if result.attempts < 2:
        return ()
    rows = [
        {
            "attempt": number,
            "outcome": attempt.outcome.value,
            "code": attempt.code,
            "waited before": duration(attempt.waited_ms) if attempt.waited_ms else "",
            "took": duration(attempt.elapsed_ms),
        }
        for number, attempt in enumerate(result.attempt_log, 1)
    ]
    return (Section("Attempts", rows, "table", open=False, more="r.attempt_log"),)


def _request_section(result: InvokeResult) -> Section:
    answer = [
        ("TraceId", result.trace_id or ""),
        ("DurableExecutionArn", result.durable_execution_arn or ""),
        ("The same call", "r.replay(), r.request.to_aws_cli(), r.request.to_boto3()"),
    ]
    pairs = [*_request_pairs(result.request), *((label, value) for label, value in answer if value)]
    return Section("Request", pairs, "pairs", open=False)


def _request_pairs(
    request: InvokeRequest, account: str = "", endpoint: str = "", arn: str | None = None
) -> list[tuple[str, str]]:
    pairs = [
        ("FunctionName", request.function_name),
        ("Arn", arn if arn is not None and arn != request.function_name else ""),
        ("Qualifier", request.qualifier or ""),
        ("InvocationType", request.invocation_type),
        ("LogType", request.log_type),
        ("Account", account),
        ("Region", request.target.region),
        ("Endpoint", endpoint or request.target.endpoint_url or ""),
        ("ProfileName", request.target.profile_name or ""),
        ("Payload", f"{len(request.payload):,} bytes"),
        ("ClientContext", f"{len(request.client_context):,} base64 bytes" if request.client_context else ""),
        ("TenantId", request.tenant_id or ""),
        ("DurableExecutionName", request.durable_execution_name or ""),
    ]
    return [(label, value) for label, value in pairs if value]


def _summary(result: InvokeResult) -> dict[str, Any]:
    """The figures for the notebook's output metadata: no payload, no log."""
    report = result.report
    figures = {
        "function": result.request.label,
        "status_code": result.status_code,
        "outcome": result.outcome.value,
        "request_id": result.request_id,
        "executed_version": result.executed_version,
        "attempts": result.attempts,
        "elapsed_ms": round(result.elapsed_ms, 1),
        "billed_duration_ms": report.billed_duration_ms if report else None,
        "max_memory_used_mb": report.max_memory_used_mb if report else None,
        "error_type": result.error.type if result.error else None,
        "replayed": result.replayed or None,
    }
    return {name: value for name, value in figures.items() if value is not None}

"""The cards of what people see: results, plans, errors. Values only; `_render` draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmfunction._render.card import Card, Section, Tone
from lmfunction._text import duration, size

if TYPE_CHECKING:
    from lmfunction._model import InvokeResult
    from lmfunction._request import InvokeRequest

_STATUS = {200: ("OK", Tone.OK), 202: ("ACCEPTED", Tone.INFO), 204: ("DRY RUN OK", Tone.DRYRUN)}


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
    report = result.report
    facts = [
        str(result.status_code),
        duration(result.elapsed_ms),
        size(len(result.raw_payload)) if result.raw_payload else "",
        f"version {result.executed_version}" if result.executed_version else "",
        "cold start" if report and report.cold_start else "",
        f"{result.attempts} attempts" if result.attempts > 1 else "",
        result.request.target.region,
        f"RequestId {result.request_id}" if result.request_id else "",
    ]
    return Card(
        tone=tone,
        status=status,
        title=result.request.label,
        facts=tuple(fact for fact in facts if fact),
        sections=(*_outcome_sections(result), *_log_sections(result), _request_section(result.request)),
        summary=_summary(result),
    )


def plan_card(request: InvokeRequest, account: str, endpoint: str) -> Card:
    """The card of `-WhatIf`: the resolved call, which was not sent."""
    return Card(
        tone=Tone.DRYRUN,
        status="WHAT IF",
        title=request.label,
        facts=("nothing was sent", f"{len(request.payload):,} bytes", request.target.region),
        sections=(Section("Call", _request_pairs(request, account, endpoint), "pairs"),),
    )


def _outcome_sections(result: InvokeResult) -> tuple[Section, ...]:
    more = "r.payload, r.save('payload.json')"
    length = len(result.raw_payload)
    if result.error is None:
        return (Section("Payload", result.payload, "data", more=more, size=length),) if result.raw_payload else ()
    failure = result.error
    told = f"{failure.type}: {failure.message}" if failure.message else failure.type
    sections = [Section("Error", f"{told}\n{failure.hint}" if failure.hint else told, "text")]
    if failure.stack_trace:
        sections.append(Section("Stack trace", "\n".join(failure.stack_trace), "text", more="r.error.stack_trace"))
    sections.append(Section("Payload", result.payload, "data", open=False, more=more, size=length))
    return tuple(sections)


def _log_sections(result: InvokeResult) -> tuple[Section, ...]:
    return (Section("Log tail", result.log, "log", more="r.log"),) if result.log else ()


def _request_section(request: InvokeRequest) -> Section:
    return Section("Request", _request_pairs(request), "pairs", open=False)


def _request_pairs(request: InvokeRequest, account: str = "", endpoint: str = "") -> list[tuple[str, str]]:
    pairs = [
        ("FunctionName", request.function_name),
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
    }
    return {name: value for name, value in figures.items() if value is not None}

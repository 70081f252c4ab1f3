"""One line of JSON for each object of a run, and the object's result read back from it.

`Index` (from 0), `Outcome` and the members of a result come first; then `Payload` as it was received, where it is JSON,
else as text, or as `PayloadBase64`. What did not succeed has `Error` and its `Input`, with which it can be sent again.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any, Final

from lmfunction import errors
from lmfunction._item import Item
from lmfunction._jsonable import jsonable
from lmfunction._model import Attempt, InvokeResult, Outcome
from lmfunction._request import InvokeRequest

_MEMBERS: Final = {
    "StatusCode": "status_code",
    "FunctionError": "function_error",
    "ExecutedVersion": "executed_version",
    "LogResult": "log_result",
    "DurableExecutionArn": "durable_execution_arn",
    "RequestId": "request_id",
    "TraceId": "trace_id",
    "Attempts": "attempts",
    "ElapsedMs": "elapsed_ms",
}
_PAYLOAD: Final = ',"Payload":'
_FACTS: Final = ("code", "status", "reason", "retry_after", "sent", "attempts", "request_id", "phase", "parameter")
_DECODER: Final = json.JSONDecoder()
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


def line_of(item: Item) -> bytes:
    """The line for an item that ended, with its line end."""
    head: dict[str, Any] = {"Index": item.index, "Outcome": item.outcome.value}
    result = item.result
    if result is None:
        head["Error"] = _error_facts(item.error)
        return f"{_ENCODER.encode({**head, **_input(item)})}\n".encode()
    for name, attribute in _MEMBERS.items():
        value = getattr(result, attribute)
        if value is not None:
            head[name] = value
    if result.like.durable_execution_name is not None:
        head["DurableExecutionName"] = result.like.durable_execution_name
    more = "" if result.ok else f",{_ENCODER.encode(_input(item))[1:-1]}"
    return f"{_ENCODER.encode(head)[:-1]}{_payload(result)}{more}}}\n".encode("utf-8", "backslashreplace")


def item_of(line: bytes, request: InvokeRequest) -> Item:
    """The item of a line. `request` is what was sent, but for its payload and the name of its execution."""
    text = line.decode()
    found = json.loads(text)
    item = Item(found["Index"], found.get("Input"))
    if "Error" in found and "StatusCode" not in found:
        item.error = _error(found["Error"], found["Outcome"])
        return item
    if "PayloadBase64" in found:
        raw = base64.b64decode(found["PayloadBase64"])
    elif "Payload" in found:
        start = text.index(_PAYLOAD) + len(_PAYLOAD)
        raw = text[start : _DECODER.raw_decode(text, start)[1]].encode()
    else:
        raw = b""
    figures = {attribute: found.get(name) for name, attribute in _MEMBERS.items() if name != "Attempts"}
    status, elapsed = figures.pop("status_code"), found.get("ElapsedMs", 0.0)
    if "DurableExecutionName" in found:
        request = replace(request, durable_execution_name=found["DurableExecutionName"])
    item.result = InvokeResult(
        request,
        status,
        raw,
        attempt_log=tuple(Attempt(Outcome.OK, "", elapsed) for _ in range(found.get("Attempts", 1))),
        **figures,
    )
    return item


def _payload(result: InvokeResult) -> str:
    raw = result.raw_payload
    if not raw:
        return ""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return f',"PayloadBase64":"{base64.b64encode(raw).decode()}"'
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return f"{_PAYLOAD}{json.dumps(text)}"
    if "\n" in text or "\r" in text:
        text = _ENCODER.encode(value)
    return f"{_PAYLOAD}{text}"


def _refuse(_: str) -> None:
    raise ValueError  # NaN is no JSON


def _input(item: Item) -> dict[str, Any]:
    try:
        return {"Input": json.loads(_ENCODER.encode(jsonable(getattr(item.input, "input", item.input))))}
    except (TypeError, ValueError, RecursionError):
        return {"Input": None}


def _error_facts(error: errors.LMError | None) -> dict[str, Any]:
    if error is None:
        return {"Type": "LMError", "Message": "It was not sent."}
    facts = {name: getattr(error, name, None) for name in _FACTS}
    told = {name: value for name, value in facts.items() if value is not None}
    return {"Type": type(error).__name__, "Message": str(error.args[0]) if error.args else "", **told}


def _error(facts: dict[str, Any], outcome: str) -> errors.LMError:
    kind = getattr(errors, facts.pop("Type"), errors.LMError)
    message = facts.pop("Message")
    if kind in (errors.ServiceError, errors.TransportError):
        made: errors.LMError = kind(message, outcome=outcome, **facts)
        return made
    made = kind(message) if isinstance(kind, type) and issubclass(kind, errors.LMError) else errors.LMError(message)
    made.request_id = facts.get("request_id")
    return made

"""One asynchronous invocation on its way through the queue, and what is sent on about it when it is over.

Sources: destination records and dead-letter messages recorded from AWS; the developer guide for the attributes of a
dead-letter message (`ErrorMessage` is the first KB of the error).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lmfunction.local._jackson import json_fault

SUCCESS: Final = "Success"
RETRIES_EXHAUSTED: Final = "RetriesExhausted"
AGE_EXCEEDED: Final = "EventAgeExceeded"
ZERO_CONCURRENCY: Final = "ZeroReservedConcurrency"
CONDITIONS: Final = (SUCCESS, RETRIES_EXHAUSTED, AGE_EXCEEDED, ZERO_CONCURRENCY)

DEFAULT_RETRIES: Final = 2
DEFAULT_AGE: Final = 21_600.0
_ERROR_TEXT_BYTES: Final = 1_024


@dataclass(frozen=True, slots=True)
class Response:
    """What the function answered to the last attempt: the payload byte for byte, its error, the version that ran."""

    payload: bytes
    error: str | None
    executed_version: str


@dataclass(slots=True)
class Event:
    """An accepted event. Times are seconds since 1970, so that its age goes on while no server runs.

    `number` is its place in the order of arrival. `qualifier` and `arn` are as the caller gave them. `attempts` counts
    those that ended; `due` is when the next one may start.
    """

    number: int
    request_id: str
    name: str
    qualifier: str | None
    arn: str
    body: bytes
    accepted: float
    trace_id: str = ""
    tenant_id: str = ""
    attempts: int = 0
    due: float = 0.0
    response: Response | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How a function's events are tried again, and where their records go (ARNs). `max_age` is seconds."""

    retries: int = DEFAULT_RETRIES
    max_age: float = DEFAULT_AGE
    on_success: str | None = None
    on_failure: str | None = None
    dead_letter: str | None = None


def record_of(event: Event, condition: str, function_arn: str, now: float) -> bytes:
    """The record for a destination, as JSON in one line.

    Event and response stand in it as they were written, so that no number changes on the way.
    """
    head = {
        "version": "1.0",
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": function_arn,
            "condition": condition,
            "approximateInvokeCount": event.attempts,
        },
    }
    parts = [_dump(head)[:-1], b',"requestPayload":', _one_line(event.body)]
    response = event.response
    if response is not None and condition != ZERO_CONCURRENCY:
        context: dict[str, object] = {"statusCode": 200, "executedVersion": response.executed_version}
        if response.error is not None:
            context["functionError"] = response.error
        parts += [b',"responseContext":', _dump(context), b',"responsePayload":', _embedded(response.payload)]
    return b"".join((*parts, b"}"))


def dead_letter_of(event: Event, function_name: str, now: float) -> bytes:
    """The message for a dead-letter queue, as JSON in one line: as ReceiveMessage of SQS shows it.

    The sender is the function, as the session of its role is named after it.
    """
    response = event.response
    attributes = {"RequestID": _attribute("String", event.request_id), "ErrorCode": _attribute("Number", "200")}
    if response is not None:
        attributes["ErrorMessage"] = _attribute("String", _error_message(response.payload))
    message = {
        "MessageId": event.request_id,
        "Body": event.body.decode("utf-8", "replace"),
        "Attributes": {"SenderId": f"AROALOCAL:{function_name}", "SentTimestamp": str(int(now * 1000))},
        "MessageAttributes": attributes,
    }
    return _dump(message)


def _attribute(kind: str, value: str) -> dict[str, str]:
    return {"StringValue": value, "DataType": kind}


def _error_message(payload: bytes) -> str:
    try:
        told = json.loads(payload)
    except (ValueError, RecursionError):
        told = None
    message = told.get("errorMessage") if isinstance(told, dict) else None
    text = message if isinstance(message, str) else payload.decode("utf-8", "replace")
    return text.encode("utf-8", "replace")[:_ERROR_TEXT_BYTES].decode("utf-8", "ignore")


def _embedded(payload: bytes) -> bytes:
    """A response as a JSON value: as it is when it is one, else as text."""
    if json_fault(payload) is None:
        return _one_line(payload)
    return _dump(payload.decode("utf-8", "replace"))


def _one_line(text: bytes) -> bytes:
    """JSON without line breaks, which only stand between its tokens: a string holds none that is not escaped."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ")


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()

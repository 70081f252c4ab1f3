"""What an audit's line says of one call: who, where, what, and what became of it. No payload and no secret."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from lmfunction._audit_file import UNDER_WAY
from lmfunction._connection import Place
from lmfunction._model import InvokeResult, Outcome
from lmfunction._names import parse_function_name
from lmfunction._origin import origin
from lmfunction._request import InvokeRequest
from lmfunction._spool import LINE_LIMIT
from lmfunction._text import ascii_only, shorten
from lmfunction._transport import endpoint_of
from lmfunction.errors import InvocationInterrupted, LMError

# The outcomes of what was never sent, beside those of a send (`Outcome`).
WHAT_IF: Final = "WHAT_IF"
REFUSED: Final = "REFUSED"
REPLAYED: Final = "REPLAYED"
# The members in the order in which a line has them; those that are not known are left out.
MEMBERS: Final = (
    "id",
    "time",
    "outcome",
    "operation",
    "function",
    "qualifier",
    "executed_version",
    "invocation_type",
    "payload_sha256",
    "payload_bytes",
    "members",
    "once_key",
    "request_id",
    "attempts",
    "duration_ms",
    "error_type",
    "what_if",
    "profile",
    "account",
    "region",
    "endpoint",
    "caller_arn",
    "user",
    "host",
    "pid",
    "program",
    "notebook",
    "cell",
    "version",
    "note",
    UNDER_WAY,
)


def record_of(place: Place, now: float, **told: Any) -> dict[str, Any]:
    """The record of a call to `place` that begins `now` (seconds since 1970); `told` is what the caller knows of it."""
    from lmfunction import __version__

    return {
        "id": uuid.uuid4().hex,
        "time": _iso(now),
        "what_if": False,
        "profile": place.profile_name,
        "account": "000000000000" if place.embedded else place.profile.account,
        "region": place.connection.region,
        "endpoint": "embedded" if place.embedded else endpoint_of(place.connection),
        **origin(),
        "version": __version__,
        **{name: value for name, value in told.items() if value is not None},
    }


def of_request(request: InvokeRequest) -> dict[str, Any]:
    """What a record says of an invocation's request. Secrets stand in its bytes as their references."""
    function = parse_function_name(request.function_name)
    return {
        "operation": "Invoke",
        "function": request.function_name,
        "account": function.account,
        "qualifier": request.qualifier or function.qualifier,
        "invocation_type": request.invocation_type,
        "payload_sha256": hashlib.sha256(request.payload).hexdigest(),
        "payload_bytes": len(request.payload),
    }


def of_result(result: InvokeResult) -> dict[str, Any]:
    """What became of a call that was answered."""
    return {
        "outcome": result.outcome.value,
        "executed_version": result.executed_version,
        "request_id": result.request_id,
        "attempts": result.attempts,
        "duration_ms": round(result.elapsed_ms, 3),
        "error_type": result.error.type if result.error is not None else None,
    }


def of_answer(answer: Any, duration_ms: float) -> dict[str, Any]:
    """What became of an operation that was carried out."""
    metadata = answer.get("ResponseMetadata", {}) if isinstance(answer, Mapping) else {}
    return {
        "outcome": str(Outcome.OK),
        "request_id": metadata.get("RequestId"),
        "duration_ms": round(duration_ms, 3),
    }


def of_error(error: BaseException, duration_ms: float) -> dict[str, Any]:
    """What became of a call that ended so. An error that nobody foresaw tells nothing about the function."""
    return {
        "outcome": outcome_of(error),
        "request_id": getattr(error, "request_id", None),
        "attempts": getattr(error, "attempts", None),
        "duration_ms": round(duration_ms, 3),
        "error_type": getattr(error, "code", None) or getattr(error, "kind", None) or type(error).__name__,
    }


def outcome_of(error: BaseException) -> str:
    """The outcome class of a call that ended with `error`."""
    if isinstance(error, InvocationInterrupted):
        return Outcome.NOT_SENT if error.sent is False else Outcome.UNKNOWN
    known = getattr(error, "outcome", None)
    if known is None and isinstance(error, LMError) and error.kind == "ConstructionFailure":
        return Outcome.NOT_SENT
    return str(known or Outcome.UNKNOWN)


def encoded(record: Mapping[str, Any]) -> bytes:
    """The record as one line of ASCII, without its newline, that fits into a spool."""
    known = {name: record[name] for name in MEMBERS if record.get(name) is not None}
    line = _line(known)
    for limit in (200, 40):
        if len(line) > LINE_LIMIT:
            line = _line({name: _cut(value, limit) for name, value in known.items()})
    return line


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()


def _cut(value: Any, limit: int) -> Any:
    """A value made short; a digest stays whole, so does an id."""
    if isinstance(value, list | tuple):
        return [_cut(item, limit) for item in value[:10]]
    return shorten(ascii_only(value), limit) if isinstance(value, str) and not _HEX.fullmatch(value) else value


_HEX: Final = re.compile(r"[0-9a-f]{32,64}")


def _iso(now: float) -> str:
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

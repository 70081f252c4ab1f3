"""The answers and errors of the Lambda API, in AWS's own headers and words.

Sources: answers recorded from AWS (error texts, `Message` for ResourceNotFoundException and `message` for others,
no `Type` on ValidationException); service-2.json of botocore for the patterns.
"""

from __future__ import annotations

import json
import random
from typing import Any, Final

from lmfunction import _wire
from lmfunction.local._http import Answer

NAME_PATTERN: Final = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"
    r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
QUALIFIER_PATTERN: Final = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
TENANT_PATTERN: Final = r"[a-zA-Z0-9\._:\/=+\-@ ]+"
# Ids have to differ, not to be secret: the system's own generator would be two calls for each invocation.
random_bits: Final = random.Random().getrandbits  # noqa: S311
_JSON: Final = ("Content-Type", "application/json")
_WITH_CAPITAL: Final = frozenset(
    {"ResourceNotFoundException", "RecursiveInvocationException", "ServiceException", "AccessDeniedException"}
)


def new_request_id() -> str:
    """A random UUID in lower case (version 4)."""
    text = f"{random_bits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"


def ok(value: Any = None, *, status: int = 200, request_id: str | None = None) -> Answer:
    """A successful answer of the control plane; without a value it has no body."""
    body = b"" if value is None else json.dumps(value, separators=(",", ":")).encode()
    return Answer(status, (_JSON, (_wire.REQUEST_ID, request_id or new_request_id())), body)


def refusal(status: int, code: str, message: str, *, request_id: str | None = None, **more: Any) -> Answer:
    """An error answer: `x-amzn-ErrorType` and a JSON body, which says `Type: User` below 500."""
    key = "Message" if code in _WITH_CAPITAL else "message"
    body: dict[str, Any] = {key: message, **more}
    if status < 500 and code != "ValidationException":
        body = {"Type": "User", **body}
    headers = (_JSON, (_wire.REQUEST_ID, request_id or new_request_id()), (_wire.ERROR_TYPE, code))
    return Answer(status, headers, json.dumps(body, separators=(",", ":")).encode())


def not_found(arn: str) -> Answer:
    """404 for a function, version or alias that is not there; `arn` ends in the qualifier that was looked for."""
    return refusal(404, "ResourceNotFoundException", f"Function not found: {arn}")


def other_region(named: str, region: str) -> Answer:
    """404 for an ARN of another region."""
    text = f"Functions from '{named}' are not reachable in this region ('{region}')"
    return refusal(404, "ResourceNotFoundException", text)


def invalid_parameter(message: str) -> Answer:
    """400 InvalidParameterValueException."""
    return refusal(400, "InvalidParameterValueException", message)


def throttled(reason: str) -> Answer:
    """429; `reason` says which limit was met."""
    return refusal(429, "TooManyRequestsException", "Rate Exceeded.", Reason=reason)


def too_large(message: str) -> Answer:
    """413. The name on the wire differs from the model's RequestTooLargeException."""
    return refusal(413, "RequestEntityTooLargeException", message)


def validation(faults: list[str]) -> Answer:
    """400 ValidationException over every fault found (see `fault`)."""
    count = f"{len(faults)} validation error{'s' if len(faults) > 1 else ''} detected: "
    return refusal(400, "ValidationException", count + "; ".join(faults))


def fault(value: object, member: str, constraint: str) -> str:
    """One fault of a ValidationException."""
    return f"Value '{value}' at '{member}' failed to satisfy constraint: Member must {constraint}"


def pattern_fault(value: object, member: str, pattern: str) -> str:
    """The fault of a value outside its pattern."""
    return fault(value, member, f"satisfy regular expression pattern: {pattern}")


def enum_fault(value: object, member: str, values: tuple[str, ...]) -> str:
    """The fault of a value that is not one of `values`."""
    return fault(value, member, f"satisfy enum value set: [{', '.join(values)}]")

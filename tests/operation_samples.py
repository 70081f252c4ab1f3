"""Sample requests and answers for operations of the API, made of the shapes in the service model."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

from lmfunction._service import Member

TIME = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)
ARN = "arn:aws:lambda:us-east-1:123456789012:function:sample"
_NAMES = {
    "FunctionName": "sample",
    "LayerName": "layer",
    "Arn": "arn:aws:lambda:us-east-1:123456789012:layer:layer:1",
    "DurableExecutionArn": f"{ARN}:1/durable-execution/name/id",
    "UUID": "14e0db71-0000-0000-0000-000000000000",
}


def value_of(member: Member) -> Any:
    """A value of the member's type; an enumerated one is its last choice."""
    if member.type == "text" and member.name.endswith("Arn") and member.name not in _NAMES:
        return f"{ARN}-of-{member.name}"
    if member.type == "text":
        return member.choices[-1] if member.choices else _NAMES.get(member.name, f"{member.name}-of-sample")
    if member.type == "texts":
        return [member.choices[-1]] if member.choices else ["first", "second"]
    if member.type == "whole":
        return max(7, int(member.minimum or 0))
    samples: dict[str, Any] = {
        "number": 2.5,
        "boolean": True,
        "time": TIME,
        "blob": b'{"sample": true}',
        "objects": [{inner.name: value_of(inner) for inner in member.members}],
        "map": {},
        "structure": {inner.name: value_of(inner) for inner in member.members},
    }
    return samples[member.type]


def request_of(members: Iterable[Member]) -> dict[str, Any]:
    """A request with every member."""
    return {member.name: value_of(member) for member in members}


def wire_of(value: Any) -> Any:
    """A value as rest-json carries it in a body: times as seconds."""
    if isinstance(value, dict):
        return {name: wire_of(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [wire_of(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    return value

"""Any object as plain JSON data, for expressions, exports and JSON lines. Nothing is refused: this is not a request."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from typing import Any


def jsonable(value: Any) -> Any:
    """`value` as dicts, lists, text, numbers, booleans and None; results by their wire names, bytes as base64 text."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    to_dict = getattr(value, "to_dict", None)
    if callable(to_dict):
        return jsonable(to_dict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return jsonable(dataclasses.asdict(value))
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if callable(getattr(value, "tolist", None)):  # numpy
        return jsonable(value.tolist())
    return str(value)


def members_of(value: Any) -> dict[str, Any]:
    """The members of an object by name: of a mapping or a result; anything else has one, Value."""
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    to_dict = getattr(value, "to_dict", None)
    found = to_dict() if callable(to_dict) else None
    if isinstance(found, dict):
        return found
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return {"Value": value}

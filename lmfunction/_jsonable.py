"""Any object as plain JSON data, for expressions, exports and JSON lines. Nothing is refused: this is not a request."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
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


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON text of what `jsonable` gave, on one line without blanks unless indented. NaN, which JSON lacks, is null."""
    separators = (",", ":") if indent is None else None
    try:
        return json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, allow_nan=False)
    except ValueError:
        finite = _finite(value)
    return json.dumps(finite, ensure_ascii=False, indent=indent, separators=separators, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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

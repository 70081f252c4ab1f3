"""Whether an answer's document is one of the service model: no unknown member, every required one, the right types."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

# AWS leaves out what its own model requires when there is no configuration.
EMPTY = frozenset({"GetFunctionCodeSigningConfigResponse"})
SCALARS = {"string": str, "integer": int, "long": int, "double": float, "float": float, "boolean": bool, "blob": str}


def shape_faults(value: Any, shape: Any, path: str = "") -> Iterator[str]:
    """What is wrong with `value`, as lines that name the place."""
    kind = shape.type_name
    if kind == "structure":
        yield from _structure_faults(value, shape, path or shape.name)
    elif kind == "list":
        if not isinstance(value, list):
            yield f"{path}: {value!r} is no list"
            return
        for i, item in enumerate(value):
            yield from shape_faults(item, shape.member, f"{path}[{i}]")
    elif kind == "map":
        if not isinstance(value, dict):
            yield f"{path}: {value!r} is no map"
            return
        for key, item in value.items():
            yield from shape_faults(key, shape.key, f"{path} key")
            yield from shape_faults(item, shape.value, f"{path}.{key}")
    elif kind == "timestamp":
        yield from _time_faults(value, shape, path)
    else:
        yield from _scalar_faults(value, shape, path)


def _structure_faults(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no structure"
        return
    inside = {m.serialization.get("name", n): m for n, m in shape.members.items() if "location" not in m.serialization}
    for name in value.keys() - inside.keys():
        yield f"{path}.{name}: no such member"
    for name in set(shape.required_members) & inside.keys() - value.keys():
        if shape.name not in EMPTY:
            yield f"{path}.{name}: is required"
    for name in value.keys() & inside.keys():
        yield from shape_faults(value[name], inside[name], f"{path}.{name}")


def _time_faults(value: Any, shape: Any, path: str) -> Iterator[str]:
    if shape.serialization.get("timestampFormat") == "iso8601" or isinstance(value, str):
        try:
            datetime.fromisoformat(value)
        except (TypeError, ValueError):
            yield f"{path}: {value!r} is no time"
    elif not isinstance(value, int | float) or isinstance(value, bool):
        yield f"{path}: {value!r} is no time"


def _scalar_faults(value: Any, shape: Any, path: str) -> Iterator[str]:
    wanted = SCALARS[shape.type_name]
    fits = isinstance(value, wanted) or (wanted is float and isinstance(value, int))
    if not fits or (isinstance(value, bool) and wanted is not bool):
        yield f"{path}: {value!r} is not {shape.type_name}"
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{path}: {value!r} is none of {shape.enum}"

"""The request of an operation, made of converted arguments and checked by the API's model. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lmfunction import _json, _wire
from lmfunction._params import Cmdlet, Kind, Parameter
from lmfunction._service import Fault, Operation, faults
from lmfunction._text import ascii_only, one_line, shorten
from lmfunction.errors import ParameterError

_MOST_FAULTS: Final = 3


def request_members(cmdlet: Cmdlet, found: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a request for `arguments` (Python names, converted): a leaf adds to its structure, and beats it.

    Raises ParameterError that names the parameter for what is missing, unknown or of the wrong type.
    """
    members = gathered_members(cmdlet, arguments)
    check_members(cmdlet, found.name, members)
    return members


def check_members(cmdlet: Cmdlet, operation_name: str, members: Mapping[str, Any]) -> None:
    """Raises ParameterError, with the parameter to look at, when `members` do not fit the operation's model."""
    wrong = faults(operation_name, members)
    if wrong:
        told = " ".join(_sentence(fault, operation_name) for fault in wrong[:_MOST_FAULTS])
        more = f" ({len(wrong) - _MOST_FAULTS} more.)" if len(wrong) > _MOST_FAULTS else ""
        raise ParameterError(f"{told}{more}", parameter=_parameter_of(wrong[0], cmdlet))


def gathered_members(cmdlet: Cmdlet, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The members that `arguments` fill, not checked."""
    members: dict[str, Any] = {}
    filling = [row for row in cmdlet.parameters if row.path and arguments.get(row.target) is not None]
    for row in sorted(filling, key=lambda row: len(row.path)):
        value = arguments[row.target]
        _put(members, row.path, event_bytes(row, value) if row.kind is Kind.JSON else value)
    for row in cmdlet.parameters:
        if row.path and row.kind is Kind.JSON and row.path[0] not in members and row.default:
            members[row.path[0]] = row.default.encode()
    return members


def event_bytes(row: Parameter, value: Any) -> bytes:
    """An event as JSON bytes: an object written as JSON; text and bytes must be JSON and stay as they are."""
    if isinstance(value, str | bytes):
        content = _json.check(value, parameter=row.name)
    else:
        content = _json.encode(value, parameter=row.name)
    if len(content) > _wire.SYNC_REQUEST_LIMIT:
        raise ParameterError(
            f"{row.name} has {len(content):,} bytes; AWS takes {_wire.SYNC_REQUEST_LIMIT:,}.", parameter=row.name
        )
    return content


def shown_members(cmdlet: Cmdlet, members: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The members for people: what the API calls sensitive by its size alone, bytes by their count."""
    sensitive = {row.path[0] for row in cmdlet.parameters if row.path and row.sensitive}
    return [(name, _shown(value, hidden=name in sensitive)) for name, value in members.items()]


def _shown(value: Any, *, hidden: bool) -> str:
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if hidden:
        return f"({len(value)} members, not shown)" if isinstance(value, Mapping) else "(not shown)"
    if isinstance(value, Mapping):
        return one_line(", ".join(f"{k}: {_shown(v, hidden=False)}" for k, v in value.items()), 200)
    return one_line(str(value), 200)


def _put(members: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Sets the member at `path`; the mappings on the way are copied, for they may be the user's."""
    holder = members
    for part in path[:-1]:
        below = holder.get(part)
        holder[part] = dict(below) if isinstance(below, Mapping) else {}
        holder = holder[part]
    holder[path[-1]] = value


def _sentence(fault: Fault, operation_name: str) -> str:
    where = ascii_only(shorten(fault.path, 120))
    if fault.reason == "is missing":
        return f"{where} is missing: {operation_name} needs it."
    return f"{where} {fault.reason.rstrip('.')}.".lstrip()


def _parameter_of(fault: Fault, cmdlet: Cmdlet) -> str | None:
    """The parameter that fills the place of a fault: the closest one whose path leads there."""
    path = tuple(part.partition("[")[0] for part in fault.path.split("."))
    leading = [row for row in cmdlet.parameters if row.path and row.path == path[: len(row.path)]]
    return max(leading, key=lambda row: len(row.path)).name if leading else None

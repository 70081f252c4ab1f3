"""What a piped object gives to a cmdlet's parameters: by value, or by property name."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

from lmfunction._gathered import refuse_exclusive
from lmfunction._item import Item
from lmfunction._json_lines import JsonText, ResultRecord
from lmfunction._model import InvokeResult
from lmfunction._params import Cmdlet, Rank
from lmfunction._run_items import Kept
from lmfunction._table import INVOKE
from lmfunction._text import one_line, one_slip
from lmfunction.errors import ParameterError


def bind_object(value: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters for one piped object: what is bound already, and the object by value or by property name.

    A result gives its payload; text is the FunctionName when that is free; a mapping with a FunctionName binds every
    parameter of a name of its own when FunctionName is free; anything else is the Payload. Raises FunctionError for a
    result that failed.
    """
    if isinstance(value, Item):
        value = value.input  # what failed in another run is sent again with what it was sent with
    if isinstance(value, Kept):
        return {**values, **value.parameters()}
    if isinstance(value, InvokeResult):
        value.raise_for_error()  # the payload of a failed one is an error, which is no event
    bound = dict(values)
    if "FunctionName" not in bound:
        if isinstance(value, str):
            return {**bound, "FunctionName": str(value)}
        if isinstance(value, Mapping):
            named = any(_folded(key) == "functionname" for key in value)
            _refuse_misspelt(value, named=named)
            if named:
                return {**by_property_name(value, INVOKE, bound), **bound}
    if "Payload" in bound or "PayloadStream" in bound:
        raise ParameterError("The piped object has no place: the Payload is given on the line.", parameter="Payload")
    return {**bound, "Payload": payload_of_object(value)}


def payload_of_object(value: Any) -> Any:
    """The Payload that a piped object is, where nothing but the Payload is left open. Raises FunctionError as above."""
    if type(value) is dict:  # the usual one
        return value
    if isinstance(value, Item):
        value = value.input
    if isinstance(value, Kept):
        return value.parameters()["Payload"]
    if isinstance(value, InvokeResult):
        value.raise_for_error()
    if isinstance(value, JsonText):
        return value.written
    return value.payload if isinstance(value, InvokeResult | ResultRecord) else value


def by_property_name(value: Mapping[str, Any], cmdlet: Cmdlet, typed: Mapping[str, Any]) -> dict[str, Any]:
    """The members of `value` that have the name or alias of a parameter that is not typed, nor excluded by one typed.

    As in PowerShell no common parameter (-WhatIf, -ErrorAction ...) is bound by name. An empty cell of a CSV counts as
    not given. Raises ParameterError for a parameter that two members name.
    """
    closed = {*typed, *(other for name in typed for other in cmdlet.by_name[name].excludes)}
    by_spelling = {s: p for p in cmdlet.parameters if p.by_name and p.rank is not Rank.COMMON for s in p.spellings}
    found: dict[str, Any] = {}
    for key, item in value.items():
        parameter = by_spelling.get(_folded(key))
        if parameter is None or parameter.name in closed or item is None or item == "":
            continue
        if parameter.name in found:
            raise ParameterError(f"The piped object names -{parameter.name} twice.", parameter=parameter.name)
        found[parameter.name] = item
    refuse_exclusive(cmdlet, found)
    return found


def _refuse_misspelt(value: Mapping[str, Any], *, named: bool) -> None:
    """Raises ParameterError for a member that is a parameter's name but for a slip: what it says would count for
    nothing, and a column `Qualifer` would run $LATEST. Of an object without a FunctionName only that one is looked for.
    """
    for key in value:
        meant = _meant(_folded(key))
        if meant is not None and (named or meant == "FunctionName"):
            raise ParameterError(
                f"The piped object's member {one_line(str(key), 60)} is no parameter. Did you mean {meant}?",
                parameter=meant,
            )


@functools.lru_cache(1024)  # the same for each of many objects
def _meant(folded: str) -> str | None:
    """The parameter whose name it is but for a slip; None where it is a name itself."""
    known = {s: p.name for p in INVOKE.parameters if p.by_name and p.rank is not Rank.COMMON for s in p.spellings}
    if len(folded) < _TELLING or folded in known:
        return None
    return next((name for spelling, name in known.items() if one_slip(folded, spelling)), None)


_TELLING: Final = 5  # letters that a name must have for a slip in it to be told from another name


def _folded(key: Any) -> str:
    return key.replace("_", "").casefold() if isinstance(key, str) else ""


def open_values(value: Any, cmdlet: Cmdlet, values: Mapping[str, Any]) -> dict[str, Any]:
    """What one piped object gives a cmdlet: members by property name, text to the parameter that takes it by value."""
    if isinstance(value, Mapping):
        found = by_property_name(value, cmdlet, values)
        if not found:
            raise ParameterError(f"No member of the piped object has the name of a parameter of {cmdlet.name}.")
        return found
    taking = next((p for p in cmdlet.parameters if p.by_value and p.name not in values), None)
    if taking is None:
        raise ParameterError(f"{cmdlet.name} takes no {type(value).__name__} from the pipeline.")
    return {taking.name: value}

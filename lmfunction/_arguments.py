"""Bound values made what their parameters say they are: the one conversion for lines, splats, defaults and Python."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from lmfunction._member_values import CONVERSIONS, number, wrong
from lmfunction._params import Cmdlet, Kind, Parameter
from lmfunction.errors import ParameterError

# A payload of None is JSON's null, a function named None is a slip, and a verb's value may be compared with nothing;
# elsewhere None means "not given".
_TAKES_NONE: Final = frozenset(["Payload", "FunctionName", "Value"])


def convert(cmdlet: Cmdlet, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` by parameter name, converted, under their Python names.

    Raises ParameterError that names the parameter when a value is of the wrong kind.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        parameter = cmdlet.by_name[name]
        if value is None and name not in _TAKES_NONE:
            continue
        reader = _CONVERSIONS.get(parameter.kind)
        found[parameter.target] = reader(parameter, value) if reader else value
    return found


def _text(parameter: Parameter, value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # a version number
    if value is not None and not isinstance(value, str):
        raise wrong(parameter, value, "text")
    return value


def _switch(parameter: Parameter, value: Any) -> bool:
    if not isinstance(value, bool):
        raise wrong(parameter, value, "True or False")
    return value


def _seconds(parameter: Parameter, value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise wrong(parameter, value, "a number of seconds") from None
    return _in_range(parameter, number)


def _whole(parameter: Parameter, value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,18}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong(parameter, value, "a whole number")
    return int(_in_range(parameter, value))


def _number(parameter: Parameter, value: Any) -> float:
    return _in_range(parameter, number(parameter, value))


def _secret(parameter: Parameter, value: Any) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ParameterError(
            f"{parameter.name} is not a usable secret: it must be printable text.", parameter=parameter.name
        )
    return value


def _variable(parameter: Parameter, value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\+?[^\W\d]\w*", value):
        raise wrong(parameter, value, "a variable's name, or +NAME")
    return value


def _names(parameter: Parameter, value: Any) -> list[Any]:
    """Names, { blocks } and functions as a list, of one too."""
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",") if name.strip()]
    elif not isinstance(value, list | tuple):
        value = [value]
    for item in value:
        if not (isinstance(item, str) and item.strip()) and not callable(item):
            raise wrong(parameter, item, "names with commas between them, { blocks } or functions")
    return list(value)


_CONVERSIONS: Final[Mapping[Kind, Callable[[Parameter, Any], Any]]] = {
    **CONVERSIONS,
    Kind.TEXT: _text,
    Kind.NAMES: _names,
    Kind.NUMBER: _number,
    Kind.SWITCH: _switch,
    Kind.SECONDS: _seconds,
    Kind.WHOLE: _whole,
    Kind.SECRET: _secret,
    Kind.VARIABLE: _variable,
}


def _in_range(parameter: Parameter, number: float) -> float:
    low, high = parameter.minimum, parameter.maximum
    if math.isnan(number) or (low is not None and number < low) or (high is not None and number > high):
        wants = f"{low:g} to {high:g}" if high is not None else f"{low:g} or more"
        raise ParameterError(f"{parameter.name} is {number:g}; it must be {wants}.", parameter=parameter.name)
    return number

"""What a cmdlet emits of a function's answer: -Select and -PassThru, read before anything is sent."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lmfunction._json import CheckedJson
from lmfunction._model import InvokeResult
from lmfunction._params import Cmdlet
from lmfunction._text import did_you_mean
from lmfunction._wire import RESULT_MEMBERS
from lmfunction.errors import ParameterError


def selector(cmdlet: Cmdlet, arguments: Mapping[str, Any], values: Mapping[str, Any]) -> Callable[[InvokeResult], Any]:
    """What -Select and -PassThru make of a function's result. Raises ParameterError before anything is sent."""
    if arguments.get("pass_thru"):
        return _given(values, "FunctionName")
    expression = arguments.get("select", "*")
    if expression == "*":
        return _whole
    if not isinstance(expression, str) or not expression.strip():
        raise ParameterError("Select is empty: it must be *, ^PARAMETER or a JMESPath expression.", parameter="Select")
    if expression.startswith("^"):
        return _given(values, exact_parameter(cmdlet, expression[1:]))
    return _finding(expression)


def selects_given(arguments: Mapping[str, Any]) -> bool:
    """Whether -Select or -PassThru take what was given for a call, and nothing of its result."""
    return bool(arguments.get("pass_thru")) or str(arguments.get("select", "*")).startswith("^")


@dataclass(frozen=True)
class _Given:
    """Gives one text, whatever the result: equal to others that give the same, of which many objects need but one."""

    text: str

    def __call__(self, _: InvokeResult) -> str:
        return self.text


def _given(values: Mapping[str, Any], name: str) -> Callable[[InvokeResult], Any]:
    found = values.get(name)
    if isinstance(found, CheckedJson):  # as a journal holds it
        return lambda _: json.loads(found) if found else None
    return _Given(found) if isinstance(found, str) else lambda _: found


def _whole(result: InvokeResult) -> Any:
    return result


@functools.lru_cache(16)  # the same for each of many objects
def _finding(expression: str) -> Callable[[InvokeResult], Any]:
    from lmfunction._select import compile_expression

    compiled = compile_expression(expression, RESULT_MEMBERS)
    return lambda result: compiled.search(result.to_dict())


def exact_parameter(cmdlet: Cmdlet, text: str) -> str:
    """The parameter by its name or alias in any case; a prefix does not count (as in PowerShell)."""
    for parameter in cmdlet.parameters:
        if text.replace("_", "").casefold() in parameter.spellings:
            return parameter.name
    hint = did_you_mean(text, cmdlet.by_name, prefix="^")
    raise ParameterError(f"Select ^{text}: there is no such parameter.{hint}", parameter="Select")

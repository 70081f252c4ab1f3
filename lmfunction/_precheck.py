"""What can be known to be wrong with a later stage of a line before its first stage sends anything."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, Final

from lmfunction._cmdlets import prepare
from lmfunction._conditions import is_expression
from lmfunction._gathered import gather
from lmfunction._history import History
from lmfunction._invoke_stage import InvokeStage
from lmfunction._pipeline import Stage
from lmfunction._selecting import is_name_list, names_of
from lmfunction._stages import VerbStage
from lmfunction._table import INVOKE
from lmfunction._text import did_you_mean
from lmfunction._wire import RESULT_MEMBERS
from lmfunction.errors import ParameterError

_PASSING: Final = ("Where-Object", "Sort-Object", "Tee-Object", "Expect-Object", "Select-First", "Select-Last")
_READING: Final = (
    "Select-Object",
    "Where-Object",
    "Expect-Object",
    "Sort-Object",
    "Group-Object",
    "Measure-Object",
    "Format-Table",
    "Format-List",
)


def check_stage(stage: Stage, *, after_results: bool) -> None:
    """Refuses a stage that must fail whatever comes; `after_results` when invocations' results flow into it.

    Raises ParameterError, or what the making of a call raises. Nothing is sent, asked or shown.
    """
    if isinstance(stage, InvokeStage):
        _check_call(stage, after_results)
    elif after_results and isinstance(stage, VerbStage):
        _check_members(stage)


def emits_results(stage: Stage, *, after_results: bool) -> bool:
    """Whether invocations' whole results flow out of the stage."""
    if isinstance(stage, InvokeStage):
        return stage.emits_results()
    if not after_results or not isinstance(stage, VerbStage):
        return False
    making = {"expression", "property", "expand_property", "exclude_property"} & stage.options.keys()
    return stage.cmdlet.name in _PASSING or (stage.cmdlet.name == "Select-Object" and not making)


def _check_call(stage: InvokeStage, after_results: bool) -> None:
    arguments = gather(INVOKE, stage.values, stage.engine).arguments
    if "function_name" not in arguments:
        if after_results:
            raise ParameterError("A result is piped in, which gives the Payload: name the function to invoke.")
        return
    for name in ("Payload", "PayloadStream"):
        if name in stage.values and "FunctionName" in stage.values:
            raise ParameterError(f"The piped objects have no place: the {name} is given on the line.", parameter=name)
    silent = dataclasses.replace(
        stage.door, tell=_nothing, show=_nothing, assign=None if stage.door.assign is None else _nothing
    )
    if "FunctionName" in stage.values:
        engine = dataclasses.replace(stage.engine, audits=None, told=set(), history=History(limit=0))
        prepare({**stage.values, "WhatIf": True, "Verbose": False, "Debug": False}, engine, silent)


def _check_members(stage: VerbStage) -> None:
    """Refuses a verb that asks a result for a member which no result has."""
    if stage.cmdlet.name not in _READING:
        return
    members = {name.casefold() for name in RESULT_MEMBERS}
    for name in _names(stage):
        root = name.partition(".")[0]
        if root.casefold() not in members:
            raise ParameterError(
                f"'{root}' is no member of a result.{did_you_mean(root.replace('_', ''), RESULT_MEMBERS)}"
                f" Members: {', '.join(RESULT_MEMBERS)}.",
                parameter="Expression" if "expression" in stage.options else "Property",
            )
    expression = _expression(stage)
    if expression is not None:
        from lmfunction._select import compile_expression

        parameter = "Expression" if "expression" in stage.options else "Property"
        try:
            compile_expression(expression, RESULT_MEMBERS, parameter=parameter)
        except ParameterError as error:
            raise ParameterError(str(error.args[0]), parameter=parameter) from None


def _names(stage: VerbStage) -> Iterator[str]:
    options = stage.options
    wanted: list[Any] = [options.get("expand_property")]
    if stage.cmdlet.name == "Select-Object":
        wanted += names_of(options)
    else:
        found = options.get("property")
        wanted += found if isinstance(found, list) else [found]
    for name in wanted:
        if isinstance(name, str) and re.fullmatch(r"[\w.-]+", name):
            yield name


def _expression(stage: VerbStage) -> str | None:
    if stage.cmdlet.name == "Select-Object":
        expression = stage.options.get("expression")
        return None if expression is None or is_name_list(expression) else expression
    wanted = stage.options.get("property")
    return wanted if is_expression(wanted) else None


def _nothing(*_: Any) -> None:
    return None

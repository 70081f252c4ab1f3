"""Stages of a pipeline: a verb with its options, an invocation for each object, a function."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lmfunction import _cmdlets, _conditions, _csv, _figures, _outputs, _selecting, _sinks, _verbs
from lmfunction._arguments import convert
from lmfunction._bulk import invoke_many
from lmfunction._cmdlets import Engine
from lmfunction._door import NOTHING, Door
from lmfunction._json_lines import JsonText, ResultRecord
from lmfunction._model import InvokeResult
from lmfunction._params import Cmdlet
from lmfunction._pipeline import Flow, Stage, run
from lmfunction._table import INVOKE
from lmfunction.errors import ParameterError

_RUN: Final[Mapping[str, Callable[[Iterator[Any], Flow, Mapping[str, Any]], Iterator[Any]]]] = {
    "Select-Object": _selecting.select,
    "Where-Object": _conditions.where,
    "ForEach-Object": _verbs.foreach,
    "Sort-Object": _figures.sort,
    "Group-Object": _figures.group,
    "Measure-Object": _figures.measure,
    "Select-First": _verbs.first,
    "Select-Last": _verbs.last,
    "Expect-Object": _conditions.expect,
    "ConvertTo-Json": _verbs.to_json,
    "ConvertFrom-Json": _verbs.from_json,
    "Format-Table": _sinks.format_table,
    "Format-List": _sinks.format_list,
    "Out-File": _outputs.out_file,
    "Export-Csv": _csv.export_csv,
    "Import-Csv": _csv.import_csv,
    "ConvertTo-DataFrame": _sinks.to_frame,
}
_CHECKS: Final[Mapping[str, Callable[[Mapping[str, Any]], object]]] = {
    "Select-Object": _selecting.check_select,
    "Where-Object": _conditions.condition,
    "Expect-Object": _conditions.condition,
    "ForEach-Object": _verbs.worker,
    "Out-File": _outputs.check_file,
    "Export-Csv": _csv.check_export,
    "Import-Csv": _csv.check_delimiter,
}
_ENDS: Final = frozenset(
    ["Measure-Object", "ConvertTo-Json", "Format-Table", "Format-List", "Out-File", "Export-Csv", "ConvertTo-DataFrame"]
)


@dataclass(frozen=True)
class VerbStage(Stage):
    """A verb with its options (by Python name). Options that make no sense are refused when it is made."""

    cmdlet: Cmdlet
    options: Mapping[str, Any] = field(default_factory=dict)
    door: Door = field(default_factory=Door)

    def __post_init__(self) -> None:
        check = _CHECKS.get(self.cmdlet.name)
        if self.cmdlet.name == "Tee-Object" and "file_path" in self.options:
            check = _outputs.check_file
        if check is not None:
            check(self.options)

    @property
    def ends(self) -> bool:  # type: ignore[override]
        """Whether it makes one object of all."""
        return self.cmdlet.name in _ENDS

    def run(self, objects: Iterator[Any], flow: Flow) -> Iterator[Any]:
        """The objects that the verb makes of `objects`."""
        if self.cmdlet.name == "Tee-Object":
            return self._tee(objects)
        return _RUN[self.cmdlet.name](objects, flow, self.options)

    def _tee(self, objects: Iterator[Any]) -> Iterator[Any]:
        variable = self.options.get("variable")
        if variable is None:
            return _outputs.tee_file(objects, self.options)
        return self._keeping(objects, variable)

    def _keeping(self, objects: Iterator[Any], variable: str) -> Iterator[Any]:
        kept: list[Any] = []
        if variable.startswith("+"):
            variable = variable[1:]
            held = self.door.scope.names.get(variable, [])
            kept = [*held] if isinstance(held, list) else [held]
        assert self.door.assign is not None
        try:
            for value in objects:
                kept.append(value)
                yield value
        finally:  # also when a later stage has enough, or fails: what came is kept
            self.door.assign(variable, kept)

    def __repr__(self) -> str:
        options = " ".join(f"-{name} {value!r}" for name, value in self.options.items())
        return f"{self.cmdlet.python_names[0]} {options}".rstrip()


@dataclass(frozen=True)
class InvokeStage(Stage):
    """Invoke-LMFunction for each object: one gives an InvokeResult, several a BulkResult."""

    values: Mapping[str, Any]
    engine: Engine
    door: Door
    on_result: Callable[[InvokeResult], None] = lambda _: None
    ends = True

    def run(self, objects: Iterator[Any], flow: Flow) -> Iterator[Any]:
        """The results; a failed one only when nothing follows, so that no stage is fed with an error object."""
        objects = iter(objects)
        head = list(itertools.islice(objects, 2))
        if not head:
            return
        if len(head) == 1 and not flow.many:
            emitted = _cmdlets.invoke(bind_object(head[0], self.values), self.engine, self.door, self.on_result)
            if emitted is not NOTHING and not self._withheld(emitted, flow):
                yield emitted
            return
        run = invoke_many(
            itertools.chain(head, objects),
            lambda value: bind_object(value, self.values),
            self.engine,
            self.door,
            self.on_result,
            _limit(self.values),
        )
        if not run.items or all(item.result is None and item.error is None for item in run.items):
            return  # -WhatIf
        if self.values.get("Select", "*") == "*" and not self.values.get("PassThru"):
            flow.many = False
            yield run
            return
        flow.many = True
        for item in run.items:
            if item.result is not None and item.ok and item.select is not None:
                yield item.select(item.result)

    def _withheld(self, emitted: Any, flow: Flow) -> bool:
        return isinstance(emitted, InvokeResult) and not emitted.ok and flow.last is not self

    def __repr__(self) -> str:
        return f"invoke_lm {self.values.get('FunctionName', '')}".rstrip()


@dataclass(frozen=True)
class CmdletStage(Stage):
    """Any other cmdlet, run for each object, which gives what the line leaves open."""

    cmdlet: Cmdlet
    values: Mapping[str, Any]
    engine: Engine
    door: Door
    runner: Callable[..., Any]

    def run(self, objects: Iterator[Any], flow: Flow) -> Iterator[Any]:
        """What the cmdlet emits for each object."""
        for value in objects:
            bound = {**_open_values(value, self.cmdlet, self.values), **self.values}
            emitted = self.runner(bound, self.engine, self.door, lambda _: None)
            if emitted is not NOTHING:
                yield emitted

    def __repr__(self) -> str:
        return self.cmdlet.python_names[0]


def verb_stage(verb: Cmdlet, values: Mapping[str, Any], door: Door) -> VerbStage:
    """The stage of `verb` with `values` (by parameter name) converted. Raises ParameterError."""
    options = convert(verb, values)
    if verb.name == "Tee-Object":
        if ("variable" in options) == ("file_path" in options):
            raise ParameterError("Tee-Object needs a -Variable or a -FilePath: give one of them.")
        _cmdlets.check_assignable({"variable": 1} if "variable" in options else {}, door)
    for parameter in verb.parameters:
        if parameter.mandatory and parameter.target not in options:
            raise ParameterError(f"{verb.name} needs -{parameter.name}.", parameter=parameter.name)
    return VerbStage(verb, options, door)


def cmdlet_stage(
    cmdlet: Cmdlet,
    values: Mapping[str, Any],
    engine: Engine,
    door: Door,
    on_result: Callable[[InvokeResult], None],
    runner: Callable[..., Any],
) -> Stage:
    """The stage that runs `cmdlet` with `values` (by parameter name) for each object."""
    if cmdlet is INVOKE:
        return InvokeStage(values, engine, door, on_result)
    return CmdletStage(cmdlet, values, engine, door, runner)


def invoke(values: Mapping[str, Any], engine: Engine, door: Door, on_result: Callable[[InvokeResult], None]) -> Any:
    """Invoke-LMFunction for `values` (by parameter name): once, or once for each object of InputObject."""
    if "InputObject" not in values:
        return _cmdlets.invoke(values, engine, door, on_result)
    stage = InvokeStage({k: v for k, v in values.items() if k != "InputObject"}, engine, door, on_result)
    return run([values["InputObject"]], [stage])


def bind_object(value: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters for one piped object: what is bound already, and the object by value or by property name.

    A result gives its payload; text is the FunctionName when that is free; a mapping with a FunctionName binds every
    parameter of a name of its own when FunctionName is free; anything else is the Payload. Raises FunctionError for a
    result that failed.
    """
    if isinstance(value, InvokeResult):
        value.raise_for_error()  # the payload of a failed one is an error, which is no event
    bound = dict(values)
    if "FunctionName" not in bound:
        if isinstance(value, str):
            return {**bound, "FunctionName": str(value)}
        if isinstance(value, Mapping) and any(isinstance(k, str) and k.casefold() == "functionname" for k in value):
            return {**_by_property_name(value, INVOKE), **bound}
    if "Payload" in bound or "PayloadStream" in bound:
        raise ParameterError("The piped object has no place: the Payload is given on the line.", parameter="Payload")
    if isinstance(value, JsonText):
        return {**bound, "Payload": value.written}
    return {**bound, "Payload": value.payload if isinstance(value, InvokeResult | ResultRecord) else value}


def _by_property_name(value: Mapping[str, Any], cmdlet: Cmdlet) -> dict[str, Any]:
    """The members of `value` that have a parameter's name or alias; an empty cell of a CSV counts as not given."""
    by_spelling = {spelling: p for p in cmdlet.parameters if p.by_name for spelling in p.spellings}
    found: dict[str, Any] = {}
    for key, item in value.items():
        parameter = by_spelling.get(str(key).casefold())
        if parameter is not None and item is not None and item != "":
            found[parameter.name] = item
    return found


def _open_values(value: Any, cmdlet: Cmdlet, values: Mapping[str, Any]) -> dict[str, Any]:
    """What one piped object gives a cmdlet: members by property name, text to the parameter that takes it by value."""
    if isinstance(value, Mapping):
        return {name: item for name, item in _by_property_name(value, cmdlet).items() if name not in values}
    taking = next((p for p in cmdlet.parameters if p.by_value and p.name not in values), None)
    if taking is None:
        raise ParameterError(f"{cmdlet.name} takes no {type(value).__name__} from the pipeline.")
    return {taking.name: value}


def _limit(values: Mapping[str, Any]) -> int:
    return int(convert(INVOKE, {"ThrottleLimit": values.get("ThrottleLimit", 10)})["throttle_limit"])

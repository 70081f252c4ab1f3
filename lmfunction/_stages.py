"""Stages of a pipeline: a verb with its options, a cmdlet for each object."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lmfunction import _conditions, _csv, _figures, _outputs, _selecting, _sinks, _verbs
from lmfunction._arguments import convert
from lmfunction._batch import Batch
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._gathered import gather
from lmfunction._invoke_stage import InvokeStage
from lmfunction._model import InvokeResult
from lmfunction._notices import check_assignable
from lmfunction._operations import READING_VERBS, verb_of
from lmfunction._params import Cmdlet
from lmfunction._piped import open_values
from lmfunction._pipeline import Flow, Stage
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
_KEEPING: Final = frozenset(
    [
        "Where-Object",
        "Sort-Object",
        "Select-First",
        "Select-Last",
        "Tee-Object",
        "Expect-Object",
        "ConvertFrom-Json",
    ]
)
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

    def begin(self, flow: Flow) -> Iterator[Any]:
        """The rows of a CSV file; no other verb begins a pipe."""
        return _csv.import_csv(iter(()), flow, self.options) if self.begins else super().begin(flow)

    @property
    def spreads(self) -> bool:  # type: ignore[override]
        """Whether a list that it emits is several objects; it is not where objects are let through, or taken apart."""
        if self.cmdlet.name == "Select-Object":
            return self.options.get("expression") is not None and not _selecting.takes_apart(self.options)
        return self.cmdlet.name not in _KEEPING

    @property
    def begins(self) -> bool:
        """Whether it makes objects of its own, so that a pipeline begins with it."""
        return self.cmdlet.name == "Import-Csv"

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
class CmdletStage(Stage):
    """Any other cmdlet, run for each object, which gives what the line leaves open."""

    cmdlet: Cmdlet
    values: Mapping[str, Any]
    engine: Engine
    door: Door
    runner: Callable[..., Any]

    def run(self, objects: Iterator[Any], flow: Flow) -> Iterator[Any]:
        """What the cmdlet emits for each object."""
        profile = gather(self.cmdlet, self.values, self.engine).profile
        head = list(itertools.islice(objects, 1))
        left = operator.length_hint(objects, -1)
        batch = Batch(None if left < 0 else left + len(head))
        if batch.count is not None and self._changes:
            batch.admit(profile, batch.count)
        for value in itertools.chain(head, objects):
            if batch.count is None and self._changes:
                batch.admit(profile)
            bound = {**open_values(value, self.cmdlet, self.values), **self.values}
            emitted = self.runner(bound, self.engine, self.door, lambda _: None)
            if emitted is not NOTHING:
                yield emitted

    @property
    def _changes(self) -> bool:
        return verb_of(self.cmdlet) not in READING_VERBS

    def __repr__(self) -> str:
        return self.cmdlet.python_names[0]


def verb_stage(verb: Cmdlet, values: Mapping[str, Any], door: Door) -> VerbStage:
    """The stage of `verb` with `values` (by parameter name) converted. Raises ParameterError."""
    options = convert(verb, values)
    if verb.name == "Tee-Object":
        if ("variable" in options) == ("file_path" in options):
            raise ParameterError("Tee-Object needs a -Variable or a -FilePath: give one of them.")
        check_assignable({"variable": 1} if "variable" in options else {}, door)
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

"""A line or a terminal's arguments, run: bind, then the cmdlet's steps. What doors with text have in common."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ParamSpec

from lmfunction import _pipeline as pipeline
from lmfunction import _runners
from lmfunction._background import apart
from lmfunction._binder import Bindings, Bound, bind, refuse_together
from lmfunction._body import read_payload
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._gathered import gather, is_dry
from lmfunction._grammar import Form, Help, Stage, Value, parse_arguments, parse_line
from lmfunction._help import HelpText, View, cmdlet_help
from lmfunction._mask import masked_text
from lmfunction._model import InvokeResult
from lmfunction._params import Cmdlet, Kind, Parameter
from lmfunction._paths import fault
from lmfunction._precheck import check_stage, emits_results
from lmfunction._redact import typed_secret
from lmfunction._stages import VerbStage, cmdlet_stage, verb_stage
from lmfunction._table import CMDLETS, SESSION, find_cmdlet
from lmfunction._text import ascii_only, did_you_mean, one_line, shorten
from lmfunction._values import read
from lmfunction._verb_table import VERBS
from lmfunction.errors import ParameterError

OnResult = Callable[[InvokeResult], None]
P = ParamSpec("P")


def _until_stopped(run: Callable[P, Any]) -> Callable[P, Any]:
    """`run`, which gives NOTHING where help was shown or -WhatIf ended it."""

    @functools.wraps(run)
    def stoppable(*args: P.args, **keywords: P.kwargs) -> Any:
        try:
            return run(*args, **keywords)
        except pipeline.Stopped:
            return NOTHING

    return stoppable


@_until_stopped
def run_line(
    cmdlet: Cmdlet,
    line: str,
    body: str | None,
    engine: Engine,
    door: Door,
    defaults: Mapping[str, Any],
    on_result: OnResult = lambda _: None,
    objects: Iterable[Any] | None = None,
) -> Any:
    """What the line after a magic's name emits, or NOTHING.

    `body` is a cell's body; `defaults` are the door's own; `objects` are piped into the first stage.
    """
    first, *rest = _parsed(line)
    desk = _Desk(engine, apart(door) if rest else door, defaults, on_result)
    if objects is not None and not _takes_no_objects(first):
        return _fed(objects, desk.stages([desk.bound(cmdlet, first)], rest))
    return desk.run_cmdlet(cmdlet, first, body, rest)


@_until_stopped
def run_pipeline(
    line: str,
    engine: Engine,
    door: Door,
    defaults: Mapping[str, Any],
    on_result: OnResult = lambda _: None,
    objects: Iterable[Any] | None = None,
) -> Any:
    """What a whole pipeline emits, whose first stage is a cmdlet, a verb that reads a file, or a value.

    With `objects` piped into it any verb may be the first.
    """
    first, *rest = _parsed(line)
    if not first.tokens:
        raise ParameterError("The line is empty: begin with a cmdlet or a $variable.")
    desk = _Desk(engine, apart(door) if rest else door, defaults, on_result)
    head, *arguments = first.tokens
    if isinstance(head, Value) and head.form is not Form.WORD:
        if arguments:
            told = "A value stands alone in its stage; continue with |."
            raise fault(told, masked_text(first.source), arguments[0].column)
        stages = desk.stages([], rest)
        value = read(_OBJECTS, head, door.scope, first.source)
        return pipeline.run([value], stages) if stages else value
    cmdlet = find_cmdlet(head.text if isinstance(head, Value) else "")
    if cmdlet is not None and (objects is None or _takes_no_objects(first)):
        return desk.run_cmdlet(cmdlet, Stage(tuple(arguments), first.source, first.column), None, rest)
    source = desk.stage(first)
    if objects is None and not (isinstance(source, VerbStage) and source.begins):
        name = head.text if isinstance(head, Value) else "This"
        told = f"{name} needs objects: begin with a cmdlet, Import-Csv or a $variable."
        raise fault(told, masked_text(first.source), head.column)
    stages = desk.stages([source], rest)
    return pipeline.run([None], stages) if objects is None else _fed(objects, stages)


@_until_stopped
def run_arguments(
    arguments: Sequence[str],
    engine: Engine,
    door: Door,
    on_result: OnResult,
    defaults: Mapping[str, Any] = MappingProxyType({}),
    objects: Iterable[Any] | None = None,
    *,
    variables: bool = False,
) -> Any:
    """What a terminal's arguments emit: a cmdlet's name and its arguments, or one argument that is a whole line.

    `objects` are piped into it, so that it may be a verb's name; `variables` as for `parse_arguments`.
    """
    if len(arguments) == 1 and any(c.isspace() for c in arguments[0].strip()):
        return run_pipeline(arguments[0].strip(), engine, door, defaults, on_result, objects)
    name, stage = arguments[0], parse_arguments(arguments[1:], variables=variables)
    desk = _Desk(engine, door, defaults, on_result)
    cmdlet = find_cmdlet(name)
    if objects is not None and not _takes_no_objects(stage):
        chosen = find_cmdlet(name, VERBS) or cmdlet
        if chosen is None:
            raise _no_stage(name, None, verbs=VERBS)
        return _fed(objects, [desk.bound(chosen, stage)])
    if cmdlet is None:
        raise _no_stage(name, None)
    return desk.run_cmdlet(cmdlet, stage, None, ())


def _fed(objects: Iterable[Any], stages: Sequence[pipeline.Stage]) -> Any:
    """What the stages make of objects from outside, of which only the second tells that there are several."""
    objects = iter(objects)
    head = list(itertools.islice(objects, 2))
    return pipeline.run(itertools.chain(head, objects), stages, many=len(head) > 1)


def check_line(line: str) -> None:
    """Raises ParameterError when the line cannot be taken apart. Nothing is looked up."""
    _parsed(line)


def _takes_no_objects(stage: Stage) -> bool:
    """Whether the stage asks for help, or takes the standard input as a value: then nothing is piped into it."""
    return any(
        isinstance(token, Help)
        or (isinstance(token, Value) and token.text == "-" and token.form in (Form.WORD, Form.ARGUMENT))
        for token in stage.tokens
    )


@dataclass(frozen=True)
class _Desk:
    """Where one line's stages are made and its first cmdlet is run."""

    engine: Engine
    door: Door
    defaults: Mapping[str, Any]
    on_result: OnResult

    def run_cmdlet(self, cmdlet: Cmdlet, stage: Stage, body: str | None, rest: Sequence[Stage]) -> Any:
        """What a cmdlet and the stages behind it emit, or NOTHING. A failed result is not fed on."""
        bindings = self._bind(cmdlet, stage)
        if body is not None:
            _bind_body(bindings, body, self.door)
            refuse_together(bindings)
        values = {name: bound.value for name, bound in bindings.values.items()}
        runner = _runners.runner_of(cmdlet)
        door = replace(self.door, defaults=self.defaults)
        if rest:
            door = replace(door, live=Door.live)  # what goes on to other stages is not what is shown
        try:
            made = cmdlet_stage(cmdlet, values, self.engine, self.door, self.on_result, runner) if rest else None
            following = self.stages([made] if made else [], rest)[1:]
        except ParameterError as error:
            raise _placed(error, bindings) from None
        try:
            emitted = runner(values, self.engine, door, self.on_result)
        except ParameterError as error:
            raise _placed(error, bindings) from None
        if not following:
            return emitted
        if emitted is NOTHING and self._is_dry(cmdlet, values):
            return NOTHING
        fed = emitted is not NOTHING and (not isinstance(emitted, InvokeResult) or emitted.ok)
        return pipeline.run([emitted] if fed else [], following)

    def _is_dry(self, cmdlet: Cmdlet, values: Mapping[str, Any]) -> bool:
        given = {"what_if": values[_WHAT_IF]} if _WHAT_IF in values else {}
        arguments = given if cmdlet.name in SESSION else gather(cmdlet, values, self.engine).arguments
        return is_dry(arguments, self.engine, self.door)

    def stages(self, made: Sequence[pipeline.Stage], rest: Sequence[Stage]) -> list[pipeline.Stage]:
        """The stages `made` already and those that `rest` spells, each checked against what flows into it."""
        found = list(made)
        results = bool(found) and emits_results(found[-1], after_results=False)
        for stage in rest:
            found.append(self.stage(stage, results))
            results = emits_results(found[-1], after_results=results)
        return found

    def stage(self, stage: Stage, after_results: bool | None = None) -> pipeline.Stage:
        """What stands between two `|`: a verb, a cmdlet or a $function. `after_results` as for `bound`."""
        head, *arguments = stage.tokens
        if isinstance(head, Value) and head.form in (Form.PATH, Form.EXPRESSION):
            function = read(_OBJECTS, head, self.door.scope, stage.source)
            if not callable(function):
                kind = type(function).__name__
                raise fault(f"{head.text} is {kind}; only a function can be piped into.", stage.source, head.column)
            return pipeline.FunctionStage(function)
        name = head.text if isinstance(head, Value) else ""
        chosen = find_cmdlet(name, VERBS) or find_cmdlet(name)
        if chosen is None:
            raise _no_stage(name, stage)
        return self.bound(chosen, Stage(tuple(arguments), stage.source, stage.column), after_results)

    def bound(self, chosen: Cmdlet, stage: Stage, after_results: bool | None = None) -> pipeline.Stage:
        """The stage of a verb or cmdlet, its parameters bound and checked. `stage` holds what follows its name.

        `after_results` tells of a stage behind others whether results flow into it; None: it is the first.
        """
        bindings = self._bind(chosen, stage)
        values = {key: bound.value for key, bound in bindings.values.items()}
        made: pipeline.Stage
        try:
            if chosen in VERBS:
                made = verb_stage(chosen, values, self.door)
                if made.begins and after_results is not None:
                    raise ParameterError(f"{chosen.name} begins a pipeline; it takes no objects.", parameter="Path")
            else:
                runner = _runners.runner_of(chosen)
                made = cmdlet_stage(chosen, values, self.engine, self.door, self.on_result, runner)
            if after_results is not None:
                check_stage(made, after_results=after_results)
        except ParameterError as error:
            raise _placed(error, bindings) from None
        return made

    def _bind(self, cmdlet: Cmdlet, stage: Stage) -> Bindings:
        """What the stage binds, the door's defaults included. Shows help and ends the run when that is asked for."""
        bindings = bind(cmdlet, stage, self.door.scope)
        if bindings.wants_help:
            self.door.show(HelpText(cmdlet_help(cmdlet, view=View.BASIC).rstrip("\n")))
            raise pipeline.Stopped
        for name, value in self.defaults.items():
            if cmdlet.name not in SESSION and name in cmdlet.by_name:
                bindings.values.setdefault(name, Bound(value, "default"))
        refuse_together(bindings)
        for token in stage.tokens:
            if isinstance(token, Value) and token.form not in (Form.PATH, Form.EXPRESSION):
                _warn_of_secret(token.text, bindings, self.door)
        return bindings


def _warn_of_secret(text: str, bindings: Bindings, door: Door) -> None:
    """Tells that what was typed looks like a secret, which the history and the saved notebook keep."""
    found = typed_secret(text)
    if found is None or ((quiet := bindings.values.get("WarningAction")) and str(quiet.value) == "SilentlyContinue"):
        return
    door.tell(
        "warning",
        f"What was typed looks like a secret ({one_line(found, 60)}), and the history and a saved notebook keep it. "
        "Put it into a $variable with getpass, or write where it is kept: env:NAME, ssm:/path, secretsmanager:name.",
    )


def _bind_body(bindings: Bindings, body: str, door: Door) -> None:
    """Binds a cell's body to the parameter that takes it, which then must not be on the line too."""
    name = bindings.cmdlet.body
    assert name is not None
    for taken in (name, *bindings.cmdlet.by_name[name].excludes):
        if taken in bindings.values:
            raise bindings.error(
                f"-{taken} stands on the line, and the cell's body is the {name}: give one of them.",
                bindings.values[taken].column,
                taken,
            )
    if name == "Payload":
        _warn_of_secret(body, bindings, door)
    value = read_payload(body, door.scope) if name == "Payload" else body
    bindings.values[name] = Bound(value, "body")


def _placed(error: ParameterError, bindings: Bindings) -> ParameterError:
    """The error, pointing at its parameter's value in the line when that stands there and nothing points yet."""
    bound = bindings.values.get(error.parameter or "")
    if error.column is not None or bound is None or bound.column == 0:
        return error
    placed = bindings.error(str(error.args[0]), bound.column, error.parameter)
    placed.source = bindings.masked_source
    return placed


def _parsed(line: str) -> tuple[Stage, ...]:
    try:
        return parse_line(line)
    except ParameterError as error:
        raise ParameterError(
            str(error.args[0]), parameter=error.parameter, source=masked_text(line), line=1, column=error.column
        ) from None


def _no_stage(name: str, stage: Stage | None, *, verbs: Sequence[Cmdlet] = ()) -> ParameterError:
    known = [n for c in (*CMDLETS, *(VERBS if stage else verbs)) for n in c.names]
    shown = ascii_only(shorten(name, 40))
    if stage is None:
        return ParameterError(
            f"'{shown}' is no cmdlet.{did_you_mean(name, [*known, 'local'])} `lmfunction --help` lists them."
        )
    return fault(
        f"'{shown}' is no verb and no cmdlet.{did_you_mean(name, known)}", masked_text(stage.source), _column(stage)
    )


def _column(stage: Stage) -> int:
    return stage.tokens[0].column if stage.tokens else stage.column


_WHAT_IF = "WhatIf"
_OBJECTS = Parameter("InputObject", Kind.LITERAL, "The head of a pipeline.")

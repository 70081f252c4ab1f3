"""A line or a terminal's arguments, run: bind, then the cmdlet's steps. What doors with text have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from lmfunction import _pipeline as pipeline
from lmfunction import _runners
from lmfunction._binder import Bindings, Bound, bind, refuse_together
from lmfunction._body import read_payload
from lmfunction._cmdlets import Engine
from lmfunction._door import NOTHING, Door
from lmfunction._grammar import Form, Help, Stage, Value, parse_arguments, parse_line
from lmfunction._help import cmdlet_help
from lmfunction._mask import masked_text
from lmfunction._model import InvokeResult
from lmfunction._params import Cmdlet, Kind, Parameter
from lmfunction._paths import fault
from lmfunction._stages import cmdlet_stage, verb_stage
from lmfunction._table import CMDLETS, find_cmdlet
from lmfunction._text import ascii_only, did_you_mean, shorten
from lmfunction._values import read
from lmfunction._verb_table import VERBS
from lmfunction.errors import ParameterError

OnResult = Callable[[InvokeResult], None]


class HelpText(str):
    """Help that shows itself as text, whatever shows it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


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
    following = [_stage(stage, engine, door, defaults, on_result) for stage in rest]
    if objects is not None and not _takes_no_objects(first):
        return pipeline.run(objects, [_bound(cmdlet, first, engine, door, defaults, on_result), *following])
    emitted = run_stage(cmdlet, first, body, engine, door, defaults, on_result)
    return _piped(emitted, following)


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
    following = [_stage(stage, engine, door, defaults, on_result) for stage in rest]
    head, *arguments = first.tokens
    if isinstance(head, Value) and head.form is not Form.WORD:
        if arguments:
            raise fault("A value stands alone in its stage; continue with |.", first.source, arguments[0].column)
        return _piped(read(_OBJECTS, head, door.scope, first.source), following, given=True)
    name = head.text if isinstance(head, Value) else ""
    cmdlet = find_cmdlet(name)
    if cmdlet is not None and (objects is None or _takes_no_objects(first)):
        stage = Stage(tuple(arguments), first.source, first.column)
        return _piped(run_stage(cmdlet, stage, None, engine, door, defaults, on_result), following)
    source = _stage(first, engine, door, defaults, on_result)
    return pipeline.run([None] if objects is None else objects, [source, *following])


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
    cmdlet = find_cmdlet(name)
    if objects is not None and not _takes_no_objects(stage):
        chosen = find_cmdlet(name, VERBS) or cmdlet
        if chosen is None:
            raise _no_stage(name, None)
        return pipeline.run(objects, [_bound(chosen, stage, engine, door, defaults, on_result)])
    if cmdlet is None:
        raise _no_stage(name, None)
    return run_stage(cmdlet, stage, None, engine, door, defaults, on_result)


def _takes_no_objects(stage: Stage) -> bool:
    """Whether the stage asks for help, or takes the standard input as a value: then nothing is piped into it."""
    return any(
        isinstance(token, Help)
        or (isinstance(token, Value) and token.text == "-" and token.form in (Form.WORD, Form.ARGUMENT))
        for token in stage.tokens
    )


def run_stage(
    cmdlet: Cmdlet,
    stage: Stage,
    body: str | None,
    engine: Engine,
    door: Door,
    defaults: Mapping[str, Any],
    on_result: OnResult,
) -> Any:
    """What one stage emits, or NOTHING."""
    bindings = bind(cmdlet, stage, door.scope)
    if bindings.wants_help:
        door.show(HelpText(cmdlet_help(cmdlet)))
        return NOTHING
    if body is not None:
        _bind_body(bindings, body, door)
    for name, value in defaults.items():
        if name in cmdlet.by_name:
            bindings.values.setdefault(name, Bound(value, "default"))
    refuse_together(bindings)
    values = {name: bound.value for name, bound in bindings.values.items()}
    try:
        return _runners.run(cmdlet, values, engine, door, on_result)
    except ParameterError as error:
        raise _placed(error, bindings) from None


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


def _piped(emitted: Any, following: Sequence[pipeline.Stage], *, given: bool = False) -> Any:
    """What comes out behind the first stage. A failed result, unless it was handed in as a value, is not fed on."""
    if not following or emitted is NOTHING:
        return NOTHING if emitted is NOTHING else emitted
    if isinstance(emitted, InvokeResult) and not emitted.ok and not given:
        return NOTHING
    return pipeline.run([emitted], following)


def _stage(
    stage: Stage, engine: Engine, door: Door, defaults: Mapping[str, Any], on_result: OnResult
) -> pipeline.Stage:
    """What stands between two `|`: a verb, a cmdlet or a $function, its parameters bound and checked."""
    head, *arguments = stage.tokens
    if isinstance(head, Value) and head.form in (Form.PATH, Form.EXPRESSION):
        function = read(_OBJECTS, head, door.scope, stage.source)
        if not callable(function):
            kind = type(function).__name__
            raise fault(f"{head.text} is {kind}; only a function can be piped into.", stage.source, head.column)
        return pipeline.FunctionStage(function)
    name = head.text if isinstance(head, Value) else ""
    chosen = find_cmdlet(name, VERBS) or find_cmdlet(name)
    if chosen is None:
        raise _no_stage(name, stage)
    rest = Stage(tuple(arguments), stage.source, stage.column)
    return _bound(chosen, rest, engine, door, defaults, on_result)


def _bound(
    chosen: Cmdlet, stage: Stage, engine: Engine, door: Door, defaults: Mapping[str, Any], on_result: OnResult
) -> pipeline.Stage:
    """The stage of a verb or cmdlet, its parameters bound and checked. `stage` holds what follows its name."""
    bindings = bind(chosen, stage, door.scope)
    if bindings.wants_help:
        return pipeline.FunctionStage(lambda _: HelpText(cmdlet_help(chosen)))
    for default, value in defaults.items():
        if default in chosen.by_name:
            bindings.values.setdefault(default, Bound(value, "default"))
    values = {key: bound.value for key, bound in bindings.values.items()}
    try:
        if chosen in VERBS:
            return verb_stage(chosen, values, door)
        return cmdlet_stage(chosen, values, engine, door, on_result, _runners.runner_of(chosen))
    except ParameterError as error:
        raise _placed(error, bindings) from None


def _no_stage(name: str, stage: Stage | None) -> ParameterError:
    known = [n for c in (*CMDLETS, *(VERBS if stage else ())) for n in c.names]
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


_OBJECTS = Parameter("InputObject", Kind.LITERAL, "The head of a pipeline.")

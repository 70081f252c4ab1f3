"""A line or a terminal's arguments, run: bind, then the cmdlet's steps. What doors with text have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lmfunction import _runners
from lmfunction._binder import Bindings, Bound, bind, refuse_together
from lmfunction._body import read_payload
from lmfunction._cmdlets import Engine
from lmfunction._door import NOTHING, Door
from lmfunction._grammar import Stage, Value, parse_arguments, parse_line
from lmfunction._help import cmdlet_help
from lmfunction._mask import masked_text
from lmfunction._model import InvokeResult
from lmfunction._params import Cmdlet
from lmfunction._table import CMDLETS, find_cmdlet
from lmfunction._text import ascii_only, did_you_mean, shorten
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
) -> Any:
    """What the line after a magic's name emits, or NOTHING. `body` is a cell's body; `defaults` are the door's own."""
    stages = _parsed(line)
    _refuse_verbs(stages)
    return run_stage(cmdlet, stages[0], body, engine, door, defaults, on_result)


def run_arguments(arguments: Sequence[str], engine: Engine, door: Door, on_result: OnResult) -> Any:
    """What a terminal's arguments emit: a cmdlet's name and its arguments, or one argument that is a whole line."""
    if len(arguments) == 1 and any(c.isspace() for c in arguments[0].strip()):
        stages = _parsed(arguments[0])
        _refuse_verbs(stages)
        first = stages[0].tokens[0] if stages[0].tokens else None
        name = first.text if isinstance(first, Value) else ""
        stage = Stage(stages[0].tokens[1:], stages[0].source)
    else:
        name, stage = arguments[0], parse_arguments(arguments[1:])
    cmdlet = find_cmdlet(name)
    if cmdlet is None:
        known = [n for c in CMDLETS for n in c.names]
        shown = ascii_only(shorten(name, 40))
        raise ParameterError(
            f"'{shown}' is no cmdlet.{did_you_mean(name, [*known, 'local'])} `lmfunction --help` lists them."
        )
    return run_stage(cmdlet, stage, None, engine, door, {}, on_result)


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


def _refuse_verbs(stages: Sequence[Stage]) -> None:
    if len(stages) > 1:
        first = stages[1].tokens[0]
        name = first.text if isinstance(first, Value) else "?"
        raise ParameterError(f"There is no verb '{ascii_only(shorten(name, 40))}' to pipe into.")

"""Which parameter gets which value: PowerShell's binding over the parameter table.

Typed parameters by name, prefix or alias; then positions; a typed parameter beats a splatted one on either side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from lmfunction._grammar import Form, Help, Name, Splat, Stage, Value
from lmfunction._mask import masked_line
from lmfunction._params import Cmdlet, Kind, Parameter
from lmfunction._scope import Scope, resolve
from lmfunction._text import did_you_mean
from lmfunction._values import LISTS, SWITCH_WORDS, read
from lmfunction.errors import ParameterError

Origin = Literal["typed", "splatted", "default", "body"]
# How people who think of Python write what is -eq in a comparison's line.
_SIGNS: Final = {"==": "-eq", "=": "-eq", "!=": "-ne", ">": "-gt", ">=": "-ge", "<": "-lt", "<=": "-le"}
_STRENGTH: Final = {"default": 0, "splatted": 1, "body": 2, "typed": 2}


@dataclass(frozen=True, slots=True)
class Bound:
    """A value bound to a parameter; `column` is where it stands in the line, 0 when it does not stand there."""

    value: Any
    origin: Origin = "typed"
    column: int = 0


@dataclass
class Bindings:
    """What a stage binds: parameter name -> value. `wants_help` when `-?` was typed."""

    cmdlet: Cmdlet
    source: str
    values: dict[str, Bound] = field(default_factory=dict)
    wants_help: bool = False
    stage: Stage | None = None

    @property
    def masked_source(self) -> str:
        """The line with payloads and secrets blanked."""
        return masked_line(self.stage, self.cmdlet) if self.stage is not None else self.source

    def error(self, message: str, column: int, parameter: str | None = None) -> ParameterError:
        """An error at `column` of the line."""
        return ParameterError(message, parameter=parameter, source=self.source, line=1, column=column)


def bind(cmdlet: Cmdlet, stage: Stage, scope: Scope) -> Bindings:
    """What `stage` binds to the parameters of `cmdlet`.

    Raises ParameterError that points into the line, whose payloads and secrets are blanked.
    """
    try:
        return _Binding(cmdlet, stage, scope).result()
    except ParameterError as error:
        if error.column is None or error.source != stage.source:
            raise
        raise ParameterError(
            str(error.args[0]),
            parameter=error.parameter,
            source=masked_line(stage, cmdlet),
            line=1,
            column=error.column,
        ) from None


def refuse_together(bindings: Bindings) -> None:
    """Refuses parameters that exclude each other; a default gives way to what was given."""
    for name in list(bindings.values):
        bound = bindings.values.get(name)
        for other in bindings.cmdlet.by_name[name].excludes if bound else ():
            against = bindings.values.get(other)
            if bound is None or against is None:
                continue
            if bound.origin == "default" or against.origin == "default":
                del bindings.values[name if bound.origin == "default" else other]
                break
            column = max(bound.column, against.column)
            raise bindings.error(f"-{name} and -{other} exclude each other: give one of them.", column, name)


class _Binding:
    def __init__(self, cmdlet: Cmdlet, stage: Stage, scope: Scope) -> None:
        self.stage = stage
        self.scope = scope
        self.bindings = Bindings(cmdlet, stage.source, stage=stage)
        self.positional: list[Value | Bound] = []
        self.splatted: dict[str, Bound] = {}

    def result(self) -> Bindings:
        tokens = list(self.stage.tokens)
        while tokens:
            token = tokens.pop(0)
            if isinstance(token, Help):
                self.bindings.wants_help = True
            elif isinstance(token, Splat):
                self._take_splat(token)
            elif isinstance(token, Name):
                self._take_name(token, tokens)
            else:
                self.positional.append(token)
        self._take_positions()
        self.bindings.values = {**self.splatted, **self.bindings.values}
        refuse_together(self.bindings)
        return self.bindings

    def _take_name(self, token: Name, tokens: list[Any]) -> None:
        parameter = self._find(token.text, token.column)
        if parameter is None:
            return
        if parameter.name in self.bindings.values:
            raise self._error(f"-{parameter.name} is given twice.", token.column, parameter)
        if parameter.kind is Kind.SWITCH and not token.attached:
            self.bindings.values[parameter.name] = Bound(True, "typed", token.column)
            return
        following = tokens[0] if tokens else None
        if parameter.kind is Kind.BOOLEAN and not token.attached and not _says_boolean(following):
            self.bindings.values[parameter.name] = Bound(True, "typed", token.column)
            return
        if not isinstance(following, Value):
            what = (
                "another parameter follows; put a value that begins with a dash in quotes"
                if following
                else "none follows"
            )
            raise self._error(f"-{parameter.name} needs a value: {what}.", token.column, parameter)
        tokens.pop(0)
        self._bind(parameter, self._whole_list(following, tokens) if parameter.kind in LISTS else following)

    def _find(self, text: str, column: int) -> Parameter | None:
        """The parameter, or None when the text asks for help."""
        try:
            parameter = self.bindings.cmdlet.find(text)
        except ParameterError as error:
            if text.casefold() in ("help", "h"):
                self.bindings.wants_help = True
                return None
            raise self._error(str(error), column) from None
        if parameter.refused:
            raise self._error(f"-{parameter.name} is not available: {parameter.refused}", column, parameter)
        return parameter

    def _bind(self, parameter: Parameter, value: Value | Bound) -> None:
        if isinstance(value, Value):
            value = Bound(read(parameter, value, self.scope, self.stage.source), "typed", value.column)
        self.bindings.values[parameter.name] = value

    def _take_splat(self, token: Splat) -> None:
        try:
            found = resolve(token.path, self.scope)
        except KeyError:
            hint = did_you_mean(token.path.name, [str(n) for n in self.scope.names], prefix="@")
            raise self._error(f"@{token.path.name} is not defined.{hint}", token.column) from None
        except ParameterError as error:
            raise self._error(str(error), token.column) from None
        if isinstance(found, list | tuple):
            self.positional += [Bound(item, "splatted", token.column) for item in found]
            return
        if not isinstance(found, Mapping):
            kind = type(found).__name__
            raise self._error(f"@{token.path.name} is {kind}; a splat needs a mapping or a list.", token.column)
        for key, item in found.items():
            parameter = self._find(str(key).removeprefix("-"), token.column)
            if parameter is None:
                continue
            if parameter.name in self.splatted:
                raise self._error(f"@{token.path.name} gives -{parameter.name} a second time.", token.column, parameter)
            self.splatted[parameter.name] = Bound(item, "splatted", token.column)

    def _take_positions(self) -> None:
        taken = {*self.bindings.values, *self.splatted}
        free = [p for p in self.bindings.cmdlet.positional if p.name not in taken]
        values = list(self.positional)
        while values:
            value = values.pop(0)
            if not free:
                raise self._error(self._too_many(value), value.column)
            parameter = free.pop(0)
            if parameter.kind in (Kind.EXPRESSION, Kind.NAMES):
                value, values = self._joined([value, *values]), []
            elif parameter.kind in LISTS:
                value = self._whole_list(value, values)
            self._bind(parameter, value)

    def _whole_list(self, first: Value | Bound, following: list[Any]) -> Value | Bound:
        """The value, with those that follow it over a comma: blanks may stand beside commas, as in `a, 'b c'`."""
        values = [first]
        while following and self._comma_between(values[-1], following[0]):
            values.append(following.pop(0))
        return self._joined(values)

    def _comma_between(self, left: Any, right: Any) -> bool:
        if not isinstance(left, Value) or not isinstance(right, Value):
            return False
        return self._written(left).endswith(",") or self._written(right).startswith(",")

    def _written(self, value: Value) -> str:
        return value.text if value.form is Form.ARGUMENT else self.stage.source[value.column - 1 : value.end]

    def _joined(self, values: list[Value | Bound]) -> Value | Bound:
        """Values that follow each other as the one that they spell: an expression may hold blanks."""
        first, last = values[0], values[-1]
        if len(values) == 1 or not isinstance(first, Value) or not isinstance(last, Value):
            return first
        if first.form is Form.ARGUMENT:
            text = " ".join(v.text for v in values if isinstance(v, Value))
            return replace(first, text=text, end=last.end)
        return Value(Form.WORD, self.stage.source[first.column - 1 : last.end], first.column, end=last.end)

    def _too_many(self, value: Value | Bound) -> str:
        text = value.text if isinstance(value, Value) else ""
        signs = [v.text for v in self.positional if isinstance(v, Value) and v.text in _SIGNS]
        if signs and "EQ" in self.bindings.cmdlet.by_name:
            return f"This value belongs to no parameter. Write {_SIGNS[signs[0]]} for {signs[0]}."
        hint = did_you_mean(text, self.bindings.cmdlet.by_name, prefix="-") if text.isidentifier() else ""
        return f"This value belongs to no parameter: every position is taken.{hint}"

    def _error(self, message: str, column: int, parameter: Parameter | None = None) -> ParameterError:
        return self.bindings.error(message, column, parameter.name if parameter else None)


def _says_boolean(following: Any) -> bool:
    """Whether what follows an API's boolean is its value; `-Publish` alone is true, as `-Publish $true` is."""
    return isinstance(following, Value) and (
        following.form in (Form.PATH, Form.EXPRESSION) or following.text.casefold() in SWITCH_WORDS
    )

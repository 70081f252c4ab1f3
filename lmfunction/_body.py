"""The body of a cell as a payload: JSON, or YAML when it does not read as JSON. `$name` stands for a Python object."""

from __future__ import annotations

from typing import Any

from lmfunction import _json, _wire
from lmfunction._paths import PATH, Path, fault, json_objects, object_at, path_of
from lmfunction._references import mark_typed, typed_value
from lmfunction._scope import Scope, resolve
from lmfunction._text import did_you_mean
from lmfunction._values import filled
from lmfunction.errors import ParameterError


def read_payload(text: str, scope: Scope) -> Any:
    """JSON text as written (variables outside strings filled in), or the object that YAML spells.

    Raises ParameterError with line and column.
    """
    body = text.rstrip("\n")
    objects = json_objects(body, 1, body)
    if _json.is_json(filled(body, objects, lambda _, width: '""'.ljust(width))):
        places = iter(objects)  # filled in the order in which they stand
        typed = mark_typed(body)
        return filled(typed, json_objects(typed, 1, body), lambda part, _: _encoded(part, scope, body, next(places)[1]))
    try:
        return _from_yaml(text, scope)  # whose last newline belongs to a block scalar that ends it
    except ParameterError:
        if body.lstrip()[:1] in ("{", "["):
            _json.check(body)  # meant as JSON: its error is the one that helps
        raise


def _encoded(part: Any, scope: Scope, body: str, position: int) -> str:
    line, column = body.count("\n", 0, position) + 1, position - body.rfind("\n", 0, position)
    return _json.encode(_resolved(part, scope, body, line, column), parameter="Payload", secrets=True).decode()


def _from_yaml(body: str, scope: Scope) -> Any:
    from lmfunction import _yaml

    def variable(scalar: _yaml.Scalar) -> Any:
        match = PATH.fullmatch(scalar.text)
        if match is not None:
            return _resolved(path_of(match), scope, body, scalar.line, scalar.column)
        found = object_at(scalar.text, 0, 1, body) if scalar.text.startswith("$(") else None
        if found is None or found[1] != len(scalar.text):
            return scalar.text
        return _resolved(found[0], scope, body, scalar.line, scalar.column)

    try:
        return _yaml.plain_value(_yaml.parse(body, max_bytes=_wire.SYNC_REQUEST_LIMIT), variable, typed_value)
    except _yaml.YamlError as error:
        raise ParameterError(
            f"Payload is neither JSON nor YAML: {error} (line {error.line}, column {error.column}).",
            parameter="Payload",
            source=_json.masked(body),
            line=error.line,
            column=error.column,
        ) from None


def _resolved(part: Any, scope: Scope, body: str, line: int, column: int) -> Any:
    try:
        return resolve(part, scope)
    except KeyError:
        assert isinstance(part, Path)
        hint = did_you_mean(part.name, scope.names, prefix="$")
        error = fault(f"Payload: ${part.name} is not defined.{hint}", _json.masked(body), column)
        error.parameter, error.line = "Payload", line
        raise error from None

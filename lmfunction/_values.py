"""What a written value means for the parameter it is bound to: the parameter's kind reads the value's form.

A text parameter keeps text as it stands, also an undefined `$NAME` (`$LATEST`); any other parameter takes a `$name`
only when it is defined. What a variable holds is never read again.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from lmfunction import _json, _wire
from lmfunction._blocks import Block
from lmfunction._files import read_file, read_text_file
from lmfunction._grammar import Form, Value, parse_line
from lmfunction._params import Kind, Parameter
from lmfunction._paths import Expression, Part, Path, braced_path, fault, json_objects, list_items
from lmfunction._references import Secret, is_reference, mark_typed
from lmfunction._scope import CONSTANTS, Scope, resolve
from lmfunction._text import did_you_mean
from lmfunction.errors import ParameterError

LISTS: Final = frozenset([Kind.NAMES, Kind.LITERAL, Kind.LIST])
SWITCH_WORDS: Final = {"true": True, "$true": True, "1": True, "false": False, "$false": False, "0": False}


def read(parameter: Parameter, value: Value, scope: Scope, source: str) -> Any:
    """The object that `value` gives to `parameter`. `source` is the line, for carets.

    Raises ParameterError at the value's column, or inside it where JSON is broken.
    """
    if value.form is Form.LIST and parameter.kind not in LISTS:
        hint = ' Put text around a $variable in double quotes: "orders-$stage".' if value.text[0] in "$@" else ""
        raise fault(f"Unexpected text after the value.{hint}", source, value.column + len(list_items(value.text)[0]))
    try:
        return _READERS.get(parameter.kind, _read_text)(parameter, value, scope, source)
    except ParameterError as error:
        if error.column is not None and error.source == source:
            raise
        raise _anchored(error, parameter, value, source) from None


def _read_text(parameter: Parameter, value: Value, scope: Scope, source: str) -> Any:
    if value.form is Form.TEMPLATE:
        return _expanded(value, scope, parameter)
    found, taken = _object(parameter, value, scope, undefined_is_text=True)
    if taken:
        return found
    taken_from = _file(parameter, value, text=True) if value.form in (Form.WORD, Form.ARGUMENT) else None
    return taken_from.rstrip("\r\n") if isinstance(taken_from, str) else value.text


def _read_json(parameter: Parameter, value: Value, scope: Scope, source: str) -> Any:
    if value.form is Form.TEMPLATE:
        return _checked(parameter, _expanded(value, scope, parameter), value, source)
    found, taken = _object(parameter, value, scope)
    if taken:
        return found
    if value.form in (Form.WORD, Form.ARGUMENT):
        if value.text == "-":
            return _standard_input(parameter, scope)
        if _takes_secrets(parameter) and is_reference(value.text):
            return Secret(value.text)
        from_file = _file(parameter, value, text=True)
        if from_file is not None:
            return from_file
    typed = mark_typed if _takes_secrets(parameter) else str
    if value.form is not Form.BRACKETED:
        return typed(_checked(parameter, value.text, value, source))
    objects = json_objects(value.text, value.column, source)
    if objects:
        # Checked first with a string of the same length in each variable's place, so that columns are the line's.
        _checked(parameter, filled(value.text, objects, lambda _, width: '""'.ljust(width)), value, source)
    text = filled(value.text, objects, lambda part, _: _as_json(parameter, part, scope), typed)
    return _checked(parameter, text, value, source)


def _takes_secrets(parameter: Parameter) -> bool:
    """Whether it is Payload or ClientContext of an invocation, where a secret may be named instead of typed."""
    return parameter.kind is Kind.JSON and not parameter.generated


def _read_stream(parameter: Parameter, value: Value, scope: Scope, source: str) -> Any:
    found, taken = _object(parameter, value, scope)
    if taken:
        return found
    if value.form in (Form.WORD, Form.ARGUMENT):
        if value.text == "-":
            return _standard_input(parameter, scope)
        from_file = _file(parameter, value, text=False)
        if from_file is not None:
            return from_file
    return _read_text(parameter, value, scope, source)


def _read_typed(parameter: Parameter, value: Value, scope: Scope, source: str) -> Any:
    """A choice, a number, a mapping: an undefined variable is an error, the text is converted later."""
    if parameter.kind in (Kind.MAP, Kind.OBJECTS, Kind.LIST) and value.form is Form.BRACKETED:
        return _read_json(parameter, value, scope, source)
    found, taken = _object(parameter, value, scope)
    return found if taken else _read_text(parameter, value, scope, source)


def _read_switch(parameter: Parameter, value: Value, scope: Scope, source: str) -> Any:
    if value.text.casefold() in SWITCH_WORDS:
        return SWITCH_WORDS[value.text.casefold()]
    found, taken = _object(parameter, value, scope)
    if not taken:
        raise ParameterError(f"-{parameter.name} is a switch: write -{parameter.name}, or -{parameter.name}:$false.")
    return bool(found)


def _read_secret(parameter: Parameter, value: Value, scope: Scope, source: str) -> Any:
    try:
        found, taken = _object(parameter, value, scope)
    except ParameterError:
        if value.form is not Form.EXPRESSION:
            raise
        raise ParameterError(f"-{parameter.name}: the expression failed.") from None  # its text may hold the secret
    if not taken:
        raise ParameterError(
            f"-{parameter.name} takes a $variable only, not typed text: this line and the history hold the secret now, "
            "so replace it. Better still, use -ProfileName."
        )
    return found


def _read_object(parameter: Parameter, value: Value, scope: Scope, source: str) -> Any:
    found, taken = _object(parameter, value, scope)
    if not taken:
        raise ParameterError(f"-{parameter.name} takes a $variable.")
    return found


def _read_items(parameter: Parameter, value: Value, scope: Scope, source: str) -> Any:
    """The objects behind a variable, or the path of a file of them, which is read as they are needed."""
    if value.form in (Form.WORD, Form.ARGUMENT):
        named = _named_file(value)
        if named is not None:
            return pathlib.Path(os.path.expandvars(named[1])).expanduser()
    found, taken = _object(parameter, value, scope)
    if not taken:
        raise ParameterError(f"-{parameter.name} takes a $variable, or file://PATH of a file with a JSON value a line.")
    return found


def _read_variable(parameter: Parameter, value: Value, scope: Scope, source: str) -> Any:
    name = value.text.removeprefix("$")
    if not re.fullmatch(r"\+?[^\W\d]\w*", name):
        raise ParameterError(f"-{parameter.name} takes a variable's name, or +NAME to append to it.")
    return name


def _read_expression(parameter: Parameter, value: Value, scope: Scope, source: str) -> Any:
    """JMESPath: the text as it stands, quotes of the expression itself included."""
    if value.form is Form.TEMPLATE:
        return _expanded(value, scope, parameter)
    if value.form in (Form.PATH, Form.EXPRESSION):
        found, taken = _object(parameter, value, scope)
        if taken:
            return found
    return value.text


def _read_block(parameter: Parameter, value: Value, scope: Scope, source: str) -> Any:
    """A block, a function behind a `$variable`, or text: the name of a member."""
    if value.text.startswith("{") and value.text.endswith("}") and value.form in (Form.BRACKETED, Form.ARGUMENT):
        return Block(value.text[1:-1], scope.names, scope.environ)
    if value.form in (Form.PATH, Form.EXPRESSION):
        return _object(parameter, value, scope)[0]
    return _read_text(parameter, value, scope, source)


def _read_names(parameter: Parameter, value: Value, scope: Scope, source: str) -> Any:
    """Names, { blocks } and functions with commas between them, or a list behind a `$variable`."""
    items = _items(value)
    if len(items) == 1:
        return _read_block(parameter, items[0], scope, source)
    return [_read_block(parameter, item, scope, source) for item in items]


def _read_list(parameter: Parameter, value: Value, scope: Scope, source: str) -> Any:
    """Texts: `a,b`, a JSON list, a `$variable`. What stands in quotes is one text; `''` is an empty list."""
    found = _read_typed(parameter, value, scope, source)
    return [found] if found and value.form in (Form.LITERAL, Form.TEMPLATE) and isinstance(found, str) else found


def _read_literal(parameter: Parameter, value: Value, scope: Scope, source: str) -> Any:
    """A value to compare with: a bare number, true, false or null is one, `a,b` a list; quoted text stays text."""
    if value.form is Form.LITERAL:
        return value.text
    found, taken = _object(parameter, value, scope)
    if taken:
        return found
    items = _items(value)
    if len(items) > 1:
        return [_read_literal(parameter, item, scope, source) for item in items]
    value = items[0]
    if value.form is Form.BRACKETED and value.text[-1] in "]}":  # `[a-c]*` is a wildcard pattern
        return json.loads(_read_json(parameter, value, scope, source))
    found = _read_text(parameter, value, scope, source)
    return _typed(found) if value.form in (Form.WORD, Form.ARGUMENT) and isinstance(found, str) else found


def _items(value: Value) -> list[Value]:
    """The values between the commas of a value that was not written as one quoted text, variable or expression."""
    if value.form not in (Form.WORD, Form.LIST, Form.BRACKETED, Form.ARGUMENT):
        return [value]
    texts = list_items(value.text)
    if value.form is Form.ARGUMENT or texts == [value.text]:
        return [replace(value, text=text) for text in texts] or [value]
    return [_item(text, value) for text in texts] or [value]


def _item(text: str, whole: Value) -> Value:
    tokens = [token for stage in parse_line(text) for token in stage.tokens]
    if len(tokens) == 1 and isinstance(tokens[0], Value):
        return replace(tokens[0], column=whole.column)
    return Value(Form.WORD, text, whole.column, end=whole.end)


def _typed(word: str) -> Any:
    if word.casefold() in CONSTANTS:
        return CONSTANTS[word.casefold()]
    for number in (int, float):
        try:
            if re.fullmatch(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?", word):
                return number(word)
        except ValueError:
            continue
    return word


_READERS: Final = {
    Kind.EXPRESSION: _read_expression,
    Kind.BLOCK: _read_block,
    Kind.NAMES: _read_names,
    Kind.LITERAL: _read_literal,
    Kind.JSON: _read_json,
    Kind.STREAM: _read_stream,
    Kind.CHOICE: _read_typed,
    Kind.SECONDS: _read_typed,
    Kind.WHOLE: _read_typed,
    Kind.MAP: _read_typed,
    Kind.OBJECTS: _read_typed,
    Kind.TIME: _read_typed,
    Kind.NUMBER: _read_typed,
    Kind.LIST: _read_list,
    Kind.BLOB: _read_stream,
    Kind.BOOLEAN: _read_switch,
    Kind.BASE64: _read_typed,
    Kind.SWITCH: _read_switch,
    Kind.SECRET: _read_secret,
    Kind.OBJECT: _read_object,
    Kind.ITEMS: _read_items,
    Kind.VARIABLE: _read_variable,
}


def _object(parameter: Parameter, value: Value, scope: Scope, *, undefined_is_text: bool = False) -> tuple[Any, bool]:
    """The object behind a variable or expression, and whether there is one."""
    part: Part | None = value.parts[0] if value.form in (Form.PATH, Form.EXPRESSION) else None
    if value.form is Form.BRACKETED:
        part, undefined_is_text = braced_path(value.text), False
    if part is None or isinstance(part, str):
        return None, False
    try:
        return resolve(part, scope), True
    except KeyError:
        if undefined_is_text:
            return None, False
        assert isinstance(part, Path)
        raise _undefined(part, parameter, scope) from None


def _undefined(path: Path, parameter: Parameter, scope: Scope) -> ParameterError:
    if path.environment:
        return ParameterError(f"{parameter.name}: the environment has no variable {path.name}.")
    hint = did_you_mean(path.name, [n for n in scope.names if not n.startswith("_")], prefix="$")
    return ParameterError(f"{parameter.name}: ${path.name} is not defined.{hint}")


def _expanded(value: Value, scope: Scope, parameter: Parameter) -> str:
    """A double-quoted text with its variables filled in; an undefined one stays as it stands in a text parameter."""
    pieces = []
    for part in value.parts:
        if isinstance(part, str):
            pieces.append(part)
            continue
        try:
            found = resolve(part, scope)
        except KeyError:
            assert isinstance(part, Path)
            if parameter.kind is not Kind.TEXT:
                raise _undefined(part, parameter, scope) from None
            pieces.append(part.written)
        else:
            pieces.append(found if isinstance(found, str) else _json_or_text(found, parameter))
    return "".join(pieces)


def _json_or_text(found: Any, parameter: Parameter) -> str:
    if isinstance(found, Secret):
        if not _takes_secrets(parameter):
            raise ParameterError(f"-{parameter.name} takes no Secret: Payload and ClientContext do.")
        return found.mark
    try:
        return _json.encode(found, secrets=_takes_secrets(parameter)).decode()
    except ParameterError:
        return str(found)


def _as_json(parameter: Parameter, part: Path | Expression, scope: Scope) -> str:
    try:
        found = resolve(part, scope)
    except KeyError:
        assert isinstance(part, Path)
        raise _undefined(part, parameter, scope) from None
    return _json.encode(
        found,
        parameter=f"{parameter.name}: ${part.name if isinstance(part, Path) else '(...)'}",
        secrets=_takes_secrets(parameter),
    ).decode()


def filled(
    text: str,
    objects: list[tuple[Path | Expression, int, int]],
    fill: Callable[[Path | Expression, int], str],
    typed: Callable[[str], str] = str,
) -> str:
    """`text` with each of `objects` replaced by what `fill` makes of it and of its width, the rest by what `typed`
    makes of it.
    """
    pieces: list[str] = []
    position = 0
    for part, start, end in objects:
        pieces += [typed(text[position:start]), fill(part, end - start)]
        position = end
    return "".join((*pieces, typed(text[position:])))


def _checked(parameter: Parameter, text: str, value: Value, source: str) -> str:
    """`text` when it is JSON; else the error points into the line, where the text stands there as long as written."""
    try:
        _json.check(text, parameter=parameter.name, allow_duplicate_keys=True)
    except ParameterError as error:
        if len(text) != len(value.text) or error.line != 1 or error.column is None:
            raise
        column = value.column + (value.form in (Form.LITERAL, Form.TEMPLATE)) + error.column - 1
        message = str(error.args[0]).replace(f"column {error.column})", f"column {column})")
        raise ParameterError(message, parameter=parameter.name, source=source, line=1, column=column) from None
    return text


def _file(parameter: Parameter, value: Value, *, text: bool) -> str | bytes | None:
    """The content behind `file://PATH` (text) or `fileb://PATH` (bytes); None for anything else."""
    named = _named_file(value)
    if named is None or parameter.kind is Kind.FILE:
        return None
    scheme, name = named
    if scheme == "fileb" and parameter.kind not in (Kind.JSON, Kind.STREAM, Kind.BASE64, Kind.BLOB):
        raise ParameterError(f"-{parameter.name} takes text: use file:// for a text file.")
    reads_text = text and scheme == "file"
    reader = read_text_file if reads_text else read_file
    limit = _wire.PACKAGE_LIMIT if parameter.kind is Kind.BLOB else _wire.SYNC_REQUEST_LIMIT
    return reader(name, limit=limit, parameter=parameter.name)


def _named_file(value: Value) -> tuple[str, str] | None:
    """`file` or `fileb`, and the path behind it, where the value is written so."""
    scheme, separator, name = value.text.partition("://")
    if not separator or scheme.casefold() not in ("file", "fileb"):
        return None
    return scheme.casefold(), name[1:-1] if name[:1] in "'\"" and name[-1:] == name[:1] else name


def _standard_input(parameter: Parameter, scope: Scope) -> bytes:
    if scope.stdin is None:
        raise ParameterError(f"-{parameter.name} -: the standard input is read at the terminal only.")
    return scope.stdin(_wire.SYNC_REQUEST_LIMIT + 1)


def _anchored(error: ParameterError, parameter: Parameter, value: Value, source: str) -> ParameterError:
    """The error with the parameter's name, pointing at the value in the line."""
    return ParameterError(str(error.args[0]), parameter=parameter.name, source=source, line=1, column=value.column)

"""A command line without the values in it, column for column, so that an error can show where without telling what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lmfunction import _json
from lmfunction._grammar import Form, Name, Stage, Token, Value
from lmfunction._params import Cmdlet, Kind, Parameter
from lmfunction._text import one_line
from lmfunction.errors import ParameterError

_HIDDEN_KINDS = frozenset([Kind.JSON, Kind.BASE64, Kind.STREAM, Kind.MAP, Kind.OBJECTS, Kind.BLOB])
# Kinds whose values are names and expressions; in any other, brackets are a payload that landed in a wrong place.
_SHOWN_KINDS = frozenset([Kind.TEXT, Kind.EXPRESSION, Kind.BLOCK, Kind.NAMES, Kind.LITERAL, Kind.VARIABLE])
# A secret's parameter or what looks like its misspelt name, then whatever a person puts between it and the secret.
_SECRET_NAME = re.compile(
    r"[-–—―]{1,2}(?:(?:s(?:k|t|ec|es)|a(?:k|c))[\w-]*|[\w-]*(?:key|token|secret)[\w-]*)[:=\s][:=\s]*"
    r"""(?P<value>"[^"]*"?|'[^']*'?|\S+)""",
    re.IGNORECASE,
)
# A word that is neither the first, nor a parameter, a variable or an operator.
_LATER_WORD = re.compile(r"(?<=\S\s)(?<![|]\s)[^\s\-–—―$@|(){}\[\];#][^\s|]*")
# Kinds whose values say how something is called, not what it is called with.
_PLAIN_KINDS = frozenset([Kind.TEXT, Kind.CHOICE, Kind.SWITCH, Kind.SECONDS, Kind.WHOLE, Kind.NUMBER, Kind.VARIABLE])
_ACCESS_KEY = re.compile(r"\b(?:A3T|AKIA|ASIA)[A-Z0-9]{16}\b")


def masked_line(stage: Stage, cmdlet: Cmdlet) -> str:
    """The stage's line with payloads blanked but for their keys, and secrets blanked whole."""
    line = _without_secrets(stage.source)
    for value, kind in _kinds(stage.tokens, cmdlet):
        start, end = value.column - 1, value.end
        if kind is Kind.SECRET:
            line = line[:start] + "·" * (end - start) + line[end:]
        elif kind in _HIDDEN_KINDS or (value.form is Form.BRACKETED and kind not in _SHOWN_KINDS):
            line = line[:start] + _json.masked(line[start:end]) + line[end:]
    return line


def shown_value(parameter: Parameter, value: Any) -> str:
    """A bound value as Python writes it; of payloads the type alone, of secrets nothing."""
    if parameter.kind is Kind.SECRET:
        return "***"
    if parameter.kind not in _PLAIN_KINDS:
        return f"<{type(value).__name__}>"
    return _ACCESS_KEY.sub(lambda m: "·" * len(m.group()), one_line(repr(value), 100))


def told_command(cmdlet: Cmdlet, values: Mapping[str, Any]) -> str:
    """The line that binds `values` (by parameter name) to `cmdlet`, for people: without payloads and secrets."""
    words = [cmdlet.python_names[0]]
    for name, value in sorted(values.items(), key=lambda one: cmdlet.by_name[one[0]].position != 1):
        parameter = cmdlet.by_name[name]
        shown = shown_value(parameter, value)
        if isinstance(value, str) and re.fullmatch(r"[\w.:/$*-]+", value) and parameter.kind is not Kind.SECRET:
            shown = shown.strip("'")
        if parameter.kind is Kind.SWITCH:
            words.append(f"-{name}" if value is True else f"-{name}:${str(value).lower()}")
        else:
            words += [shown] if parameter.position == 1 else [f"-{name}", shown]
    return " ".join(words)


def masked_text(text: str) -> str:
    """`text`, which could not be taken apart, with all blanked but its first word, parameters and variables, and with
    everything from the first quote or bracket on blanked but its keys.
    """
    start = next((i for i, c in enumerate(text) if c in "'\"`{["), len(text))
    words = _LATER_WORD.sub(lambda m: _json.masked(m.group()), text[:start])
    return _without_secrets(words + _json.masked(text[start:]))


def _without_secrets(line: str) -> str:
    """Secrets by their look: what follows a secret's parameter, and access key ids wherever they stand."""
    for pattern, group in ((_SECRET_NAME, "value"), (_ACCESS_KEY, 0)):
        for match in pattern.finditer(line):
            start, end = match.span(group)
            if line[start] not in "$@":
                line = line[:start] + "·" * (end - start) + line[end:]
    return line


def _kinds(tokens: tuple[Token, ...], cmdlet: Cmdlet) -> list[tuple[Value, Kind | None]]:
    """Each value with the kind of the parameter it belongs to; a later positional value counts as a payload."""
    found: list[tuple[Value, Kind | None]] = []
    owner: Kind | None = None
    positional = 0
    for token in tokens:
        if isinstance(token, Name):
            owner = _kind_of(token, cmdlet)
        elif isinstance(token, Value):
            if owner is None:
                positional += 1
                owner = None if positional == 1 else Kind.JSON
            if token.form is not Form.PATH and (token.form is not Form.EXPRESSION or owner is Kind.SECRET):
                found.append((token, owner))
            owner = None
    return found


def _kind_of(name: Name, cmdlet: Cmdlet) -> Kind | None:
    try:
        kind = cmdlet.find(name.text).kind
    except ParameterError:
        return Kind.JSON  # an unknown parameter may be a misspelt one that holds data
    return None if kind is Kind.SWITCH and not name.attached else kind

"""What stands for a Python object inside a line: `$path`, `$env:NAME`, `$(expression)`; and the text around it.

Also the reading of brackets and quotes, which every value needs. Nothing is evaluated here. Columns count from 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from lmfunction.errors import ParameterError

OPEN: Final = {"(": ")", "[": "]", "{": "}"}
QUOTES: Final = "'\"`"
PATH: Final = re.compile(
    r"\$(?:(?P<env>env:)(?P<variable>\w+)"
    r"|(?P<name>[^\W\d]\w*)(?P<steps>(?:\.[^\W\d]\w*|\[\s*(?:-?\d+|'[^']*'|\"[^\"]*\")\s*\])*))",
    re.IGNORECASE,
)
_STEP: Final = re.compile(r"\.(?P<attribute>\w+)|\[\s*(?:(?P<index>-?\d+)|'(?P<key>[^']*)'|\"(?P<other>[^\"]*)\")\s*\]")
_BRACED_PATH: Final = re.compile(r"\{\s*(?P<path>[^\W\d]\w*(?:\.[^\W\d]\w*|\[(?:-?\d+|'[^']*'|\"[^\"]*\")\])*)\s*\}")
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "/": "/", "$": "$"}


@dataclass(frozen=True, slots=True)
class Path:
    """`$name.attribute['key'][0]`, or `$env:NAME`. `written` is how it stands in the line."""

    name: str
    steps: tuple[tuple[bool, str | int], ...] = ()  # (is an attribute, its name, key or index)
    environment: bool = False
    written: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Expression:
    """A Python expression."""

    source: str


Part = str | Path | Expression


def template_parts(text: str, column: int, source: str) -> tuple[Part, ...]:
    """What stands between double quotes: text, `$name`, `${path}` and `$(expression)`; JSON's escapes and `$$`."""
    parts: list[Part] = []
    literal: list[str] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char == "\\":
            piece, position = _escape(text, position, column, source)
            literal.append(piece)
        elif char == '"':  # doubled
            literal.append('"')
            position += 2
        elif char == "$" and (found := _embedded(text, position, column, source)):
            part, position = found
            if isinstance(part, str):
                literal.append(part)
            else:
                parts += ["".join(literal), part]
                literal = []
        else:
            literal.append(char)
            position += 1
    return tuple(p for p in (*parts, "".join(literal)) if p != "")


def json_objects(text: str, column: int, source: str) -> list[tuple[Path | Expression, int, int]]:
    """The `$path`, `$(expression)` and `@(expression)` outside JSON text's strings, each with its start and end."""
    found: list[tuple[Path | Expression, int, int]] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char == '"':
            position = _string_end(text, position)
        elif char in "$@" and (one := object_at(text, position, column, source)):
            found.append((one[0], position, one[1]))
            position = one[1]
        else:
            position += 1
    return found


def braced_path(text: str) -> Path | None:
    """The path in `{name.attribute}`, IPython's habit for `$name.attribute`; None for anything else."""
    match = _BRACED_PATH.fullmatch(text)
    spelled = PATH.match("$" + match["path"]) if match else None
    return path_of(spelled) if spelled else None


def bracket_end(text: str, start: int, source: str) -> int:
    """The position after the bracket that closes the one at `start`; quotes inside are respected."""
    expected: list[tuple[str, int]] = []
    position = start
    while position < len(text):
        char = text[position]
        if char in OPEN:
            expected.append((OPEN[char], position))
        elif char in ")]}":
            if char != expected[-1][0]:
                raise fault(f"This {char} does not close {text[expected[-1][1]]}.", source, position + 1)
            expected.pop()
            if not expected:
                return position + 1
        elif char in QUOTES:
            position = quote_end(text, position, source) - 1
        position += 1
    raise fault(f"This {text[expected[-1][1]]} is not closed.", source, expected[-1][1] + 1)


def list_items(text: str) -> list[str]:
    """What stands between the commas of `text`, but those inside quotes and brackets. Empty items are dropped."""
    items, start, position = [], 0, 0
    while position < len(text):
        char = text[position]
        if char in OPEN:
            position = bracket_end(text, position, text)
        elif char in QUOTES:
            position = quote_end(text, position, text)
        else:
            if char == ",":
                items.append(text[start:position])
                start = position + 1
            position += 1
    return [item.strip() for item in (*items, text[start:]) if item.strip()]


def quote_end(text: str, start: int, source: str) -> int:
    """The position after the quote that closes the one at `start`; a backslash escapes what follows it."""
    position = start + 1
    while position < len(text):
        if text[position] == text[start]:
            return position + 1
        position += 2 if text[position] == "\\" else 1
    raise fault(f"This {text[start]} is not closed.", source, start + 1)


def _string_end(text: str, start: int) -> int:
    """Like `quote_end`, but an open string ends with the text: the JSON check will point at it."""
    try:
        return quote_end(text, start, text)
    except ParameterError:
        return len(text)


def object_at(text: str, position: int, column: int, source: str) -> tuple[Path | Expression, int] | None:
    """The `$path`, `$(expression)` or `@(expression)` at `position`, and where it ends."""
    if text.startswith(("$(", "@("), position):
        end = bracket_end(text, position + 1, source)
        return _expression(text[position + 2 : end - 1], column + position + 2, source), end
    match = PATH.match(text, position)
    return (path_of(match), match.end()) if match else None


def _embedded(text: str, position: int, column: int, source: str) -> tuple[Part, int] | None:
    """What a `$` inside double quotes stands for, and where it ends; None for a plain dollar sign."""
    if text.startswith("$$", position):
        return "$", position + 2
    if text.startswith("${", position):
        end = text.find("}", position)
        path = braced_path(text[position + 1 : end + 1])
        if path is None:
            raise fault("After $ stands {name} or {name.attribute}.", source, column + position)
        return replace(path, written=text[position : end + 1]), end + 1
    if text.startswith("$(", position):
        return object_at(text, position, column, source)
    match = re.compile(r"\$(env:)?([^\W\d]\w*)", re.IGNORECASE).match(text, position)
    return (Path(match[2], environment=bool(match[1]), written=match.group()), match.end()) if match else None


def _escape(text: str, position: int, column: int, source: str) -> tuple[str, int]:
    char = text[position + 1 : position + 2]
    if char == "u" and re.fullmatch(r"[0-9a-fA-F]{4}", text[position + 2 : position + 6]):
        return chr(int(text[position + 2 : position + 6], 16)), position + 6
    if char not in _ESCAPES or not char:
        raise fault(
            f"\\{char} is no escape: write \\\\ for a backslash, or use single quotes.", source, column + position
        )
    return _ESCAPES[char], position + 2


def _expression(text: str, column: int, source: str) -> Expression:
    try:
        compile(text.strip(), "<line>", "eval")
    except (SyntaxError, ValueError) as error:
        lead = len(text) - len(text.lstrip())
        told = getattr(error, "offset", None)
        offset = len(text.strip()) if told == 0 else (told or 1) - 1  # 0: it ends too early
        why = getattr(error, "msg", None) or str(error)
        raise fault(f"This is not a Python expression: {why}.", source, column + lead + offset) from None
    return Expression(text.strip())


def path_of(match: re.Match[str]) -> Path:
    """The path that a match of `PATH` spells."""
    if match["env"]:
        return Path(match["variable"], environment=True, written=match.group())
    steps: list[tuple[bool, str | int]] = []
    for step in _STEP.finditer(match["steps"] or ""):
        if step["attribute"] is not None:
            steps.append((True, step["attribute"]))
        elif step["index"] is not None:
            steps.append((False, int(step["index"])))
        else:
            steps.append((False, step["key"] if step["key"] is not None else step["other"]))
    return Path(match["name"], tuple(steps), written=match.group())


def fault(message: str, source: str, column: int) -> ParameterError:
    """The error that points at `column` of `source`."""
    return ParameterError(message, source=source, column=column)

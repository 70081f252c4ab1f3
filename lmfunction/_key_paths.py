"""Which keys can stand at the end of an unfinished JMESPath expression, given data that it will look at.

`Payload.orders[?st` over a result whose payload holds orders: the keys of an order that begin with `st`. What stands
before is evaluated by jmespath itself; an expression that cannot be evaluated has no keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from lmfunction._paths import OPEN, bracket_end
from lmfunction._select import search
from lmfunction.errors import LMError

_PART: Final = re.compile(r'(?:"(?P<quoted>[^"]*)|(?P<bare>[^\W\d][\w-]*)?)\Z')
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CLOSING: Final = {close: open_ for open_, close in OPEN.items()}
# Where an operand begins: everything that can stand between two of them.
_BETWEEN: Final = " \t\n,|&!=<>:"
_QUOTES: Final = "'`\""


def keys_at_end(text: str, data: Iterable[Any]) -> tuple[int, dict[str, Any]]:
    """Where the key under way begins in `text`, and the keys that may stand there with what they hold.

    `data` are objects as plain data; the keys are those of all of them. A key that JMESPath wants in quotes has them.
    """
    match = _PART.search(text)
    assert match is not None
    start = match.start()
    if any(text[:start].count(quote) % 2 for quote in "'`"):
        return start, {}  # in a text, whose end is not there yet
    wanted = match["quoted"] if match["quoted"] is not None else match["bare"] or ""
    found: dict[str, Any] = {}
    for value in _seen_at(text[:start], list(data)):
        for key, item in value.items() if isinstance(value, Mapping) else ():
            if str(key).casefold().startswith(wanted.casefold()):
                found.setdefault(_written(str(key), quoted=match["quoted"] is not None), item)
    return start, found


def _written(key: str, *, quoted: bool) -> str:
    return key if _PLAIN.fullmatch(key) and not quoted else f'"{key}"'


def _seen_at(before: str, data: list[Any]) -> Iterator[Any]:
    """The objects whose keys can stand after `before`."""
    operand, inner = _operand_and_data(before, data)
    if not operand:
        yield from inner
    elif operand.endswith("."):
        yield from _found(operand[:-1], inner)


def _operand_and_data(before: str, data: list[Any]) -> tuple[str, list[Any]]:
    """The operand at the end of `before`, and the objects that it looks at."""
    start, begin = _operand_start(before), 0
    bracket = _open_bracket(before[:start])
    if bracket is not None:
        begin = bracket + 1
        data = [*_seen_inside(before[:begin], data)]
    lead = before[begin:start].rstrip()
    if lead.endswith("|") and not lead.endswith("||"):
        data = [*_found(lead[:-1], data, whole=True)]
    elif lead.endswith("&") and not lead.endswith("&&"):  # sort_by(LIST, &key)
        data = [*_members(lead[:-1].rstrip(", "), data)]
    return before[start:], data


def _seen_inside(outer: str, data: list[Any]) -> Iterator[Any]:
    """The objects that an expression inside the open bracket at the end of `outer` looks at."""
    if outer.endswith("[?"):
        operand, inner = _operand_and_data(outer[:-2], data)
        yield from _members(operand or "@", inner)
        return
    before = re.sub(r"\w+\Z", "", outer[:-1]) if outer.endswith("(") else outer[:-1]  # a function's name
    operand, inner = _operand_and_data(before, data)
    if not operand:
        yield from inner
    elif operand.endswith("."):
        yield from _found(operand[:-1], inner)


def _operand_start(text: str) -> int:
    """Where the operand at the end of `text` begins."""
    position = len(text)
    while position > 0:
        char = text[position - 1]
        if char in _CLOSING:
            position = _opening(text, position - 1)
        elif char in _QUOTES:
            position = max(text.rfind(char, 0, position - 1), 0)
        elif char in _BETWEEN or char in OPEN or text[:position].endswith("[?"):
            return position
        else:
            position -= 1
    return 0


def _open_bracket(text: str) -> int | None:
    """The position of the last character of the bracket that is open at the end of `text`: of `[?` that of the `?`."""
    position = len(text)
    while position > 0:
        char = text[position - 1]
        if char in _CLOSING:
            position = _opening(text, position - 1)
        elif char in _QUOTES:
            position = max(text.rfind(char, 0, position - 1), 0)
        elif char in OPEN or text[:position].endswith("[?"):
            return position - 1
        else:
            position -= 1
    return None


def _opening(text: str, position: int) -> int:
    """The position of the bracket that the one at `position` closes; the begin when there is none."""
    depth = 0
    while position >= 0:
        depth += (text[position] in _CLOSING) - (text[position] in OPEN)
        if depth == 0:
            return position
        position -= 1
    return 0


def _members(operand: str, data: list[Any]) -> Iterator[Any]:
    """The elements of the lists that `operand` finds."""
    for value in _found(operand, data):
        yield from value if isinstance(value, list) else ()


def _found(operand: str, data: list[Any], *, whole: bool = False) -> Iterator[Any]:
    """What a name after `operand.` would look at in each of `data`: the elements of a projection, else the value.

    jmespath itself tells the two apart, by what it makes of one more step. `whole` takes a projection for a list.
    """
    for value in data:
        found = _searched(operand, value, whole=whole)
        if found == []:  # a filter that nothing passes: its keys are those of the others
            found = _searched(_without_filters(operand), value, whole=whole)
        if whole:
            yield found
        elif isinstance(found, list):
            yield from (element["x"] for element in found)
        elif found is not None:
            yield found["x"]


def _searched(operand: str, value: Any, *, whole: bool) -> Any:
    try:
        return search(operand if whole else f"{operand}.{{x: @}}", value)
    except LMError:
        return None


def _without_filters(operand: str) -> str:
    """The operand with `[]` in the place of its filters."""
    position = operand.find("[?")
    while position >= 0:
        try:
            end = bracket_end(operand, position, operand)
        except LMError:
            break
        operand = f"{operand[:position]}[]{operand[end:]}"
        position = operand.find("[?")
    return operand

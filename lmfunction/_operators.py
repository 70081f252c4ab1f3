"""PowerShell's comparison operators: in any case, with c-prefixed twins; the right side takes the left side's type.

What is missing (None) equals only what is missing, fits no pattern, and is neither less nor greater than anything.
"""

from __future__ import annotations

import datetime
import decimal
import numbers
import re
from collections.abc import Callable
from typing import Any, Final

from lmfunction.errors import ParameterError

Test = Callable[[Any], bool]
NUMBERS: Final = (numbers.Real, decimal.Decimal)
_WORDS: Final = {"true": True, "false": False}
_NUMBER: Final = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*\Z", re.ASCII)
# .NET's spelling of a named group; `(?<=` and `(?<!` mean the same in Python.
_NAMED_GROUP: Final = re.compile(r"\(\?<(?=[^\W\d])")


def comparison(name: str, value: Any) -> Test:
    """The test that compares an object with `value` as the operator (`eq`, `ceq`, `ieq`, `like`, `in` ...) says.

    A list on the left passes when one of its elements does. Raises ParameterError for a pattern that is none.
    """
    base, exact = _base(name.lower().removeprefix("-"))
    if base in ("in", "notin"):
        elements = _elements(value)
        return lambda left: any(_equal(item, left, exact) for item in elements) is (base == "in")
    if base in ("contains", "notcontains"):
        return lambda left: any(_equal(item, value, exact) for item in _elements(left)) is (base == "contains")
    test = OPERATORS[base](value, exact)
    return lambda left: any(map(test, left)) if isinstance(left, list | tuple) else test(left)


def wildcard(pattern: str, *, exact: bool = False, parameter: str = "Value") -> re.Pattern[str]:
    """The regular expression of a wildcard pattern: `*`, `?`, `[abc]`, `[a-z]`; a backtick takes a sign as it is.

    Unlike in a shell, `[!a]` is a `!` or an `a`, as PowerShell has it.
    """
    pieces: list[str] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == "[":
            end = pattern.find("]", position + 2)
            if end < 0:
                raise ParameterError(
                    f"This [ of the wildcard pattern '{pattern}' is not closed; write `[ for the sign itself.",
                    parameter=parameter,
                )
            pieces.append(_one_of(pattern[position + 1 : end], pattern, parameter))
            position = end
        elif char == "`" and position + 1 < len(pattern):
            position += 1
            pieces.append(re.escape(pattern[position]))
        else:
            pieces.append({"*": ".*", "?": "."}.get(char) or re.escape(char))
        position += 1
    return re.compile("".join(pieces) + r"\Z", re.DOTALL | (0 if exact else re.IGNORECASE))


def number_of(text: str) -> int | float | None:
    """The number that `text` spells, whole where it is; None when it is no number."""
    if not _NUMBER.match(text):
        return None
    try:
        return int(text)
    except ValueError:
        return float(text)


def _one_of(inside: str, pattern: str, parameter: str) -> str:
    escaped = "".join(c if c == "-" and 0 < i < len(inside) - 1 else re.escape(c) for i, c in enumerate(inside))
    try:
        re.compile(f"[{escaped}]")
    except re.error:
        raise ParameterError(
            f"[{inside}] in the wildcard pattern '{pattern}' is no range of characters.", parameter=parameter
        ) from None
    return f"[{escaped}]"


def _base(name: str) -> tuple[str, bool]:
    """The operator without its prefix, and whether case counts."""
    known = (*OPERATORS, "in", "notin", "contains", "notcontains")
    if name in known:
        return name, False
    if name[:1] in ("c", "i") and name[1:] in known:
        return name[1:], name[0] == "c"
    raise ParameterError(f"There is no operator -{name}.")


def _elements(value: Any) -> Any:
    return value if isinstance(value, list | tuple | set | frozenset | range) else [value]


def _aligned(left: Any, right: Any, exact: bool) -> tuple[Any, Any]:
    """Both sides, the right one in the left one's type where it can be, text folded unless case counts."""
    if isinstance(left, bool):
        if isinstance(right, str):
            right = _WORDS.get(right.strip().casefold(), right)
        elif isinstance(right, NUMBERS):
            right = bool(right)
    elif isinstance(left, NUMBERS) and isinstance(right, str):
        right = number_of(right)
    elif isinstance(left, datetime.date) and isinstance(right, str):
        right = _date_of(right, type(left))
    elif isinstance(left, str) and isinstance(right, NUMBERS):
        right = _text_of(right)
    if isinstance(left, str) and isinstance(right, str) and not exact:
        return left.casefold(), right.casefold()
    return left, right


def _date_of(text: str, kind: type[datetime.date]) -> Any:
    try:
        return kind.fromisoformat(text)
    except ValueError:
        return None


def _text_of(value: Any) -> str:
    """`value` as PowerShell writes it: a whole number without `.0`, nothing as empty text."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return "" if value is None else str(value)


def _equal(left: Any, right: Any, exact: bool) -> bool:
    left, right = _aligned(left, right, exact)
    return bool(left == right)


def _ordered(holds: Callable[[Any, Any], bool]) -> Callable[[Any, bool], Test]:
    def operator(right: Any, exact: bool) -> Test:
        def test(left: Any) -> bool:
            one, other = _aligned(left, right, exact)
            if one is None or other is None:
                return False
            try:
                return bool(holds(one, other))
            except TypeError:
                return False

        return test

    return operator


def _pattern(name: str, compiled: Callable[[str, bool], Callable[[str], Any]]) -> Callable[[Any, bool], Test]:
    def operator(right: Any, exact: bool) -> Test:
        if isinstance(right, list | tuple):
            raise ParameterError(
                f"-{name} takes one pattern, not a list; put one that holds a comma in quotes.", parameter="Value"
            )
        match = compiled(_text_of(right), exact)
        return lambda left: left is not None and bool(match(_text_of(left)))

    return operator


def _expression(pattern: str, exact: bool) -> Callable[[str], Any]:
    try:
        return re.compile(_NAMED_GROUP.sub("(?P<", pattern), 0 if exact else re.IGNORECASE).search
    except re.error as error:
        raise ParameterError(f"-match: not a regular expression: {error}.", parameter="Value") from None


def _opposite(operator: Callable[[Any, bool], Test]) -> Callable[[Any, bool], Test]:
    def opposite(right: Any, exact: bool) -> Test:
        test = operator(right, exact)
        return lambda left: not test(left)

    return opposite


def _equality(right: Any, exact: bool) -> Test:
    return lambda left: _equal(left, right, exact)


_LIKE: Final = _pattern("like", lambda pattern, exact: wildcard(pattern, exact=exact).match)
_MATCH: Final = _pattern("match", _expression)
OPERATORS: Final[dict[str, Callable[[Any, bool], Test]]] = {
    "eq": _equality,
    "ne": _opposite(_equality),
    "gt": _ordered(lambda a, b: a > b),
    "ge": _ordered(lambda a, b: a >= b),
    "lt": _ordered(lambda a, b: a < b),
    "le": _ordered(lambda a, b: a <= b),
    "like": _LIKE,
    "notlike": _opposite(_LIKE),
    "match": _MATCH,
    "notmatch": _opposite(_MATCH),
}

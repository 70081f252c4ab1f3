"""PowerShell's comparison operators: in any case, with c-prefixed twins; the right side takes the left side's type."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from typing import Any, Final

from lmfunction.errors import ParameterError

Comparison = Callable[[Any, Any], bool]

_MIRRORED: Final = {"in": "contains", "notin": "notcontains"}


def comparison(name: str) -> Comparison:
    """The comparison that an operator's name (`eq`, `ceq`, `ieq`, `like`, `in` ...) stands for."""
    name = name.lower().removeprefix("-")
    base, exact = _base(name)
    if base in _MIRRORED:
        mirrored = comparison(("c" if exact else "") + _MIRRORED[base])
        return lambda left, right: mirrored(right, left)
    return lambda left, right: _compare(base, left, right, exact)


def _base(name: str) -> tuple[str, bool]:
    """The operator without its prefix, and whether case counts."""
    if name in OPERATORS:
        return name, False
    if name[:1] in "ci" and name[1:] in OPERATORS:
        return name[1:], name[0] == "c"
    raise ParameterError(f"There is no operator -{name}.")


def _compare(base: str, left: Any, right: Any, exact: bool) -> bool:
    if base in ("contains", "notcontains"):
        elements = left if isinstance(left, list | tuple | set | frozenset) else [left]
        found = any(_equal(item, right, exact) for item in elements)
        return found is (base == "contains")
    if isinstance(left, list | tuple):
        # As in PowerShell: a list on the left matches when one of its elements does.
        return any(_compare(base, item, right, exact) for item in left)
    return OPERATORS[base](left, right, exact)


def _aligned(left: Any, right: Any, exact: bool) -> tuple[Any, Any] | None:
    """Both sides in the left one's type, text folded unless case counts; None when they cannot be compared."""
    if isinstance(left, bool) or isinstance(right, bool):
        words = {"true": True, "false": False}
        return left, words.get(right.casefold(), right) if isinstance(right, str) else right
    if isinstance(left, int | float) and isinstance(right, str):
        try:
            return left, float(right)
        except ValueError:
            return None
    if isinstance(left, str) and isinstance(right, int | float):
        right = str(right)
    if isinstance(left, str) and isinstance(right, str) and not exact:
        return left.casefold(), right.casefold()
    return left, right


def _equal(left: Any, right: Any, exact: bool) -> bool:
    pair = _aligned(left, right, exact)
    return pair is not None and bool(pair[0] == pair[1])


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any, bool], bool]:
    def compare(left: Any, right: Any, exact: bool) -> bool:
        pair = _aligned(left, right, exact)
        if pair is None or pair[0] is None or pair[1] is None:
            return False
        try:
            return test(*pair)
        except TypeError:
            return False

    return compare


def _like(left: Any, right: Any, exact: bool) -> bool:
    if left is None:
        return False
    pattern = fnmatch.translate(str(right).replace("[!", "[[]!"))
    return re.match(pattern, str(left), 0 if exact else re.IGNORECASE) is not None


def _match(left: Any, right: Any, exact: bool) -> bool:
    if left is None:
        return False
    try:
        return re.search(str(right), str(left), 0 if exact else re.IGNORECASE) is not None
    except re.error as error:
        raise ParameterError(f"-match: not a regular expression: {error}.", parameter="Value") from None


OPERATORS: Final[dict[str, Callable[[Any, Any, bool], bool]]] = {
    "eq": _equal,
    "ne": lambda left, right, exact: not _equal(left, right, exact),
    "gt": _ordered(lambda a, b: a > b),
    "ge": _ordered(lambda a, b: a >= b),
    "lt": _ordered(lambda a, b: a < b),
    "le": _ordered(lambda a, b: a <= b),
    "like": _like,
    "notlike": lambda left, right, exact: not _like(left, right, exact),
    "match": _match,
    "notmatch": lambda left, right, exact: not _match(left, right, exact),
    "contains": lambda left, right, exact: _equal(left, right, exact),
    "notcontains": lambda left, right, exact: not _equal(left, right, exact),
    "in": lambda left, right, exact: _equal(left, right, exact),
    "notin": lambda left, right, exact: not _equal(left, right, exact),
}

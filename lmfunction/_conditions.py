"""Where-Object and Expect-Object: which objects fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from lmfunction._blocks import Block, getter
from lmfunction._operators import comparison
from lmfunction._params import snake_case
from lmfunction._pipeline import Flow
from lmfunction._text import one_line
from lmfunction._verb_table import OPERATOR_NAMES
from lmfunction.errors import ExpectationError, ParameterError

Options = Mapping[str, Any]
_PROPERTY: Final = re.compile(r"@|[\w$-]+(?:\.[\w$-]+)*")


def where(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Where-Object."""
    fits = condition(options)
    return (value for value in objects if fits(value))


def expect(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Lets fitting objects through; raises ExpectationError at the first other, or when none comes."""
    fits = condition(options)
    count = 0
    for count, value in enumerate(objects, 1):
        if not fits(value):
            raise ExpectationError(options.get("message") or _unmet(value, options, count))
        yield value
    if count == 0:
        raise ExpectationError(options.get("message") or "Expected an object, and none came.")


def condition(options: Options) -> Callable[[Any], bool]:
    """The test that the options of Where-Object spell. Raises ParameterError when they spell none."""
    wanted = options.get("property")
    if wanted is None:
        raise ParameterError("Name a member and an operator (status -eq failed), or give a { block }.")
    opposite = bool(options.get("not"))
    name = _operator(options)
    if name is not None:
        take, fits = getter(wanted), comparison(name, options["value"])
        return lambda item: fits(take(item)) is not opposite
    test = _search_for(wanted) if is_expression(wanted) else getter(wanted)
    return lambda item: bool(test(item)) is not opposite


def is_expression(wanted: Any) -> bool:
    """Whether what stands for a property is a JMESPath condition and no member's name."""
    return isinstance(wanted, str) and _PROPERTY.fullmatch(wanted) is None


def _operator(options: Options) -> str | None:
    names = [name for name in OPERATOR_NAMES if options.get(snake_case(name))]
    if len(names) > 1:
        raise ParameterError(f"-{names[0]} and -{names[1]} exclude each other: give one operator.")
    if not names and "value" in options:
        raise ParameterError("An operator is missing before the value: write -eq, -gt, -like ...", parameter="Value")
    if names and "value" not in options:
        raise ParameterError(f"-{names[0].lower()} needs a value after it; $null stands for nothing.")
    return names[0] if names else None


def _search_for(expression: str) -> Callable[[Any], Any]:
    # The module that knows jmespath is imported when the first expression comes.
    from lmfunction._select import check, search

    check(expression)
    return lambda item: search(expression, item)


def _unmet(value: Any, options: Options, count: int) -> str:
    wanted = options["property"]
    name = _operator(options)
    compared = f" -{name.lower()} {one_line(repr(options['value']), 80)}" if name else ""
    told = f"Expected {'not ' if options.get('not') else ''}{wanted}{compared}; object {count} does not fit"
    if compared and not isinstance(wanted, Block):
        told += f": it is {one_line(repr(getter(wanted)(value)), 120)}"
    request_id = getattr(value, "request_id", None)
    return told + "." + (f"\n  RequestId: {request_id}" if request_id else "")

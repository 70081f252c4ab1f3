"""Select-Object: objects by their place, members by JMESPath or by name."""

from __future__ import annotations

import collections
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from lmfunction._blocks import getter, property_of
from lmfunction._jsonable import jsonable, members_of
from lmfunction._operators import wildcard
from lmfunction._pipeline import Flow, enumerated
from lmfunction.errors import ParameterError

Options = Mapping[str, Any]
_NAME_LIST: Final = re.compile(r"\s*[\w*?.$-]+\s*(?:,\s*[\w*?.$-]+\s*)+")


def select(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Select-Object. Places count the objects that come in; with an expression, which makes new ones, what it emits."""
    if options.get("expression") is None:
        found = _members(_places(objects, options), flow, options)
    else:
        found = _members(objects, flow, options)
        if takes_apart(options):
            found = _places(enumerated(found, flow), options)
    return _unique(found) if options.get("unique") else found


def takes_apart(options: Options) -> bool:
    """Whether lists that the expression finds are taken apart here already, so that their elements can be counted."""
    return any(name in options for name in ("first", "last", "skip", "skip_last", "unique"))


def check_select(options: Options) -> None:
    """Refuses a Select-Object that asks for two things at once, or for no JMESPath."""
    chosen = [n for n in ("expression", "property", "expand_property") if options.get(n) is not None]
    if len(chosen) > 1:
        raise ParameterError("Select-Object takes an expression, -Property or -ExpandProperty: give one of them.")
    if "last" in options and "skip_last" in options:
        raise ParameterError("-Last and -SkipLast exclude each other: give one of them.", parameter="SkipLast")
    for name in [*options.get("exclude_property", ()), *names_of(options)]:
        if isinstance(name, str) and _has_wildcard(name):
            wildcard(name, parameter="Property")
    expression = options.get("expression")
    if expression is not None and not is_name_list(expression):
        _select().check(expression)


def is_name_list(expression: str) -> bool:
    """Whether what follows `select` is names with commas between them, which JMESPath does not know."""
    return _NAME_LIST.fullmatch(expression) is not None


def names_of(options: Options) -> list[Any]:
    """The members that Select-Object is asked for by name."""
    expression = options.get("expression")
    if expression is not None and is_name_list(expression):
        return [name.strip() for name in expression.split(",")]
    names: list[Any] = options.get("property") or []
    return names


def picked(value: Any, names: list[Any], excluded: list[str]) -> dict[str, Any]:
    """A new object with the members that `names` (wildcards too) find; one that is missing is None."""
    found: dict[str, Any] = {}
    members = members_of(value)
    for name in names:
        if not isinstance(name, str):
            found[repr(name)] = getter(name)(value)
        elif _has_wildcard(name):
            fits = wildcard(name, parameter="Property").match
            found.update({k: v for k, v in members.items() if fits(k)})
        else:
            spelled = next((k for k in members if k.casefold() == name.casefold()), name)
            found[spelled] = property_of(value, name)
    left_out = [wildcard(name, parameter="ExcludeProperty").match for name in excluded]
    return {k: v for k, v in found.items() if not any(fits(k) for fits in left_out)}


def _members(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    take = _taker(options)
    expands = options.get("expand_property") is not None
    for value in objects:
        found = take(value)
        if expands and isinstance(found, list | tuple):
            flow.many = True
            yield from found
        elif found is not None:
            yield found


def _taker(options: Options) -> Callable[[Any], Any]:
    """What Select-Object makes of one object; what is null emits nothing."""
    names, excluded = names_of(options), options.get("exclude_property") or []
    expression, expanded = options.get("expression"), options.get("expand_property")
    if expanded is not None:
        return lambda value: property_of(value, expanded)
    if names or excluded:
        return lambda value: picked(value, names or ["*"], excluded)
    if expression is None:
        return lambda value: value
    search = _select().search
    return lambda value: search(expression, value)


def _places(objects: Iterator[Any], options: Options) -> Iterator[Any]:
    """The objects by their places. -Skip counts from the end when -Last stands alone, as in PowerShell."""
    skip, first, last = options.get("skip", 0), options.get("first"), options.get("last")
    if last is not None and first is None:
        kept = list(collections.deque(objects, maxlen=last + skip))
        yield from kept[: max(len(kept) - skip, 0)]
        return
    objects = itertools.islice(objects, skip, None)
    if options.get("skip_last"):
        objects = _all_but_last(objects, options["skip_last"])
    yield from objects if first is None else itertools.islice(objects, first)
    if last is not None:
        yield from collections.deque(objects, maxlen=last)


def _all_but_last(objects: Iterator[Any], count: int) -> Iterator[Any]:
    held: collections.deque[Any] = collections.deque()
    for value in objects:
        held.append(value)
        if len(held) > count:
            yield held.popleft()


def _unique(objects: Iterator[Any]) -> Iterator[Any]:
    """Each object once, the first time it comes; case counts."""
    seen = set()
    for value in objects:
        key = json.dumps(jsonable(value), sort_keys=True, default=str)
        if key not in seen:
            seen.add(key)
            yield value


def _has_wildcard(name: str) -> bool:
    return any(c in name for c in "*?[")


def _select() -> Any:
    """The module that knows jmespath, imported when the first expression comes."""
    from lmfunction import _select as module

    return module

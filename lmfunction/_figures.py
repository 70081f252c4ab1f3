"""Sort-Object, Group-Object, Measure-Object: verbs that look at all objects together."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from lmfunction._blocks import getter
from lmfunction._jsonable import jsonable
from lmfunction._operators import NUMBERS, number_of
from lmfunction._pipeline import Flow
from lmfunction.errors import ParameterError

Options = Mapping[str, Any]
_FIGURES: Final = ("average", "sum", "maximum", "minimum", "standard_deviation")


def sort(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Sort-Object. The order of equal objects stays."""
    takes = _takers(options.get("property"))
    exact = bool(options.get("case_sensitive"))
    keyed = [(tuple(sort_key(take(value), exact) for take in takes), value) for value in objects]
    keyed.sort(key=lambda pair: pair[0], reverse=bool(options.get("descending")))
    if options.get("unique"):
        keyed = [next(group) for _, group in itertools.groupby(keyed, key=lambda pair: pair[0])]
    found = [value for _, value in keyed]
    if "top" in options:
        found = found[: options["top"]]
    if "bottom" in options:
        found = found[max(len(found) - options["bottom"], 0) :]
    yield from found


def sort_key(value: Any, exact: bool) -> tuple[int, Any]:
    """A key by which anything can be ordered: nothing, then numbers, then text, then the rest by its text."""
    if value is None:
        return (0, 0)
    if isinstance(value, NUMBERS):
        return (0, 1) if math.isnan(value) else (1, value)
    if isinstance(value, str):
        return (2, value if exact else value.casefold())
    return (3, json.dumps(jsonable(value), sort_keys=True, default=str))


def group(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Group-Object: groups in the order of their names, objects in the order they came."""
    takes = _takers(options.get("property"))
    exact = bool(options.get("case_sensitive"))
    groups: dict[Any, tuple[Any, list[Any]]] = {}
    for value in objects:
        values = [take(value) for take in takes]
        name = values[0] if len(values) == 1 else values
        groups.setdefault(tuple(sort_key(v, exact) for v in values), (name, []))[1].append(value)
    ordered = [groups[key] for key in sorted(groups)]
    if options.get("as_hash_table"):
        flow.many = False
        yield {name if isinstance(name, str) else json.dumps(jsonable(name)): members for name, members in ordered}
        return
    flow.many = True
    for name, members in ordered:
        row = {"Name": name, "Count": len(members)}
        yield row if options.get("no_element") else {**row, "Group": members}


def measure(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Measure-Object: one mapping of figures, or one for each of several members."""
    names = options.get("property") or []
    values = list(objects)
    flow.many = len(names) > 1
    if not names:
        yield _figures(values, options)
    for name in names:
        found = [v for v in map(getter(name), values) if v is not None]
        yield {"Property": name if isinstance(name, str) else repr(name), **_figures(found, options)}


def _takers(names: list[Any] | None) -> list[Callable[[Any], Any]]:
    return [getter(name) for name in names] if names else [lambda value: value]


def _figures(values: list[Any], options: Options) -> dict[str, Any]:
    every = options.get("all_stats")
    wanted = [name for name in _FIGURES if every or options.get(name)]
    numbers = [n for n in map(_number, values) if n is not None]
    if len(numbers) != len(values) and {"average", "sum", "standard_deviation"} & set(wanted) and not every:
        raise ParameterError("Measure-Object: a value is no number, so that it cannot be summed.")
    ordered = sorted(numbers if len(numbers) == len(values) else values, key=lambda value: sort_key(value, True))
    compute: dict[str, Callable[[], Any]] = {
        "average": lambda: sum(numbers) / len(numbers) if numbers else None,
        "sum": lambda: sum(numbers) if numbers else None,
        "maximum": lambda: ordered[-1] if ordered else None,
        "minimum": lambda: ordered[0] if ordered else None,
        "standard_deviation": lambda: statistics.stdev(numbers) if len(numbers) > 1 else None,
    }
    figures = {"".join(part.capitalize() for part in name.split("_")): compute[name]() for name in wanted}
    return {"Count": len(values), **figures}


def _number(value: Any) -> Any:
    """A number, also one written as text; None for anything else."""
    if isinstance(value, str):
        return number_of(value)
    return None if isinstance(value, bool) or not isinstance(value, NUMBERS) else value

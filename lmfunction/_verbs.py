"""What the verbs do: each is a function from objects to objects, with options by their Python names.

They stream where they can: `select`, `where`, `foreach`, `first` and `expect` hold no more than the object under way.
"""

from __future__ import annotations

import collections
import fnmatch
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from lmfunction._blocks import Block, getter, property_of
from lmfunction._jsonable import jsonable, members_of
from lmfunction._operators import comparison
from lmfunction._params import snake_case
from lmfunction._pipeline import Flow
from lmfunction._text import one_line
from lmfunction._verb_table import OPERATOR_NAMES
from lmfunction.errors import ExpectationError, ParameterError

Options = Mapping[str, Any]


def select(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Select-Object: places first, then members."""
    for value in _unique(_places(objects, options), options):
        yield from _members(value, flow, options)


def check_select(options: Options) -> None:
    """Refuses a Select-Object that asks for two things at once, or for no JMESPath."""
    chosen = [n for n in ("expression", "property", "expand_property") if options.get(n) is not None]
    if len(chosen) > 1:
        raise ParameterError("Select-Object takes an expression, -Property or -ExpandProperty: give one of them.")
    expression = options.get("expression")
    if expression is not None and not is_name_list(expression):
        _select().check(expression)


def is_name_list(expression: str) -> bool:
    """Whether what follows `select` is names with commas between them, which JMESPath does not know."""
    names = [name.strip() for name in expression.split(",")]
    plain = all(name.replace("*", "").replace("?", "").replace("_", "").replace("-", "").isalnum() for name in names)
    return len(names) > 1 and plain


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
    """The test that the options of Where-Object spell."""
    wanted = options.get("property")
    if wanted is None:
        raise ParameterError("Name a member and an operator (status -eq failed), or give a { block }.")
    names = [name for name in OPERATOR_NAMES if options.get(snake_case(name))]
    if len(names) > 1:
        raise ParameterError(f"-{names[0]} and -{names[1]} exclude each other: give one operator.")
    opposite = bool(options.get("not"))
    if names:
        take, compare, value = getter(wanted), comparison(names[0]), options.get("value")
        return lambda item: compare(take(item), value) is not opposite
    if "value" in options:
        raise ParameterError("An operator is missing before the value: write -eq, -gt, -like ...")
    if isinstance(wanted, str) and wanted != "@" and not wanted.replace(".", "").replace("_", "").isalnum():
        _select().check(wanted)
        search = _select().search
        return lambda item: bool(search(wanted, item)) is not opposite
    take = getter(wanted)
    return lambda item: bool(take(item)) is not opposite


def foreach(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """ForEach-Object; with -Parallel in threads, in the order of the input."""
    if options.get("parallel") is not None:
        return _parallel(objects, _taker(options["parallel"]), options.get("throttle_limit", 5))
    work = options.get("process", options.get("member_name"))
    if work is None:
        raise ParameterError("ForEach-Object needs a { block }, a $function or a member's name.")
    return map(_taker(work), objects)


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
        found = found[len(found) - min(options["bottom"], len(found)) :]
    yield from found


def sort_key(value: Any, exact: bool) -> tuple[int, Any]:
    """A key by which anything can be ordered: nothing, then numbers, then text, then the rest by its text."""
    if value is None:
        return (0, 0)
    if isinstance(value, int | float):
        return (1, value)
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
        yield {name if isinstance(name, str) else json.dumps(name): members for name, members in ordered}
        return
    flow.many = True
    for name, members in ordered:
        row = {"Name": name, "Count": len(members)}
        yield row if options.get("no_element") else {**row, "Group": members}


def measure(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """Measure-Object: one mapping of figures, or one for each of several members."""
    names = options.get("property")
    values = list(objects)
    flow.many = isinstance(names, list) and len(names) > 1
    if not names:
        yield _figures(values, options)
        return
    for name in names if isinstance(names, list) else [names]:
        found = [v for v in map(getter(name), values) if v is not None]
        yield {"Property": name if isinstance(name, str) else repr(name), **_figures(found, options)}


def first(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """The first N objects; the rest is not read."""
    yield from itertools.islice(objects, options.get("count", 1))
    flow.many = "count" in options


def last(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """The last N objects."""
    found = collections.deque(objects, maxlen=options.get("count", 1))
    flow.many = "count" in options
    yield from found


def to_json(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """ConvertTo-Json: one text of everything that came."""
    found = [jsonable(value) for value in objects]
    single = len(found) == 1 and not flow.many and not options.get("as_array")
    flow.many = False
    if not found and not options.get("as_array"):
        return
    value = found[0] if single else found
    if "depth" in options and _depth(value) > options["depth"] + (0 if single else 1):
        raise ParameterError(f"The object is nested deeper than {options['depth']} levels.", parameter="Depth")
    if options.get("compress"):
        yield json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    else:
        yield json.dumps(value, ensure_ascii=False, indent=2)


def from_json(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """ConvertFrom-Json: of each text that comes."""
    for value in objects:
        text = value if isinstance(value, str | bytes) else getattr(value, "payload", value)
        if not isinstance(text, str | bytes):
            yield text  # a result's payload is decoded already
            continue
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
            raise ParameterError(f"ConvertFrom-Json: the text is not JSON{where}.") from None
        if isinstance(found, list) and not options.get("no_enumerate"):
            flow.many = True
            yield from found
        else:
            yield found


def _select() -> Any:
    """The module that knows jmespath, imported when the first expression comes."""
    from lmfunction import _select as module

    return module


def _places(objects: Iterator[Any], options: Options) -> Iterator[Any]:
    """The objects by their places: -Skip, then -First; -SkipLast, -Last."""
    objects = itertools.islice(objects, options.get("skip", 0), None)
    if "skip_last" in options:
        kept = list(objects)
        objects = iter(kept[: max(len(kept) - options["skip_last"], 0)])
    if "last" in options and "first" in options:
        kept = list(objects)
        head, tail = kept[: options["first"]], kept[options["first"] :]
        return iter(head + tail[max(len(tail) - options["last"], 0) :])
    if "first" in options:
        return itertools.islice(objects, options["first"])
    return iter(collections.deque(objects, maxlen=options["last"])) if "last" in options else objects


def _unique(objects: Iterator[Any], options: Options) -> Iterator[Any]:
    if not options.get("unique"):
        yield from objects
        return
    seen = set()
    for value in objects:
        picked = json.dumps([jsonable(v) for v in _members(value, Flow(), options)], sort_keys=True, default=str)
        if picked not in seen:
            seen.add(picked)
            yield value


def _members(value: Any, flow: Flow, options: Options) -> Iterator[Any]:
    """What Select-Object emits for one object; what is null emits nothing."""
    expression = options.get("expression")
    names = options.get("property")
    if expression is not None and is_name_list(expression):
        names, expression = [name.strip() for name in expression.split(",")], None
    if expression is not None:
        found = _select().search(expression, value)
        if found is not None:
            yield found
    elif options.get("expand_property") is not None:
        found = property_of(value, options["expand_property"])
        if isinstance(found, list | tuple):
            flow.many = True
            yield from found
        elif found is not None:
            yield found
    elif names or options.get("exclude_property"):
        yield _picked(value, names or ["*"], options.get("exclude_property") or [])
    else:
        yield value


def _picked(value: Any, names: list[Any], excluded: list[str]) -> dict[str, Any]:
    """A new object with the members that `names` (wildcards too) find; one that is missing is None."""
    found: dict[str, Any] = {}
    members = members_of(value)
    for name in names:
        if not isinstance(name, str):
            found[repr(name)] = getter(name)(value)
        elif any(c in name for c in "*?"):
            found.update({k: v for k, v in members.items() if _fits(k, name)})
        else:
            spelled = next((k for k in members if k.casefold() == name.casefold()), name.rpartition(".")[2])
            found[spelled] = property_of(value, name)
    return {k: v for k, v in found.items() if not any(_fits(k, name) for name in excluded)}


def _fits(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name.casefold(), pattern.casefold())


def _taker(work: Any) -> Callable[[Any], Any]:
    """What ForEach-Object does with an object: evaluates, calls, or takes a member (calling a method)."""
    if not isinstance(work, str):
        if not callable(work):
            raise ParameterError(f"ForEach-Object cannot call {type(work).__name__}.")
        call: Callable[[Any], Any] = work
        return call

    def member(value: Any) -> Any:
        found = property_of(value, work)
        method = getattr(value, work, None)
        return method() if found is None and callable(method) else found

    return member


def _parallel(objects: Iterator[Any], work: Callable[[Any], Any], limit: int) -> Iterator[Any]:
    """`work` on up to `limit` objects at a time, results in order; what was not begun is dropped when it is left."""
    pool = ThreadPoolExecutor(limit, thread_name_prefix="foreach")
    under_way: collections.deque[Future[Any]] = collections.deque()
    try:
        for value in objects:
            under_way.append(pool.submit(work, value))
            if len(under_way) >= limit:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _takers(wanted: Any) -> list[Callable[[Any], Any]]:
    if wanted is None:
        return [lambda value: value]
    return [getter(one) for one in (wanted if isinstance(wanted, list) else [wanted])]


def _figures(values: list[Any], options: Options) -> dict[str, Any]:
    figures: dict[str, Any] = {"Count": len(values)}
    every = options.get("all_stats")
    wanted = [n for n in ("average", "sum", "maximum", "minimum", "standard_deviation") if every or options.get(n)]
    if not wanted:
        return figures
    import statistics

    numbers = [n for n in map(_number, values) if n is not None]
    ordered: Iterable[Any] = numbers if len(numbers) == len(values) else sorted(values, key=lambda v: sort_key(v, True))
    ordered = sorted(ordered, key=lambda v: sort_key(v, True))
    if len(numbers) != len(values) and {"average", "sum", "standard_deviation"} & set(wanted) and not every:
        raise ParameterError("Measure-Object: a value is no number, so that it cannot be summed.")
    summed = sum(numbers)
    results = {
        "average": summed / len(numbers) if numbers else None,
        "sum": summed if numbers else None,
        "maximum": ordered[-1] if ordered else None,
        "minimum": ordered[0] if ordered else None,
        "standard_deviation": statistics.stdev(numbers) if len(numbers) > 1 else None,
    }
    return figures | {"".join(p.capitalize() for p in n.split("_")): results[n] for n in wanted}


def _number(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _unmet(value: Any, options: Options, count: int) -> str:
    wanted = options["property"]
    operator = next(
        (f" -{n.lower()} {options.get('value')!r}" for n in OPERATOR_NAMES if options.get(snake_case(n))), ""
    )
    opposite = "not " if options.get("not") else ""
    told = f"Expected {opposite}{wanted}{operator}; object {count} does not fit"
    if operator and not isinstance(wanted, Block):
        told += f": it is {one_line(repr(getter(wanted)(value)), 120)}"
    request_id = getattr(value, "request_id", None)
    return told + "." + (f"\n  RequestId: {request_id}" if request_id else "")

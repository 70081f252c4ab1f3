"""The plain verbs: ForEach-Object, the first and last ones, JSON text made and read."""

from __future__ import annotations

import collections
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from lmfunction._blocks import getter, property_of
from lmfunction._jsonable import json_text, jsonable
from lmfunction._pipeline import Flow
from lmfunction.errors import ParameterError

Options = Mapping[str, Any]


def foreach(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """ForEach-Object; with -Parallel in threads, in the order of the input."""
    work = worker(options)
    if options.get("parallel") is not None:
        return _parallel(objects, work, options.get("throttle_limit", 5))
    return map(work, objects)


def worker(options: Options) -> Callable[[Any], Any]:
    """What ForEach-Object does with an object: evaluates, calls, or takes a member. Raises ParameterError for none."""
    work = next((options[n] for n in ("parallel", "process", "member_name") if options.get(n) is not None), None)
    if work is None:
        raise ParameterError("ForEach-Object needs a { block }, a $function or a member's name.")
    if isinstance(work, str):
        return lambda value: _member(value, work)
    if not callable(work):
        raise ParameterError(f"ForEach-Object cannot call {type(work).__name__}.")
    return getter(work)


def first(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """The first N objects; the rest is not read."""
    found = itertools.islice(objects, options.get("count", 1))
    head = list(itertools.islice(found, 1))
    flow.many = "count" in options
    yield from itertools.chain(head, found)


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
    deepest = options.get("depth")
    if deepest is not None and any(_contained(value) > deepest for value in found):
        raise ParameterError(f"An object is nested deeper than {deepest} levels.", parameter="Depth")
    yield json_text(found[0] if single else found, indent=None if options.get("compress") else 2)


def from_json(objects: Iterator[Any], flow: Flow, options: Options) -> Iterator[Any]:
    """ConvertFrom-Json: of each text that comes. A result's payload is decoded already."""
    for value in objects:
        text = value if isinstance(value, str | bytes) else getattr(value, "payload", value)
        found = _decoded(text) if isinstance(text, str | bytes) else text
        if not isinstance(found, list) or options.get("no_enumerate"):
            yield found
        else:
            flow.many = True
            yield from found


def _decoded(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ParameterError(f"ConvertFrom-Json: the text is not JSON{where}.") from None


def _member(value: Any, name: str) -> Any:
    """A member's value; a method is called. Not of a mapping, where a missing key must not find `dict.clear`."""
    found = property_of(value, name)
    method = None if isinstance(value, Mapping) else getattr(value, name, None)
    return method() if found is None and callable(method) else found


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


def _contained(value: Any) -> int:
    """How many levels of objects an object contains: 0 for one that holds no other, as -Depth counts them."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((1 + _contained(item) for item in inner if isinstance(item, dict | list)), default=0)

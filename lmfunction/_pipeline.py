"""Objects flowing through stages, one by one.

A stage takes an iterator of objects and gives one; nothing is collected where nothing needs the whole. Lists, tuples,
iterators and the rows of a data frame are enumerated on their way into a stage; a result, a mapping and text are one
object. A pipeline that enumerated something gives a list, also of one; one that did not gives the object itself.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lmfunction._blocks import called
from lmfunction._callables import is_function
from lmfunction._door import NOTHING


@dataclass
class Flow:
    """What one run of a pipeline knows about itself: whether something was enumerated, and which stage is the last."""

    many: bool = False
    last: Any = None


class Stage:
    """Anything of ours that can stand after a `|`. `value | stage` runs it, `stage | stage` makes a longer pipe."""

    # numpy and pandas would spread `|` over the elements of an array: this makes them leave it to us.
    __array_ufunc__ = None
    __pandas_priority__ = 10_000
    spreads = True  # whether a list that it emits is several objects; a verb that lets objects through keeps them whole
    ends = False  # whether it makes one object of all, so that a pipeline with it at its end can be run at once

    def run(self, objects: Iterator[Any], flow: Flow) -> Iterator[Any]:
        """The objects that this stage makes of `objects`; they come enumerated."""
        raise TypeError(f"{type(self).__name__} is no stage of its own")

    def begin(self, flow: Flow) -> Iterator[Any]:
        """The objects that this stage makes with nothing piped in."""
        raise TypeError(f"{self!r} cannot begin a pipe: write objects | {self!r}")

    def __or__(self, other: Any) -> Any:
        more = as_stages(other)
        return Pipe((*as_stages(self), *more)) if more else NotImplemented

    def __ror__(self, value: Any) -> Any:
        return run([value], as_stages(self), empty=None)


@dataclass(frozen=True)
class Pipe(Stage):
    """Stages one after the other."""

    stages: tuple[Stage, ...] = field(default=())

    def run(self, objects: Iterator[Any], flow: Flow) -> Iterator[Any]:
        """The objects that come out at the end."""
        return _through(self.stages, enumerated(objects, flow), flow)

    def send(self) -> Any:
        """What the pipe gives when its first stage begins it: `(lm.Invoke("a") | lm.select("Payload.x")).send()`.

        Raises TypeError when the first stage needs objects.
        """
        first, *following = self.stages
        return run([], (_Beginning(first), *following), empty=None)

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.stages)) or "<empty pipe>"


@dataclass(frozen=True)
class _Beginning(Stage):
    """A stage that begins a pipe."""

    stage: Stage

    @property
    def spreads(self) -> bool:  # type: ignore[override]
        """As the stage itself."""
        return self.stage.spreads

    def run(self, objects: Iterator[Any], flow: Flow) -> Iterator[Any]:
        return self.stage.begin(flow)


@dataclass(frozen=True)
class FunctionStage(Stage):
    """A function of the user, called for each object."""

    function: Callable[[Any], Any]

    def run(self, objects: Iterator[Any], flow: Flow) -> Iterator[Any]:
        """What the function gives for each object."""
        return (called(self.function, value) for value in objects)

    def __repr__(self) -> str:
        return f"${getattr(self.function, '__name__', 'function')}"


@dataclass(frozen=True)
class Source:
    """Objects that are not yet flowing: `lm.pipe(items) | stage`. Iterating it runs the stages so far."""

    objects: Iterable[Any]
    stages: tuple[Stage, ...] = ()

    def __iter__(self) -> Iterator[Any]:
        flow = Flow(many=True)
        return _emitted(self.stages, iter(self.objects), flow)

    def __or__(self, other: Any) -> Any:
        more = as_stages(other)
        if not more:
            return NotImplemented
        longer = Source(self.objects, (*self.stages, *more))
        return longer.value() if getattr(more[-1], "ends", False) else longer

    def value(self) -> Any:
        """What the pipeline gives: a list, or the one object that its last stage makes of all."""
        return _run(iter(self.objects), self.stages, [], Flow(many=True))

    def __repr__(self) -> str:
        return f"<pipe of {type(self.objects).__name__}{''.join(f' | {stage!r}' for stage in self.stages)}>"


def pipe(objects: Iterable[Any]) -> Source:
    """The `objects` (an iterable, or a data frame's rows) as the head of a pipeline; nothing is read before it runs."""
    return Source(rows_of(objects) or [] if is_frame(objects) else objects)


class Objects(list[Any]):
    """Several objects that a pipeline emitted: a list, which a terminal prints one by one."""

    def __or__(self, other: Any) -> Any:
        return run([self], as_stages(other)) if is_function(other) else NotImplemented


class Stopped(Exception):  # noqa: N818 - no error: the run ends here, and nobody sees it
    """Ends a run in which -WhatIf showed what would be sent: no later stage writes or expects anything."""


def run(objects: Iterable[Any], stages: Iterable[Stage], *, empty: Any = NOTHING, many: bool = False) -> Any:
    """What the pipeline emits: a list when something was enumerated, else the one object, else `empty`."""
    flow = Flow(many)
    return _run(enumerated(objects, flow), stages, empty, flow)


def _run(objects: Iterator[Any], stages: Iterable[Stage], empty: Any, flow: Flow) -> Any:
    try:
        found = list(_emitted(tuple(stages), objects, flow))
    except Stopped:
        return empty
    if flow.many:
        return Objects(found)
    return found[0] if found else empty


def _through(stages: tuple[Stage, ...], objects: Iterator[Any], flow: Flow) -> Iterator[Any]:
    """`objects`, which are enumerated already, through the stages."""
    flow.last = stages[-1] if stages else None
    for before, stage in zip((None, *stages), stages, strict=False):
        objects = stage.run(enumerated(objects, flow) if before is not None and before.spreads else objects, flow)
    return objects


def _emitted(stages: tuple[Stage, ...], objects: Iterator[Any], flow: Flow) -> Iterator[Any]:
    """What comes out at the end: collections are taken apart, a data frame or a bulk result is the value itself."""
    found = _through(stages, objects, flow)
    if stages and not stages[-1].spreads:
        yield from found
        return
    for value in found:
        rows = rows_of(value) if isinstance(value, list | tuple | set | frozenset | Iterator | Source) else None
        if rows is None or not stages:
            yield value
        else:
            flow.many = True
            yield from rows


def enumerated(objects: Iterable[Any], flow: Flow) -> Iterator[Any]:
    """The objects with every collection among them taken apart; with a length hint where one collection is left."""
    return _Enumerated(objects, flow)


class _Enumerated(Iterator[Any]):
    def __init__(self, objects: Iterable[Any], flow: Flow) -> None:
        self._objects = iter(objects)
        self._rows: Iterator[Any] = iter(())
        self._flow = flow

    def __next__(self) -> Any:
        while True:
            for value in self._rows:
                return value
            value = next(self._objects)
            rows = rows_of(value)
            if rows is None:
                return value
            self._flow.many = True
            self._rows = iter(rows)

    def __length_hint__(self) -> Any:
        if operator.length_hint(self._objects, 1):  # what comes may be collections too
            return NotImplemented
        hint = operator.length_hint(self._rows, -1)
        return hint if hint >= 0 else NotImplemented


def rows_of(value: Any) -> Iterable[Any] | None:
    """The elements of a collection, or None for what is one object."""
    if isinstance(value, list | tuple | range | set | frozenset):
        return value
    if is_frame(value):
        rows: Iterable[Any] = value.to_dict("records") if hasattr(value, "iloc") else value.to_dicts()
        return rows
    if isinstance(value, str | bytes | Mapping):
        return None
    if _is_column(value):
        column: Iterable[Any] = value.tolist() if hasattr(value, "tolist") else value.to_list()
        return column
    elements = getattr(value, "pipeline_objects", None)  # a bulk result
    if callable(elements):
        found: Iterable[Any] = elements()
        return found
    return value if isinstance(value, Iterator | Source) else None


def is_frame(value: Any) -> bool:
    """Whether `value` is a data frame of pandas or polars."""
    return type(value).__name__ == "DataFrame" and type(value).__module__.partition(".")[0] in ("pandas", "polars")


def _is_column(value: Any) -> bool:
    """Whether `value` is a column of a data frame, or an array of numpy that has elements."""
    kind, library = type(value).__name__, type(value).__module__.partition(".")[0]
    return (kind in ("Series", "Index") and library in ("pandas", "polars")) or (
        kind == "ndarray" and library == "numpy" and bool(value.ndim)
    )


def as_stages(value: Any) -> tuple[Stage, ...]:
    """The stages that `value` is, when it may stand after a `|`."""
    if isinstance(value, Pipe):
        return value.stages
    if isinstance(value, Stage):
        return (value,)
    return (FunctionStage(value),) if is_function(value) else ()

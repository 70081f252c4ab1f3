"""The verbs of pipelines as Python functions: `result | lm.select("Payload.items[]") | lm.where("price", gt=10)`.

Each makes a stage of its verb's row of the table. The keywords are the parameters' Python names, written out for
editors and type checkers; a test holds them against the table. A wrong option raises ParameterError when the stage is
made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from lmfunction import _verb_table as rows
from lmfunction._door import Door
from lmfunction._params import Cmdlet, Parameter
from lmfunction._pipeline import FunctionStage, Source, Stage
from lmfunction._stages import VerbStage, verb_stage
from lmfunction._text import did_you_mean
from lmfunction._unset import UNSET
from lmfunction.errors import ParameterError

# Members of objects: a name, names with commas, a list of names, or a function that computes a value.
Names = str | Callable[[Any], Any] | list[Any]
_PYTHON_DOOR: Final = Door(error_action="Continue")


def select(
    expression: str = UNSET,  # type: ignore[assignment]  # UNSET tells "not given" from any value
    *,
    property: Names = UNSET,  # type: ignore[assignment]
    exclude_property: Names = UNSET,  # type: ignore[assignment]
    expand_property: str = UNSET,  # type: ignore[assignment]
    first: int = UNSET,  # type: ignore[assignment]
    last: int = UNSET,  # type: ignore[assignment]
    skip: int = UNSET,  # type: ignore[assignment]
    skip_last: int = UNSET,  # type: ignore[assignment]
    unique: bool = UNSET,  # type: ignore[assignment]
) -> Stage:
    """What the JMESPath `expression` finds in each object; or members by `property`, objects by their place."""
    return _stage(rows.SELECT, locals())


def where(
    property: str | Callable[[Any], Any],
    operator: str = UNSET,  # type: ignore[assignment]
    value: Any = UNSET,
    **comparison: Any,
) -> Stage:
    """The objects that fit: `where("price > `10`")`, `where(lambda o: o["price"] > 10)`, `where("price", gt=10)`.

    `property` is a JMESPath condition, a function, or a member's name; the name goes with an operator of PowerShell,
    as a word (`where("status", "eq", "failed")`) or as a keyword (`eq=`, `notlike=`, `in_=`, `cmatch=` ...). Letters'
    case does not count, but for the twins that begin with c. `not_=True` gives the objects that do not fit.
    """
    return _stage(rows.WHERE, _compared(rows.WHERE, property, operator, value, comparison))


def expect(
    property: str | Callable[[Any], Any],
    operator: str = UNSET,  # type: ignore[assignment]
    value: Any = UNSET,
    *,
    message: str = UNSET,  # type: ignore[assignment]
    **comparison: Any,
) -> Stage:
    """Lets the objects through when all fit, as `where` tells them; raises ExpectationError at the first other.

    No object at all does not meet the expectation either. `message` replaces the error's text.
    """
    given = _compared(rows.EXPECT, property, operator, value, comparison)
    return _stage(rows.EXPECT, {**given, "message": message})


def foreach(
    process: str | Callable[[Any], Any] = UNSET,  # type: ignore[assignment]
    *,
    member_name: str = UNSET,  # type: ignore[assignment]
    parallel: bool | str | Callable[[Any], Any] = UNSET,  # type: ignore[assignment]
    throttle_limit: int = UNSET,  # type: ignore[assignment]
) -> Stage:
    """What a function, or a member by its name, gives for each object.

    `parallel` is the function, or True for `process`: it is called in up to `throttle_limit` (5) threads at a time, and
    the order stays.
    """
    if parallel is True:
        process, parallel = UNSET, process  # type: ignore[assignment]
    elif parallel is False:
        parallel = UNSET  # type: ignore[assignment]
    return _stage(
        rows.FOREACH,
        {"process": process, "member_name": member_name, "parallel": parallel, "throttle_limit": throttle_limit},
    )


def sort(
    property: Names = UNSET,  # type: ignore[assignment]
    *,
    descending: bool = UNSET,  # type: ignore[assignment]
    unique: bool = UNSET,  # type: ignore[assignment]
    case_sensitive: bool = UNSET,  # type: ignore[assignment]
    top: int = UNSET,  # type: ignore[assignment]
    bottom: int = UNSET,  # type: ignore[assignment]
) -> Stage:
    """The objects in order: by themselves, by members, or by what a function gives. What is missing comes first."""
    return _stage(rows.SORT, locals())


def group(
    property: Names = UNSET,  # type: ignore[assignment]
    *,
    no_element: bool = UNSET,  # type: ignore[assignment]
    case_sensitive: bool = UNSET,  # type: ignore[assignment]
    as_hash_table: bool = UNSET,  # type: ignore[assignment]
) -> Stage:
    """A mapping with Name, Count and Group for each value of a member; one mapping with `as_hash_table`."""
    return _stage(rows.GROUP, locals())


def measure(
    property: Names = UNSET,  # type: ignore[assignment]
    *,
    sum: bool = UNSET,  # type: ignore[assignment]
    average: bool = UNSET,  # type: ignore[assignment]
    minimum: bool = UNSET,  # type: ignore[assignment]
    maximum: bool = UNSET,  # type: ignore[assignment]
    standard_deviation: bool = UNSET,  # type: ignore[assignment]
    all_stats: bool = UNSET,  # type: ignore[assignment]
) -> Stage:
    """One mapping with the Count, and the figures asked for, of the objects or of a member."""
    return _stage(rows.MEASURE, locals())


def first(count: int = UNSET) -> Stage:  # type: ignore[assignment]
    """The first object, or a list of the first `count`; then nothing more is read."""
    return _stage(rows.FIRST, locals())


def last(count: int = UNSET) -> Stage:  # type: ignore[assignment]
    """The last object, or a list of the last `count`."""
    return _stage(rows.LAST, locals())


def tee(file_path: Any, *, append: bool = UNSET) -> Stage:  # type: ignore[assignment]
    """Lets the objects through, and keeps each: in a list, by a function that is called with it, or in a file.

    A file gets one JSON line for each object; `append` adds to it.
    """
    if isinstance(file_path, list):
        return FunctionStage(_keeping(file_path.append))
    return FunctionStage(_keeping(file_path)) if callable(file_path) else _stage(rows.TEE, locals())


def to_json(
    *,
    depth: int = UNSET,  # type: ignore[assignment]
    compress: bool = UNSET,  # type: ignore[assignment]
    as_array: bool = UNSET,  # type: ignore[assignment]
) -> Stage:
    """JSON text: of one object as it is, of several an array."""
    return _stage(rows.TO_JSON, locals())


def from_json(*, no_enumerate: bool = UNSET, as_hashtable: bool = UNSET) -> Stage:  # type: ignore[assignment]
    """The values of JSON texts; an array's elements one by one unless `no_enumerate`."""
    return _stage(rows.FROM_JSON, locals())


def table(
    property: Names = UNSET,  # type: ignore[assignment]
    *,
    auto_size: bool = UNSET,  # type: ignore[assignment]
    title: str = UNSET,  # type: ignore[assignment]
) -> Stage:
    """The objects as a table to look at; `property` names the columns."""
    return _stage(rows.FORMAT_TABLE, locals())


def format_list(property: Names = UNSET, *, title: str = UNSET) -> Stage:  # type: ignore[assignment]
    """The objects with their members below each other, to look at."""
    return _stage(rows.FORMAT_LIST, locals())


def out_file(
    file_path: str | os.PathLike[str],
    *,
    append: bool = UNSET,  # type: ignore[assignment]
    no_clobber: bool = UNSET,  # type: ignore[assignment]
) -> Stage:
    """Writes a file that is there when all is written: text as lines, other objects as JSON lines. Gives None."""
    return _stage(rows.OUT_FILE, locals())


def export_csv(
    path: str | os.PathLike[str],
    *,
    delimiter: str = UNSET,  # type: ignore[assignment]
    append: bool = UNSET,  # type: ignore[assignment]
    no_clobber: bool = UNSET,  # type: ignore[assignment]
    no_type_information: bool = UNSET,  # type: ignore[assignment]
) -> Stage:
    """Writes a CSV file with a header, safe to open in a spreadsheet. Gives None."""
    return _stage(rows.EXPORT_CSV, locals())


def import_csv(
    path: str | os.PathLike[str],
    *,
    delimiter: str = UNSET,  # type: ignore[assignment]
    header: Names = UNSET,  # type: ignore[assignment]
) -> Source:
    """The rows of a CSV file as mappings of text, to iterate over or to begin a pipe with; read when it is run."""
    return Source([None], (_stage(rows.IMPORT_CSV, locals()),))


def to_frame(*, library: str = UNSET, property: Names = UNSET) -> Stage:  # type: ignore[assignment]
    """A data frame, a row for each object; of pandas or polars, by `library` or what is installed."""
    return _stage(rows.TO_FRAME, locals())


def _stage(verb: Cmdlet, given: Mapping[str, Any]) -> VerbStage:
    """The verb's stage with what was given, by Python name."""
    values = {
        verb.by_target[name].name: os.fspath(value) if isinstance(value, os.PathLike) else value
        for name, value in given.items()
        if value is not UNSET
    }
    return verb_stage(verb, values, _PYTHON_DOOR)


def _compared(verb: Cmdlet, wanted: Any, operator: Any, value: Any, comparison: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a comparison, which Python writes `where("a", "eq", 1)` or `where("a", eq=1)`."""
    given: dict[str, Any] = {"property": wanted}
    if operator is not UNSET:
        if value is UNSET:
            raise ParameterError(f"A value is missing after the operator {operator!r}.", parameter="Value")
        given |= {_operator(verb, str(operator).removeprefix("-"), ParameterError).target: True, "value": value}
    for name, keyword in comparison.items():
        if name == "not_":
            given["not"] = bool(keyword)
            continue
        target = _operator(verb, name, TypeError).target
        if "value" in given:
            raise ParameterError("Give one comparison; another goes into a where of its own behind a |.")
        given |= {target: True, "value": keyword}
    return given


def _operator(verb: Cmdlet, name: str, error: type[Exception]) -> Parameter:
    """The operator by any of its names; `in_` is `in`, which is a word of Python's own."""
    wanted = name.replace("_", "").casefold()
    found = next((p for p in _operators(verb) if wanted in p.spellings), None)
    if found is None:
        known = [p.target for p in _operators(verb)]
        raise error(f"{verb.python_names[0]}() has no operator {name!r}.{did_you_mean(wanted, known)}")
    return found


def _operators(verb: Cmdlet) -> list[Parameter]:
    return [p for p in verb.parameters if p.name in rows.OPERATOR_NAMES]


def _keeping(keep: Callable[[Any], object]) -> Callable[[Any], Any]:
    def tee(value: Any) -> Any:
        keep(value)
        return value

    return tee

"""What probably flows into the stage at the cursor: objects to look at for their keys. Nothing is run or contacted.

A `$variable` at the head is looked at itself, a cmdlet of the API by boto3's model of its answer, an invocation by the
last result there was. Verbs that choose among objects let them through; `select` is applied.
"""

from __future__ import annotations

import csv
import itertools
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lmfunction._cursor import Seen, seen_in, value_of
from lmfunction._explain import FunctionFailure
from lmfunction._grammar import Form, Token, Value
from lmfunction._model import InvokeResult
from lmfunction._operations import default_select
from lmfunction._params import Cmdlet
from lmfunction._peek import plain
from lmfunction._select import search
from lmfunction._service import Member, operation
from lmfunction._table import INVOKE, OPERATIONS, PUBLISH, find_cmdlet
from lmfunction._verb_table import VERBS
from lmfunction._wire import RESULT_MEMBERS, Report
from lmfunction.errors import LMError

_MOST: Final = 50
_CSV_BYTES: Final = 64 * 1024
_LETTING_THROUGH: Final = frozenset(
    ["Where-Object", "Sort-Object", "Select-First", "Select-Last", "Tee-Object", "Expect-Object"]
)
_GROUP: Final = {"Name": "", "Count": 0}
_MEASURED: Final = dict.fromkeys(("Count", "Property", "Sum", "Average", "Minimum", "Maximum", "StandardDeviation"), 0)


def flowing(
    stages: Sequence[Sequence[Token]], first: Cmdlet | None, text: str, names: Mapping[str, Any], last: Any
) -> list[Any]:
    """The objects that come out of `stages`, as plain data; of `first` the cmdlet when it is not in the tokens.

    `text` is the line, `names` are the user's variables, `last` is the last result that the user got.
    """
    objects: list[Any] = [last] if last is not None else []
    for index, tokens in enumerate(stages):
        cmdlet, arguments = (first, tokens) if index == 0 and first is not None else _stage(tokens)
        if cmdlet is not None:
            objects = _emitted(seen_in(cmdlet, arguments, names), objects, text, names, last)
        elif index == 0 and tokens and isinstance(tokens[0], Value):
            objects = _literal(tokens[0], names)
        else:
            objects = []
        objects = [*_apart(objects)]
    return [plain(one) for one in objects]


def selectable(cmdlet: Cmdlet, last: Any) -> list[Any]:
    """What `-Select` of `cmdlet` looks at, as plain data."""
    if cmdlet is INVOKE:
        return results(last)
    name = OPERATIONS.get(cmdlet.name)
    if name is None:
        return []
    if operation(name).streams:
        return results(last)
    return [_members(operation(name).outputs)]


def results(last: Any) -> list[Any]:
    """An invocation's result with every member, and the last result, whose payload may tell that of the next."""
    blank: dict[str, Any] = dict.fromkeys(RESULT_MEMBERS)
    blank["Report"] = {_wire_name(name): 0 for name in Report.__slots__}
    blank["Error"] = {_wire_name(name): "" for name in FunctionFailure.__slots__}
    return [*([plain(last)] if isinstance(last, InvokeResult) else []), blank]


def _wire_name(attribute: str) -> str:
    return attribute.title().replace("_", "")


def _stage(tokens: Sequence[Token]) -> tuple[Cmdlet | None, Sequence[Token]]:
    head = tokens[0].text if tokens and isinstance(tokens[0], Value) and tokens[0].form is Form.WORD else ""
    return find_cmdlet(head, VERBS) or find_cmdlet(head), tokens[1:]


def _emitted(seen: Seen, objects: list[Any], text: str, names: Mapping[str, Any], last: Any) -> list[Any]:
    """What a stage makes of `objects`; nothing where that cannot be known."""
    bound = seen.bound(text, names)
    name = seen.cmdlet.name
    if seen.cmdlet is INVOKE or name in OPERATIONS:
        return [*_answered(seen.cmdlet, bound, last)]
    if name in _LETTING_THROUGH:
        return objects
    if name == "Select-Object":
        return [*_selected(bound, objects)]
    if name == "Group-Object":
        return [{**_GROUP, "Group": objects}]
    if name == "Measure-Object":
        return [_MEASURED]
    if name == "ConvertFrom-Json":
        return [_parsed(one) for one in objects]
    if name == "Import-Csv":
        return [*_rows(bound)]
    return []


def _answered(cmdlet: Cmdlet, bound: Mapping[str, Any], last: Any) -> Iterator[Any]:
    """What a cmdlet emits, by its -Select."""
    chosen = bound.get("Select", default_select(operation(OPERATIONS[cmdlet.name])) if cmdlet is not INVOKE else "*")
    for one in selectable(cmdlet, last):
        if chosen == "*" or cmdlet is PUBLISH:
            yield one
        elif isinstance(chosen, str) and chosen and not chosen.startswith("^"):
            yield _searched(chosen, one)


def _selected(bound: Mapping[str, Any], objects: list[Any]) -> Iterator[Any]:
    expression = bound.get("Expression")
    listed = bound.get("Property") or (expression if isinstance(expression, str) and "," in expression else None)
    for one in objects:
        found = plain(one)
        if isinstance(bound.get("ExpandProperty"), str):
            yield found.get(bound["ExpandProperty"]) if isinstance(found, dict) else None
        elif isinstance(listed, str) and isinstance(found, dict) and not set(listed) & set("[]{}()*?|"):
            wanted = {name.strip().casefold() for name in listed.split(",")}
            yield {key: item for key, item in found.items() if key.casefold() in wanted}
        elif isinstance(expression, str) and expression:
            yield _searched(expression.strip("'\""), found)
        else:
            yield found


def _searched(expression: str, value: Any) -> Any:
    try:
        return search(expression, plain(value))
    except LMError:
        return None


def _literal(head: Value, names: Mapping[str, Any]) -> list[Any]:
    """The objects of a pipeline's first stage that is a value."""
    if head.form is Form.BRACKETED:
        return [_parsed(head.text)]
    return [value_of(head, names)] if head.form is Form.PATH else []


def _apart(objects: list[Any]) -> Iterator[Any]:
    """The objects one by one, lists taken apart, as many as are worth looking at."""
    for one in objects[:_MOST]:
        if isinstance(one, list | tuple):
            yield from itertools.islice((list if isinstance(one, list) else tuple).__iter__(one), _MOST)  # type: ignore[arg-type]
        elif one is not None:
            yield one


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _rows(bound: Mapping[str, Any]) -> Iterator[Any]:
    """The first row of the CSV file that Import-Csv will read."""
    delimiter, header = bound.get("Delimiter") or ",", bound.get("Header")
    if isinstance(header, str):
        yield dict.fromkeys((name.strip() for name in header.split(",")), "")
    elif isinstance(bound.get("Path"), str) and isinstance(delimiter, str) and len(delimiter) == 1:
        try:
            with pathlib.Path(bound["Path"]).expanduser().open(encoding="utf-8-sig", errors="replace") as file:
                names = next(csv.reader(file.read(_CSV_BYTES).splitlines(), delimiter=delimiter), [])
        except (OSError, csv.Error):
            return
        yield dict.fromkeys(names, "")


def _members(members: Sequence[Member]) -> dict[str, Any]:
    """An answer with every member of the API's model."""
    return {member.name: _blank(member) for member in members if not member.is_status}


def _blank(member: Member) -> Any:
    if member.type == "structure":
        return _members(member.members)
    if member.type == "objects":
        return [_members(member.members)] if member.members else []
    return {"texts": [""], "map": {}, "whole": 0, "number": 0, "boolean": False}.get(member.type, "")

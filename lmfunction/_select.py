"""JMESPath over results: expressions compiled once, their root names matched in any case.

The tree that `jmespath.compile` gives is walked for the fields that are looked up in the root: those are the names
that can be checked before anything is sent. So are the functions and the number of their arguments, which jmespath
itself looks at only when it searches.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError, JMESPathTypeError, LexerError, ParseError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult

from lmfunction._jsonable import jsonable
from lmfunction._text import did_you_mean
from lmfunction.errors import LMError, ParameterError

# Node types whose first child alone sees what the node sees; the others are applied to that child's result.
_FIRST_CHILD_ONLY = frozenset(
    ["subexpression", "index_expression", "projection", "filter_projection", "flatten", "value_projection", "pipe"]
)


@dataclass(frozen=True)
class Selection:
    """A checked expression, ready for results."""

    parsed: ParsedResult
    parameter: str

    def search(self, result: Mapping[str, Any]) -> Any:
        """What the expression finds in a result's `to_dict()`.

        Raises LMError when a function of the expression does not take what the answer holds.
        """
        try:
            return self.parsed.search(result)
        except JMESPathError as error:
            raise LMError(
                f"The answer came, but {self.parameter} cannot be applied to it: {_why(error)}.",
                request_id=result.get("RequestId"),
            ) from None


def compile_expression(expression: str, members: Iterable[str] | None, *, parameter: str = "Select") -> Selection:
    """The compiled `expression`, with root names spelled as in `members`; None: names stay as they are written.

    Raises ParameterError with the column for what is not JMESPath, for an unknown function, and for a root name that is
    no member.
    """
    try:
        parsed = jmespath.compile(expression)
    except (ParseError, LexerError) as error:
        column = getattr(error, "lex_position", 0) + 1
        raise ParameterError(
            f"{parameter} is not a JMESPath expression: {_reason(error)}.",
            parameter=parameter,
            source=expression,
            column=min(column, len(expression) + 1),
        ) from None
    except JMESPathError as error:
        raise ParameterError(f"{parameter} is not a JMESPath expression: {error}", parameter=parameter) from None
    tree: Any = parsed.parsed
    for node in _calls(tree):
        if fault := _fault_of_call(node):
            column = expression.find(node["value"]) + 1
            raise ParameterError(f"{parameter}: {fault}", parameter=parameter, source=expression, column=column)
    if members is None:
        return Selection(parsed, parameter)
    by_folded = {name.casefold(): name for name in members}
    for node in _root_fields(tree):
        name = node["value"]
        if name.casefold() not in by_folded:
            raise ParameterError(
                f"{parameter} '{name}' names no member of the result.{did_you_mean(name, by_folded.values())}"
                f" Members: {', '.join(by_folded.values())}.",
                parameter=parameter,
                source=expression,
                column=expression.find(name) + 1,
            )
    respelled: Any = _respelled(tree, by_folded)
    return Selection(ParsedResult(expression, respelled), parameter)


def search(expression: str, value: Any) -> Any:
    """What the JMESPath `expression` finds in any object, its root names in any case.

    In a result, a root name that is no member is an error; anything else may lack what is asked for. Raises
    ParameterError for what is not JMESPath, LMError when a function does not take what it finds.
    """
    data = jsonable(value)
    if hasattr(type(value), "raw_payload"):
        parsed = _compiled(expression, _members_of_results()).parsed
    else:
        parsed = _spelled_as_in(data, _compiled(expression, None).parsed, expression)
    try:
        return parsed.search(data)
    except JMESPathError as error:
        raise LMError(f"The expression cannot be applied to an object: {_why(error)}.") from None


def check(expression: str) -> None:
    """Raises ParameterError with the column when `expression` is not JMESPath."""
    _compiled(expression, None)


@functools.lru_cache(maxsize=256)
def _compiled(expression: str, members: tuple[str, ...] | None) -> Selection:
    return compile_expression(expression, members, parameter="Expression")


def _members_of_results() -> tuple[str, ...]:
    from lmfunction._wire import RESULT_MEMBERS

    return tuple(RESULT_MEMBERS)


def _spelled_as_in(data: Any, parsed: ParsedResult, expression: str) -> ParsedResult:
    """The expression with its root names in the spelling of `data`, where they stand there in another case."""
    if not isinstance(data, dict):
        return parsed
    tree: Any = parsed.parsed
    names = {node["value"] for node in _root_fields(tree)}
    if names <= data.keys():
        return parsed
    spelled = {key.casefold(): key for key in data}
    known = {name.casefold(): name if name in data else spelled.get(name.casefold(), name) for name in names}
    respelled: Any = _respelled(tree, known)
    return ParsedResult(expression, respelled)


def _why(error: JMESPathError) -> str:
    """The reason without the value, which jmespath's own text repeats."""
    if isinstance(error, JMESPathTypeError):
        return f"{error.function_name}() does not take {error.actual_type}"
    return type(error).__name__


def _calls(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if node["type"] == "function_expression":
        yield node
    for child in node.get("children", []):
        if isinstance(child, dict):
            yield from _calls(child)


def _fault_of_call(node: dict[str, Any]) -> str:
    """Why the function call cannot work, whatever it is applied to; empty when it can."""
    name, given = node["value"], len(node["children"])
    known = Functions.FUNCTION_TABLE
    if name not in known:
        return f"JMESPath has no function {name}().{did_you_mean(name, known)}"
    signature = known[name]["signature"]
    wanted = len(signature)
    many = bool(signature and signature[-1].get("variadic"))
    if given == wanted or (many and given > wanted):
        return ""
    arguments = "argument" if wanted == 1 else "arguments"
    return f"JMESPath's {name}() takes {'at least ' if many else ''}{wanted} {arguments}, not {given}."


def _root_fields(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kind = node["type"]
    if kind == "field":
        yield node
    elif kind == "expref":
        return  # a function applies it to elements, not to the root
    else:
        children = node.get("children", [])
        for child in children[:1] if kind in _FIRST_CHILD_ONLY else children:
            yield from _root_fields(child)


def _respelled(node: dict[str, Any], by_folded: dict[str, str]) -> dict[str, Any]:
    """A copy of the tree (jmespath caches its own) with the root fields in the members' spelling."""
    kind = node["type"]
    if kind == "field":
        return {**node, "value": by_folded[node["value"].casefold()]}
    if kind == "expref" or not node.get("children"):
        return node
    children = list(node["children"])
    reached = 1 if kind in _FIRST_CHILD_ONLY else len(children)
    return {**node, "children": [_respelled(c, by_folded) for c in children[:reached]] + children[reached:]}


def _reason(error: Exception) -> str:
    text = getattr(error, "msg", None) or getattr(error, "message", None) or str(error)
    return str(text).splitlines()[0].rstrip(".:").lower()

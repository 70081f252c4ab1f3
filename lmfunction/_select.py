"""JMESPath over results: expressions compiled once, their root names matched in any case.

The tree that `jmespath.compile` gives is walked for the fields that are looked up in the root: those are the names
that can be checked before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError, LexerError, ParseError
from jmespath.parser import ParsedResult

from lmfunction._text import did_you_mean
from lmfunction.errors import ParameterError

# Node types whose first child alone sees what the node sees; the others are applied to that child's result.
_FIRST_CHILD_ONLY = frozenset(
    ["subexpression", "index_expression", "projection", "filter_projection", "flatten", "value_projection", "pipe"]
)


def compile_expression(expression: str, members: Iterable[str], *, parameter: str = "Select") -> ParsedResult:
    """The compiled `expression`, with root names spelled as in `members`.

    Raises ParameterError with the column for what is not JMESPath, and for a root name that is no member.
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
    by_folded = {name.casefold(): name for name in members}
    tree: Any = parsed.parsed
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
    return ParsedResult(expression, respelled)


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

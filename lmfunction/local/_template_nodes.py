"""The nodes of a template: what they must be, which function one calls, and the error that points at one."""

from __future__ import annotations

from collections.abc import Mapping

from lmfunction import _yaml
from lmfunction._yaml import Node, Scalar, Sequence


class TemplateError(ValueError):
    """What is wrong with a template, and where (from 1)."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def fault(message: str, node: Node) -> TemplateError:
    """The error for what stands at `node`."""
    return TemplateError(message, node.line, node.column)


def pairs(node: Node | None, what: str) -> Mapping[str, Node]:
    """The members of a mapping by name; none where there is no node. Raises TemplateError for anything else."""
    if node is None or (isinstance(node, Scalar) and node.plain and node.text in ("", "~", "null")):
        return {}
    if not isinstance(node, _yaml.Mapping):
        raise fault(f"{what} must be a mapping.", node)
    return {key.text: value for key, value in node.items}


def plain(node: Node | None) -> object:
    """A resolved node as the JSON value that it spells."""
    return _yaml.plain_value(node, lambda scalar: scalar.text)


def function_of(node: Node) -> tuple[str | None, Node]:
    """The function that `node` calls, in its long spelling, with its argument; None for a plain value."""
    if node.tag:
        name = node.tag.removeprefix("!")
        long = name if name in ("Ref", "Condition") else f"Fn::{name}"
        bare: Node
        if isinstance(node, Scalar):
            bare = Scalar(node.text, node.plain, node.line, node.column)
        elif isinstance(node, Sequence):
            bare = Sequence(node.items, node.line, node.column)
        else:
            bare = _yaml.Mapping(node.items, node.line, node.column)
        return long, bare
    if isinstance(node, _yaml.Mapping) and len(node.items) == 1:
        key, value = node.items[0]
        if key.text in ("Ref", "Condition") or key.text.startswith("Fn::"):
            return key.text, value
    return None, node


def items_of(node: Node, name: str, count: int) -> tuple[Node, ...]:
    """The `count` arguments of the function `name`."""
    if not isinstance(node, Sequence) or len(node.items) != count:
        raise fault(f"{name} takes a list of {count}.", node)
    return node.items


def literal(node: Node, name: str) -> str:
    """Text that stands there itself, for the function `name`."""
    if not isinstance(node, Scalar):
        raise fault(f"{name} takes text.", node)
    return node.text


def text_at(text: str, node: Node) -> Scalar:
    """Text that may spell a number or a truth value, as a parameter's value may."""
    return Scalar(text, True, node.line, node.column)

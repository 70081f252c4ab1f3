"""YAML read strictly: one document of plain mappings, lists and scalars, with the place of each.

Refused: tags (unless asked for), anchors and aliases, merge keys, duplicate keys, several documents, deep nesting,
large files. A plain `yaml.safe_load` turns account 012345670123 into 1402433619 and `no` into False; here a scalar
stays text until its reader says what it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import yaml

from lmfunction._text import visible

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_WORDS: Final = {
    **dict.fromkeys(("null", "Null", "NULL", "~", "")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class YamlError(ValueError):
    """What is wrong with the text, and where (from 1)."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar's text; `plain` when it was written without quotes."""

    text: str
    plain: bool
    line: int
    column: int
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    line: int
    column: int
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping; its keys are scalars and stand once."""

    items: tuple[tuple[Scalar, Node], ...]
    line: int
    column: int
    tag: str = ""


Node = Scalar | Sequence | Mapping


def parse(text: str, *, max_bytes: int, max_depth: int = 100, tags: bool = False) -> Node | None:
    """The one document in `text`; None when it is empty. With `tags` nodes may have one. Raises YamlError."""
    if len(text.encode("utf-8", "surrogatepass")) > max_bytes:
        raise YamlError(f"it is larger than {max_bytes:,} bytes", 1, 1)
    if text.startswith("\ufeff"):
        raise YamlError("it begins with a byte order mark: save it without one", 1, 1)
    try:
        return _document(_Events(yaml.parse(text, Loader=_LOADER), max_depth, tags))
    except (yaml.reader.ReaderError, UnicodeEncodeError) as error:  # the latter from libyaml, for half a surrogate pair
        before = text[: error.start if isinstance(error, UnicodeEncodeError) else error.position]
        raise YamlError(
            "it holds a character that YAML does not allow",
            before.count("\n") + 1,
            len(before) - before.rfind("\n"),
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = visible(error.problem or "it is not YAML", one_line=True)
        if "nesting depth" in why:  # libyaml's own limit, which it meets while it looks ahead for the end of a key
            why = _too_deep(max_depth)
        lines = text.split("\n")
        if mark is not None and mark.line >= len(lines):  # libyaml's end of the text stands on a line after it
            raise YamlError(why, len(lines), len(lines[-1]) + 1) from None
        raise YamlError(why, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1) from None


def plain_value(
    node: Node | None, variable: Callable[[Scalar], Any], text: Callable[[str], Any] = lambda text: text
) -> Any:
    """The JSON value that `node` spells, by YAML 1.2's core schema in its unsurprising part.

    Only true, false and null (in three cases each), `~`, decimal integers and fractions are not text: `no`, `1:30`,
    dates and numbers with leading zeros stay text. A plain scalar that begins with `$` is given to `variable`, what is
    text to `text`.
    """
    if node is None:
        return None
    if isinstance(node, Mapping):
        return {key.text: plain_value(value, variable, text) for key, value in node.items}
    if isinstance(node, Sequence):
        return [plain_value(item, variable, text) for item in node.items]
    if not node.plain:
        return text(node.text)
    if node.text.startswith("$"):
        return variable(node)
    if node.text in _WORDS:
        return _WORDS[node.text]
    try:
        if _INTEGER.fullmatch(node.text):
            return int(node.text)
        return float(node.text) if _FLOAT.fullmatch(node.text) else text(node.text)
    except ValueError:
        raise YamlError("a number has too many digits", node.line, node.column) from None


def dump(value: Any) -> str:
    """`value` (JSON's kinds alone) as block YAML 1.2, keys sorted; a scalar of its own as JSON, as the AWS CLI does."""
    if not isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False) + "\n"
    text: str = yaml.dump(value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True)
    return text


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.2 would read as something else than text: `yes` and `1:30` are text there."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, data: str) -> yaml.Node:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style='"' if "\n" in data else None)


_Dumper.add_representer(str, _Dumper.text)

for _tag, _spelling, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?0b[0-1_]+|[-+]?0o?[0-7_]+|[-+]?[0-9_]+|[-+]?0x[0-9a-fA-F_]+", [*"-+0123456789"]),
    (
        "float",
        r"[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?(?:[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)"
        r"|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        [*"-+0123456789."],
    ),
    ("merge", r"<<", ["<"]),
    ("value", r"=", ["="]),
    ("timestamp", r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?", [*"0123456789"]),
):
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_spelling})$"), _first)


class _Events:
    """The parser's events, one at a time, with the depth they stand at."""

    def __init__(self, events: Iterator[Any], max_depth: int, tags: bool) -> None:
        self.events = events
        self.tags = tags
        self.depth = 0
        self.max_depth = max_depth

    def next(self) -> Any:
        event = next(self.events)
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise YamlError(
                "anchors and aliases are not allowed: write it out; text that begins with * or & stands in quotes",
                line,
                column,
            )
        if getattr(event, "tag", None) and not self.tags:
            raise YamlError(f"the tag {visible(event.tag, one_line=True)} is not allowed", line, column)
        if isinstance(event, yaml.CollectionStartEvent):
            self.depth += 1
            if self.depth > self.max_depth:
                raise YamlError(_too_deep(self.max_depth), line, column)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.depth -= 1
        return event


def _too_deep(max_depth: int) -> str:
    return f"it is nested deeper than {max_depth} levels"


def _document(events: _Events) -> Node | None:
    events.next()  # the stream's start
    event = events.next()
    if isinstance(event, yaml.StreamEndEvent):
        return None
    node = _node(events, events.next())
    events.next()  # the document's end
    event = events.next()
    if not isinstance(event, yaml.StreamEndEvent):
        raise YamlError("a second document begins: keep one", event.start_mark.line + 1, event.start_mark.column + 1)
    return node


def _node(events: _Events, event: Any) -> Node:
    line, column = event.start_mark.line + 1, event.start_mark.column + 1
    tag = getattr(event, "tag", None) or ""
    if isinstance(event, yaml.ScalarEvent):
        return Scalar(event.value, not event.style, line, column, tag)  # plain: None, from libyaml ""
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(event := events.next(), yaml.SequenceEndEvent):
            items.append(_node(events, event))
        return Sequence(tuple(items), line, column, tag)
    pairs: list[tuple[Scalar, Node]] = []
    seen: set[str] = set()
    while not isinstance(event := events.next(), yaml.MappingEndEvent):
        key = _key(_node(events, event), seen)
        seen.add(key.text)
        pairs.append((key, _node(events, events.next())))
    return Mapping(tuple(pairs), line, column, tag)


def _key(node: Node, seen: set[str]) -> Scalar:
    if not isinstance(node, Scalar):
        raise YamlError("a key must be text", node.line, node.column)
    if node.plain and node.text == "<<":
        raise YamlError("merge keys (<<) are not allowed: write the values out", node.line, node.column)
    if node.text in seen:
        raise YamlError(f"the key '{visible(node.text, one_line=True)}' stands twice", node.line, node.column)
    return node

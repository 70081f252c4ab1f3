"""Which of our lines the cursor is in, inside a notebook's cell: a magic's own line, a line of `%%lm`, a body.

After `r = `, in loops, in a line that a backslash continues, below a cell magic of somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lmfunction._grammar import logical_lines
from lmfunction._params import Cmdlet
from lmfunction._table import find_cmdlet

_CELL_MAGIC: Final = re.compile(r"\s*%%(?P<name>[\w-]+)")
# A magic is a statement, or the right side of one `=`.
_LINE_MAGIC: Final = re.compile(r"(?:^|[=:;])\s*%(?P<name>[\w-]+)(?=\s)")
_AUTOMAGIC: Final = re.compile(r"\s*(?P<name>[^\W\d]\w*)[ \t]+(?![=,(])")
_NAME_UNDER_WAY: Final = re.compile(r"(?:^|[=:;])\s*%{1,2}(?P<name>[\w-]*)\Z")
_PIPELINE: Final = "lm"
# Marks the cursor while lines are put together: nothing after it, and no blank before it, may be lost.
_CURSOR: Final = "\ufdd0"


@dataclass(frozen=True)
class Typed:
    """A line of ours up to the cursor: `text` is what follows the magic's name, `after` the rest of the cursor's line.

    `cmdlet` is None for a whole pipeline. In a `body` the text is a payload.
    """

    cmdlet: Cmdlet | None
    text: str
    after: str
    body: bool = False


def typed_at(cell: str, position: int, is_automagic: Callable[[str], bool] = lambda _: False) -> Typed | None:
    """The line of ours that the cursor is in; None in anything else.

    `is_automagic` tells whether a magic's name may stand without its `%`.
    """
    before = cell[:position]
    after = cell[position:].partition("\n")[0]
    header = _CELL_MAGIC.match(cell)
    if header is not None and _is_ours(header["name"]):
        if position <= header.end():
            return None
        return _in_cell_magic(header["name"], before[header.end() :], after)
    line = _continued(before)
    for match in _LINE_MAGIC.finditer(line):
        if _is_ours(match["name"]):
            return Typed(find_cmdlet(match["name"]), line[match.end() :], after)
    bare = _AUTOMAGIC.match(line)
    if bare is not None and "\n" not in cell.strip() and _is_ours(bare["name"]) and is_automagic(bare["name"]):
        return Typed(find_cmdlet(bare["name"]), line[bare.end("name") :], after)
    return None


def name_under_way(cell: str, position: int) -> str | None:
    """The part of a magic's name, behind its `%`, that ends at the cursor; None when the cursor is not in one."""
    match = _NAME_UNDER_WAY.search(cell[:position].rpartition("\n")[2])
    return match["name"] if match is not None else None


def _is_ours(name: str) -> bool:
    return name == _PIPELINE or find_cmdlet(name) is not None


def _in_cell_magic(name: str, text: str, after: str) -> Typed | None:
    """What is typed in a cell magic of ours, whose text up to the cursor this is."""
    cmdlet = find_cmdlet(name)
    if cmdlet is None:
        lines = [*logical_lines(text + _CURSOR)]
        return Typed(None, lines[-1][:-1], after) if lines and lines[-1].endswith(_CURSOR) else None
    line, newline, body = text.partition("\n")
    if not newline:
        return Typed(cmdlet, line, after)
    return Typed(cmdlet, body, after, body=True) if cmdlet.body == "Payload" else None


def _continued(before: str) -> str:
    """The line up to the cursor, with the lines before it that a backslash joins to it."""
    *earlier, line = before.split("\n")
    while earlier and earlier[-1].endswith("\\"):
        line = f"{earlier.pop()[:-1]} {line}"
    return line

"""Keys of what an expression looks at: after `-Select`, `select`, `where`, `sort`, and `$_.` in a block."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lmfunction._blank import Blank, Offer
from lmfunction._key_paths import keys_at_end
from lmfunction._params import Cmdlet, Kind
from lmfunction._samples import flowing, selectable
from lmfunction._verb_table import VERBS

_KINDS: Final = (Kind.EXPRESSION, Kind.NAMES, Kind.BLOCK)
_NAMES: Final = frozenset(["ExpandProperty", "MemberName"])
_KIND_WORDS: Final = {str: "text", int: "number", float: "number", bool: "true or false", list: "list", dict: "object"}
_OBJECT_IN_BLOCK: Final = re.compile(r"\$_(?P<path>(?:\.\w+)*)\.(?P<part>\w*)\Z")


def has_keys(blank: Blank) -> bool:
    """Whether the value is an expression or a list of names over what comes in, or what is answered."""
    if blank.cmdlet not in VERBS:
        return blank.parameter.name == "Select" and blank.parameter.kind is Kind.TEXT
    return blank.parameter.kind in _KINDS or blank.parameter.name in _NAMES


def key_offers(blank: Blank) -> Iterator[Offer]:
    """The keys that the expression, the names or the block can go on with."""
    fragment, selects = blank.place.fragment, blank.cmdlet not in VERBS
    if selects:
        yield from _other_selections(fragment, blank.cmdlet)
        data = selectable(blank.cmdlet, blank.around.last)
    else:
        around = blank.around
        data = flowing(blank.place.before, blank.first, blank.place.text, around.names, around.last)
    lead, text = _expression(blank)
    start, found = keys_at_end(text, data)
    for key, value in found.items():
        yield Offer(key, "key", _KIND_WORDS.get(type(value), ""), lead + start)
        lists = selects or blank.parameter.kind is Kind.EXPRESSION
        if lists and isinstance(value, list) and value and isinstance(value[0], dict):
            yield Offer(f"{key}[]", "key", "each of them", lead + start)


def _expression(blank: Blank) -> tuple[int, str]:
    """The expression under way and where it begins in the fragment."""
    fragment = blank.place.fragment
    if blank.parameter.kind is Kind.BLOCK and fragment.startswith("{"):
        match = _OBJECT_IN_BLOCK.search(fragment)
        if match is None:
            return 0, "''."  # Python, of which the door may know more
        path = f"{match['path'][1:]}." if match["path"] else ""
        return match.start("part") - len(path), path + match["part"]
    lead = 1 if fragment[:1] in ("'", '"') and blank.place.open else 0
    if blank.parameter.kind is Kind.NAMES:
        lead = max(lead, fragment.rfind(",") + 1)
    return lead, fragment[lead:]


def _other_selections(fragment: str, cmdlet: Cmdlet) -> Iterator[Offer]:
    """`*` for the whole answer, `^Name` for what a parameter was given."""
    if not fragment:
        yield Offer("*", "value", "the whole answer")
    for row in cmdlet.parameters if fragment.startswith("^") else ():
        if not row.refused and row.name.casefold().startswith(fragment[1:].casefold()):
            yield Offer(f"^{row.name}", "parameter", f"what -{row.name} was given")

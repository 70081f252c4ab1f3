"""What may stand as a parameter's value, by its row of the table: choices, names, keys of what is looked at, paths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lmfunction._blank import Blank, Offer
from lmfunction._key_offers import has_keys, key_offers
from lmfunction._local_names import kind_of, paths, variables
from lmfunction._name_offers import name_offers
from lmfunction._params import Kind, Parameter
from lmfunction._service import Member, operation
from lmfunction._table import OPERATIONS

_OBJECT_KINDS: Final = (
    Kind.OBJECT,
    Kind.ITEMS,
    Kind.OBJECTS,
    Kind.JSON,
    Kind.MAP,
    Kind.STREAM,
    Kind.BLOB,
    Kind.SOURCE,
    Kind.SECRET,
)
_FILE_KINDS: Final = (*_OBJECT_KINDS[1:8], Kind.BASE64)
_PATH_NAMES: Final = frozenset(["FilePath", "Path", "OutFile", "Journal", "ProfileLocation", "LiteralPath", "Template"])
_FILE: Final = re.compile(r"fileb?://", re.IGNORECASE)
# What a bare word of the grammar may consist of without being read as anything else.
_WORD: Final = re.compile(r"(?![-–—―@#'\"{\[(])[^\s|;'\"`()\[\]{}]+")


def offered(blank: Blank) -> Iterator[Offer]:
    """What may stand at the cursor; what does not begin as the fragment does is left out."""
    if has_keys(blank):
        yield from key_offers(blank)
        return
    fragment = blank.place.fragment
    quote = fragment[:1] if fragment[:1] in ("'", '"') else ""
    if blank.place.open and not quote:
        return
    written = fragment[len(quote) :]
    for offer in _values(blank, written):
        if offer.text.casefold().startswith(written[offer.offset :].casefold()):
            yield _quoted(offer, written, quote)


def _quoted(offer: Offer, written: str, quote: str) -> Offer:
    """The offer as the line must have it: in quotes when it holds a blank, say. A folder is not at its end yet."""
    if offer.what == "variable" or (not quote and _WORD.fullmatch(written[: offer.offset] + offer.text)):
        return offer
    mark = quote or "'"
    text = written[: offer.offset] + offer.text.replace("'", "''" if mark == "'" else "'")
    closing = "" if offer.text.endswith("/") and offer.what == "path" else mark
    return Offer(f"{mark}{text}{closing}", offer.what, offer.about)


def _values(blank: Blank, written: str) -> Iterator[Offer]:
    """Every value that is known for the blank, whatever is written."""
    parameter = blank.parameter
    if parameter.kind in (Kind.SWITCH, Kind.BOOLEAN):
        for word in ("$true", "$false") if parameter.kind is Kind.SWITCH else ("true", "false"):
            yield Offer(word, "value", f"-{parameter.name}")
    elif parameter.kind is Kind.VARIABLE:
        for name, value in variables(blank.around.names).items():
            yield Offer(name, "variable", kind_of(value))
    elif parameter.kind is Kind.FILE or parameter.name in _PATH_NAMES:
        for path, about in paths(written):
            yield Offer(path, "path", about)
    else:
        yield from _file_offers(parameter, written)
    yield from _choices(blank, written)
    yield from name_offers(blank, written)
    if parameter.kind in _OBJECT_KINDS and not written:
        for name, value in variables(blank.around.names).items():
            if parameter.kind is not Kind.SECRET or type(value) is str:
                yield Offer(f"${name}", "variable", kind_of(value))


def _file_offers(parameter: Parameter, written: str) -> Iterator[Offer]:
    """`file://` and `fileb://` where a value is often a file's content, and the paths behind them."""
    scheme = _FILE.match(written)
    if scheme is not None:
        for path, about in paths(written[scheme.end() :]):
            if _WORD.fullmatch(path):  # in quotes it would be a text
                yield Offer(path, "path", about, scheme.end())
    elif parameter.kind in _FILE_KINDS and written:
        yield Offer("file://", "value", "a file's text")
        yield Offer("fileb://", "value", "a file's bytes")


def _choices(blank: Blank, written: str) -> Iterator[Offer]:
    parameter = blank.parameter
    offset = written.rfind(",") + 1 if parameter.kind in (Kind.LIST, Kind.NAMES) else 0
    for choice in parameter.choices or _model_choices(blank):
        yield Offer(choice, "value", "the default" if choice == parameter.default else f"-{parameter.name}", offset)


def _model_choices(blank: Blank) -> tuple[str, ...]:
    """The values that boto3's model knows for a text that a hand-made row takes for a member."""
    parameter, name = blank.parameter, OPERATIONS.get(blank.cmdlet.name)
    if not parameter.path or parameter.kind is not Kind.TEXT or name is None:
        return ()
    members: tuple[Member, ...] = operation(name).inputs
    choices: tuple[str, ...] = ()
    for step in parameter.path:
        member = next((m for m in members if m.name == step), None)
        members, choices = (member.members, member.choices) if member is not None else ((), ())
    return choices

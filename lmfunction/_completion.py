"""What may stand at the cursor: the completion of every door, from the one parameter table.

A door gives the text up to the cursor and what stands around it; it gets candidates with the place where the replaced
text begins. Where there are none, the door's own completion goes on. No code of the user is run, and nothing is
contacted but Lambda for names, in the background and through the `catalog` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lmfunction._blank import Blank, Surroundings, What
from lmfunction._cursor import Place, Seen, looked_up, place_of, seen_in
from lmfunction._grammar import Form, Token, Value
from lmfunction._local_names import kind_of, variables
from lmfunction._offers import offered
from lmfunction._params import Cmdlet
from lmfunction._paths import PATH, path_of
from lmfunction._peek import UNKNOWN, attributes, keys
from lmfunction._table import CMDLETS, INVOKE, find_cmdlet
from lmfunction._verb_table import IMPORT_CSV, VERBS
from lmfunction.errors import LMError

_VARIABLE: Final = re.compile(r"(?P<sign>\$\{?|@)(?P<env>env:)?(?P<name>\w*)\Z", re.IGNORECASE)
_INSIDE: Final = re.compile(
    r"(?P<sign>\$\{?|@)(?P<path>[^\W\d]\w*(?:\.[^\W\d]\w*|\[\s*(?:-?\d+|'[^']*'|\"[^\"]*\")\s*\])*)"
    r"(?:\.(?P<attribute>\w*)|\[\s*(?P<quote>['\"])(?P<key>[^'\"]*))\Z"
)
_BLOCK_OBJECT: Final = re.compile(r"\A\{.*\$_[\w.]*\Z", re.DOTALL)
_DASHES: Final = "-–—―"


@dataclass(frozen=True)
class Candidate:
    """One way to go on: `text` replaces what stands from `start` to the cursor; `about` describes it in a few words."""

    text: str
    what: What
    start: int
    about: str = ""


def complete(text: str, cmdlet: Cmdlet | None, around: Surroundings, *, after: str = "") -> list[Candidate]:
    """The candidates at the end of `text`, which is what stands after the cmdlet's name; all of a pipeline for None.

    `after` is what stands behind the cursor: a closing bracket or quote that is there already is not put twice.
    """
    place = place_of(text)
    if place is None:
        return []
    first, tokens = cmdlet, place.tokens
    if place.before or cmdlet is None:
        if not tokens:
            stages = _stages(place, verbs=bool(place.before) or around.piped)
            return _of_variables(place, around, after) or [*stages]
        head, tokens = tokens[0], tokens[1:]
        name = head.text if isinstance(head, Value) and head.form is Form.WORD else ""
        cmdlet = find_cmdlet(name, VERBS) or find_cmdlet(name)
    in_block = cmdlet in VERBS and _BLOCK_OBJECT.search(place.fragment)  # there $_ is the object under way
    found = [] if in_block else _of_variables(place, around, after)
    if found or cmdlet is None:
        return found
    try:
        seen = seen_in(cmdlet, tokens, around.names)
        for name, value in seen_in(cmdlet, _following(after), around.names).used.items():
            seen.used.setdefault(name, value)
        return [*_arguments(place, seen, first, around)]
    except LMError:
        return []  # a cmdlet that this boto3 does not have, say: running the line tells


def complete_variables(text: str, around: Surroundings, *, after: str = "") -> list[Candidate]:
    """The candidates for a `$variable` at the end of JSON text, as in a cell's body."""
    start = max(text.rfind(char) for char in "\n,:[{ ") + 1
    place = Place(text, (), (), text[start:], start, open=True)
    if len(re.findall(r'(?<!\\)"', text)) % 2:
        return []  # in a string
    return _of_variables(place, around, after)


def _following(after: str) -> tuple[Token, ...]:
    """The tokens of the stage behind the cursor: a profile that stands there says where names are asked for."""
    cut = re.sub(r"\A\S+", "", after)
    found = place_of(f"{cut} ") if cut.strip() else None
    return (found.before[0] if found.before else found.tokens) if found is not None else ()


def _of_variables(place: Place, around: Surroundings, after: str) -> list[Candidate]:
    return _inside(place, around, after) or _variables(place, around)


def _stages(place: Place, *, verbs: bool) -> Iterator[Candidate]:
    """The verbs and cmdlets that begin with the fragment; without one, those that are used most.

    PowerShell's spelling is offered to who types a capital or a dash.
    """
    known = (*(VERBS if verbs else (IMPORT_CSV,)), *(CMDLETS if place.fragment else (INVOKE,)))
    wanted = place.fragment.casefold()
    powershell = wanted != place.fragment or "-" in wanted
    for cmdlet in known:
        what: What = "verb" if cmdlet in VERBS else "cmdlet"
        about = cmdlet.name if what == "cmdlet" else cmdlet.synopsis  # an API's synopsis is read from boto3's model
        for name in (cmdlet.name,) if powershell else cmdlet.python_names if wanted else cmdlet.python_names[:1]:
            if name.casefold().startswith(wanted):
                yield Candidate(name, what, place.start, about)


def _arguments(place: Place, seen: Seen, first: Cmdlet | None, around: Surroundings) -> Iterator[Candidate]:
    dashed = place.fragment[:1] != "" and place.fragment[0] in _DASHES
    parameter = seen.wanting or seen.next_positional()
    if parameter is not None and not dashed:
        for offer in offered(Blank(parameter, place, seen, first, around)):
            yield Candidate(offer.text, offer.what, place.start + offer.offset, offer.about)
    if seen.wanting is None and not place.open and (dashed or not place.fragment):
        yield from _parameters(place, seen)


def _parameters(place: Place, seen: Seen) -> Iterator[Candidate]:
    """The parameters that are not in use, spelled as they are being typed: `-Name` or `--kebab-name`."""
    kebab = len(place.fragment) > 1 and place.fragment[1] in _DASHES
    wanted = re.sub(rf"[{_DASHES}_]", "", place.fragment).casefold()
    for parameter in seen.cmdlet.parameters:
        excluded = any(
            name in parameter.excludes or parameter.name in seen.cmdlet.by_name[name].excludes for name in seen.used
        )
        if parameter.refused or parameter.name in seen.used or excluded:
            continue
        if any(spelling.startswith(wanted) for spelling in parameter.spellings):
            text = f"--{parameter.target.replace('_', '-')}" if kebab else f"-{parameter.name}"
            yield Candidate(text, "parameter", place.start, parameter.help)


def _variables(place: Place, around: Surroundings) -> list[Candidate]:
    """The variables that the `$name` or `@name` at the cursor may become."""
    match = _VARIABLE.search(place.fragment)
    if match is None or (match["sign"] == "@" and match.start() > 0) or _is_text(place.fragment[: match.start()]):
        return []
    start = place.start + match.start()
    wanted = match["name"]
    if match["env"]:
        found = [(name, "environment variable") for name in around.environ if name.startswith(wanted)]
    else:
        splat = match["sign"] == "@"
        found = [
            (name, kind_of(value))
            for name, value in variables(around.names, hidden=wanted.startswith("_")).items()
            if name.startswith(wanted) and (not splat or issubclass(type(value), Mapping | list | tuple))
        ]
    lead = match["sign"] + (match["env"] or "")
    close = "}" if match["sign"] == "${" else ""
    return [Candidate(f"{lead}{name}{close}", "variable", start, about) for name, about in found]


def _inside(place: Place, around: Surroundings, after: str) -> list[Candidate]:
    """The attributes or keys that `$name.` or `$name['` at the cursor may go on with."""
    match = _INSIDE.search(place.fragment)
    if match is None or (match["sign"] == "@" and match.start() > 0):
        return []
    before = place.fragment[: match.start()]
    in_template = before.startswith('"') and match["sign"] != "${"  # there `$name.` is a variable and a full stop
    spelled = PATH.fullmatch(f"${match['path']}")
    if spelled is None or in_template or _is_text(before):
        return []
    held = looked_up(path_of(spelled), around.names)
    if held is UNKNOWN:
        return []
    if match["quote"]:
        return [*_as_candidates(keys(held), match["key"], place.start + match.start("key"), match["quote"], after)]
    wanted = match["attribute"]
    found = attributes(held, hidden=wanted.startswith("_"))
    return [*_as_candidates(found, wanted, place.start + match.start("attribute"), "", after)]


def _as_candidates(found: Mapping[str, Any], wanted: str, start: int, quote: str, after: str) -> Iterable[Candidate]:
    """The names that begin as `wanted`; a key with what closes it, where that does not stand there already."""
    close = f"{quote}]" if quote else ""
    if close and after.startswith(close[0]):
        close = ""
    for name, value in found.items():
        if name.casefold().startswith(wanted.casefold()) and (not quote or (quote not in name and name.isprintable())):
            yield Candidate(name + close, "key", start, kind_of(value))


def _is_text(before: str) -> bool:
    """Whether the cursor is inside text that is taken as it stands: '...', or a string within JSON."""
    if before.startswith("'"):
        return True
    return before.startswith(("{", "[")) and len(re.findall(r'(?<!\\)"', before)) % 2 == 1

"""What may stand at the cursor: the completion of every door, from the one parameter table. Nothing is contacted.

A door gives the text up to the cursor and its variables; it gets candidates with the place where the replaced text
begins. Where there are none, the door's own completion (of paths, say) goes on.
"""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final, Literal

from lmfunction._grammar import Name, Scanner, Splat, Token, Value
from lmfunction._params import Cmdlet, Kind, Parameter
from lmfunction._profile import find_profile, known_profiles, load_profile
from lmfunction._table import CMDLETS, INVOKE, find_cmdlet
from lmfunction._text import shorten
from lmfunction._verb_table import IMPORT_CSV, VERBS
from lmfunction.errors import LMError, ParameterError

What = Literal["cmdlet", "verb", "parameter", "value", "profile", "function", "variable"]

_VARIABLE: Final = re.compile(r"(?P<sign>\$\{?|@)(?P<env>env:)?(?P<name>\w*)\Z", re.IGNORECASE)
_DASHES: Final = "-–—―"
_SECTION: Final = re.compile(r"^\s*\[\s*(?:profile\s+)?[\"']?([^\]\"']+?)[\"']?\s*\]", re.MULTILINE)


@dataclass(frozen=True)
class Candidate:
    """One way to go on: `text` replaces what stands from `start` to the cursor; `about` describes it in a few words."""

    text: str
    what: What
    start: int
    about: str = ""


def complete(
    text: str,
    cmdlet: Cmdlet | None,
    names: Mapping[str, Any],
    *,
    environ: Mapping[str, str] = os.environ,
    piped: bool = False,
) -> list[Candidate]:
    """The candidates at the end of `text`, which is what stands after the cmdlet's name; all of a pipeline for None.

    `names` are the user's variables. When something is `piped` into the line, its first stage may be a verb too.
    """
    place = _place_of(text)
    if place is None:
        return []
    found = _variables(place, names, environ)
    if found is not None:
        return found
    tokens = place.tokens
    if place.stage > 0 or cmdlet is None:
        if not tokens:
            return [*_stages(place, verbs=place.stage > 0 or piped)]
        head, *tokens = tokens
        name = head.text if isinstance(head, Value) else ""
        cmdlet = find_cmdlet(name, VERBS) or find_cmdlet(name)
    if cmdlet is None or place.open:
        return []
    try:
        return [*_arguments(place, cmdlet, tokens, names, environ)]
    except LMError:
        return []  # a cmdlet that this boto3 does not have, a profile that cannot be read: running the line tells


@dataclass(frozen=True)
class _Place:
    """Where the cursor stands: in which stage, after which tokens, and the text that is being typed."""

    stage: int
    tokens: list[Token]
    fragment: str
    start: int
    open: bool  # in a quote or bracket


@dataclass
class _Seen:
    """What the stage holds before the cursor: parameters in use, values by place, a parameter that wants a value."""

    used: dict[str, str] = field(default_factory=dict)
    values: int = 0
    wanting: Parameter | None = None


def _place_of(text: str) -> _Place | None:
    """The cursor's place at the end of `text`; None in a comment."""
    scanner = Scanner(text)
    stage, tokens, begin = 0, list[Token](), 0
    while True:
        try:
            token = scanner.next_token()
        except ParameterError:
            return _Place(stage, tokens, text[scanner.pos :], scanner.pos, open=True)
        if token is None:
            break
        if isinstance(token, str):
            stage, tokens, begin = stage + 1, [], scanner.pos
        else:
            tokens.append(token)
            begin = token.column - 1
    if scanner.pos < len(text):
        return None
    last = tokens[-1] if tokens else None
    typing = last is not None and not text[-1:].isspace() and not (isinstance(last, Name) and last.attached)
    if not typing:
        return _Place(stage, tokens, "", len(text), open=False)
    return _Place(stage, tokens[:-1], text[begin:], begin, open=False)


def _stages(place: _Place, *, verbs: bool) -> Iterator[Candidate]:
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


def _arguments(
    place: _Place, cmdlet: Cmdlet, tokens: Iterable[Token], names: Mapping[str, Any], environ: Mapping[str, str]
) -> Iterator[Candidate]:
    seen = _seen(cmdlet, tokens, names)
    dashed = place.fragment[:1] != "" and place.fragment[0] in _DASHES
    if seen.wanting is not None:
        if not dashed:
            yield from _values(place, seen.wanting, seen, names, environ)
        return
    if not dashed:
        free = [p for p in cmdlet.positional if p.name not in seen.used]
        if seen.values < len(free):
            yield from _values(place, free[seen.values], seen, names, environ)
    if dashed or not place.fragment:
        yield from _parameters(place, cmdlet, seen)


def _seen(cmdlet: Cmdlet, tokens: Iterable[Token], names: Mapping[str, Any]) -> _Seen:
    seen = _Seen()
    for token in tokens:
        if isinstance(token, Name):
            seen.wanting = _parameter(cmdlet, token.text)
            if seen.wanting is not None:
                seen.used[seen.wanting.name] = ""
                if not token.attached and seen.wanting.kind in (Kind.SWITCH, Kind.BOOLEAN):
                    seen.wanting = None
        elif isinstance(token, Splat):
            held = names.get(token.path.name)
            for key in held if isinstance(held, Mapping) and not token.path.steps else ():
                parameter = _parameter(cmdlet, str(key).removeprefix("-"))
                if parameter is not None:
                    seen.used.setdefault(parameter.name, "")
        elif isinstance(token, Value):
            if seen.wanting is not None:
                seen.used[seen.wanting.name] = token.text
                seen.wanting = None
            else:
                seen.values += 1
    return seen


def _parameter(cmdlet: Cmdlet, text: str) -> Parameter | None:
    try:
        return cmdlet.find(text)
    except ParameterError:
        return None


def _parameters(place: _Place, cmdlet: Cmdlet, seen: _Seen) -> Iterator[Candidate]:
    """The parameters that are not in use, spelled as they are being typed: `-Name` or `--kebab-name`."""
    kebab = len(place.fragment) > 1 and place.fragment[1] in _DASHES
    wanted = re.sub(rf"[{_DASHES}_]", "", place.fragment).casefold()
    shut_out = {other for name in seen.used for other in cmdlet.by_name[name].excludes}
    for parameter in cmdlet.parameters:
        if parameter.refused or parameter.name in seen.used or parameter.name in shut_out:
            continue
        if any(spelling.startswith(wanted) for spelling in parameter.spellings):
            text = f"--{parameter.target.replace('_', '-')}" if kebab else f"-{parameter.name}"
            yield Candidate(text, "parameter", place.start, parameter.help)


def _values(
    place: _Place, parameter: Parameter, seen: _Seen, names: Mapping[str, Any], environ: Mapping[str, str]
) -> Iterator[Candidate]:
    """The values that `parameter` can take and that begin with the fragment."""
    what: What = "value"
    own = f"-{parameter.name}"
    offered: Iterable[tuple[str, str]] = ()
    if parameter.kind is Kind.CHOICE:
        offered = [(choice, "the default" if choice == parameter.default else own) for choice in parameter.choices]
    elif parameter.kind is Kind.BOOLEAN:
        offered = [("true", own), ("false", own)]
    elif parameter.kind is Kind.SWITCH:
        offered = [("$true", own), ("$false", own)]
    elif parameter.kind is Kind.VARIABLE:
        what, offered = "variable", [(name, _kind_of(value)) for name, value in _user_names(names)]
    elif parameter.name == "ProfileName":
        what, offered = "profile", _profiles(seen.used.get("ProfileLocation"), environ)
    elif parameter.name == "FunctionName":
        what, offered = "function", _short_names(seen, environ)
    wanted = place.fragment.casefold()
    for text, about in offered:
        if text.casefold().startswith(wanted):
            yield Candidate(text, what, place.start, about)


def _profiles(location: str | None, environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """The YAML profiles, then those of the AWS CLI's files."""
    found = dict.fromkeys(known_profiles(location=location or None, environ=environ), "YAML profile")
    for variable, usual in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")):
        path = pathlib.Path(environ.get(variable) or f"~/.aws/{usual}").expanduser()
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                sections = _SECTION.findall(file.read(1 << 20))
        except OSError:
            continue
        for name in sections:
            if not name.startswith(("sso-session ", "services ")):
                found.setdefault(name, f"AWS profile of {path}")
    return list(found.items())


def _short_names(seen: _Seen, environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """The function names that the line's YAML profile knows."""
    name = seen.used.get("ProfileName") or environ.get("LMFUNCTION_PROFILE", "")
    path = find_profile(name, location=seen.used.get("ProfileLocation") or None, environ=environ)
    return [*load_profile(path).functions.items()] if path is not None else []


def _variables(place: _Place, names: Mapping[str, Any], environ: Mapping[str, str]) -> list[Candidate] | None:
    """The variables that the `$name` or `@name` at the cursor may become; None when there are none."""
    match = _VARIABLE.search(place.fragment)
    if match is None or (match["sign"] == "@" and match.start() > 0) or _is_text(place.fragment[: match.start()]):
        return None
    start = place.start + match.start()
    wanted = match["name"]
    if match["env"]:
        found = [(name, "environment variable") for name in environ if name.startswith(wanted)]
    else:
        splat = match["sign"] == "@"
        found = [
            (name, _kind_of(value))
            for name, value in _user_names(names, hidden=wanted.startswith("_"))
            if name.startswith(wanted) and (not splat or isinstance(value, Mapping | list | tuple))
        ]
    lead = match["sign"] + (match["env"] or "")
    close = "}" if match["sign"] == "${" else ""
    return [Candidate(f"{lead}{name}{close}", "variable", start, about) for name, about in found] or None


def _is_text(before: str) -> bool:
    """Whether the cursor is inside text that is taken as it stands: '...', or a string within JSON."""
    if before.startswith("'"):
        return True
    return before.startswith(("{", "[")) and len(re.findall(r'(?<!\\)"', before)) % 2 == 1


def _user_names(names: Mapping[str, Any], *, hidden: bool = False) -> list[tuple[str, Any]]:
    """The variables that a line can mean: no modules, no classes, and names with an underscore only when asked for."""
    return [
        (name, value)
        for name, value in list(names.items())
        if isinstance(name, str)
        and name.isidentifier()
        and (hidden or not name.startswith("_"))
        and not isinstance(value, ModuleType | type)
    ]


def _kind_of(value: Any) -> str:
    """What a variable holds, in a word; its content, which may be secret, is not told."""
    size = f", {len(value)}" if isinstance(value, str | bytes | list | tuple | dict) else ""
    return shorten(type(value).__name__, 40) + size

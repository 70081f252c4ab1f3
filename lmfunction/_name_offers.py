"""Names as values: profiles, regions, functions and what belongs to them, cmdlets that help is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lmfunction._blank import Blank, Offer, What
from lmfunction._catalog import (
    ALIASES,
    FUNCTIONS,
    LAYERS,
    MAPPINGS,
    SIGNING,
    VERSIONS,
    Listing,
    Question,
)
from lmfunction._common_rows import CONNECTION
from lmfunction._local_names import endpoint_of, profiles, project_profiles, sample_functions, short_names
from lmfunction._names import parse_function_name
from lmfunction._params import Kind
from lmfunction._service import regions
from lmfunction._table import CMDLETS, PUBLISH, find_cmdlet
from lmfunction._text import one_line
from lmfunction._verb_table import VERBS
from lmfunction.errors import LMError

_PROFILES: Final = frozenset(["ProfileName", "SourceProfile", "StoreAs", "AWSProfile", "Inherits"])
_REGIONS: Final = frozenset(["Region", "SystemName"])
_LISTED: Final[Mapping[str, tuple[Listing, ...]]] = {
    "FunctionName": (FUNCTIONS,),
    "Qualifier": (ALIASES, VERSIONS),
    "FunctionVersion": (VERSIONS,),
    "LayerName": (LAYERS,),
    "UUID": (MAPPINGS,),
    "CodeSigningConfigArn": (SIGNING,),
}
_WHAT: Final[Mapping[str, What]] = {
    "FunctionName": "function",
    "Qualifier": "version",
    "FunctionVersion": "version",
}


def name_offers(blank: Blank, written: str) -> Iterator[Offer]:
    """The names that the blank can hold by its parameter's own name; `written` is what is being typed."""
    name = blank.parameter.name
    if name in _PROFILES or "ProfileName" in blank.parameter.aliases:
        yield from _profile_names(blank, written)
    elif name in _REGIONS:
        for region, about in regions().items():
            yield Offer(region, "region", about)
    elif name == "EndpointUrl":
        yield Offer("embedded", "value", "the embedded Lambda")
        yield Offer("aws", "value", "AWS itself")
    elif blank.cmdlet.name == "Get-Help":
        yield from _help_names(blank)
    elif name == "FunctionName" and ":" in written:
        yield from _qualified(blank, written.rpartition(":")[0])
    elif name in _LISTED or (name == "Name" and "LMAlias" in blank.cmdlet.name):
        yield from _lambda_names(blank, _LISTED.get(name, (ALIASES,)))


def _profile_names(blank: Blank, written: str) -> Iterator[Offer]:
    """The profiles; for the cmdlets that look at a project's own, those of the working directory too."""
    found = profiles(_text(blank.given().get("ProfileLocation")), blank.around.environ)
    if blank.parameter.name == "AWSProfile":
        found = {name: about for name, about in found.items() if about.startswith("AWS")}
    elif "LMProfile" in blank.cmdlet.name:
        found = {**project_profiles(), **found}
    offset = written.rfind(",") + 1 if blank.parameter.kind is Kind.LIST else 0
    for name, about in found.items():
        yield Offer(name, "profile", about, offset)


def _help_names(blank: Blank) -> Iterator[Offer]:
    """The names of everything that there is help for, and the parameters of what is named."""
    if blank.parameter.name == "Name":
        for cmdlet in (*CMDLETS, *VERBS):
            for name in cmdlet.names:
                yield Offer(name, "verb" if cmdlet in VERBS else "cmdlet", cmdlet.name)
    elif blank.parameter.name == "Parameter":
        named = _text(blank.given().get("Name")) or ""
        found = find_cmdlet(named, VERBS) or find_cmdlet(named)
        for row in found.parameters if found is not None else ():
            if not row.refused:
                yield Offer(row.name, "parameter", row.help)


def _qualified(blank: Blank, function: str) -> Iterator[Offer]:
    """The versions and aliases that can follow `function:`."""
    bare = _bare(function)
    if bare is not None:
        for version, about in _asked(blank, (ALIASES, VERSIONS), bare).items():
            yield Offer(version, "version", about, len(function) + 1)


def _lambda_names(blank: Blank, listings: tuple[Listing, ...]) -> Iterator[Offer]:
    """The names that Lambda has, and those that are known without asking."""
    name, known, function = blank.parameter.name, dict[str, str](), None
    if name == "FunctionName":
        known = _known_functions(blank)
    elif listings[0] in (ALIASES, VERSIONS):
        function = _bare(_text(blank.given().get("FunctionName")) or "")
        if function is None:
            return
        known = {"$LATEST": "not published yet"} if name == "Qualifier" else {}
    for found, about in {**known, **_asked(blank, listings, function)}.items():
        yield Offer(found, _WHAT.get(name, "value"), one_line(about, 100))


def _known_functions(blank: Blank) -> dict[str, str]:
    """The short names of the line's profile, and the sample functions of an embedded Lambda."""
    given = {**blank.around.defaults, **blank.given()}
    profile = _text(given.get("ProfileName")) or blank.around.environ.get("LMFUNCTION_PROFILE", "")
    known = short_names(profile, _text(given.get("ProfileLocation")), blank.around.environ)
    embedded = _embeds(blank, given, profile)
    return {**known, **dict(sample_functions())} if embedded else known


def _embeds(blank: Blank, given: Mapping[str, Any], profile: str) -> bool:
    """Whether the line goes to the embedded Lambda, which has its sample functions also before it is started."""
    if given.get("EndpointUrl") is not None:
        return bool(given["EndpointUrl"] == "embedded")
    if profile:
        return endpoint_of(profile, _text(given.get("ProfileLocation")), blank.around.environ) == "embedded"
    return blank.cmdlet is PUBLISH and not {"Credential", "AccessKey"} & given.keys()


def _asked(blank: Blank, listings: tuple[Listing, ...], function: str | None) -> dict[str, str]:
    """What Lambda answers at the place that the line says; nothing when only running the line would tell the place."""
    given, around, rows = blank.given(), blank.around, blank.cmdlet.by_name
    values: dict[str, Any] = {row.name: given[row.name] for row in CONNECTION if row.name in given and row.name in rows}
    if around.catalog is None or None in values.values():
        return {}
    values = {**{name: value for name, value in around.defaults.items() if name in rows}, **values}
    return around.catalog.names(*(Question(listing, blank.cmdlet, values, function) for listing in listings))


def _bare(text: str) -> str | None:
    """The function that `text` names, without a qualifier; None when it names none, or is an ARN that is not whole."""
    try:
        found = parse_function_name(text)
    except LMError:
        return None
    if text.startswith("arn") and not found.is_arn:
        return None
    return text.removesuffix(f":{found.qualifier}") if found.qualifier else text


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None

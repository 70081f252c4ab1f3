"""Profiles as records: what each says in a line, where it stands, and whether it can be used."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from lmfunction._profile import known_profiles, read_source
from lmfunction._profile_approvals import approvals
from lmfunction._profile_files import content_of, is_commented_out
from lmfunction._profile_places import Place, Source, find_source, places
from lmfunction._profile_values import GuardRules, Profile
from lmfunction._record import Record, Records
from lmfunction._text import ascii_only, did_you_mean, one_line, shorten
from lmfunction.errors import ProfileError

_APPROVED: Final = {"approved": "ok", "changed": "changed since it was approved", "unknown": "not approved"}


def listed(
    names: Sequence[str],
    aws_profiles: Mapping[str, str | None],
    *,
    location: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Records:
    """The profiles of these names (with wildcards; none: all): YAML profiles in the order of search, then AWS's.

    Raises ProfileError for a name without a wildcard that no profile has.
    """
    found = Records("Profile")
    taken: dict[str, str] = {}
    for place in places(location=location, environ=environ):
        for source in place.sources():
            if _is_wanted(source.name, names):
                record = _record_in(place, source, taken.get(source.name), location, environ)
                found.append(record)
                if record["Status"] == "ok":
                    taken.setdefault(source.name, str(source.path))
    for name, region in aws_profiles.items():
        if _is_wanted(name, names):
            found.append(_aws_record(name, region, taken.get(name)))
    for name in names:
        if not _is_pattern(name) and not any(record["Name"] == name for record in found):
            known = [*known_profiles(location=location, environ=environ), *aws_profiles]
            raise ProfileError(f"There is no profile '{ascii_only(shorten(name, 80))}'.{did_you_mean(name, known)}")
    return found


def record_of(profile: Profile, *, status: str = "ok", approved: bool | None = None) -> Record:
    """What a profile that was read says, with all that it inherits."""
    rules = profile.guard
    return _record(
        profile.name,
        profile.origin,
        status,
        Region=profile.region,
        Account=profile.account,
        Guard=guard_in_words(rules) or None,
        Endpoint=profile.endpoint,
        AWSProfile=profile.aws_profile,
        Audit=None if profile.audit is None else profile.audit.file,
        Approved=approved,
        File=profile.file,
        Inherits=list(profile.inherits),
        Notices=list(profile.notices),
        Defaults=dict(profile.defaults),
        Functions=dict(profile.functions),
        Rules={
            "Confirm": rules.confirm,
            "Allow": [list(patterns) for patterns in rules.allow_lists],
            "Deny": list(rules.deny),
            "MaxItems": rules.max_items,
            "AllowForce": rules.allow_force,
            "AuditRequired": profile.audit is not None and profile.audit.required,
            "RedactKeys": list(profile.redaction.keys),
            "RedactPatterns": list(profile.redaction.patterns),
            "RedactPaths": list(profile.redaction.paths),
        },
    )


def guard_in_words(rules: GuardRules) -> str:
    """The rules in one line; empty where there are none."""
    parts = []
    if rules.confirm:
        parts.append("confirm" + (" (-Force may skip it)" if rules.allow_force else ""))
    parts += [f"allow {', '.join(patterns)}" for patterns in rules.allow_lists]
    if rules.deny:
        parts.append(f"deny {', '.join(rules.deny)}")
    if rules.max_items is not None:
        parts.append(f"at most {rules.max_items:,} items")
    return "; ".join(parts)


def _record_in(
    place: Place, source: Source, winner: str | None, location: str | None, environ: Mapping[str, str]
) -> Record:
    """The record of one file, whatever is wrong with it."""
    approved: bool | None = None
    try:
        place.check(source.path)
        content = content_of(source.path)
        status = "ok"
        if place.origin == "project":
            state = approvals(environ).state_of(source.path, content)
            status, approved = _APPROVED[state], state == "approved"
        if is_commented_out(source.path):
            return _record(source.name, place.origin, "example, all comments", File=str(source.path))
        profile = read_source(Source(source.path, place.origin, content), location=location, environ=environ)
    except ProfileError as error:
        told = one_line(f"error: {str(error.args[0]).splitlines()[0]}", 160)
        return _record(source.name, place.origin, told, Approved=approved, File=str(source.path), Error=str(error))
    if winner is not None and status == "ok":
        status = f"shadowed by {winner}"
    return record_of(profile, status=status, approved=approved)


def _aws_record(name: str, region: str | None, winner: str | None) -> Record:
    status = "ok" if winner is None else f"shadowed by {winner}"
    return _record(name, "aws", status, Region=region, Endpoint="aws", AWSProfile=name)


def _record(name: str, origin: str, status: str, **members: Any) -> Record:
    """A record with every member that one has, in one order, so that a table of them has its columns."""
    whole: dict[str, Any] = dict.fromkeys(("Region", "Account", "Guard", "Endpoint", "AWSProfile", "Audit"))
    whole |= dict.fromkeys(("Approved", "File", "Error"))
    whole |= {"Inherits": [], "Notices": [], "Defaults": {}, "Functions": {}, "Rules": {}}
    return Record("Profile", {"Name": name, "Origin": origin, "Status": status, **whole, **members}, "Name")


def named_sources(
    names: Iterable[str], *, location: str | None = None, environ: Mapping[str, str] = os.environ
) -> Iterator[tuple[Place, Source]]:
    """The file that each name means, a project's also when it is not approved. Raises ProfileError for none."""
    for name in names:
        yield _named_source(name, location, environ)


def _named_source(name: str, location: str | None, environ: Mapping[str, str]) -> tuple[Place, Source]:
    for place in places(location=location, environ=environ):
        path = place.look_up(name) if place.origin == "project" else None
        if path is not None:
            found = find_source(name, location=location, environ=environ, project=False)
            if found is None or found.origin == "shipped":
                return place, Source(path, "project", content_of(path))
    found = find_source(name, location=location, environ=environ, project=False)
    if found is None:
        known = known_profiles(location=location, environ=environ)
        raise ProfileError(f"There is no YAML profile '{ascii_only(shorten(name, 80))}'.{did_you_mean(name, known)}")
    return Place(found.path, found.origin), found  # its folder was looked through when it was found


def _is_wanted(name: str, wanted: Sequence[str]) -> bool:
    return not wanted or any(
        fnmatch.fnmatchcase(name.casefold(), one.casefold()) if _is_pattern(one) else name == one for one in wanted
    )


def _is_pattern(name: str) -> bool:
    return "*" in name or "?" in name

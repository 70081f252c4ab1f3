"""YAML profiles: found by name, read whole, with all that they inherit.

Where they are searched stands in `_profile_places`, what may stand in them in `_profile_schema`, what a project's
profile may say in `_profile_limits`, and what one takes over from another in `_profile_inheritance`.
"""

from __future__ import annotations

import functools
import os
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from lmfunction._profile_approvals import approvals
from lmfunction._profile_files import MAX_BYTES, content_of, is_commented_out
from lmfunction._profile_inheritance import Inherited, with_parents
from lmfunction._profile_limits import audit_file, limited
from lmfunction._profile_places import (
    Place,
    Source,
    approved_content,
    can_be_profile,
    find_source,
    is_shipped,
    origin_of,
    places,
    shipped_folder,
)
from lmfunction._profile_schema import Fault, Written, read_schema
from lmfunction._profile_values import AuditRule, GuardRules, Profile
from lmfunction._text import did_you_mean
from lmfunction._user_files import state_folder
from lmfunction.errors import ProfileError

__all__ = [
    "example_hint",
    "find_profile",
    "known_profiles",
    "load_profile",
    "profile_named",
    "read_source",
    "shipped_folder",
]

_MOST_FAULTS = 20
_MOST_GENERATIONS = 10


def profile_named(name: str, *, location: str | None = None, environ: Mapping[str, str] = os.environ) -> Profile | None:
    """The YAML profile `name` with all that it inherits, or None when there is none.

    Raises ProfileError with file, line and column for every fault of its files, and for a file that may not be used.
    """
    source = find_source(name, location=location, environ=environ)
    return None if source is None else read_source(source, location=location, environ=environ)


def find_profile(
    name: str, *, location: str | None = None, environ: Mapping[str, str] = os.environ
) -> pathlib.Path | None:
    """The file of the YAML profile `name`, or None. Raises ProfileError for a file that may not be used."""
    source = find_source(name, location=location, environ=environ)
    return None if source is None else source.path


def load_profile(path: pathlib.Path, *, environ: Mapping[str, str] = os.environ) -> Profile:
    """The profile in `path`, a file that the user named; its folder is searched first for what it inherits.

    Raises ProfileError as `profile_named` does.
    """
    place = Place(path.parent, origin_of(path.parent, environ))
    if place.origin == "project":
        content = approved_content(place, path, approvals(environ))
        return read_source(Source(path, place.origin, content), environ=environ)
    obstacle = place.obstacle(path)
    if obstacle is not None:
        raise ProfileError(f"The profile is not read: {obstacle}.")
    location = str(path.parent) if place.origin == "location" else None
    return read_source(Source(path, place.origin), location=location, environ=environ)


def known_profiles(*, location: str | None = None, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The names of all YAML profiles that can be used as they are: no examples, and no project's unapproved ones."""
    found: set[str] = set()
    for place in places(location=location, environ=environ):
        for source in place.sources():
            path = source.path
            if not can_be_profile(source.name) or is_commented_out(path) or place.obstacle(path) is not None:
                continue
            if place.origin == "project":
                try:
                    approved_content(place, path, approvals(environ))
                except ProfileError:
                    continue
            found.add(source.name)
    return sorted(found)


def example_hint(name: str) -> str:
    """What to do where `name` is that of a shipped example; nothing where it is not."""
    file = shipped_folder() / f"{name}.yaml"
    if not can_be_profile(name) or not file.is_file() or not is_commented_out(file):
        return ""
    return f" The shipped {name}.yaml is an example; `New-LMProfile {name}` writes one of your own."


def read_source(source: Source, *, location: str | None = None, environ: Mapping[str, str] = os.environ) -> Profile:
    """The profile in a file that was found, with all that it inherits. Raises ProfileError with every fault."""
    reading = _Reading(location, environ)
    written = reading.read(source, ())
    notices = [source.notice] if source.notice else []
    return _profile(source, written, (*notices, *dict.fromkeys(reading.notices)))


def place_in(source: Source, key: str) -> tuple[int, int] | None:
    """Line and column of `key` (such as `defaults.LogType`) in a file without faults; None where it is not there."""
    return _schema_of(source)[0].places.get(key)


@dataclass
class _Reading:
    """The reading of one profile and of those it inherits from, each file once."""

    location: str | None
    environ: Mapping[str, str]
    notices: list[str] = field(default_factory=list)
    known: dict[pathlib.Path, Written] = field(default_factory=dict)

    def read(self, source: Source, heirs: Sequence[Source]) -> Written:
        """What `source` says together with its parents; `heirs` are those that inherit from it."""
        if source.path in self.known:
            return self.known[source.path]
        written, faults = _schema_of(source)
        if source.origin == "project":
            written, notices, more = limited(written, source.path)
            self.notices += notices
            faults = [*faults, *more]
        written = self._with_absolute_audit(source, written)
        parents: list[Inherited] = []
        for name in written.inherits:
            parent, fault = self._parent(name, source, written, heirs)
            if fault is not None:
                faults = [*faults, fault]
            elif parent is not None:
                parents.append(Inherited(name, self.read(parent, (*heirs, source))))
        whole, quarrels = with_parents(written, parents)
        faults = [*faults, *quarrels]
        if not faults and whole.audit_file is None and whole.audit_required is not None:
            faults = [whole.fault("audit", "audit: name its file, such as audit/{date}.jsonl.")]
        if faults:
            raise _faulty(source, faults)
        self.known[source.path] = whole
        return whole

    def _parent(
        self, name: str, child: Source, written: Written, heirs: Sequence[Source]
    ) -> tuple[Source | None, Fault | None]:
        """The file to inherit from, or the fault in saying so."""
        own = child.origin == "project"
        try:
            found = find_source(name, location=self.location, environ=self.environ, project=own)
        except ProfileError as error:
            return None, written.fault("inherits", f"inherits: {error}")
        if found is None:
            return None, written.fault("inherits", f"inherits: {self._missing(name, own)}")
        for heir in (child, *heirs):
            if found.path == heir.path:
                what = "itself" if heir is child else f"{name}, which inherits from it"
                return None, written.fault("inherits", f"inherits: {child.name} would inherit from {what}.")
        if len(heirs) >= _MOST_GENERATIONS:
            return None, written.fault("inherits", f"inherits: more than {_MOST_GENERATIONS} generations.")
        return found, None

    def _missing(self, name: str, project: bool) -> str:
        own = [place.look_up(name) for place in places(environ=self.environ) if place.origin == "project"]
        if not project and any(path is not None and not is_shipped(path) for path in own):
            return f"{name} stands in this folder's profiles/, and only a profile there can inherit from it."
        known = known_profiles(location=self.location, environ=self.environ)
        return f"there is no profile '{name}'.{did_you_mean(name, known)}"

    def _with_absolute_audit(self, source: Source, written: Written) -> Written:
        if written.audit_file is None:
            return written
        state = state_folder(self.environ) if source.origin == "shipped" else None
        return replace(written, audit_file=audit_file(written.audit_file, source.path, state))


def _schema_of(source: Source) -> tuple[Written, list[Fault]]:
    content = content_of(source.path) if source.content is None else source.content
    try:
        written, faults = _parsed(content)
    except ProfileError as error:
        raise ProfileError(str(error.args[0]), file=str(source.path), line=error.line, column=error.column) from None
    return written, list(faults)


@functools.lru_cache(maxsize=64)
def _parsed(content: bytes) -> tuple[Written, tuple[Fault, ...]]:
    """What a file of this content says. Raises ProfileError, without a file, for what is no small YAML document."""
    from lmfunction import _yaml

    try:
        # Cut short it may end inside a character; the parser refuses it for its length then.
        text = content.decode(errors="strict" if len(content) <= MAX_BYTES else "replace")
        tree = _yaml.parse(text, max_bytes=MAX_BYTES, max_depth=10)
    except _yaml.YamlError as error:
        raise ProfileError(f"{error}.", line=error.line, column=error.column) from None
    except UnicodeDecodeError:
        raise ProfileError("The profile cannot be read: it is not UTF-8 text.") from None
    if tree is None:
        raise ProfileError("The profile is empty: uncomment and fill in what you need.", line=1)
    written, faults = read_schema(tree)
    return written, tuple(faults)


def _faulty(source: Source, faults: Sequence[Fault]) -> ProfileError:
    """One error for all faults of a file: the first is its place, the others follow in lines of their own."""
    first, *others = sorted(faults, key=lambda fault: (fault.line, fault.column))
    lines = [first.message, *(f"{source.path}:{f.line}:{f.column}: {f.message}" for f in others[: _MOST_FAULTS - 1])]
    if len(faults) > _MOST_FAULTS:
        lines.append(f"… and {len(faults) - _MOST_FAULTS} more.")
    return ProfileError("\n".join(lines), file=str(source.path), line=first.line, column=first.column)


def _profile(source: Source, written: Written, notices: tuple[str, ...]) -> Profile:
    """The value that calls are made with."""
    lists = written.allow_lists
    return Profile(
        name=source.name,
        file=str(source.path),
        origin=source.origin,
        aws_profile=written.aws_profile,
        region=written.region,
        endpoint=written.endpoint or "aws",
        account=written.account,
        defaults=written.defaults,
        functions=written.functions,
        guard=GuardRules(
            confirm=bool(written.confirm),
            allow=lists[0] if lists else (),
            deny=written.deny,
            max_items=written.max_items,
            allow_force=bool(written.allow_force),
            also_allow=lists[1:],
        ),
        redaction=written.redaction,
        audit=AuditRule(written.audit_file, bool(written.audit_required)) if written.audit_file else None,
        inherits=written.inherits,
        notices=notices,
    )

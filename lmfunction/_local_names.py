"""Names that this machine has, for who is typing one: profiles, short names of functions, variables, files."""

from __future__ import annotations

import itertools
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, Final

from lmfunction._peek import UNKNOWN
from lmfunction._profile import known_profiles, profile_named
from lmfunction._profile_values import Profile
from lmfunction._text import shorten
from lmfunction.errors import LMError

_SECTION: Final = re.compile(r"^\s*\[\s*(?:profile\s+)?[\"']?([^\]\"']+?)[\"']?\s*\]", re.MULTILINE)
_CONFIG_BYTES: Final = 1 << 20
_MOST_FILES: Final = 2_000


def profiles(location: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    """The YAML profiles, then those of the AWS CLI's files, with where each is from."""
    try:
        found = dict.fromkeys(known_profiles(location=location or None, environ=environ), "YAML profile")
    except LMError:
        found = {}
    for variable, usual in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")):
        path = pathlib.Path(environ.get(variable) or f"~/.aws/{usual}").expanduser()
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                sections = _SECTION.findall(file.read(_CONFIG_BYTES))
        except OSError:
            continue
        for name in sections:
            if not name.startswith(("sso-session ", "services ")):
                found.setdefault(name, f"AWS profile of {path}")
    return found


def project_profiles() -> dict[str, str]:
    """The profiles of the working directory, approved or not."""
    found = sorted(path.stem for path in pathlib.Path("profiles").glob("*.y*ml"))
    return dict.fromkeys(found, "the project's profile")


def short_names(profile: str, location: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    """The function names that the YAML profile knows, with what they stand for."""
    found = _profile(profile, location, environ)
    return dict(found.functions) if found is not None else {}


def endpoint_of(profile: str, location: str | None, environ: Mapping[str, str]) -> str | None:
    """The endpoint of the YAML profile; None when there is none of that name."""
    found = _profile(profile, location, environ)
    return found.endpoint if found is not None else None


def _profile(name: str, location: str | None, environ: Mapping[str, str]) -> Profile | None:
    try:
        return profile_named(name, location=location or None, environ=environ) if name else None
    except LMError:  # running the line tells
        return None


def paths(written: str) -> Iterator[tuple[str, str]]:
    """The files and folders that a path which begins as `written` may become; a folder ends in a slash."""
    folder, slash, begun = written.rpartition("/")
    where = os.path.expanduser(folder + slash) or "."  # noqa: PTH111 - it is text that goes on as it was typed
    try:
        with os.scandir(where) as entries:
            found = sorted(itertools.islice(entries, _MOST_FILES), key=lambda entry: entry.name)
    except (OSError, ValueError):
        return
    for entry in found:
        hidden = entry.name.startswith(".") and not begun.startswith(".")
        if entry.name.startswith(begun) and not hidden and entry.name.isprintable():
            is_folder = _is_folder(entry)
            yield f"{folder}{slash}{entry.name}{'/' if is_folder else ''}", "folder" if is_folder else "file"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def variables(names: Mapping[str, Any], *, hidden: bool = False) -> dict[str, Any]:
    """The user's variables that a line can mean, mappings first, then lists, then other data, then what is called.

    No modules, no classes; names with an underscore in front only when asked for.
    """
    found = {
        name: value
        for name, value in list(names.items())
        if isinstance(name, str)
        and name.isidentifier()
        and (hidden or not name.startswith("_"))
        and not issubclass(type(value), ModuleType | type)
    }
    return dict(sorted(found.items(), key=lambda pair: _rank(pair[1])))


def _rank(value: Any) -> int:
    kind = type(value)
    if issubclass(kind, Mapping):
        return 0
    if issubclass(kind, list | tuple):
        return 1
    return 3 if hasattr(kind, "__call__") else 2  # noqa: B004 - callable() would ask the object's class as well


def kind_of(value: Any) -> str:
    """What something is, in a word or two; its content, which may be secret, is not told."""
    if value is UNKNOWN:
        return ""
    size = f", {len(value)}" if type(value) in (str, bytes, list, tuple, dict) else ""
    return shorten(type(value).__name__, 40) + size


def sample_functions() -> list[tuple[str, str]]:
    """The functions that the embedded Lambda will have when it is started."""
    from pathlib import Path

    from lmfunction import local

    folder = Path(local.__file__).with_name("samples")
    return [(path.stem, "sample function") for path in sorted(folder.glob("[!_]*.py"))]

"""YAML profiles: where they are searched and what may stand in them.

Searched in turn: -ProfileLocation, `$LMFUNCTION_PROFILES` (folders, separated as in PATH), the user's configuration
folder, the profiles shipped with the package. The working directory is not searched: a folder that somebody else can
write to must not decide where a payload goes.
"""

from __future__ import annotations

import functools
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from lmfunction._endpoint import fault_of
from lmfunction._names import check_region, parse_function_name
from lmfunction._profile_values import Profile
from lmfunction._text import ascii_only, did_you_mean, shorten
from lmfunction._user_files import config_folder
from lmfunction.errors import ParameterError, ProfileError

if TYPE_CHECKING:
    from lmfunction import _yaml

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_BYTES: Final = 64 * 1024
_KEYS: Final = ("aws_profile", "region", "endpoint", "defaults", "functions")
# Keys that promise protection. A version that does not enforce them must not run as if they were not there.
_PROTECTING: Final = ("account", "guard", "redact", "audit", "inherits")


def find_profile(
    name: str, *, location: str | None = None, environ: Mapping[str, str] = os.environ
) -> pathlib.Path | None:
    """The file of the YAML profile `name`, or None. Raises ProfileError when one folder has two of that name."""
    if not _NAME.fullmatch(name):
        return None
    for folder in folders(location=location, environ=environ):
        if folder.suffix in (".yaml", ".yml"):
            if folder.stem == name and folder.is_file():
                return folder
            continue
        found = [p for p in (folder / f"{name}.yaml", folder / f"{name}.yml") if p.is_file()]
        if len(found) == 2:
            raise ProfileError(f"{name}.yaml and {name}.yml both stand in {folder}: keep one.")
        if found:
            return found[0]
    return None


def folders(*, location: str | None = None, environ: Mapping[str, str] = os.environ) -> Iterator[pathlib.Path]:
    """The folders (or single files) that are searched, in order."""
    if location is not None:
        path = pathlib.Path(location).expanduser()
        if not path.exists():
            raise ProfileError(f"ProfileLocation '{ascii_only(location)}' does not exist.")
        yield path
    for entry in environ.get("LMFUNCTION_PROFILES", "").split(os.pathsep):
        if entry:
            yield pathlib.Path(entry).expanduser()
    yield config_folder(environ) / "profiles"
    yield shipped_folder()


def known_profiles(*, location: str | None = None, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The names of all YAML profiles that can be found."""
    found: set[str] = set()
    for folder in folders(location=location, environ=environ):
        entries = [folder] if folder.is_file() else folder.glob("*.y*ml") if folder.is_dir() else []
        found.update(p.stem for p in entries if p.suffix in (".yaml", ".yml") and not _is_commented_out(p))
    return sorted(found)


def shipped_folder() -> pathlib.Path:
    """The profiles that come with the package: beside it in a source tree, inside it when installed."""
    inside = pathlib.Path(__file__).parent / "profiles"
    return inside if inside.is_dir() else pathlib.Path(__file__).parent.parent / "profiles"


def load_profile(path: pathlib.Path) -> Profile:
    """The profile in `path`. Raises ProfileError with file, line and column for whatever the schema does not know."""
    try:
        state = path.stat()
    except OSError as error:
        raise ProfileError(f"The profile cannot be read: {error.strerror}.", file=str(path)) from None
    return _load(path, (state.st_mtime_ns, state.st_size, state.st_ino))


@functools.lru_cache(maxsize=64)
def _load(path: pathlib.Path, version: tuple[int, int, int]) -> Profile:
    """The profile as this version of the file tells it: read once, read again when the file changed."""
    from lmfunction import _yaml

    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        # Cut short it may end inside a character; the parser refuses it for its length then.
        text = raw.decode(errors="strict" if len(raw) <= _MAX_BYTES else "replace")
        node = _yaml.parse(text, max_bytes=_MAX_BYTES, max_depth=10)
    except _yaml.YamlError as error:
        raise ProfileError(f"{error}.", file=str(path), line=error.line, column=error.column) from None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ProfileError(f"The profile cannot be read: {why}.", file=str(path)) from None
    if node is None:
        raise ProfileError("The profile is empty: uncomment and fill in what you need.", file=str(path), line=1)
    return _Reader(path).profile(node)


class _Reader:
    """Reads one profile's tree by the schema; every complaint carries its place."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    def profile(self, tree: _yaml.Node) -> Profile:
        readers = {
            "aws_profile": self._text,
            "region": self._region,
            "endpoint": self._endpoint,
            "defaults": self._defaults,
            "functions": self._functions,
        }
        values: dict[str, Any] = {}
        for key, node in self._pairs(tree, "the profile"):
            if key.text in _PROTECTING:
                raise self._error(
                    f"'{key.text}' is not enforced by this version; nothing is sent rather than unprotected.", key
                )
            if key.text not in readers:
                shown = ascii_only(shorten(key.text, 40))
                raise self._error(f"Unknown key '{shown}'.{did_you_mean(key.text, [*_KEYS, *_PROTECTING])}", key)
            values[key.text] = readers[key.text](node, key.text)
        return Profile(name=self.path.stem, file=str(self.path), **values)

    def _pairs(self, node: Any, what: str) -> tuple[tuple[_yaml.Scalar, _yaml.Node], ...]:
        if not hasattr(node, "items") or not all(isinstance(item, tuple) for item in node.items):
            raise self._error(f"{what} must be a mapping of keys to values.", node)
        pairs: tuple[tuple[_yaml.Scalar, _yaml.Node], ...] = node.items
        return pairs

    def _text(self, node: Any, key: str) -> str:
        text = getattr(node, "text", None)
        if not isinstance(text, str) or not text or text == "~" or not text.isprintable():
            raise self._error(f"{key} must be text.", node)
        return text

    def _region(self, node: Any, key: str) -> str:
        try:
            return check_region(self._text(node, key), parameter=key)
        except ParameterError as error:
            raise self._error(str(error), node) from None

    def _endpoint(self, node: Any, key: str) -> str:
        text = self._text(node, key)
        fault = None if text in ("aws", "embedded") else fault_of(text)
        if fault:
            raise self._error(f"{key} {fault}.", node)
        return text

    def _defaults(self, node: Any, key: str) -> dict[str, Any]:
        """Parameter defaults: text as written, and true or false for switches."""
        found: dict[str, Any] = {}
        for name, value in self._pairs(node, key):
            text = self._text(value, f"{key}.{name.text}")
            plain = getattr(value, "plain", False)
            found[name.text] = text == "true" if plain and text in ("true", "false") else text
        return found

    def _functions(self, node: Any, key: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in self._pairs(node, key):
            try:
                parse_function_name(name.text, parameter=f"{key}: the short name")
                found[name.text] = parse_function_name(
                    self._text(value, name.text), parameter=f"{key}.{name.text}"
                ).text
            except ParameterError as error:
                raise self._error(str(error), value) from None
        return found

    def _error(self, message: str, node: Any) -> ProfileError:
        return ProfileError(message, file=str(self.path), line=node.line, column=node.column)


def _is_commented_out(path: pathlib.Path) -> bool:
    try:
        lines = path.read_text("utf-8").splitlines()
        return not any(line.strip() and not line.lstrip().startswith("#") for line in lines)
    except (OSError, UnicodeDecodeError):
        return False

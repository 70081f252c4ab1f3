"""Where profiles are searched, in order, and which file a name means.

-ProfileLocation; the folders of `$LMFUNCTION_PROFILES` (separated as in PATH); the user's configuration folder; the
working directory's `profiles/`, of which only approved files count; the profiles shipped with the package. No parent
directory is searched: a folder that somebody else can write to must not decide where a payload goes.
"""

from __future__ import annotations

import functools
import os
import pathlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lmfunction._profile_approvals import Approvals, State, approvals
from lmfunction._profile_files import SUFFIXES, content_of, distrust, files_in, is_commented_out
from lmfunction._profile_rules import profile_name
from lmfunction._profile_values import Origin
from lmfunction._text import ascii_only
from lmfunction._user_files import config_folder
from lmfunction.errors import ProfileError

PROJECT_FOLDER: Final = "profiles"
_NOT_APPROVED: Final[Mapping[State, str]] = {
    "unknown": "is not approved",
    "changed": "changed since it was approved",
}


@dataclass(frozen=True)
class Source:
    """The file of a profile, and whose place it was found in.

    `content` is the one that was approved, where that is asked for. `notice` tells what was passed over on the way.
    """

    path: pathlib.Path
    origin: Origin
    content: bytes | None = None
    notice: str = ""

    @property
    def name(self) -> str:
        """The profile's name."""
        return self.path.stem


@dataclass(frozen=True)
class Place:
    """A folder of profiles, or a single file, that is searched."""

    path: pathlib.Path
    origin: Origin

    def sources(self) -> Iterator[Source]:
        """Every file here, in order of the names, whatever may be wrong with it."""
        if self._is_one_file:
            found = [self.path] if self.path.is_file() else []
        else:
            found = [self.path / name for _, name in sorted(files_in(self.path))]
        return (Source(path, self.origin) for path in found)

    def look_up(self, name: str) -> pathlib.Path | None:
        """The file of the profile `name`. Raises ProfileError when two files could be meant."""
        if self._is_one_file:
            return self.path if self.path.stem == name and self.path.is_file() else None
        alike = [(stem, file) for stem, file in files_in(self.path) if stem.casefold() == name.casefold()]
        exact = [file for stem, file in alike if stem == name]
        if not exact:
            return None
        if len(exact) < len(alike):
            files = " and ".join(sorted(file for _, file in alike))
            raise ProfileError(f"{files} in {self.path} differ only in case: rename one.")
        if len(exact) > 1:
            raise ProfileError(f"{name}.yaml and {name}.yml both stand in {self.path}: keep one.")
        return self.path / exact[0]

    def obstacle(self, path: pathlib.Path) -> str | None:
        """Why nobody may rely on `path`, which stands here; None when it can be taken."""
        if self.origin in ("none", "shipped"):
            return None
        explicit = self.origin in ("location", "environment")
        if self.origin == "project" and (path.is_symlink() or self.path.is_symlink()):
            return f"{path} is reached by a symbolic link: put the file itself there"
        reason = distrust(path, explicit=explicit)
        if reason is None and not (self._is_one_file and _is_sticky(path.parent)):
            reason = distrust(path.parent, explicit=explicit)
        return reason

    def check(self, path: pathlib.Path) -> None:
        """Raises ProfileError when `path`, which stands here, has a twin or a bad name, or is not to be relied on."""
        try:
            self.look_up(profile_name(path.stem))
        except ValueError as error:
            raise ProfileError(f"{str(error).rstrip('.')}.", file=str(path)) from None
        obstacle = self.obstacle(path)
        if obstacle is not None:
            raise ProfileError(f"The profile is not read: {obstacle}.", file=str(path))

    @property
    def _is_one_file(self) -> bool:
        return self.path.suffix in SUFFIXES


def can_be_profile(name: str) -> bool:
    """Whether a profile's file may have this name."""
    try:
        profile_name(name)
    except ValueError:
        return False
    return True


def places(*, location: str | None = None, environ: Mapping[str, str] = os.environ) -> Iterator[Place]:
    """The places that are searched, in order. Raises ProfileError for a -ProfileLocation that does not exist."""
    earlier: list[pathlib.Path] = []
    if location is not None:
        path = pathlib.Path(location).expanduser()
        if not _exists(path):
            raise ProfileError(f"ProfileLocation '{ascii_only(location)}' does not exist.")
        earlier.append(path)
        yield Place(path, "location")
    for entry in environ.get("LMFUNCTION_PROFILES", "").split(os.pathsep):
        if entry:
            earlier.append(pathlib.Path(entry).expanduser())
            yield Place(earlier[-1], "environment")
    earlier.append(user_folder(environ))
    yield Place(earlier[-1], "user")
    shipped = shipped_folder()
    project = project_folder()
    if project is not None and not any(is_same(project, other) for other in (*earlier, shipped)):
        yield Place(project, "project")
    yield Place(shipped, "shipped")


def find_source(
    name: str,
    *,
    location: str | None = None,
    environ: Mapping[str, str] = os.environ,
    project: bool = True,
) -> Source | None:
    """The file of the profile `name`, or None.

    A project's profile that is not approved is passed over, with a notice, where a shipped one has its name; else it is
    a ProfileError, as is a file that others can write to, or two of the name in one folder. Without `project` none of
    the working directory's is looked at. A shipped example, all comments, is no profile.
    """
    if not can_be_profile(name):
        return None
    passed_over: ProfileError | None = None
    for place in places(location=location, environ=environ):
        if place.origin == "project":
            if project:
                try:
                    path = place.look_up(name)
                    if path is not None and not is_shipped(path):
                        return Source(path, place.origin, approved_content(place, path, approvals(environ)))
                except ProfileError as error:
                    passed_over = error
            continue
        path = place.look_up(name)
        if path is None or (place.origin == "shipped" and is_commented_out(path)):
            continue
        obstacle = place.obstacle(path)
        if obstacle is not None:
            raise ProfileError(f"The profile {name} is not read: {obstacle}.")
        notice = f"The shipped profile {name} was taken: {passed_over}" if passed_over is not None else ""
        return Source(path, place.origin, notice=notice)
    if passed_over is not None:
        raise passed_over
    return None


def is_shipped(path: pathlib.Path) -> bool:
    """Whether a project's file is, byte for byte, the shipped one of its name: in a checkout of this project it is."""
    try:
        return path.read_bytes() == (shipped_folder() / path.name).read_bytes()
    except OSError:
        return False


def approved_content(place: Place, path: pathlib.Path, approved: Approvals) -> bytes:
    """The content of the project's profile `path`. Raises ProfileError unless it is approved as it stands."""
    shown = f"{PROJECT_FOLDER}/{path.name} in this folder"
    obstacle = place.obstacle(path)
    if obstacle is not None:
        raise ProfileError(f"{shown} is not read: {obstacle}.")
    content = content_of(path)
    state = approved.state_of(path, content)
    if state != "approved" and not is_shipped(path):
        raise ProfileError(f"{shown} {_NOT_APPROVED[state]}: look at it, then Approve-LMProfile {path.stem}.")
    return content


def origin_of(folder: pathlib.Path, environ: Mapping[str, str] = os.environ) -> Origin:
    """Whose place a folder is that the user named: of the places that are searched, else of one's own choice.

    A folder of another project is read as that project's.
    """
    found = next((place.origin for place in places(environ=environ) if is_same(place.path, folder)), None)
    if found is None and folder.absolute() == user_folder(environ).absolute():
        return "user"
    return found or ("project" if folder.name == PROJECT_FOLDER else "location")


def user_folder(environ: Mapping[str, str] = os.environ) -> pathlib.Path:
    """The folder of the user's own profiles."""
    return config_folder(environ) / "profiles"


def project_folder() -> pathlib.Path | None:
    """The working directory's `profiles/`; None where there is none."""
    try:
        folder = pathlib.Path.cwd() / PROJECT_FOLDER
    except OSError:
        return None  # the working directory is gone
    return folder if folder.is_dir() else None


@functools.cache
def shipped_folder() -> pathlib.Path:
    """The profiles that come with the package: beside it in a source tree, inside it when installed."""
    inside = pathlib.Path(__file__).parent / "profiles"
    return inside if inside.is_dir() else pathlib.Path(__file__).parent.parent / "profiles"


def _exists(path: pathlib.Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_same(left: pathlib.Path, right: pathlib.Path) -> bool:
    """Whether both are one file or folder that exists."""
    try:
        return left.samefile(right)
    except OSError:
        return False


def _is_sticky(folder: pathlib.Path) -> bool:
    """Whether only its owner can replace a file in `folder`, however many may write there, as in /tmp."""
    return bool(folder.stat().st_mode & 0o1000)

"""Approve-LMProfile and Revoke-LMProfile: which files of a project the user has looked at."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

from lmfunction._door import NOTHING
from lmfunction._profile import read_source
from lmfunction._profile_approvals import approvals
from lmfunction._profile_command import Command, one_or_all
from lmfunction._profile_files import SUFFIXES, content_of, files_in
from lmfunction._profile_places import PROJECT_FOLDER, Place, Source, can_be_profile, origin_of, project_folder
from lmfunction._profile_records import record_of
from lmfunction._profile_review import Review, effects_of
from lmfunction._record import Record, Records
from lmfunction._text import ascii_only, did_you_mean, shorten
from lmfunction.errors import ParameterError, ProfileError


def approve(command: Command) -> Any:
    """Approves the project's profiles that are meant, each shown and confirmed; gives their records.

    Each file is read once, so that what was shown is what is approved. Raises ProfileError for one that is faulty or
    that others can write to, GuardError unless it is confirmed.
    """
    found = Records("Profile")
    for place, path in _meant(command):
        place.check(path)
        content = content_of(path)
        profile = read_source(Source(path, "project", content))
        if approvals().state_of(path, content) != "approved":
            review = Review(f"Approve {path}", str(path), content.decode(), effects_of(profile))
            if command.dry:
                command.door.show(review)
                continue
            told = f"It then decides where calls made in {path.parent.parent} with -ProfileName {path.stem} go."
            command.ask(str(path), review.lines(), told, unasked=True)
            approvals().approve(path, content)
        found.append(record_of(profile, approved=True))
    return NOTHING if command.dry and not found else one_or_all(found)


def revoke(command: Command) -> Any:
    """Takes approvals away; the files need not exist any more."""
    if not command.names and command.path is None:
        raise ParameterError("Revoke-LMProfile needs a Name or a Path: which profile?", parameter="Name")
    found = Records("Profile")
    for _, path in _meant(command, may_be_gone=True):
        what = f"The approval of {path} is taken away."
        if command.dry:
            command.door.show(Review(what, str(path), "", (("It", "is not used any more, until it is approved"),)))
            continue
        command.ask(str(path), (), what, unasked=False)
        status = "not approved" if approvals().revoke(path) else "was not approved"
        members = {"Name": path.stem, "Origin": "project", "Status": status, "Approved": False, "File": str(path)}
        found.append(Record("Profile", members, "Name"))
    return NOTHING if command.dry else one_or_all(found)


def sources_at(path: pathlib.Path) -> Iterator[tuple[Place, Source]]:
    """The profiles at `path`, a file or a folder, each read once. Raises ParameterError where there is none."""
    folder = path if path.is_dir() else path.parent
    origin = origin_of(folder)
    place = Place(path if origin == "location" else folder, origin)
    for file in _files_at(path):
        yield place, Source(file, place.origin, content_of(file))


def _meant(command: Command, *, may_be_gone: bool = False) -> Iterator[tuple[Place, pathlib.Path]]:
    """The project's files that -Name or -Path mean; without both all of this folder."""
    if command.path is not None:
        files = [command.path] if may_be_gone and not command.path.exists() else _files_at(command.path)
        for file in files:
            if file.parent.name != PROJECT_FOLDER:
                told = f"only a project's profiles, in a folder named {PROJECT_FOLDER}, are approved."
                raise ParameterError(f"{ascii_only(str(file))}: {told}", parameter="Path")
            yield Place(file.parent, "project"), file
        return
    folder = project_folder()
    if folder is None:
        raise ProfileError(f"This folder has no {PROJECT_FOLDER}/ with profiles of a project.")
    place = Place(folder, "project")
    for name in command.names or sorted({stem for stem, _ in files_in(folder)}):
        yield place, _named(place, name, may_be_gone=may_be_gone)


def _named(place: Place, name: str, *, may_be_gone: bool) -> pathlib.Path:
    path = place.look_up(name) if can_be_profile(name) else None
    if path is None and may_be_gone and can_be_profile(name):
        path = place.path / f"{name}.yaml"
    if path is None:
        known = [stem for stem, _ in files_in(place.path)]
        shown = ascii_only(shorten(name, 80))
        raise ProfileError(f"There is no {PROJECT_FOLDER}/{shown}.yaml in this folder.{did_you_mean(name, known)}")
    return path


def _files_at(path: pathlib.Path) -> list[pathlib.Path]:
    if path.is_dir():
        found = [path / name for _, name in sorted(files_in(path))]
        if not found:
            raise ParameterError(f"There is no profile in {ascii_only(str(path))}.", parameter="Path")
        return found
    if path.suffix not in SUFFIXES:
        raise ParameterError(f"{ascii_only(path.name)} is no profile's file: they end in .yaml.", parameter="Path")
    return [path]

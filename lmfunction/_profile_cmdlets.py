"""The cmdlets for YAML profiles: list, test, write, approve, revoke. None of them calls AWS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lmfunction._connection import aws_profile_regions
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._failures import carried_out
from lmfunction._gathered import Gathered, is_dry
from lmfunction._params import Cmdlet
from lmfunction._profile import read_source
from lmfunction._profile_approvals import approvals
from lmfunction._profile_check import checked
from lmfunction._profile_command import Command, one_or_all
from lmfunction._profile_consent import approve, revoke, sources_at
from lmfunction._profile_files import content_of
from lmfunction._profile_places import Place, Source, origin_of
from lmfunction._profile_records import listed, named_sources, record_of
from lmfunction._profile_review import Review, effects_of
from lmfunction._profile_text import Settings, check_settings, profile_text, target_file
from lmfunction._record import Record, Records
from lmfunction._user_files import make_private_folder, write_atomically
from lmfunction.errors import ParameterError, ProfileError


def run_profile_cmdlet(cmdlet: Cmdlet, values: Mapping[str, Any], engine: Engine, door: Door) -> Any:
    """What a cmdlet for profiles emits for `values` (by parameter name), or NOTHING.

    Raises ParameterError and ProfileError for what cannot be used, GuardError when nobody confirms.
    """

    def step(gathered: Gathered) -> Any:
        arguments = gathered.arguments
        return _STEPS[cmdlet.name](Command(arguments, engine, door, is_dry(arguments, engine, door)))

    return carried_out(cmdlet, values, engine, door, step)


def _get(command: Command) -> Records:
    return listed(command.names, aws_profile_regions(), location=command.location)


def _test(command: Command) -> Record | Records:
    location = command.location
    if command.path is not None:
        sources = list(sources_at(command.path))
        if sources[0][0].origin == "location":
            location = str(sources[0][1].path.parent)
    elif command.names:
        sources = list(named_sources(command.names, location=location))
    else:
        raise ParameterError("Test-LMProfile needs a Name or a Path: which profile?", parameter="Name")
    aws_profiles = aws_profile_regions()
    found, errors = Records("Profile"), list[ProfileError]()
    for place, source in sources:
        try:
            found.append(_tested(place, source, aws_profiles, location))
        except ProfileError as error:
            errors.append(error)
    if errors:
        first, *others = errors
        told = "\n".join([str(first.args[0]), *map(str, others)])
        raise ProfileError(told, file=first.file, line=first.line, column=first.column)
    return one_or_all(found)


def _tested(place: Place, source: Source, aws_profiles: Mapping[str, Any], location: str | None) -> Record:
    place.check(source.path)
    profile, odd = checked(source, aws_profiles, location=location)
    approved = None
    if source.origin == "project":
        approved = approvals().state_of(source.path, content_of(source.path)) == "approved"
    record = record_of(profile, approved=approved)
    return Record("Profile", {**record, "Notices": [*record["Notices"], *odd]}, "Name")


def _new(command: Command) -> Any:
    arguments = command.arguments
    names = ("name", "region", "aws_profile", "account", "endpoint_url", "inherits")
    given = {name.removesuffix("_url"): arguments[name] for name in names if name in arguments}
    if not given.get("name"):
        raise ParameterError("New-LMProfile needs a Name.", parameter="Name")
    settings = Settings(**given)
    check_settings(settings)
    path = target_file(settings.name, command.path, replace=bool(arguments.get("force")))
    content = profile_text(settings).encode()
    origin = origin_of(path.parent)
    location = str(path.parent) if origin == "location" and path.parent.is_dir() else None
    profile = read_source(Source(path, origin, content), location=location)
    review = Review(f"Write {path}", str(path), content.decode(), effects_of(profile))
    if command.dry:
        command.door.show(review)
        return NOTHING
    command.ask(str(path), review.lines(), f"{path} will be written.", unasked=False)
    try:
        if origin == "user":
            make_private_folder(path.parent)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content, mode=0o600 if origin == "user" else 0o644)
    except OSError as error:
        raise ProfileError(f"The profile cannot be written: {error.strerror}.", file=str(path)) from None
    if origin == "project":
        return record_of(profile, status="not approved", approved=False)
    return record_of(profile)


_STEPS: Final[Mapping[str, Callable[[Command], Any]]] = {
    "Get-LMProfile": _get,
    "Test-LMProfile": _test,
    "New-LMProfile": _new,
    "Approve-LMProfile": approve,
    "Revoke-LMProfile": revoke,
}

"""The cmdlets about credentials: set, get, make, clear, store, remove, as AWS.Tools.Common has them."""

from __future__ import annotations

import pathlib
from typing import Any, Final

from lmfunction._auth import RefreshingCredential
from lmfunction._aws_files import (
    AwsFiles,
    aws_files,
    aws_location,
    check_name,
    forget,
    store,
    stored_profiles,
    stored_settings,
)
from lmfunction._connection import ambient_region, profile_of
from lmfunction._credential_sources import UNDETERMINED, Source, is_temporary, source_of
from lmfunction._door import NOTHING
from lmfunction._names import check_region
from lmfunction._order import Order
from lmfunction._profile import find_profile, known_profiles
from lmfunction._record import Record, Records
from lmfunction._shell import ShellCredential
from lmfunction._text import ascii_only, did_you_mean, shorten
from lmfunction.errors import ParameterError, ProfileError

_DEFAULT: Final = "default"
_LEGACY_DEFAULT: Final = "AWS PS Default"  # where AWS Tools stored it before
_LISTED: Final = "ProfileInfo"


def set_credential(order: Order) -> Any:
    """Set-AWSCredential: for the session, or with -StoreAs into a file."""
    order.refuse_inner_scope()
    name = order.get("store_as")
    if name is not None and order.get("scope") is not None:
        raise ParameterError("Parameters Scope and StoreAs cannot be used together.", parameter="Scope")
    if name is not None:
        check_name(name)
        _files(order)
    source = source_of(order, asking=name is not None, stores=name is not None)
    if source is None:
        raise ParameterError(f"{UNDETERMINED}. Give -ProfileName, -AccessKey, -RoleArn or -Credential.")
    if name is not None:
        _store(order, source, name)
    elif order.may_change(str(source)):
        order.engine.shell.credential = source.for_shell()
        order.warn_of_others("ProfileName", "Credential", "AccessKey")
        order.warn_of_brevity("-StoreAs NAME keeps it.")
    return NOTHING


def new_credential(order: Order) -> Any:
    """New-AWSCredential: an object for -Credential."""
    source = source_of(order, asking=True)
    if source is None:
        raise ParameterError(f"{UNDETERMINED}. Give -ProfileName, -AccessKey, -RoleArn or -Credential.")
    return source.as_object()


def get_credential(order: Order) -> Any:
    """Get-AWSCredential: the session's, a profile's, or the list of profiles."""
    name, location = order.get("profile_name"), order.get("profile_location")
    if order.get("list_profile_detail"):
        if name is not None:
            raise ParameterError(
                "Parameter set cannot be resolved using the specified named parameters: -ListProfileDetail lists "
                "every profile. Leave -ProfileName out.",
                parameter="ProfileName",
            )
        return _listed(location)
    if name is not None:
        return Source(profile_name=name, location=location).as_object()
    held = order.engine.shell.credential
    if held is None:
        order.notices.verbose("The session has no credentials of its own; boto3's own chain decides.")
        return NOTHING
    return held.credential if held.credential is not None else held.origin.as_object()


def clear_credential(order: Order) -> Any:
    """Clear-AWSCredential: the session forgets."""
    if order.may_change("the session's credentials"):
        order.engine.shell.credential = None
    return NOTHING


def remove_profile(order: Order) -> Any:
    """Remove-AWSCredentialProfile: out of both files."""
    name, files = order.arguments["profile_name"], _files(order)
    places = [path for known, _, path in stored_profiles(files) if known == name]
    if not places:
        raise ProfileError(_missing(name, files, order.get("profile_location")))
    if order.may_change(name, [f"Profile {name} goes from {path}" for path in places], asks=True):
        for path in forget(files, (name,)):
            order.notices.verbose(f"Profile {name} was removed from {path}.")
        _forget_in_shell(order, (name,))
    return NOTHING


def initialize_defaults(order: Order) -> Any:
    """Initialize-AWSDefaultConfiguration: the profile `default`, and the session's defaults."""
    files = _files(order)
    source = source_of(order, stores=True) or _source_at_hand(order, files) or source_of(order, asking=True)
    if source is None:
        raise ParameterError(f"{UNDETERMINED}. Give -ProfileName, -AccessKey, -RoleArn or -Credential.")
    region = _region(order, source)
    if not order.may_change(_DEFAULT, _told(source, files, region)):
        return NOTHING
    _warn_of_end(order, source)
    changed = store(files, _DEFAULT, source.settings(), region=region)
    for path in changed:
        order.notices.verbose(f"Profile {_DEFAULT} was written to {path}.")
    default = Source(profile_name=_DEFAULT, location=files.location)
    order.engine.shell.credential = ShellCredential(_DEFAULT, files.location, origin=default)
    order.engine.shell.region = region
    order.warn_of_others("ProfileName", "Credential", "AccessKey")
    order.warn_of_others("Region")
    return NOTHING


def clear_defaults(order: Order) -> Any:
    """Clear-AWSDefaultConfiguration: the profile `default`, and the session's defaults."""
    files, names = _files(order), (_DEFAULT, _LEGACY_DEFAULT)
    stored = not order.get("skip_profile_store")
    places = [f"Profile {n} goes from {path}" for n, _, path in stored_profiles(files) if n in names and stored]
    if not order.may_change(_DEFAULT, places, asks=bool(places)):
        return NOTHING
    if places:
        for path in forget(files, names):
            order.notices.verbose(f"Profile {_DEFAULT} was removed from {path}.")
    if not order.get("skip_shell"):
        order.engine.shell.credential = None
        order.engine.shell.region = None
    return NOTHING


def _files(order: Order) -> AwsFiles:
    location = order.get("profile_location")
    if location is None:
        return aws_files()
    path = pathlib.Path(location).expanduser()
    if path.is_dir() or path.suffix in (".yaml", ".yml"):
        raise ParameterError(
            "ProfileLocation must be a file of AWS profiles here; keys do not stand in YAML profiles.",
            parameter="ProfileLocation",
        )
    return aws_files(location=str(path))


def _store(order: Order, source: Source, name: str) -> None:
    files = _files(order)
    if not order.may_change(name, _told(source, files, None)):
        return
    _warn_of_end(order, source)
    for path in store(files, name, source.settings()):
        order.notices.verbose(f"Profile {name} was written to {path}.")
    shadow = find_profile(name)
    if shadow is not None:
        order.notices.warn(f"-ProfileName {name} still means the YAML profile {shadow}, which comes first.")


def _told(source: Source, files: AwsFiles, region: str | None) -> list[str]:
    where = files.location or f"{files.credentials} and {files.config}"
    return [f"{source} is written to {where}", *([f"with region {region}"] if region else [])]


def _warn_of_end(order: Order, source: Source) -> None:
    if is_temporary(source):
        order.notices.warn(
            "These keys are temporary: what is stored ends with them. Store a role or a profile instead."
        )


def _source_at_hand(order: Order, files: AwsFiles) -> Source | None:
    """The session's credentials, else the profile `default` as it stands."""
    held = order.engine.shell.credential
    if held is not None:
        found: Source = held.origin
        return found
    return Source(profile_name=_DEFAULT, location=files.location) if stored_settings(files, _DEFAULT) else None


def _region(order: Order, source: Source) -> str:
    given = order.get("region") or order.engine.shell.region
    if given is None:
        aws_profile = None
        if source.profile_name is not None:
            profile, aws_profile = profile_of(
                {"profile_name": source.profile_name, "profile_location": source.location}
            )
            given = profile.region
        given = given or ambient_region(aws_profile, credentials_file=aws_location(source.location))
    if given is None:
        given = order.door.ask("AWS region, such as eu-west-1: ")
    if not given:
        raise ParameterError("Region is missing: give -Region.", parameter="Region")
    return check_region(given.strip())


def _listed(location: str | None) -> Records:
    """Every profile, those of YAML first: they win over AWS profiles of the same name."""
    yaml = [(name, "YamlProfile", find_profile(name, location=location)) for name in known_profiles(location=location)]
    rows: list[tuple[str, str, object]] = [*yaml, *stored_profiles(aws_files(location=aws_location(location)))]
    return Records(
        _LISTED,
        [
            Record(_LISTED, {"ProfileName": name, "StoreTypeName": kind, "ProfileLocation": str(path)})
            for name, kind, path in rows
        ],
    )


def _missing(name: str, files: AwsFiles, location: str | None) -> str:
    known = [known for known, _, _ in stored_profiles(files)]
    shown = ascii_only(shorten(name, 80))
    if find_profile(name, location=location if aws_location(location) is None else None) is not None:
        return f"'{shown}' is a YAML profile: remove its file. No profile of that name stands in {files.credentials}."
    where = files.location or f"{files.credentials} or {files.config}"
    return f"There is no profile '{shown}' in {where}.{did_you_mean(name, known)}"


def _forget_in_shell(order: Order, names: tuple[str, ...]) -> None:
    held = order.engine.shell.credential
    if held is not None and held.profile_name in names:
        order.engine.shell.credential = None
        order.notices.warn(f"The session went through profile {held.profile_name}; it has no credentials now.")
    elif held is not None and isinstance(held.credential, RefreshingCredential):
        order.notices.verbose("The session keeps its credentials.")

"""A profile tried as far as it can be without calling anybody: its defaults are read as an invocation reads them."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Collection, Mapping
from typing import Any

from lmfunction._arguments import convert
from lmfunction._defaults import profile_defaults
from lmfunction._prepare import build_request
from lmfunction._profile import place_in, read_source
from lmfunction._profile_places import Source
from lmfunction._profile_values import Profile
from lmfunction._request import Target
from lmfunction._table import INVOKE
from lmfunction.errors import ParameterError, ProfileError

_NO_REGION = "us-east-1"  # stands for the one that a line would give


def checked(
    source: Source,
    aws_profiles: Collection[str],
    *,
    location: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> tuple[Profile, list[str]]:
    """The profile, and what is odd about it though no fault. Raises ProfileError with every fault and its place."""
    profile = read_source(source, location=location, environ=environ)
    _check_defaults(source, profile)
    odd = []
    if profile.aws_profile is not None and profile.aws_profile not in aws_profiles:
        odd.append(f"aws_profile {profile.aws_profile} is not in ~/.aws on this machine.")
    if profile.endpoint == "aws" and profile.region is None and profile.aws_profile is None:
        odd.append("It names no region: a line must, or boto3's own chain.")
    if profile.audit is not None and profile.audit.required and not _can_be_written(profile.audit.file):
        odd.append(f"The audit is required, and {profile.audit.file} cannot be written by this user.")
    return profile, odd


def _check_defaults(source: Source, profile: Profile) -> None:
    found = profile_defaults(INVOKE, profile)
    faults: list[tuple[str, str]] = []
    arguments: dict[str, Any] = {}
    for name, value in found.items():
        try:
            arguments |= convert(INVOKE, {name: value})
        except ParameterError as error:
            faults.append((name, str(error.args[0])))
    if not faults:
        try:
            build_request(
                {"function_name": "f", **arguments}, Target(region=profile.region or _NO_REGION), warn=lambda _: None
            )
        except ParameterError as error:
            faults.append((error.parameter or "", str(error.args[0])))
    if faults:
        places = {INVOKE.find(key).name: place_in(source, f"defaults.{key}") for key in _known(profile)}
        lines = []
        for name, told in faults:
            line, column = places.get(name) or (None, None)
            where = "" if line is None else f"{source.path}:{line}:{column}: "
            lines.append((line, column, f"defaults: {told}", where))
        line, column, told, _ = lines[0]
        others = [f"{where}{text}" for *_, text, where in lines[1:]]
        raise ProfileError("\n".join([told, *others]), file=str(source.path), line=line, column=column)


def _known(profile: Profile) -> list[str]:
    return [key for key in profile.defaults if _is_of_invoke(key)]


def _is_of_invoke(key: str) -> bool:
    try:
        INVOKE.find(key)
    except ParameterError:
        return False
    return True


def _can_be_written(file: str) -> bool:
    """Whether the user may write the file, or make it in the first folder above it that exists."""
    path = pathlib.Path(file.replace("{date}", "date"))
    nearest = next(one for one in (path, *path.parents) if one.exists() or one == one.parent)
    return os.access(nearest, os.W_OK) and (nearest.is_dir() != (nearest == path))

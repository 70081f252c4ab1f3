"""Where credentials come from, by PowerShell's parameter sets: keys, a role, a stored profile, an object."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lmfunction._auth import Credential, RefreshingCredential, as_credential
from lmfunction._aws_files import aws_files, aws_location, stored_profiles, stored_settings
from lmfunction._aws_session import Role, credential_of_profile, credential_of_role
from lmfunction._connection import profile_of
from lmfunction._order import Order
from lmfunction._shell import ShellCredential
from lmfunction._text import ascii_only, did_you_mean, shorten
from lmfunction.errors import ParameterError, ProfileError

# PowerShell's names of the sets; the first parameter of each is the one that it cannot do without.
_SETS: Final = {
    "BasicOrSession": ("access_key", "secret_key", "session_token"),
    "AssumeRole": ("role_arn", "source_profile", "external_id", "mfa_serial"),
    "StoredProfile": ("profile_name",),
    "AWSCredentialsObject": ("credential",),
}
_ROLE_ARN: Final = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}")
_QUESTION: Final = "AWS access key id: "
UNDETERMINED: Final = "Cannot determine credentials from supplied parameters"


@dataclass(frozen=True)
class Source:
    """One place that credentials come from. `location` is a file of AWS profiles, or a folder of YAML profiles."""

    credential: Credential | None = None
    profile_name: str | None = None
    role: Role | None = None
    location: str | None = None

    def for_shell(self) -> ShellCredential:
        """What a session remembers of it."""
        if self.profile_name is not None:
            return ShellCredential(self.profile_name, self.location, origin=self)
        return ShellCredential(credential=self.as_object(), origin=self)

    def as_object(self) -> Credential:
        """The credentials; those of a profile or a role are looked for when they are first used."""
        if self.role is not None:
            return credential_of_role(self.role, aws_location(self.location))
        if self.profile_name is None:
            assert self.credential is not None
            return self.credential
        profile, aws_profile = self._profile()
        if profile.endpoint == "embedded":
            raise ProfileError(f"Profile '{self.profile_name}' has no credentials: the embedded Lambda makes its own.")
        return credential_of_profile(aws_profile, aws_location(self.location))

    def settings(self) -> dict[str, str]:
        """What is written into a profile to store it. Raises ProfileError."""
        if self.role is not None:
            return self.role.settings()
        if self.profile_name is not None:
            return self._copied(self.profile_name)
        assert self.credential is not None
        return settings_of(self.credential)

    def _copied(self, name: str) -> dict[str, str]:
        aws_profile = self._profile()[1]
        for location in dict.fromkeys((aws_location(self.location), None)):
            found = stored_settings(aws_files(location=location), aws_profile) if aws_profile else None
            if found:
                return found
        raise ProfileError(f"Profile '{name}' names no credentials that could be stored.")

    def _profile(self) -> Any:
        return profile_of({"profile_name": self.profile_name, "profile_location": self.location})

    def __str__(self) -> str:
        if self.role is not None:
            return f"role {self.role.arn} through profile {self.role.source_profile}"
        return f"profile {self.profile_name}" if self.profile_name is not None else repr(self.credential)


def settings_of(credential: Credential) -> dict[str, str]:
    """Keys as ~/.aws/credentials tells them; of credentials that renew themselves those of this moment."""
    keys = credential.frozen() if isinstance(credential, RefreshingCredential) else credential
    found = {"aws_access_key_id": keys.access_key, "aws_secret_access_key": keys.secret_key}
    return found if keys.session_token is None else {**found, "aws_session_token": keys.session_token}


def is_temporary(source: Source) -> bool:
    """Whether what would be stored of it ends by itself."""
    return source.credential is not None and "aws_session_token" in settings_of(source.credential)


def source_of(order: Order, *, asking: bool = False, stores: bool = False) -> Source | None:
    """What the order's parameters name; None where they name nothing. Asks for keys that are missing.

    `asking`: for all of them. `stores`: -ProfileLocation is where they go to, and need not be there yet. Raises
    ParameterError for parameters of several sets, and for a set that is not whole.
    """
    given = [name for name in _SETS if any(order.get(p) is not None for p in _SETS[name])]
    if len(given) > 1:
        raise _ambiguous(order.arguments, given)
    location = _location(order)
    if stores and location is not None and not pathlib.Path(location).exists():
        location = None
    if not given:
        return _asked(order, location) if asking else None
    if given == ["BasicOrSession"]:
        return Source(credential=_keys(order), location=location)
    if given == ["AssumeRole"]:
        return Source(role=_role(order, location), location=location)
    if given == ["StoredProfile"]:
        found = Source(profile_name=order.arguments["profile_name"], location=location)
        found._profile()
        return found
    return Source(credential=as_credential(order.arguments["credential"]), location=location)


def _ambiguous(arguments: Mapping[str, Any], given: list[str]) -> ParameterError:
    named = [next(p for p in _SETS[name] if arguments.get(p) is not None) for name in given]
    told = ", ".join(f"-{_spelled(p)} is of {name}" for p, name in zip(named, given, strict=True))
    return ParameterError(
        f"Parameter set cannot be resolved using the specified named parameters: {told}. Give one of them.",
        parameter=_spelled(named[-1]),
    )


def _spelled(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _location(order: Order) -> str | None:
    location = order.get("profile_location")
    if location == "":
        raise ParameterError("ProfileLocation is empty.", parameter="ProfileLocation")
    return None if location is None else str(pathlib.Path(location).expanduser())


def _asked(order: Order, location: str | None) -> Source | None:
    """Keys that somebody types, or None where nobody is there."""
    typed = order.door.ask(_QUESTION)
    return None if typed is None else Source(credential=_keys(order, _answer(typed, "AccessKey")), location=location)


def _keys(order: Order, access_key: str | None = None) -> Credential:
    """The keys given; what is missing of the two is asked for, the secret unseen."""
    access_key = access_key or order.get("access_key") or _answer(order.door.ask(_QUESTION), "AccessKey")
    secret_key = order.get("secret_key") or _answer(
        order.door.ask_secret(f"Secret of the key …{access_key[-4:]} (not shown): "), "SecretKey"
    )
    return Credential(access_key, secret_key, order.get("session_token"))


def _answer(typed: str | None, parameter: str) -> str:
    if typed is None:
        raise ParameterError(
            f"{parameter} is missing, and nobody is there to type it: give it as a $variable.", parameter=parameter
        )
    if not typed.strip() or not typed.strip().isprintable():
        raise ParameterError(f"{parameter} was not typed, so nothing was changed.", parameter=parameter)
    return typed.strip()


def _role(order: Order, location: str | None) -> Role:
    arn, source = order.get("role_arn"), order.get("source_profile")
    for name, value in (("RoleArn", arn), ("SourceProfile", source)):
        if not value:
            raise ParameterError(f"{name} is missing: a role needs -RoleArn and -SourceProfile.", parameter=name)
    if not _ROLE_ARN.fullmatch(arn):
        raise ParameterError(
            f"RoleArn '{ascii_only(shorten(arn, 80))}' is no role's ARN: arn:aws:iam::123456789012:role/NAME.",
            parameter="RoleArn",
        )
    known = [name for name, _, _ in stored_profiles(aws_files(os.environ, aws_location(location)))]
    if source not in known:
        raise ParameterError(
            f"SourceProfile '{ascii_only(shorten(source, 80))}' is no profile of ~/.aws.{did_you_mean(source, known)}",
            parameter="SourceProfile",
        )
    return Role(arn, source, order.get("external_id"), order.get("mfa_serial"))

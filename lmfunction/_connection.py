"""From what was typed to where the call goes: profile, region, endpoint, credentials and defaults resolved.

Credentials: keys or Credential given, then -ProfileName (missing: an error, never the next in line), then the shell's
default (Set-AWSCredential), then boto3's own chain. Region: -Region, then the shell's default (Set-DefaultAWSRegion),
then the profile, then boto3's chain, then the function's ARN. The shell's defaults come in with the arguments
(`_gathered`).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lmfunction._auth import Credential, as_credential, from_keys
from lmfunction._aws_files import aws_location, aws_places, versions
from lmfunction._boto import Connection, environment_of
from lmfunction._endpoint import fault_of
from lmfunction._names import check_region
from lmfunction._profile import example_hint, known_profiles, profile_named
from lmfunction._profile_values import Profile
from lmfunction._text import ascii_only, did_you_mean, one_line, shorten
from lmfunction.errors import ParameterError, ProfileError

EMBEDDED_ACCOUNT: Final = "000000000000"
_NO_PROFILE: Final = Profile("")
# Options of botocore's Config that would undo a promise, and what to use instead.
_OWN_OPTIONS: Final = {
    "retries": "one command is one request; lmfunction resends only what provably did not run",
    "parameter_validation": "requests are checked before boto3 sees them",
    "tcp_keepalive": "keep-alive is always on",
    "read_timeout": "use -TimeoutSec",
    "region_name": "use -Region",
    "signature_version": "Lambda takes Signature Version 4 only",
}


@dataclass(frozen=True)
class Place:
    """Where a call goes: the connection, and the profile it came from. `embedded` when it is the embedded Lambda."""

    connection: Connection
    profile: Profile
    profile_name: str | None = None
    embedded: bool = False


def profile_of(arguments: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> tuple[Profile, str | None]:
    """The YAML profile that `arguments` name, and the AWS profile's name, if the one or the other is named.

    Raises ProfileError for a name that is neither.
    """
    name = arguments.get("profile_name")
    location = arguments.get("profile_location")
    if name is None:
        return _NO_PROFILE, None
    if not name:
        raise ParameterError("ProfileName is empty.", parameter="ProfileName")
    credentials_file = aws_location(location)
    if credentials_file is not None and name in _aws_profiles(credentials_file):
        return _NO_PROFILE, name
    profile = profile_named(name, location=location, environ=environ)
    if profile is not None:
        return profile, profile.aws_profile
    known = _aws_profiles(credentials_file)
    if name not in known:
        every = [*dict.fromkeys([*known_profiles(location=location, environ=environ), *known])]
        shown = ascii_only(shorten(name, 80))
        hint = example_hint(name) or did_you_mean(name, every)
        raise ProfileError(
            f"There is no profile '{shown}', neither {shown}.yaml nor in ~/.aws.{hint}"
            f" Known: {', '.join(every[:12]) or 'none'}{' …' if len(every) > 12 else ''}."
        )
    return _NO_PROFILE, name


def resolve_place(
    arguments: Mapping[str, Any],
    profile: Profile,
    aws_profile: str | None,
    *,
    arn_region: str | None = None,
) -> Place:
    """Where a call with `arguments` goes. Nothing is started or contacted. Raises ParameterError, ProfileError."""
    credential = _credential(arguments)
    endpoint = _endpoint(arguments, profile)
    embedded = endpoint == "embedded"
    if embedded and credential is not None:
        raise ParameterError("The embedded Lambda makes its own keys: give none.", parameter="Credential")
    credentials_file = aws_location(arguments.get("profile_location"))
    region = arguments.get("region") or profile.region or ("us-east-1" if embedded else None)
    region = region or ambient_region(aws_profile, credentials_file=credentials_file) or arn_region
    if region is None:
        raise ProfileError(
            "No region: give -Region or Set-DefaultAWSRegion, or `region:` in a profile, or set AWS_DEFAULT_REGION."
        )
    connection = Connection(
        region=check_region(region),
        endpoint_url=None if endpoint in ("aws", "embedded") else endpoint,
        aws_profile=None if credential else aws_profile,
        credential=credential,
        options=_options(arguments.get("client_config")),
        read_timeout=arguments.get("timeout_sec", 930.0),
        credentials_file=credentials_file,
        environment=None if embedded else environment_of(credentials_file=credentials_file),
    )
    return Place(connection, profile, arguments.get("profile_name"), embedded)


def _credential(arguments: Mapping[str, Any]) -> Credential | None:
    keys = from_keys(*(arguments.get(name) for name in ("access_key", "secret_key", "session_token")))
    handed = arguments.get("credential")
    if keys is not None and handed is not None:
        raise ParameterError("Credential and AccessKey exclude each other: give one of them.", parameter="Credential")
    return as_credential(handed) if handed is not None else keys


def _endpoint(arguments: Mapping[str, Any], profile: Profile) -> str:
    given = arguments.get("endpoint_url")
    if given is None:
        return profile.endpoint
    if given not in ("aws", "embedded") and (fault := fault_of(given)):
        raise ParameterError(f"EndpointUrl {fault}.", parameter="EndpointUrl")
    return str(given)


def _options(config: Mapping[str, Any] | None) -> tuple[tuple[str, Any], ...]:
    """Checked options for botocore's Config, in a hashable form."""
    if not config:
        return ()
    from botocore.config import Config

    known = Config.OPTION_DEFAULTS
    for name, value in config.items():
        if name in _OWN_OPTIONS:
            raise ParameterError(f"ClientConfig: {name} cannot be set: {_OWN_OPTIONS[name]}.", parameter="ClientConfig")
        if name not in known:
            shown = ascii_only(shorten(name, 40))
            raise ParameterError(
                f"ClientConfig: botocore's Config has no option {shown}.{did_you_mean(name, known)}",
                parameter="ClientConfig",
            )
        if isinstance(value, str) and not (value.isascii() and value.isprintable()):
            raise ParameterError(f"ClientConfig: {name} must be printable ASCII text.", parameter="ClientConfig")
    return tuple(sorted((name, _frozen(value)) for name, value in config.items()))


def _frozen(value: Any) -> Any:
    return _FrozenDict(value) if isinstance(value, Mapping) else value


class _FrozenDict(dict[str, Any]):
    """A dict (botocore wants one) that can be part of a client's key."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted((k, repr(v)) for k, v in self.items())))


def _aws_profiles(credentials_file: str | None = None) -> list[str]:
    from botocore.exceptions import BotoCoreError

    try:
        return list(_config_session(None, credentials_file).available_profiles)
    except BotoCoreError as error:
        raise ProfileError(f"{one_line(str(error), 200).rstrip('.')}.") from None


def aws_profile_regions() -> dict[str, str | None]:
    """The profiles of ~/.aws with the region that each names. Raises ProfileError for files that cannot be read."""
    from botocore.exceptions import BotoCoreError

    try:
        found = _config_session(None, None).full_config.get("profiles", {})
    except BotoCoreError as error:
        raise ProfileError(f"{one_line(str(error), 200).rstrip('.')}.") from None
    return {name: settings.get("region") for name, settings in found.items()}


def _config_session(aws_profile: str | None, credentials_file: str | None) -> Any:
    """A botocore session to read settings with."""
    import botocore.session

    session = botocore.session.Session(profile=aws_profile)
    if credentials_file is not None:
        session.set_config_variable("credentials_file", credentials_file)
    return session


def ambient_region(
    aws_profile: str | None, environ: Mapping[str, str] = os.environ, *, credentials_file: str | None = None
) -> str | None:
    """The region that boto3's own chain finds: the environment's, then the AWS profile's. No machine is asked."""
    variables = tuple(environ.get(name) for name in _REGION_VARIABLES)
    return _chain_region(aws_profile, credentials_file, (*variables, *versions(aws_places(environ), credentials_file)))


def ambient_output(aws_profile: str | None) -> str | None:
    """The AWS CLI's `output` setting in ~/.aws/config, for `aws_profile` or the one the environment names."""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    try:
        found = botocore.session.Session(profile=aws_profile).get_scoped_config().get("output")
    except BotoCoreError as error:
        raise ProfileError(f"{one_line(str(error), 200).rstrip('.')}.") from error
    return str(found) if found else None


_REGION_VARIABLES: Final = ("AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "HOME")


@functools.lru_cache(maxsize=32)
def _chain_region(aws_profile: str | None, credentials_file: str | None, state: tuple[object, ...]) -> str | None:
    from botocore.exceptions import BotoCoreError

    try:
        found = _config_session(aws_profile, credentials_file).get_config_variable("region")
    except BotoCoreError as error:
        raise ProfileError(f"{one_line(str(error), 200).rstrip('.')}.") from error
    return str(found) if found else None

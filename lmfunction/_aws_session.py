"""boto3 sessions: whose credentials they hold, which files they read, and how patiently they look for a machine's role.

All kinds of credentials that profiles can name (keys, roles, SSO, programs, web identity) are left to boto3.
"""

from __future__ import annotations

import functools
import os
import pathlib
import shlex
from dataclasses import dataclass
from typing import Any, Final

from lmfunction._auth import Credential, RefreshingCredential
from lmfunction._unseen import ask_unseen

# The metadata service of a machine in EC2 answers in a few ms. Elsewhere its address leads nowhere, and botocore would
# wait 1 s for it twice each time it finds no other credentials.
METADATA_TIMEOUT: Final = 0.25
_BOTOCORE_TIMEOUT: Final = 1
_IN_MEMORY: Final = "\0role"
_STS: Final = "us-east-1"  # the region of STS, where nobody says one: its answer is good everywhere in the partition


@dataclass(frozen=True)
class Role:
    """A role to assume with the credentials of an AWS profile."""

    arn: str
    source_profile: str
    external_id: str | None = None
    mfa_serial: str | None = None

    def settings(self) -> dict[str, str]:
        """The role as ~/.aws/config tells it."""
        pairs = {
            "role_arn": self.arn,
            "source_profile": self.source_profile,
            "external_id": self.external_id,
            "mfa_serial": self.mfa_serial,
        }
        return {name: value for name, value in pairs.items() if value is not None}


@dataclass(frozen=True)
class Region:
    """A region as botocore's endpoint data tells it."""

    name: str
    title: str
    partition: str


@functools.cache
def known_regions() -> tuple[Region, ...]:
    """Every region of every partition, without the pseudo regions of global services."""
    import botocore.session

    data = botocore.session.get_session().get_component("data_loader").load_data("partitions")
    return tuple(
        Region(name, region["description"], partition["id"])
        for partition in data["partitions"]
        for name, region in partition["regions"].items()
        if not name.endswith("-global")
    )


def open_session(
    *,
    aws_profile: str | None = None,
    credential: Credential | None = None,
    credentials_file: str | None = None,
    region: str | None = None,
    isolated: bool = False,
) -> Any:
    """A boto3 session. `credential` beats `aws_profile`; without both boto3's own chain decides.

    `credentials_file` takes the place of ~/.aws/credentials. `region` is that of the STS which assumes a role. An
    `isolated` one reads no file and no variable. Nothing is contacted. Raises botocore's errors.
    """
    import boto3

    session = _isolated_session() if isolated else _session(aws_profile, credentials_file, region=region)
    _share_models(session)
    if isinstance(credential, RefreshingCredential):
        session.register_component("credential_provider", _Given(credential, region))
        return boto3.Session(botocore_session=session)
    return boto3.Session(
        aws_access_key_id=credential.access_key if credential else None,
        aws_secret_access_key=credential.secret_key if credential else None,
        aws_session_token=credential.session_token if credential else None,
        profile_name=aws_profile,
        botocore_session=session,
    )


def credential_of_profile(aws_profile: str | None, credentials_file: str | None = None) -> RefreshingCredential:
    """The credentials of an AWS profile, or of boto3's own chain; looked for when they are first used."""

    def load(region: str | None) -> Any:
        return _found(_session(aws_profile, credentials_file, region=region))

    label = f"profile {aws_profile}" if aws_profile else "boto3's own chain"
    return RefreshingCredential(load, label, profile=aws_profile)


def credential_of_role(role: Role, credentials_file: str | None = None) -> RefreshingCredential:
    """The credentials of an assumed role, which boto3 assumes when they are first used and again before they end."""

    def load(region: str | None) -> Any:
        return _found(_session(_IN_MEMORY, credentials_file, role, region=region))

    return RefreshingCredential(load, f"role {role.arn}", profile=role.source_profile)


def sign_in_of(aws_profile: str | None, credentials_file: str | None = None) -> str | None:
    """The command that signs a person in for an AWS profile (None: the environment's); None where none is needed.

    A role is assumed with its source profile, so that it is that one which signs in.
    """
    session = _session(aws_profile, credentials_file)
    profiles = session.full_config.get("profiles", {})
    name, seen = session.profile or "default", set[str]()
    while isinstance(name, str) and name not in seen:
        seen.add(name)
        settings = profiles.get(name, {})
        for marks, command in _SIGN_IN:
            if any(mark in settings for mark in marks):
                return f"{command} --profile {shlex.quote(name)}"
        name = settings.get("source_profile")
    return None


_SIGN_IN: Final = ((("sso_session", "sso_start_url"), "aws sso login"), (("login_session",), "aws login"))


def _found(session: Any) -> Any:
    from botocore.exceptions import NoCredentialsError

    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    return credentials


class _Given:
    """Stands where botocore asks its chain of providers."""

    def __init__(self, credential: RefreshingCredential, region: str | None) -> None:
        self._credential = credential
        self._region = region

    def load_credentials(self) -> Any:
        return self._credential.load(self._region)


def _session(
    aws_profile: str | None, credentials_file: str | None, role: Role | None = None, *, region: str | None = None
) -> Any:
    import botocore.session

    session = botocore.session.get_session()
    if credentials_file is not None:
        session.set_config_variable("credentials_file", credentials_file)
    if role is not None:
        # A profile that is in memory only, so that the source profile may be of any kind that boto3 knows.
        session.full_config["profiles"][_IN_MEMORY] = role.settings()
    if aws_profile is not None:
        session.set_config_variable("profile", aws_profile)
    if not in_ec2():
        _hurry(session)
    session.lazy_register_component("credential_provider", lambda: _providers(session, region))
    return session


def _providers(session: Any, region: str | None) -> Any:
    """The providers that botocore would ask, and an MFA code is asked for in the way of the moment.

    botocore keeps the `getpass` of its import: a kernel's own, put there later, would never be asked, and where nobody
    is there a line of the standard input would be taken for the code.
    """
    from botocore.credentials import create_credential_resolver

    chain = create_credential_resolver(session, region_name=region or session.get_config_variable("region") or _STS)
    provider = chain.get_provider("assume-role")
    if hasattr(provider, "_prompter"):
        provider._prompter = _code
    return chain


def _code(question: str) -> str:
    typed = ask_unseen(question)
    if not typed:
        raise EOFError
    return typed


def _hurry(session: Any) -> None:
    """Makes the session wait less for the metadata service, unless the user says how long or where it is."""
    patience = session.get_config_variable("metadata_service_timeout")
    if patience == _BOTOCORE_TIMEOUT and not session.get_config_variable("ec2_metadata_service_endpoint"):
        session.get_component("config_store").set_config_variable("metadata_service_timeout", METADATA_TIMEOUT)


def _isolated_session() -> Any:
    """A botocore session that reads no file and no variable: the embedded Lambda works with any setup, or a broken one.

    boto3 makes a client of the session's settings also where the client is given its own, and refuses bad ones.
    """
    import botocore.session
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES as VARIABLES

    session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})  # AWS_PROFILE is not asked
    for name, (_, _, default, _) in VARIABLES.items():
        session.set_config_variable(name, default)
    for name in ("config_file", "credentials_file"):
        session.set_config_variable(name, os.devnull)
    return session


def _share_models(session: Any) -> None:
    """Lets the session read no model of AWS's APIs anew that another one has read: half the time to make a client."""
    session.lazy_register_component("data_loader", lambda: _models(session.get_config_variable("data_path")))


@functools.cache
def _models(data_path: str | None) -> Any:
    from botocore.loaders import Loader, create_loader

    places = _Places(create_loader(data_path).search_paths)
    return Loader(extra_search_paths=places, include_default_search_paths=False)


class _Places(list[str]):
    """Search paths that stand once, though each boto3 session adds its own."""

    def append(self, path: str) -> None:
        if path not in self:
            super().append(path)


@functools.cache
def in_ec2(system: pathlib.Path = pathlib.Path("/sys")) -> bool:
    """Whether the machine says that it is one of EC2: its vendor under Nitro, its BIOS or hypervisor under Xen.

    Only Linux is asked, and it may not know (in some containers); then the answer is no, which makes boto3 less
    patient and shuts nothing out.
    """
    for name, is_amazons in (
        ("class/dmi/id/sys_vendor", lambda text: text == "amazon ec2"),
        ("class/dmi/id/bios_version", lambda text: "amazon" in text),
        ("hypervisor/uuid", lambda text: text.startswith("ec2")),
    ):
        try:
            if is_amazons((system / name).read_text("ascii", "replace").strip().lower()):
                return True
        except OSError:
            continue
    return False

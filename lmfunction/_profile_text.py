"""The text of a new profile, and the file that it is written to."""

from __future__ import annotations

import json
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lmfunction._endpoint import fault_of
from lmfunction._names import check_region
from lmfunction._profile_files import SUFFIXES, files_in
from lmfunction._profile_places import user_folder
from lmfunction._profile_rules import profile_name
from lmfunction._text import ascii_only, shorten
from lmfunction.errors import ParameterError

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_WORDS: Final = frozenset(["null", "true", "false", "yes", "no", "on", "off", "y", "n"])
_TEMPLATE: Final = """\
# Profile {name}. Check it after a change: Test-LMProfile {name}. Use it: invoke_lm FUNCTION -ProfileName {name}
{inherits}
{aws_profile:<40}# a profile of ~/.aws/config; keys, SSO and roles stay AWS's business
{region:<40}# the region of calls that name none
{endpoint:<40}# aws | embedded | https://HOST
{account:<40}# the credentials' account, checked before the first call; a mismatch refuses
#
# defaults: {{LogType: Tail, Qualifier: live, ErrorAction: Stop}}    # parameters that a line leaves open
# functions: {{orders: orders-api}}                                # short names
# guard:
#   confirm: always                     # what changes something asks for the function's name
#   allow: ["orders-*"]                 # only these functions
#   deny: ["*-delete"]                  # and never these
#   max_items: 10000                    # the most objects that one command may invoke with
# redact: {{keys: [email, phone], paths: ["Payload.customer.card"]}}    # not shown, not kept
# audit: {{file: "audit/{{date}}.jsonl", required: true}}            # a line for each invocation
"""


@dataclass(frozen=True)
class Settings:
    """What a new profile says; None where nothing was given."""

    name: str
    region: str | None = None
    aws_profile: str | None = None
    account: str | None = None
    endpoint: str | None = None
    inherits: Sequence[str] = ()


def check_settings(settings: Settings) -> None:
    """Raises ParameterError for what could not stand in a profile."""
    _checked_name(settings.name, "Name")
    for parent in settings.inherits:
        _checked_name(parent, "Inherits")
    if settings.region is not None:
        check_region(settings.region)
    if settings.account is not None and not re.fullmatch(r"[0-9]{12}", settings.account):
        raise ParameterError("Account must be 12 digits.", parameter="Account")
    fault = None if settings.endpoint in (None, "aws", "embedded") else fault_of(settings.endpoint)
    if fault:
        raise ParameterError(f"EndpointUrl {fault}.", parameter="EndpointUrl")
    if settings.aws_profile is not None and not (settings.aws_profile.strip() and settings.aws_profile.isprintable()):
        shown = ascii_only(shorten(settings.aws_profile, 40))
        raise ParameterError(f"AWSProfile '{shown}' cannot be a profile of ~/.aws.", parameter="AWSProfile")


def profile_text(settings: Settings) -> str:
    """The file's text: what was given, and everything else as comments."""
    inherits = f"inherits: [{', '.join(settings.inherits)}]" if settings.inherits else "# inherits: team"
    return _TEMPLATE.format(
        name=settings.name,
        inherits=f"{inherits:<40}# takes over the rules of that profile, and can only add to them",
        aws_profile=_line("aws_profile", settings.aws_profile, "ops-admin"),
        region=_line("region", settings.region, "eu-west-1"),
        endpoint=f"endpoint: {settings.endpoint or 'aws'}",
        account=_line("account", settings.account, "123456789012"),
    )


def target_file(
    name: str, path: pathlib.Path | None, *, replace: bool, environ: Mapping[str, str] = os.environ
) -> pathlib.Path:
    """The file that a new profile is written to. Raises ParameterError when another has the name, or the path another.

    `path` is a folder, or a file whose name is the profile's; unset it is the folder of the user's own profiles.
    """
    given = user_folder(environ) if path is None else path
    folder, file = (given.parent, given.name) if given.suffix in SUFFIXES else (given, f"{name}.yaml")
    if pathlib.PurePath(file).stem != name:
        raise ParameterError(f"Path names {ascii_only(file)}; profile {name} is {name}.yaml.", parameter="Path")
    for stem, other in files_in(folder):
        if stem.casefold() == name.casefold() and (other != file or not replace):
            how = "give -Force to replace it" if other == file else "two such files could not be told apart"
            raise ParameterError(f"{other} stands in {folder} already: {how}.", parameter="Name")
    return folder / file


def _checked_name(name: str, parameter: str) -> None:
    try:
        profile_name(name)
    except ValueError as error:
        raise ParameterError(f"{parameter}: {error}.", parameter=parameter) from None


def _line(key: str, value: str | None, example: str) -> str:
    if value is None:
        return f'# {key}: "{example}"' if example.isdigit() else f"# {key}: {example}"
    plain = _PLAIN.fullmatch(value) and not value.isdigit() and value.casefold() not in _WORDS
    return f"{key}: {value if plain else json.dumps(value, ensure_ascii=False)}"

"""The rows of the cmdlets for YAML profiles: list, test, write, approve, revoke."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from lmfunction._common_rows import COMMON, CONNECTION, FORCE
from lmfunction._params import Cmdlet, Example, Kind, Parameter

_SHARED: Final = {row.name: row for row in (*CONNECTION, *COMMON)}
_LOCATION: Final = _SHARED["ProfileLocation"]


def _common(*, asks: bool) -> tuple[Parameter, ...]:
    """The common parameters; -WhatIf and -Confirm only where something is written."""
    texts = {
        "WhatIf": "Show what would be written and write nothing.",
        "Confirm": "Ask before anything is written.",
        "ErrorAction": "Continue and SilentlyContinue: an error does not end the line.",
    }
    return tuple(
        dataclasses.replace(row, help=texts.get(row.name, row.help))
        for row in COMMON
        if asks or row.name not in ("WhatIf", "Confirm")
    )


def _names(text: str, *, excludes: tuple[str, ...] = ()) -> Parameter:
    aliases = ("ProfileName",)
    return Parameter("Name", Kind.LIST, text, aliases, position=1, by_value=True, excludes=excludes)


def _path(text: str) -> Parameter:
    return Parameter("Path", Kind.TEXT, text, excludes=("Name",))


def profile_cmdlet(name: str, python_names: tuple[str, ...]) -> Cmdlet:
    """The cmdlet `name` with its rows."""
    synopsis, rows, examples = _CMDLETS[name]
    return Cmdlet(name, python_names, synopsis, rows, examples=tuple(Example(*example) for example in examples))


_CMDLETS: Final[Mapping[str, tuple[str, tuple[Parameter, ...], tuple[tuple[str, str], ...]]]] = {
    "Get-LMProfile": (
        "Lists the profiles that -ProfileName can mean: YAML profiles in the order of search, then those of ~/.aws.",
        (
            _names("Only the profiles of these names; * and ? are wildcards."),
            _LOCATION,
            *_common(asks=False),
        ),
        (
            ("get_lm_profile", "Every profile, with its place, its account and what guards it."),
            ("get_lm_profile prod* | select Name, Guard, File", "What guards production."),
            ("get_lm_profile | where Status -ne ok", "Profiles that cannot be used as they are, and why."),
        ),
    ),
    "Test-LMProfile": (
        "Checks profiles and gives what they say with all that they inherit; an error tells each fault with its place.",
        (
            _names("The profiles to check.", excludes=("Path",)),
            _path("A profile's file, or a folder of them, wherever it stands."),
            _LOCATION,
            *_common(asks=False),
        ),
        (
            ("test_lm_profile production", "Check one of the profiles that are searched."),
            ("test_lm_profile -Path profiles", "Check every profile of a project, approved or not."),
        ),
    ),
    "New-LMProfile": (
        "Writes a commented profile that works as it is. Without -Path it is one of your own.",
        (
            dataclasses.replace(
                _names("The profile's name: letters, digits, - _ and dots."), kind=Kind.TEXT, mandatory=True
            ),
            Parameter("Region", Kind.TEXT, "The AWS region."),
            Parameter("AWSProfile", Kind.TEXT, "The profile of ~/.aws/config whose credentials are used."),
            Parameter("Account", Kind.TEXT, "The 12 digits of the account that the credentials must belong to."),
            Parameter("EndpointUrl", Kind.TEXT, "aws, embedded or https://HOST.", ("Endpoint",), default="aws"),
            Parameter("Inherits", Kind.LIST, "The profiles whose rules it takes over."),
            Parameter("Path", Kind.TEXT, "The folder that it is written to, or the file NAME.yaml."),
            dataclasses.replace(FORCE, help="Replace a file that exists."),
            *_common(asks=True),
        ),
        (
            (
                "new_lm_profile staging -Region eu-west-1 -AWSProfile ops-admin -Account 123456789012",
                "Write it to your own profiles, ready for invoke_lm -ProfileName staging.",
            ),
            ("new_lm_profile team -Region eu-west-1 -Path profiles", "Begin a profile that a project shares."),
        ),
    ),
    "Approve-LMProfile": (
        "Lets a project's profile be used from this folder. It is shown, and every later edit takes the approval away.",
        (
            _names("Profiles of this folder's profiles/. Unset: all that are not approved.", excludes=("Path",)),
            _path("The file of a project's profile, or its folder."),
            dataclasses.replace(FORCE, help="Do not ask; you have looked at it."),
            *_common(asks=True),
        ),
        (
            ("approve_lm_profile staging", "Look at profiles/staging.yaml, then type yes."),
            ("approve_lm_profile staging -WhatIf", "Look at it and approve nothing."),
        ),
    ),
    "Revoke-LMProfile": (
        "Takes the approval of a project's profile away.",
        (
            _names("Profiles of this folder's profiles/.", excludes=("Path",)),
            _path("The file of a project's profile, which need not exist any more."),
            dataclasses.replace(FORCE, help="Do not ask."),
            *_common(asks=True),
        ),
        (("revoke_lm_profile staging", "It is not used any more until it is approved again."),),
    ),
}

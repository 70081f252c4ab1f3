"""What a project's profile may say: it stands in a folder that came from somebody else, also once it is approved.

It can add rules and name places of AWS; it cannot loosen, send calls to another host or write outside its project. What
would only be of use is left out with a notice; what would be missed is a fault.
"""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from lmfunction._endpoint import is_loopback
from lmfunction._names import REGION_PATTERN
from lmfunction._profile_rules import folded
from lmfunction._profile_schema import Fault, Written
from lmfunction._text import ascii_only, shorten

# Lambda's own hosts. Others of amazonaws.com (API Gateway, EC2, S3) can be anybody's.
_LAMBDA_HOST: Final = re.compile(
    rf"(?:vpce-[0-9a-z-]+\.)?lambda(?:-fips)?\.{REGION_PATTERN}\.(?:vpce\.)?amazonaws\.com(?:\.cn)?"
    rf"|lambda(?:-fips)?\.{REGION_PATTERN}\.api\.(?:aws|amazonwebservices\.com\.cn)"
)
# The defaults that a project may set, by their spellings, with the values that it may not: they would hide or loosen.
_DEFAULTS: Final[Mapping[str, tuple[object, ...]]] = {
    **dict.fromkeys(("logtype", "qualifier", "tenantid", "invocationtype", "select", "passthru"), ()),
    **dict.fromkeys(("throttlelimit", "timeoutsec", "verbose", "vb", "debug", "db"), ()),
    **dict.fromkeys(("erroraction", "ea", "warningaction", "wa"), ("silentlycontinue",)),
    **dict.fromkeys(("confirm", "cf", "whatif", "wi"), (False,)),
    "delivery": ("atleastonce",),
}


def limited(written: Written, path: pathlib.Path) -> tuple[Written, list[str], list[Fault]]:
    """What is left of a project's profile, notices on what is not, and its faults."""
    faults = []
    if not _is_own_endpoint(written.endpoint):
        faults.append(
            written.fault(
                "endpoint",
                "endpoint: a project's profile can send calls to AWS, the embedded Lambda or this machine; another host"
                " must be named by a profile of your own.",
            )
        )
    if written.audit_file is not None and not _is_inside(written.audit_file, path):
        key = "audit.file" if "audit.file" in written.places else "audit"
        told = f"{key}: a project's profile can write below {path.parent.parent} only, by a relative path."
        faults.append(written.fault(key, told))
    notices = []
    kept: dict[str, Any] = {}
    for name, value in written.defaults.items():
        if _is_own_default(name, value):
            kept[name] = value
        else:
            shown = f"{ascii_only(shorten(name, 40))}: {_shown(value)}"
            notices.append(f"{path}: the default {shown} was left out; a project's profile cannot set it.")
    if written.allow_force:
        notices.append(f"{path}: guard.allow_force was left out; a project's profile can only add guards.")
        written = replace(written, allow_force=None)
    return replace(written, defaults=kept), notices, faults


def audit_file(text: str, path: pathlib.Path, state: pathlib.Path | None) -> str:
    """The absolute path of an audit's file: a relative one counts from the profile's folder, else from `state`."""
    folder = path.parent if state is None else state
    home = text.startswith(("~/", "~\\"))
    return os.path.abspath(pathlib.Path(text).expanduser() if home else folder / text)  # noqa: PTH100 - it need not be


def _is_own_endpoint(endpoint: str | None) -> bool:
    if endpoint in (None, "aws", "embedded") or is_loopback(endpoint):
        return True
    return _LAMBDA_HOST.fullmatch((urlsplit(endpoint).hostname or "").lower()) is not None


def _is_inside(text: str, path: pathlib.Path) -> bool:
    """Whether the file stands in the project whose `profiles/` holds the profile, links followed."""
    if pathlib.PurePath(text).is_absolute() or text.startswith("~"):
        return False
    target = pathlib.Path(audit_file(text, path, None)).resolve()
    return target.is_relative_to(path.parent.parent.resolve())


def _is_own_default(name: str, value: Any) -> bool:
    if folded(name) not in _DEFAULTS:
        return False
    plain = value.casefold() if isinstance(value, str) else value
    return plain not in _DEFAULTS[folded(name)] and not (plain == "false" and False in _DEFAULTS[folded(name)])


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else ascii_only(shorten(value, 40))

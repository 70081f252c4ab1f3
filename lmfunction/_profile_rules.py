"""What single rules of a profile may be: patterns for functions, what is hidden, an audit's file, a default's name.

Each function gives the checked text or raises ValueError, without a full stop, for what could never do what it says.
"""

from __future__ import annotations

import re
from typing import Final

from lmfunction._common_rows import COMMON, CONNECTION
from lmfunction._names import REGION_PATTERN
from lmfunction._params import Kind
from lmfunction._redact import parsed_path
from lmfunction._text import ascii_only, did_you_mean, shorten
from lmfunction._wire import RESULT_MEMBERS

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")
# Names that Windows keeps for devices, whatever follows a dot.
_DEVICES: Final = re.compile(r"(?:con|prn|aux|nul|conin|conout|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_PATTERN: Final = re.compile(r"[A-Za-z0-9_.*?-]+")
_ARN_SHAPE: Final = "arn:aws:lambda:REGION:ACCOUNT:function:NAME"
_MOST_PATTERN: Final = 256
_MOST_EXPRESSION: Final = 500
_MOST_PATH: Final = 1000
# Parameters that `defaults:` must not set, and what to do instead.
_NO_DEFAULTS: Final = {
    "Region": "write it as the profile's own `region:`",
    "EndpointUrl": "write it as the profile's own `endpoint:`",
    "ProfileName": "a profile cannot choose another; `inherits:` takes over what another says",
    "ProfileLocation": "a profile cannot choose another; `inherits:` takes over what another says",
    **{
        row.name: "credentials stay in ~/.aws/config: name that profile with `aws_profile:`"
        for row in CONNECTION
        if row.kind is Kind.SECRET or row.name.endswith("Credential")
    },
}


def folded(name: str) -> str:
    """A parameter's name as all its spellings are compared: `error_action` is ErrorAction."""
    return re.sub(r"[-_]", "", name).casefold()


_NO_DEFAULT_OF: Final = {s: _NO_DEFAULTS[r.name] for r in CONNECTION if r.name in _NO_DEFAULTS for s in r.spellings}
_OTHERS: Final = {s for row in (*CONNECTION, *COMMON) if row.name not in _NO_DEFAULTS for s in row.spellings}


def profile_name(text: str) -> str:
    """A name that a profile's file can have on every system."""
    shown = f"'{ascii_only(shorten(text, 60))}'"
    if _DEVICES.fullmatch(text):
        raise ValueError(f"{shown} cannot be a profile's name: Windows keeps it for a device")
    if not _NAME.fullmatch(text):
        raise ValueError(f"{shown} cannot be a profile's name: letters, digits, - _ and . make one, 64 at most")
    return text


def function_pattern(text: str) -> str:
    """A pattern for a function's bare name, or for its ARN without a qualifier, in Lambda's spelling."""
    shown = f"'{ascii_only(shorten(text, 80))}'"
    parts = text.split(":")
    if len(text) > _MOST_PATTERN:
        raise ValueError(f"{shown} is longer than {_MOST_PATTERN} characters")
    if len(parts) == 1 and parts[0].lower() != "arn":
        if not _PATTERN.fullmatch(text):
            raise ValueError(f"{shown} holds what no function's name does: letters, digits, - _ . and * ? are allowed")
        return text
    if parts[0] != "arn":
        raise ValueError(
            f"{shown} holds a colon: write the function's bare name, or a pattern for its ARN, {_ARN_SHAPE}"
        )
    if len(parts) == 8:
        raise ValueError(f"{shown} names a qualifier, and another qualifier would pass it by: leave it out")
    if len(parts) != 7 or parts[2] != "lambda" or parts[5] != "function":
        raise ValueError(f"{shown} must have all parts of a function's ARN, * for those that may be any: {_ARN_SHAPE}")
    wanted = {1: r"aws[a-z-]*", 3: REGION_PATTERN, 4: r"[0-9]{12}", 6: _PATTERN.pattern}
    for index, expression in wanted.items():
        part = parts[index]
        wild = "*" in part or "?" in part
        if not re.fullmatch(_PATTERN.pattern if wild else expression, part):
            raise ValueError(f"{shown}: '{ascii_only(shorten(part, 40))}' can be no part of a function's ARN there")
    return text


def hiding_pattern(text: str) -> str:
    """A regular expression for what is hidden."""
    if len(text) > _MOST_EXPRESSION:
        raise ValueError(f"a pattern is longer than {_MOST_EXPRESSION} characters")
    shown = f"'{ascii_only(shorten(text, 60))}'"
    try:
        matches_nothing = re.compile(text).search("") is not None
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{shown} is no regular expression: {error}") from None
    if matches_nothing:
        raise ValueError(f"{shown} matches empty text, so that it would be found between any two characters")
    return text


def hidden_path(text: str) -> str:
    """A place in a result, from one of its members on."""
    root = str(parsed_path(text)[0])
    if root != "*" and root.casefold() not in (name.casefold() for name in RESULT_MEMBERS):
        hint = did_you_mean(root, RESULT_MEMBERS) or f" Write Payload.{ascii_only(shorten(text, 60))}"
        raise ValueError(f"'{ascii_only(shorten(root, 40))}' is no member of a result.{hint.removesuffix('?')}")
    return text


def hidden_key(text: str) -> str:
    """A member's name."""
    if not re.search(r"[^\W_]", text):
        raise ValueError(f"'{ascii_only(shorten(text, 40))}' is no name of a member")
    return text


def audit_path(text: str) -> str:
    """A file's path in which `{date}` may stand."""
    rest = text.replace("{date}", "")
    if "{" in rest or "}" in rest:
        raise ValueError("{date} is the only placeholder")
    if text.endswith(("/", "\\")) or re.split(r"[/\\]", text)[-1] in (".", "..", "~"):
        raise ValueError("it names a folder: name a file, such as audit/{date}.jsonl")
    if len(text) > _MOST_PATH:
        raise ValueError(f"it is longer than {_MOST_PATH} characters")
    return text


def check_default(name: str) -> None:
    """Refuses a default that would set where calls go or with whose credentials.

    An abbreviation counts as everything that it may mean.
    """
    wanted = folded(name)
    reason = _NO_DEFAULT_OF.get(wanted)
    if reason is None and wanted and wanted not in _OTHERS:
        reason = next((why for spelling, why in _NO_DEFAULT_OF.items() if spelling.startswith(wanted)), None)
    if reason is not None:
        raise ValueError(f"{ascii_only(shorten(name, 40))} cannot be a default: {reason}")

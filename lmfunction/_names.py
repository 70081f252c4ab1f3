"""Names as Lambda spells them: functions, ARNs, qualifiers, tenants.

The patterns are those of the API model (`NamespacedFunctionName`, `NumericLatestPublishedOrAliasQualifier`,
`TenantId`, `DurableExecutionName`), matched over the whole text, plus the rules that the API page states in words.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from lmfunction._text import ascii_only, shorten
from lmfunction.errors import ParameterError

NAME_LIMIT: Final = 64  # a bare name; the API page of Invoke
ARN_LIMIT: Final = 256
QUALIFIER_LIMIT: Final = 128
TENANT_LIMIT: Final = 256
EXECUTION_NAME_LIMIT: Final = 64
ONCE_KEY_LIMIT: Final = 200

REGION_PATTERN: Final = r"(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d"
_FUNCTION: Final = re.compile(
    rf"(?P<arn>arn:(?P<partition>aws[a-zA-Z-]*):lambda:)?"
    rf"(?:(?P<region>{REGION_PATTERN}):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?P<function>function:)?"
    r"(?P<name>[a-zA-Z0-9-_.]+)"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
_QUALIFIER: Final = re.compile(r"\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_$]+")
_TENANT: Final = re.compile(r"[a-zA-Z0-9._:/=+\-@ ]+")
_EXECUTION_NAME: Final = re.compile(r"[a-zA-Z0-9-_]+")
_REGION: Final = re.compile(REGION_PATTERN)


@dataclass(frozen=True, slots=True)
class FunctionName:
    """A function name taken apart. Parts that were not written are None."""

    text: str
    name: str
    partition: str | None = None
    region: str | None = None
    account: str | None = None
    qualifier: str | None = None

    @property
    def is_arn(self) -> bool:
        """Whether the text is a whole ARN."""
        return self.partition is not None

    def arn(self, region: str, account: str) -> str:
        """The function's ARN without a qualifier; `region` and `account` for those that were not written."""
        region = self.region or region
        partition = self.partition or partition_of(region)
        return f"arn:{partition}:lambda:{region}:{self.account or account}:function:{self.name}"


def parse_function_name(text: object, *, parameter: str = "FunctionName") -> FunctionName:
    """The parts of a name, `name:alias`, partial ARN or ARN.

    Raises ParameterError for whatever AWS would refuse by its spelling: too long (64 for a bare name, 256 for an
    ARN), characters outside the pattern, an ARN of something else, and `$LATEST` or dots alone as a name.
    """
    if text is None:
        raise ParameterError(f"{parameter} is missing: name the function to run.", parameter=parameter)
    if not isinstance(text, str):
        raise ParameterError(f"{parameter} must be text, not {type(text).__name__}.", parameter=parameter)
    if not text.strip():
        raise ParameterError(f"{parameter} is empty: name the function to run.", parameter=parameter)
    return _parse(text, parameter)


@functools.lru_cache(maxsize=256)
def _parse(text: str, parameter: str) -> FunctionName:
    shown = ascii_only(shorten(text, 80))
    if len(text) > ARN_LIMIT:
        raise ParameterError(
            f"{parameter} is {len(text)} characters long; AWS takes {ARN_LIMIT} at most.", parameter=parameter
        )
    match = _FUNCTION.fullmatch(text)
    if match is None:
        raise ParameterError(f"{parameter} '{shown}' is not a function name: {_fault(text)}", parameter=parameter)
    parts = match.groupdict()
    _check_parts(parts, shown, parameter)
    return FunctionName(text, parts["name"], parts["partition"], parts["region"], parts["account"], parts["qualifier"])


def check_qualifier(text: object, function: FunctionName | None = None) -> str:
    """`text`, when it is a version number, alias or `$LATEST` and agrees with the qualifier in the function's name."""
    value = _matching(text, "Qualifier", _QUALIFIER, QUALIFIER_LIMIT, "a version number, an alias or $LATEST")
    if function is not None and function.qualifier is not None and function.qualifier != value:
        raise ParameterError(
            f"Qualifier '{ascii_only(value)}' does not match '{function.qualifier}' in FunctionName "
            f"'{ascii_only(function.text)}': name one of them.",
            parameter="Qualifier",
        )
    return value


def check_tenant_id(text: object) -> str:
    """`text`, when it is a tenant id: 1 to 256 letters, digits, blanks and `._:/=+-@`."""
    return _matching(text, "TenantId", _TENANT, TENANT_LIMIT, "letters, digits, blanks and . _ : / = + - @")


def check_execution_name(text: object) -> str:
    """`text`, when it is a durable execution's name: 1 to 64 letters, digits, `-` and `_`."""
    return _matching(
        text, "DurableExecutionName", _EXECUTION_NAME, EXECUTION_NAME_LIMIT, "letters, digits, hyphens and underscores"
    )


def check_once_key(text: object) -> str:
    """`text` in one spelling of its letters, when it is a key of -OnceKey: 1 to 200 printable characters."""
    wants = f"1 to {ONCE_KEY_LIMIT} printable characters on one line"
    if not isinstance(text, str) or not text.strip() or not text.isprintable():
        raise ParameterError(f"OnceKey is not usable: it must be {wants}.", parameter="OnceKey")
    key = unicodedata.normalize("NFC", text)
    if len(key) > ONCE_KEY_LIMIT:
        raise ParameterError(f"OnceKey is {len(key)} characters long; it must be {wants}.", parameter="OnceKey")
    return key


def check_region(text: object, *, parameter: str = "Region") -> str:
    """`text`, when it is spelled like an AWS region (`eu-west-1`)."""
    return _matching(text, parameter, _REGION, 32, "a region such as eu-west-1")


def partition_of(region: str) -> str:
    """The partition (`aws`, `aws-cn`, `aws-us-gov` ...) that `region` belongs to, by its spelling.

    Source: the partitions table that botocore ships (partitions.json, `regionRegex`).
    """
    for start, partition in _PARTITIONS.items():
        if region.startswith(start):
            return partition
    return "aws"


_PARTITIONS: Final = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}


def _check_parts(parts: dict[str, str | None], shown: str, parameter: str) -> None:
    name = parts["name"] or ""
    if not name.strip("."):
        raise ParameterError(
            f"{parameter} '{shown}' is not a function name: dots alone name nothing.", parameter=parameter
        )
    bare = parts["arn"] is None and parts["account"] is None and parts["region"] is None
    if bare and len(name) > NAME_LIMIT:
        raise ParameterError(
            f"{parameter} is {len(name)} characters long; a bare name has {NAME_LIMIT} at most.", parameter=parameter
        )
    if parts["arn"] is not None and (not parts["region"] or not parts["account"] or not parts["function"]):
        raise ParameterError(
            f"{parameter} '{shown}' is not a function's ARN: write arn:aws:lambda:REGION:ACCOUNT:function:NAME.",
            parameter=parameter,
        )


def _fault(text: str) -> str:
    """Why `text` is not a function name, for a person."""
    if text.startswith("arn:"):
        service = [*text.split(":"), "", ""][2]
        if service != "lambda":
            return f"it is the ARN of something in '{ascii_only(shorten(service, 20))}', not of a Lambda function."
        kind = [*text.split(":"), "", "", "", "", ""][5]
        if kind and kind != "function":
            return f"it is the ARN of a Lambda {ascii_only(shorten(kind, 20))}, not of a function."
        return "write arn:aws:lambda:REGION:ACCOUNT:function:NAME."
    if text.startswith(("http://", "https://")):
        return "it is a URL; a function URL is called with an HTTP client, a function by its name."
    if text.startswith("$LATEST"):
        return "$LATEST is a qualifier; write NAME:$LATEST or -Qualifier $LATEST."
    if "$" in text:
        return 'a $variable inside a word is not expanded; write it in double quotes: "orders-$stage".'
    odd = next((c for c in text if not re.match(r"[a-zA-Z0-9\-_.:]", c)), None)
    if odd is not None:
        return f"it holds '{ascii_only(odd)}'; letters, digits, hyphens and underscores are allowed."
    return "write NAME, NAME:ALIAS, ACCOUNT:function:NAME or a whole ARN."


def _matching(text: object, parameter: str, pattern: re.Pattern[str], limit: int, wants: str) -> str:
    if not isinstance(text, str):
        raise ParameterError(f"{parameter} must be text, not {type(text).__name__}.", parameter=parameter)
    if not text:
        raise ParameterError(f"{parameter} is empty: it must be {wants}.", parameter=parameter)
    if len(text) > limit:
        raise ParameterError(
            f"{parameter} is {len(text)} characters long; AWS takes {limit} at most.", parameter=parameter
        )
    if not pattern.fullmatch(text):
        shown = ascii_only(shorten(text, 60))
        raise ParameterError(f"{parameter} '{shown}' is not allowed: it must be {wants}.", parameter=parameter)
    return text

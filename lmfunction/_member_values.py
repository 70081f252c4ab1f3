"""Values for members of an API request: texts, lists, times, numbers, bytes, made what the API says they are."""

from __future__ import annotations

import datetime
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from lmfunction import _wire
from lmfunction._files import read_file
from lmfunction._params import Kind, Parameter
from lmfunction._service import boto3_version
from lmfunction._text import ascii_only, did_you_mean, shorten
from lmfunction.errors import ParameterError

_MOST_CHOICES: Final = 12


def wrong(parameter: Parameter, value: Any, wants: str) -> ParameterError:
    """The error for a value of the wrong kind; a word is shown shortened, anything else by its type alone."""
    return ParameterError(
        f"{parameter.name} is {_shown(parameter, value)}; it must be {wants}.", parameter=parameter.name
    )


def _shown(parameter: Parameter, value: Any) -> str:
    if not isinstance(value, str):
        return type(value).__name__
    if parameter.kind is Kind.MAP or re.search(r'[{}\[\]"]', value):
        return "text that does not fit"  # it may be a payload at the wrong place
    return f"'{ascii_only(shorten(value, 40))}'"


def choice(parameter: Parameter, value: Any) -> str:
    """One of the parameter's choices, found in any case."""
    if isinstance(value, str):
        for known in parameter.choices:
            if known.casefold() == value.casefold():
                return known
    hint = did_you_mean(value, parameter.choices) if isinstance(value, str) and value else ""
    listed = ", ".join(parameter.choices[-_MOST_CHOICES:])
    more = f"… {listed}" if len(parameter.choices) > _MOST_CHOICES else listed
    source = f" (boto3 {boto3_version()})" if parameter.path else ""
    raise ParameterError(
        f"{parameter.name} is {_shown(parameter, value)}; it must be one of {more}{source}.{hint}",
        parameter=parameter.name,
    )


def boolean(parameter: Parameter, value: Any) -> bool:
    """True or False, also written as text."""
    words = {"true": True, "$true": True, "1": True, "false": False, "$false": False, "0": False}
    if isinstance(value, str) and value.casefold() in words:
        return words[value.casefold()]
    if not isinstance(value, bool):
        raise wrong(parameter, value, "True or False")
    return value


def number(parameter: Parameter, value: Any) -> float:
    """A finite number."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise wrong(parameter, value, "a number")
    return found


def time(parameter: Parameter, value: Any) -> datetime.datetime:
    """A time with its zone: a datetime, ISO 8601 text, or seconds since 1970. Without a zone it is local time."""
    try:
        if isinstance(value, datetime.datetime):
            found = value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.datetime.fromtimestamp(value, datetime.UTC)
        elif isinstance(value, str) and re.fullmatch(r"\d+(?:\.\d+)?", value):
            found = datetime.datetime.fromtimestamp(float(value), datetime.UTC)
        else:
            found = datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        raise wrong(parameter, value, "a time such as 2026-01-31T12:00:00Z, or seconds since 1970") from None
    return found.astimezone()


def blob(parameter: Parameter, value: Any) -> bytes:
    """Bytes: as given, of text in UTF-8, of an open file, or of the file behind a Path."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, os.PathLike):
        return read_file(value, limit=_wire.PACKAGE_LIMIT, parameter=parameter.name)
    if callable(getattr(value, "read", None)):
        return blob(parameter, value.read(_wire.PACKAGE_LIMIT + 1))
    raise wrong(parameter, value, "bytes, text, an open file or a Path")


def file_bytes(parameter: Parameter, value: Any) -> bytes:
    """The bytes of the file that a path names."""
    if isinstance(value, str):
        value = re.sub(r"\Afileb?://", "", value, flags=re.IGNORECASE)
    if not value or not isinstance(value, str | os.PathLike):
        raise wrong(parameter, value, "the path of a file")
    return read_file(value, limit=_wire.PACKAGE_LIMIT, parameter=parameter.name)


def texts(parameter: Parameter, value: Any) -> list[str]:
    """A list of texts: a list, a JSON list, or `a,b`; empty text is an empty list. Enumerated ones go in any case."""
    if value == "":
        return []
    if isinstance(value, str):
        value = _json_list(parameter, value) if value.lstrip().startswith("[") else value.split(",")
    if isinstance(value, Mapping | bytes) or not isinstance(value, Iterable):
        raise wrong(parameter, value, "a list of texts")
    found = [item.strip() if isinstance(item, str) else item for item in value]
    for item in found:
        if not isinstance(item, str) or not item:
            raise wrong(parameter, item, "a list of texts")
    return [choice(parameter, item) for item in found] if parameter.choices else found


def objects(parameter: Parameter, value: Any) -> list[Any]:
    """A list of mappings: a list, JSON, or one mapping alone."""
    if isinstance(value, str):
        value = _json_list(parameter, value)
    if isinstance(value, Mapping):
        return [dict(value)]
    if isinstance(value, bytes) or not isinstance(value, Iterable):
        raise wrong(parameter, value, "a list of mappings")
    return [dict(item) if isinstance(item, Mapping) else item for item in value]


def mapping(parameter: Parameter, value: Any) -> dict[str, Any]:
    """A mapping with text keys: a mapping, a JSON object, or `a=b,c=d`."""
    if isinstance(value, str):
        value = _pairs(value) or _json(value)
        if value is None:
            raise ParameterError(f"{parameter.name} is not a JSON object.", parameter=parameter.name)
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise wrong(parameter, value, "a mapping with text keys")
    return dict(value)


CONVERSIONS: Final[Mapping[Kind, Callable[[Parameter, Any], Any]]] = {
    Kind.CHOICE: choice,
    Kind.BOOLEAN: boolean,
    Kind.NUMBER: number,
    Kind.TIME: time,
    Kind.BLOB: blob,
    Kind.FILE: file_bytes,
    Kind.LIST: texts,
    Kind.OBJECTS: objects,
    Kind.MAP: mapping,
}


def _pairs(text: str) -> dict[str, str] | None:
    """`a=b,c=d` as a mapping; None when it is something else."""
    if text.lstrip()[:1] in ("{", "["):
        return None
    pairs = [item.partition("=") for item in text.split(",")]
    if not all(equals and key.strip() for key, equals, _ in pairs):
        return None
    return {key.strip(): value for key, _, value in pairs}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _json_list(parameter: Parameter, text: str) -> Any:
    found = _json(text)
    if not isinstance(found, list | dict):
        raise ParameterError(f"{parameter.name} is not a JSON list.", parameter=parameter.name)
    return found

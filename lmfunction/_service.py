"""Lambda's service model as the installed boto3 knows it: operations, their members, types, enums and documentation.

Read from botocore's data files when first asked for; nothing of it is written down here.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from lmfunction._text import did_you_mean
from lmfunction.errors import ParameterError

Type = Literal["text", "whole", "number", "boolean", "time", "blob", "texts", "objects", "map", "structure"]

_SCALARS: Final[Mapping[str, Type]] = {
    "string": "text",
    "character": "text",
    "integer": "whole",
    "long": "whole",
    "float": "number",
    "double": "number",
    "boolean": "boolean",
    "timestamp": "time",
    "blob": "blob",
    "map": "map",
    "structure": "structure",
}


@dataclass(frozen=True)
class Member:
    """A member of a request or an answer. `members` are a structure's, or those of a list's structures."""

    name: str
    type: Type
    shape: str
    documentation: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    sensitive: bool = False
    is_status: bool = False  # it is the HTTP status, not a part of the answer's body
    members: tuple[Member, ...] = ()


@dataclass(frozen=True)
class Paging:
    """How an operation pages: the list that a page holds, and the names of tokens and limit."""

    result: str
    token: str
    next_token: str
    limit: str | None


@dataclass(frozen=True)
class Operation:
    """An operation of the API. `method` is the client's method for it."""

    name: str
    method: str
    documentation: str
    inputs: tuple[Member, ...]
    outputs: tuple[Member, ...]
    output_shape: str
    paging: Paging | None
    deprecated: bool
    streams: bool  # it answers with a stream of events


@dataclass(frozen=True)
class Fault:
    """What is wrong with a request: the member's path (`Code.ZipFile`) and the reason; no value is told."""

    path: str
    reason: str


def boto3_version() -> str:
    """The version of the installed boto3."""
    import boto3

    return str(boto3.__version__)


@functools.cache
def operation(name: str) -> Operation:
    """The operation `name`. Raises ParameterError that names the boto3 version when the model has no such operation."""
    model = _model()
    if name not in model.operation_names:
        raise ParameterError(
            f"boto3 {boto3_version()} does not know Lambda's operation {name}."
            f"{did_you_mean(name, model.operation_names)} Another version may: pip install -U boto3."
        )
    found = model.operation_model(name)
    output = found.output_shape
    return Operation(
        name,
        _method_name(name),
        str(found.documentation or ""),
        _members(found.input_shape),
        _members(output),
        str(output.name) if output is not None else "",
        _paging(name),
        bool(found.deprecated),
        bool(found.has_event_stream_output),
    )


def input_names(name: str) -> frozenset[str]:
    """The names of the members of an operation's request."""
    return frozenset(member.name for member in operation(name).inputs)


def faults(name: str, members: Mapping[str, Any]) -> list[Fault]:
    """What botocore's validator finds wrong with `members` as the request of operation `name`."""
    from botocore.validate import ParamValidator

    shape = _model().operation_model(name).input_shape
    if shape is None:
        return []
    report = ParamValidator().validate(dict(members), shape)
    if not report.has_errors():
        return []
    return [_fault(*error) for error in getattr(report, "_errors", ())] or [Fault("", "it does not fit the API")]


def _fault(reason: str, path: str, extra: Mapping[str, Any]) -> Fault:
    """The fault in words: places and types only, for the text of botocore itself shows values, which may be secret."""
    where = path.lstrip(".")
    if reason == "missing required field":
        return Fault(".".join(filter(None, (where, str(extra.get("required_name", ""))))), "is missing")
    if reason == "invalid type":
        return Fault(where, f"is {type(extra.get('param')).__name__}; it must be {_types(extra.get('valid_types'))}")
    if reason == "unknown field":
        known = [str(name) for name in extra.get("valid_names", ())]
        unknown = str(extra.get("unknown_param", ""))
        return Fault(where, f"has no member {unknown}.{did_you_mean(unknown, known)}".rstrip("."))
    if reason == "invalid range":
        return Fault(where, f"is too small; the least is {extra.get('min_allowed')}")
    if reason == "invalid length":
        return Fault(where, f"is too short; the least length is {extra.get('min_allowed')}")
    return Fault(where, f"cannot be used: {reason}")


def _types(valid: Any) -> str:
    words = {"str": "text", "dict": "a mapping", "list": "a list", "tuple": "", "int": "a whole number"}
    names = [str(name).removeprefix("<class '").removesuffix("'>") for name in valid or ()]
    return " or ".join(dict.fromkeys(filter(None, (words.get(name, name) for name in names)))) or "of another type"


@functools.cache
def _loader() -> Any:
    from botocore.loaders import create_loader

    return create_loader(os.environ.get("AWS_DATA_PATH"))


@functools.cache
def _model() -> Any:
    from botocore.model import ServiceModel

    return ServiceModel(_loader().load_service_model("lambda", "service-2"), "lambda")


@functools.cache
def _paginators() -> Mapping[str, Any]:
    from botocore.exceptions import UnknownServiceError

    try:
        found = _loader().load_service_model("lambda", "paginators-1")
    except UnknownServiceError:
        return {}
    pages: Mapping[str, Any] = found.get("pagination", {})
    return pages


def _paging(name: str) -> Paging | None:
    found = _paginators().get(name)
    if found is None or not all(isinstance(found.get(key), str) for key in ("result_key", "input_token")):
        return None
    return Paging(found["result_key"], found["input_token"], found["output_token"], found.get("limit_key"))


def _method_name(name: str) -> str:
    from botocore import xform_name

    return str(xform_name(name))


def _members(shape: Any, inside: tuple[str, ...] = ()) -> tuple[Member, ...]:
    """The members of a structure, those of structures in it too; a structure inside itself is left a mapping."""
    if shape is None:
        return ()
    return tuple(_member(name, found, shape, inside) for name, found in shape.members.items())


def _member(name: str, shape: Any, parent: Any, inside: tuple[str, ...]) -> Member:
    kind = _type_of(shape)
    structure = shape.member if kind == "objects" else shape
    nested = structure.type_name == "structure" and structure.name not in inside
    enumerated = shape.member if kind == "texts" else shape
    return Member(
        name,
        "map" if kind == "structure" and not nested else kind,  # a structure inside itself
        str(shape.member.name if shape.type_name == "list" else shape.name),
        str(shape.documentation or ""),
        name in parent.required_members,
        tuple(getattr(enumerated, "enum", ()) or ()),
        shape.metadata.get("min") if kind in ("whole", "number") else None,
        bool(shape.metadata.get("sensitive")),
        shape.serialization.get("location") == "statusCode",
        _members(structure, (*inside, structure.name)) if nested else (),
    )


def _type_of(shape: Any) -> Type:
    if shape.type_name == "list":
        return "texts" if shape.member.type_name == "string" else "objects"
    return _SCALARS.get(shape.type_name, "text")


@functools.cache
def regions() -> Mapping[str, str]:
    """Every region of every partition that botocore knows, with its description (`Europe (Ireland)`)."""
    endpoints = _loader().load_data("endpoints")
    return {
        name: str(region.get("description", ""))
        for partition in endpoints["partitions"]
        for name, region in partition["regions"].items()
    }

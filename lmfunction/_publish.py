"""Publish-LMFunction: a handler's source becomes a function, in the embedded Lambda or in AWS."""

from __future__ import annotations

import ast
import io
import sys
import zipfile
from collections.abc import Mapping
from typing import Any, Final

from lmfunction._cmdlets import Engine, Notices, act_on_error, assign, check_assignable, confirm, gather
from lmfunction._connection import resolve_place
from lmfunction._door import NOTHING, Door
from lmfunction._names import parse_function_name
from lmfunction._record import Record
from lmfunction._table import PUBLISH
from lmfunction._transport import translate
from lmfunction.errors import LMError, ParameterError, ServiceError

_MODULE: Final = "lambda_function"
_USUAL_HANDLERS: Final = ("handler", "lambda_handler")
# What a new function gets where nothing is said.
_NEW: Final = {"Runtime": f"python3.{sys.version_info.minor}", "Timeout": 3, "MemorySize": 128}
_PLACE_NAMES: Final = frozenset(["profile_name", "endpoint_url", "credential", "access_key"])


def publish(values: Mapping[str, Any], engine: Engine, door: Door) -> Any:
    """Runs Publish-LMFunction for `values` (by parameter name): the function's configuration, or NOTHING."""
    gathered = gather(PUBLISH, values, engine)
    arguments = gathered.arguments
    notices = Notices(arguments, door)
    check_assignable(arguments, door)
    name = parse_function_name(arguments.get("function_name"))
    if not _PLACE_NAMES.intersection(arguments):
        arguments["endpoint_url"] = "embedded"
    code, handler = _code_and_handler(arguments)
    given = {
        "Handler": handler,
        "Runtime": arguments.get("runtime"),
        "Timeout": arguments.get("timeout"),
        "MemorySize": arguments.get("memory_size"),
        "Environment": {"Variables": _environment(arguments["environment"])} if "environment" in arguments else None,
        "Description": arguments.get("description"),
        "Role": arguments.get("role"),
    }
    settings = {name: value for name, value in given.items() if value is not None}
    place = resolve_place(arguments, gathered.profile, gathered.aws_profile, arn_region=name.region)
    where = "the embedded Lambda" if place.embedded else f"AWS, region {place.connection.region}"
    where = f"{where}, {len(code):,} bytes of code"
    what = f'Performing the operation "Publish-LMFunction" on target "{name.text}" in {where}.'
    notices.verbose(what)
    if arguments.get("what_if", door.what_if):
        door.show(_WhatIf(f"What if: {what}"))
        return NOTHING
    confirm(arguments, name.text, lambda: [what], door)
    if place.embedded:
        settings.setdefault("Role", "arn:aws:iam::000000000000:role/embedded")
    try:
        answer = _create_or_update(engine.connections.transport(place).client, name.text, code, settings)
    except LMError as error:
        act_on_error(error, gathered, door)
        return NOTHING
    members = {k: v for k, v in answer.items() if k != "ResponseMetadata"}
    record = Record("FunctionConfiguration", members, "FunctionName")
    if "out_variable" in arguments:
        assign(door, arguments["out_variable"], record)
    return record


class _WhatIf(str):
    """A what-if message that shows itself as text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _create_or_update(client: Any, name: str, code: bytes, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Creates the function; when there is one of that name, gives it the code and the settings, and no others.

    Without a role nothing can be created, so that only an existing function is looked for.
    """
    try:
        if "Role" in settings:
            try:
                created: Mapping[str, Any] = client.create_function(
                    FunctionName=name, Code={"ZipFile": code}, **{**_NEW, **settings}
                )
            except client.exceptions.ResourceConflictException:
                pass  # it exists: it is updated below
            else:
                return created
        client.update_function_code(FunctionName=name, ZipFile=code)
        client.get_waiter("function_updated_v2").wait(FunctionName=name)
        updated: Mapping[str, Any] = client.update_function_configuration(FunctionName=name, **settings)
    except Exception as error:
        refused = translate(error)
        if isinstance(refused, ServiceError) and refused.status == 404 and "Role" not in settings:
            raise ParameterError(
                f"Role is missing: there is no function {name}, and AWS needs an execution role's ARN for a new one.",
                parameter="Role",
            ) from error
        raise refused from error
    return updated


def _environment(variables: Mapping[str, Any]) -> dict[str, str]:
    for key, value in variables.items():
        if not isinstance(value, str):
            raise ParameterError(
                f"Environment: {key} is {type(value).__name__}; a variable's value must be text.",
                parameter="Environment",
            )
    return dict(variables)


def _code_and_handler(arguments: Mapping[str, Any]) -> tuple[bytes, str]:
    """The deployment package, a zip with one module, and the handler's name."""
    source = arguments.get("code")
    if not isinstance(source, str) or not source.strip():
        raise ParameterError("Code is empty: write the handler into the cell, or give -Code.", parameter="Code")
    handler = arguments.get("handler") or f"{_MODULE}.{_find_handler(source)}"
    module, dot, function = handler.rpartition(".")
    if not dot or not function.isidentifier() or not all(part.isidentifier() for part in module.split("/")):
        raise ParameterError("Handler must be MODULE.FUNCTION.", parameter="Handler")
    try:
        content = source.encode()
    except UnicodeEncodeError:
        raise ParameterError("Code holds half of a surrogate pair, which is no character.", parameter="Code") from None
    archive = io.BytesIO()
    # A fixed date: the same source gives the same package and the same CodeSha256. And the right to be read: without
    # it Lambda cannot import the module.
    entry = zipfile.ZipInfo(f"{module}.py", date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system, entry.external_attr, entry.compress_type = 3, 0o644 << 16, zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(entry, content)
    return archive.getvalue(), handler


def _find_handler(source: str) -> str:
    """The name of the function that handles events: by its usual name, or the only one with two parameters."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ParameterError(
            f"Code is not Python: {error.msg} (line {error.lineno}, column {error.offset}).",
            parameter="Code",
            source=source,
            line=error.lineno or 1,
            column=error.offset or 1,
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ParameterError(f"Code is not Python: {error or 'it is nested too deep'}.", parameter="Code") from None
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for name in _USUAL_HANDLERS:
        if name in functions:
            return name
    fitting = [name for name, node in functions.items() if len(node.args.posonlyargs + node.args.args) == 2]
    if len(fitting) == 1:
        return fitting[0]
    raise ParameterError(
        "Code has no function named handler or lambda_handler: name one so, or give -Handler lambda_function.NAME.",
        parameter="Code",
    )

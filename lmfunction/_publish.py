"""Publish-LMFunction: a handler's source becomes a function, in the embedded Lambda or in AWS."""

from __future__ import annotations

import ast
import io
import json
import sys
import zipfile
from collections.abc import Mapping
from typing import Any, Final

from lmfunction._connection import Place, resolve_place
from lmfunction._dispatch import scribe_for
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._failures import act_on_error
from lmfunction._gathered import gather, is_dry
from lmfunction._guards import FREE, clear, concerned, foresee
from lmfunction._intent import Intent
from lmfunction._names import FunctionName, parse_function_name
from lmfunction._notices import Notices, WhatIf, assign, check_assignable
from lmfunction._operation_calls import answer_selector
from lmfunction._operation_requests import check_members, gathered_members
from lmfunction._service import input_names, operation
from lmfunction._table import OPERATIONS, PUBLISH
from lmfunction._text import one_line
from lmfunction._transport import translate
from lmfunction.errors import LMError, ParameterError, ServiceError

_MODULE: Final = "lambda_function"
_USUAL_HANDLERS: Final = ("handler", "lambda_handler")
_CREATE: Final = OPERATIONS[PUBLISH.name]
_CONFIGURE: Final = "UpdateFunctionConfiguration"
_ALSO_CODE: Final = frozenset(["Architectures"])  # UpdateFunctionCode takes them
# What a new function gets where nothing is said.
_NEW: Final = {"Runtime": f"python3.{sys.version_info.minor}", "Timeout": 3, "MemorySize": 128}
PLACE_NAMES: Final = frozenset(["profile_name", "endpoint_url", "credential", "access_key"])


def publish(values: Mapping[str, Any], engine: Engine, door: Door) -> Any:
    """Runs Publish-LMFunction for `values` (by parameter name): the function's configuration, or NOTHING."""
    gathered = gather(PUBLISH, values, engine)
    arguments = gathered.arguments
    notices = Notices(arguments, door)
    check_assignable(arguments, door)
    notices.warn_once(gathered.profile.notices, engine.told)
    name = parse_function_name(arguments.get("function_name"))
    if not PLACE_NAMES.intersection(arguments):
        arguments["endpoint_url"] = "embedded"
    select = answer_selector(PUBLISH, operation(_CREATE), arguments, values)
    wanted = _wanted(arguments)
    place = resolve_place(arguments, gathered.profile, gathered.aws_profile, arn_region=name.region)
    where = "the embedded Lambda" if place.embedded else f"AWS, region {place.connection.region}"
    what = f'Performing the operation "Publish-LMFunction" on target "{name.text}" in {where}, {_size_of(wanted)}.'
    notices.verbose(what)
    if place.embedded:
        wanted.setdefault("Role", "arn:aws:iam::000000000000:role/embedded")
    intent = _intent(name, what, place, wanted)
    scribe = scribe_for(intent, wanted, engine, door)
    if is_dry(arguments, engine, door):
        if place.profile.guarded:
            foresee(intent)
        scribe.what_if()
        door.show(WhatIf(f"What if: {what}"))
        return NOTHING
    with scribe.refusals():
        clearance = clear(intent, arguments, engine, door) if concerned(place.profile, arguments) else FREE
    try:
        if clearance is not FREE:
            with scribe.refusals():
                clearance.verify(intent, engine)
        answer = scribe.around(lambda: _create_or_update(engine.connections.transport(place).client, name.text, wanted))
    except LMError as error:
        act_on_error(error, gathered, door)
        return NOTHING
    emitted = select({k: v for k, v in answer.items() if k != "ResponseMetadata"})
    if "out_variable" in arguments:
        assign(door, arguments["out_variable"], emitted)
    return emitted


def _wanted(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The members of CreateFunction that `arguments` ask for; a role is looked for later, where there is none."""
    members = gathered_members(PUBLISH, {**arguments, **_environment(arguments)})
    source = arguments.get("code")
    place = _place_of_code(source)
    if place is not None:
        members["Code"] = {**place, **members.get("Code", {})}
    elif source is not None or "Code" not in members:
        package, members["Handler"] = _code_and_handler(arguments)
        members["Code"] = {**members.get("Code", {}), "ZipFile": package}
    check_members(PUBLISH, _CREATE, {"Role": "arn:aws:iam::000000000000:role/later", **members})
    return members


def _intent(name: FunctionName, what: str, place: Place, wanted: Mapping[str, Any]) -> Intent:
    """What publishing is about to do."""
    return Intent(
        PUBLISH.name,
        place,
        name.name,
        name,
        kind=_CREATE,
        lines=lambda: [what],
        content=lambda: repr(sorted(wanted.items())).encode(),
    )


def _place_of_code(code: Any) -> dict[str, Any] | None:
    """The mapping that says where the package is, also as JSON text; None for source."""
    if isinstance(code, Mapping):
        return dict(code)
    if not isinstance(code, str) or not code.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(code)
    except ValueError as error:
        raise ParameterError(f"Code is neither Python nor JSON: {error}.", parameter="Code") from None
    return dict(found)


def _size_of(wanted: Mapping[str, Any]) -> str:
    """What is sent as code, for people."""
    code = wanted["Code"]
    if "ZipFile" in code:
        return f"{len(code['ZipFile']):,} bytes of code"
    return "code from " + ", ".join(f"{k} {one_line(str(v), 80)}" for k, v in code.items())


def _create_or_update(client: Any, name: str, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """Creates the function; when there is one of that name, gives it the code and the settings, and no others.

    Without a role nothing can be created, so that only an existing function is looked for.
    """
    try:
        if "Role" in wanted:
            try:
                created: Mapping[str, Any] = client.create_function(**_for_new(wanted))
            except client.exceptions.ResourceConflictException:
                pass  # it exists: it is updated below
            else:
                return created
        return _updated(client, name, wanted)
    except ParameterError:
        raise
    except Exception as error:
        refused = translate(error)
        if isinstance(refused, ServiceError) and refused.status == 404 and "Role" not in wanted:
            raise ParameterError(
                f"Role is missing: there is no function {name}, and AWS needs an execution role's ARN for a new one.",
                parameter="Role",
            ) from error
        raise refused from error


def _for_new(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The request with what a new function of Python gets where nothing is said; an image says all by itself."""
    return dict(wanted) if "ImageUri" in wanted["Code"] else {**_NEW, **wanted}


def _updated(client: Any, name: str, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """Gives an existing function what is wanted, in the requests that AWS has for it."""
    code = {**wanted["Code"], **{k: v for k, v in wanted.items() if k in _ALSO_CODE}}
    settings = {k: v for k, v in wanted.items() if k in input_names(_CONFIGURE)}
    left = sorted(set(wanted) - set(settings) - set(code) - {"Code", "FunctionName", "Publish", "PackageType"})
    if left:
        raise ParameterError(
            f"{name} exists already, and {', '.join(left)} can only be given to a new function: leave it out here.",
            parameter=left[0],
        )
    client.update_function_code(FunctionName=name, **code)
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    updated: Mapping[str, Any] = client.update_function_configuration(**{**settings, "FunctionName": name})
    if wanted.get("Publish"):
        client.get_waiter("function_updated_v2").wait(FunctionName=name)
        updated = client.publish_version(FunctionName=name)
    return updated


def _environment(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The variables, also when they are given as the API nests them: `{"Variables": {...}}`."""
    variables = arguments.get("environment")
    if variables is None:
        return {}
    if set(variables) == {"Variables"} and isinstance(variables["Variables"], Mapping):
        variables = variables["Variables"]
    for key, value in variables.items():
        if not isinstance(value, str):
            raise ParameterError(
                f"Environment: {key} is {type(value).__name__}; a variable's value must be text.",
                parameter="Environment",
            )
    return {"environment": dict(variables)}


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

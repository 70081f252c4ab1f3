"""The operations that create, change, list and delete functions: the part of Lambda's control plane that is here.

A function is Active as soon as the answer is sent. The role is kept and shown, and means nothing here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from lmfunction.local._answers import (
    fault,
    invalid_parameter,
    new_request_id,
    ok,
    pattern_fault,
    refusal,
    validation,
)
from lmfunction.local._archive import ArchiveError, unpack
from lmfunction.local._fleet import Fleet
from lmfunction.local._functions import Configuration, Function, Functions
from lmfunction.local._http import Answer, Request
from lmfunction.local._invoke import RefusedError, find_function, parse_address
from lmfunction.local._live_code import LIVE_BUCKET, live_folder
from lmfunction.local._settings import NODE_RUNTIMES, PROVIDED_RUNTIMES, RUNTIME_VERSIONS
from lmfunction.local._variables import RESERVED

_HANDLER_PATTERN: Final = r"[^\s]+"
_VARIABLE_PATTERN: Final = r"[a-zA-Z]([a-zA-Z0-9_])+"
_TIMEOUT_RANGE: Final = (1, 900)
_MEMORY_RANGE: Final = (128, 10_240)
_VARIABLES_LIMIT: Final = 4_096
_PAGE: Final = 50
_RUNTIMES: Final = (*(f"python3.{minor}" for minor in RUNTIME_VERSIONS), *NODE_RUNTIMES, *PROVIDED_RUNTIMES)

Operation = Callable[[str, str, Request], Answer]


class Control:
    """The control plane over a table of functions; `root` is where uploaded code is kept.

    Every operation takes the name from the path, the query and the request; it returns the answer or raises
    RefusedError.
    """

    def __init__(self, functions: Functions, fleet: Fleet, root: Path, concurrency: int) -> None:
        self._functions = functions
        self._fleet = fleet
        self._root = root
        self._concurrency = concurrency
        self._uploads = 0

    def create_function(self, _name: str, _query: str, request: Request) -> Answer:
        """CreateFunction, from a zip file in the request."""
        wanted = _document(request)
        address = parse_address(_text(wanted, "FunctionName") or "", "")
        name = address.name
        if len(name) > 64 or address.qualifier is not None:
            faults = [fault(name, "functionName", "have length less than or equal to 64")]
            raise RefusedError(validation(faults))
        if self._functions.get(name) is not None:
            raise RefusedError(refusal(409, "ResourceConflictException", f"Function already exist: {name}"))
        _refuse_publish(wanted)
        if wanted.get("PackageType", "Zip") != "Zip":
            raise RefusedError(invalid_parameter("The embedded Lambda runs zip packages only, no images."))
        if not wanted.get("Runtime") or not wanted.get("Handler"):
            raise RefusedError(
                invalid_parameter("Runtime and Handler are mandatory parameters for functions created with Zip.")
            )
        changes = _changes(wanted)
        code = self._unpacked(wanted.get("Code"))
        configuration = Configuration(name=name, arn=self._functions.arn(name), **{**changes, **code})
        self._functions.put(Function(configuration))
        return ok(configuration.to_api(), status=201)

    def update_code(self, name: str, query: str, request: Request) -> Answer:
        """UpdateFunctionCode, from a zip file in the request."""
        function, wanted = self._found(name, query), _document(request)
        _check_revision(function, wanted)
        _refuse_publish(wanted)
        code = self._unpacked(wanted)
        if wanted.get("DryRun"):
            return ok({**function.latest.to_api(), "CodeSha256": code["code_sha256"]})
        return self._changed(function, code)

    def update_configuration(self, name: str, query: str, request: Request) -> Answer:
        """UpdateFunctionConfiguration."""
        function, wanted = self._found(name, query), _document(request)
        _check_revision(function, wanted)
        return self._changed(function, _changes(wanted))

    def get_function(self, name: str, query: str, request: Request) -> Answer:
        """GetFunction; the code's location is a folder on this machine."""
        function = self._found(name, query)
        shown: dict[str, Any] = {
            "Configuration": function.latest.to_api(),
            "Code": {"RepositoryType": "local", "Location": function.latest.folder.as_uri()},
        }
        if function.reserved is not None:
            shown["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
        return ok(shown)

    def get_configuration(self, name: str, query: str, request: Request) -> Answer:
        """GetFunctionConfiguration."""
        return ok(self._found(name, query).latest.to_api())

    def list_functions(self, _name: str, query: str, request: Request) -> Answer:
        """ListFunctions, 50 at a time at most; the marker is the last name of the page before."""
        asked = parse_qs(query)
        marker = asked.get("Marker", [""])[0]
        count = asked.get("MaxItems", [str(_PAGE)])[0]
        if not (count.isascii() and count.isdigit() and int(count) >= 1):
            raise RefusedError(validation([fault(count, "maxItems", "have value greater than or equal to 1")]))
        left = [f.latest for f in self._functions if f.latest.name > marker]
        page = left[: min(int(count), _PAGE)]
        shown: dict[str, Any] = {"Functions": [c.to_api() for c in page]}
        if len(left) > len(page):
            shown["NextMarker"] = page[-1].name
        return ok(shown)

    def delete_function(self, name: str, query: str, request: Request) -> Answer:
        """DeleteFunction; what is running finishes."""
        function = self._found(name, query)
        if parse_address(name, query).qualifier is not None:
            text = "$LATEST version cannot be deleted without deleting the function."
            raise RefusedError(invalid_parameter(text))
        self._functions.remove(function.latest.name)
        self._fleet.retire(function.latest)
        return ok(status=204)

    def put_concurrency(self, name: str, query: str, request: Request) -> Answer:
        """PutFunctionConcurrency."""
        function, wanted = self._found(name, query), _document(request)
        count = wanted.get("ReservedConcurrentExecutions")
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            member = "reservedConcurrentExecutions"
            raise RefusedError(validation([fault(count, member, "have value greater than or equal to 0")]))
        others = self._functions.reserved_total() - (function.reserved or 0)
        if others + count > self._concurrency:
            text = (
                "Specified ReservedConcurrentExecutions for function decreases account's "
                "UnreservedConcurrentExecution below its minimum value of [0]."
            )
            raise RefusedError(invalid_parameter(text))
        function.reserved = count
        return ok({"ReservedConcurrentExecutions": count})

    def get_concurrency(self, name: str, query: str, request: Request) -> Answer:
        """GetFunctionConcurrency."""
        reserved = self._found(name, query).reserved
        return ok({} if reserved is None else {"ReservedConcurrentExecutions": reserved})

    def delete_concurrency(self, name: str, query: str, request: Request) -> Answer:
        """DeleteFunctionConcurrency."""
        self._found(name, query).reserved = None
        return ok(status=204)

    def _found(self, name: str, query: str) -> Function:
        return find_function(self._functions, parse_address(name, query))

    def _changed(self, function: Function, changes: dict[str, Any]) -> Answer:
        before = function.latest
        modified = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
        function.latest = replace(before, **changes, revision_id=new_request_id(), last_modified=modified)
        self._fleet.retire(before)
        return ok(function.latest.to_api())

    def _unpacked(self, code: object) -> dict[str, Any]:
        """The fields of a configuration that describe the code, which is unpacked into a folder of its own."""
        if isinstance(code, dict) and code.get("S3Bucket") == LIVE_BUCKET:
            return {"folder": live_folder(code), "live": True, "code_sha256": "", "code_size": 0}
        encoded = code.get("ZipFile") if isinstance(code, dict) else None
        if not isinstance(encoded, str) or not encoded:
            raise RefusedError(invalid_parameter("Please provide a source for function code: here, Code.ZipFile only."))
        try:
            data = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise RefusedError(invalid_parameter("Code.ZipFile is not base64.")) from None
        self._uploads += 1
        folder = self._root / f"code-{self._uploads}"
        folder.mkdir(mode=0o700)
        try:
            unpack(data, folder)
        except ArchiveError as e:
            raise RefusedError(invalid_parameter(str(e))) from None
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        return {"folder": folder, "code_sha256": digest, "code_size": len(data), "live": False}


def _document(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(request.body.decode("utf-8") or "{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise RefusedError(refusal(400, "SerializationException", "The request body is not a JSON object."))
    return value


def _text(document: dict[str, Any], key: str) -> str | None:
    value = document.get(key)
    if value is not None and not isinstance(value, str):
        raise RefusedError(refusal(400, "SerializationException", f"{key} must be text."))
    return value


def _check_revision(function: Function, wanted: dict[str, Any]) -> None:
    given = _text(wanted, "RevisionId")
    if given is not None and given != function.latest.revision_id:
        text = (
            "The RevisionId provided does not match the latest RevisionId. "
            "Call the GetFunction/GetAlias API to retrieve the latest RevisionId"
        )
        raise RefusedError(refusal(412, "PreconditionFailedException", text))


def _refuse_publish(wanted: dict[str, Any]) -> None:
    if wanted.get("Publish"):
        raise RefusedError(refusal(501, "NotImplementedException", "Publish: the embedded Lambda has no versions."))


def _changes(wanted: dict[str, Any]) -> dict[str, Any]:
    """The fields of a configuration that a request sets, checked all together as AWS does."""
    faults: list[str] = []
    changes: dict[str, Any] = {}
    for key, (field, low, high) in _NUMBERS.items():
        value = wanted.get(key)
        if value is not None:
            changes[field] = value
            faults += _number_faults(value, key, low, high)
    for key, field in _TEXTS.items():
        text = _text(wanted, key)
        if text is not None:
            changes[field] = text
    handler = changes.get("handler")
    if handler is not None and not re.fullmatch(_HANDLER_PATTERN, handler):
        faults.append(pattern_fault(handler, "handler", _HANDLER_PATTERN))
    variables = _variables(wanted.get("Environment"), faults)
    if variables is not None:
        changes["variables"] = variables
    if faults:
        raise RefusedError(validation(faults))
    runtime = changes.get("runtime")
    if runtime is not None and runtime not in _RUNTIMES:
        text = f"The runtime parameter of {runtime} is not supported here: choose one of {', '.join(_RUNTIMES)}."
        raise RefusedError(invalid_parameter(text))
    return changes


_TEXTS: Final = {"Runtime": "runtime", "Handler": "handler", "Role": "role", "Description": "description"}
_NUMBERS: Final = {"Timeout": ("timeout", *_TIMEOUT_RANGE), "MemorySize": ("memory_size", *_MEMORY_RANGE)}


def _number_faults(value: object, key: str, low: int, high: int) -> list[str]:
    member = key[0].lower() + key[1:]
    if not isinstance(value, int) or isinstance(value, bool):
        return [fault(value, member, "be a whole number")]
    if value < low:
        return [fault(value, member, f"have value greater than or equal to {low}")]
    if value > high:
        return [fault(value, member, f"have value less than or equal to {high}")]
    return []


def _variables(environment: object, faults: list[str]) -> dict[str, str] | None:
    """The variables of a request's Environment; None when it names none."""
    if environment is None:
        return None
    variables = environment.get("Variables", {}) if isinstance(environment, dict) else None
    if not isinstance(variables, dict) or not all(isinstance(v, str) and "\0" not in v for v in variables.values()):
        raise RefusedError(refusal(400, "SerializationException", "Environment.Variables must map names to text."))
    faults += [
        pattern_fault(name, "environment.variables", _VARIABLE_PATTERN)
        for name in variables
        if not re.fullmatch(_VARIABLE_PATTERN, name)
    ]
    reserved = sorted(RESERVED.intersection(variables))
    if reserved:
        text = (
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
        raise RefusedError(invalid_parameter(text))
    if len(json.dumps(variables, separators=(",", ":")).encode()) > _VARIABLES_LIMIT:
        text = f"Environment variables exceed the limit of {_VARIABLES_LIMIT} bytes."
        raise RefusedError(invalid_parameter(text))
    return dict(variables)

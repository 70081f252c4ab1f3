"""The operations that create, change, show and delete functions.

A function is Active as soon as the answer is sent. The role is kept and shown, and means nothing here.
"""

from __future__ import annotations

from typing import Any

from lmfunction.local._answers import (
    NAME_PATTERN,
    fault,
    invalid_parameter,
    not_found,
    ok,
    pattern_fault,
    refusal,
    validation,
)
from lmfunction.local._calls import Account, Call, check_revision, member_of, null_fault, page_of, structure_of
from lmfunction.local._code import CodeError
from lmfunction.local._code_members import code_of
from lmfunction.local._control_layers import layers_of
from lmfunction.local._control_members import architecture_of, changes_of, refuse_what_is_not_here
from lmfunction.local._control_versions import publish
from lmfunction.local._functions import LATEST, Configuration, Function
from lmfunction.local._http import Answer
from lmfunction.local._invoke import Address, RefusedError, parse_address

_NAME_LIMIT = 64
_TAGS_LIMIT = 50


def create_function(account: Account, call: Call) -> Answer:
    """CreateFunction, from a zip file in the request."""
    wanted = call.document
    address = _new_address(account, call)
    there = account.functions.get(address.name)
    if there is not None and there.latest.name == address.name:
        raise RefusedError(refusal(409, "ResourceConflictException", f"Function already exist: {address.name}"))
    call = Call(address.name, "", "", call.body)
    changes = {**changes_of(call), **layers_of(account, call)}
    if (call.text("PackageType") or "Zip") != "Zip":
        raise RefusedError(invalid_parameter("The embedded Lambda runs zip packages only, no images."))
    if not wanted.get("Runtime") or not wanted.get("Handler"):
        text = "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        raise RefusedError(invalid_parameter(text))
    tags = tags_of(structure_of(wanted, "Tags") or {}, {})
    code = code_of(account, structure_of(wanted, "Code") or {})
    configuration = Configuration(name=address.name, arn=account.functions.arn(address.name), **{**changes, **code})
    function = Function(configuration, tags=tags)
    shown = configuration.to_api()
    if call.flag("Publish"):
        version = publish(account, function, None)
        shown = {**version.to_api(), "FunctionArn": configuration.arn}
    account.changed(function)
    return ok(shown, status=201)


def update_function_code(account: Account, call: Call) -> Answer:
    """UpdateFunctionCode, from a zip file in the request."""
    refuse_what_is_not_here(call)
    function = account.function(call)
    check_revision(call, function.latest.revision_id)
    if call.text("ImageUri"):
        text = "Please don't provide ImageUri when updating a function with packageType Zip."
        raise RefusedError(invalid_parameter(text))
    faults: list[str] = []
    architecture = architecture_of(call, faults)
    if faults:
        raise RefusedError(validation(faults))
    if call.flag("DryRun"):
        try:
            data, digest = account.code.measure(call.document.get("ZipFile"))
        except CodeError as e:
            raise RefusedError(invalid_parameter(str(e))) from None
        return ok({**function.latest.to_api(), "CodeSha256": digest, "CodeSize": len(data)})
    _replace_latest(account, function, {**code_of(account, call.document), **architecture})
    shown = function.latest.to_api()
    if call.flag("Publish"):
        shown = publish(account, function, None).to_api()
    account.changed(function)
    return ok(shown)


def update_function_configuration(account: Account, call: Call) -> Answer:
    """UpdateFunctionConfiguration."""
    function = account.function(call)
    check_revision(call, function.latest.revision_id)
    _replace_latest(account, function, {**changes_of(call, function.latest), **layers_of(account, call)})
    account.changed(function)
    return ok(function.latest.to_api())


def get_function(account: Account, call: Call) -> Answer:
    """GetFunction; the code's location is a folder on this machine."""
    function, configuration = account.version(call)
    shown: dict[str, Any] = {
        "Configuration": configuration.to_api(call.address.qualifier),
        "Code": {"RepositoryType": "local", "Location": configuration.folder.as_uri()},
    }
    if function.tags:
        shown["Tags"] = function.tags
    if function.reserved is not None:
        shown["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
    return ok(shown)


def get_function_configuration(account: Account, call: Call) -> Answer:
    """GetFunctionConfiguration."""
    return ok(account.version(call)[1].to_api(call.address.qualifier))


def list_functions(account: Account, call: Call) -> Answer:
    """ListFunctions; with FunctionVersion=ALL every version of each."""
    wanted = call.parameter("FunctionVersion")
    if wanted not in (None, "ALL"):
        text = "satisfy enum value set: [ALL]"
        raise RefusedError(validation([fault(wanted, "functionVersion", text)]))
    if wanted is None:
        shown = [{**f.latest.to_api_listed(), "FunctionArn": f.latest.arn} for f in account.functions]
    else:
        shown = [c.to_api_listed() for f in account.functions for c in (f.latest, *f.versions.values())]
    page, marker = page_of(call, shown, _place)
    return ok({"Functions": page, **marker})


def list_versions_by_function(account: Account, call: Call) -> Answer:
    """ListVersionsByFunction: `$LATEST`, then the others by number."""
    function = account.function(call)
    shown = [c.to_api_listed() for c in (function.latest, *function.versions.values())]
    page, marker = page_of(call, shown, _place)
    return ok({"Versions": page, **marker})


def delete_function(account: Account, call: Call) -> Answer:
    """DeleteFunction, or one version of it; what is running finishes."""
    qualifier = call.address.qualifier
    if qualifier == LATEST:
        text = "$LATEST version cannot be deleted without deleting the function."
        raise RefusedError(invalid_parameter(text))
    function = account.function(call)
    if qualifier is None:
        account.functions.remove(function.latest.name)
        for configuration in (function.latest, *function.versions.values()):
            account.fleet.retire(configuration)
            _forget_code(account, function, configuration)
        return ok(status=204)
    _delete_version(account, function, call.address)
    account.changed(function)
    return ok(status=204)


def tags_of(given: dict[str, Any], before: dict[str, str]) -> dict[str, str]:
    """The tags `before` with those `given` added."""
    if not all(isinstance(value, str) for value in given.values()):
        raise RefusedError(invalid_parameter("Tags must map names to text."))
    tags = {**before, **given}
    if len(tags) > _TAGS_LIMIT:
        raise RefusedError(invalid_parameter("Number of tags exceeds resource tag limit."))
    return tags


def _place(shown: dict[str, Any]) -> str:
    """What functions and versions are ordered by: the name, then the number."""
    number = 0 if shown["Version"] == LATEST else int(shown["Version"])
    return f"{shown['FunctionName']} {number:09}"


def _new_address(account: Account, call: Call) -> Address:
    name = call.text("FunctionName")
    if name is None or call.document.get("Role") is None:
        missing = [key for key in ("FunctionName", "Role") if call.document.get(key) is None]
        raise RefusedError(validation([null_fault(member_of(key)) for key in missing]))
    address = parse_address(name, "")
    if address.qualifier is not None:
        raise RefusedError(validation([pattern_fault(name, "functionName", NAME_PATTERN)]))
    if len(address.name) > _NAME_LIMIT:
        # AWS finds this after the pattern, and under another code.
        told = fault(address.name, "functionName", f"have length less than or equal to {_NAME_LIMIT}")
        raise RefusedError(invalid_parameter(f"1 validation error detected: {told}"))
    if address.region is not None or address.account is not None:
        own = account.functions
        if address.region not in (None, own.region) or address.account not in (None, own.account):
            raise RefusedError(not_found(account.arn(address)))
    return address


def _replace_latest(account: Account, function: Function, changes: dict[str, Any]) -> None:
    """Changes `$LATEST`; an invocation that runs finishes with what it has."""
    before = function.latest
    function.latest = before.changed(**changes)
    account.fleet.retire(before)
    if function.latest.folder != before.folder:
        _forget_code(account, function, before)


def _delete_version(account: Account, function: Function, address: Address) -> None:
    number = address.qualifier or ""
    if number in function.aliases:
        text = "The function resource provided must be a published version."
        raise RefusedError(invalid_parameter(text))
    pointing = [name for name, a in function.aliases.items() if number in (a.version, *a.weights)]
    if pointing:
        names = ", ".join(sorted(pointing))
        text = f"Unable to delete version because the following aliases reference it: [{names}]"
        raise RefusedError(refusal(409, "ResourceConflictException", text))
    configuration = function.versions.pop(number, None)
    if configuration is None:
        return  # AWS says 204 for a version that is not there, too
    for kept in (function.provisioned, function.event_configs, function.policies):
        kept.pop(number, None)
    account.fleet.retire(configuration)
    _forget_code(account, function, configuration)


def _forget_code(account: Account, function: Function, configuration: Configuration) -> None:
    """Removes code that no version needs; where it still runs, it stays until the server ends."""
    kept = (function.latest, *function.versions.values()) if account.functions.get(function.latest.name) else ()
    folder = configuration.folder
    if all(c.folder != folder for c in kept) and not account.fleet.uses(folder):
        account.code.forget(folder)

"""The operations on provisioned concurrency: environments of a version that are initialised before they are needed."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lmfunction.local._answers import invalid_parameter, not_found, ok, refusal, validation
from lmfunction.local._calls import Account, Call, null_fault, page_of
from lmfunction.local._control_concurrency import unreserved
from lmfunction.local._functions import LATEST, Function, Provisioned
from lmfunction.local._http import Answer
from lmfunction.local._invoke import RefusedError


def put_provisioned_concurrency_config(account: Account, call: Call) -> Answer:
    """PutProvisionedConcurrencyConfig; the environments start at once."""
    count = call.number("ProvisionedConcurrentExecutions", 1)
    if count is None:
        raise RefusedError(validation([null_fault("provisionedConcurrentExecutions")]))
    if call.address.qualifier == LATEST:
        text = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        raise RefusedError(invalid_parameter(text))
    function, qualifier = _found(account, call)
    _check_room(account, function, qualifier, count)
    _check_overlap(function, qualifier)
    function.provisioned[qualifier] = Provisioned(count)
    account.changed(function)
    provision(account, function)
    return ok(_shown(account, function, qualifier), status=202)


def get_provisioned_concurrency_config(account: Account, call: Call) -> Answer:
    """GetProvisionedConcurrencyConfig."""
    function, qualifier = _found(account, call)
    if qualifier not in function.provisioned:
        text = "No Provisioned Concurrency Config found for this function"
        raise RefusedError(refusal(404, "ProvisionedConcurrencyConfigNotFoundException", text))
    return ok(_shown(account, function, qualifier))


def list_provisioned_concurrency_configs(account: Account, call: Call) -> Answer:
    """ListProvisionedConcurrencyConfigs."""
    function = account.function(call)
    page, marker = page_of(call, function.provisioned, str)
    arn = account.functions.arn
    shown = [
        {"FunctionArn": arn(function.latest.name, qualifier), **_shown(account, function, qualifier)}
        for qualifier in page
    ]
    return ok({"ProvisionedConcurrencyConfigs": shown, **marker})


def delete_provisioned_concurrency_config(account: Account, call: Call) -> Answer:
    """DeleteProvisionedConcurrencyConfig; there need not be one."""
    function, qualifier = _found(account, call)
    if function.provisioned.pop(qualifier, None) is not None:
        account.changed(function)
        provision(account, function)
    return ok(status=204)


def provision(account: Account, function: Function) -> None:
    """Makes the fleet keep what is configured for `function`; an alias of two versions shares it by their weights."""
    wanted: Counter[str] = Counter()
    for qualifier, provisioned in function.provisioned.items():
        for version, count in _shares(function, qualifier, provisioned.count).items():
            wanted[version] += count
    for number, configuration in function.versions.items():
        account.fleet.provision(configuration, wanted[number])


def _shares(function: Function, qualifier: str, count: int) -> dict[str, int]:
    alias = function.aliases.get(qualifier)
    if alias is None:
        return {qualifier: count}
    shares = {version: round(count * weight) for version, weight in alias.weights.items()}
    return {**shares, alias.version: count - sum(shares.values())}


def _found(account: Account, call: Call) -> tuple[Function, str]:
    """The function and the version or alias that a request names."""
    qualifier = call.address.qualifier
    if qualifier is None:
        raise RefusedError(validation([null_fault("qualifier")]))
    if qualifier == LATEST:
        text = "The function resource provided must be an alias or a published version."
        raise RefusedError(invalid_parameter(text))
    function = account.function(call)
    if function.resolve(qualifier) is None:
        arn = account.arn(call.address)
        if not qualifier.isdigit():
            raise RefusedError(refusal(404, "ResourceNotFoundException", f"Cannot find alias arn: {arn}"))
        raise RefusedError(not_found(arn))
    alias = function.aliases.get(qualifier)
    if alias is not None and alias.version == LATEST:
        text = "Alias with weight cannot be used with Provisioned Concurrency: it points to $LATEST."
        raise RefusedError(invalid_parameter(text))
    return function, qualifier


def _check_room(account: Account, function: Function, qualifier: str, count: int) -> None:
    others = sum(p.count for q, p in function.provisioned.items() if q != qualifier)
    if function.reserved is not None:
        if function.reserved < others + count:
            text = (
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for "
                "function"
            )
            raise RefusedError(invalid_parameter(text))
        return
    left = unreserved(account, without=function)
    if others + count > left:
        text = f"Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [{left}]."
        raise RefusedError(invalid_parameter(text))


def _check_overlap(function: Function, qualifier: str) -> None:
    """An environment serves one configuration: a version has its own or that of one alias."""
    alias = function.aliases.get(qualifier)
    if alias is not None:
        if alias.version in function.provisioned:
            text = "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
            raise RefusedError(refusal(409, "ResourceConflictException", text))
        return
    if any(a.version == qualifier and name in function.provisioned for name, a in function.aliases.items()):
        text = "Version is pointed by a Provisioned Concurrency alias"
        raise RefusedError(refusal(409, "ResourceConflictException", text))


def _shown(account: Account, function: Function, qualifier: str) -> dict[str, Any]:
    provisioned = function.provisioned[qualifier]
    figures = [
        account.fleet.provisioned(function.versions[number])
        for number in _shares(function, qualifier, provisioned.count)
    ]
    initialised, failed = (sum(column) for column in zip(*figures, strict=True))
    status = "READY" if initialised >= provisioned.count else "FAILED" if failed else "IN_PROGRESS"
    shown: dict[str, Any] = {
        "RequestedProvisionedConcurrentExecutions": provisioned.count,
        "AvailableProvisionedConcurrentExecutions": initialised,
        "AllocatedProvisionedConcurrentExecutions": initialised,
        "Status": status,
        "LastModified": provisioned.last_modified,
    }
    if status == "FAILED":
        shown["StatusReason"] = "FUNCTION_ERROR_INIT_FAILURE"
    return shown

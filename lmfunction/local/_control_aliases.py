"""The operations on aliases."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from lmfunction.local._aliases import Alias
from lmfunction.local._answers import fault, invalid_parameter, not_found, ok, pattern_fault, refusal, validation
from lmfunction.local._calls import Account, Call, check_revision, page_of, serialization, structure_of
from lmfunction.local._control_provisioned import provision
from lmfunction.local._functions import LATEST, Function
from lmfunction.local._http import Answer
from lmfunction.local._invoke import RefusedError

_NAME_PATTERN: Final = r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)"
_VERSION_PATTERN: Final = r"(\$LATEST(\.PUBLISHED)?|[0-9]+)"
_NAME_LIMIT: Final = 128
_WEIGHTS: Final = "routingConfig.additionalVersionWeights"
_WEIGHT_RANGE: Final = (
    "[Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, "
    "Member must not be null]"
)
_WEIGHT_KEYS: Final = (
    "[Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, "
    "Member must satisfy regular expression pattern: [0-9]+, Member must not be null]"
)


def create_alias(account: Account, call: Call) -> Answer:
    """CreateAlias."""
    name = call.required_text("Name", _NAME_PATTERN)
    if len(name) > _NAME_LIMIT:
        raise RefusedError(validation([fault(name, "name", f"have length less than or equal to {_NAME_LIMIT}")]))
    version = call.required_text("FunctionVersion", _VERSION_PATTERN)
    function = account.function_at(replace(call.address, qualifier=version))
    _check_version(account, function, version)
    arn = account.functions.arn(function.latest.name, name)
    if name in function.aliases:
        raise RefusedError(refusal(409, "ResourceConflictException", f"Alias already exists: {arn}"))
    weights = _weights(account, call, function, version) or {}
    alias = function.aliases[name] = Alias(name, arn, version, call.text("Description") or "", weights)
    account.changed(function)
    return ok(alias.to_api(), status=201)


def get_alias(account: Account, call: Call) -> Answer:
    """GetAlias."""
    return ok(_found(account, call)[1].to_api())


def update_alias(account: Account, call: Call) -> Answer:
    """UpdateAlias."""
    function, alias = _found(account, call)
    check_revision(call, alias.revision_id)
    changes: dict[str, Any] = {}
    version = call.text("FunctionVersion")
    if version is not None:
        if not re.fullmatch(_VERSION_PATTERN, version):
            raise RefusedError(validation([pattern_fault(version, "functionVersion", _VERSION_PATTERN)]))
        _check_version(account, function, version)
        changes["version"] = version
    description = call.text("Description")
    if description is not None:
        changes["description"] = description
    weights = _weights(account, call, function, version or alias.version)
    if weights is not None:
        changes["weights"] = weights
    elif version is not None:
        _check_weights(account, function, version, alias.weights)
    changed = function.aliases[alias.name] = alias.changed(**changes)
    account.changed(function)
    provision(account, function)
    return ok(changed.to_api())


def list_aliases(account: Account, call: Call) -> Answer:
    """ListAliases, perhaps only those of one version."""
    function, version = account.function(call), call.parameter("FunctionVersion")
    wanted = [a for a in function.aliases.values() if version is None or version in (a.version, *a.weights)]
    page, marker = page_of(call, wanted, lambda alias: alias.name)
    return ok({"Aliases": [alias.to_api() for alias in page], **marker})


def delete_alias(account: Account, call: Call) -> Answer:
    """DeleteAlias, with what was set for the alias; it need not be there."""
    function = account.function(call)
    if function.aliases.pop(call.part, None) is not None:
        for kept in (function.provisioned, function.event_configs, function.policies):
            kept.pop(call.part, None)
        account.changed(function)
        provision(account, function)
    return ok(status=204)


def _found(account: Account, call: Call) -> tuple[Function, Alias]:
    function = account.function(call)
    alias = function.aliases.get(call.part)
    if alias is None:
        arn = account.functions.arn(function.latest.name, call.part)
        raise RefusedError(refusal(404, "ResourceNotFoundException", f"Cannot find alias arn: {arn}"))
    return function, alias


def _check_version(account: Account, function: Function, version: str) -> None:
    if function.version(version) is None:
        raise RefusedError(not_found(account.functions.arn(function.latest.name, version)))


def _weights(account: Account, call: Call, function: Function, version: str) -> dict[str, float] | None:
    """The routing that a request asks for, or None when it does not speak of it."""
    routing = structure_of(call.document, "RoutingConfig")
    if routing is None:
        return None
    weights = structure_of(routing, "AdditionalVersionWeights") or {}
    if not all(isinstance(w, int | float) and not isinstance(w, bool) for w in weights.values()):
        raise RefusedError(serialization("AdditionalVersionWeights must map versions to numbers."))
    _check_weights(account, function, version, weights)
    return {number: float(weight) for number, weight in weights.items()}


def _check_weights(account: Account, function: Function, version: str, weights: dict[str, float]) -> None:
    if len(weights) > 1:
        raise RefusedError(invalid_parameter("Number of items in AdditionalVersionWeights cannot be greater than 1"))
    for number, weight in weights.items():
        shown = f"{{{number}={float(weight)}}}"
        if not 0.0 <= weight <= 1.0:
            text = f"Value '{shown}' at '{_WEIGHTS}' failed to satisfy constraint: Map value must satisfy constraint: "
            raise RefusedError(validation([text + _WEIGHT_RANGE]))
        if number == version:
            text = (
                f"Invalid function version {version}. Function version {version} is already included in routing "
                "configuration."
            )
            raise RefusedError(invalid_parameter(text))
        if version == LATEST:
            text = "$LATEST is not supported for an alias pointing to more than 1 version"
            raise RefusedError(invalid_parameter(text))
        if not re.fullmatch(r"[0-9]+", number):
            text = f"Value '{shown}' at '{_WEIGHTS}' failed to satisfy constraint: Map keys must satisfy constraint: "
            raise RefusedError(validation([text + _WEIGHT_KEYS]))
        _check_version(account, function, number)

"""The operations on what becomes of asynchronous invocations."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from lmfunction._names import partition_of
from lmfunction.local._answers import invalid_parameter, ok, pattern_fault, refusal, validation
from lmfunction.local._calls import Account, Call, page_of, serialization, structure_of
from lmfunction.local._event_config import EventInvokeConfig
from lmfunction.local._functions import LATEST, Function
from lmfunction.local._http import Answer
from lmfunction.local._invoke import RefusedError, parse_address

_ATTEMPTS: Final = (0, 2)
_AGE: Final = (60, 21_600)
_DESTINATION_PATTERN: Final = (
    r"^$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:"
    r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)"
)
_SERVICES: Final = ("lambda", "sqs", "sns", "events", "s3")


def put_function_event_invoke_config(account: Account, call: Call) -> Answer:
    """PutFunctionEventInvokeConfig: what is not given is Lambda's default again."""
    return _keep(account, call, lambda: {"on_success": "", "on_failure": ""})


def update_function_event_invoke_config(account: Account, call: Call) -> Answer:
    """UpdateFunctionEventInvokeConfig: what is not given stays."""

    def before() -> dict[str, Any]:
        _, _, found = _found(account, call)
        names = ("maximum_retry_attempts", "maximum_event_age_in_seconds", "on_success", "on_failure")
        return {name: getattr(found, name) for name in names}

    return _keep(account, call, before)


def get_function_event_invoke_config(account: Account, call: Call) -> Answer:
    """GetFunctionEventInvokeConfig."""
    function, qualifier, config = _found(account, call)
    return ok(config.to_api(account.functions.arn(function.latest.name, qualifier)))


def list_function_event_invoke_configs(account: Account, call: Call) -> Answer:
    """ListFunctionEventInvokeConfigs."""
    function = account.functions.get(call.address.name)
    if function is None:
        raise RefusedError(_no_function())
    page, marker = page_of(call, function.event_configs, str)
    arn = account.functions.arn
    shown = [function.event_configs[q].to_api(arn(function.latest.name, q)) for q in page]
    return ok({"FunctionEventInvokeConfigs": shown, **marker})


def delete_function_event_invoke_config(account: Account, call: Call) -> Answer:
    """DeleteFunctionEventInvokeConfig."""
    function, qualifier, _ = _found(account, call)
    del function.event_configs[qualifier]
    account.changed(function)
    return ok(status=204)


def _keep(account: Account, call: Call, before: Callable[[], dict[str, Any]]) -> Answer:
    attempts = call.number("MaximumRetryAttempts", *_ATTEMPTS)
    age = call.number("MaximumEventAgeInSeconds", *_AGE)
    destinations = structure_of(call.document, "DestinationConfig")
    if attempts is None and age is None and destinations is None:
        text = "You must specify at least one of error handling or destination setting."
        raise RefusedError(invalid_parameter(text))
    function = account.functions.get(call.address.name)
    if function is None or function.resolve(call.address.qualifier) is None:
        raise RefusedError(_no_function())
    qualifier = call.address.qualifier or LATEST
    values = before()
    if attempts is not None:
        values["maximum_retry_attempts"] = attempts
    if age is not None:
        values["maximum_event_age_in_seconds"] = age
    if destinations is not None:
        values |= _destinations(account, function, destinations)
    config = function.event_configs[qualifier] = EventInvokeConfig(**values)
    account.changed(function)
    return ok(config.to_api(account.functions.arn(function.latest.name, qualifier)))


def _found(account: Account, call: Call) -> tuple[Function, str, EventInvokeConfig]:
    """The function, the qualifier and what is kept for them."""
    function, qualifier = account.functions.get(call.address.name), call.address.qualifier or LATEST
    config = function.event_configs.get(qualifier) if function is not None else None
    if function is None or config is None:
        arn = account.functions.arn(call.address.name, qualifier)
        text = f"The function {arn} doesn't have an EventInvokeConfig"
        raise RefusedError(refusal(404, "ResourceNotFoundException", text))
    return function, qualifier, config


def _no_function() -> Answer:
    return refusal(404, "ResourceNotFoundException", "The function doesn't exist.")


def _destinations(account: Account, function: Function, given: dict[str, Any]) -> dict[str, str]:
    """The destinations of a request by field, checked."""
    found: dict[str, str] = {}
    for key, name in (("OnSuccess", "on_success"), ("OnFailure", "on_failure")):
        part = structure_of(given, key)
        if part is None:
            continue
        arn = part.get("Destination") or ""
        if not isinstance(arn, str):
            raise RefusedError(serialization("Destination must be text."))
        if not re.fullmatch(_DESTINATION_PATTERN, arn):
            member = f"destinationConfig.{key[0].lower()}{key[1:]}.destination"
            raise RefusedError(validation([pattern_fault(arn, member, _DESTINATION_PATTERN)]))
        found[name] = arn
    for arn in filter(None, found.values()):
        if arn.split(":")[2:3] not in [[service] for service in _SERVICES]:
            raise RefusedError(invalid_parameter(_invalid_destinations(found)))
        _check_function(account, function, arn)
    return found


def _invalid_destinations(found: dict[str, str]) -> str:
    parts = (
        f"{kind}(destination={found[name]})" if found.get(name) else "null"
        for kind, name in (("OnSuccess", "on_success"), ("OnFailure", "on_failure"))
    )
    return "The provided destination config DestinationConfig(onSuccess={}, onFailure={}) is invalid.".format(*parts)


def _check_function(account: Account, function: Function, arn: str) -> None:
    """A destination that is a function of this account must be there, and another one."""
    if not arn.startswith(f"arn:{partition_of(account.functions.region)}:lambda:"):
        return
    target = account.functions.get(parse_address(arn, "").name)
    if target is None:
        raise RefusedError(invalid_parameter(f"The destination ARN {arn} is invalid."))
    if target is function:
        raise RefusedError(invalid_parameter("You can't specify the function as a destination for itself."))

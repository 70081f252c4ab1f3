"""The operations on who may invoke a function: kept and shown, while on this machine the keys decide."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from lmfunction._names import partition_of
from lmfunction.local._answers import invalid_parameter, not_found, ok, refusal
from lmfunction.local._calls import Account, Call, check_revision
from lmfunction.local._functions import LATEST, Function
from lmfunction.local._http import Answer
from lmfunction.local._invoke import RefusedError

_STATEMENT_PATTERN: Final = r"([a-zA-Z0-9-_]+)"
_ACTION_PATTERN: Final = r"(lambda:[*]|lambda:[a-zA-Z]+|[*])"
_PRINCIPAL_PATTERN: Final = r"[^\s]+"
# Member of the request -> operator and key of the statement's condition.
_CONDITIONS: Final = {
    "SourceArn": ("ArnLike", "AWS:SourceArn"),
    "SourceAccount": ("StringEquals", "AWS:SourceAccount"),
    "PrincipalOrgID": ("StringEquals", "aws:PrincipalOrgID"),
    "EventSourceToken": ("StringEquals", "lambda:EventSourceToken"),
    "FunctionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
}


def add_permission(account: Account, call: Call) -> Answer:
    """AddPermission."""
    sid = call.required_text("StatementId", _STATEMENT_PATTERN)
    action = call.required_text("Action", _ACTION_PATTERN)
    principal = call.required_text("Principal", _PRINCIPAL_PATTERN)
    if call.address.qualifier == LATEST:
        raise RefusedError(invalid_parameter("We currently do not support adding policies for $LATEST."))
    function, qualifier = _found(account, call)
    check_revision(call, _revision(function, qualifier))
    statements = function.policies.get(qualifier, [])
    if any(s["Sid"] == sid for s in statements):
        text = (
            f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the "
            "existing statement."
        )
        raise RefusedError(refusal(409, "ResourceConflictException", text))
    statement: dict[str, Any] = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": _principal(account, principal),
        "Action": action,
        "Resource": account.functions.arn(function.latest.name, call.address.qualifier),
    }
    conditions = _conditions(call)
    if conditions:
        statement["Condition"] = conditions
    function.policies[qualifier] = [*statements, statement]
    _revise(function, qualifier)
    account.changed(function)
    return ok({"Statement": json.dumps(statement, separators=(",", ":"))}, status=201)


def remove_permission(account: Account, call: Call) -> Answer:
    """RemovePermission."""
    if account.functions.get(call.address.name) is None:
        text = f"No policy found for: {account.functions.arn(call.address.name)}"
        raise RefusedError(refusal(404, "ResourceNotFoundException", text))
    function, qualifier = _found(account, call)
    statements = function.policies.get(qualifier)
    if not statements:
        text = "No policy is associated with the given resource."
        raise RefusedError(refusal(404, "ResourceNotFoundException", text))
    left = [s for s in statements if s["Sid"] != call.part]
    if len(left) == len(statements):
        text = f"Statement {call.part} is not found in resource policy."
        raise RefusedError(refusal(404, "ResourceNotFoundException", text))
    check_revision(call, _revision(function, qualifier), call.parameter("RevisionId"))
    if left:
        function.policies[qualifier] = left
    else:
        del function.policies[qualifier]
    _revise(function, qualifier)
    account.changed(function)
    return ok(status=204)


def get_policy(account: Account, call: Call) -> Answer:
    """GetPolicy."""
    function, qualifier = _found(account, call)
    statements = function.policies.get(qualifier)
    if not statements:
        text = "The resource you requested does not exist."
        raise RefusedError(refusal(404, "ResourceNotFoundException", text))
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
    return ok({"Policy": json.dumps(policy, separators=(",", ":")), "RevisionId": _revision(function, qualifier)})


def _found(account: Account, call: Call) -> tuple[Function, str]:
    function, qualifier = account.function(call), call.address.qualifier or LATEST
    if function.resolve(qualifier) is None:
        arn = account.arn(call.address)
        if qualifier.isdigit():
            raise RefusedError(not_found(arn))
        raise RefusedError(refusal(404, "ResourceNotFoundException", f"Cannot find alias arn: {arn}"))
    return function, qualifier


def _revision(function: Function, qualifier: str) -> str:
    if qualifier in function.aliases:
        return function.aliases[qualifier].revision_id
    version = function.version(qualifier)
    assert version is not None
    return version.revision_id


def _revise(function: Function, qualifier: str) -> None:
    if qualifier in function.aliases:
        function.aliases[qualifier] = function.aliases[qualifier].changed()
    elif qualifier in function.versions:
        function.versions[qualifier] = function.versions[qualifier].revised()
    else:
        function.latest = function.latest.revised()


def _principal(account: Account, given: str) -> str | dict[str, str]:
    partition = partition_of(account.functions.region)
    if given == "*":
        return given
    if re.fullmatch(r"\d{12}", given):
        return {"AWS": f"arn:{partition}:iam::{given}:root"}
    if re.match(r"arn:aws[a-zA-Z-]*:(iam|sts):", given):
        return {"AWS": given}
    if given.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        return {"Service": given}
    text = "The provided principal was invalid. Please check the principal and try again."
    raise RefusedError(invalid_parameter(text))


def _conditions(call: Call) -> dict[str, dict[str, str]]:
    conditions: dict[str, dict[str, str]] = {}
    for member, (operator, key) in _CONDITIONS.items():
        value = call.text(member)
        if value is not None:
            conditions.setdefault(operator, {})[key] = value
    if call.flag("InvokedViaFunctionUrl"):
        conditions["Bool"] = {"lambda:InvokedViaFunctionUrl": "true"}
    return conditions

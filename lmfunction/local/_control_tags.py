"""The operations on tags, which belong to functions."""

from __future__ import annotations

import re
from typing import Final

from lmfunction.local._answers import invalid_parameter, ok, pattern_fault, validation
from lmfunction.local._calls import Account, Call, null_fault, structure_of
from lmfunction.local._control_functions import tags_of
from lmfunction.local._functions import Function
from lmfunction.local._http import Answer
from lmfunction.local._invoke import RefusedError

_RESOURCE_PATTERN: Final = (
    r"arn:(aws[a-zA-Z-]*):lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|"
    r"code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-"
    r"[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"
)


def list_tags(account: Account, call: Call) -> Answer:
    """ListTags."""
    return ok({"Tags": _found(account, call).tags})


def tag_resource(account: Account, call: Call) -> Answer:
    """TagResource."""
    given = structure_of(call.document, "Tags")
    if not given:
        raise RefusedError(invalid_parameter("An error occurred and the request cannot be processed."))
    function = _found(account, call)
    function.tags = tags_of(given, function.tags)
    function.latest = function.latest.revised()
    account.changed(function)
    return ok(status=204)


def untag_resource(account: Account, call: Call) -> Answer:
    """UntagResource; keys that are not there are passed over."""
    keys = call.asked.get("tagKeys", [])
    if not keys:
        raise RefusedError(validation([null_fault("tagKeys")]))
    function = _found(account, call)
    function.tags = {key: value for key, value in function.tags.items() if key not in keys}
    function.latest = function.latest.revised()
    account.changed(function)
    return ok(status=204)


def _found(account: Account, call: Call) -> Function:
    if not re.fullmatch(_RESOURCE_PATTERN, call.name) or ":function:" not in call.name:
        raise RefusedError(validation([pattern_fault(call.name, "resource", _RESOURCE_PATTERN)]))
    if call.address.qualifier is not None:
        text = "Tags on function aliases and versions are not supported. Please specify a function ARN."
        raise RefusedError(invalid_parameter(text))
    return account.function(call)

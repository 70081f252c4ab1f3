"""Requests of the API that the server makes to itself, without a connection: how definitions become functions."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from lmfunction import _wire
from lmfunction.local._calls import Account, Call
from lmfunction.local._control import OPERATIONS
from lmfunction.local._definition import CallRefusedError
from lmfunction.local._invoke import RefusedError


def own_request(account: Account, operation: str, members: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer of `operation` for `members`, which are spelled as boto3 has them. Raises CallRefusedError."""
    name = str(members.get("FunctionName") or members.get("LayerName") or "")
    part = str(members["Name"]) if operation == "UpdateAlias" else ""
    query = urlencode({"Qualifier": members["Qualifier"]}) if "Qualifier" in members else ""
    body = json.dumps(members, default=lambda data: base64.b64encode(data).decode()).encode()
    try:
        answer = OPERATIONS[operation](account, Call(name, part, query, body))
    except RefusedError as refused:
        told = json.loads(refused.answer.body)
        code = dict(refused.answer.headers).get(_wire.ERROR_TYPE, "")
        raise CallRefusedError(code, told.get("message") or told.get("Message") or "") from None
    found: Mapping[str, Any] = json.loads(answer.body or b"{}")
    return found

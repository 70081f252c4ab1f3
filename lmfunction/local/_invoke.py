"""Invoke: from the HTTP request to an invocation, and from its outcome to the HTTP answer.

Statuses, headers and texts are those recorded from AWS, in the order in which AWS checks.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from urllib.parse import parse_qs

from lmfunction import _wire
from lmfunction.local._answers import (
    NAME_PATTERN,
    QUALIFIER_PATTERN,
    TENANT_PATTERN,
    enum_fault,
    fault,
    invalid_parameter,
    new_request_id,
    not_found,
    ok,
    other_region,
    pattern_fault,
    refusal,
    throttled,
    too_large,
    validation,
)
from lmfunction.local._events import EventQueue
from lmfunction.local._fleet import ACCOUNT_LIMIT, Fleet
from lmfunction.local._functions import LATEST, Function, Functions
from lmfunction.local._http import Answer, Request
from lmfunction.local._invocation import Invocation, Outcome

Told = Callable[[Invocation, str, Outcome], None]

_NAME: Final = re.compile(NAME_PATTERN)
_REGION_GROUP, _ACCOUNT_GROUP, _NAME_GROUP, _QUALIFIER_GROUP = 3, 9, 11, 13
_QUALIFIER: Final = re.compile(QUALIFIER_PATTERN)
_TENANT: Final = re.compile(TENANT_PATTERN)
_TRACE: Final = re.compile(r"Root=[\w=;:.-]{1,512}", re.ASCII)
_NAME_LIMIT: Final = 256
_QUALIFIER_LIMIT: Final = 128


class RefusedError(Exception):
    """The request is refused with `answer`."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Address:
    """What a request's path and query name: the function, and the qualifier as the caller gave it."""

    name: str
    qualifier: str | None
    region: str | None
    account: str | None


class Invoke:
    """The operation Invoke over a table of functions and a fleet. `told` hears of every finished attempt."""

    def __init__(self, functions: Functions, fleet: Fleet, events: EventQueue, told: Told) -> None:
        self._functions = functions
        self._fleet = fleet
        self._events = events
        self._told = told

    def answer(self, name: str, query: str, request: Request, reply: Callable[[Answer], None]) -> None:
        """Answers one Invoke request through `reply`, or raises RefusedError."""
        headers = request.headers
        kind = headers.get("x-amz-invocation-type", "RequestResponse")
        log_type = headers.get("x-amz-log-type", "None")
        faults = [] if kind in _wire.INVOCATION_TYPES else [enum_fault(kind, "invocationType", _wire.INVOCATION_TYPES)]
        if log_type not in _wire.LOG_TYPES:
            faults.append(enum_fault(log_type, "logType", _wire.LOG_TYPES))
        address = parse_address(name, query, faults)
        function = find_function(self._functions, address)
        event = _checked_event(request, kind)
        request_id = new_request_id()
        if kind == "DryRun":
            reply(Answer(204, ((_wire.REQUEST_ID, request_id),)))
            return
        configuration = self._functions.pick(function, address.qualifier)
        assert configuration is not None
        invocation = Invocation(
            request_id,
            configuration,
            self._functions.arn(address.name, address.qualifier),
            event,
            done=_ignore,
            trace_id=_trace_id(headers.get("x-amzn-trace-id")),
            tenant_id=_tenant_id(headers),
        )
        if kind == "Event":
            self._put(invocation, address.qualifier, reply)
            return
        invocation.client_context = _client_context(headers)
        invocation.wants_log = log_type == "Tail"
        self._run(invocation, reply)

    def _run(self, invocation: Invocation, reply: Callable[[Answer], None]) -> None:
        def done(outcome: Outcome) -> None:
            reply(_answer_of(invocation, outcome))
            self._told(invocation, "RequestResponse", outcome)

        invocation.done = done
        reason = self._fleet.run(invocation)
        if reason is not None:
            raise RefusedError(throttled(reason))

    def _put(self, invocation: Invocation, qualifier: str | None, reply: Callable[[Answer], None]) -> None:
        def accepted(stored: bool) -> None:
            if not stored:
                text = "The event could not be stored: the state folder cannot be written."
                reply(refusal(500, "ServiceException", text, request_id=invocation.request_id))
                return
            trace = (_wire.TRACE_ID, invocation.trace_id)
            queued = ok(status=202, request_id=invocation.request_id)
            reply(Answer(202, (*queued.headers, (_wire.REMAPPED_LENGTH, "0"), trace)))

        if not self._events.put(invocation, qualifier, accepted):
            raise RefusedError(throttled(ACCOUNT_LIMIT))


def parse_address(name: str, query: str, faults: list[str] | None = None) -> Address:
    """The function that a path names, taken apart; raises RefusedError for spellings that AWS refuses.

    `faults` found before are reported in the same answer.
    """
    faults = [] if faults is None else faults
    found = _NAME.fullmatch(name)
    if found is None:
        faults.append(pattern_fault(name, "functionName", NAME_PATTERN))
    if len(name) > _NAME_LIMIT:
        faults.append(fault(name, "functionName", f"have length less than or equal to {_NAME_LIMIT}"))
    given = parse_qs(query, keep_blank_values=True).get("Qualifier", [None])[0] if query else None
    if given is not None:
        if not _QUALIFIER.fullmatch(given):
            faults.append(pattern_fault(given, "qualifier", QUALIFIER_PATTERN))
        if len(given) > _QUALIFIER_LIMIT:
            faults.append(fault(given, "qualifier", f"have length less than or equal to {_QUALIFIER_LIMIT}"))
    if faults or found is None:
        raise RefusedError(validation(faults))
    own = found[_QUALIFIER_GROUP]
    if own is not None and given is not None and own != given:
        text = "The derived qualifier from the function name does not match the specified qualifier."
        raise RefusedError(invalid_parameter(text))
    region, account = found[_REGION_GROUP], found[_ACCOUNT_GROUP]
    return Address(found[_NAME_GROUP], own or given, region and region[:-1], account and account[:-1])


def find_function(functions: Functions, address: Address) -> Function:
    """The function at `address`, whose qualifier is sure to resolve; raises RefusedError when there is none."""
    if address.region is not None and address.region != functions.region:
        raise RefusedError(other_region(address.region, functions.region))
    function = functions.get(address.name)
    foreign = address.account is not None and address.account != functions.account
    if function is None or foreign or function.resolve(address.qualifier) is None:
        arn = functions.arn(address.name, address.qualifier or LATEST)
        if foreign and address.account is not None:
            arn = arn.replace(f":{functions.account}:", f":{address.account}:", 1)
        raise RefusedError(not_found(arn))
    return function


def _ignore(outcome: Outcome) -> None:
    """Stands in until the invocation has somebody who waits for it."""


def _answer_of(invocation: Invocation, outcome: Outcome) -> Answer:
    headers = [
        ("Content-Type", "application/json"),
        (_wire.REQUEST_ID, invocation.request_id),
        (_wire.REMAPPED_LENGTH, "0"),
        (_wire.EXECUTED_VERSION, invocation.configuration.version),
        (_wire.TRACE_ID, invocation.trace_id),
    ]
    if outcome.error is not None:
        headers.append((_wire.FUNCTION_ERROR, outcome.error))
    if invocation.wants_log:
        headers.append((_wire.LOG_RESULT, base64.b64encode(outcome.log).decode()))
    return Answer(200, headers, outcome.payload)


def _checked_event(request: Request, kind: str) -> bytes:
    """The event as it was sent; `{}` when nothing was."""
    body = request.body
    if kind == "Event" and len(body) > _wire.EVENT_REQUEST_LIMIT:
        raise RefusedError(
            too_large(
                f"{len(body)} byte payload is too large for the Event invocation type "
                f"(limit {_wire.EVENT_REQUEST_LIMIT} bytes)"
            )
        )
    if not body:
        return b"{}"
    try:
        _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError) as e:
        text = f"Could not parse request body into json: Could not parse payload into json: {_jackson_text(e)}"
        raise RefusedError(refusal(400, "InvalidRequestContentException", text)) from None
    return body


def _jackson_text(error: Exception) -> str:
    """The reason in the words of Jackson, the JSON parser that AWS uses, as near as the position allows."""
    if isinstance(error, UnicodeDecodeError):
        return f"Invalid UTF-8 start byte 0x{error.object[error.start]:x}"
    if not isinstance(error, json.JSONDecodeError):
        return "The document is nested too deeply" if isinstance(error, RecursionError) else str(error)
    where = f"\n at [Source: REDACTED; line: {error.lineno}, column: {error.colno + 1}]"
    if error.pos >= len(error.doc):
        return f"Unexpected end-of-input{where}"
    token = re.match(r"[A-Za-z_$][\w$]*", error.doc[error.pos :])
    if token is not None:
        wanted = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
        return f"Unrecognized token '{token.group()[:64]}': was expecting {wanted}{where}"
    char = error.doc[error.pos]
    return f"Unexpected character ('{char}' (code {ord(char)})): {error.msg.lower()}{where}"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"Non-standard token '{name}'")


# Numbers stay text: only their spelling is checked here, and Python refuses to convert very long ones.
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=str, parse_float=str)


def _client_context(headers: dict[str, str]) -> str:
    """The client context as JSON in one ASCII line, or an empty text."""
    encoded = headers.get("x-amz-client-context")
    if not encoded:
        return ""
    if len(encoded) > _wire.CLIENT_CONTEXT_LIMIT:
        text = f"Client context must be no more than {_wire.CLIENT_CONTEXT_LIMIT} bytes of Base64."
        raise RefusedError(refusal(400, "InvalidRequestContentException", text))
    try:
        value: Any = json.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        text = "Client context must be a valid Base64-encoded JSON object."
        raise RefusedError(refusal(400, "InvalidRequestContentException", text))
    return json.dumps(value)  # written anew: a line break inside would end the Runtime API's header


def _tenant_id(headers: dict[str, str]) -> str:
    tenant = headers.get("x-amz-tenant-id", "")
    if tenant and not (_TENANT.fullmatch(tenant) and len(tenant) <= 256):
        raise RefusedError(validation([pattern_fault(tenant, "tenantId", TENANT_PATTERN)]))
    if "x-amz-durable-execution-name" in headers:
        raise RefusedError(invalid_parameter("The embedded Lambda has no durable functions."))
    return tenant


def _trace_id(given: str | None) -> str:
    """The caller's trace header, or a new one that is not sampled."""
    if given is not None and _TRACE.fullmatch(given):
        return given
    text = os.urandom(24).hex()
    return f"Root=1-{int(time.time()):08x}-{text[:24]};Parent={text[24:40]};Sampled=0;Lineage=1:{text[40:48]}:0"

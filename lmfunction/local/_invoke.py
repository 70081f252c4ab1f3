"""Invoke: from the HTTP request to an invocation, and from its outcome to the HTTP answer.

Statuses, headers and texts are those recorded from AWS, in the order in which AWS checks.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
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
from lmfunction.local._functions import LATEST, Configuration, Function, Functions
from lmfunction.local._http import Answer, Request
from lmfunction.local._invocation import Invocation, Outcome
from lmfunction.local._jackson import json_fault
from lmfunction.local._streaming import StreamAnswer
from lmfunction.local._trace import trace_id

Told = Callable[[Invocation, str, Outcome], None]

_NAME: Final = re.compile(NAME_PATTERN)
_REGION_GROUP, _ACCOUNT_GROUP, _NAME_GROUP, _QUALIFIER_GROUP = 3, 9, 11, 13
_QUALIFIER: Final = re.compile(QUALIFIER_PATTERN)
_TENANT: Final = re.compile(TENANT_PATTERN)
_NAME_LIMIT: Final = 256
_QUALIFIER_LIMIT: Final = 128
_TENANT_LIMIT: Final = 256
_NOT_DURABLE: Final = (
    "Durable executions are not supported here: the embedded Lambda has no durable functions. "
    "Invoke without DurableExecutionName, or against AWS."
)


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

    def answer(
        self, name: str, query: str, request: Request, reply: Callable[[Answer], None], *, streams: bool = False
    ) -> None:
        """Answers one request of Invoke, or of InvokeWithResponseStream, through `reply`, or raises RefusedError."""
        headers = request.headers
        kind = headers.get("x-amz-invocation-type", "RequestResponse")
        log_type = headers.get("x-amz-log-type", "None")
        kinds = _wire.STREAMING_INVOCATION_TYPES if streams else _wire.INVOCATION_TYPES
        faults = [] if kind in kinds else [enum_fault(kind, "invocationType", kinds)]
        if log_type not in _wire.LOG_TYPES:
            faults.append(enum_fault(log_type, "logType", _wire.LOG_TYPES))
        tenant = headers.get("x-amz-tenant-id", "")
        address = parse_address(name, query, tuple(faults), _tenant_faults(tenant) if tenant else ())
        function = find_function(self._functions, address)
        event = _checked_event(request, kind)
        if "x-amz-durable-execution-name" in headers:
            raise RefusedError(invalid_parameter(_NOT_DURABLE))
        configuration = self._functions.pick(function, address.qualifier)
        assert configuration is not None
        _check_tenant(configuration, tenant)
        request_id = new_request_id()
        if kind == "DryRun":
            reply(Answer(204, ((_wire.REQUEST_ID, request_id),)))
            return
        invocation = Invocation(
            request_id,
            configuration,
            self._functions.arn(configuration.name, address.qualifier),
            event,
            done=_ignore,
            trace_id=_trace_id(headers.get("x-amzn-trace-id"), function),
            tenant_id=tenant,
        )
        if kind == "Event":
            self._put(invocation, address.qualifier, reply)
            return
        invocation.client_context = _client_context(headers)
        invocation.wants_log = log_type == "Tail"
        self._run(invocation, reply, streams=streams)

    def _run(self, invocation: Invocation, reply: Callable[[Answer], None], *, streams: bool) -> None:
        def done(invocation: Invocation, outcome: Outcome) -> None:
            stream, invocation.receiver = invocation.receiver, None
            if isinstance(stream, StreamAnswer):
                stream.finish(outcome)
            else:
                reply(_answer_of(invocation, outcome))
            self._told(invocation, "RequestResponse", outcome)

        invocation.done = done
        if streams:
            invocation.receiver = StreamAnswer(invocation, reply)
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


@functools.lru_cache(maxsize=256)  # the same function is called again and again
def parse_address(name: str, query: str, more: tuple[str, ...] = (), last: tuple[str, ...] = ()) -> Address:
    """The function that a path names, taken apart; raises RefusedError for spellings that AWS refuses.

    `more` and `last` are faults of other members, which are reported in the same answer: in the order of the API's
    model, `more` between the name and the qualifier.
    """
    found = _NAME.fullmatch(name)
    faults = [] if found is not None else [pattern_fault(name, "functionName", NAME_PATTERN)]
    if len(name) > _NAME_LIMIT:
        faults.append(fault(name, "functionName", f"have length less than or equal to {_NAME_LIMIT}"))
    faults += more
    given = parse_qs(query, keep_blank_values=True).get("Qualifier", [None])[0] if query else None
    if given is not None:
        faults += _qualifier_faults(given)
    faults += last
    if faults or found is None:
        raise RefusedError(validation(faults))
    own = found[_QUALIFIER_GROUP]
    if own is not None and given is not None and own != given:
        text = "The derived qualifier from the function name does not match the specified qualifier."
        raise RefusedError(invalid_parameter(text))
    region, account = found[_REGION_GROUP], found[_ACCOUNT_GROUP]
    return Address(found[_NAME_GROUP], own or given, region and region[:-1], account and account[:-1])


def _qualifier_faults(qualifier: str) -> list[str]:
    faults = []
    if not _QUALIFIER.fullmatch(qualifier):
        faults.append(pattern_fault(qualifier, "qualifier", QUALIFIER_PATTERN))
    if len(qualifier) > _QUALIFIER_LIMIT:
        faults.append(fault(qualifier, "qualifier", f"have length less than or equal to {_QUALIFIER_LIMIT}"))
    if not qualifier:
        faults.append(fault(qualifier, "qualifier", "have length greater than or equal to 1"))
    return faults


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


def _ignore(invocation: Invocation, outcome: Outcome) -> None:
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
    reason = json_fault(body)
    if reason is not None:
        text = f"Could not parse request body into json: Could not parse payload into json: {reason}"
        raise RefusedError(refusal(400, "InvalidRequestContentException", text))
    return body


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


def _tenant_faults(tenant: str) -> tuple[str, ...]:
    faults = [] if _TENANT.fullmatch(tenant) else [pattern_fault(tenant, "tenantId", TENANT_PATTERN)]
    if len(tenant) > _TENANT_LIMIT:
        faults.append(fault(tenant, "tenantId", f"have length less than or equal to {_TENANT_LIMIT}"))
    return tuple(faults)


def _check_tenant(configuration: Configuration, tenant: str) -> None:
    """A tenant is named for a function that keeps tenants apart, and for no other. Source: answers seen from AWS."""
    if configuration.per_tenant and not tenant:
        text = "is enabled with tenancy configuration. Add a valid tenant ID in your request and try again."
        raise RefusedError(invalid_parameter(f"The invoked function {text}"))
    if tenant and not configuration.per_tenant:
        text = "is not enabled with tenancy configuration. Remove the tenant ID from your request and try again."
        raise RefusedError(invalid_parameter(f"The invoked function {text}"))


def _trace_id(given: str | None, function: Function) -> str:
    trace = trace_id(given, function.latest.arn, stops=function.recursive_loop != "Allow")
    if trace is None:
        text = (
            "Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services "
            "resources and stopped your function's invocation."
        )
        raise RefusedError(refusal(400, "RecursiveInvocationException", text))
    return trace

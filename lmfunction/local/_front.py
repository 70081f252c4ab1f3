"""The front door: who may call, which operation a path means, and nothing that is not in the table of operations.

An operation of Lambda that is not here is answered 501 NotImplementedException, which no SDK retries and which names
it; any other path 404; a known path with another method 405.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from lmfunction import _wire
from lmfunction._text import ascii_only, shorten
from lmfunction.local._addresses import foreign_fault, hosts_of
from lmfunction.local._answers import refusal, too_large
from lmfunction.local._auth import SignatureCheck
from lmfunction.local._calls import Account, Call
from lmfunction.local._control import OPERATIONS, Operation
from lmfunction.local._http import Answer, Request
from lmfunction.local._invoke import Invoke, RefusedError
from lmfunction.local._logs import Logs
from lmfunction.local._records import PATH as RECORDS_PATH
from lmfunction.local._records import Records
from lmfunction.local._routes import Routes

_STREAMING: Final = "InvokeWithResponseStream"
_INVOKING: Final = frozenset({"Invoke", _STREAMING})
_METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE"})
_ROUTES_REMEMBERED: Final = 256
_UPLOAD_LIMIT: Final = 70_167_211  # AWS: "Request must be smaller than 70167211 bytes for the CreateFunction operation"
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SEGMENT: Final = re.compile(r"(?!\.{1,2}$)[\w.:$!%@+,=~-]+", re.ASCII)
# What Lambda's paths begin with, after the date (the operations of service-2.json).
_FAMILIES: Final = frozenset(
    {
        "functions",
        "layers",
        "event-source-mappings",
        "tags",
        "account-settings",
        "code-signing-configs",
        "capacity-providers",
        "durable-executions",
        "durable-execution-callbacks",
        "resource-policy",
    }
)


@dataclass(frozen=True, slots=True)
class _Route:
    """What a request asks for: an operation of the control plane, or Invoke when that is None.

    `streams` is for InvokeWithResponseStream; `service` is whose operation it is, for which the request must be signed;
    `called` is its name.
    """

    operation: Operation | None
    name: str
    part: str
    query: str
    service: str = "lambda"
    streams: bool = False
    called: str = ""


# The JSON protocol of CloudWatch Logs has one path; the operation stands in a header.
_READS_LOGS: Final = _Route(None, "", "", "", "logs")


class Front:
    """The Lambda API of one server on one port (an `_http.Application`)."""

    def __init__(
        self,
        port: int,
        signatures: SignatureCheck,
        invoke: Invoke,
        account: Account,
        logs: Logs,
        records: Records,
        when_kept: Callable[[Callable[[bool], None]], None],
    ) -> None:
        self._hosts = hosts_of(port)
        self._route = functools.lru_cache(maxsize=_ROUTES_REMEMBERED)(self._find_route)
        self._signatures = signatures
        self._invoke = invoke
        self._account = account
        self._logs = logs
        self._records = records
        self._when_kept = when_kept
        self._routes = Routes()

    def admit(self, request: Request) -> int | Answer:
        """The largest body for `request`, or the refusal: of web pages, unknown paths and callers without our key."""
        if "host" not in request.headers:
            return refusal(400, "BadRequestException", "A request needs one Host header.")
        fault = foreign_fault(request.headers, self._hosts)
        if fault is not None:
            return refusal(403, "ForbiddenException", fault)
        try:
            route = request.route = self._route(request.method, request.target)
        except RefusedError as e:
            return e.answer
        return self._signatures.early_refusal(request.headers) or (
            _UPLOAD_LIMIT if route.operation is not None else _wire.SYNC_REQUEST_LIMIT
        )

    def answer(self, request: Request, reply: Callable[[Answer], None]) -> None:
        """Runs the operation that `admit` found."""
        route: _Route = request.route
        # A body that was too long is gone, so its signature cannot be verified; this answer tells nothing either.
        refused = _too_large(route) if request.oversized else self._signatures.refusal(request, route.service)
        if refused is not None:
            reply(refused)
            return
        try:
            if route is _READS_LOGS:
                reply(self._logs.answer(request))
            elif route.name is RECORDS_PATH:
                self._records.answer(route.query, reply)
            elif route.operation is None:
                self._invoke.answer(route.name, route.query, request, reply, streams=route.streams)
            else:
                answer = route.operation(self._account, Call(route.name, route.part, route.query, request.body))
                self._when_kept(lambda kept: reply(answer if kept else _not_kept()))
        except RefusedError as e:
            reply(e.answer)

    def _find_route(self, method: str, target: str) -> _Route:
        """What `method` and `target` ask for; raises RefusedError, whose answer is made anew for each request."""
        if method not in _METHODS:
            raise _not_allowed(method)
        if target == "/" and method == "POST":
            return _READS_LOGS
        path, _, query = target.partition("?")
        if path == RECORDS_PATH and method == "GET":
            return _Route(None, RECORDS_PATH, "", query)
        if not path.startswith("/"):
            raise RefusedError(refusal(400, "BadRequestException", "The request target must be a path."))
        segments = path.split("/")[1:]
        if len(segments) == 3 and not segments[2]:
            segments.pop()  # older SDKs write the collection as /functions/
        if not _is_lambda_path(segments):
            raise RefusedError(refusal(404, "UnknownOperationException", "There is no such path here."))
        methods = self._routes.methods(segments, query)
        if methods is None:
            # A path that is not in the table still is one of Lambda's own.
            raise _not_here(f"{method} {ascii_only(shorten(path, 200))}")
        name = methods.get(method)
        if name is None:
            raise _not_allowed(method)
        operation = OPERATIONS.get(name)
        if operation is None and name not in _INVOKING:
            raise _not_here(name)
        subject, part = ([unquote(s) for s in segments[2::2]] + ["", ""])[:2]
        return _Route(operation, subject, part, query, streams=name == _STREAMING, called=name)


def _not_kept() -> Answer:
    return refusal(500, "ServiceException", "The change could not be stored: the state folder cannot be written.")


def _is_lambda_path(segments: list[str]) -> bool:
    """Whether a path is one of the Lambda API's, without tricks: empty, dot or encoded-slash segments."""
    return (
        len(segments) >= 2
        and _DATE.fullmatch(segments[0]) is not None
        and segments[1] in _FAMILIES
        and all(_SEGMENT.fullmatch(s) and not _hides_a_path(s) for s in segments)
    )


def _hides_a_path(segment: str) -> bool:
    if "%" not in segment:
        return False
    text = unquote(segment)
    return "/" in text or "\\" in text or "%" in text or text in (".", "..")


def _too_large(route: _Route) -> Answer:
    limit, called = _wire.SYNC_REQUEST_LIMIT, "InvokeFunction"
    if route.operation is not None:
        limit, called = _UPLOAD_LIMIT, route.called
    return too_large(f"Request must be smaller than {limit} bytes for the {called} operation")


def _not_here(operation: str) -> RefusedError:
    text = f"{operation} is an operation that the embedded Lambda does not have."
    return RefusedError(refusal(501, "NotImplementedException", text))


def _not_allowed(method: str) -> RefusedError:
    answer = refusal(405, "MethodNotAllowedException", "This method is not allowed here.")
    return RefusedError(Answer(405, answer.headers, b"" if method == "HEAD" else answer.body))

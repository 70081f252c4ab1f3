"""One call from plan to result: a session owns the connections, sends, retries and tells what is known."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lmfunction import _wire
from lmfunction._auth import Credential
from lmfunction._boto import Connection
from lmfunction._cards import plan_card
from lmfunction._connection import EMBEDDED_ACCOUNT, Place, resolve_place
from lmfunction._direct import DirectTransport
from lmfunction._model import Attempt, InvokeResult
from lmfunction._names import FunctionName, check_once_key, parse_function_name
from lmfunction._prepare import Warn, build_request
from lmfunction._profile_values import Profile
from lmfunction._redact import Redaction
from lmfunction._render.card import Card, Section
from lmfunction._request import InvokeRequest, Target
from lmfunction._retry import RetryPolicy, send_with_retries
from lmfunction._secret_values import Known, SecretValues, hide
from lmfunction._transport import Reply, Transport, endpoint_of
from lmfunction.errors import InvocationInterrupted, LMError

Again = Callable[[InvokeRequest], InvokeResult]


@dataclass(frozen=True)
class Plan:
    """One call, resolved and checked, that has not been sent."""

    request: InvokeRequest
    place: Place
    account_before: str | None = None  # the one that the last call with the same credentials went to
    once_key: str | None = None
    once_told: str = ""  # what would become of the key

    @property
    def function(self) -> FunctionName:
        """The function's name, taken apart."""
        return parse_function_name(self.request.function_name)

    @property
    def known_account(self) -> str | None:
        """The account, as far as it is known without asking: of the ARN, the profile, or the last call."""
        named = self.function.account or self.place.profile.account
        return named or (EMBEDDED_ACCOUNT if self.place.embedded else self.account_before)

    @property
    def account(self) -> str:
        """The account, or a word on who decides it."""
        return self.known_account or "that of the credentials (not asked)"

    @property
    def arn(self) -> str | None:
        """The function's ARN without its qualifier; None when the account is not known."""
        account = self.known_account
        return None if account is None else self.function.arn(self.place.connection.region, account)

    @property
    def name(self) -> str:
        """The function's bare name, which a confirmation asks for."""
        return self.function.name

    @property
    def endpoint(self) -> str:
        """The endpoint, for people."""
        return "embedded Lambda" if self.place.embedded else endpoint_of(self.place.connection)

    def resolved(self) -> Plan:
        """The plan itself, its endpoint known: what no client can be made of is an error now, not when it is shown."""
        _ = self.endpoint
        return self

    def __repr__(self) -> str:
        request = self.request
        named = f", {self.arn}" if self.arn else ""
        where = f"{self.endpoint}, account {self.account}, region {request.target.region}{named}"
        where += f", {len(request.payload):,} bytes"
        once = f" OnceKey {self.once_key}: {self.once_told}." if self.once_told else ""
        return f'What if: Performing the operation "Invoke-LMFunction" on target "{request.label}" at {where}.{once}'

    def card(self) -> Card:
        """The card that notebooks and terminals show."""
        card = plan_card(self.request, self.account, self.endpoint, self.place.profile.redaction, arn=self.arn)
        if not self.once_told:
            return card
        once = Section("OnceKey", [(self.once_key, self.once_told)], "pairs")
        return dataclasses.replace(card, sections=(*card.sections, once))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: repr(self), include, exclude)


class Connections:
    """The open transports, one for each connection, made when first needed. Forgotten in a forked child."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._open: dict[Connection, Transport] = {}
        self.secrets = SecretValues()

    def transport(self, place: Place) -> Transport:
        """The transport for `place`, its credentials got; starts the embedded Lambda when that is the place.

        Raises ProfileError for credentials that cannot be used. What failed is made anew by the next call.
        """
        connection = _embedded(place.connection) if place.embedded else place.connection
        if os.getpid() != self._pid:
            self._pid, self._open = os.getpid(), {}
        found = self._open.get(connection)
        if found is None:
            with self._lock:
                found = self._open.get(connection)
                if found is None:
                    self._forget_elders(connection)
                    found = self._open[connection] = DirectTransport(connection)
        try:
            found.ready()
        except LMError:
            self._open.pop(connection, None)
            raise
        return found

    def renewed(self, place: Place) -> Transport:
        """As `transport`, made anew: its credentials are looked for again."""
        connection = _embedded(place.connection) if place.embedded else place.connection
        self._open.pop(connection, None)
        return self.transport(place)

    def _forget_elders(self, connection: Connection) -> None:
        """Lets go of transports that ~/.aws made otherwise before it was edited; calls under way still use them."""
        wanted = _whatever_files(connection)
        for elder in [c for c in self._open if c != connection and _whatever_files(c) == wanted]:
            del self._open[elder]

    def opened(self, connection: Connection) -> Transport | None:
        """A transport that is open already to where `connection` goes, whatever its timeout; none is made."""
        wanted = _without_patience(connection)
        return next((t for c, t in [*self._open.items()] if _without_patience(c) == wanted), None)

    def close(self) -> None:
        """Closes every transport. The embedded Lambda goes on: it belongs to the process."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


def _whatever_files(connection: Connection) -> Connection:
    if connection.environment is None:
        return connection
    return dataclasses.replace(connection, environment=connection.environment._replace(files=()))


def _without_patience(connection: Connection) -> Connection:
    return dataclasses.replace(connection, read_timeout=0.0, attempts=1)


def make_plan(
    arguments: Mapping[str, Any],
    profile: Profile,
    aws_profile: str | None,
    *,
    warn: Warn,
    given: frozenset[str] | None = None,
) -> Plan:
    """The plan for converted `arguments`. Raises ParameterError or ProfileError; nothing is started or contacted."""
    arguments = with_full_name(arguments, profile.functions)
    function = parse_function_name(arguments.get("function_name"))
    place = resolve_place(arguments, profile, aws_profile, arn_region=function.region)
    target = Target(
        region=place.connection.region,
        endpoint_url=place.connection.endpoint_url,
        profile_name=place.profile_name,
        aws_profile=place.connection.aws_profile,
    )
    key = arguments.get("once_key")
    request = build_request(arguments, target, warn=warn, given=given)
    return Plan(request, place, once_key=None if key is None else check_once_key(key))


def send_plan(plan: Plan, connections: Connections, policy: RetryPolicy, again: Again | None = None) -> InvokeResult:
    """Sends the plan, at most once as far as the function can tell, and gives the result.

    `again` is what the result's `replay` does with the request; unset, it is sent as here. Raises TransportError,
    ServiceError or ProfileError; on Ctrl-C InvocationInterrupted, which says what is known.
    """
    request, known = connections.secrets.filled(plan.request, plan.place)
    try:
        return _sent(plan, request, known, connections, policy, again)
    except (LMError, InvocationInterrupted) as error:
        hide(error, known, plan.place.profile.redaction.with_secrets(known).text)
        raise


def _sent(
    plan: Plan,
    filled: InvokeRequest,
    known: Known,
    connections: Connections,
    policy: RetryPolicy,
    again: Again | None,
) -> InvokeResult:
    """The result of `filled`, which is the plan's request with its secrets in it; the result tells the plan's."""
    flight = _Flight(filled)
    request = plan.request
    start = policy.clock()
    try:
        transport = connections.transport(plan.place)
        start = policy.clock()  # the first use of a place makes its client; that is no part of the call
        reply, attempts = send_with_retries(
            lambda: flight.send(transport), policy, start + plan.place.connection.read_timeout
        )
    except KeyboardInterrupt:
        raise InvocationInterrupted(flight.what_is_known(), sent=flight.sent) from None
    return result_of(
        request_shown(request, transport),
        reply,
        attempts,
        (policy.clock() - start) * 1000,
        plan.place.profile.redaction.with_secrets(known),
        again or (lambda request: send_plan(Plan(request, plan.place), connections, policy)),
    )


def request_shown(request: InvokeRequest, transport: Transport) -> InvokeRequest:
    """The request as a result tells it, which names an endpoint that is not AWS's own."""
    if request.target.endpoint_url is not None or (url := _shown(transport)) is None:
        return request
    return dataclasses.replace(request, target=dataclasses.replace(request.target, endpoint_url=url))


class _Flight:
    """Whether the request is on its way, for the one question that matters after Ctrl-C."""

    def __init__(self, request: InvokeRequest) -> None:
        self.request = request
        self.sent: Literal[True, False] | None = False

    def send(self, transport: Transport) -> Reply:
        self.sent = None
        try:
            return transport.send(self.request)
        except Exception:
            self.sent = False  # an answer, or proof that nothing left: should we wait now, nothing runs
            raise

    def what_is_known(self) -> str:
        if self.sent is False:
            return f"Stopped. Nothing is running: {self.request.label} was not sent, or was refused."
        if self.request.invocation_type == "Event":
            return f"Stopped waiting. The event for {self.request.label} may have been queued."
        return (
            f"Stopped waiting. {self.request.label} may still be running: AWS cannot cancel an invocation. "
            "Look into its log before you repeat the call."
        )


def _shown(transport: Transport) -> str | None:
    """The endpoint to replay a call at, unless it is AWS's own."""
    given = transport.connection.endpoint_url
    return given if given is not None else _unless_aws(transport.endpoint_url)


def _unless_aws(url: str) -> str | None:
    return None if url.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")) else url


def result_of(
    request: InvokeRequest | tuple[InvokeRequest, bytes],
    reply: Reply,
    attempt_log: tuple[Attempt, ...] | None,
    elapsed_ms: float,
    redaction: Redaction,
    resend: Callable[[InvokeRequest], InvokeResult],
) -> InvokeResult:
    """The result of `request` that `reply` tells; the rest is what is known beside it."""
    status, headers, body = reply
    get = headers.get
    return InvokeResult(
        request,
        status,
        body,
        function_error=get(_FUNCTION_ERROR),
        log_result=get(_LOG_RESULT),
        executed_version=get(_EXECUTED_VERSION),
        durable_execution_arn=get(_DURABLE_ARN),
        request_id=get(_REQUEST_ID),
        trace_id=get(_TRACE_ID),
        elapsed_ms=elapsed_ms,
        attempt_log=attempt_log,
        resend=resend,
        redaction=redaction,
    )


_FUNCTION_ERROR = _wire.FUNCTION_ERROR.lower()
_LOG_RESULT = _wire.LOG_RESULT.lower()
_EXECUTED_VERSION = _wire.EXECUTED_VERSION.lower()
_DURABLE_ARN = _wire.DURABLE_EXECUTION_ARN.lower()
_REQUEST_ID = _wire.REQUEST_ID.lower()
_TRACE_ID = _wire.TRACE_ID.lower()


def with_full_name(arguments: Mapping[str, Any], functions: Mapping[str, str]) -> Mapping[str, Any]:
    """The arguments with a short name of the profile replaced by what it stands for, its qualifier kept."""
    name = arguments.get("function_name")
    if not functions or not isinstance(name, str):
        return arguments
    short, colon, qualifier = name.partition(":")
    if short not in functions:
        return arguments
    return {**arguments, "function_name": functions[short] + colon + qualifier}


def _embedded(connection: Connection) -> Connection:
    from lmfunction.local._child import embedded

    running = embedded(region=connection.region)
    return dataclasses.replace(
        connection, endpoint_url=running.url, credential=Credential(running.access_key, running.secret_key)
    )

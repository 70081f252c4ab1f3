"""What is known of the way from one boto3 client to Lambda, so that a sender of its own goes the same way.

Host, trust, user agent and timeouts are the client's. What such a sender cannot honour is a reason to leave the sending
to boto3: a proxy, a client's certificate, an endpoint with a query, requests that are not signed, a tracer that sees
what boto3 sends, a test's stub (moto's is one) that answers it.
"""

from __future__ import annotations

import os
import ssl
import types
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from lmfunction import _wire
from lmfunction._boto import CONNECT_TIMEOUT, Connection
from lmfunction._idle_connections import IdleConnections
from lmfunction._request import InvokeRequest


@dataclass(frozen=True, eq=False)
class Line:
    """A way to Lambda. `tls` is None for plain HTTP; `base` is the endpoint's own path; timeouts are in seconds."""

    url: str
    host: str
    port: int
    base: str
    region: str
    user_agent: str
    tls: ssl.SSLContext | None = field(repr=False)
    connect_timeout: float = CONNECT_TIMEOUT
    read_timeout: float = 930.0
    # The last TLS session, at most one, by which further connections open with less work.
    sessions: list[ssl.SSLSession] = field(default_factory=list, repr=False)
    idle: IdleConnections = field(default_factory=IdleConnections, repr=False)

    @property
    def host_header(self) -> str:
        """The Host header, as botocore writes and signs it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.tls is not None else 80
        return host if self.port == usual else f"{host}:{self.port}"

    def path(self, request: InvokeRequest) -> str:
        """The path of the request's URL, encoded."""
        return f"{self.base}{_wire.FUNCTIONS_PATH}/{quote(request.function_name, safe='-._~')}/invocations"

    def query(self, request: InvokeRequest) -> str:
        """The query of the request's URL, encoded; empty when there is none."""
        return "" if request.qualifier is None else f"Qualifier={quote(request.qualifier, safe='-._~')}"

    def headers(self, request: InvokeRequest) -> dict[str, str]:
        """The headers of the request, without those that signing adds."""
        members = request.members()
        named = {name: members[member] for member, name in _HEADERS.items() if member in members}
        return {**named, "User-Agent": self.user_agent}

    def no_connection(self, error: Exception) -> Exception:
        """What botocore would raise where `error` lets no connection come about; `_transport` translates both."""
        from botocore import exceptions as boto

        if isinstance(error, TimeoutError):
            found: Exception = boto.ConnectTimeoutError(endpoint_url=self.url)
        elif isinstance(error, ssl.SSLCertVerificationError):
            found = boto.SSLError(endpoint_url=self.url, error=error)
        else:  # a handshake that broke off among them: nothing of the request was sent
            found = boto.EndpointConnectionError(endpoint_url=self.url, error=error)
        found.__cause__ = error
        return found

    def broken(self, error: Exception) -> Exception:
        """What botocore would raise where `error` ends a connection before the answer is whole."""
        from botocore import exceptions as boto

        kind = boto.ReadTimeoutError if isinstance(error, TimeoutError) else boto.ConnectionClosedError
        found: Exception = kind(endpoint_url=self.url, error=error)
        found.__cause__ = error
        return found


_HEADERS = {
    "InvocationType": _wire.INVOCATION_TYPE,
    "LogType": _wire.LOG_TYPE,
    "ClientContext": _wire.CLIENT_CONTEXT,
    "TenantId": _wire.TENANT_ID,
    "DurableExecutionName": _wire.DURABLE_EXECUTION_NAME,
}


def line_of(client: Any, connection: Connection) -> Line | str:
    """The way that `client` goes, or why only it can go there; empty in somebody's test, where why is of no interest.

    Nothing is contacted.
    """
    url = str(client.meta.endpoint_url)
    parts = urlsplit(url)
    connect_timeout = dict(connection.options).get("connect_timeout", CONNECT_TIMEOUT)
    try:
        session = client._endpoint.http_session
        proxy = session._proxy_config.proxy_url_for(url)
        certificate, verify = session._cert_file, session._verify
        user_agent = client._user_agent_creator.to_string()
        answered = bool(client.meta.events._emitter._handlers.prefix_search("before-send.lambda.Invoke"))
    except AttributeError:
        return "this botocore does not tell how it connects"
    if answered:
        return ""
    if _is_traced():
        return "another library takes part in what boto3 sends"
    if "_X_AMZN_TRACE_ID" in os.environ and "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        return "this is a Lambda function, whose trace boto3 passes on"
    if not isinstance(connect_timeout, int | float):
        return "the connect_timeout is no number"
    if proxy:
        return "a proxy is in the way"
    if certificate:
        return "a client certificate is used"
    if not connection.signed or parts.query or parts.hostname is None:
        return "the endpoint is not an ordinary one"
    try:
        tls = _trust(verify) if parts.scheme == "https" else None
    except OSError:  # which boto3 tells of in its own way
        return "the certificates to trust cannot be read"
    return Line(
        url,
        parts.hostname,
        parts.port or (443 if tls is not None else 80),
        parts.path.rstrip("/"),
        connection.region,
        user_agent,
        tls,
        min(connect_timeout, connection.read_timeout),
        connection.read_timeout,
    )


def _is_traced() -> bool:
    """Whether somebody has put a function of their own in the place through which every call of boto3 goes."""
    from botocore.client import BaseClient

    called = BaseClient._make_api_call
    return not isinstance(called, types.FunctionType) or called.__module__ != BaseClient.__module__


def _trust(verify: bool | str) -> ssl.SSLContext:
    """What certificates are trusted: botocore's own authorities, or those of a bundle that the settings name."""
    from botocore.httpsession import get_cert_path

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context.load_verify_locations(get_cert_path(verify))
    return context

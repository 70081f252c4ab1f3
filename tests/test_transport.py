"""The seam to boto3: one request, one whole answer or an error that says what is known."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import botocore.exceptions as boto
import pytest
import urllib3.exceptions

import lmfunction as lm
from lmfunction._auth import Credential
from lmfunction._boto import Connection
from lmfunction._request import InvokeRequest
from lmfunction._transport import Transport, translate

HERE = {"endpoint_url": "https://lambda.eu-west-1.amazonaws.com"}
NOT_SENT = {"outcome": "NOT_SENT", "sent": False}
UNKNOWN = {"outcome": "UNKNOWN", "sent": None}


@pytest.mark.parametrize(
    ("error", "kind", "facts", "says"),
    [
        (boto.EndpointConnectionError(**HERE), lm.TransportError, {**NOT_SENT, "retryable": True}, "Nothing was sent"),
        (boto.ConnectTimeoutError(**HERE), lm.TransportError, {**NOT_SENT, "retryable": True}, "Nothing was sent"),
        (boto.ProxyConnectionError(proxy_url="http://p"), lm.TransportError, {**NOT_SENT, "retryable": True}, "http://p"),
        (boto.ReadTimeoutError(**HERE), lm.TransportError, {**UNKNOWN, "retryable": False}, "no answer came in time"),
        (boto.ConnectionClosedError(**HERE), lm.TransportError, UNKNOWN, "Unknown whether the function ran"),
        (boto.ResponseStreamingError(error="x"), lm.TransportError, UNKNOWN, "Unknown whether"),
        (boto.HTTPClientError(error="x"), lm.TransportError, UNKNOWN, "Unknown whether"),
        (boto.SSLError(**HERE, error=ssl.SSLError(1, "record")), lm.TransportError, UNKNOWN, "Unknown whether"),
        (urllib3.exceptions.ProtocolError("cut"), lm.TransportError, UNKNOWN, "ProtocolError"),
        (http.client.IncompleteRead(b"12"), lm.TransportError, UNKNOWN, "IncompleteRead"),
        (ConnectionResetError(), lm.TransportError, UNKNOWN, "ConnectionResetError"),
        (RuntimeError("boom\x1b[31m"), lm.TransportError, {"sent": None}, "RuntimeError: boom\\x1b[31m"),
        (boto.NoRegionError(), lm.ProfileError, {}, "No region: give -Region"),
        (boto.NoCredentialsError(), lm.ProfileError, {}, "No credentials: give -ProfileName"),
        (boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET"), lm.ProfileError, {}, "AWS_SECRET"),
        (boto.ProfileNotFound(profile="gone"), lm.ProfileError, {}, "gone"),
        (boto.UnauthorizedSSOTokenError(), lm.ProfileError, {}, "aws sso login"),
        (boto.CredentialRetrievalError(provider="process", error_msg="no"), lm.ProfileError, {}, "process"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)  # fmt: skip
def test_each_lower_error_says_what_is_known(
    error: Exception, kind: type[lm.LMError], facts: dict[str, Any], says: str
) -> None:
    """Provably not sent, unknown, or a wrong setup: by the error's class, never by its text."""
    translated = translate(error)
    assert type(translated) is kind
    assert {name: getattr(translated, name) for name in facts} == facts
    assert says in str(translated)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"x-amz-retry-after": "250"}, 0.25),
        ({"retry-after": "2", "x-amz-retry-after": "9000"}, 2.0),
        ({"retry-after": "later", "x-amz-retry-after": "9000"}, 9.0),
        ({"retry-after": "99999999"}, 3600.0),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
    ],
    ids=str,
)
def test_retry_after_is_read_in_seconds_and_in_milliseconds(headers: dict[str, str], seconds: float | None) -> None:
    """Two headers, two units; what is no number of seconds is not there, and an hour is the most."""
    answer = {
        "Error": {"Code": "TooManyRequestsException", "Message": "m"},
        "ResponseMetadata": {"HTTPStatusCode": 429, "HTTPHeaders": headers},
    }
    translated = translate(boto.ClientError(answer, "Invoke"))
    assert isinstance(translated, lm.ServiceError)
    assert translated.retry_after == seconds


def test_what_the_service_says_cannot_forge_the_message() -> None:
    """Control characters, newlines and floods in a refusal are made visible and cut."""
    answer = {
        "Error": {"Code": "X\nAWS answered 200", "Message": "a\x1b[2J\u202e" + "b" * 5000},
        "Reason": "r\r\n",
        "ResponseMetadata": {"HTTPStatusCode": 400, "HTTPHeaders": {"x-amzn-requestid": "id"}},
    }
    text = str(translate(boto.ClientError(answer, "Invoke")))
    assert len(text.splitlines()) == 2
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text) < 1000
    assert text.endswith("RequestId: id")


def transport_to(url: str) -> Transport:
    return Transport(Connection("us-east-1", url, credential=Credential("AKID", "not-a-secret"), read_timeout=10))


@pytest.fixture
def server(faults: ModuleType) -> Iterator[Any]:
    with faults.FaultServer() as server:
        yield server


def test_the_answer_is_the_wires_own(server: Any) -> None:
    """Status, headers in lower case, and the body byte for byte."""
    server.play([{"status": 200, "body": "\u00e9", "headers": {"X-Amz-Executed-Version": "7"}}])
    transport = transport_to(server.url)
    reply = transport.send(InvokeRequest("f"))
    transport.close()
    assert (reply.status, reply.headers["x-amz-executed-version"], reply.body) == (200, "7", "\u00e9".encode())


def test_many_threads_share_one_transport(server: Any) -> None:
    """Eight threads at once each get their own whole answer, over one pool that is left in order."""
    server.play([{"status": 200, "body": '"one answer"'}])
    transport = transport_to(server.url)
    bodies: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: bodies.extend(transport.send(InvokeRequest("f")).body for _ in range(5)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    transport.close()
    assert bodies == [b'"one answer"'] * 40
    assert len(server.requests) == 40
    assert server.connections <= 8


def test_a_refused_answer_gives_its_connection_back(server: Any) -> None:
    """After an answer that was not believed, no connection stays open while its error is kept."""
    server.play([{"status": 200, "bare": True, "body": "hello"}])
    transport = transport_to(server.url)
    with pytest.raises(lm.TransportError) as caught:
        transport.send(InvokeRequest("f"))
    server.wait_until_closed()
    assert caught.value.sent is None
    transport.close()


@pytest.fixture
def untrusted(tmp_path: Path) -> ssl.SSLContext:
    """A server's TLS with a certificate that nobody signed."""
    if shutil.which("openssl") is None:
        pytest.skip("this machine has no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def test_nothing_is_sent_to_a_server_that_nobody_vouches_for(faults: ModuleType, untrusted: ssl.SSLContext) -> None:
    """A certificate that is not trusted ends the call before the request, once, and the error says so."""
    with faults.FaultServer(tls=untrusted) as server:
        caller = faults.Caller()
        with pytest.raises(lm.TransportError, match="certificate is not trusted") as caught:
            caller.call(server.url)
        assert (caught.value.sent, caught.value.outcome, caught.value.attempts) == (False, "NOT_SENT", 1)
        assert (server.requests, caller.time.waits) == ([], [])
        caller.close()


@pytest.mark.parametrize("option", ["proxies", "connect_timeout", "max_pool_connections"])
def test_a_client_that_cannot_be_made_is_a_profile_error(option: str) -> None:
    """What botocore refuses when the client is made is told as a wrong setup."""
    bad = {"proxies": {"https": "http://[bad"}, "connect_timeout": "soon", "max_pool_connections": -1}[option]
    try:
        transport = Transport(
            Connection("us-east-1", "https://127.0.0.1:1", credential=Credential("a", "b"), options=((option, bad),))
        )
    except lm.ProfileError as error:
        assert str(error)
    else:  # taken as it is: then the call itself must say that nothing was sent
        with pytest.raises(lm.TransportError):
            transport.send(InvokeRequest("f"))
        transport.close()


def test_a_name_that_does_not_resolve_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed look-up of the host's name is NOT_SENT."""

    def no_name(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    transport = transport_to("https://lambda.example.invalid")
    with pytest.raises(lm.TransportError) as caught:
        transport.send(InvokeRequest("f"))
    transport.close()
    assert (caught.value.sent, caught.value.retryable) == (False, True)

"""Single calls over connections of our own: kept, replaced, given up, and left to boto3 where only it can send."""

from __future__ import annotations

import concurrent.futures
import gc
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.client import BaseClient

import lmfunction as lm
from lmfunction._auth import Credential
from lmfunction._boto import Connection
from lmfunction._direct import DirectTransport
from lmfunction._request import InvokeRequest
from lmfunction._transport import Transport

GOOD = {"status": 200, "body": '{"a": 1}'}
REQUEST = InvokeRequest("some-function", b"{}")


def transport_to(url: str, **options: Any) -> DirectTransport:
    """A transport to a server of the test."""
    credential = Credential("AKIDEXAMPLE", "not-a-secret")
    return DirectTransport(
        Connection("us-east-1", url, credential=credential, read_timeout=10, options=tuple(options.items()))
    )


@pytest.fixture
def server(faults: ModuleType) -> Iterator[Any]:
    with faults.FaultServer() as server:
        yield server


@pytest.fixture
def left_to_boto3(monkeypatch: pytest.MonkeyPatch) -> list[InvokeRequest]:
    """The requests that were left to boto3."""
    seen: list[InvokeRequest] = []
    send = Transport.send

    def noted(self: Transport, request: InvokeRequest) -> Any:
        seen.append(request)
        return send(self, request)

    monkeypatch.setattr(Transport, "send", noted)
    return seen


def test_a_connection_is_used_again(server: Any, left_to_boto3: list[InvokeRequest]) -> None:
    """Calls one after the other share a connection; nothing of it is boto3's."""
    server.play([GOOD, GOOD, GOOD])
    transport = transport_to(server.url)
    for _ in range(3):
        assert transport.send(REQUEST).body == b'{"a": 1}'
    assert server.connections == 1
    assert left_to_boto3 == []
    transport.close()


def test_a_connection_that_was_closed_meanwhile_is_not_written_to(server: Any) -> None:
    """What the server closed between two calls is replaced: the second call is one request, and answered."""
    server.play([{**GOOD, "then": "fin"}, GOOD])
    transport = transport_to(server.url)
    transport.send(REQUEST)
    server.wait_until_closed()
    assert transport.send(REQUEST).status == 200
    assert (len(server.requests), server.connections) == (2, 2)
    transport.close()


def test_another_address_of_the_host_is_tried(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens at a host's first address its next one is tried at once, by the same try."""
    port = int(server.url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nobody = unused.getsockname()
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in (nobody, ("127.0.0.1", port))]
    asked: list[str] = []

    def look_up(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return list(found)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    server.play([{**GOOD, "then": "fin"}, GOOD])
    transport = transport_to(f"http://localhost:{port}")
    assert transport.send(REQUEST).status == 200
    server.wait_until_closed()
    assert transport.send(REQUEST).status == 200
    assert asked == ["localhost"]  # the addresses are believed for a while
    transport.close()


def test_threads_have_connections_of_their_own(server: Any) -> None:
    """Calls of several threads at once do not wait for each other, and each gets its own answer."""
    together = threading.Barrier(4, timeout=10)
    with lm.Session(profile_name="local") as session:

        def call(number: int) -> Any:
            together.wait()
            return [session.invoke_lm("echo", {"n": number}).payload for _ in range(5)]

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for number, answers in enumerate(pool.map(call, range(4))):
                assert answers == [{"n": number}] * 5


def test_closing_leaves_nothing_open(server: Any) -> None:
    """After `close` no descriptor is left."""
    server.play([GOOD])
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    transport = transport_to(server.url)
    transport.send(REQUEST)
    transport.close()
    server.wait_until_closed()
    after = set(os.listdir("/proc/self/fd")) if before else set()
    assert len(after) <= len(before)


def test_a_hook_gets_boto3s_request(server: Any, left_to_boto3: list[InvokeRequest]) -> None:
    """A builder's hook before signing sees and changes the request that boto3 signs."""
    server.play([GOOD])

    def add(request: Any) -> None:
        request.headers["X-Mine"] = "1"

    builder = lm.Invoke().function_name("some-function").endpoint_url(server.url).region("us-east-1")
    credential = lm.Credential("AKIDEXAMPLE", "not-a-secret")
    builder.credential(credential).customize().mutate_request(add).send()
    assert server.requests[0].headers["x-mine"] == "1"
    assert len(left_to_boto3) == 1


def test_moto_answers_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who answers boto3's requests by its events, as moto's decorators do, answers ours too."""
    from botocore.awsrequest import AWSResponse

    from lmfunction import _boto

    class Raw:
        def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
            yield b'"moto"'

        def read(self, *_: Any) -> bytes:
            return b""

    made = _boto._client

    def client(*args: Any) -> Any:
        found = made(*args)
        headers = {"x-amzn-requestid": "r-1", "content-length": "0"}
        found.meta.events.register(
            "before-send.lambda.Invoke", lambda request, **_: AWSResponse(request.url, 200, headers, Raw())
        )
        return found

    monkeypatch.setattr(_boto, "_client", client)
    transport = transport_to("http://127.0.0.1:9")
    assert transport.line() == ""
    assert transport.send(REQUEST).headers["x-amzn-requestid"] == "r-1"
    transport.close()


def test_a_tracer_sees_the_calls(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a tracer has patched boto3, it sees every call."""
    seen: list[str] = []
    called = BaseClient._make_api_call

    def traced(self: Any, name: str, *args: Any) -> Any:
        seen.append(name)
        return called(self, name, *args)

    monkeypatch.setattr(BaseClient, "_make_api_call", traced)
    server.play([GOOD])
    transport = transport_to(server.url)
    assert transport.line() == "another library takes part in what boto3 sends"
    transport.send(REQUEST)
    assert seen == ["Invoke"]
    transport.close()


def test_boto3s_debug_log_has_every_call(
    server: Any, left_to_boto3: list[InvokeRequest], caplog: pytest.LogCaptureFixture
) -> None:
    """Who turns on boto3's DEBUG log finds the calls there, from that one on."""
    server.play([GOOD])
    transport = transport_to(server.url)
    transport.send(REQUEST)
    assert left_to_boto3 == []
    with caplog.at_level("DEBUG", logger="botocore"):
        transport.send(REQUEST)
    assert left_to_boto3 == [REQUEST]
    assert "Making request for" in caplog.text
    transport.close()


def test_a_session_that_is_forgotten_leaves_no_connection(server: Any) -> None:
    """A transport that nobody closes takes its connections along, without a warning; a fork leaves its parent's."""
    server.play([GOOD])
    transport = transport_to(server.url)
    transport.send(REQUEST)
    child = os.fork()
    if not child:
        transport.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert transport.send(REQUEST).status == 200
    assert server.connections == 1
    del transport
    gc.collect()
    server.wait_until_closed()


def test_the_timeout_bounds_the_whole_answer() -> None:
    """An answer that drips, each byte in time, ends when its time is up; that it began to come is told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stopped = threading.Event()

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: r-1\r\nContent-Length: 1000\r\n\r\n")
                while not stopped.wait(0.02):
                    connection.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        credential = Credential("AKIDEXAMPLE", "not-a-secret")
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        transport = DirectTransport(Connection("us-east-1", url, credential=credential, read_timeout=0.3))
        with pytest.raises(lm.TransportError) as caught:
            transport.send(REQUEST)
        assert (caught.value.outcome, caught.value.request_id) == ("RESULT_LOST", "r-1")
        stopped.set()
        thread.join()
        transport.close()


def test_within_a_function_the_trace_is_passed_on(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a Lambda function Lambda's own trace header goes with the call, by which AWS ends loops of functions."""
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a:0"
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "caller")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
    server.play([GOOD])
    transport = transport_to(server.url)
    transport.send(REQUEST)
    assert server.requests[0].headers["x-amzn-trace-id"].startswith("Root=1-5759e988")
    transport.close()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"proxies": {"http": "http://127.0.0.1:1"}}, "proxy"),
        ({"client_cert": "/none.pem"}, "certificate"),
        ({"connect_timeout": None}, "connect_timeout"),
    ],
)
def test_what_only_boto3_can_do_is_left_to_it(options: dict[str, Any], says: str) -> None:
    """A proxy, a client's certificate and settings that only boto3 understands."""
    transport = transport_to("http://lambda.example.com", **options)
    line = transport.line()
    assert isinstance(line, str)
    assert says in line
    transport.close()


def test_changed_credentials_sign_the_next_call(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `ready` has renewed signs, on the same connection."""
    server.play([GOOD, GOOD])
    transport = transport_to(server.url)
    transport.ready()
    transport.send(REQUEST)
    monkeypatch.setattr(DirectTransport, "credential", lambda _: Credential("AKIDOTHER", "other", "token"))
    transport.ready()
    transport.send(REQUEST)
    first, second = (request.headers for request in server.requests)
    assert "AKIDEXAMPLE/" in first["authorization"]
    assert "AKIDOTHER/" in second["authorization"]
    assert second["x-amz-security-token"] == "token"
    transport.close()


def test_authorities_that_cannot_be_read_are_boto3s_to_tell_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle of authorities that is none ends the call with nothing sent, in one error."""
    bundle = tmp_path / "ca.pem"
    bundle.write_text("none")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    transport = transport_to("https://127.0.0.1:9")
    assert transport.line() == "the certificates to trust cannot be read"
    with pytest.raises(lm.TransportError) as caught:
        transport.send(REQUEST)
    assert caught.value.sent is not True
    transport.close()

"""Bytes in, bytes out: what the front accepts, refuses and survives."""

from __future__ import annotations

import itertools
import re
import resource
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from lmfunction.local._child import start_embedded
from lmfunction.local._settings import Settings

INVOKE = "/2015-03-31/functions/echo/invocations"
BODY = '{"a": 1}'
CASES = Path(__file__).with_name("cases")


@pytest.fixture(scope="module")
def trap(deploy: Any, tmp_path_factory: Any) -> tuple[str, Path]:
    """The path of a function, and the file that is there once it has run."""
    mark = tmp_path_factory.mktemp("trap") / "sprung"
    name = deploy(f"def handler(event, context):\n    open({str(mark)!r}, 'w').close()\n")
    return f"/2015-03-31/functions/{name}/invocations", mark


def test_refused_bytes(http_case: dict[str, Any], wire: Any, trap: tuple[str, Path]) -> None:
    """Each hostile or malformed request gets its status, no CORS header, runs nothing, and the server hangs up."""
    case, (invoke, mark) = http_case, trap
    sign = "".join(f"{name}: {value}\r\n" for name, value in wire.signed(invoke).items())
    values = {"invoke": invoke, "host": f"127.0.0.1:{wire.port}", "port": str(wire.port), "sign": sign, "body": BODY}
    data = case["send"]
    for name, value in values.items():
        data = data.replace("{" + name + "}", value)
    reply = wire.send(data.encode("latin-1"))
    assert reply.status == case["status"], f"{data!r}\n{reply}"
    assert reply.closed
    assert not [name for name in reply.lower if name.startswith("access-control")]
    assert not mark.exists()
    assert wire.request().status == 200


def test_the_trap_springs(wire: Any, trap: tuple[str, Path]) -> None:
    """What the test above counts on: the same request with nothing wrong about it does run the function."""
    invoke, mark = trap
    assert wire.request(invoke).status == 200
    assert mark.exists()
    mark.unlink()


def test_keep_alive_and_pipelining(wire: Any) -> None:
    """Requests on one connection are answered in order, even when they arrive in one packet."""
    from_one = wire.signed(body=b"1"), wire.signed(body=b"2")
    data = b"".join(
        f"POST {INVOKE} HTTP/1.1\r\n".encode()
        + "".join(f"{n}: {v}\r\n" for n, v in headers.items()).encode()
        + f"Content-Length: 1\r\n\r\n{i}".encode()
        for i, headers in enumerate(from_one, 1)
    )
    with socket.create_connection(("127.0.0.1", wire.port), timeout=5) as connection:
        connection.sendall(data)
        received = b""
        while received.count(b"HTTP/1.1 200") < 2 or not received.endswith(b"2"):
            received += connection.recv(65536)
    assert received.index(b"\r\n\r\n1") < received.index(b"\r\n\r\n2")


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_any_segmentation(wire: Any, size: int) -> None:
    """A request is understood however it is cut into packets."""
    headers = "".join(f"{n}: {v}\r\n" for n, v in wire.signed().items())
    data = f"POST {INVOKE} HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\n\r\n"
    data += f"3\r\n{BODY[:3]}\r\n5\r\n{BODY[3:]}\r\n0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", wire.port), timeout=5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), size):
            connection.sendall(data[start : start + size].encode())
        assert connection.recv(65536).endswith(BODY.encode())


def test_expect_100(wire: Any) -> None:
    """The body is asked for, once the request is admitted; a refused one gets its refusal instead."""
    headers = "".join(f"{n}: {v}\r\n" for n, v in wire.signed().items())
    head = f"POST {INVOKE} HTTP/1.1\r\n{headers}Expect: 100-continue\r\nContent-Length: 8\r\n\r\n"
    with socket.create_connection(("127.0.0.1", wire.port), timeout=5) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY.encode())
        assert connection.recv(65536).endswith(BODY.encode())
    unsigned = (
        f"POST {INVOKE} HTTP/1.1\r\nHost: 127.0.0.1:{wire.port}\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n"
    )
    assert wire.send(unsigned.encode()).status == 403


def test_connection_close_is_kept(wire: Any) -> None:
    """A client that asks for the end of the connection gets it."""
    reply = wire.request(headers={"Connection": "close"})
    assert (reply.status, reply.closed) == (200, True)


def test_7_mb_body(wire: Any) -> None:
    """K31: a body over the limit is read to its end and answered 413 in AWS's words."""
    reply = wire.request(body=b'"' + b"x" * 7_000_000 + b'"')
    assert (reply.status, reply.lower["x-amzn-errortype"]) == (413, "RequestEntityTooLargeException")
    assert reply.json() == {
        "Type": "User",
        "message": "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
    }


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_signed_requests_of_any_content_type(wire: Any, kind: str | None) -> None:
    """K12 to K15: with a signature the content type does not matter, as on AWS."""
    reply = wire.request(headers={"Content-Type": kind} if kind else None)
    assert (reply.status, reply.body) == (200, BODY.encode())


@pytest.mark.parametrize(
    "name", ["os:system", "os.system", "builtins:eval", "lmfunction.local._server", "evil.py", "app.handler", "echo.py"]
)
def test_names_of_modules(wire: Any, name: str) -> None:
    """K25: a name is looked up among the functions and nowhere else."""
    reply = wire.request(f"/2015-03-31/functions/{name}/invocations")
    assert (reply.status, reply.lower["x-amzn-errortype"]) == (404, "ResourceNotFoundException")


@pytest.mark.parametrize("part", ["head", "body"])
def test_slow_senders(wire: Any, part: str) -> None:
    """K34: a byte now and then moves no deadline on, and meanwhile others are served."""
    sign = "".join(f"{name}: {value}\r\n" for name, value in wire.signed().items())
    head = f"POST {INVOKE} HTTP/1.1\r\n{sign}Content-Length: {len(BODY)}\r\n"
    trickle = iter(BODY) if part == "body" else itertools.repeat("X")
    with socket.create_connection(("127.0.0.1", wire.port), timeout=0.15) as connection:
        connection.sendall((f"{head}\r\n" if part == "body" else head).encode())
        answer = b""
        while not answer:
            connection.sendall(next(trickle).encode())
            try:
                answer = connection.recv(100)
            except TimeoutError:
                assert wire.request().status == 200
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_1000_connections(wire: Any) -> None:
    """K35: silent connections do not hinder others, and are closed at the deadline."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1_300 if hard == resource.RLIM_INFINITY else min(hard, 1_300)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    idle: list[socket.socket] = []
    try:
        idle += [socket.create_connection(("127.0.0.1", wire.port), timeout=5) for _ in range(1_000)]
        assert wire.request().status == 200
        began = time.monotonic()
        assert {connection.recv(1) for connection in idle} == {b""}
        assert time.monotonic() - began < 4
    finally:
        for connection in idle:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert wire.request().status == 200


def test_too_many_connections(make_wire: Any) -> None:
    """K35: connections over the limit are told so, and there is room again when others have gone."""
    with start_embedded(settings=Settings(connections=5)) as server:
        wire = make_wire(server)
        idle = [socket.create_connection(("127.0.0.1", wire.port), timeout=5) for _ in range(5)]
        with socket.create_connection(("127.0.0.1", wire.port), timeout=5) as refused:
            assert refused.recv(1000).startswith(b"HTTP/1.1 503 ")
        for connection in idle:
            connection.close()
        assert wire.request().status == 200


def test_loopback_only(wire: Any) -> None:
    """K37: neither another address of this host nor IPv6 reaches it."""
    addresses = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None)} - {"127.0.0.1", "127.0.1.1"}
    for address in {*addresses, "127.0.0.2", "::1"}:
        with pytest.raises(OSError):  # noqa: PT011 - refused, or no such family here
            socket.create_connection((address, wire.port), timeout=1).close()


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_body_over_the_limit_in_pieces(wire: Any, framing: str) -> None:
    """K31: however an oversized body arrives, none of it is taken for the body, and the connection goes on."""
    headers = "".join(f"{n}: {v}\r\n" for n, v in wire.signed().items())
    piece, pieces = b"x" * 1_000_000, 7
    how = f"Content-Length: {len(piece) * pieces}" if framing == "length" else "Transfer-Encoding: chunked"
    with socket.create_connection(("127.0.0.1", wire.port), timeout=10) as connection:
        connection.sendall(f"POST {INVOKE} HTTP/1.1\r\n{headers}{how}\r\n\r\n".encode())
        for _ in range(pieces):
            connection.sendall(piece if framing == "length" else b"f4240\r\n" + piece + b"\r\n")
        if framing == "chunked":
            connection.sendall(b"0\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")
        connection.sendall(f"POST {INVOKE} HTTP/1.1\r\n{headers}Content-Length: {len(BODY)}\r\n\r\n{BODY}".encode())
        assert connection.recv(65536).endswith(BODY.encode())


def test_every_row_is_proved() -> None:
    """The numbered rows K1 to K40 of hostile input each stand in the id of a case or in what a test says it proves."""
    texts = [path.read_text("utf-8") for path in (*CASES.glob("*.yaml"), *CASES.parent.glob("test_*.py"))]
    named = {int(number) for text in texts for number in re.findall(r"\bK(\d+)\b", text)}
    assert set(range(1, 41)) <= named

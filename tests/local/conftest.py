"""An embedded Lambda for the tests, and what talks to it: boto3, and raw bytes over a socket."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from answer_shapes import shape_faults
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.response import StreamingBody
from invoking import World

from lmfunction.local._child import Embedded, start_embedded
from lmfunction.local._settings import AWSLAMBDARIC, OWN_LOOP, Settings

CASES = Path(__file__).with_name("cases")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """An argument called `NAME_case` gets each case of cases/NAME.yaml."""
    for argument in metafunc.fixturenames:
        if argument.endswith("_case"):
            cases = yaml.safe_load((CASES / f"{argument.removesuffix('_case')}.yaml").read_text("utf-8"))
            metafunc.parametrize(argument, cases, ids=[case["id"] for case in cases])


@dataclass
class Reply:
    """One HTTP answer. `headers` keep AWS's case; `lower` has the names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool = False
    lower: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.lower = {name.lower(): value for name, value in self.headers.items()}

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """Raw bytes to one server, signed or not."""

    def __init__(self, server: Embedded) -> None:
        self.server = server
        self.port = int(server.url.rsplit(":", 1)[1])

    def signed(
        self,
        path: str = "/2015-03-31/functions/echo/invocations",
        body: bytes = b'{"a": 1}',
        *,
        method: str = "POST",
        headers: dict[str, str] | None = None,
        secret: str | None = None,
        key: str | None = None,
        service: str = "lambda",
        region: str | None = None,
    ) -> dict[str, str]:
        """The headers of a signed request, as botocore signs."""
        request = AWSRequest(method, self.server.url + path, data=body, headers=headers or {})
        credentials = Credentials(key or self.server.access_key, secret or self.server.secret_key)
        SigV4Auth(credentials, service, region or self.server.region).add_auth(request)
        return {"Host": f"127.0.0.1:{self.port}", **dict(request.headers.items())}

    def send(self, data: bytes, *, seconds: float = 10) -> Reply:
        """Sends bytes as they are and reads one answer; `closed` says whether the server then hung up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(data)
            reply = read_reply(connection)
            connection.settimeout(0.05 if reply.lower.get("connection") == "keep-alive" else seconds)
            try:
                reply.closed = connection.recv(1) == b""
            except TimeoutError:
                reply.closed = False
            return reply

    def request(
        self,
        path: str = "/2015-03-31/functions/echo/invocations",
        body: bytes = b'{"a": 1}',
        *,
        method: str = "POST",
        headers: dict[str, str] | None = None,
        **sign: Any,
    ) -> Reply:
        """A signed request."""
        return self.send(to_bytes(method, path, self.signed(path, body, method=method, headers=headers, **sign), body))


def to_bytes(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def read_reply(connection: socket.socket) -> Reply:
    data = b""
    while b"\r\n\r\n" not in data:
        block = connection.recv(65536)
        assert block, f"hung up after {data!r}"
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    start, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    length = int(headers.get("Content-Length", "0"))
    while len(body) < length:
        body += connection.recv(1 << 20)
    return Reply(int(start.split()[1]), headers, body)


class Deployer:
    """Functions made from source text, under names of their own."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.count = 0
        self.zipped = zip_of

    def __call__(self, source: str, **more: Any) -> str:
        self.count += 1
        name = more.pop("name", f"fn{self.count}-{os.urandom(3).hex()}")
        self.client.create_function(
            FunctionName=name,
            Runtime=more.pop("Runtime", "python3.11"),
            Role="arn:aws:iam::000000000000:role/any",
            Handler=more.pop("Handler", "app.handler"),
            Code={"ZipFile": zip_of({"app.py": source, **more.pop("files", {})}, more.pop("executable", ()))},
            **more,
        )
        return name


def zip_of(files: dict[str, str], executable: Collection[str] = ()) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in files.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (0o100755 if name in executable else 0o100644) << 16
            archive.writestr(member, text)
    return stream.getvalue()


_clients: list[Any] = []


def client_of(server: Embedded) -> Any:
    """A boto3 client for `server`, closed when the tests are over."""
    client = boto3.client(
        "lambda",
        endpoint_url=server.url,
        region_name=server.region,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=32, read_timeout=30),
    )
    _clients.append(client)
    client.meta.events.register("after-call.lambda.Invoke", _read_payload)
    client.meta.events.register("before-parse.lambda", _check_answer)
    return client


def _check_answer(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Holds every answer that succeeds against the service model."""
    shape = operation_model.output_shape
    if response_dict["status_code"] >= 300 or shape is None or shape.serialization.get("payload"):
        return
    faults = [*shape_faults(json.loads(response_dict["body"] or b"{}"), shape)]
    assert not faults, faults


def _read_payload(parsed: dict[str, Any], **_: Any) -> None:
    """Reads a payload at once, so that a test which looks at the status only leaves no open socket."""
    if "Payload" in parsed:
        data = parsed["Payload"].read()
        parsed["Payload"] = StreamingBody(io.BytesIO(data), len(data))


def pytest_sessionfinish() -> None:
    """Closes the sockets that boto3 keeps open."""
    for client in _clients:
        client.close()


def children_of(pid: int) -> set[int]:
    """The processes below `pid`, by asking the system."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listing.splitlines()]
    found = {int(p) for p, parent, stat in rows if int(parent) == pid and not stat.startswith("Z")}
    return found.union(*(children_of(p) for p in found))


def alive(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be reaped by an init that is in no hurry."""
    try:
        stat = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    except OSError:
        return False
    return bool(stat.strip()) and not stat.startswith("Z")


def all_gone(pids: set[int], seconds: float = 5.0) -> bool:
    """Whether the processes end within `seconds`. Their end is no event of ours, so this has to look again."""
    deadline = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture(scope="session")
def server() -> Iterator[Embedded]:
    """The embedded Lambda that most tests share."""
    settings = Settings(head_seconds=0.4, body_seconds=0.6, retry_delays=(0.02, 0.02))
    with start_embedded(settings=settings) as embedded:
        yield embedded
        assert embedded.errors == ""


@pytest.fixture(scope="session")
def client(server: Embedded) -> Any:
    """boto3's client for it, which does not retry."""
    return client_of(server)


@pytest.fixture(scope="session")
def wire(server: Embedded) -> Wire:
    """Raw requests to it."""
    return Wire(server)


@pytest.fixture(scope="session")
def make_wire() -> Callable[[Embedded], Wire]:
    """Raw requests to another server."""
    return Wire


@pytest.fixture(scope="session")
def deploy(client: Any) -> Deployer:
    """Makes a function from source text and returns its name."""
    return Deployer(client)


@pytest.fixture
def call(client: Any) -> Callable[..., tuple[Any, dict[str, Any]]]:
    """Invokes: the payload as JSON, and the whole answer with `Log` as text when a tail was asked for."""

    def invoke(name: str, event: Any = None, **more: Any) -> tuple[Any, dict[str, Any]]:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event), **more)
        if "LogResult" in answer:
            answer["Log"] = base64.b64decode(answer["LogResult"]).decode()
        return json.loads(answer["Payload"].read()), answer

    return invoke


@pytest.fixture(scope="session")
def world() -> Iterator[Callable[[str], World]]:
    """Worlds by the Python loop they run; each is started when first asked for."""
    worlds: dict[str, World] = {}

    def get(loop: str) -> World:
        if loop not in worlds:
            settings = Settings(python_loop=loop, enforce_memory=sys.platform == "linux", retry_delays=(0.01, 0.01))
            server = start_embedded(settings=settings)
            worlds[loop] = World(server, Wire(server), Deployer(client_of(server)), read_reply, to_bytes)
        return worlds[loop]

    yield get
    for one in worlds.values():
        one.close()
        errors = one.server.errors
        one.server.close()
        assert errors == ""


@pytest.fixture(params=[OWN_LOOP, AWSLAMBDARIC])
def both(request: pytest.FixtureRequest, world: Callable[[str], World]) -> World:
    """A world of each Python loop."""
    if request.param == AWSLAMBDARIC and find_spec(AWSLAMBDARIC) is None:
        pytest.skip("awslambdaric is not installed")
    return world(request.param)


# Helpers as fixtures: with pytest's importlib mode a test module cannot count on importing this one.
for _helper in (Deployer, read_reply, to_bytes, zip_of, client_of, children_of, all_gone, alive):
    globals()[f"_{_helper.__name__}_fixture"] = pytest.fixture(scope="session", name=_helper.__name__)(
        lambda _helper=_helper: _helper
    )

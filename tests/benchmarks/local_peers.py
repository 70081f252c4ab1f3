"""The embedded Lambda and its peers, each started with the same Python handler and ready to be loaded.

serverless-offline (npm) and MiniStack (pip) are installed once into a cache folder of the system's temporary folder.
`start` of a peer raises PeerError, with the reason, where it cannot be had.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from lmfunction.local._child import Embedded, start_embedded

HANDLER = "def handler(event, context):\n    return event\n"
FUNCTIONS = tuple(f"echo{i}" for i in range(6))
RUNTIME = f"python3.{sys.version_info.minor}"
CACHE = Path(tempfile.gettempdir()) / "lmfunction-bench-peers"
_INSTALL_SECONDS = 300
_START_SECONDS = 60


class PeerError(Exception):
    """A peer cannot be installed or does not start."""


@dataclass(frozen=True)
class Endpoint:
    """A running local Lambda: `request` makes the bytes that invoke a function, valid for some minutes."""

    name: str
    port: int
    pid: int
    request: Callable[[str, bytes], bytes]


@contextmanager
def ours() -> Iterator[Endpoint]:
    """The embedded Lambda."""
    with start_embedded() as server:
        port = int(server.url.rsplit(":", 1)[1])
        _create_functions(server.url, server.access_key, server.secret_key)
        yield Endpoint("lmfunction", port, server.pid, lambda name, body: _signed(server, name, body))


@contextmanager
def serverless_offline() -> Iterator[Endpoint]:
    """serverless-offline 13 under Serverless 3, its port for Lambda's Invoke."""
    folder = CACHE / "serverless-offline"
    program = folder / "node_modules/serverless/bin/serverless.js"
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise PeerError("there is no Node.js with npm")
    if not (program.exists() and (folder / "node_modules/serverless-offline").exists()):
        folder.mkdir(parents=True, exist_ok=True)
        _install([npm, "install", "--no-audit", "--no-fund", "serverless@3", "serverless-offline@13"], folder)
    port, *others = _free_ports(3)
    (folder / "handler.py").write_text(HANDLER)
    service = {
        "service": "bench",
        "frameworkVersion": "3",
        "provider": {"name": "aws", "runtime": RUNTIME, "timeout": 30},
        "functions": {name: {"handler": "handler.handler"} for name in FUNCTIONS},
        "plugins": ["serverless-offline"],
        "custom": {
            "serverless-offline": {
                "host": "127.0.0.1",
                "lambdaPort": port,
                "httpPort": others[0],
                "websocketPort": others[1],
            }
        },
    }
    (folder / "serverless.yml").write_text(json.dumps(service))
    # It runs the interpreter that it finds under the name of the runtime.
    path = f"{Path(sys.executable).resolve().parent}{os.pathsep}{os.environ['PATH']}"
    variables = {"PATH": path, "SLS_TELEMETRY_DISABLED": "1", "SLS_NOTIFICATIONS_MODE": "off"}
    with _running([node, str(program), "offline", "start"], folder, variables, port) as pid:
        yield Endpoint("serverless-offline", port, pid, lambda name, body: _plain(port, f"bench-dev-{name}", body))


@contextmanager
def ministack() -> Iterator[Endpoint]:
    """MiniStack with its local executor."""
    folder = CACHE / "ministack"
    program = folder / "bin/ministack"
    if not program.exists():
        venv.create(folder, with_pip=True)
        find = os.environ.get("LMFUNCTION_BENCH_FIND_LINKS")
        links = ["--find-links", find] if find else []
        _install([str(folder / "bin/pip"), "install", "-q", *links, "ministack"], CACHE)
    (port,) = _free_ports(1)
    variables = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "LAMBDA_EXECUTOR": "local"}
    with _running([str(program)], folder, variables, port) as pid:
        _create_functions(f"http://127.0.0.1:{port}", "test", "test")
        yield Endpoint("MiniStack", port, pid, lambda name, body: _plain(port, name, body))


def _signed(server: Embedded, name: str, body: bytes) -> bytes:
    """As boto3 sends it; its header of the invocation's id is not signed, and new in each request."""
    path = f"/2015-03-31/functions/{name}/invocations"
    request = AWSRequest("POST", server.url + path, data=body)
    SigV4Auth(Credentials(server.access_key, server.secret_key), "lambda", server.region).add_auth(request)
    headers = {
        "Host": server.url.removeprefix("http://"),
        "User-Agent": "Boto3/1.44.0 md/Botocore#1.44.0 ua/2.1 os/linux md/arch#x86_64 lang/python m/b cfg/retry-mode#a",
        **dict(request.headers.items()),
        "amz-sdk-invocation-id": "{invocation}",
        "amz-sdk-request": "attempt=1",
    }
    return _to_bytes(path, headers, body)


def _plain(port: int, name: str, body: bytes) -> bytes:
    """For peers that look at no signature: MiniStack reads the service from it."""
    scope = "20260101/us-east-1/lambda/aws4_request"
    headers = {
        "Host": f"127.0.0.1:{port}",
        "Authorization": f"AWS4-HMAC-SHA256 Credential=test/{scope}, SignedHeaders=host, Signature=00",
    }
    return _to_bytes(f"/2015-03-31/functions/{name}/invocations", headers, body)


def _to_bytes(path: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _create_functions(url: str, access_key: str, secret_key: str) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("handler.py", HANDLER)
    client = boto3.client(
        "lambda",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(retries={"total_max_attempts": 1}),
    )
    common: dict[str, Any] = {"Role": "arn:aws:iam::000000000000:role/any", "Runtime": RUNTIME}
    for name in FUNCTIONS:
        code = {"ZipFile": archive.getvalue()}
        client.create_function(FunctionName=name, Handler="handler.handler", Code=code, **common)
    client.close()


def _install(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise PeerError(f"its installation took more than {_INSTALL_SECONDS} s") from None
    if done.returncode:
        raise PeerError(f"its installation failed: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")


@contextmanager
def _running(command: list[str], folder: Path, variables: dict[str, str], port: int) -> Iterator[int]:
    """Runs a server until the block is left; yields its pid once it listens."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **variables}, stdout=said, stderr=said, start_new_session=True
        )
        try:
            _wait_for(process, port, said)
            yield process.pid
        finally:
            _end_group(process)


def _wait_for(process: subprocess.Popen[bytes], port: int, said: Any) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                said.seek(0)
                text = said.read().decode("utf-8", "replace").strip()
                raise PeerError(f"it does not listen: {text[-300:]}") from None
            time.sleep(0.1)
        else:
            return


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Asks the server and what it has started to end, and kills what does not."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports

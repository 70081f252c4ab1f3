"""Bad names, payloads and fields: each is refused before anything is sent, and what is good arrives byte for byte.

Every row goes through Python's door and through a line; a server on loopback counts what reaches the network.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy
import pytest
import yaml

import lmfunction as lm
from lmfunction._commands import run_line
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._scope import Scope
from lmfunction._session import default_session
from lmfunction._table import INVOKE

HERE = pathlib.Path(__file__).parent
CANARY = "canary-4711"
KEY_ID, SECRET = "AKIDFORTESTS", "secret-for-tests"
NOBODY = 65534


@dataclass
class Seen:
    """One request as the server got it."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """A server that records requests and answers as Lambda does, or as `answer` says."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    answer: tuple[int, dict[str, str], bytes] | None = None


@pytest.fixture(scope="module")
def counting_server() -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.seen.append(Seen(self.path, dict(self.headers.items()), body))
            kind = self.headers.get("X-Amz-Invocation-Type", "RequestResponse")
            status = {"Event": 202, "DryRun": 204}.get(kind, 200)
            status, headers, content = server.answer or (status, {}, b"{}" if status == 200 else b"")
            self.send_response(status)
            self.send_header("x-amzn-RequestId", "11111111-2222-3333-4444-555555555555")
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        default_session().close()
        http.shutdown()
        thread.join()


@pytest.fixture
def server(counting_server: Server) -> Server:
    counting_server.seen.clear()
    counting_server.answer = None
    return counting_server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Files that are no payloads, and one that is."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "utf16.json").write_bytes('{"a": 1}'.encode("utf-16"))
    (folder / "good.json").write_bytes(b'{"a":  1}\n')
    (folder / "text.txt").write_text(f"[\n{CANARY}\n]")
    with (folder / "large.json").open("wb") as large:
        large.truncate(6_291_457)
    os.mkfifo(folder / "fifo")
    return folder


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """The line door's own connections."""
    engine = Engine()
    yield engine
    engine.connections.close()


class Endless:
    """An open file without an end."""

    def read(self, size: int) -> bytes:
        return b'"' + CANARY.encode() + b"x" * (size - 1 - len(CANARY))


def json_of_size(size: int) -> str:
    return '"' + CANARY + "x" * (size - 2 - len(CANARY)) + '"'


def context_of_size(size: int) -> str:
    return '{"custom":"' + "x" * (size - 13) + '"}'


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def nested(depth: int) -> list[Any]:
    found: list[Any] = [CANARY]
    for _ in range(depth):
        found = [found]
    return found


def cyclic() -> dict[str, Any]:
    found: dict[str, Any] = {"a": {"c": CANARY}}
    found["a"]["b"] = found
    return found


def frame(text: str) -> Any:
    import pandas as pd

    return pd.DataFrame({"a": [text]})


TOOLS = {
    "CANARY": CANARY,
    "Endless": Endless,
    "base64_of": base64_of,
    "context_of_size": context_of_size,
    "cyclic": cyclic,
    "datetime": datetime,
    "decimal": decimal,
    "frame": frame,
    "json_of_size": json_of_size,
    "nested": nested,
    "numpy": numpy,
    "pathlib": pathlib,
    "shared": {"x": 1},
}
ROWS = [
    pytest.param(row, id=row["id"])
    for name in ("names", "payloads", "fields")
    for row in yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
]


def keywords_of(row: dict[str, Any], folder: pathlib.Path) -> dict[str, Any]:
    found = eval(row["call"], {**TOOLS, "folder": folder})
    if not row.get("without_name"):
        found.setdefault("function_name", "f")
    return found


def show(row: dict[str, Any], actual: object) -> str:
    return "\n" + yaml.safe_dump({"row": row}, allow_unicode=True, sort_keys=False, width=120) + f"actual: {actual}"


def check(row: dict[str, Any], server: Server, run: Any) -> None:
    """Runs one row through a door; `run` returns the warnings that the door told."""
    try:
        told = run()
    except lm.LMError as error:
        message = str(error)
        found = f"{type(error).__name__} for {getattr(error, 'parameter', None)}: {message[:600]}"
        assert "refused" in row, show(row, found)
        assert type(error) is lm.ParameterError, show(row, found)
        blamed = row["refused"] if isinstance(row["refused"], list) else [row["refused"]]
        assert error.parameter in blamed, show(row, found)
        for text in row.get("says", []):
            assert text in message, show(row, found)
        for text in (CANARY, KEY_ID, SECRET, *row.get("hides", [])):
            assert text not in message, show(row, found)
        for text in row.get("message_hides", []):
            assert text not in str(error.args[0]), show(row, found)
        assert len(message) < 1000, show(row, found)
        assert server.seen == [], show(row, f"{len(server.seen)} requests")
        return
    assert "sent" in row, show(row, f"sent {len(server.seen)} requests")
    assert len(server.seen) == 1, show(row, f"{len(server.seen)} requests")
    (request,) = server.seen
    expected = eval(row["sent"], dict(TOOLS))
    assert request.body == expected, show(row, request.body[:200])
    if "path" in row:
        assert request.path == eval(f"'{row['path']}'"), show(row, request.path)
    for name, value in row.get("headers", {}).items():
        assert request.headers.get(name) == value, show(row, request.headers)
    for name, length in row.get("header_lengths", {}).items():
        assert len(request.headers[name]) == length, show(row, request.headers)
    warned = " ".join(told)
    assert (row["warns"] in warned) if "warns" in row else warned == "", show(row, told)


@pytest.mark.parametrize("row", ROWS)
def test_python_refuses_or_sends_once(row, server, folder):
    """In Python a bad input is a ParameterError before anything is sent; a good one is one request, byte for byte."""

    def run() -> list[str]:
        place = {
            "endpoint_url": server.url,
            "region": "us-east-1",
            "credential": lm.Credential(KEY_ID, SECRET),
            "timeout_sec": 20,
        }
        keywords = {**place, **keywords_of(row, folder)}
        if "warns" not in row:
            lm.invoke_lm(**keywords)
            return []
        with pytest.warns(lm.LMWarning) as told:
            lm.invoke_lm(**keywords)
        return [str(warning.message) for warning in told]

    check(row, server, run)


def run_in_line_door(line: str, names: dict[str, Any], server: Server, engine: Engine) -> list[str]:
    told: list[str] = []
    scope = Scope({**names, "lm_url": server.url, "lm_credential": lm.Credential(KEY_ID, SECRET)}, environ={})
    door = Door(scope=scope, tell=lambda level, text: told.append(text))
    where = {"-EndpointUrl $lm_url": "-EndpointUrl", "-Region us-east-1": "-Region", "-TimeoutSec 20": "-TimeoutSec"}
    extra = [text for text, name in where.items() if f"{name} " not in line]
    run_line(INVOKE, " ".join([line, *extra, "-Credential $lm_credential"]), None, engine, door, {})
    return told


def spelled(keywords: dict[str, Any]) -> str:
    """A line that gives `keywords`: text in single quotes, everything else in a variable of the same name.

    Text that nobody would type, of a million characters and more, comes from a variable too.
    """
    pieces = []
    for target, value in keywords.items():
        quoted = "'" + value.replace("'", "''") + "'" if isinstance(value, str) and len(value) < 10**6 else f"${target}"
        pieces.append(f"-{INVOKE.by_target[target].name}{':' if value is True else ' '}{quoted}")
    return " ".join(pieces)


@pytest.mark.parametrize("row", ROWS)
def test_a_line_refuses_or_sends_once(row, server, folder, engine):
    """On a line the same input has the same fate, written as text or given as a variable."""
    keywords = keywords_of(row, folder)
    check(row, server, lambda: run_in_line_door(spelled(keywords), keywords, server, engine))
    for line in row.get("lines", []):
        server.seen.clear()
        written = line.replace("{folder}", str(folder))
        check({**row, "line": written}, server, lambda line=written: run_in_line_door(line, {}, server, engine))


def test_every_row_of_the_groups_is_here():
    """Each number of the groups A, B and C that this version can meet has at least one row or a test of its own."""
    here = {param.values[0]["id"].partition(" ")[0] for param in ROWS}
    wanted = (
        {f"A{n}" for n in range(1, 25)} - {"A18"} | {f"B{n}" for n in range(1, 27)} | {f"C{n}" for n in range(1, 13)}
    )
    assert wanted - here == {"B25"}


AS_NOBODY = f"""
import os, pathlib, sys
import lmfunction as lm
import lmfunction._api, lmfunction._prepare, lmfunction._transport, botocore.config, boto3

if os.getuid() == 0:  # root reads everything
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
try:
    lm.invoke_lm(
        "f", payload_stream=pathlib.Path(sys.argv[1]), endpoint_url=sys.argv[2], region="us-east-1",
        credential=lm.Credential("AKID", "secret"),
    )
except lm.ParameterError as error:
    print(error.parameter, error)
"""


def program(source: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs Python source in a process of its own, with the same package and these settings in its environment."""
    return subprocess.run(
        [sys.executable, "-c", source, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_b25_an_unreadable_file_is_refused(server):
    """A file that the user may not read is refused by its name."""
    with tempfile.TemporaryDirectory() as name:
        secret = pathlib.Path(name, "unreadable.json")
        secret.write_text(json.dumps(CANARY))
        secret.chmod(0)
        pathlib.Path(name).chmod(0o755)  # only the file itself is closed
        done = program(AS_NOBODY, str(secret), server.url)
    assert done.stderr == ""
    assert done.stdout.startswith("PayloadStream ")
    assert "unreadable.json" in done.stdout
    assert "Permission denied" in done.stdout
    assert CANARY not in done.stdout
    assert server.seen == []


@pytest.mark.parametrize("content", [b'{"a": 1}', b"[]"])
def test_b27_a_file_that_changes_while_it_is_read_is_refused(content, server, folder, monkeypatch):
    """A file that grows between its first and its last byte is refused, since nobody knows what it should be."""
    path = folder / "growing.json"
    path.write_bytes(content)

    class Growing:
        def __init__(self, handle: int, mode: str) -> None:
            self.file = real(handle, mode)

        def __enter__(self) -> Growing:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def read(self, size: int) -> bytes:
            found = self.file.read(size)
            with path.open("ab") as other:
                other.write(b" ")
            return found

    real = os.fdopen
    monkeypatch.setattr("lmfunction._files.os.fdopen", Growing)
    with pytest.raises(lm.ParameterError, match="changed while it was read") as caught:
        lm.invoke_lm(
            "f", payload_stream=path, endpoint_url=server.url, region="us-east-1", credential=lm.Credential("A", "B")
        )
    assert caught.value.parameter == "PayloadStream"
    assert server.seen == []


def test_c11_another_payload_for_a_durable_name_is_told_plainly(server):
    """AWS's refusal of a durable name with another payload is a ServiceError, REJECTED, after one request."""
    body = json.dumps({"Type": "User", "Message": "Execution name x exists with another payload"}).encode()
    server.answer = (409, {"x-amzn-ErrorType": "DurableExecutionAlreadyStartedException"}, body)
    with pytest.raises(lm.ServiceError) as caught:
        lm.invoke_lm(
            "f",
            durable_execution_name="x",
            endpoint_url=server.url,
            region="us-east-1",
            credential=lm.Credential(KEY_ID, SECRET),
        )
    assert caught.value.code == "DurableExecutionAlreadyStartedException"
    assert caught.value.outcome == "REJECTED"
    assert "exists with another payload" in str(caught.value)
    assert len(server.seen) == 1


ONE_CALL = """
import sys
import lmfunction as lm
try:
    result = lm.invoke_lm("f", endpoint_url=sys.argv[1], region="us-east-1", credential=lm.Credential("AKID", "secret"))
    print("OK", result.status_code, result.attempts)
except lm.LMError as error:
    print(type(error).__name__, getattr(error, "outcome", ""), getattr(error, "attempts", ""))
"""
SETTINGS = [
    pytest.param({"AWS_MAX_ATTEMPTS": value}, id=f"{id_} AWS_MAX_ATTEMPTS={value}")
    for id_, value in [("C13", ""), ("C13", "abc"), ("C13", "0"), ("C13", "-1"), ("C14", "10")]
] + [
    pytest.param({"AWS_RETRY_MODE": "Standard"}, id="C13 AWS_RETRY_MODE=Standard"),
    pytest.param({"AWS_RETRY_MODE": "adaptive", "AWS_MAX_ATTEMPTS": "10"}, id="C14 adaptive"),
    pytest.param({"AWS_NEW_RETRIES_2026": "true", "AWS_MAX_ATTEMPTS": "10"}, id="C14 AWS_NEW_RETRIES_2026"),
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_settings_of_boto3_do_not_repeat_a_call(settings, server):
    """Whatever the environment says about retries, a call that AWS fails with 500 is one request."""
    server.answer = (500, {"x-amzn-ErrorType": "ServiceException"}, b'{"Message": "failed"}')
    done = program(ONE_CALL, server.url, **settings)
    assert (done.stdout.split(), done.stderr) == (["ServiceError", "UNKNOWN", "1"], "")
    assert len(server.seen) == 1

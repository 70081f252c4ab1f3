"""Responses that stream: InvokeWithResponseStream over boto3 and over raw bytes, and what Invoke makes of them."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

import lmfunction as lm
from lmfunction.local._child import start_embedded
from lmfunction.local._frames import event_frame

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
STREAMER = f"#!{sys.executable}\n{Path(__file__).with_name('streamer.py').read_text()}"
PATH = "/2021-11-15/functions/{}/response-streaming-invocations"


class Streamed:
    """An answer of InvokeWithResponseStream, read to its end. `times` are when chunks came, in s since the head."""

    def __init__(self, answer: Any) -> None:
        self.headers = answer["ResponseMetadata"]["HTTPHeaders"]
        self.request_id = answer["ResponseMetadata"]["RequestId"]
        self.chunks: list[bytes] = []
        self.times: list[float] = []
        self.ending: dict[str, Any] = {}
        began = time.monotonic()
        for event in answer["EventStream"]:
            assert not self.ending
            if "PayloadChunk" in event:
                self.chunks.append(event["PayloadChunk"]["Payload"])
                self.times.append(time.monotonic() - began)
            else:
                self.ending = {"complete": True, **event["InvokeComplete"]}
        self.payload = b"".join(self.chunks)

    @property
    def error(self) -> dict[str, Any]:
        details: dict[str, Any] = json.loads(self.ending["ErrorDetails"])
        return details

    @property
    def log(self) -> str:
        return base64.b64decode(self.ending["LogResult"]).decode()


Stream = Callable[..., Streamed]


@pytest.fixture(scope="session")
def stream(client: Any) -> Stream:
    """Invokes with a response stream and reads it."""

    def invoke(name: str, event: Any = None, **more: Any) -> Streamed:
        payload = json.dumps(event)
        return Streamed(client.invoke_with_response_stream(FunctionName=name, Payload=payload, **more))

    return invoke


@pytest.fixture(scope="session")
def streamer(deploy: Any) -> Callable[..., str]:
    """Deploys the program that carries out the steps of its events."""

    def make(**more: Any) -> str:
        name: str = deploy(
            "", Runtime="provided.al2023", files={"bootstrap": STREAMER}, executable=["bootstrap"], **more
        )
        return name

    return make


@pytest.fixture(scope="session")
def warm_streamer(streamer: Any) -> str:
    name: str = streamer(Timeout=20)
    return name


def test_streams(stream: Stream, streamer: Any, warm_streamer: str, call: Any, streams_case: dict[str, Any]) -> None:
    """Each way in which a response can go on and end; the environment goes on, too."""
    case, name = streams_case, warm_streamer
    if "timeout" in case:
        name = streamer(Timeout=case["timeout"])
    got = stream(name, case["steps"], LogType="Tail")
    assert got.ending["complete"]
    if "length" in case:
        assert (len(got.payload), set(got.payload)) == (case["length"], set(b"0123456789"))
    else:
        assert got.payload.decode() == case["text"]
    assert got.headers["content-type"] == "application/vnd.amazon.eventstream"
    assert got.headers["x-amzn-remapped-content-type"] == case.get("type", "text/x-test")
    assert got.headers["x-amz-executed-version"] == "$LATEST"
    assert f"START RequestId: {got.request_id}" in got.log or "REPORT" in got.log
    assert f"REPORT RequestId: {got.request_id}\t" in got.log
    if "error" in case:
        kind, message = case["error"]
        assert got.ending["ErrorCode"] == "Unhandled"
        assert got.error["errorType"] == kind
        assert re.search(message, got.error["errorMessage"])
    else:
        assert "ErrorCode" not in got.ending
    assert stream(name, ["more", "end"]).payload == b"more"


def test_invoke_collects(client: Any, warm_streamer: str, streams_case: dict[str, Any]) -> None:
    """Plain Invoke of a function that streams has the whole payload, or the error alone."""
    case = streams_case
    if "timeout" in case:  # shown by the stream
        return
    answer = client.invoke(FunctionName=warm_streamer, Payload=json.dumps(case["steps"]))
    payload = answer["Payload"].read()
    kind = case.get("invoke") or case.get("error", [None])[0]
    if kind is not None:
        assert answer["FunctionError"] == "Unhandled"
        assert json.loads(payload)["errorType"] == kind
    elif "length" in case:
        assert len(payload) == case["length"]
    else:
        assert payload.decode() == case["text"]


def test_our_cmdlet(server: Any, warm_streamer: str, streams_case: dict[str, Any]) -> None:
    """The same through Invoke-LMWithResponseStream: the text, and the error with what came before it kept."""
    case = streams_case
    if "timeout" in case:  # shown by the stream
        return
    credential = lm.Credential(server.access_key, server.secret_key)
    with lm.Session(endpoint_url=server.url, region=server.region, credential=credential) as session:
        result = session.invoke_lm_with_response_stream(warm_streamer, json.dumps(case["steps"]), log_type="Tail")
        text = "".join(result)
        if "length" in case:
            assert len(text) == case["length"]
        else:
            assert text == case["text"]
        assert result.raw_payload == text.encode()
        assert result.ok is ("error" not in case)
        if "error" in case:
            kind, message = case["error"]
            assert result.error.type == kind
            assert re.search(message, result.error.message)
        assert f"REPORT RequestId: {result.request_id}\t" in result.log
        assert result.report.duration_ms > 0


def test_an_event_of_a_function_that_streams(client: Any, warm_streamer: str) -> None:
    """Asynchronously it runs as any other."""
    answer = client.invoke(FunctionName=warm_streamer, Payload='["a", "end"]', InvocationType="Event")
    assert answer["StatusCode"] == 202


def test_python_is_one_chunk(stream: Stream, deploy: Any) -> None:
    """A runtime that does not stream: the payload in one chunk; an error stands in the end alone."""
    got = stream("hello", {"name": "Ada"}, LogType="Tail")
    assert got.chunks == [b'{"message": "Hello, Ada!"}']
    assert set(got.ending) == {"complete", "LogResult"}
    assert got.headers["x-amzn-remapped-content-type"] == "application/json"
    failed = stream("fail")
    assert (failed.chunks, failed.ending["ErrorCode"]) == ([], "Unhandled")
    assert failed.error["requestId"] == failed.request_id
    assert "LogResult" not in failed.ending


def test_chunks_come_while_the_function_runs(stream: Stream, warm_streamer: str) -> None:
    """A chunk is there long before the next one is written."""
    got = stream(warm_streamer, ["a", 0.3, "b", "end"])
    assert got.chunks == [b"a", b"b"]
    assert got.times[0] < 0.15 < got.times[1]


@pytest.mark.parametrize(
    ("keywords", "code", "status"),
    [
        ({"FunctionName": "nobody"}, "ResourceNotFoundException", 404),
        ({"FunctionName": "echo", "Qualifier": "gone"}, "ResourceNotFoundException", 404),
        ({"FunctionName": "echo", "Payload": b"{"}, "InvalidRequestContentException", 400),
        ({"FunctionName": "echo", "Payload": b"1" * 6_291_457}, "RequestEntityTooLargeException", 413),
        ({"FunctionName": "echo", "TenantId": "#"}, "ValidationException", 400),
    ],
)
def test_refusals(client: Any, keywords: dict[str, Any], code: str, status: int) -> None:
    """Those of Invoke."""
    with pytest.raises(ClientError) as raised:
        client.invoke_with_response_stream(**keywords)
    assert raised.value.response["Error"]["Code"] == code
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_types(client: Any, wire: Any) -> None:
    """A dry run runs nothing; there is no asynchronous one; only POST is for this path."""
    assert client.invoke_with_response_stream(FunctionName="echo", InvocationType="DryRun")["StatusCode"] == 204
    event = wire.request(PATH.format("echo"), headers={"X-Amz-Invocation-Type": "Event"})
    assert (event.status, event.lower["x-amzn-errortype"]) == (400, "ValidationException")
    assert "[RequestResponse, DryRun]" in event.json()["message"]
    assert wire.request(PATH.format("echo"), method="GET", body=b"").status == 405


def test_the_head(wire: Any, to_bytes: Any) -> None:
    """Headers in AWS's case, the body chunked, and the connection goes on with the next request."""
    path = PATH.format("echo")
    with socket.create_connection(("127.0.0.1", wire.port), timeout=10) as connection:
        for _ in range(2):
            connection.sendall(to_bytes("POST", path, wire.signed(path, b"7"), b"7"))
            data = b""
            while not data.endswith(b"\r\n0\r\n\r\n"):
                data += connection.recv(65536)
            head, _, body = data.partition(b"\r\n\r\n")
            names = [line.split(b":")[0].decode() for line in head.split(b"\r\n")[1:]]
            assert names == [
                *("Date", "Content-Type", "x-amzn-RequestId", "X-Amzn-Remapped-Content-Type"),
                *("X-Amz-Executed-Version", "X-Amzn-Trace-Id", "Transfer-Encoding", "Connection"),
            ]
            buffer = EventStreamBuffer()
            for chunk in re.findall(rb"(?s)[0-9a-f]+\r\n(.+?)\r\n(?=[0-9a-f]+\r\n)", body):
                buffer.add_data(chunk)
            assert [e.headers[":event-type"] for e in buffer] == ["PayloadChunk", "InvokeComplete"]


def read_slowly(wire: Any, to_bytes: Any, name: str, event: bytes) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.settimeout(20)
    connection.connect(("127.0.0.1", wire.port))
    path = PATH.format(name)
    connection.sendall(to_bytes("POST", path, wire.signed(path, event), event))
    return connection


def test_a_slow_reader_slows_the_function_down(client_of: Any, Deployer: Any, to_bytes: Any, make_wire: Any) -> None:
    """What is streamed to somebody who does not read waits in the function, not in the server's memory."""
    with start_embedded() as server:
        wire, deploy = make_wire(server), Deployer(client_of(server))
        name = deploy(
            "", Runtime="provided.al2023", files={"bootstrap": STREAMER}, executable=["bootstrap"], Timeout=30
        )
        before = peak_kb(server.pid)
        steps = json.dumps([{"repeat": 100, "text": "0123456789", "times": 100_000}, "end"]).encode()
        with read_slowly(wire, to_bytes, name, steps) as connection:
            time.sleep(0.5)
            size, end = 0, b""
            while not end.endswith(b"\r\n0\r\n\r\n"):
                data = connection.recv(1 << 20)
                size, end = size + len(data), (end + data)[-7:]
        assert size > 100_000_000
        assert peak_kb(server.pid) - before < 30_000


def peak_kb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        pytest.skip("the system does not tell")
    return int(re.search(r"VmHWM:\s+(\d+)", status).group(1))  # type: ignore[union-attr]


def test_a_reader_who_goes_away(wire: Any, to_bytes: Any, client: Any, stream: Stream, streamer: Any) -> None:
    """The function runs on to its end, and then the same process takes the next event."""
    name = streamer(Timeout=10)
    pid = re.search(r"pid (\d+)", stream(name, ["warm", "end"], LogType="Tail").log)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    steps = json.dumps(["a", 0.1, {"repeat": 20, "text": "0123456789", "times": 100_000}, "end"]).encode()
    with read_slowly(wire, to_bytes, name, steps) as connection:
        assert connection.recv(100)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        stream(name, ["b", "end"])
    deadline = time.monotonic() + 5
    while True:
        try:
            got = stream(name, ["b", "end"], LogType="Tail")
            break
        except ClientError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert got.payload == b"b"
    assert re.search(r"pid (\d+)", got.log).group() == pid.group()  # type: ignore[union-attr]


def test_two_hundred_megabytes(stream: Stream, streamer: Any) -> None:
    """A response that is longer ends in an error; the environment goes on."""
    name = streamer(Timeout=30)
    got = stream(name, [{"repeat": 201, "text": "0123456789abcdef", "times": 65_536}, "end"])
    assert got.error["errorType"] == "Function.ResponseSizeTooLarge"
    assert "(209715200 bytes)" in got.error["errorMessage"]
    assert 200_000_000 < len(got.payload) <= 209_715_200
    assert stream(name, ["on", "end"]).payload == b"on"


def test_several_at_once(stream: Stream, warm_streamer: str) -> None:
    """Streams do not mix."""
    found: dict[int, bytes] = {}

    def read(n: int) -> None:
        found[n] = stream(warm_streamer, [*[str(n)] * 50, "end"]).payload

    threads = [threading.Thread(target=read, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: str(n).encode() * 50 for n in range(4)}


NODE = {
    "writes": ("stream.write('a'); await wait(5); stream.write({z: 1}); stream.end('é')", 'a{"z":1}é', None),
    "a pipeline": ("await pipeline(Readable.from(['x', 'y']), stream)", "xy", None),
    "an error in the middle": ("stream.write('a'); await wait(5); throw new RangeError('mid')", "a", "RangeError"),
    "an error before": ("throw new RangeError('mid')", "", "RangeError"),
    "an error in a pipeline": (
        "await pipeline(Readable.from((async function* () { yield 'x'; throw new RangeError('src') })()), stream)",
        "x",
        "RangeError",
    ),
    "exit": ("stream.write('a'); await wait(20); process.exit(2)", "a", "Runtime.ExitError"),
    "uncaught": (
        "stream.write('a'); await wait(5); setTimeout(() => { throw new RangeError('u') }, 1); await wait(999)",
        "a",
        "RangeError",
    ),
    "http": (
        "stream = awslambda.HttpResponseStream.from(stream, {statusCode: 201}); stream.end('body')",
        '{"statusCode":201}' + "\0" * 8 + "body",
        None,
    ),
    "content type too late": (
        "stream.write('a'); stream.setContentType('x/y')",
        "a",
        "Runtime.InvalidStreamingOperation",
    ),
    "a value is ignored": ("stream.end('v'); return 5", "v", None),
    "nothing": ("stream.end()", "", None),
}


@needs_node
@pytest.mark.parametrize("name", NODE)
def test_node(stream: Stream, deploy: Any, name: str) -> None:
    """Handlers made by awslambda.streamifyResponse."""
    code, text, kind = NODE[name]
    source = f"""
const {{Readable}} = require('stream'), {{pipeline}} = require('stream/promises')
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {{ {code} }}, {{highWaterMark: 9}})
"""
    function = deploy("", Runtime="nodejs22.x", Handler="index.handler", files={"index.js": source}, Timeout=9)
    got = stream(function, LogType="Tail")
    assert got.payload.decode() == text
    assert (got.error["errorType"] if "ErrorDetails" in got.ending else None) == kind, got.ending
    if name == "http":
        kind_of_content = "application/vnd.awslambda.http-integration-response"
        assert got.headers["x-amzn-remapped-content-type"] == kind_of_content
    if name == "a value is ignored":
        assert "\tWARN\tStreaming handlers ignore return values." in got.log


@needs_node
def test_node_needs_an_async_handler(stream: Stream, deploy: Any) -> None:
    """As AWS's own runtime says."""
    source = "exports.handler = awslambda.streamifyResponse((event, stream) => { stream.write('q') })"
    name = deploy("", Runtime="nodejs22.x", Handler="index.handler", files={"index.js": source})
    got = stream(name)
    assert got.payload == b"q"
    assert got.error["errorMessage"] == "Streaming does not support non-async handlers."


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["PayloadChunk", "InvokeComplete", "ö"]), st.binary(max_size=300), st.text(max_size=40)
        ),
        max_size=5,
    ),
    st.integers(1, 50),
)
@settings(max_examples=60, deadline=None)
def test_frames(events: list[tuple[str, bytes, str]], step: int) -> None:
    """botocore reads the same events back, however the bytes are cut."""
    data = b"".join(event_frame(kind, body, content) for kind, body, content in events)
    buffer = EventStreamBuffer()
    found = []
    for at in range(0, len(data), step):
        buffer.add_data(data[at : at + step])
        found += [(e.headers[":event-type"], e.payload, e.headers[":content-type"]) for e in buffer]
    assert found == events

"""Invoke, as AWS answers it: statuses, headers, bodies, logs."""

from __future__ import annotations

import base64
import json
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TRACE = re.compile(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=1:[0-9a-f]{8}:0")
ARN = "arn:aws:lambda:us-east-1:000000000000:function"
CONTEXT = """
def handler(event, context):
    names = ["aws_request_id", "function_name", "function_version", "invoked_function_arn", "memory_limit_in_mb",
             "log_group_name", "log_stream_name", "tenant_id"]
    values = {name: getattr(context, name) for name in names}
    values["left"] = context.get_remaining_time_in_millis()
    values["identity"] = context.identity.cognito_identity_id
    cc = context.client_context
    values["client"] = cc and [cc.custom, cc.env, cc.client and cc.client.app_title]
    return values
"""


def test_headers_of_an_answer(wire: Any) -> None:
    """A result comes with the headers AWS sends, in AWS's case, and no others."""
    reply = wire.request(body=b'{"a":  1}')
    assert reply.body == b'{"a": 1}'
    assert set(reply.headers) == {
        "Date", "Content-Type", "x-amzn-RequestId", "x-amzn-Remapped-Content-Length", "X-Amz-Executed-Version",
        "X-Amzn-Trace-Id", "Content-Length", "Connection",
    }  # fmt: skip
    assert reply.headers["X-Amz-Executed-Version"] == "$LATEST"
    assert reply.headers["x-amzn-Remapped-Content-Length"] == "0"
    assert reply.headers["Connection"] == "keep-alive"
    assert UUID.fullmatch(reply.headers["x-amzn-RequestId"])
    assert TRACE.fullmatch(reply.headers["X-Amzn-Trace-Id"])


def test_headers_of_a_failed_function(wire: Any) -> None:
    """A failed function is a 200 with one more header."""
    reply = wire.request("/2015-03-31/functions/fail/invocations")
    assert (reply.status, reply.headers["X-Amz-Function-Error"]) == (200, "Unhandled")
    assert "x-amzn-ErrorType" not in reply.headers


def test_dry_run_and_event_headers(wire: Any) -> None:
    """DryRun is a bare 204; Event a 202 without version, error or body."""
    dry = wire.request(headers={"X-Amz-Invocation-Type": "DryRun"})
    assert (dry.status, set(dry.headers)) == (204, {"Date", "x-amzn-RequestId", "Connection"})
    event = wire.request(headers={"X-Amz-Invocation-Type": "Event"})
    assert (event.status, event.body) == (202, b"")
    assert not {"X-Amz-Executed-Version", "X-Amz-Function-Error"} & set(event.headers)


def test_request_errors(request_errors_case: dict[str, Any], wire: Any) -> None:
    """What the service refuses, it refuses in the recorded words."""
    case = request_errors_case
    path = case.get("path", "/2015-03-31/functions/echo/invocations")
    body = case.get("payload", "" if case.get("method") == "GET" else "{}").encode()
    reply = wire.request(path, body, method=case.get("method", "POST"), headers=case.get("headers"))
    assert (reply.status, reply.lower["x-amzn-errortype"]) == (case["status"], case["code"]), reply
    assert UUID.fullmatch(reply.lower["x-amzn-requestid"])
    if "body" in case:
        assert reply.json() == {key: value.replace("{arn}", ARN) for key, value in case["body"].items()}
    assert reply.json().get("message", "").startswith(case.get("starts", ""))


@pytest.mark.parametrize(
    "name",
    ["echo", "echo:$LATEST", "000000000000:function:echo", f"{ARN}:echo", f"{ARN}:echo:$LATEST", "function:echo"],
)
def test_spellings_of_a_name(client: Any, name: str) -> None:
    """Every spelling of a name that AWS takes finds the function."""
    assert client.invoke(FunctionName=name, Payload=b"7")["Payload"].read() == b"7"


def test_event_too_large(wire: Any) -> None:
    """An asynchronous event may have 1 MB."""
    for size, status in ((1_048_576, 202), (1_048_577, 413)):
        body = b'"' + b"x" * (size - 2) + b'"'
        reply = wire.request(body=body, headers={"X-Amz-Invocation-Type": "Event"})
        assert reply.status == status
    text = "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)"
    assert reply.json()["message"] == text


def test_context(call: Any, deploy: Any) -> None:
    """The context object says what AWS's says; the ARN carries the qualifier as the caller gave it."""
    name = deploy(CONTEXT, MemorySize=256, Timeout=9, TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    client_context = base64.b64encode(
        b'{"custom": {"k": "\\u00fc\\n"},\n "env": {"e": "1"}, "client": {"app_title": "t"}}'
    )
    seen, answer = call(name, {}, ClientContext=client_context.decode(), TenantId="tenant one", Qualifier="$LATEST")
    assert seen.pop("aws_request_id") == answer["ResponseMetadata"]["RequestId"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", seen.pop("log_stream_name"))
    assert 8_000 < seen.pop("left") <= 9_000
    assert seen == {
        "function_name": name,
        "function_version": "$LATEST",
        "invoked_function_arn": f"{ARN}:{name}:$LATEST",
        "memory_limit_in_mb": "256",
        "log_group_name": f"/aws/lambda/{name}",
        "tenant_id": "tenant one",
        "identity": None,
        "client": [{"k": "ü\n"}, {"e": "1"}, "t"],
    }
    assert call(name, TenantId="t")[0]["invoked_function_arn"] == f"{ARN}:{name}"


def test_log_tail(call: Any, deploy: Any) -> None:
    """print, logging, a child process and stderr are all in the tail; Init Duration on a cold start only."""
    name = deploy(
        "import logging, subprocess, sys\nlogging.getLogger().setLevel('INFO')\nprint('loading')\n"
        "def handler(event, context):\n    print('from print')\n    logging.info('from %s', 'logging')\n"
        "    subprocess.run(['echo', 'from a child'])\n    sys.stderr.write('from stderr')\n"
    )
    _, cold = call(name, LogType="Tail")
    request_id = cold["ResponseMetadata"]["RequestId"]
    figures = r"Duration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB"
    wanted = (
        "loading\nSTART RequestId: ID Version: $LATEST\nfrom print\n"
        r"\[INFO\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\tID\tfrom logging\n"
        "from a child\nfrom stderr\nEND RequestId: ID\n"
        rf"REPORT RequestId: ID\t{figures}"
    ).replace("START RequestId: ID Version: $", r"START RequestId: ID Version: \$")
    pattern = wanted.replace("ID\\t", f"{request_id}\\t").replace(" ID", f" {request_id}")
    assert re.fullmatch(pattern + r"\tInit Duration: [\d.]+ ms\t\n", cold["Log"]), cold["Log"]
    _, warm = call(name, LogType="Tail")
    assert "Init Duration" not in warm["Log"]
    assert warm["Log"].startswith("START")
    assert int(re.findall(r"Max Memory Used: (\d+) MB", warm["Log"])[0]) > 3


def test_log_tail_is_4_kb(call: Any, deploy: Any) -> None:
    """Only the last 4,096 bytes are given, and a handler that prints a megabyte is not held up."""
    name = deploy("def handler(event, context):\n    for i in range(20000):\n        print(f'{i:050}')\n", Timeout=20)
    log = call(name, LogType="Tail")[1]["Log"]
    assert len(log) == 4096
    assert f"{19999:050}\nEND RequestId" in log


def test_no_tail_unless_asked(client: Any) -> None:
    """Without LogType Tail there is no log."""
    assert "LogResult" not in client.invoke(FunctionName="hello")


def test_samples(call: Any) -> None:
    """The sample functions do what they are for."""
    assert call("hello", {})[0] == {"message": "Hello, world!"}
    assert call("hello", {"name": "Ada"})[0] == {"message": "Hello, Ada!"}
    assert call("echo", [1, None])[0] == [1, None]
    assert call("slow", {"seconds": 0.01})[0] == {"slept": 0.01}
    assert call("fail")[0]["errorType"] == "OrderNotFoundError"


def test_large_event_and_result(client: Any) -> None:
    """5 MB go there and back."""
    body = json.dumps("x" * 5_000_000).encode()
    assert client.invoke(FunctionName="echo", Payload=body)["Payload"].read() == body


def test_concurrent_calls_get_their_own_answers(client: Any) -> None:
    """Answers are not mixed up between connections."""
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda i: client.invoke(FunctionName="echo", Payload=str(i))["Payload"].read(), range(200))
        assert [int(a) for a in answers] == list(range(200))


def test_event_runs_and_is_retried(call: Any, deploy: Any, tmp_path: Any) -> None:
    """An asynchronous invocation that fails is tried twice more under the same request id."""
    pipe = tmp_path / "attempts"
    os.mkfifo(pipe)
    name = deploy(
        "def handler(event, context):\n    with open(event, 'a') as f:\n"
        "        f.write(context.aws_request_id + '\\n')\n"
        "    raise Exception('again')\n"
    )
    lines: list[str] = []

    def read() -> None:
        while len(lines) < 3:
            with pipe.open() as source:
                lines.extend(source.read().split())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    answer = deploy.client.invoke(FunctionName=name, Payload=json.dumps(str(pipe)), InvocationType="Event")
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    reader.join(10)
    assert lines == [answer["ResponseMetadata"]["RequestId"]] * 3


def test_dry_run_does_not_run(client: Any, deploy: Any, tmp_path: Any) -> None:
    """DryRun answers 204 and runs nothing; an unknown function is still 404."""
    mark = tmp_path / "ran"
    name = deploy(f"open({str(mark)!r}, 'w').close()\ndef handler(event, context): pass\n")
    assert client.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.invoke(FunctionName="doesnotexist", InvocationType="DryRun")
    assert not mark.exists()

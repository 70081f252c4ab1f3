"""Invoke, as AWS answers it: statuses, headers, bodies, logs."""

from __future__ import annotations

import gc
import json
import os
import re
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from lmfunction.local._chunked_body import ChunkedBody
from lmfunction.local._functions import Configuration, Function, Functions
from lmfunction.local._http import Answer, Request
from lmfunction.local._invocation import Invocation, Outcome
from lmfunction.local._invoke import Invoke

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ARN = "arn:aws:lambda:us-east-1:000000000000:function"


def test_headers_of_a_failed_function(wire: Any) -> None:
    """A failed function is a 200 with one more header."""
    reply = wire.request("/2015-03-31/functions/fail/invocations")
    assert (reply.status, reply.headers["X-Amz-Function-Error"]) == (200, "Unhandled")
    assert "x-amzn-ErrorType" not in reply.headers


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


@pytest.mark.parametrize("streams", [False, True])
def test_an_answered_invocation_is_let_go(streams: bool) -> None:
    """An event of 5 MB goes with its answer, and does not wait for the garbage collector."""
    functions = Functions("us-east-1", "000000000000")
    functions.put(Function(Configuration("f", "arn:f", Path(), "a.b")))
    running: list[Invocation] = []
    fleet: Any = SimpleNamespace(run=running.append)
    invoke = Invoke(functions, fleet, cast(Any, None), lambda invocation, kind, outcome: None)

    def reply(answer: Answer) -> None:
        if answer.stream is not None:
            answer.stream(ChunkedBody(cast(Any, SimpleNamespace(closed=True))))

    held = weakref.ref(reply)
    gc.disable()
    try:
        invoke.answer("f", "", Request("POST", "/", {}, b"1"), reply, streams=streams)
        running[0].done(running[0], Outcome(b"1"))
        running.clear()
        del reply
        assert held() is None
    finally:
        gc.enable()


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

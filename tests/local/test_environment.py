"""Execution environments: reuse, limits, crashes, and that nothing is left of them."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lmfunction.local._child import start_embedded
from lmfunction.local._settings import Settings

# Two calls that wait for each other through a directory can only succeed side by side.
MEET = """
import os, time
def handler(event, context):
    open(os.path.join(event["folder"], event["me"]), "w").close()
    while len(os.listdir(event["folder"])) < event["wanted"]:
        time.sleep(0.005)
    return os.getpid()
"""


def test_environments_are_separate(call: Any, deploy: Any, tmp_path: Any) -> None:
    """Calls at the same time run in processes of their own."""
    name = deploy(MEET, Timeout=10)
    with ThreadPoolExecutor(3) as pool:
        events = [{"folder": str(tmp_path), "me": str(i), "wanted": 3} for i in range(3)]
        pids = list(pool.map(lambda e: call(name, e)[0], events))
    assert len(set(pids)) == 3


def test_variables(client_of: Any, Deployer: Any) -> None:
    """The environment is built from nothing: ours is not in it, the credentials open this server only."""
    os.environ["LMFUNCTION_TEST_LEAK"] = "1"
    try:
        with start_embedded() as fresh:
            name = Deployer(client_of(fresh))(
                "import os\ndef handler(event, context): return dict(os.environ)\n",
                Environment={"Variables": {"STAGE": "test", "PATH_X": "ü"}},
            )
            seen = json.loads(client_of(fresh).invoke(FunctionName=name)["Payload"].read())
            keys = (fresh.access_key, fresh.secret_key, fresh.url)
    finally:
        del os.environ["LMFUNCTION_TEST_LEAK"]
    assert "LMFUNCTION_TEST_LEAK" not in seen
    assert (seen["STAGE"], seen["PATH_X"]) == ("test", "ü")
    assert (seen["AWS_ACCESS_KEY_ID"], seen["AWS_SECRET_ACCESS_KEY"], seen["AWS_ENDPOINT_URL_LAMBDA"]) == keys
    assert seen["HOME"] == seen["TMPDIR"] != os.environ.get("HOME")
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert seen["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.11"
    assert seen["_HANDLER"] == "app.handler"
    assert seen["_X_AMZN_TRACE_ID"].startswith("Root=1-")


def test_reserved_concurrency(call: Any, client: Any, deploy: Any, tmp_path: Any) -> None:
    """A call beyond the reserved concurrency is refused with AWS's reason; the next one after it works."""
    name = deploy(MEET, Timeout=10)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(call, name, {"folder": str(tmp_path), "me": "a", "wanted": 2})
        while not (tmp_path / "a").exists():
            time.sleep(0.005)
        with pytest.raises(ClientError) as refused:
            client.invoke(FunctionName=name)
        (tmp_path / "b").touch()
        assert "FunctionError" not in first.result()[1]
    error = refused.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert error["Error"]["Code"] == "TooManyRequestsException"
    assert error["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert error["message"] == "Rate Exceeded."
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        client.invoke(FunctionName=name)
    client.delete_function_concurrency(FunctionName=name)
    assert call(name, {"folder": str(tmp_path), "me": "c", "wanted": 1})[0]


def test_account_concurrency_and_eviction(client_of: Any, Deployer: Any, tmp_path: Any, children_of: Any) -> None:
    """The account's limit refuses what is too much at once, and idle processes make room for other functions."""
    with start_embedded(concurrency=2) as small:
        client = client_of(small)
        name = Deployer(client)(MEET, Timeout=10)

        def meet(me: str) -> Any:
            event = {"folder": str(tmp_path), "me": me, "wanted": 3}
            return client.invoke(FunctionName=name, Payload=json.dumps(event))

        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(meet, "a"), pool.submit(meet, "b")]
            while len(list(tmp_path.iterdir())) < 2:
                time.sleep(0.005)
            with pytest.raises(ClientError) as refused:
                client.invoke(FunctionName="echo")
            queued = client.invoke(FunctionName="echo", InvocationType="Event")
            (tmp_path / "c").touch()
            assert all("FunctionError" not in r.result() for r in running)
        assert refused.value.response["Reason"] == "ConcurrentInvocationLimitExceeded"
        assert queued["StatusCode"] == 202
        for sample in ("hello", "echo", "slow"):
            client.invoke(FunctionName=sample, Payload=b'{"seconds": 0}')
        assert len(children_of(small.pid)) <= 2


def test_idle_environments_are_closed(client_of: Any, children_of: Any, all_gone: Any) -> None:
    """What nobody needs for a while is closed, with its folder."""
    with start_embedded(settings=Settings(idle_seconds=0.1)) as server:
        client_of(server).invoke(FunctionName="echo")
        pids = children_of(server.pid)
        assert pids
        assert all_gone(pids)


def test_children_of_a_handler_die_with_it(call: Any, deploy: Any, all_gone: Any) -> None:
    """A timeout kills what the handler has started too."""
    name = deploy(
        "import subprocess, time\ndef handler(event, context):\n"
        "    p = subprocess.Popen(['sleep', '60'])\n    print('child', p.pid)\n    time.sleep(60)\n",
        Timeout=1,
    )
    _, answer = call(name, LogType="Tail")
    pid = int(answer["Log"].partition("child ")[2].split()[0])
    assert all_gone({pid})


def test_functions_share_the_session_where_there_is_no_terminal(call: Any, deploy: Any) -> None:
    """A function leads a group of its own, which is killed whole; the system shares the processor out by session."""
    name = deploy(
        "import os\ndef handler(event, context):\n"
        "    return [os.getpgrp() == os.getpid(), os.getsid(0) == os.getsid(os.getppid())]\n"
    )
    assert call(name)[0] == [True, True]


@pytest.mark.parametrize("has_one", [True, False])
def test_a_terminal_is_noticed(has_one: bool) -> None:
    """Where the server has a terminal, functions get a session without it."""
    program = (
        "import fcntl, sys, termios\nif sys.argv[1:]: fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        "from lmfunction.local._process import has_terminal\nprint(has_terminal())\n"
    )
    leader, follower = pty.openpty()
    try:
        command = [sys.executable, "-c", program, *(["take it"] if has_one else [])]
        said = subprocess.run(command, stdin=follower, capture_output=True, check=True, start_new_session=True)
    finally:
        os.close(leader)
        os.close(follower)
    assert said.stdout.decode().strip() == str(has_one)


def test_a_child_that_outlives_the_process_does_not_hold_the_answer(call: Any, deploy: Any) -> None:
    """The answer does not wait for a background child that keeps the log open."""
    name = deploy(
        "import os, subprocess\ndef handler(event, context):\n    subprocess.Popen(['sleep', '60'])\n    os._exit(3)\n"
    )
    began = time.monotonic()
    assert "exit status 3" in call(name)[0]["errorMessage"]
    assert time.monotonic() - began < 2


def test_runtime_api_refuses_strangers(call: Any, deploy: Any) -> None:
    """A web page that finds the Runtime API's port can neither take an event nor answer one."""
    name = deploy("import os\ndef handler(event, context): return os.environ['AWS_LAMBDA_RUNTIME_API']\n")
    host, port = call(name)[0].split(":")
    for headers in (f"Host: {host}:{port}\r\nOrigin: http://evil\r\n", "Host: evil:80\r\n"):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(f"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n{headers}\r\n".encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 403")
    assert call(name)[0]


def test_update_during_a_call(client: Any, deploy: Any, tmp_path: Any, zip_of: Any) -> None:
    """A call under way finishes on the old code; the next one has the new."""
    name = deploy(MEET, Timeout=10)
    with ThreadPoolExecutor(1) as pool:
        event = json.dumps({"folder": str(tmp_path), "me": "a", "wanted": 2})
        running = pool.submit(lambda: client.invoke(FunctionName=name, Payload=event))
        while not (tmp_path / "a").exists():
            time.sleep(0.005)
        client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": "def handler(e, c): return 'new'\n"}))
        assert client.invoke(FunctionName=name)["Payload"].read() == b'"new"'
        (tmp_path / "b").touch()
        assert running.result()["Payload"].read().isdigit()


def test_functions_can_invoke_each_other(call: Any, deploy: Any) -> None:
    """boto3 inside a handler reaches this server with the credentials it finds."""
    pytest.importorskip("boto3")
    name = deploy(
        "import boto3, json\ndef handler(event, context):\n    client = boto3.client('lambda')\n"
        "    return json.loads(client.invoke(FunctionName='hello', Payload=b'{}')['Payload'].read())\n",
        Timeout=20,
    )
    assert call(name)[0] == {"message": "Hello, world!"}

"""Runtimes other than Python: Node.js by our loop, any `bootstrap`, wrapper scripts."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lmfunction.local._auth import Keys
from lmfunction.local._child import start_embedded
from lmfunction.local._functions import Configuration
from lmfunction.local._log_store import LogStore
from lmfunction.local._runtimes import LIFE, StartError, command_of
from lmfunction.local._variables import Host

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a companion kills")

# A runtime in the least code: `do` is what it does with each event. Cases hold it as !program.
PROGRAM = f"""#!{sys.executable}
import os, sys, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime"
if "INIT_ERROR" in os.environ:
    urllib.request.urlopen(api + "/init/error", os.environ["INIT_ERROR"].encode())
    sys.exit(1)
while True:
    with urllib.request.urlopen(api + "/invocation/next") as answer:
        id, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], answer.read()
"""


def check(call: Any, deploy: Any, case: dict[str, Any], runtime: str, main: str) -> None:
    files = {main: case.get("source", ""), **case.get("files", {})}
    name = deploy(
        "",
        Runtime=case.get("runtime", runtime),
        Handler=case.get("handler", "index.handler"),
        files={n: program_of(text) for n, text in files.items()},
        executable=case.get("executable", ()),
        Timeout=case.get("timeout", 20),
        Environment={"Variables": case.get("variables", {})},
    )
    payload, answer = call(name, case.get("event"), LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    told = f"answered {payload}\n{answer['Log']}"
    if "error" in case:
        kind, message = case["error"]
        assert answer.get("FunctionError") == "Unhandled", told
        assert payload["errorType"] == kind, told
        assert re.search(message.replace("$ID", request_id), payload["errorMessage"]), told
    else:
        assert payload == case["payload"], told
        assert "FunctionError" not in answer
    for at, pattern in enumerate(case.get("trace", ())):
        assert re.search(pattern, payload["trace"][at]), told
    if "trace" in case:
        assert bool(payload["trace"]) == bool(case["trace"]), told
        assert not any("_node_loop" in line for line in payload["trace"]), told
    if "log" in case:
        assert re.search(case["log"].replace("$ID", request_id), answer["Log"], re.MULTILINE), told
    if "warm" in case:
        assert call(name, case.get("event"))[0] == case["warm"]


def program_of(text: Any) -> str:
    if not isinstance(text, dict):
        return str(text)
    return PROGRAM + "".join(f"    {line}\n" for line in text["program"].splitlines())


@needs_node
def test_node(call: Any, deploy: Any, node_case: dict[str, Any]) -> None:
    """What handlers in JavaScript return, throw and log."""
    check(call, deploy, node_case, "nodejs22.x", "index.js")


def test_bootstrap(call: Any, deploy: Any, bootstrap_case: dict[str, Any]) -> None:
    """Programs that speak the Runtime API, those that do not, and wrappers."""
    needed = bootstrap_case.get("needs")
    if needed is not None and shutil.which(needed) is None:
        pytest.skip(f"{needed} is not installed")
    check(call, deploy, bootstrap_case, "provided.al2023", "app.py")


@needs_node
def test_node_context(client: Any, deploy: Any) -> None:
    """The context has AWS's members, with the caller's context and tenant, and the time runs down."""
    source = """
exports.handler = async (event, context) => {
  const left = context.getRemainingTimeInMillis()
  return {...context, left, trace: process.env._X_AMZN_TRACE_ID}
}"""
    tenancy = {"TenantIsolationMode": "PER_TENANT"}
    name = deploy(
        "", Runtime="nodejs20.x", Handler="index.handler", files={"index.js": source}, Timeout=9, TenancyConfig=tenancy
    )
    context = base64.b64encode(b'{"custom": {"k": "\\u00f6"}}').decode()
    answer = client.invoke(FunctionName=name, ClientContext=context, TenantId="blue", Qualifier="$LATEST")
    got = json.loads(answer["Payload"].read())
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    left, trace, stream = got.pop("left"), got.pop("trace"), got.pop("logStreamName")
    assert 0 < left <= 9000
    assert trace == headers["x-amzn-trace-id"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    assert got == {
        "awsRequestId": answer["ResponseMetadata"]["RequestId"],
        "callbackWaitsForEmptyEventLoop": True,
        "clientContext": {"custom": {"k": "ö"}},
        "functionName": name,
        "functionVersion": "$LATEST",
        "invokedFunctionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{name}:$LATEST",
        "logGroupName": f"/aws/lambda/{name}",
        "memoryLimitInMB": "128",
        "tenantId": "blue",
    }


@needs_node
def test_node_goes_on_after_failures(call: Any, deploy: Any) -> None:
    """A handler's error keeps the process; an uncaught exception costs it, and the next call has a new one."""
    source = """
let n = 0
exports.handler = async (event) => {
  n++
  if (event === 'throw') throw new Error('t')
  if (event === 'late') { setTimeout(() => { throw new Error('l') }, 1); await new Promise(r => setTimeout(r, 999)) }
  return [n, process.pid]
}"""
    name = deploy("", Runtime="nodejs22.x", Handler="index.handler", files={"index.js": source}, Timeout=9)
    first = call(name)[0]
    assert call(name, "throw")[1]["FunctionError"] == "Unhandled"
    assert call(name)[0] == [3, first[1]]
    assert call(name, "late")[1]["FunctionError"] == "Unhandled"
    n, pid = call(name)[0]
    assert n == 1
    assert pid != first[1]


def host_in(folder: Path) -> Host:
    return Host("us-east-1", "http://127.0.0.1:1", Keys.random(), folder, sys.executable, LogStore())


def test_no_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Node.js a function can be made; what runs it says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    configuration = Configuration("f", "arn", tmp_path, "index.handler", runtime="nodejs22.x")
    with pytest.raises(StartError, match=r"nodejs22\.x needs Node\.js, and there is no `node` on the PATH"):
        command_of(configuration, host_in(tmp_path))


def test_no_node_over_the_wire(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, client_of: Any, Deployer: Any) -> None:
    """The same through Invoke."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with start_embedded() as server:
        client = client_of(server)
        name = Deployer(client)("", Runtime="nodejs24.x", Handler="index.handler")
        answer = client.invoke(FunctionName=name)
        payload = json.loads(answer["Payload"].read())
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Runtime.InvalidEntrypoint"
    assert "`apt install nodejs`" in payload["errorMessage"]


@needs_linux
@pytest.mark.parametrize("runtime", ["nodejs22.x", "provided.al2023"])
def test_nothing_outlives_the_server(
    runtime: str, client_of: Any, Deployer: Any, children_of: Any, all_gone: Any
) -> None:
    """A server that is killed takes its runtimes with it, also one that knows nothing of us and is busy."""
    if runtime.startswith("node") and shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    files = {"index.js": "exports.handler = async () => 1", "bootstrap": PROGRAM + BUSY}
    with start_embedded() as server:
        client = client_of(server)
        name = Deployer(client)(
            "", Runtime=runtime, Handler="index.handler", files=files, executable=["bootstrap"], Timeout=20
        )
        assert client.invoke(FunctionName=name)["Payload"].read() == b"1"
        children = children_of(server.pid)
        assert children
        os.kill(server.pid, 9)
        assert all_gone(children)


BUSY = """    urllib.request.urlopen(api + "/invocation/" + id + "/response", b"1")
    while True: pass
"""


def test_elsewhere_a_companion_kills(tmp_path: Path) -> None:
    """Where the kernel sends no signal for a pipe's end, a second process waits for it and kills the group."""
    program = tmp_path / "bootstrap"
    program.write_text("#!/bin/sh\necho on\nsleep 60\n")
    program.chmod(0o755)
    configuration = Configuration("f", "arn", tmp_path, "any", runtime="provided.al2023")
    life, ours = os.pipe()
    words = command_of(configuration, host_in(tmp_path), platform="darwin").words
    command = [str(life) if word == LIFE else word for word in words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=[life], start_new_session=True) as process:
        os.close(life)
        assert process.stdout is not None
        assert process.stdout.readline() == b"on\n"
        os.close(ours)
        assert process.wait(10) == -9

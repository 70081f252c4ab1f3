"""What a Python function finds around it, under our own loop and under awslambdaric."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from invoking import Ask, World

from lmfunction.errors import TransportError
from lmfunction.local._auth import Keys
from lmfunction.local._child import start_embedded
from lmfunction.local._command import run_local
from lmfunction.local._environment import Environment
from lmfunction.local._functions import Configuration
from lmfunction.local._invocation import Invocation, Outcome
from lmfunction.local._log_store import LogStore
from lmfunction.local._process import compile_loop
from lmfunction.local._settings import AWSLAMBDARIC, OWN_LOOP, PYTHON_LOOPS, Settings
from lmfunction.local._trace import ROUNDS
from lmfunction.local._variables import Host

CASES = Path(__file__).with_name("cases")
ARN = "arn:aws:lambda:us-east-1:000000000000:function"
AROUND = """
import logging, os, sys
logging.getLogger().setLevel("INFO")
def handler(event, context):
    print("print", context.aws_request_id)
    logging.info("logging")
    names = ["aws_request_id", "function_name", "function_version", "invoked_function_arn", "memory_limit_in_mb",
             "log_group_name", "log_stream_name", "tenant_id"]
    values = {name: getattr(context, name) for name in names}
    values["left"] = context.get_remaining_time_in_millis()
    values["identity"] = [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id]
    values["client_context"] = context.client_context
    return {"context": values, "environment": dict(os.environ), "path": sys.path, "cwd": os.getcwd()}
"""
COUNTER = """
import os, tempfile, time
count = -1
def handler(event, context):
    global count
    count += 1
    path = os.path.join(tempfile.gettempdir(), "mark")
    seen = os.path.exists(path)
    open(path, "w").close()
    if event == "die":
        os._exit(1)
    if event == "hang":
        time.sleep(60)
    if event == "long":
        return "x" * 7_000_000
    return {"count": count, "pid": os.getpid(), "mark": seen}
"""
# The names recorded on AWS for python3.12, but for those of its Amazon Linux.
RECORDED = {
    "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT", "LANG", "LD_LIBRARY_PATH", "PATH", "PWD", "PYTHONPATH", "SHLVL", "TZ",
    "_AWS_XRAY_DAEMON_ADDRESS", "_AWS_XRAY_DAEMON_PORT", "_HANDLER", "_X_AMZN_TRACE_ID",
}  # fmt: skip
OURS = {"AWS_ENDPOINT_URL_LAMBDA", "AWS_EC2_METADATA_DISABLED", "HOME", "TMPDIR"}


def invoke(world: World, name: str, event: Any = None, **more: Any) -> Any:
    """The payload as JSON."""
    return json.loads(world.client.invoke(FunctionName=name, Payload=json.dumps(event), **more)["Payload"].read())


def test_around_a_handler(both: World) -> None:
    """Context, environment and request id are AWS's, and the same id stands in header, context and log."""
    name = both.deployed({"code": AROUND, "memory": 256, "timeout": 9})
    seen = both.ask("raw", Ask(name, log_type="Tail"))
    around = json.loads(seen.payload)
    context, environment = around["context"], around["environment"]
    assert context.pop("aws_request_id") == seen.request_id
    assert seen.log is not None
    assert f"print {seen.request_id}\n[INFO]\t" in seen.log
    assert f"Z\t{seen.request_id}\tlogging\n" in seen.log
    assert seen.log.count(f"RequestId: {seen.request_id}") == 3
    stream = context.pop("log_stream_name")
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    assert 8_000 < context.pop("left") <= 9_000
    assert context == {
        "function_name": name,
        "function_version": "$LATEST",
        "invoked_function_arn": f"{ARN}:{name}",
        "memory_limit_in_mb": "256",
        "log_group_name": f"/aws/lambda/{name}",
        "tenant_id": None,
        "identity": [None, None],
        "client_context": None,
    }
    added = {"_LAMBDA_TELEMETRY_LOG_FD", "LC_CTYPE"}  # by the runtime itself
    assert set(environment) - added == RECORDED | OURS
    task, runtime = both.folder(name), environment["LAMBDA_RUNTIME_DIR"]
    wanted = {
        "AWS_ACCESS_KEY_ID": both.server.access_key,
        "AWS_SECRET_ACCESS_KEY": both.server.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "AWS_ENDPOINT_URL_LAMBDA": both.server.url,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "LAMBDA_TASK_ROOT": task,
        "LANG": "en_US.UTF-8",
        "PWD": task,
        "PYTHONPATH": runtime,
        "TZ": ":UTC",
        "_HANDLER": "app.handler",
        "_X_AMZN_TRACE_ID": seen.headers["X-Amzn-Trace-Id"],
    }
    assert {key: environment[key] for key in wanted} == wanted
    assert around["cwd"] == around["path"][0] == task
    assert runtime in around["path"]


def test_variables_of_its_own(both: World) -> None:
    """A function may replace what AWS lets it replace; its PYTHONPATH comes behind the runtime's."""
    own = {"TZ": "Europe/Paris", "LANG": "C.UTF-8", "PATH": "/nowhere", "PYTHONPATH": "/mine", "AWS_XRAY_X": "ü"}
    name = both.deployed({"code": "import os\ndef handler(event, context): return dict(os.environ)\n"})
    both.client.update_function_configuration(FunctionName=name, Environment={"Variables": own})
    seen = invoke(both, name)
    assert seen["PYTHONPATH"] == f"{seen['LAMBDA_RUNTIME_DIR']}:/mine"
    assert {key: seen[key] for key in own if key != "PYTHONPATH"} == {k: v for k, v in own.items() if k != "PYTHONPATH"}


@pytest.mark.parametrize("event", ["die", "hang", "long"])
def test_what_is_left_after_a_failure(both: World, event: str) -> None:
    """Calls share a process; a crash or a timeout costs it, but not its files; a result too long costs nothing."""
    name = both.deployed({"code": COUNTER, "timeout": 1})
    first, second = invoke(both, name), invoke(both, name)
    assert (first["count"], first["mark"], second["count"], second["mark"]) == (0, False, 1, True)
    assert both.client.invoke(FunctionName=name, Payload=json.dumps(event))["FunctionError"] == "Unhandled"
    seen = both.ask("boto3", Ask(name, log_type="Tail"))
    after = json.loads(seen.payload)
    assert after["mark"]
    survived = event == "long"
    assert (after["count"], after["pid"] == first["pid"]) == ((3, True) if survived else (0, False))
    assert "Init Duration" not in (seen.log or "")


def test_tenants_share_nothing(both: World) -> None:
    """Two tenants never meet in one process; one tenant's calls do."""
    name = both.deployed({"code": COUNTER, "tenancy": "PER_TENANT"})
    pids = [invoke(both, name, TenantId=tenant)["pid"] for tenant in ("a", "b", "a", "b", "c", "a")]
    assert len(set(pids)) == 3
    assert pids[0] == pids[2] == pids[5]
    assert pids[1] == pids[3]


def run_one(host: Host, configuration: Configuration, place: Path, event: bytes, **more: Any) -> Outcome:
    """One invocation in an environment of its own, without a server."""

    async def run() -> Outcome:
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        environment = Environment(host, configuration, place, init_seconds=10, on_free=lambda environment: None)
        request_id = "11111111-2222-4333-8444-555555555555"

        def done(invocation: Invocation, result: Outcome) -> None:
            outcome.set_result(result)

        invocation = Invocation(request_id, configuration, configuration.arn, event, done, **more)
        environment.run(invocation)
        try:
            return await asyncio.wait_for(outcome, 20)
        finally:
            environment.close()
            await asyncio.sleep(0.05)  # the end of the process is an event of the loop

    return asyncio.run(run())


@pytest.mark.parametrize("loop", PYTHON_LOOPS)
@pytest.mark.parametrize(
    ("event", "more", "kind", "message"),
    [
        (
            b"{}",
            {"client_context": "{bad"},
            "Runtime.LambdaContextUnmarshalError",
            "Unable to parse Client Context JSON: ",
        ),
        (b"{bad", {}, "Runtime.UnmarshalError", "Unable to unmarshal input: "),
    ],
    ids=["client context", "event"],
)
def test_what_the_service_lets_through(
    loop: str, event: bytes, more: dict[str, str], kind: str, message: str, tmp_path: Path
) -> None:
    """What only the runtime can find wrong, it reports as AWS's does."""
    if loop == AWSLAMBDARIC:
        pytest.importorskip(AWSLAMBDARIC)
    code, runtime, place = (tmp_path / name for name in ("code", "runtime", "place"))
    for folder in (code, runtime, place):
        folder.mkdir()
    (code / "app.py").write_text("def handler(event, context): return 1\n")
    host = Host(
        "us-east-1", "http://127.0.0.1:1", Keys.random(), compile_loop(runtime), sys.executable, LogStore(), loop
    )
    configuration = Configuration("f", f"{ARN}:f", code, "app.handler")
    outcome = run_one(host, configuration, place, event, **more)
    error = json.loads(outcome.payload)
    assert (outcome.error, error["errorType"], error["stackTrace"]) == ("Unhandled", kind, [])
    assert error["errorMessage"].startswith(message)
    assert error["requestId"] == "11111111-2222-4333-8444-555555555555"


SLOW_START = """
import os, tempfile, time
print("loading")
mark = os.path.join(tempfile.gettempdir(), "tried")
if not os.path.exists(mark) or os.environ["ALWAYS"]:
    open(mark, "w").close()
    time.sleep(30)
def handler(event, context):
    return "in the end"
"""


@pytest.mark.parametrize("loop", PYTHON_LOOPS)
def test_a_slow_start(loop: str, client_of: Any, Deployer: Any) -> None:
    """A start that takes too long is told in the log and begins again, in the function's own time."""
    if loop == AWSLAMBDARIC:
        pytest.importorskip(AWSLAMBDARIC)
    with start_embedded(settings=Settings(init_seconds=0.4, python_loop=loop)) as server:
        client = client_of(server)
        deploy = Deployer(client)
        for always, wanted in (("", '"in the end"'), ("1", '{"errorType":"Sandbox.Timedout","errorMessage":')):
            name = deploy(SLOW_START, Timeout=1, Environment={"Variables": {"ALWAYS": always}})
            answer = client.invoke(FunctionName=name, LogType="Tail")
            assert answer["Payload"].read().decode().startswith(wanted)
            log = base64.b64decode(answer["LogResult"]).decode()
            assert re.match(
                r"loading\nINIT_REPORT Init Duration: 4\d\d\.\d\d ms\tPhase: init\tStatus: timeout\n", log
            ), log
            assert "Init Duration" not in log.partition("START")[2]


def test_a_loop_through_the_trace_header(world: Callable[[str], World]) -> None:
    """A function that hands its trace header on runs sixteen times, and the seventeenth call is refused."""
    here = world(OWN_LOOP)
    name = here.deployed({"code": "import os\ndef handler(event, context): return os.environ['_X_AMZN_TRACE_ID']\n"})
    headers: dict[str, str] = {}
    for number in range(ROUNDS):
        seen = here.ask("raw", Ask(name, headers=headers))
        trace = json.loads(seen.payload)
        assert trace == seen.headers["X-Amzn-Trace-Id"]
        assert trace.endswith(f":{number}")
        headers = {"X-Amzn-Trace-Id": trace}
    refused = here.ask("raw", Ask(name, headers=headers))
    assert (refused.status, refused.code) == (400, "RecursiveInvocationException")
    here.client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert here.ask("raw", Ask(name, headers=headers)).status == 200


def test_boto3_inside_a_function_hands_the_trace_on(both: World) -> None:
    """A function that invokes itself through boto3 is counted, and finds its credentials accepted."""
    pytest.importorskip("boto3")
    code = (
        "import boto3, json, os\ndef handler(event, context):\n    if event == 1:\n"
        "        return os.environ['_X_AMZN_TRACE_ID']\n"
        "    inner = boto3.client('lambda').invoke(FunctionName=context.function_name, Payload=b'1')\n"
        "    return [os.environ['_X_AMZN_TRACE_ID'], json.loads(inner['Payload'].read())]\n"
    )
    outer, inner = invoke(both, both.deployed({"code": code}), 0)
    assert outer.endswith(":0")
    assert inner == f"{outer[:-1]}1"


def test_only_what_is_there_is_started(tmp_path: Path) -> None:
    """A loop that is not installed, or does not exist, is told before anything is started."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(TransportError, match=r"awslambdaric is not installed for .*pip install awslambdaric"):
        start_embedded(settings=Settings(python_loop=AWSLAMBDARIC, python=str(python)))
    with pytest.raises(TransportError, match="python_loop 'other' is not one of own, awslambdaric"):
        start_embedded(settings=Settings(python_loop="other"))


def test_the_loop_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The command offers the loops there are."""
    assert run_local(["start", "--python-loop", "other"]) == 252
    assert "awslambdaric" in capsys.readouterr().err


def test_memory_is_not_enforced_unless_asked(server: Any, client_of: Any, Deployer: Any) -> None:
    """Without `enforce_memory` a function may take more than it has; REPORT says how much."""
    client = client_of(server)
    name = Deployer(client)("def handler(event, context):\n    return len(bytearray(200 << 20))\n", MemorySize=128)
    answer = client.invoke(FunctionName=name, LogType="Tail")
    assert answer["Payload"].read() == b"209715200"
    used = re.search(r"Memory Size: 128 MB\tMax Memory Used: (\d+) MB", base64.b64decode(answer["LogResult"]).decode())
    assert used is not None
    assert int(used[1]) > 200


def test_every_case_names_its_fact() -> None:
    """The tables have no case twice, each says what it was taken from, and there are as many as were promised."""
    count = 0
    for table in ("answers", "refusals", "function_errors", "results", "logs"):
        cases = yaml.safe_load((CASES / f"{table}.yaml").read_text("utf-8"))
        names = [case["id"] for case in cases]
        assert len(names) == len(set(names)), table
        assert all(case["fact"] for case in cases), table
        count += len(cases)
    assert count >= 120

"""One endpoint, three clients: what boto3 and the AWS CLI get from `lmfunction local start` is what we get."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import lmfunction as lm
from lmfunction._request import InvokeRequest, Target

AWS = Path(sys.executable).with_name("aws")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SOURCE = """
import time

def context_handler(event, context):
    held = context.client_context
    return {"custom": held.custom, "env": held.env} if held else None

def nap_handler(event, context):
    time.sleep(30)
"""


@dataclass(frozen=True)
class Server:
    """`lmfunction local start` in its own process, known by the lines it printed."""

    variables: Mapping[str, str]

    @property
    def url(self) -> str:
        return self.variables["AWS_ENDPOINT_URL_LAMBDA"]

    @property
    def session(self) -> lm.Session:
        keys = lm.Credential(self.variables["AWS_ACCESS_KEY_ID"], self.variables["AWS_SECRET_ACCESS_KEY"])
        return lm.Session(region=self.variables["AWS_DEFAULT_REGION"], endpoint_url=self.url, credential=keys)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of somebody who did `eval` on those lines."""
        return {**os.environ, **self.variables, "PATH": f"{AWS.parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, "-m", "lmfunction", "local", "start"],
        env={**os.environ, "PYTHONPATH": str(Path(lm.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        server = Server(dict(line.removeprefix("export ").strip().split("=", 1) for line in lines))
        with server.session as session:
            for name, timeout in (("context", 3), ("nap", 1)):
                handler = f"lambda_function.{name}_handler"
                session.publish_lm_function(name, SOURCE, handler=handler, timeout=timeout, role=ROLE)
        yield server
        process.terminate()
        assert process.wait(10) == 0


ROLE = "arn:aws:iam::000000000000:role/any"


@dataclass(frozen=True)
class Call:
    """One call as every client makes it."""

    function: str
    payload: bytes = b"{}"
    invocation_type: str = ""
    log_type: str = ""
    client_context: Mapping[str, Any] = field(default_factory=dict)
    qualifier: str = ""

    @property
    def api(self) -> dict[str, Any]:
        context = base64.b64encode(json.dumps(self.client_context).encode()).decode() if self.client_context else ""
        given = {
            "FunctionName": self.function,
            "Payload": self.payload,
            "InvocationType": self.invocation_type,
            "LogType": self.log_type,
            "ClientContext": context,
            "Qualifier": self.qualifier,
        }
        return {name: value for name, value in given.items() if value}


CALLS = {
    "hello": Call("hello", b'{"name": "Ada"}'),
    "echo object": Call("echo", '{"a": [1, 2.50, null, true], "é": "ü\\u0000\\ud83d\\ude00"}'.encode()),
    "echo scalar": Call("echo", b" 1e3 "),
    "echo null": Call("echo", b"null"),
    "echo text": Call("echo", b'"quoted \\" $(id) `id` \'x\'"'),
    "fail": Call("fail", b'{"order": 7}'),
    "timeout": Call("nap"),
    "event": Call("hello", invocation_type="Event"),
    "dry run": Call("hello", invocation_type="DryRun"),
    "tail": Call("hello", log_type="Tail"),
    "tail of a failure": Call("fail", log_type="Tail"),
    "client context": Call("context", client_context={"custom": {"who": "né"}, "env": {"a": "b"}}),
    "latest": Call("echo", b"[1]", qualifier="$LATEST"),
    "unknown function": Call("no-such-function"),
    "unknown qualifier": Call("hello", qualifier="no-such-alias"),
    "invalid JSON": Call("echo", b"{not json"),
}

Seen = dict[str, Any]


def same(text: bytes) -> str:
    """A payload with its request ids made alike."""
    return _ID.sub("(id)", text.decode())


def ours(call: Call, server: Server) -> Seen:
    with server.session as session:
        try:
            result = session.invoke_lm(
                call.function,
                call.payload,
                **({"invocation_type": call.invocation_type} if call.invocation_type else {}),
                **({"log_type": call.log_type} if call.log_type else {}),
                **({"client_context": call.client_context} if call.client_context else {}),
                **({"qualifier": call.qualifier} if call.qualifier else {}),
            )
        except lm.ServiceError as error:
            return {"code": error.code}
        except lm.ParameterError:
            return {"code": "InvalidRequestContentException"}  # what it was refused for, before it was sent
    return {
        "StatusCode": result.status_code,
        "FunctionError": result.function_error,
        "ExecutedVersion": result.executed_version,
        "log": bool(result.log_result),
        "payload": same(result.raw_payload),
    }


def of_boto3(call: Call, server: Server) -> Seen:
    variables = server.variables
    client = boto3.client(
        "lambda",
        endpoint_url=server.url,
        region_name=variables["AWS_DEFAULT_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )
    try:
        answer = client.invoke(**call.api)
        return _of_members(answer, answer["Payload"].read())
    except ClientError as error:
        return {"code": error.response["Error"]["Code"]}
    finally:
        client.close()


def of_cli(call: Call, server: Server, folder: Path) -> Seen:
    (folder / "in").write_bytes(call.payload)
    words = [
        f"--{re.sub(r'(?<=[a-z])(?=[A-Z])', '-', name).lower()}={value}"
        for name, value in {**call.api, "Payload": "fileb://in"}.items()
    ]
    run = subprocess.run(
        [AWS, "lambda", "invoke", *words, "out"],
        cwd=folder,
        env={**server.environment, "AWS_MAX_ATTEMPTS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        found = re.search(r"\((\w+)\)", run.stderr)
        return {"code": found[1] if found else run.stderr}
    return _of_members(json.loads(run.stdout), (folder / "out").read_bytes())


def _of_members(members: Mapping[str, Any], payload: bytes) -> Seen:
    names = ("StatusCode", "FunctionError", "ExecutedVersion")
    return {**{n: members.get(n) for n in names}, "log": bool(members.get("LogResult")), "payload": same(payload)}


@pytest.fixture(scope="module")
def by_cli(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Seen]]]:
    """The calls by the AWS CLI, two at a time: each takes the better part of a second to start."""
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(of_cli, call, server, tmp_path_factory.mktemp("cli")) for name, call in CALLS.items()}


@pytest.mark.parametrize("name", CALLS)
def test_three_clients_get_the_same_answer(name: str, server: Server, by_cli: dict[str, Future[Seen]]) -> None:
    """Status, payload bytes, function error, executed version, log or none; or the same error code."""
    call = CALLS[name]
    mine = ours(call, server)
    assert mine == of_boto3(call, server)
    assert mine == by_cli[name].result(timeout=60)


def test_the_clients_answers_are_those_of_lambda(server: Server) -> None:
    """What they agree on is right: a sample of the answers in full."""
    assert ours(CALLS["hello"], server) == {
        "StatusCode": 200,
        "FunctionError": None,
        "ExecutedVersion": "$LATEST",
        "log": False,
        "payload": '{"message": "Hello, Ada!"}',
    }
    assert ours(CALLS["event"], server)["StatusCode"] == 202
    assert ours(CALLS["dry run"], server)["StatusCode"] == 204
    assert ours(CALLS["unknown function"], server) == {"code": "ResourceNotFoundException"}
    assert json.loads(ours(CALLS["client context"], server)["payload"])["custom"] == {"who": "né"}


# --- the same call, written for other tools

HOSTILE = {
    "plain": b'{"a": 1}',
    "single quotes": b'{"a": "it\'s \'quoted\'"}',
    "double quotes": b'"say \\"hi\\""',
    "newlines": b'{\n  "a":\t1\r\n}\n',
    "expansions": b'"$(touch owned) `touch owned` $HOME ${IFS} !! %s %d \\\\n"',
    "looks like an option": b"-1",
    "tilde and glob": b'["~", "*", "file:///etc/passwd"]',
    "not ASCII": '"é 😀 \u202e"'.encode(),
}


def run_shell(line: str, server: Server, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=server.environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_the_written_boto3_call_makes_the_same_call(name: str, server: Server, tmp_path: Path) -> None:
    """`to_boto3()` is a program that sends the same bytes and prints the same answer, whatever the payload holds."""
    with server.session as session:
        result = session.invoke_lm("echo", HOSTILE[name])
    source = result.request.to_boto3()
    assert server.variables["AWS_SECRET_ACCESS_KEY"] not in source
    assert server.variables["AWS_ACCESS_KEY_ID"] not in source
    run = subprocess.run(
        [sys.executable, "-c", source],
        cwd=tmp_path,
        env=server.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"200 None {result.raw_payload!r}\n"
    assert list(tmp_path.iterdir()) == []


def test_the_written_shell_line_makes_the_same_call(server: Server, tmp_path: Path) -> None:
    """`to_aws_cli()` runs in bash with the same outcome, for a call with everything in it."""
    payload = b"".join([b"[", b", ".join(HOSTILE.values()), b"]"])
    with server.session as session:
        result = session.invoke_lm("echo", payload, log_type="Tail", qualifier="$LATEST", client_context={"a": "'"})
    line = result.request.to_aws_cli()
    assert server.variables["AWS_SECRET_ACCESS_KEY"] not in line
    assert server.variables["AWS_ACCESS_KEY_ID"] not in line
    run = run_shell(line, server, tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    members = json.loads(run.stdout)
    assert (members["StatusCode"], members["ExecutedVersion"]) == (200, "$LATEST")
    assert members["LogResult"]
    assert (tmp_path / "response.json").read_bytes() == result.raw_payload
    assert [p.name for p in tmp_path.iterdir()] == ["response.json"]


def test_the_written_calls_of_an_event_make_an_event(server: Server, tmp_path: Path) -> None:
    """Another invocation type and a named outfile are kept."""
    with server.session as session:
        request = session.invoke_lm("hello", invocation_type="Event").request
    run = run_shell(request.to_aws_cli("an $(answer).json"), server, tmp_path)
    assert json.loads(run.stdout) == {"StatusCode": 202}
    assert (tmp_path / "an $(answer).json").read_bytes() == b""
    run = subprocess.run(
        [sys.executable, "-c", request.to_boto3()], env=server.environment, capture_output=True, text=True, check=False
    )
    assert run.stdout == "202 None b''\n"


def test_a_name_that_looks_like_an_option_stays_a_name(server: Server, tmp_path: Path) -> None:
    """AWS allows a name that begins with a dash; the CLI must not take it for an option."""
    request = InvokeRequest("-Select", tenant_id="-x", target=Target("us-east-1", server.url))
    run = run_shell(request.to_aws_cli(), server, tmp_path)
    assert "ResourceNotFoundException" in run.stderr


@pytest.mark.parametrize("payload", [*HOSTILE.values(), b"\xff\xfe not UTF-8 '\"\n", b"nul \x00 byte", b"", b"\\x41%s"])
def test_the_shell_prints_the_payloads_very_bytes(payload: bytes, tmp_path: Path) -> None:
    """What is piped into the CLI is the payload byte for byte, also where it is no text, in bash and in sh."""
    printing, _, _ = InvokeRequest("f", payload).to_aws_cli().rpartition(" | AWS_MAX_ATTEMPTS=1 aws ")
    for shell in ("bash", "sh"):
        run = subprocess.run([shell, "-c", printing], cwd=tmp_path, capture_output=True, check=True)
        assert run.stdout == payload
    assert list(tmp_path.iterdir()) == []

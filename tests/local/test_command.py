"""`lmfunction local start`: what it prints, what it serves, how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lmfunction.local._command import _local_function, run_local

ROOT = str(Path(__file__).resolve().parents[2])
PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from lmfunction.local._command import run_local; "
    "sys.exit(run_local(sys.argv[1:]))"
)


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, ROOT, "start", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


class Exported:
    """The server behind four export lines."""

    def __init__(self, lines: list[str]) -> None:
        assert all(line.startswith("export ") for line in lines)
        values = dict(line.removeprefix("export ").rstrip("\n").split("=", 1) for line in lines)
        assert list(values) == [
            "AWS_ENDPOINT_URL_LAMBDA",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_DEFAULT_REGION",
        ]
        self.url, self.access_key, self.secret_key, self.region = values.values()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_a_signal(
    how: signal.Signals, client_of: Any, children_of: Any, all_gone: Any, tmp_path: Path
) -> None:
    """Four lines, then it serves; a signal to the group ends it with 0 and leaves no process."""
    (tmp_path / "mine.py").write_text("def lambda_handler(event, context):\n    return ['mine', event]\n")
    with start("--region", "eu-west-1", "--function", f"mine={tmp_path}/mine.py") as process:
        assert process.stdout is not None
        server = Exported([process.stdout.readline() for _ in range(4)])
        client = client_of(server)
        assert client.invoke(FunctionName="mine", Payload=b"1")["Payload"].read() == b'["mine", 1]'
        client.invoke(FunctionName="mine", Payload=b"1")
        client.invoke(FunctionName="fail")
        pids = children_of(process.pid)
        assert len(pids) == 2
        os.killpg(process.pid, how)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert out == ""
    serving, mine, logs, *rest = err.splitlines()
    assert serving == f"Serving at {server.url}: 1 of your functions, and the samples hello, echo, fail and slow"
    assert re.fullmatch(rf"  mine  mine\.lambda_handler  python3\.\d+  {re.escape(str(tmp_path))}", mine)
    assert logs == f"For their logs: export AWS_ENDPOINT_URL_CLOUDWATCH_LOGS={server.url}"
    lines = [line.split(" ", 4) for line in rest]
    assert [line[1:4] for line in lines] == [
        ["mine", "RequestResponse", "ok"],
        ["mine", "RequestResponse", "ok"],
        ["fail", "RequestResponse", "failed"],
    ]
    figures = [re.sub(r"\d+(\.\d+)?", "N", line[4].rpartition(" ")[0]) for line in lines]
    assert figures == ["N ms cold (N ms) N MB", "N ms warm N MB", "N ms cold (N ms) N MB"]
    assert all_gone(pids)


def test_aws_cli(tmp_path: Path) -> None:
    """The AWS CLI works with nothing but the exported variables."""
    aws = Path(sys.executable).with_name("aws")
    with start() as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        values = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **values}
        words = ["lambda", "invoke", "--function-name", "hello", "--payload", "{}", str(tmp_path / "out")]
        done = subprocess.run([str(aws), *words], env=environment, capture_output=True, text=True, check=False)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out").read_text() == '{"message": "Hello, world!"}'


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "required"),
        (["stop"], "invalid choice: 'stop'"),
        (["start", "--port", "x"], "invalid int value: 'x'"),
        (["start", "--port", "70000"], "--port 70000 is no port"),
        (["start", "--concurrency", "0"], "--concurrency 0 is out of range"),
        (["start", "--region", "mars"], "--region 'mars' is not allowed"),
        (["start", "--template", "/nowhere/t.yaml"], "/nowhere/t.yaml cannot be read: No such file"),
        (["start", "--parameter", "A=b"], "give --template FILE as well"),
        (["start", "--template", "t.yaml", "--parameter", "A"], "--parameter A: write NAME=VALUE"),
        (["start", "--folder", "/nowhere"], "There is no folder /nowhere"),
        (["start", "--python", "/nowhere/python"], "--python: /nowhere/python is no Python 3.11 or later"),
        (["start", "--python", "/bin/true"], "--python: /bin/true is no Python 3.11 or later"),
        (["start", "--retry-delays", "x"], "write one or two numbers of seconds"),
        (["start", "--retry-delays", "1,2,3"], "write one or two numbers of seconds"),
        (["start", "--retry-delays=-1"], "write one or two numbers of seconds"),
        (["start", "--retry-delays", "nan"], "write one or two numbers of seconds"),
        (["start", "--keep-keys"], "give --state DIR as well"),
        (["start", "--function", "f"], "write NAME=path/to/file.py"),
        (["start", "--function", "f=x.txt"], "write NAME=path/to/file.py"),
        (["start", "--function", "f=/nowhere/x.py"], "there is no file /nowhere/x.py"),
        (["start", "--function", "a b=x.py"], "not a function name"),
        (["start", "--function", "f:1=x.py"], "must be a bare name"),
    ],
)
def test_bad_usage(words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that cannot be used exits 252 with one message on standard error."""
    assert run_local(words) == 252
    seen = capsys.readouterr()
    assert text in seen.err
    assert seen.out == ""


@pytest.mark.parametrize("words", [["-?"], ["--help"], ["start", "-?"]])
def test_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Help is printed on standard output, with status 0."""
    assert run_local(words) == 0
    assert "usage: lmfunction local" in capsys.readouterr().out


def test_port_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """K38: a port that is taken ends it with 255 and one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run_local(["start", "--port", str(taken.getsockname()[1])]) == 255
    assert "Address already in use" in capsys.readouterr().err


def test_state_folder_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A state folder that is something else ends it with 255 and one line."""
    (tmp_path / "other.txt").write_text("")
    assert run_local(["start", "--state", str(tmp_path)]) == 255
    assert "is not empty and holds no state" in capsys.readouterr().err


def test_state_of_the_command(client_of: Any, tmp_path: Path) -> None:
    """With --state and --keep-keys the next start has what was set before, and takes the same keys.

    A function of a file has the code of the file at every start; its versions stay as they were. The state may lie
    beside the file.
    """
    file, state = tmp_path / "mine.py", tmp_path / "state"
    words = ("--function", f"mine={file}", "--state", str(state), "--keep-keys", "--retry-delays", "0.5")
    keys = []
    for number in (1, 2):
        file.write_text(f"def handler(event, context): return {number}\n")
        with start(*words) as process:
            assert process.stdout is not None
            server = Exported([process.stdout.readline() for _ in range(4)])
            keys.append((server.access_key, server.secret_key))
            client = client_of(server)
            if number == 1:
                client.publish_version(FunctionName="mine")
                client.put_function_concurrency(FunctionName="mine", ReservedConcurrentExecutions=3)
            else:
                assert client.get_function_concurrency(FunctionName="mine")["ReservedConcurrentExecutions"] == 3
                assert client.invoke(FunctionName="mine:1")["Payload"].read() == b"1"
                assert client.invoke(FunctionName="mine")["Payload"].read() == b"2"
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=10)
        assert process.returncode == 0
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("source", "given", "handler"),
    [
        ("def handler(e, c): pass\n", "", "mod.handler"),
        ("def lambda_handler(e, c): pass\n", "", "mod.lambda_handler"),
        ("def handler(e, c): pass\ndef lambda_handler(e, c): pass\n", "", "mod.handler"),
        ("def other(e, c): pass\n", ":other", "mod.other"),
        ("def (", "", "mod.handler"),
    ],
)
def test_handler_of_a_file(tmp_path: Path, source: str, given: str, handler: str) -> None:
    """The handler is the one named, or the usual name that the file defines; the file is not imported."""
    (tmp_path / "mod.py").write_text(source)
    assert _local_function(f"f={tmp_path}/mod.py{given}", "python3.11").members["Handler"] == handler

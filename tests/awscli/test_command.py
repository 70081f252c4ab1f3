"""What the AWS CLI's dialect does beyond the AWS CLI: once at most, nothing half written, notebooks, terminals."""

from __future__ import annotations

import atexit
import io
import json
import os
import pty
import select
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.utils import ArgumentGenerator
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from lmfunction import _session
from lmfunction._awscli import split_line
from lmfunction._awscli_options import MEMBERS, read_command_line
from lmfunction._terminal import Terminal
from lmfunction.errors import ParameterError

PROGRAM = [sys.executable, "-m", "lmfunction", "aws"]
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}


class _Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Input(io.StringIO):
    """Standard input as a program gets it: text over bytes."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content.decode())
        self.buffer = io.BytesIO(content)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    yield
    _session.default_session().close()


@pytest.fixture
def aws() -> Callable[..., tuple[int, str, str]]:
    """Runs the words after `aws invoke` in this process: exit code, standard output, standard error."""

    def run(*words: str, stdin: bytes = b"", stdout: io.StringIO | None = None) -> tuple[int, str, str]:
        out, err = stdout or io.StringIO(), io.StringIO()
        code = Terminal(stdin=_Input(stdin), stdout=out, stderr=err).run(["aws", "lambda", "invoke", *words])
        return code, out.getvalue(), err.getvalue()

    return run


@pytest.fixture(scope="module")
def server(faults: ModuleType) -> Iterator[Any]:
    """A server whose answers go wrong."""
    with faults.FaultServer() as server:
        yield server


def left() -> dict[str, bytes]:
    """The files of this folder."""
    return {p.name: p.read_bytes() for p in Path().iterdir()}


@pytest.mark.parametrize(
    ("answer", "code", "requests", "says"),
    [
        ({"raw": "", "then": "reset"}, 255, 1, "Unknown whether the function ran"),
        ({"raw": "", "then": "fin"}, 255, 1, "Unknown whether the function ran"),
        ({"status": 500, "body": "{}", "type": "ServiceException"}, 254, 1, "Unknown whether the function ran"),
        (
            {"status": 200, "body": "[12", "length": 100, "then": "fin"},
            255,
            1,
            "The function ran, but its answer is lost",
        ),
        ({"raw": "HTTP/1.1 200 OK\r\nContent-Le", "then": "fin"}, 255, 1, "head was cut"),
    ],
    ids=["reset", "closed", "500", "cut body", "cut head"],
)
def test_one_line_is_one_request_and_no_file_is_half_written(
    answer: Mapping[str, Any],
    code: int,
    requests: int,
    says: str,
    server: Any,
    aws: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The AWS CLI sends the first three five times, and takes a cut head for a success; the old outfile stays."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")
    server.play([answer])
    Path("out.json").write_bytes(b"old")
    found, out, err = aws("--function-name", "f", "--endpoint-url", server.url, "out.json")
    assert (found, out, len(server.requests), left()) == (code, "", requests, {"out.json": b"old"})
    assert says in err


def test_ctrl_c_while_waiting(server: Any) -> None:
    """Exit code 130, no outfile, and a word on what is known."""
    server.play([{"raw": "", "then": "stall"}])
    words = ["lambda", "invoke", "--function-name", "f", "--endpoint-url", server.url, "out.json"]
    with subprocess.Popen([*PROGRAM, *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert server.asked.wait(30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, left()) == (130, "", {})
    assert "may still be running" in err


def test_the_read_timeout_of_the_line(server: Any, aws: Any) -> None:
    """`--cli-read-timeout` ends the wait, and what was sent is not sent again."""
    server.play([{"raw": "", "then": "stall"}])
    code, _, err = aws("--function-name", "f", "--endpoint-url", server.url, "--cli-read-timeout", "1", "out.json")
    assert (code, len(server.requests), left()) == (255, 1, {})
    assert "no answer came in time" in err


@pytest.fixture
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS with a certificate of its own, and the certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("this machine has no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


def test_which_certificates_are_trusted(faults: ModuleType, certified: tuple[ssl.SSLContext, Path], aws: Any) -> None:
    """Its own certificate is refused, taken from a --ca-bundle, and not looked at with --no-verify-ssl."""
    context, certificate = certified
    with faults.FaultServer(tls=context) as server:
        line = ["--function-name", "f", "--endpoint-url", server.url, "-"]
        code, _, err = aws(*line)
        assert (code, len(server.requests)) == (255, 0)
        assert "certificate is not trusted" in err
        assert aws(*line, "--ca-bundle", str(certificate))[:2] == (0, "{}")
        assert aws(*line, "--no-verify-ssl")[:2] == (0, "{}")
        assert len(server.requests) == 2
    code, _, err = aws(*line, "--ca-bundle", "none.pem")
    assert (code, "--ca-bundle: there is no file none.pem" in err) == (252, True)


def test_no_sign_request_signs_nothing_and_looks_for_no_keys(
    server: Any, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request without Authorization, on a machine without credentials."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    server.play([{"status": 200, "body": "[7]"}])
    assert aws("--function-name", "f", "--endpoint-url", server.url, "--no-sign-request", "-")[:2] == (0, "[7]")
    assert "authorization" not in {name.lower() for name in server.requests[0].headers}


def test_payload_from_standard_input(aws: Any) -> None:
    """`fileb:///dev/stdin`, which `to_aws_cli()` writes, reads what is piped in."""
    line = ("--function-name", "echo", "--profile", "local", "--payload", "fileb:///dev/stdin", "-")
    assert aws(*line, stdin=b"[1, 2]")[:2] == (0, "[1, 2]")


def test_a_line_of_our_own_runs_here() -> None:
    """The shell line that `to_aws_cli()` writes runs with `lmfunction aws` in the place of `aws`."""
    from lmfunction import invoke_lm

    request = invoke_lm("echo", {"note": "it's"}, profile_name="local").request
    ours = f"{sys.executable} -m lmfunction aws --profile local lambda invoke"
    line = request.to_aws_cli("out.json").replace("aws lambda invoke", ours, 1)
    line = " ".join(word for word in line.split(" ") if not word.startswith("http://"))
    subprocess.run(["bash", "-c", line.replace("--endpoint-url ", "")], check=True, capture_output=True, timeout=60)
    assert json.loads(Path("out.json").read_bytes()) == {"note": "it's"}


def test_a_process_substitution_is_a_file() -> None:
    """`file://` reads bash's `<(...)`, which is a pipe."""
    line = "lambda invoke --function-name echo --profile local --payload file://<(echo '[8]') out.json"
    subprocess.run(["bash", "-c", " ".join([*PROGRAM, line])], check=True, capture_output=True, timeout=60)
    assert json.loads(left()["out.json"]) == [8]


def test_dev_stdout_is_the_same_stream() -> None:
    """Redirected into a file, /dev/stdout neither empties it nor is written over by the rest."""
    words = ["lambda", "invoke", "--function-name", "echo", "--profile", "local", "--payload", '"' + "x" * 60 + '"']
    with Path("all").open("wb") as file:
        file.write(b"before\n")
        file.flush()
        subprocess.run([*PROGRAM, *words, "--query", "StatusCode", "/dev/stdout"], stdout=file, check=True, timeout=60)
    assert left() == {"all": b'before\n"' + b"x" * 60 + b'"200\n'}


def test_the_payload_is_the_bytes(server: Any) -> None:
    """On a pipe `-` gives the answer byte for byte, also what is no text."""
    server.play([{"status": 200, "body": '["\u202e", 1]\n'}])
    words = ["lambda", "invoke", "--function-name", "f", "--endpoint-url", server.url, "-"]
    run = subprocess.run([*PROGRAM, *words], capture_output=True, check=True, timeout=60)
    assert run.stdout == '["\u202e", 1]\n'.encode()


def test_a_person_gets_safe_text(server: Any, aws: Any) -> None:
    """At a terminal control characters of an answer come as escapes, and the prompt begins on a line of its own."""
    server.play([{"status": 200, "body": '["\u202e\x9b31m"]'}])
    code, out, _ = aws("--function-name", "f", "--endpoint-url", server.url, "-", stdout=_Tty())
    assert (code, out) == (0, '["\\u202e\\x9b31m"]\n')


def test_a_table_at_a_terminal_is_coloured() -> None:
    """`--color auto` colours for a person, as the AWS CLI does."""
    leader, follower = pty.openpty()
    words = ["lambda", "invoke", "--function-name", "hello", "--profile", "local", "--output", "table", "o"]
    with subprocess.Popen([*PROGRAM, *words], stdin=follower, stdout=follower, stderr=follower) as process:
        os.close(follower)
        screen = b""
        while select.select([leader], [], [], 30)[0]:
            try:
                block = os.read(leader, 65536)
            except OSError:  # Linux's way to say that the other side is closed
                break
            if not block:
                break
            screen += block
        assert process.wait(10) == 0
    os.close(leader)
    assert b"\x1b[1m\x1b[34m200\x1b[0m" in screen


def test_what_if_sends_nothing(server: Any, shell: Any) -> None:
    """A notebook that is dry-run as a whole dry-runs this line too."""
    server.play([{"status": 200, "body": "1"}])
    shell.run_cell("%config LMFunction.what_if = True")
    shell.run_cell(f"%aws_lambda_invoke --function-name f --endpoint-url {server.url} out.json")
    assert (len(server.requests), left()) == (0, {})


def test_a_profile_speaks_for_the_line(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A YAML profile's short names and defaults hold here too; its ErrorAction makes a failed function exit with 1."""
    text = "endpoint: embedded\ndefaults: {LogType: Tail, ErrorAction: Stop}\nfunctions: {h: hello}\n"
    Path("mine.yaml").write_text(text)
    monkeypatch.setenv("LMFUNCTION_PROFILES", os.fspath(Path.cwd()))
    code, out, _ = aws("--function-name", "h", "--profile", "mine", "out.json")
    assert (code, list(json.loads(out))) == (0, ["StatusCode", "LogResult", "ExecutedVersion"])
    code, out, err = aws("--function-name", "fail", "--profile", "mine", "--query", "FunctionError", "failed.json")
    assert (code, out) == (1, '"Unhandled"\n')
    assert "OrderNotFoundError" in err
    assert "OrderNotFoundError" in Path("failed.json").read_text()


def test_the_home_folder_in_a_notebook(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~/` means what it means where the line was copied from."""
    monkeypatch.setenv("HOME", os.fspath(Path.cwd()))
    shell.run_cell("%aws_lambda_invoke --function-name hello --profile local ~/out.json").raise_error()
    assert "out.json" in left()


# --- skeletons


def test_the_skeletons_of_an_input(aws: Any) -> None:
    """Both hold the members of the API's input, in its order, and read back they ask for nothing unusual."""
    shape = botocore.session.get_session().get_service_model("lambda").operation_model("Invoke").input_shape
    wanted = ArgumentGenerator().generate_skeleton(shape)
    code, as_json, _ = aws("--generate-cli-skeleton")
    assert (code, list(json.loads(as_json))) == (0, list(wanted))
    assert aws("--generate-cli-skeleton", "input")[1] == as_json
    code, as_yaml, _ = aws("--generate-cli-skeleton", "yaml-input")
    assert (code, yaml.safe_load(as_yaml)) == (0, json.loads(as_json))
    assert as_yaml.startswith('FunctionName: ""  # [REQUIRED] ')
    for option, text in (("json", as_json), ("yaml", as_yaml)):
        Path("in").write_text(text)
        line = (
            f"--cli-input-{option}",
            "file://in",
            "--function-name",
            "echo",
            "--payload",
            "[9]",
            "--profile",
            "local",
        )
        assert aws(*line, "-")[:2] == (0, "[9]")


def test_the_skeleton_of_an_output(aws: Any, server: Any) -> None:
    """It is checked as the line would be, printed as the line's answer would be, and nothing is sent."""
    server.play([{"status": 200, "body": "1"}])
    line = ("--function-name", "f", "--endpoint-url", server.url, "out.json", "--generate-cli-skeleton", "output")
    code, out, _ = aws(*line)
    assert (code, json.loads(out)["StatusCode"], list(json.loads(out))) == (
        0,
        0,
        ["StatusCode", "FunctionError", "LogResult", "ExecutedVersion", "DurableExecutionArn"],
    )
    assert aws(*line, "--query", "LogResult", "--output", "text")[1] == "LogResult\n"
    assert aws(*line, "--payload", "{")[0] == 252
    assert (len(server.requests), left()) == (0, {})


def test_the_options_are_those_of_the_api() -> None:
    """Every member of the API's input has its option, spelled as the AWS CLI spells it."""
    shape = botocore.session.get_session().get_service_model("lambda").operation_model("Invoke").input_shape
    assert list(MEMBERS.items()) == [(f"--{botocore.xform_name(name, '-')}", name) for name in shape.members]


@pytest.mark.parametrize("words", [["help"], ["lambda", "help"], ["lambda", "invoke", "help"], ["--version"]])
def test_help_and_version(words: list[str]) -> None:
    """Where the AWS CLI shows its pages, a page of our own on standard output."""
    out = io.StringIO()
    assert Terminal(stdout=out, stderr=io.StringIO()).run(["aws", *words]) == 0
    assert out.getvalue().startswith("lmfunction" if words == ["--version"] else "usage: lmfunction aws")


def test_every_option_is_in_the_help(aws: Any) -> None:
    """The page names each option that is more than taken and ignored."""
    page = aws("help")[1]
    options = [
        *MEMBERS,
        "--query",
        "--cli-input-yaml",
        "--generate-cli-skeleton",
        "--fail-on-function-error",
        "--ca-bundle",
    ]
    assert [option for option in options if option not in page] == []


# --- notebooks


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """An IPython shell with the magics loaded, gone afterwards."""
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.run_line_magic("load_ext", "lmfunction")
    yield shell
    shell.run_line_magic("unload_ext", "lmfunction")
    assert "aws_lambda_invoke" not in shell.magics_manager.magics["line"]
    shell.atexit_operations()
    atexit.unregister(shell.atexit_operations)
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(
    "line",
    [
        '%aws_lambda_invoke --function-name echo --payload \'{"a": "b c"}\' --profile local out.json',
        '%aws_lambda_invoke aws lambda invoke --function-name echo --payload \'{"a": "b c"}\' --profile local out.json',
        '%aws_lambda_invoke lambda invoke --fun echo --payload "{\\"a\\": \\"b c\\"}" --profile local out.json',
        "%aws_lambda_invoke aws --profile local lambda invoke \\\n  --function-name echo \\\n"
        '  --payload \'{"a": "b c"}\' \\\n  out.json',
    ],
    ids=["options", "whole", "double quotes", "over lines"],
)
def test_a_pasted_line_in_a_notebook(line: str, shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The cell prints what the AWS CLI prints, writes the outfile and has no value."""
    done = shell.run_cell(line)
    done.raise_error()
    assert done.result is None
    assert capsys.readouterr().out == '{\n    "StatusCode": 200,\n    "ExecutedVersion": "$LATEST"\n}\n'
    assert json.loads(Path("out.json").read_bytes()) == {"a": "b c"}


def test_a_dash_in_a_notebook(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`-` prints the answer in the cell, and the setting's profile is that of a line that names none."""
    shell.run_cell("%config LMFunction.profile_name = 'local'")
    shell.run_cell("%aws_lambda_invoke --function-name hello -").raise_error()
    assert capsys.readouterr().out == '{"message": "Hello, world!"}\n'


def test_errors_in_a_notebook(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A few lines that speak of the line's own options; a failed function fails the cell only when asked to."""
    done = shell.run_cell("%aws_lambda_invoke --function-name 'a b' out.json")
    assert isinstance(done.error_in_exec, ParameterError)
    assert str(done.error_in_exec).startswith("--function-name 'a b' is not a function name")
    shell.run_cell("%aws_lambda_invoke --function-name fail --profile local out.json").raise_error()
    assert "FunctionError" in capsys.readouterr().out
    done = shell.run_cell("%aws_lambda_invoke --function-name fail --profile local --fail-on-function-error out.json")
    assert type(done.error_in_exec).__name__ == "FunctionError"
    assert "OrderNotFoundError" in Path("out.json").read_text()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--function-name 'f out.json", "no closing quotation"),
        ("--function-name f out.json | jq .", r"'\|' is the shell's word"),
        ("--function-name f out.json && cat out.json", "'&&' is the shell's word"),
        ('--function-name f --payload {"a": 1} out.json', "too many after the outfile: is a quote missing"),
        ("--function-name f --payloda x out.json", "Unknown options: --payloda. Did you mean --payload?"),
    ],
)
def test_lines_that_a_shell_would_read_otherwise(line: str, says: str) -> None:
    """What only a shell can do is named as such; what was typed as a value is not repeated."""
    with pytest.raises(ParameterError, match=says) as caught:
        read_command_line(split_line(line))
    assert "{" not in str(caught.value)

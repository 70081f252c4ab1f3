"""The session's cmdlets at the real doors: a kernel's password box, a terminal that shows nothing, a shell's magics."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager, start_new_kernel

SECRET = "typed-and-never-shown"
PROGRAM = (sys.executable, "-m", "lmfunction")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ~/.aws with the profile ops, for this process and those that it starts."""
    (tmp_path / "credentials").write_text("[ops]\naws_access_key_id = AKIDOPS\naws_secret_access_key = ops-secret\n")
    (tmp_path / "config").write_text(
        "[profile mfa]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = ops\nmfa_serial = the-device\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return tmp_path


class Notebook:
    """A kernel, and somebody in front of it who types."""

    def __init__(self) -> None:
        self.manager: KernelManager
        self.manager, self.client = start_new_kernel(kernel_name="python3", env=dict(os.environ))
        self.seen = ""

    def run(self, source: str, *answers: str, attended: bool = True) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """What the cell replies, and what it asked for; all that it published is kept in `seen`."""
        message = self.client.execute(source, allow_stdin=attended)
        asked = []
        for answer in answers:
            asked.append(self.client.get_stdin_msg(timeout=30)["content"])
            self.client.input(answer)
        while True:
            got = self.client.get_iopub_msg(timeout=30)
            self.seen += json.dumps(got["content"], default=str)
            idle = got["msg_type"] == "status" and got["content"]["execution_state"] == "idle"
            if idle and got["parent_header"].get("msg_id") == message:
                break
        while True:
            reply = self.client.get_shell_msg(timeout=30)
            if reply["parent_header"].get("msg_id") == message:
                return dict(reply["content"]), asked


@pytest.fixture
def notebook(home: Path) -> Iterator[Notebook]:
    running = Notebook()
    yield running
    running.client.stop_channels()
    running.manager.shutdown_kernel(now=True)
    running.manager.cleanup_resources()


def test_a_notebook_asks_in_a_password_box(notebook: Notebook, home: Path) -> None:
    """The secret comes through the front end's password input, and is nowhere in what the kernel says or remembers."""
    notebook.run("%load_ext lmfunction\nkey = 'AKIDNOTEBOOK'")
    reply, asked = notebook.run("%Set-AWSCredential -AccessKey $key -StoreAs fresh", SECRET)
    assert reply["status"] == "ok"
    assert [box["password"] for box in asked] == [True]
    assert "AKIDNOTEBOOK"[-4:] in asked[0]["prompt"]
    assert f"aws_secret_access_key = {SECRET}\n" in (home / "credentials").read_text()
    reply, asked = notebook.run("%Set-AWSCredential -StoreAs both", "AKIDTYPED", SECRET)
    assert [box["password"] for box in asked] == [False, True]
    reply, _ = notebook.run("%Set-AWSCredential -AccessKey $key", attended=False)
    assert reply["ename"] == "ParameterError"
    assert "SecretKey is missing, and nobody is there" in reply["evalue"]
    reply, _ = notebook.run("%Set-AWSCredential -AccessKey $key -SecretKey plain-secret-4711")
    assert "takes a $variable only" in reply["evalue"]
    assert "plain-secret-4711" not in json.dumps({**reply, "traceback": reply["traceback"]})
    reply, _ = notebook.run(f"assert {SECRET!r}[::-1][::-1] not in [v for v in globals().values() if type(v) is str]")
    assert reply["status"] == "ok"
    notebook.run("%Get-AWSCredential -ListProfileDetail\n%history")
    assert SECRET not in notebook.seen.replace(f"{SECRET!r}[::-1]", "")


def test_a_notebook_asks_for_an_mfa_code(notebook: Notebook) -> None:
    """boto3's question for a code of a role comes in the front end's box; where nobody is there it is told."""
    notebook.run("%load_ext lmfunction\n%env AWS_ENDPOINT_URL_STS=http://127.0.0.1:1\n%env AWS_MAX_ATTEMPTS=1")
    line = "%invoke_lm f -ProfileName mfa -Region eu-west-1"
    reply, asked = notebook.run(line, "123456")
    assert asked[0]["prompt"] == "Enter MFA code for the-device: "
    assert asked[0]["password"]
    assert (reply["ename"], reply["evalue"][:16]) == ("TransportError", "Nothing was sent")
    reply, _ = notebook.run(line, attended=False)
    assert reply["evalue"] == "Profile mfa needs an MFA code, and nobody is there to type it. Nothing was sent."


def at_a_terminal(arguments: list[str], *answers: str) -> tuple[int, str]:
    """The program with a terminal of its own, on which `answers` are typed one after each question: code and screen."""
    leader, follower = pty.openpty()
    command = [*PROGRAM, *arguments]
    screen, left = b"", list(answers)
    with subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, start_new_session=True, preexec_fn=_take_terminal
    ) as process:
        os.close(follower)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and select.select([leader], [], [], 60)[0]:
            try:
                block = os.read(leader, 65536)
            except OSError:  # Linux's way to say that the other side is closed
                break
            screen += block
            if left and screen.rstrip().endswith((b":", b"$")):
                os.write(leader, left.pop(0).encode() + b"\n")
                screen += b"\n"
        code = process.wait(20)
    os.close(leader)
    assert not left
    return code, screen.decode()


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that /dev/tty is this one


def test_a_terminal_shows_nothing_of_a_secret(home: Path) -> None:
    """Key id and secret are asked for as `aws configure` does; the secret does not stand on the screen."""
    code, screen = at_a_terminal(["Set-AWSCredential", "-StoreAs", "fresh"], "AKIDTERMINAL", SECRET)
    assert code == 0, screen
    assert "AWS access key id: " in screen
    assert "(not shown): " in screen
    assert SECRET not in screen
    written = f"\n[fresh]\naws_access_key_id = AKIDTERMINAL\naws_secret_access_key = {SECRET}\n"
    assert (home / "credentials").read_text().endswith(written)


def test_a_terminals_question_before_a_profile_goes(home: Path) -> None:
    """The name lets it go; the screen says from which file."""
    code, screen = at_a_terminal(["Remove-AWSCredentialProfile", "ops"], "no")
    assert (code, "ops: not confirmed, so nothing was changed." in screen) == (255, True)
    code, screen = at_a_terminal(["Remove-AWSCredentialProfile", "ops"], "ops")
    assert code == 0, screen
    assert f"Profile ops goes from {home / 'credentials'}" in screen.replace("\r\n", "\n")
    assert (home / "credentials").read_text() == ""


def test_a_program_has_no_terminal_to_ask_at(home: Path) -> None:
    """Nobody is waited for, no line of the input is taken for a secret; messages are on stderr, objects on stdout."""

    def run(*arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [*PROGRAM, *arguments], input="AKIDX\nsecret\n", capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout, done.stderr

    code, out, err = run("Set-AWSCredential", "-StoreAs", "x")
    assert (code, out) == (252, "")
    assert "Cannot determine credentials from supplied parameters" in err
    code, out, err = run("Set-AWSCredential", "-AccessKey", "AKIDX", "-SecretKey", "typed-4711")
    assert (code, out) == (252, "")
    assert "takes a $variable only" in err
    assert "4711" not in err
    code, out, err = run("Set-AWSCredential", "ops")
    assert (code, out) == (0, "")
    assert err == ("WARNING: Set-AWSCredential lasts for this process only, which ends now. -StoreAs NAME keeps it.\n")
    code, out, err = run("Set-DefaultAWSRegion", "eu-west-1")
    assert "lasts for this process only" in err
    code, out, err = run("Get-AWSCredential", "-ListProfileDetail")
    rows = [json.loads(line) for line in out.splitlines()]
    assert {"ProfileName": "ops", "StoreTypeName": "SharedCredentialsFile"}.items() <= rows[-2].items()
    code, out, err = run("Get-AWSCredential", "ops")
    assert (code, json.loads(out)) == (0, "<Credential of profile ops>")
    code, out, err = run("invoke_lm", "f", "-ProfileName", "mfa", "-Region", "eu-west-1")
    assert (code, out) == (253, "")
    assert err.startswith("ProfileError: Profile mfa needs an MFA code, and nobody is there to type it.")


@pytest.fixture
def shell(home: Path) -> Iterator[Any]:
    """An IPython shell of its own with the extension loaded, and a session of its own."""
    from IPython.core.interactiveshell import InteractiveShell

    from lmfunction import _session

    before, _session._default[:] = list(_session._default), []
    InteractiveShell.clear_instance()
    running = InteractiveShell.instance()
    running.run_line_magic("load_ext", "lmfunction")
    yield running
    InteractiveShell.clear_instance()
    _session.default_session().close()
    _session._default[:] = before


def test_a_shells_lines_share_one_session(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """What a line sets goes for the lines after it, under every name; a setting that comes first is told."""
    shell.run_line_magic("Set-AWSCredentials", "ops")
    shell.run_line_magic("set_default_aws_region", "eu-west-2")
    assert repr(shell.run_line_magic("Get-AWSCredential", "")) == "<Credential of profile ops>"
    shell.run_cell("plan = None\n%invoke_lm f -WhatIf")
    assert "eu-west-2" in capsys.readouterr().out
    shell.run_line_magic("config", "LMFunction.profile_name = 'local'")
    shell.run_line_magic("Set-AWSCredential", "ops")
    assert "%config still gives each line -ProfileName" in capsys.readouterr().err
    shell.run_line_magic("config", "LMFunction.profile_name = ''")
    shell.run_line_magic("Clear-AWSDefaults", "-SkipProfileStore")
    assert shell.run_line_magic("Get-AWSCredential", "") is None

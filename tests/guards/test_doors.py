"""The same guards at every door: in this process, at a terminal, in xonsh, in a kernel, in an unattended notebook."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel

import lmfunction as lm
from lmfunction._terminal import Terminal

STAGING, PRODUCTION = "123456789012", "210987654321"
PYTHON: dict[str, Callable[[], Any]] = {
    "invoke_lm": lambda: lm.invoke_lm("orders-api", profile_name="guarded"),
    "Session": lambda: lm.Session(profile_name="guarded").invoke_lm("orders-api"),
    "Session, as an argument": lambda: lm.Session().invoke_lm("orders-api", profile_name="guarded"),
    "Invoke": lambda: lm.Invoke("orders-api").profile_name("guarded").send(),
    "Invoke in a pipe": lambda: {"n": 1} | lm.Invoke("orders-api").profile_name("guarded"),
    "Invoke for a list": lambda: [1, 2] | lm.Invoke("orders-api").profile_name("guarded"),
    "Invoke with hooks": lambda: (
        lm.Invoke("orders-api").profile_name("guarded").customize().map_request(lambda request: request).send()
    ),
    "lambda_invoke": lambda: lm.lambda_invoke(FunctionName="orders-api", profile="guarded"),
    "client": lambda: lm.client(profile="guarded").invoke(FunctionName="orders-api"),
    "a streamed answer": lambda: lm.invoke_lm_with_response_stream("orders-api", profile_name="guarded"),
    "a changing cmdlet": lambda: lm.update_lm_function_configuration("orders-api", timeout=5, profile_name="guarded"),
    "publish": lambda: lm.publish_lm_function(
        "orders-api",
        "def handler(event, context): return 1",
        role="arn:aws:iam::210987654321:role/r",
        profile_name="guarded",
    ),
}
LOAD = {"xonsh": "xontrib load lmfunction", "IPython": "%load_ext lmfunction"}
LINES = {
    "terminal": "lmfunction invoke_lm orders-api -ProfileName guarded",
    "terminal, forced": "lmfunction invoke_lm orders-api -ProfileName guarded -Force",
    "aws": "lmfunction aws lambda invoke --function-name orders-api --profile guarded -",
    "xonsh": "invoke_lm orders-api -ProfileName guarded",
    "xonsh, raw": "invoke_lm! orders-api -ProfileName guarded",
    "IPython": "%invoke_lm orders-api -ProfileName guarded",
    "IPython, aws": "%aws_lambda_invoke --function-name orders-api --profile guarded -",
}


def run(door: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """The door's line in a program of its own, with nobody at a terminal."""
    if "input" not in more:
        more["stdin"] = subprocess.DEVNULL
    program = door.partition(",")[0]
    words = [program, "-c", f"{LOAD[program]}\n{LINES[door]}"] if program in LOAD else LINES[door].split()
    words = [sys.executable, "-m", *words]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, **more)


@pytest.fixture
def world(desk: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The keys of production in the environment, profiles where every door finds them, nobody at the terminal."""
    monkeypatch.setenv("LMFUNCTION_PROFILES", str(desk.folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    use_keys(monkeypatch, desk.cloud.keys[PRODUCTION])
    return desk


def use_keys(monkeypatch: pytest.MonkeyPatch, keys: lm.Credential) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_key)
    if keys.session_token is None:
        monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    else:
        monkeypatch.setenv("AWS_SESSION_TOKEN", keys.session_token)


@pytest.mark.parametrize("door", PYTHON)
def test_in_python(door: str, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody to confirm, denied, wrong account: GuardError, and Lambda hears nothing. Then, allowed, it runs."""
    world.profile(guard={"confirm": "always"})
    with pytest.raises(lm.GuardError, match="nobody can answer"):
        PYTHON[door]()
    world.profile(guard={"deny": ["orders-*"]})
    with pytest.raises(lm.GuardError, match=r"guard\.deny"):
        PYTHON[door]()
    world.profile(account=STAGING)
    with pytest.raises(lm.GuardError, match=f"is for account {STAGING}, and the credentials belong to {PRODUCTION}"):
        PYTHON[door]()
    assert world.cloud.sent == []
    world.profile(account=PRODUCTION)
    if door == "a streamed answer":  # moto has none
        with pytest.raises(lm.ServiceError):
            PYTHON[door]()
    else:
        PYTHON[door]()
    assert len(world.cloud.sent) >= 1


@pytest.mark.parametrize("door", LINES)
def test_in_a_process(door: str, world: Any, tmp_path: Path) -> None:
    """I1: with no terminal nobody can confirm, whatever the door; the error is a few lines, and nothing was sent."""
    world.profile(guard={"confirm": "always"})
    done = run(door, cwd=tmp_path)
    assert done.returncode != 0
    assert "GuardError: orders-api: profile guarded wants the function's name typed" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert world.cloud.sent == []


@pytest.mark.parametrize("typed", ["orders-api\n", "orders-api"])
def test_a_pipe_is_not_a_person(typed: str, world: Any) -> None:
    """I13: text that waits in a pipe is no answer, even the right one."""
    world.profile(guard={"confirm": "always"})
    done = run("terminal", input=typed)
    assert (done.returncode, world.cloud.sent) == (255, [])


@pytest.mark.parametrize("value", ["1", "true", "yes", "anything"])
def test_the_environment_shows_all_and_sends_nothing(value: str, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """LMFUNCTION_WHAT_IF for a whole run, at every door; reading goes on."""
    monkeypatch.setenv("LMFUNCTION_WHAT_IF", value)
    world.profile(account=PRODUCTION)
    assert "What if" in repr(lm.invoke_lm("orders-api", profile_name="guarded"))
    assert "What if" in repr(lm.Invoke("orders-api").profile_name("guarded").send())
    with pytest.raises(lm.GuardError, match="WhatIf"):
        lm.lambda_invoke(FunctionName="orders-api", profile="guarded")
    assert world.cloud.requests == []
    lm.get_lm_function_configuration("orders-api", profile_name="guarded")
    if value != "1":
        return
    for door in ("terminal", "xonsh", "IPython"):
        done = run(door)
        assert done.returncode == 0
        assert PRODUCTION in done.stdout + done.stderr
    assert world.cloud.invoked == []


@pytest.mark.parametrize("value", ["", "0", "false", "No", "off"])
def test_the_environment_can_say_no(value: str, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain no is one."""
    monkeypatch.setenv("LMFUNCTION_WHAT_IF", value)
    world.profile()
    assert lm.invoke_lm("orders-api", profile_name="guarded").ok


def test_a_session_that_only_shows(world: Any) -> None:
    """`Session(what_if=True)`: what changes something is a plan, several objects one plan, reading is done."""
    world.profile(account=PRODUCTION)
    with lm.Session(profile_name="guarded", what_if=True) as session:
        assert "What if" in repr(session.invoke_lm("orders-api"))
        assert session.invoke_lm("orders-api", input_object=[1, 2, 3]).count == 3
        assert "What if" in repr(session.remove_lm_function("orders-api"))
        assert world.cloud.requests == []
        assert session.get_lm_function_configuration("orders-api").FunctionName == "orders-api"
        assert session.invoke_lm("orders-api", what_if=False).ok


def test_papermill(world: Any, tmp_path: Path) -> None:
    """I1: an unattended notebook fails at the guarded line, and the cells behind it do not run."""
    world.profile(guard={"confirm": "always"})
    cells = ["# parameters", "%load_ext lmfunction", "%invoke_lm orders-api -ProfileName guarded -Force", "print('no')"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "in.ipynb")
    done = subprocess.run(
        [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", "--no-progress-bar"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 1
    assert "GuardError: orders-api: profile guarded wants the function's name typed" in done.stderr
    assert world.cloud.sent == []


def test_run_all_does_not_answer(world: Any) -> None:
    """I13: cells queued behind the question wait; neither their text nor an answer from before it is taken."""
    world.profile(guard={"confirm": "always"})
    manager, client = start_new_kernel(env=dict(os.environ))
    try:
        client.execute_interactive("%load_ext lmfunction", timeout=60)
        client.input("orders-api")  # a stale answer, from before the question
        asking = client.execute("%invoke_lm orders-api -ProfileName guarded", allow_stdin=True)
        queued = client.execute("orders-api", allow_stdin=True)
        question = client.get_stdin_msg(timeout=30)["content"]["prompt"]
        assert question.endswith("Type orders-api to go on: ")
        with pytest.raises(queue.Empty):
            client.get_stdin_msg(timeout=0.5)
        assert world.cloud.sent == []
        client.input("no")
        replies = {reply["parent_header"]["msg_id"]: reply["content"] for reply in _replies(client, 2)}
        assert replies[asking]["ename"] == "GuardError"
        assert replies[queued]["status"] == "aborted"
        assert world.cloud.sent == []
        client.execute("r = %invoke_lm orders-api -ProfileName guarded", allow_stdin=True)
        client.get_stdin_msg(timeout=30)
        client.input("orders-api")
        assert next(_replies(client, 1))["content"]["status"] == "ok"
        assert world.cloud.invoked == ["orders-api"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _replies(client: Any, count: int) -> Iterator[Any]:
    for _ in range(count):
        yield client.get_shell_msg(timeout=30)


def test_a_person_at_the_terminal(world: Any) -> None:
    """The terminal's own door: the question on stderr, the end of input is no consent, the name is."""
    import io

    class Tty(io.StringIO):
        def isatty(self) -> bool:
            return True

    world.profile(account=PRODUCTION, guard={"confirm": "always"})
    words = ["invoke_lm", "orders-api", "-ProfileName", "guarded"]
    for typed, code in (("", 255), ("\n", 255), ("orders-api\n", 0)):
        out, err = Tty(), Tty()
        assert Terminal(stdin=Tty(typed), stdout=out, stderr=err).run(words) == code
        assert f"Account: {PRODUCTION}   Region: eu-west-1\nType orders-api to go on: " in err.getvalue()
    assert len(world.cloud.invoked) == 1

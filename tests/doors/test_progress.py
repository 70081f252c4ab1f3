"""Long waits as people see them in each door, and what is left of them: a saved notebook, a log, a terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from watching import FrontEnd, Screen

import lmfunction as lm
from lmfunction import _session, _text_door
from lmfunction._terminal import Terminal
from lmfunction._xonsh import XonshDoor

SLOW = '{"seconds": 1.3}'
CELLS = {
    "one": f"%invoke_lm slow -Payload {SLOW}",
    "assigned": f"r = %invoke_lm slow -Payload {SLOW}",
    "quick": "%invoke_lm hello",
    "silent": f"%invoke_lm slow -Payload {SLOW} -ProgressAction SilentlyContinue",
    "several": "run = %invoke_lm slow -InputObject $([{'seconds': 0.4}] * 8) -ThrottleLimit 2",
    "measured": 'm = %measure_lm_function slow -Count 4 -Payload {"seconds": 0.4}',
    "switched off": f"%config LMFunction.progress = False\n%invoke_lm slow -Payload {SLOW}",
    "off, but asked for": f"r = %invoke_lm slow -Payload {SLOW} -ProgressAction Continue",
    "on again": "%config LMFunction.progress = True",
    "stopped": '%invoke_lm slow -Payload {"seconds": 30} -TimeoutSec 60',
}


@pytest.fixture(scope="module")
def saved(surroundings: dict[str, str]) -> dict[str, Any]:
    """Each cell after a run in one real kernel."""
    sources = {"load": "%load_ext lmfunction", **CELLS}
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources.values()])
    client = FrontEnd(
        book,
        kernel_name="python3",
        allow_errors=True,
        interrupt_on_timeout=True,
        timeout_func=lambda cell: 3 if cell.source == CELLS["stopped"] else 60,
    )
    client.execute(env=surroundings)
    return dict(zip(sources, book.cells, strict=True))


def texts(cell: Any, kind: str = "display_data") -> list[str]:
    """The text of each saved output of one kind."""
    return [output.data["text/plain"] for output in cell.outputs if output.output_type == kind]


def test_a_saved_notebook_keeps_a_quiet_line(saved: dict[str, Any]) -> None:
    """While it lasts a card tells time and what Stop does; saved is one line above the result, and no counting card."""
    cell = saved["one"]
    live = cell.metadata.states[0]
    assert live["text/plain"].startswith("[WAITING] slow · 1 s")
    assert "Stop leaves the function running" in live["text/html"]
    (line,) = texts(cell)
    assert line.startswith("slow: waited ")
    assert [output.output_type for output in cell.outputs] == ["display_data", "execute_result"]
    assert cell.outputs[0].data.keys() == {"text/plain"}
    assert "[OK] slow" in texts(cell, "execute_result")[0]
    nbformat.validate(nbformat.v4.new_notebook(cells=[{**cell, "metadata": {}}]))


def test_an_assigned_result_leaves_the_line_alone(saved: dict[str, Any]) -> None:
    """`r = %invoke_lm` shows no result, but says how long was waited."""
    assert [output.output_type for output in saved["assigned"].outputs] == ["display_data"]


@pytest.mark.parametrize("name", ["quick", "silent", "switched off"])
def test_nothing_is_shown(name: str, saved: dict[str, Any]) -> None:
    """Of a quick call, with -ProgressAction SilentlyContinue, and when %config switches it off."""
    assert "states" not in saved[name].metadata
    assert texts(saved[name]) == []
    assert len(saved[name].outputs) == 1


def test_the_line_outweighs_the_setting(saved: dict[str, Any]) -> None:
    """-ProgressAction Continue shows one wait where %config shows none."""
    assert texts(saved["off, but asked for"])[0].startswith("slow: waited")


def test_several_calls(saved: dict[str, Any]) -> None:
    """How far a run is, with a bar and the time left; saved is how it ended. At most twice a second."""
    states = saved["several"].metadata.states
    assert "[RUNNING] slow · ▰" in states[0]["text/plain"]
    assert " of 8 done" in states[0]["text/plain"]
    assert "2 in flight" in states[0]["text/plain"]
    assert "left" in states[0]["text/plain"]
    (line,) = texts(saved["several"])
    assert line.startswith("slow: 8 of 8 done, ")
    seconds = float(line.rpartition("ended after ")[2].removesuffix(" s"))
    assert len(states) <= (seconds - 1) / 0.5 + 2  # the first after 1 s, and the end


def test_a_measurement(saved: dict[str, Any]) -> None:
    """Calls one after the other are counted too."""
    assert " of 4 done" in saved["measured"].metadata.states[0]["text/plain"]
    assert texts(saved["measured"])[0].startswith("slow: 4 of 4 done, ")


def test_stop(saved: dict[str, Any]) -> None:
    """Stop ends the wait; the saved line says so, and the error what is known. The limit of the line was shown."""
    cell = saved["stopped"]
    assert "of at most 1 min" in cell.metadata.states[0]["text/plain"]
    assert texts(cell)[0].startswith("slow: stopped after ")
    errors = [output for output in cell.outputs if output.output_type == "error"]
    assert errors[0].ename == "InvocationInterrupted"
    assert "may still be running" in errors[0].evalue


def test_a_log_of_an_unattended_run(tmp_path: Path, surroundings: dict[str, str]) -> None:
    """papermill's log has a line now and then while a call lasts, and the saved notebook says how long it took."""
    sources = ["%load_ext lmfunction\n%config LMFunction.progress_log_sec = 0.4", CELLS["one"]]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "in.ipynb")
    done = subprocess.run(
        [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", "--no-progress-bar", "--log-output"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**surroundings, "PYTHONWARNINGS": "ignore"},
        timeout=120,
        check=True,
    )
    assert done.stderr.count("PROGRESS: slow: ") >= 2
    cell = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[-1]
    assert texts(cell)[0].startswith("slow: waited ")
    log = "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stderr")
    assert {line.partition(":")[0] for line in log.splitlines()} == {"PROGRESS"}
    assert log.splitlines()[-1].startswith("PROGRESS: slow: waited ")


# Terminals


@pytest.fixture
def screen() -> Iterator[Any]:
    """Starts the command at a terminal of its own."""
    opened: list[Screen] = []

    def start(*arguments: str) -> Screen:
        opened.append(Screen(*arguments))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_a_terminals_line_makes_place_for_the_result(screen: Any) -> None:
    """While it lasts one line counts, without a newline; in the end the card alone is there."""
    seen = screen("invoke_lm", "slow", SLOW)
    seen.read("\rslow: 1 s; Ctrl-C leaves the function running")
    seen.read()
    assert seen.process.wait(10) == 0
    assert seen.lines()[0].startswith("[OK] slow")
    assert not any("Ctrl-C" in line for line in seen.lines())


def test_ctrl_c_at_a_terminal(screen: Any) -> None:
    """The counting line is gone, the message stands alone, the exit code is 130."""
    seen = screen("invoke_lm", "slow", '{"seconds": 30}', "-TimeoutSec", "60")
    seen.read("slow: 1 s of at most 1 min; Ctrl-C leaves the function running")
    os.write(seen.leader, b"\x03")
    seen.read()
    assert seen.process.wait(10) == 130
    shown = [line for line in seen.lines() if line]
    assert shown[0].startswith("Stopped waiting. slow may still be running")
    assert len(shown) <= 2  # the message, wrapped by the terminal or not


class Piped(io.StringIO):
    """A log."""


def test_a_log_at_the_terminals_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stderr is no terminal nothing is told of a call of a second; a longer one tells a line now and then."""
    for every, told in ((30.0, False), (0.5, True)):
        monkeypatch.setattr(_text_door, "LOG_EVERY", every)
        out, err = Piped(), Piped()
        assert Terminal(stdin=Piped(), stdout=out, stderr=err).run(["invoke_lm", "slow", SLOW]) == 0
        lines = err.getvalue().splitlines()
        assert [line.partition(":")[0] for line in lines] == ["PROGRESS"] * len(lines)
        assert (len(lines) >= 2) is told
        assert out.getvalue().count("\n") == 1
    err = Piped()
    Terminal(stdin=Piped(), stdout=Piped(), stderr=err).run(
        ["invoke_lm", "slow", SLOW, "-ProgressAction", "SilentlyContinue"]
    )
    assert err.getvalue() == ""


def test_a_line_of_the_aws_cli_is_silent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the AWS CLI itself is."""
    monkeypatch.setattr(_text_door, "LOG_EVERY", 0.2)
    err = Piped()
    words = ["aws", "lambda", "invoke", "--function-name", "slow", "--payload", SLOW, str(tmp_path / "out.json")]
    words += ["--cli-binary-format", "raw-in-base64-out"]
    assert Terminal(stdin=Piped(), stdout=Piped(), stderr=err).run(words) == 0
    assert "PROGRESS" not in err.getvalue()


def test_python_tells_when_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Python's functions are silent; progress_action="Continue" tells on stderr, though not of other threads' calls."""
    monkeypatch.setattr(_session, "LOG_EVERY", 0.5)
    event = {"seconds": 0.8}
    lm.invoke_lm("slow", event)
    assert capsys.readouterr().err == ""
    lm.invoke_lm("slow", event, progress_action="Continue")
    assert capsys.readouterr().err.startswith("PROGRESS: slow: ")
    lm.pipe([event] * 4) | lm.Invoke("slow").throttle_limit(2).progress_action("Continue")
    assert "PROGRESS: slow: 4 of 4 done" in capsys.readouterr().err
    thread = threading.Thread(target=lambda: lm.invoke_lm("slow", event, progress_action="Continue"))
    thread.start()
    thread.join()
    assert capsys.readouterr().err == ""


class Environment(dict[str, Any]):
    """xonsh's environment, as far as a command asks it."""

    def detype(self) -> dict[str, str]:
        return dict(os.environ)


@pytest.mark.parametrize(
    ("settings", "foreground", "told"),
    [({}, True, True), ({"LMFUNCTION_PROGRESS": False}, True, False), ({}, False, False)],
    ids=["as it is", "switched off", "in the background"],
)
def test_xonsh(settings: dict[str, Any], foreground: bool, told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command in xonsh's thread tells of its wait, unless it is switched off or in the background."""
    monkeypatch.setattr(_text_door, "LOG_EVERY", 0.4)
    out, err = Piped(), Piped()
    door = XonshDoor(out, err, names={}, environment=Environment(settings), foreground=foreground)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(door.run("invoke_lm", ["slow", '{"seconds": 0.7}'])))
    thread.start()
    thread.join(20)
    assert codes == [0]
    assert ("PROGRESS: slow: waited " in err.getvalue()) is told
    assert err.getvalue().startswith("PROGRESS: slow: ") is told

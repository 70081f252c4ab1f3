"""A streamed answer as people see it come in each door, and what is left of it."""

from __future__ import annotations

import io
import itertools
import json
import os
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import nbformat
import pytest
from watching import FrontEnd, Screen

import lmfunction as lm
from lmfunction import _session
from lmfunction._live_text import KEPT
from lmfunction._terminal import Terminal
from lmfunction._xonsh import XonshDoor
from lmfunction.local._child import Embedded

STREAMER = Path(__file__).parents[1] / "local" / "streamer.py"
CMDLET = "invoke_lm_with_response_stream"
FAILS = {"trailer": ["Own.Kind", {"errorType": "Own.Kind", "errorMessage": "half way"}]}


@pytest.fixture(scope="module")
def streamer(the_lambda: Embedded) -> Iterator[str]:
    """A function that streams what its event says (see streamer.py)."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        member = zipfile.ZipInfo("bootstrap")
        member.external_attr = 0o100755 << 16
        archive.writestr(member, f"#!{sys.executable}\n{STREAMER.read_text()}")
    client = boto3.client(
        "lambda",
        endpoint_url=the_lambda.url,
        region_name=the_lambda.region,
        aws_access_key_id=the_lambda.access_key,
        aws_secret_access_key=the_lambda.secret_key,
    )
    client.create_function(
        FunctionName="streamer",
        Runtime="provided.al2023",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="any",
        Code={"ZipFile": content.getvalue()},
        Timeout=60,
    )
    yield "streamer"
    client.delete_function(FunctionName="streamer")
    client.close()


def line(*steps: Any) -> str:
    return json.dumps(steps)


CELLS = {
    "shown": f"%{CMDLET} streamer {line('one ', 0.6, 'zwö ', 0.5, 'three', 'end')}",
    "assigned": f"r = %{CMDLET} streamer {line('a', 'end')}",
    "fails": f"%{CMDLET} streamer {line('before', FAILS)}",
    "goes on": f"print([*r], r.payload)\nr = %{CMDLET} streamer {line('x', FAILS)} -ErrorAction Continue",
    "long": f"r = %{CMDLET} streamer {line(*[{'repeat': 40, 'text': '0123456789', 'times': 100}, 0.1] * 5, 'end')}",
    "selected": f"%{CMDLET} streamer {line('{', '}', 'end')} -Select Payload",
    "hostile": f"r = %{CMDLET} streamer {line('<b>&' + chr(27) + '[2J', 'end')}",
    "again": "r",
    "silent": f"%{CMDLET} streamer {line('quiet', 'end')} -ProgressAction SilentlyContinue",
    "python": f"import lmfunction as lm\nlm.{CMDLET}('streamer', ['a', 'end'])",
    "stopped": f"%{CMDLET} streamer {line('begun ', 30)}",
    "afterwards": "import sys\nprint(sys.last_value.result.received, sys.last_value.sent)",
}


@pytest.fixture(scope="module")
def saved(surroundings: dict[str, str], streamer: str) -> dict[str, Any]:
    """Each cell after a run in one real kernel."""
    sources = {"load": "%load_ext lmfunction", **CELLS}
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources.values()])
    client = FrontEnd(
        book,
        kernel_name="python3",
        allow_errors=True,
        interrupt_on_timeout=True,
        timeout_func=lambda cell: 1 if cell.source == CELLS["stopped"] else 60,
    )
    client.execute(env=surroundings)
    return dict(zip(sources, book.cells, strict=True))


def kinds(cell: Any) -> list[str]:
    return [output.output_type for output in cell.outputs]


def test_a_notebook_shows_it_live(saved: dict[str, Any]) -> None:
    """One output that grows while the function runs; the card below does not repeat the payload."""
    cell = saved["shown"]
    states = [state["text/plain"] for state in cell.metadata.states]
    assert states[0] == "one "
    assert states[-1] == "one zwö three"
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(states))
    assert "[WAITING]" not in "".join(states)
    assert kinds(cell) == ["display_data", "execute_result"]
    assert cell.outputs[0].data == {"text/plain": "one zwö three"}
    card = cell.outputs[1].data
    assert card["text/plain"].startswith("[OK] streamer")
    assert "Payload" not in card["text/plain"]
    assert "three" in card["text/html"]  # folded
    nbformat.validate(nbformat.v4.new_notebook(cells=[{**cell, "metadata": {}}]))


def test_an_assigned_answer_is_shown_while_it_comes(saved: dict[str, Any]) -> None:
    """And it is there whole."""
    assert kinds(saved["assigned"]) == ["display_data"]
    assert saved["goes on"].outputs[0].text == "['a'] a\n"


def test_shown_again_it_is_whole(saved: dict[str, Any]) -> None:
    """In another cell the card has the payload."""
    (again,) = saved["again"].outputs
    assert "Payload" in again.data["text/plain"]


def test_a_function_that_fails_in_the_middle(saved: dict[str, Any]) -> None:
    """What came stays, the red card follows, and the cell fails; with -ErrorAction Continue it goes on."""
    cell = saved["fails"]
    assert kinds(cell) == ["display_data", "display_data", "error"]
    assert cell.outputs[0].data["text/plain"] == "before"
    assert "[FAILED] streamer" in cell.outputs[1].data["text/plain"]
    assert "Own.Kind: half way" in cell.outputs[1].data["text/plain"]
    assert cell.outputs[2].ename == "FunctionError"
    assert kinds(saved["goes on"]) == ["stream", "display_data", "display_data"]


def test_what_is_kept_of_a_long_text(saved: dict[str, Any]) -> None:
    """Its end, and how much there was; drawn at most four times a second."""
    states = [state["text/plain"] for state in saved["long"].metadata.states]
    assert max(map(len, states)) < KEPT + 100
    assert states[-1].startswith("… 180,000 characters before\n0123")
    assert len(states) <= 12


def test_what_is_not_shown(saved: dict[str, Any]) -> None:
    """With -Select the value alone; controls only as what they are; of Python's function its state, unread."""
    assert kinds(saved["selected"]) == ["execute_result"]
    assert saved["selected"].outputs[0].data["text/plain"] == "{}"
    (hostile,) = saved["hostile"].outputs
    assert hostile.data == {"text/plain": "<b>&\\x1b[2J"}
    assert kinds(saved["silent"]) == ["execute_result"]
    assert "quiet" in saved["silent"].outputs[0].data["text/plain"]
    (shown,) = saved["python"].outputs
    assert shown.data["text/plain"].startswith("[STREAMING] streamer · 200 · 0 B so far")


def test_stop_in_a_notebook(saved: dict[str, Any]) -> None:
    """What came is in the output, and with the error."""
    cell = saved["stopped"]
    assert cell.outputs[0].data["text/plain"] == "begun "
    (error,) = [output for output in cell.outputs if output.output_type == "error"]
    assert error.ename == "InvocationInterrupted"
    assert "Stopped reading after 6 bytes. streamer may still be running" in error.evalue
    assert saved["afterwards"].outputs[0].text == "b'begun ' True\n"


@pytest.fixture
def screen() -> Iterator[Any]:
    """Starts the command at a terminal of its own."""
    opened: list[Screen] = []

    def start(*arguments: str, **keywords: str) -> Screen:
        opened.append(Screen(*arguments, **keywords))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_a_terminal_shows_it_live(screen: Any, streamer: str) -> None:
    """Each bit as it comes, without a line's end in between; then the card."""
    seen = screen(CMDLET, streamer, line("one ", 1.2, "zwö", "end"), "-LogType", "Tail")
    seen.read("one ")
    assert "zwö" not in seen.written
    seen.read()
    assert seen.process.wait(10) == 0
    lines = seen.lines()
    assert lines[0] == "one zwö"
    assert lines[1].startswith("[OK] streamer")
    assert not any(text.strip() == "Payload" for text in lines)
    assert any("START RequestId" in text for text in lines)
    assert "Ctrl-C" not in seen.written  # the wait is not counted once something has come


def test_a_terminal_and_a_failure(screen: Any, streamer: str) -> None:
    """What came, the red card, the error's words, and exit code 1."""
    seen = screen(CMDLET, streamer, line("before", FAILS))
    seen.read()
    assert seen.process.wait(10) == 1
    assert seen.lines()[0] == "before"
    assert any("FunctionError: streamer failed: Own.Kind: half way" in text for text in seen.lines())


def test_ctrl_c_inside_an_answer(screen: Any, streamer: str) -> None:
    """What came stays, the message begins its own line, the exit code is 130."""
    seen = screen(CMDLET, streamer, line("begun", 30))
    seen.read("begun")
    os.write(seen.leader, b"\x03")
    seen.read()
    assert seen.process.wait(10) == 130
    shown = [text for text in seen.lines() if text]
    assert shown[0].startswith("begun")
    assert shown[1].startswith("Stopped reading after 5 bytes. streamer may still be running")


@pytest.mark.parametrize(
    ("module", "program"),
    [
        ("IPython", "%load_ext lmfunction\n%{} {} {}"),
        ("xonsh", "xontrib load lmfunction; {}! {} {}"),
    ],
)
def test_other_terminals(screen: Any, streamer: str, module: str, program: str) -> None:
    """IPython and xonsh show it live, too."""
    seen = screen("-c", program.format(CMDLET, streamer, line("one ", 0.4, "zwö", "end")), module=module)
    seen.read("one ")
    assert "zwö" not in seen.written
    seen.read("[OK] streamer")
    assert "one zwö\r\n" in seen.written
    seen.read()
    assert seen.process.wait(10) == 0


class Piped(io.StringIO):
    """A log."""


def run(door: Any, *arguments: str) -> tuple[int, str, str]:
    code = door.run(list(arguments))
    return code, door.stdout.getvalue(), door.stderr.getvalue()


def test_a_program_gets_one_line(streamer: str) -> None:
    """JSON at the end, with what was streamed as the payload; a failure's line says so and stderr has the words."""
    door = Terminal(stdin=Piped(), stdout=Piped(), stderr=Piped())
    code, out, err = run(door, CMDLET, streamer, line('{"a": ', "1}", "end"))
    assert (code, err) == (0, "")
    assert json.loads(out)["Payload"] == {"a": 1}
    door = Terminal(stdin=Piped(), stdout=Piped(), stderr=Piped())
    code, out, err = run(door, CMDLET, streamer, line("x", FAILS), "-ErrorAction", "Continue")
    assert code == 1
    found = json.loads(out)
    assert (found["Payload"], found["FunctionError"], found["Error"]["Type"]) == ("x", "Unhandled", "Own.Kind")


def test_a_pipeline_takes_the_whole(streamer: str) -> None:
    """A stage after it gets the answer when it is whole; nothing is shown before."""
    door = Terminal(stdin=Piped(), stdout=Piped(), stderr=Piped())
    code, out, _ = run(door, f"{CMDLET} {streamer} {line('[1,', '2]', 'end')} | select Payload[1]")
    assert (code, out) == (0, "2\n")


class Environment(dict[str, Any]):
    """xonsh's environment, as far as a command asks it."""

    def detype(self) -> dict[str, str]:
        return dict(os.environ)


def test_xonsh_in_its_thread(streamer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bits go to the shell's own terminal, past the pipe that would keep a line until it ends."""
    terminal, pipe = Piped(), Piped()
    monkeypatch.setattr(sys, "__stdout__", terminal)
    door = XonshDoor(pipe, Piped(), names={}, environment=Environment(), watched=True)
    codes: list[int] = []
    words = [streamer, line("one ", "two", "end")]
    thread = threading.Thread(target=lambda: codes.append(door.run(CMDLET, words)))
    thread.start()
    thread.join(20)
    assert codes == [0]
    assert terminal.getvalue() == "one two\n"
    assert pipe.getvalue().startswith("[OK] streamer")


def test_python_reads_it_bit_by_bit(streamer: str) -> None:
    """Text, bytes and the end's members; the same connection is used again."""
    result = lm.invoke_lm_with_response_stream(streamer, ["one ", 0.3, "é", "end"], log_type="Tail")
    assert not result.over
    pieces = iter(result)
    assert next(pieces) == "one "
    assert (result.received, result.over) == (b"one ", False)
    assert list(pieces) == ["é"]
    assert (result.ok, result.payload, result.over) == (True, "one é", True)
    assert result.report.duration_ms >= 300
    assert result.elapsed_ms >= 300
    assert list(result.raw) == [b"one ", "é".encode()]
    assert "START" in result.log
    assert result.content_type == "text/x-test"
    history = lm.get_aws_history()[-1]
    assert (history["Outcome"], history["RequestId"]) == ("OK", result.request_id)


def test_pythons_wait_ends_with_the_head(
    streamer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """progress_action="Continue" tells of the wait for the answer; from then on the reader's own output is alone."""
    lm.invoke_lm_with_response_stream(streamer, ["end"]).finish()  # warm
    monkeypatch.setattr(_session, "LOG_EVERY", 0.4)
    result = lm.invoke_lm_with_response_stream(streamer, ["a", 0.9, "b", "end"], progress_action="Continue")
    assert list(result) == ["a", "b"]
    assert capsys.readouterr().err == ""


def test_python_and_failures(streamer: str) -> None:
    """A failure is a result unless -ErrorAction Stop raises it, at the end of what came."""
    result = lm.invoke_lm_with_response_stream(streamer, ["x", FAILS])
    assert list(result) == ["x"]
    assert (result.ok, str(result.error)) == (False, "Own.Kind: half way")
    result = lm.invoke_lm_with_response_stream(streamer, ["x", FAILS], error_action="Stop")
    came = []
    with pytest.raises(lm.FunctionError, match="half way"):
        came += list(result)
    assert result.received == b"x"
    assert lm.get_aws_history()[-1]["Outcome"] == "FUNCTION_ERROR"


def test_python_leaves_early(streamer: str) -> None:
    """Leaving the block stops reading; what is known is kept, and told as an error when more is asked for."""
    with lm.invoke_lm_with_response_stream(streamer, ["x", 0.2, "y", "end"]) as result:
        assert next(iter(result)) == "x"
    with pytest.raises(lm.TransportError, match="Stopped reading after 1 bytes"):
        _ = result.payload
    assert lm.get_aws_history()[-1]["Outcome"] == "RESULT_LOST"

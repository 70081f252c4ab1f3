"""xonsh's door: lines typed into a real xonsh, one after the other, and xonsh as a program."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "xonsh_lines.yaml").read_text("utf-8"))
XONSH = [sys.executable, "-m", "xonsh", "--no-rc"]
LOAD = "xontrib load lmfunction\n"
FAILED = {
    "StatusCode": 200,
    "FunctionError": "Unhandled",
    "Payload": {"errorType": "OrderNotFoundError"},
    "Error": {"Type": "OrderNotFoundError"},
    "Attempts": 1,
}
FILES = {
    "items.jsonl": '{"id": 1}\n\n{"id": 2}\n{"id": 3}\n',
    "event.json": '{\n  "id": 1,\n  "tags": ["a", "b"]\n}\n',
    "string.json": '"just text"\n',
    "names.txt": "hello\nhello\n",
    "calls.jsonl": '{"FunctionName": "hello", "Payload": {"name": "Ada"}}\n{"functionname": "echo", "Payload": 7}\n',
    "some.jsonl": '{"FunctionName": "hello"}\n{"FunctionName": "fail", "ThrottleLimit": 1}\n',
    "failed.jsonl": json.dumps(FAILED) + "\n",
    "broken.json": '{\n  "id": 1\n  "tags": []\n}\n',
    "empty.txt": "",
}
# Runs each row's line as xonsh runs a typed one; MARK parts what the rows wrote.
DRIVER = """
import json, os, subprocess, sys
xontrib load lmfunction
MARK = "\\x1e"
settings = [name for name in __xonsh__.env if name.startswith("LMFUNCTION_")]
for case in json.load(open("cases.json")):
    __xonsh__.ctx.update(case.get("names", {}))
    __xonsh__.lastcmd = None
    rc = None
    try:
        __xonsh__.execer.exec(case["line"] + "\\n", glbs=__xonsh__.ctx)
        rc = __xonsh__.lastcmd.rtn if __xonsh__.lastcmd is not None else 0
    except subprocess.CalledProcessError as error:
        rc = error.returncode
    except Exception as error:
        rc = type(error).__name__
    for name in settings:
        if __xonsh__.env._d.get(name) is not None:
            del __xonsh__.env[name]
    print(f"{MARK}{rc}{MARK}", end="", flush=True)
    print(MARK, end="", file=sys.stderr, flush=True)
"""


@pytest.fixture(scope="module")
def ran(surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What every row did: one xonsh, one line after the other."""
    folder = tmp_path_factory.mktemp("xonsh")
    for name, content in FILES.items():
        (folder / name).write_text(content)
    (folder / "cases.json").write_text(json.dumps(CASES))
    (folder / "driver.xsh").write_text(DRIVER)
    done = subprocess.run(
        [*XONSH, "driver.xsh"],
        cwd=folder,
        env={**surroundings, "LMTEST_QUALIFIER": "$LATEST"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    out, err = done.stdout.split("\x1e"), done.stderr.split("\x1e")
    assert len(out) == 2 * len(CASES) + 1, done.stdout[-2000:]
    return {
        case["id"]: {"out": out[2 * i], "rc": out[2 * i + 1], "err": err[i].partition("xonsh: For full traceback")[0]}
        for i, case in enumerate(CASES)
    }


@pytest.mark.parametrize("row", CASES, ids=lambda row: row["id"])
def test_lines(row: dict[str, Any], ran: dict[str, dict[str, Any]]) -> None:
    """A line gives the table's objects on stdout and its exit code; stderr says what the table tells, or nothing."""
    seen = ran[row["id"]]
    faults = [*_faults(row, seen)]
    if faults:
        expected = {k: v for k, v in row.items() if k not in ("id", "line", "names")}
        shown = {"line": row["line"], "expected": expected, "actual": seen, "faults": faults}
        pytest.fail(yaml.safe_dump(shown, allow_unicode=True, sort_keys=False, width=160), pytrace=False)


def _faults(case: dict[str, Any], seen: dict[str, Any]) -> Any:
    if seen["rc"] != str(case.get("rc", 0)):
        yield f"the exit code is {seen['rc']}"
    lines = seen["out"].splitlines()
    if "text" in case:
        if lines != [str(line) for line in case["text"]]:
            yield "the text is another"
    else:
        try:
            objects = [json.loads(line) for line in lines]
        except ValueError as error:
            yield f"stdout is no JSON lines: {error}"
            return
        if {"payload", "payloads"} & case.keys():
            objects = [one.get("Payload") if isinstance(one, dict) else one for one in objects]
        wanted = [case[name] for name in ("payload", "value") if name in case]
        if objects != [*wanted, *case.get("payloads", ()), *case.get("values", ())]:
            yield "the objects are others"
    for fragment in case.get("err", ()):
        if fragment not in seen["err"]:
            yield f"stderr lacks {fragment!r}"
    if "err" not in case and case["id"] != "a failure in a full capture" and seen["err"]:
        yield "stderr is not empty"
    if "Traceback" in seen["err"] or "Exception in" in seen["err"]:
        yield "stderr holds a traceback"


def _xonsh(line: str, *, stdin: str | None = None, load: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*XONSH, "-c", (LOAD if load else "") + line],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL if stdin is None else None,
        input=stdin,
    )


def test_load_complete_run_unload() -> None:
    """A program loads the xontrib, completes a line, runs it and unloads; nothing of it is there afterwards."""
    done = _xonsh(
        "completer complete 'invoke_lm hello -LogT'\n"
        "invoke_lm hello -Select Payload.message\n"
        "xontrib unload lmfunction\n"
        "print([n for n in aliases if 'lm' in n.lower()], 'LMFUNCTION_WHAT_IF' in ${...}, __xonsh__.completers.keys())"
    )
    out = done.stdout.splitlines()
    assert any("-LogType" in line for line in out[:-2])
    assert out[-2] == '"Hello, world!"'
    assert out[-1].startswith("[] False odict_keys(")
    assert "lmfunction" not in out[-1]
    assert (done.returncode, done.stderr) == (0, "")


def test_a_failure_stops_a_script() -> None:
    """The lines after a failed function do not run, and xonsh ends with an error."""
    done = _xonsh("invoke_lm fail\necho never")
    assert done.returncode != 0
    assert "never" not in done.stdout
    assert "FunctionError: fail failed" in done.stderr


def test_a_failure_may_be_passed_over() -> None:
    """With $XONSH_SUBPROC_RAISE_ERROR off a script goes on and sees the exit code."""
    done = _xonsh("$XONSH_SUBPROC_RAISE_ERROR = False\ninvoke_lm fail\nprint(__xonsh__.lastcmd.rtn)")
    assert (done.stdout, done.stderr.startswith("FunctionError")) == ("1\n", True)


def test_loaded_by_itself(tmp_path: Path) -> None:
    """An interactive xonsh finds the xontrib through its entry point, without a line in any file."""
    done = subprocess.run(
        [sys.executable, "-m", "xonsh", "-c", "invoke_lm hello -Select StatusCode"],
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "XONSH_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("200\n", 0), done.stderr


def test_the_help_mark() -> None:
    """`invoke_lm?` names the command's own help."""
    done = _xonsh("invoke_lm?")
    assert "Invoke-LMFunction" in done.stdout
    assert "invoke_lm -?" in done.stdout


@pytest.mark.parametrize(
    "line", ["invoke_lm slow '{\"seconds\": 20}' -Verbose", 'r = $(@lm invoke_lm! slow {"seconds": 20} -Verbose)']
)
def test_interrupt(line: str) -> None:
    """Ctrl-C while a function runs ends the command at once with 130, and says that the function may be running."""
    line = f"import subprocess\ntry:\n    {line}\nexcept subprocess.CalledProcessError as e:\n    print(e.returncode)\n"
    with subprocess.Popen(
        [*XONSH, "-c", LOAD + line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "VERBOSE" in process.stderr.readline()
        time.sleep(1.0)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        took = time.monotonic() - sent
    assert "Stopped waiting. slow may still be running" in err
    assert "Traceback" not in err
    assert out == "130\n"
    assert took < 3


def test_a_reader_that_goes_away() -> None:
    """`| head` that closes the pipe early leaves no traceback."""
    done = _xonsh("big = ['x' * 1000] * 300\ninvoke_lm echo $big | head -c 10")
    assert (len(done.stdout), done.stderr) == (10, "")


def test_interrupt_of_several() -> None:
    """Ctrl-C in a bulk run tells how many had succeeded and how many were under way; the shell goes on."""
    line = "lm! @([{'seconds': 0}, {'seconds': 20}]) | invoke_lm slow -Verbose -ThrottleLimit 1\n"
    with subprocess.Popen(
        [
            *XONSH,
            "-c",
            LOAD
            + "$XONSH_SUBPROC_RAISE_ERROR = False\n"
            + line
            + "print(__xonsh__.lastcmd.rtn)\ninvoke_lm hello -Select StatusCode\n",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "VERBOSE" in process.stderr.readline()
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        while "Ctrl-C again" not in (told := process.stderr.readline()):
            assert told
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert "Stopped. 1 had succeeded, 1 were under way and may still be running" in err
    assert out == "130\n200\n"


class Shell:
    """An interactive xonsh at a pseudo-terminal."""

    def __init__(self, folder: Path) -> None:
        leader, follower = pty.openpty()
        self.leader = leader
        self.process = subprocess.Popen(
            [*XONSH, "-i", "--shell-type", "readline", "-DPROMPT=READY> "],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            preexec_fn=_take_terminal,
            env={
                **os.environ,
                "TERM": "dumb",
                "XONSH_DATA_DIR": str(folder),
                "XONSH_HISTORY_BACKEND": "dummy",
            },
        )
        os.close(follower)
        self.screen = ""
        self.wait_for("READY> ")
        self.type("xontrib load lmfunction")

    def type(self, line: str) -> str:
        """Types a line; gives what the screen shows until the next prompt."""
        self.send(line + "\n")
        return self.wait_for("READY> ")

    def send(self, text: str) -> None:
        """Types text, without waiting."""
        self.screen = ""
        os.write(self.leader, text.encode())

    def wait_for(self, text: str, seconds: float = 30) -> str:
        """The screen, once it shows `text`."""
        end = time.monotonic() + seconds
        while text not in self.screen and time.monotonic() < end:
            if select.select([self.leader], [], [], 0.2)[0]:
                self.screen += os.read(self.leader, 65536).decode(errors="replace")
        assert text in self.screen, self.screen
        return self.screen

    def close(self) -> None:
        """Ends the shell."""
        self.process.kill()
        self.process.wait(10)
        os.close(self.leader)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def shell(tmp_path: Path) -> Any:
    """A person's xonsh."""
    made = Shell(tmp_path)
    yield made
    made.close()


def test_a_person_gets_cards(shell: Shell) -> None:
    """The last command of a line that goes nowhere else shows its card; captured, piped or redirected it gives JSON."""
    card = shell.type("invoke_lm hello -LogType Tail")
    assert "OK" in card
    assert "Greeting world" in card
    assert '"StatusCode"' not in card
    assert '"StatusCode"' in shell.type("invoke_lm hello | cat")
    assert '"StatusCode"' in shell.type("print($(invoke_lm hello))")
    shell.type("invoke_lm hello > said.json")
    assert '"StatusCode"' in shell.type("cat said.json")
    shell.type("aliases['greet'] = 'invoke_lm hello && echo done'")
    assert "OK" in shell.type("greet")
    assert '"StatusCode"' in shell.type("greet | cat")
    failed = shell.type("invoke_lm fail")
    assert "FAILED" in failed
    assert "FunctionError: fail failed" in failed


def test_a_person_is_asked(shell: Shell) -> None:
    """-Confirm asks at the terminal, and the typed name lets the call go."""
    shell.send("invoke_lm hello -Confirm\n")
    shell.wait_for("Type hello to go on: ")
    os.write(shell.leader, b"hello\n")
    assert "Hello, world!" in shell.wait_for("READY> ")


def test_a_person_presses_ctrl_c(shell: Shell) -> None:
    """Ctrl-C stops the waiting and tells; the shell lives on and the next Ctrl-C finds nothing of ours."""
    shell.send("invoke_lm slow '{\"seconds\": 20}' -Verbose\n")
    shell.wait_for("VERBOSE")
    time.sleep(1.0)
    os.write(shell.leader, b"\x03")
    seen = shell.wait_for("READY> ", 5)
    assert "Stopped waiting. slow may still be running" in seen
    assert "Traceback" not in seen
    assert "130" in shell.type("print(__xonsh__.lastcmd.rtn)")
    shell.send("invoke_lm slow '{\"seconds\": 20}' -Verbose | cat\n")  # the terminal gives this Ctrl-C to cat alone
    shell.wait_for("VERBOSE")
    time.sleep(1.0)
    os.write(shell.leader, b"\x03")
    assert "Stopped waiting. slow may still be running" in shell.wait_for("READY> ", 5)
    os.write(shell.leader, b"\x03")
    assert "200" in shell.type("invoke_lm hello -Select StatusCode")


def test_a_person_presses_ctrl_c_in_a_run_of_several(shell: Shell) -> None:
    """The first Ctrl-C waits for the calls under way and says so; the second leaves them, and the shell lives on."""
    for seconds, times, says in ((2.0, 1, "2 had succeeded, 0 were"), (30, 2, "0 had succeeded, 2 were")):
        shell.send(f"lm! $([{{'seconds': {seconds}}}] * 9) | invoke_lm slow -ThrottleLimit 2\n")
        shell.wait_for("2 in flight")
        for _ in range(times):
            os.write(shell.leader, b"\x03")
            shell.wait_for("Ctrl-C again to leave them.")
        seen = shell.wait_for("READY> ", 5)
        assert "Stopping: waiting for 2 calls under way" in seen
        assert says in seen
        assert "Traceback" not in seen
        assert "130" in shell.type("print(__xonsh__.lastcmd.rtn)")

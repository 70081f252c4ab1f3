"""The terminal's door: in process with text streams, as real programs, and at a pseudo-terminal."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

import pytest

from lmfunction._terminal import Terminal, main

PROGRAM = [sys.executable, "-m", "lmfunction"]


class Tty(io.StringIO):
    """A text stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Piped(io.StringIO):
    """Standard input as a program gets it: text over bytes."""

    def __init__(self, content: bytes = b"") -> None:
        super().__init__(content.decode("utf-8", "replace"))
        self.buffer = io.BytesIO(content)


def _seen(seen_type: Any, code: int, out: str, err: str) -> Any:
    """What a program that is not at a terminal did: stdout must be JSON lines and nothing else."""
    emitted = [json.loads(line) for line in out.splitlines()]
    assert len(emitted) <= 1
    assert out == "" or out.endswith("\n")
    seen = seen_type(value=emitted[0] if emitted else None, emitted=bool(emitted), code=code)
    name, separator, _ = err.partition(": ")
    if separator and name.endswith("Error"):
        seen.error, seen.message = name, err
    seen.text = err
    return seen


def _for_a_program(case: dict[str, Any]) -> dict[str, Any]:
    """The row as a program sees it: cards of results are for people, plans and errors are told on stderr."""
    told = {} if case.get("nothing") else {"shows": ()}
    return {**case, **told}


@pytest.fixture
def terminal(Seen: Any) -> Callable[..., Any]:
    """Runs the command in process, not at a tty."""

    def run(arguments: list[str], stdin: bytes = b"") -> Any:
        out, err = io.StringIO(), io.StringIO()
        code = Terminal(stdin=Piped(stdin), stdout=out, stderr=err).run(arguments)
        return _seen(Seen, code, out.getvalue(), err.getvalue())

    return run


def test_arguments(argv_case: dict[str, Any], terminal: Any, check: Any) -> None:
    """A command gives the table's value as one JSON line on stdout, errors on stderr, and the table's exit code."""
    check(_for_a_program(argv_case), terminal(argv_case["argv"]))


def test_one_quoted_argument(quoted: dict[str, Any], terminal: Any, check: Any) -> None:
    """A whole line in one argument is read by the same grammar as a magic's, with the same outcome."""
    check(_for_a_program(quoted), terminal([quoted["line"]]))


def test_a_line_with_the_magics_sign(terminal: Any) -> None:
    """A line copied from a notebook, with its %, works as one argument."""
    seen = terminal(['%invoke_lm hello -Payload {"name": "Ada"} -Select Payload.message;  # said'])
    assert (seen.value, seen.code) == ("Hello, Ada!", 0)


def test_the_result_is_one_json_line(terminal: Any) -> None:
    """A result is one line of wire names, `Payload` and `Log` decoded, absent members left out."""
    seen = terminal(["invoke_lm", "hello", '{"name": "Ада"}', "-LogType", "Tail"])
    assert seen.value["StatusCode"] == 200
    assert seen.value["Payload"] == {"message": "Hello, Ада!"}
    assert "Greeting Ада\n" in seen.value["Log"]
    assert seen.value["Report"]["MemorySizeMb"] == 128
    assert not {"FunctionError", "Error", "DurableExecutionArn"} & seen.value.keys()
    assert seen.text == ""


def test_payload_from_standard_input(terminal: Any) -> None:
    """`-Payload -` sends what comes on standard input, byte for byte."""
    seen = terminal(["invoke_lm", "echo", "-Payload", "-"], stdin=b' {"n": 1.10}\n')
    assert seen.value["Payload"] == {"n": 1.1}
    seen = terminal(["invoke_lm", "echo", "-Payload", "-"], stdin=b"\xff{}")
    assert (seen.code, "not UTF-8" in seen.message) == (252, True)


def test_payload_from_a_file(terminal: Any, tmp_path: Any) -> None:
    """`file://` reads a file, with a byte order mark of Windows editors dropped."""
    (tmp_path / "my event.json").write_bytes(b'\xef\xbb\xbf{"n": 2}')
    assert terminal(["invoke_lm", "echo", "-Payload", "file://my event.json"]).value["Payload"] == {"n": 2}


def test_variables_do_not_exist_here(terminal: Any) -> None:
    """-OutVariable and its kin are refused before anything is sent."""
    for name in ("-OutVariable", "-ErrorVariable", "-WarningVariable"):
        seen = terminal(["invoke_lm", "nobody-home", name, "x"])
        assert (seen.error, seen.code) == ("ParameterError", 252)
        assert "there are none here" in seen.message


def test_an_unknown_cmdlet(terminal: Any) -> None:
    """A misspelt cmdlet is a usage error with the nearest name."""
    seen = terminal(["invoke_ml", "hello"])
    assert (seen.error, seen.code) == ("ParameterError", 252)
    assert "'invoke_ml' is no cmdlet. Did you mean invoke_lm?" in seen.message


@pytest.mark.parametrize("arguments", [[], ["-?"], ["--help"], ["-h"], ["help"]])
def test_overview(arguments: list[str]) -> None:
    """Asked for help, or for nothing, the command lists cmdlets and exit codes on stdout."""
    out, err = io.StringIO(), io.StringIO()
    assert Terminal(stdout=out, stderr=err).run(arguments) == 0
    assert err.getvalue() == ""
    assert all(
        word in out.getvalue() for word in ("Invoke-LMFunction", "publish_lm_function", "252 usage", "local start")
    )


def test_help_of_a_cmdlet() -> None:
    """`lmfunction invoke_lm -?` prints the cmdlet's help on stdout."""
    out, err = io.StringIO(), io.StringIO()
    assert Terminal(stdout=out, stderr=err).run(["invoke_lm", "-?"]) == 0
    assert "SYNOPSIS" in out.getvalue()
    assert err.getvalue() == ""


# A person at a terminal


def _person(arguments: list[str], typed: str = "") -> tuple[int, str, str]:
    out, err = Tty(), Tty()
    code = Terminal(stdin=Tty(typed), stdout=out, stderr=err).run(arguments)
    return code, out.getvalue(), err.getvalue()


def test_every_line_for_a_person(argv_case: dict[str, Any]) -> None:
    """At a tty the cards hold what the table says people see."""
    _, out, err = _person(argv_case["argv"])
    assert [fragment for fragment in argv_case.get("shows", ()) if fragment not in out + err] == []
    assert [fragment for fragment in argv_case.get("never", ()) if fragment in out + err] == []


def test_the_card_of_a_failure_is_shown_once() -> None:
    """With -ErrorAction Continue a failed function's card is shown once, not on stdout and stderr both."""
    code, out, err = _person(["invoke_lm", "fail", "-ErrorAction", "Continue"])
    assert code == 1
    assert (out + err).count("Stack trace") == 1


@pytest.mark.parametrize(
    ("typed", "code"), [("hello\n", 0), ("hello \n", 255), ("Hello\n", 255), ("y\n", 255), ("\n", 255), ("", 255)]
)
def test_confirmation(typed: str, code: int) -> None:
    """-Confirm sends only when the function's name is typed exactly."""
    found, out, err = _person(["invoke_lm", "hello", "-Confirm"], typed)
    assert (found, "GuardError" in err) == (code, code != 0)
    assert "\nType hello to go on: " in err
    assert ("Hello, world!" in out) == (code == 0)


def test_bad_text_at_a_terminal(bad_text: dict[str, str], bad_handler: str, inert: Any) -> None:
    """What a function returns, prints or raises cannot drive the terminal: its controls are shown as escapes."""
    code, _, err = _person(["publish_lm_function", "term-bad", "-Code", bad_handler])
    assert (code, err) == (0, "")
    colours = ("\x1b[0m", "\x1b[1m", "\x1b[2m")
    for what, expected in (("return", 0), ("raise", 1)):
        for text in bad_text.values():
            event = json.dumps({"what": what, "texts": [text]})
            found, out, err = _person(["invoke_lm", "term-bad", event, "-LogType", "Tail", "-ProfileName", "local"])
            assert found == expected
            shown = out + err
            for colour in (
                *colours,
                *(f"\x1b[{n}m" for n in range(30, 108)),
                *(f"\x1b[1;{n}m" for n in range(30, 108)),
            ):
                shown = shown.replace(colour, "")
            inert(shown)


def test_bad_text_in_an_error_for_a_program(
    bad_text: dict[str, str], bad_handler: str, terminal: Any, inert: Any
) -> None:
    """stderr is inert too when it goes to a log file; stdout is JSON that gives the text back unchanged."""
    terminal(["publish_lm_function", "term-bad", "-Code", bad_handler])
    for text in bad_text.values():
        for what in ("return", "raise"):
            event = json.dumps({"what": what, "texts": [text]})
            seen = terminal(["invoke_lm", "term-bad", event, "-ProfileName", "local", "-ea", "Continue"])
            inert(seen.text)
            told = seen.value["Payload"]
            assert (told["value"] if what == "return" else [told["errorMessage"]]) == [text]
        inert(terminal(["invoke_lm", text, "-ProfileName", "local"]).text)


# Real programs


def _program(*arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """The command as a shell starts it, each argument quoted for the shell."""
    line = shlex.join([*PROGRAM, *arguments])
    return subprocess.run(["sh", "-c", line], input=stdin or b"", capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["invoke_lm", "hello", '{"name": "Ада O\'Neil $HOME `x` \\"q\\""}'], 0),
        (['invoke_lm echo {"a": "it\'s | $x"} -Select Payload.a'], 0),
        (["invoke_lm", "hello", "-InvocationType", "Event"], 0),
        (["invoke_lm", "fail", '{"order": 7}'], 1),
        (["invoke_lm", "hello", "-Qualifer", "1"], 252),
        (["invoke_lm", "hello", "-ProfileName", "nowhere"], 253),
        (["invoke_lm", "nobody-home"], 254),
        (["invoke_lm", "hello", "-Confirm"], 255),
    ],
    ids=lambda value: str(value)[:40],
)
def test_exit_codes_of_the_program(arguments: list[str], code: int) -> None:
    """The program ends with the code of its outcome, JSON alone on stdout, and no traceback on stderr."""
    done = _program(*arguments)
    assert done.returncode == code, done.stderr.decode()
    assert len(done.stdout.splitlines()) == (1 if code == 0 else 0)
    for line in done.stdout.splitlines():
        json.loads(line)
    assert b"Traceback" not in done.stderr
    assert bool(done.stderr) == (code != 0)


def test_text_survives_the_shell() -> None:
    """A payload with quotes, dollars and letters outside ASCII comes back as it was typed, whatever the locale."""
    text = 'Ада O\'Neil $HOME `x` "q" \\n'
    for more in ({}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}):
        done = subprocess.run(
            [*PROGRAM, "invoke_lm", "echo", "-Payload", "-", "-Select", "Payload"],
            input=json.dumps(text).encode(),
            capture_output=True,
            env={**os.environ, **more},
            check=False,
        )
        assert json.loads(done.stdout) == text, done.stderr


def test_a_reader_that_goes_away() -> None:
    """`| head` that closes the pipe early leaves no traceback."""
    big = json.dumps(["x" * 1000] * 300)
    line = f"{shlex.join([*PROGRAM, 'invoke_lm', 'echo', '-Payload', '-'])} | head -c 10"
    done = subprocess.run(["bash", "-c", line], input=big.encode(), capture_output=True, timeout=60, check=False)
    assert done.stderr == b""
    assert len(done.stdout) == 10


def test_interrupt() -> None:
    """Ctrl-C while a function runs ends the program at once with 130, and says that the function may be running."""
    line = [*PROGRAM, "invoke_lm", "slow", '{"seconds": 20}', "-Verbose"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "VERBOSE" in process.stderr.readline()  # the call is planned; sending it takes a moment more
        time.sleep(1.0)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
        took = time.monotonic() - sent
    assert (process.returncode, out) == (130, "")
    assert "Stopped waiting. slow may still be running" in err
    assert "Traceback" not in err
    assert took < 2


def _at_a_pty(arguments: list[str], answer: bytes = b"") -> tuple[int, str]:
    """The program with a pseudo-terminal as its three streams: exit code and everything on the screen."""
    leader, follower = pty.openpty()
    with subprocess.Popen([*PROGRAM, *arguments], stdin=follower, stdout=follower, stderr=follower) as process:
        os.close(follower)
        if answer:
            os.write(leader, answer)
        screen = b""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and select.select([leader], [], [], 30)[0]:
            try:
                block = os.read(leader, 65536)
            except OSError:  # Linux's way to say that the other side is closed
                break
            if not block:
                break
            screen += block
        code = process.wait(10)
    os.close(leader)
    return code, screen.decode()


@pytest.mark.parametrize(
    ("seconds", "times", "says"), [(1.8, 1, "2 had succeeded, 0 were"), (20, 2, "0 had succeeded, 2 were")]
)
def test_ctrl_c_at_a_pty(seconds: float, times: int, says: str) -> None:
    """Ctrl-C in a run of several waits for the calls under way and says so; the second one leaves them."""
    leader, follower = pty.openpty()
    line = f"$([{{'seconds': {seconds}}}] * 9) | invoke_lm slow -ThrottleLimit 2 -Verbose"
    with subprocess.Popen(
        [*PROGRAM, line],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    ) as process:
        os.close(follower)
        screen = _screen_until(leader, "in flight")
        for _ in range(times):
            os.write(leader, b"\x03")
            screen += _screen_until(leader, "Ctrl-C again to leave them." if "again to" not in screen else says)
        screen += _screen_until(leader, says) if says not in screen else ""
        assert process.wait(5) == 130
    os.close(leader)
    assert "Stopping: waiting for 2 calls under way" in screen
    assert "Traceback" not in screen


def _screen_until(leader: int, text: str) -> str:
    screen, end = "", time.monotonic() + 20
    while text not in screen and time.monotonic() < end:
        if select.select([leader], [], [], 0.2)[0]:
            screen += os.read(leader, 65536).decode()
    assert text in screen, screen
    return screen


def test_a_card_at_a_pty() -> None:
    """A person at a terminal gets the card, no JSON."""
    code, screen = _at_a_pty(["invoke_lm", "hello", "-LogType", "Tail"])
    assert code == 0
    assert "OK" in screen
    assert "Greeting world" in screen
    assert '"StatusCode"' not in screen


def test_a_failure_at_a_pty() -> None:
    """A failed function shows its card and the short error, and ends with 1."""
    code, screen = _at_a_pty(["invoke_lm", "fail"])
    assert code == 1
    assert "FAILED" in screen
    assert "FunctionError: fail failed: OrderNotFoundError" in screen
    assert "Traceback" not in screen


def test_confirmation_at_a_pty() -> None:
    """At a terminal -Confirm asks, and the typed name lets the call go."""
    code, screen = _at_a_pty(["invoke_lm", "hello", "-Confirm"], b"hello\n")
    assert code == 0
    assert "Type hello to go on: " in screen
    assert "Hello, world!" in screen


def test_main_gives_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    """`main` with arguments returns the exit code; it does not exit."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("lmfunction 0.")

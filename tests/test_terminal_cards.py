"""Cards in IPython at a terminal: its width and colours; elsewhere neither."""

from __future__ import annotations

import ast
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from IPython.core.formatters import DisplayFormatter

import lmfunction as lm
from lmfunction._terminal_cards import WITH_CARDS, draw_cards, drawn, forget_cards

CODE = """
%load_ext lmfunction
r = get_ipython().run_line_magic('invoke_lm', 'hello {"name": "Ada"} -ProfileName local')
display(r)
display([r])
get_ipython().run_line_magic('invoke_lm', 'nope -ProfileName local -ErrorAction Continue -ErrorVariable e')
display(e)
get_ipython().run_line_magic('invoke_lm', 'fail -ProfileName local -ErrorAction Continue')
"""


def ipython(*, columns: int = 0, **environment: str) -> str:
    """What `CODE` prints in a real IPython, at a terminal of so many columns, or in a pipe."""
    command = [sys.executable, "-m", "IPython", "--no-banner", "--simple-prompt", "-c", CODE]
    variables = {**os.environ, "TERM": "xterm-256color", **environment}
    if not columns:
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(command, env=variables, stdin=follower, stdout=follower, stderr=follower) as process:
        os.close(follower)
        told = bytearray()
        while True:
            try:
                part = os.read(leader, 65_536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            told += part
        assert process.wait(60) == 0, told.decode()
    os.close(leader)
    return told.decode()


def plain(text: str) -> list[str]:
    """The lines that are left to be read: what a line of progress overwrote is gone."""
    lines = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]|\x1b\].*?\x07", "", text).split("\n")
    return [line.rstrip("\r").rpartition("\r")[2] for line in lines]


def test_at_a_terminal() -> None:
    """A card is as wide as the terminal, in its colours: a result, a failed one, an error; one line inside a list."""
    told = ipython(columns=64)
    assert "\x1b[1;32m[OK]\x1b[0m \x1b[1mhello" in told
    assert "\x1b[1;31m[REFUSED]\x1b[0m \x1b[1mResourceNotFoundException" in told
    assert "\x1b[1;31m[FAILED]\x1b[0m \x1b[1mfail" in told
    lines = plain(told)
    assert "[<InvokeResult 200 hello" in "\n".join(lines)
    assert any(line.startswith("[ServiceError(") for line in lines)
    cards = [line for line in lines if "<InvokeResult" not in line and "[ServiceError(" not in line]
    # A path is one word, which is not broken, however long it is.
    cards = [line for line in cards if all(len(word) < 50 for word in line.split())]
    assert [line for line in cards if len(line) > 64] == []


@pytest.mark.parametrize(("columns", "environment"), [(0, {}), (64, {"NO_COLOR": "1"}), (64, {"TERM": "dumb"})])
def test_without_colours(columns: int, environment: dict[str, str]) -> None:
    """A pipe, NO_COLOR and a dumb terminal get the same words without colour."""
    told = ipython(columns=columns, **environment)
    assert "[OK] hello" in told
    assert "[REFUSED] ResourceNotFoundException" in told
    assert not re.search(r"\x1b\[1;3\dm", told)


class Terminal:
    """A shell that has a terminal, as far as cards are concerned."""

    def __init__(self) -> None:
        self.pt_app = None
        self.display_formatter = DisplayFormatter()


def printers(shell: Terminal) -> list[object]:
    formatters = (shell.display_formatter.mimebundle_formatter, shell.display_formatter.formatters["text/plain"])
    return [dict(f.deferred_printers) for f in formatters] + [dict(f.type_printers) for f in formatters]


def test_what_is_added_is_taken_away() -> None:
    """After unloading the shell is as it was."""
    shell = Terminal()
    before = printers(shell)
    draw_cards(shell)
    assert printers(shell) != before
    forget_cards(shell)
    assert printers(shell) == before


def test_a_kernel_is_left_alone() -> None:
    """A notebook's text is stored with it: no colours, and the bundle with its HTML."""
    shell = Terminal()
    del shell.pt_app
    before = printers(shell)
    draw_cards(shell)
    forget_cards(shell)
    assert printers(shell) == before


def test_all_that_has_a_card_is_named() -> None:
    """Each class with a card of its own is in the list, and each name of the list is such a class."""
    package = Path(lm.__file__).parent
    found = set()
    for path in package.glob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and any(
                isinstance(member, ast.FunctionDef) and member.name == "_repr_mimebundle_" for member in node.body
            ):
                found.add((f"lmfunction.{path.stem}", node.name))
    assert found == set(WITH_CARDS)


def test_a_card_that_fails_is_still_shown() -> None:
    """What cannot be drawn falls back to the bundle, which never raises."""

    class Broken:
        def card(self) -> object:
            raise RuntimeError("no card")

        def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> object:
            return {"text/plain": "a line"}, {}

    assert drawn(Broken()) == {"text/plain": "a line"}

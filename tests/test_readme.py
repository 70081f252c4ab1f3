"""The README keeps its word: every block runs, every table is the code's own."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from readme_table import with_tables

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def shell() -> Iterator[Any]:
    """An IPython shell of its own, gone afterwards."""
    from IPython.core.interactiveshell import InteractiveShell

    InteractiveShell.clear_instance()
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def blocks(language: str) -> list[str]:
    """The README's blocks in `language`, in order."""
    return [text for name, text in BLOCKS if name == language]


def terminal_lines() -> list[str]:
    """Every terminal command of the README but the installations."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line.partition("&& ")[2] if line.startswith("pip ") else line for line in lines]


COMMANDS = [line for line in terminal_lines() if line and not line.startswith("pytest")]


def test_the_first_two_shell_blocks_install_and_run_and_test() -> None:
    """A newcomer finds the two set-up commands first."""
    first, second = blocks("sh")[:2]
    assert first.startswith("pip install . && lmfunction invoke_lm hello ")
    assert second.startswith("pip install '.[test]' && pytest")


def run_terminal(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The line run by bash, with this Python's lmfunction."""
    command = line.replace("lmfunction ", f"{shlex.quote(sys.executable)} -m lmfunction ", 1)
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("line", COMMANDS)
def test_terminal_commands_run(line: str, tmp_path: Path) -> None:
    """Each terminal line exits 0 and prints something."""
    command = line.replace("lmfunction ", f"{shlex.quote(sys.executable)} -m lmfunction ", 1)
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_first_command_greets_the_world(tmp_path: Path) -> None:
    """The main job prints Hello, world! and the log tail."""
    command = COMMANDS[0].replace("lmfunction ", f"{shlex.quote(sys.executable)} -m lmfunction ", 1)
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Hello, world!" in done.stdout
    assert "REPORT RequestId" in done.stdout


def test_python_blocks_run(capsys: pytest.CaptureFixture[str]) -> None:
    """The Python of the README runs as one program."""
    namespace: dict[str, Any] = {}
    for source in blocks("python"):
        exec(compile(source, "README.md", "exec"), namespace)
    assert "ms billed" in capsys.readouterr().out
    assert namespace["failed"].ok is False


def test_ipython_blocks_run(shell: Any) -> None:
    """The cells of the README run one after the other in one IPython."""
    for cell in blocks("ipython"):
        done = shell.run_cell(cell)
        assert done.success, f"{cell}\n{done.error_before_exec or done.error_in_exec}"
    assert shell.user_ns["greeting"].payload == {"greeting": "Hello, Ann!"}
    assert shell.user_ns["r"].payload["count"] == 3


@pytest.mark.parametrize("text", blocks("xonsh"))
def test_xonsh_blocks_run(text: str, tmp_path: Path) -> None:
    """The README's xonsh lines run in a real xonsh."""
    script = tmp_path / "readme.xsh"
    script.write_text(text)
    program = Path(sys.executable).with_name("xonsh")
    done = subprocess.run(
        [program, "--no-rc", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        '{"message": "Hello, world!"}',
        "7",
        '"Hello, pipe!"',
        "Hello, world!",
        '"Hello, pasted from a notebook!"',
    ]


@pytest.mark.parametrize("text", blocks("yaml"))
def test_profiles_load(text: str, tmp_path: Path) -> None:
    """The profile of the README is one."""
    from lmfunction._profile import load_profile

    path = tmp_path / "example.yaml"
    path.write_text(text)
    assert load_profile(path).functions["orders"] == yaml.safe_load(text)["functions"]["orders"]


def test_the_parameter_tables_are_the_code_s() -> None:
    """The tables of parameters are what the code generates; `python tests/readme_table.py` writes them."""
    assert with_tables(README) == README


def test_the_error_shown_is_the_error_given() -> None:
    """The caret error in the README is the real one."""
    from lmfunction._commands import run_line
    from lmfunction._door import Door
    from lmfunction._engine import Engine
    from lmfunction._table import INVOKE
    from lmfunction.errors import ParameterError

    block = next(text for text in blocks("text") if "%invoke_lm" in text)
    line, shown = block.split("\n", 1)
    with pytest.raises(ParameterError) as caught:
        run_line(INVOKE, line.removeprefix("%invoke_lm "), None, Engine(), Door(), {})
    assert f"ParameterError: {caught.value}" == shown.rstrip("\n")


@pytest.mark.parametrize("path", sorted((ROOT / "profiles").glob("*.yaml")), ids=lambda p: p.name)
def test_shipped_profiles(path: Path, tmp_path: Path) -> None:
    """Every shipped profile loads: the live one as it is, the examples when their lines are uncommented."""
    from lmfunction._profile import load_profile

    text = path.read_text()
    if not any(line.strip() and not line.startswith("#") for line in text.splitlines()):
        body = text.partition("#\n")[2]
        path = tmp_path / path.name
        path.write_text(re.sub(r"^# ?", "", body, flags=re.MULTILINE))
    profile = load_profile(path)
    assert profile.endpoint in ("aws", "embedded")
    assert profile.region

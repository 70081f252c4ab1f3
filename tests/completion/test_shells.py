"""The same tables in a real IPython shell and through a real kernel's protocol; what the extension leaves behind."""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import context_matcher, provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import start_new_kernel
from traitlets.config import Config

CURSOR = "|>"
TYPES = "_jupyter_types_experimental"


def as_cell(line: dict[str, Any]) -> tuple[str, int]:
    """A row of lines.yaml as a notebook's cell, and the cursor's position in it."""
    before = f"%{line.get('cmdlet', 'invoke_lm') or 'lm'} {line['text']}"
    return before + line.get("after", ""), len(before)


def marked(cell: str) -> tuple[str, int]:
    """A cell with the mark taken out, and where it stood."""
    return cell.replace(CURSOR, ""), cell.index(CURSOR)


# In process


@pytest.fixture(scope="module")
def shell(names: dict[str, Any], environ: dict[str, str], folder: Path) -> Iterator[InteractiveShell]:
    """A shell with the extension and the variables, in the folder."""
    kept, here = dict(os.environ), Path.cwd()
    os.environ.update(environ)
    os.chdir(folder)
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    found = InteractiveShell.instance(config=config)
    found.run_line_magic("load_ext", "lmfunction")
    found.user_ns.update(names)
    found.user_ns["_"] = names["result"]
    yield found
    found.run_line_magic("unload_ext", "lmfunction")
    found.atexit_operations()
    atexit.unregister(found.atexit_operations)
    InteractiveShell.clear_instance()
    os.chdir(here)
    os.environ.clear()
    os.environ.update(kept)


def offered(shell: InteractiveShell, cell: str, position: int) -> list[tuple[str, str]]:
    """What the shell makes of the text before the cursor, each with where it comes from."""
    with provisionalcompleter():
        found = list(shell.Completer.completions(cell, position))
    return [(cell[: one.start] + one.text, one._origin) for one in found]


def ours(shell: InteractiveShell, cell: str, position: int) -> list[str]:
    """What lmfunction offers."""
    return [text for text, origin in offered(shell, cell, position) if origin == "lmfunction"]


def test_lines_in_a_shell(shell_line: dict[str, Any], shell: InteractiveShell, faults_of: Any) -> None:
    """A line behind a magic is offered what the table says, and where that is something, nothing of IPython's own."""
    cell, position = as_cell(shell_line)
    faults = faults_of(shell_line, cell[:position], ours(shell, cell, position))
    if faults:
        pytest.fail(faults, pytrace=False)
    if shell_line.get("all") or shell_line.get("has"):
        assert {origin for _, origin in offered(shell, cell, position)} == {"lmfunction"}


def test_cells_in_a_shell(cell: dict[str, Any], shell: InteractiveShell, faults_of: Any) -> None:
    """A cell is offered what the table says at its cursor; elsewhere IPython offers what it always does."""
    text, position = marked(cell["cell"])
    if "others" in cell:
        assert ours(shell, text, position) == []
        every = [one for one, _ in offered(shell, text, position)]
        for expected in cell["others"]:
            assert any(one.endswith(expected) or f"{expected}'" in one for one in every), (expected, every[:20])
        return
    by_ipython = [one for one, _ in offered(shell, text, position)]
    faults = faults_of(cell, text[:position], ours(shell, text, position) or by_ipython * ("has" in cell))
    if faults:
        pytest.fail(faults, pytrace=False)


def test_the_terminal_shows_what_an_offer_is(shell: InteractiveShell) -> None:
    """A terminal has no icons for types: in their place stands what the offer is about."""
    with provisionalcompleter():
        (one,) = shell.Completer.completions("%invoke_lm f -LogT", 18)
    assert one.type == "Tail brings the last 4 KB of the log. Only with RequestResponse."


def test_other_extensions_go_on(shell: InteractiveShell) -> None:
    """A matcher that somebody else added is asked on our lines too, and stays when ours is taken away."""

    @context_matcher(identifier="somebody")
    def somebody(context: Any) -> Any:
        return {"completions": [], "suppress": False, "asked": asked.append(context.token)}

    asked: list[str] = []
    matchers = shell.Completer.custom_matchers
    matchers.append(somebody)
    try:
        assert ours(shell, "%invoke_lm f -LogT", 18) == ["%invoke_lm f -LogType"]
        assert len(asked) == 1
        shell.run_line_magic("reload_ext", "lmfunction")
        assert ours(shell, "%invoke_lm f -LogT", 18) == ["%invoke_lm f -LogType"]
        assert [m.matcher_identifier for m in matchers] == ["somebody", "lmfunction"]
        shell.run_line_magic("unload_ext", "lmfunction")
        assert matchers == [somebody]
        assert ours(shell, "%invoke_lm f -LogT", 18) == []
    finally:
        matchers[:] = [m for m in matchers if m is not somebody]
        shell.run_line_magic("load_ext", "lmfunction")


def test_a_failure_inside_is_silent(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever goes wrong inside, who types is met by no traceback."""
    from lmfunction import _completion

    monkeypatch.setattr(_completion, "complete", lambda *_, **__: 1 / 0)
    assert ours(shell, "%invoke_lm f -LogT", 18) == []
    assert capsys.readouterr() == ("", "")


def test_the_last_result(shell: InteractiveShell) -> None:
    """What an invocation answered is looked at for keys also when it went into a variable."""
    shown = shell.user_ns.pop("_")
    try:
        assert ours(shell, "%invoke_lm f -Select Payload.", 29) == []
        shell.run_cell('r = %invoke_lm echo -Payload {"colour": 1} -ProfileName local')
        assert ours(shell, "%invoke_lm f -Select Payload.", 29) == ["%invoke_lm f -Select Payload.colour"]
    finally:
        shell.user_ns["_"] = shown


# Through the protocol


class Kernel:
    """A kernel with the extension loaded and the variables set."""

    def __init__(self, environment: dict[str, str], folder: Path, setup_file: Path) -> None:
        self.manager, self.client = start_new_kernel(kernel_name="python3", env=environment, cwd=str(folder))
        self.run("%load_ext lmfunction")
        self.run(f"exec(compile(open({str(setup_file)!r}).read(), 'setup_names.py', 'exec'))\nresult")

    def run(self, code: str) -> None:
        reply = self.client.execute_interactive(code, timeout=60, output_hook=lambda _: None)
        assert reply["content"]["status"] == "ok", reply["content"]

    def complete(self, cell: str, position: int) -> dict[str, Any]:
        reply = self.client.complete(cell, position, reply=True, timeout=60)["content"]
        assert reply["status"] == "ok"
        return dict(reply)

    def inspect(self, cell: str, position: int) -> dict[str, Any]:
        reply = self.client.inspect(cell, position, reply=True, timeout=60)["content"]
        assert reply["status"] == "ok"
        return dict(reply)

    def completed(self, cell: str, position: int) -> list[str]:
        reply = self.complete(cell, position)
        return [cell[: reply["cursor_start"]] + match for match in reply["matches"]]


@pytest.fixture(scope="module")
def kernel(environ: dict[str, str], folder: Path, setup_file: Path) -> Iterator[Kernel]:
    import lmfunction

    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ},
        **environ,
        "PYTHONPATH": str(Path(lmfunction.__file__).parents[1]),
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    running = Kernel(environment, folder, setup_file)
    yield running
    running.client.stop_channels()
    running.manager.shutdown_kernel(now=True)
    running.manager.cleanup_resources()


def test_lines_through_a_kernel(shell_line: dict[str, Any], kernel: Kernel, faults_of: Any) -> None:
    """A complete_request for a line is answered as the table says; for one without offers the reply is well-formed."""
    cell, position = as_cell(shell_line)
    completed = kernel.completed(cell, position)
    if shell_line.get("all") == []:
        return  # then IPython offers what it always does
    faults = faults_of(shell_line, cell[:position], completed)
    if faults:
        pytest.fail(faults, pytrace=False)


def test_cells_through_a_kernel(cell: dict[str, Any], kernel: Kernel, faults_of: Any) -> None:
    """A complete_request for a cell is answered as the table says."""
    text, position = marked(cell["cell"])
    completed = kernel.completed(text, position)
    if "others" in cell:
        for expected in cell["others"]:
            assert any(one.endswith(expected) or f"{expected}'" in one for one in completed), (expected, completed[:20])
    elif cell.get("all") != []:
        faults = faults_of(cell, text[:position], completed)
        if faults:
            pytest.fail(faults, pytrace=False)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("%invoke_lm f -LogT", "param"),
        ("%invoke_lm f -LogType ", "value"),
        ("%invoke_lm f | sel", "function"),
        ("%lm invoke_lm", "magic"),
        ("%invoke_lm f $ord", "instance"),
        ("%invoke_lm f -Region eu-", "region"),
        ("%invoke_lm f -ProfileName lo", "profile"),
        ("%invoke_lm hel -ProfileName local", "function"),
        ("%invoke_lm f -Select Pay", "key"),
        ("%invoke_lm f | out_file ord", "path"),
        ("%invoke-lmf", "magic"),
    ],
)
def test_types_for_jupyterlab(code: str, expected: str, kernel: Kernel) -> None:
    """Each offer tells its kind, which JupyterLab shows as an icon."""
    position = code.index(" -ProfileName local") if code.endswith(" local") else len(code)
    found = kernel.complete(code, position)["metadata"][TYPES]
    assert {one["type"] for one in found} == {expected}


def test_completion_is_quick(kernel: Kernel) -> None:
    """A Tab costs a few milliseconds, which nobody notices while typing."""
    kernel.complete("%invoke_lm f -L", 15)
    start = time.perf_counter()
    for _ in range(20):
        kernel.complete("%invoke_lm f -L", 15)
    assert (time.perf_counter() - start) / 20 < 0.1


# Shift-Tab


@pytest.mark.parametrize(
    ("code", "at", "begins", "holds"),
    [
        ("%Invoke-LMFunction", 5, "NAME\n    Invoke-LMFunction", "SYNTAX"),
        ("%Invoke-LMFunction", 18, "NAME\n    Invoke-LMFunction", "EXAMPLES"),
        ("r = %Invoke-LMFunction f", 10, "NAME\n    Invoke-LMFunction", ""),
        ("%%Invoke-LMFunction f\n{}", 9, "NAME\n    Invoke-LMFunction", ""),
        ("%Get-LMAlias", 8, "NAME\n    Get-LMAlias ", ""),
        ("%invoke_lm f -LogType Tail", 16, "    -LogType {None|Tail}", "Accepted values          None, Tail"),
        ("%invoke_lm f -LogType Tail", 24, "    -LogType {None|Tail}", ""),
        ("%invoke_lm f -log Tail", 15, "    -LogType {None|Tail}", ""),
        ("%invoke_lm f", 12, "    -FunctionName <text>", "ByValue, ByPropertyName"),
        ("for x in y:\n    r = %invoke_lm x | where a -eq 1", 36, "NAME\n    Where-Object", ""),
        ("%invoke_lm f | where a -eq 1", 25, "    -EQ", "Equal."),
        ("%%lm\n$orders | sort total", 17, "NAME\n    Sort-Object", ""),
        ("%%lm\n$orders | sort total -Desc", 31, "    -Descending", ""),
        ("# see Get-LMAliasList", 12, "NAME\n    Get-LMAliasList", ""),
    ],
)
def test_shift_tab(code: str, at: int, begins: str, holds: str, kernel: Kernel) -> None:
    """An inspect_request gets the help of the cmdlet, verb or parameter under the cursor, dashed or not."""
    reply = kernel.inspect(code, at)
    assert reply["found"]
    text = reply["data"]["text/plain"]
    assert text.startswith(begins)
    assert holds in text


def test_shift_tab_elsewhere_is_the_kernel_s_own(kernel: Kernel) -> None:
    """Python names, variables on our lines and unknown names are looked up as ever."""
    assert "Signature" in kernel.inspect("len", 2)["data"]["text/plain"]
    assert "dict" in kernel.inspect("%invoke_lm f $order", 17)["data"]["text/plain"]
    assert not kernel.inspect("no_such_name_at_all", 5)["found"]
    assert not kernel.inspect("a-b", 3)["found"]


def test_unloading_gives_shift_tab_back(kernel: Kernel) -> None:
    """After %unload_ext the kernel answers as one that never had the extension; loading again teaches it again."""
    kernel.run("%unload_ext lmfunction")
    assert not kernel.inspect("%Invoke-LMFunction", 5)["found"]
    kernel.run("assert 'do_inspect' not in vars(get_ipython().kernel)")
    assert "%invoke_lm f -LogType" not in kernel.completed("%invoke_lm f -LogT", 18)
    kernel.run("%load_ext lmfunction")
    assert kernel.inspect("%Invoke-LMFunction", 5)["found"]

"""Unattended runbooks: papermill's exit code, the saved notebook and stderr after success, failure and a guard."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest


@dataclass
class Run:
    code: int
    stderr: str
    cells: list[Any]

    def errors(self) -> list[Any]:
        return [output for cell in self.cells for output in cell.outputs if output.output_type == "error"]


@pytest.fixture
def runbook(tmp_path: Path, surroundings: dict[str, str]) -> Any:
    """Runs cells as a notebook under papermill; the first cell holds the parameters."""

    def run(cells: list[str], *options: str) -> Run:
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        book.cells[0].metadata["tags"] = ["parameters"]
        nbformat.write(book, tmp_path / "in.ipynb")
        done = subprocess.run(
            [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", "--no-progress-bar", *options],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**surroundings, "PYTHONWARNINGS": "ignore"},
            timeout=120,
            check=False,
        )
        saved = nbformat.read(tmp_path / "out.ipynb", as_version=4)
        return Run(done.returncode, done.stderr, [cell for cell in saved.cells if cell.cell_type == "code"])

    return run


def test_a_failed_function_fails_the_run(runbook: Any) -> None:
    """A failed function ends the run with 1; the saved cell and the end of stderr hold our few lines."""
    run = runbook(
        ["order = 7", "%load_ext lmfunction", '%invoke_lm fail -Payload {"order": $order}', "print('not reached')"]
    )
    assert run.code == 1
    (error,) = run.errors()
    assert error.ename == "FunctionError"
    assert error.traceback[0].startswith("FunctionError: fail failed: OrderNotFoundError: There is no order 7")
    assert 1 <= len(error.traceback) <= 5
    assert run.stderr.rstrip().endswith("\n".join(error.traceback))
    assert run.cells[-1].outputs == []


def test_a_passing_runbook(runbook: Any) -> None:
    """A run in which every line succeeds ends with 0 and saves the card; a papermill parameter reaches the payload."""
    run = runbook(["name = 'default'", "%load_ext lmfunction", '%invoke_lm hello {"name": $name}'], "-p", "name", "Ada")
    assert (run.code, run.errors()) == (0, [])
    (output,) = run.cells[-1].outputs
    assert "Hello, Ada!" in output.data["text/plain"]
    assert "Hello, Ada!" in output.data["text/html"]


def test_confirmation_fails_closed(runbook: Any) -> None:
    """-Confirm with nobody to ask fails the run before anything is sent."""
    run = runbook(["# parameters", "%load_ext lmfunction", "%invoke_lm nobody-home -Confirm"])
    assert run.code == 1
    (error,) = run.errors()
    # A function that does not exist would have been a ServiceError, had the call been sent.
    assert error.ename == "GuardError"
    assert "Nothing was sent" in run.stderr.rstrip().splitlines()[-1]


def test_a_dry_run_by_a_parameter(runbook: Any) -> None:
    """A papermill parameter turns the whole notebook into a what-if through %config: nothing is sent, all is shown."""
    cells = ["dry_run = False", "%load_ext lmfunction\n%config LMFunction.what_if = dry_run", "%invoke_lm fail"]
    run = runbook(cells, "-p", "dry_run", "True")
    assert (run.code, run.errors()) == (0, [])
    (output,) = run.cells[-1].outputs
    assert "[WHAT IF] fail" in output.data["text/plain"]

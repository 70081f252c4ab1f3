"""-AsJob at each door: where the process stays it works and writes under no other line; where not, it is refused."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from lmfunction._terminal import Terminal

CELLS = {
    "begin": "job = %invoke_lm slow -InputObject $([{'seconds': 0.4}] * 6) -ThrottleLimit 2 -AsJob -Verbose",
    "its card": "job",
    "other": "import time; time.sleep(0.5)",
    "all": "%get_job",
    "too early": "%receive_job 1",
    "waited": "%wait_job 1",
    "received": "run = %receive_job 1 -WarningAction SilentlyContinue\nprint(len(run.succeeded), job.state)",
    "failing": "%invoke_lm fail -AsJob",
    "failed": "%receive_job 2 -Wait",
}


@pytest.fixture(scope="module")
def saved(surroundings: dict[str, str]) -> dict[str, Any]:
    """Each cell after a run in one real kernel."""
    sources = {"load": "%load_ext lmfunction", **CELLS}
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources.values()])
    NotebookClient(book, kernel_name="python3", allow_errors=True, timeout=30).execute(env=surroundings)
    nbformat.validate(book)
    return dict(zip(sources, book.cells, strict=True))


def shown(cell: Any) -> str:
    """All that a cell shows, as text."""
    return "\n".join(
        output.get("text") or "\n".join(output.get("traceback", ())) or output.data["text/plain"]
        for output in cell.outputs
    )


def test_a_job_writes_under_no_cell(saved: dict[str, Any]) -> None:
    """Neither where it begins nor under a cell that runs meanwhile."""
    assert saved["begin"].outputs == []
    assert saved["other"].outputs == []


def test_a_notebook_shows_how_far_it_is(saved: dict[str, Any]) -> None:
    """The job's own card, and a table of all, as they stand when they are shown."""
    (card,) = saved["its card"].outputs
    assert card.data["text/plain"].startswith("[RUNNING] Job1 · 0 of 6 done")
    assert "invoke_lm slow -ThrottleLimit 2 -AsJob" in card.data["text/html"]
    assert "of 6 done, 2 in flight" in shown(saved["all"])
    early = shown(saved["too early"])
    assert "WARNING: Job1 is still running" in early
    assert "VERBOSE" in early


def test_waiting_and_receiving(saved: dict[str, Any]) -> None:
    """Wait-Job emits the job, Receive-Job what it emitted; a failed one fails the cell below its card."""
    assert "[COMPLETED] Job1 · 6 of 6 done" in shown(saved["waited"])
    assert shown(saved["received"]).startswith("6 Completed\n")
    failed = saved["failed"].outputs
    assert failed[-1].ename == "FunctionError"
    assert any("[FAILED] fail" in output.get("data", {}).get("text/plain", "") for output in failed)


def test_the_terminal_refuses() -> None:
    """There the process ends with the line: nothing is sent, and the reason is told."""
    out, err = io.StringIO(), io.StringIO()
    line = "$(range(3)) | invoke_lm hello -AsJob"
    for arguments in (["invoke_lm", "hello", "-AsJob"], [line]):
        assert Terminal(stdout=out, stderr=err, stdin=io.StringIO()).run(arguments) == 252
    assert out.getvalue() == ""
    assert err.getvalue().count("a job ends with its process, and this one ends with the line") == 2


def test_xonsh_keeps_jobs() -> None:
    """A script of xonsh begins a job, goes on, and receives it; what is left at its end is told."""
    lines = (
        "xontrib load lmfunction\n"
        "lm! $([{'seconds': 0.3}] * 4) | invoke_lm slow -ThrottleLimit 2 -AsJob -Select StatusCode | select State\n"
        "invoke_lm hello -Select StatusCode\n"
        "receive_job 1 -Wait\n"
        'invoke_lm! slow {"seconds": 20} -AsJob | select State\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "xonsh", "--no-rc", "-c", lines], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ['"Running"', "200", *["200"] * 4, '"Running"'], done.stderr
    assert done.returncode == 0
    assert "Job2 (invoke_lm slow " in done.stderr
    assert "slow may still be running" in done.stderr

"""The incident runbook under papermill: it succeeds, stops with one clean error, goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

RUNBOOK = Path(__file__).parent.parent / "notebooks" / "incident_runbook.ipynb"
PROFILE = """\
endpoint: embedded
region: us-east-1
account: "000000000000"
audit: {{file: audit.jsonl, required: true}}
{guard}
"""


class Desk:
    """A folder with a profile, an audit and a store of once keys, and papermill to run the runbook with them."""

    def __init__(self, folder: Path, guard: str = "") -> None:
        self.folder = folder
        (folder / "ops.yaml").write_text(PROFILE.format(guard=guard))

    def run(self, **parameters: Any) -> tuple[int, str, nbformat.NotebookNode]:
        """The exit code, the last of stderr, and the notebook that papermill saved."""
        out = self.folder / "out.ipynb"
        words = [sys.executable, "-m", "papermill", str(RUNBOOK), str(out), "--no-progress-bar"]
        for name, value in {"profile": "ops", "incident": "INC-7", **parameters}.items():
            words += ["-y", f"{name}: {json.dumps(value)}"]
        environment = {
            **os.environ,
            "LMFUNCTION_PROFILES": str(self.folder),
            "LMFUNCTION_STATE": str(self.folder / "state"),
            "HOME": str(self.folder),
            "PYTHONWARNINGS": "ignore",
        }
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, cwd=self.folder)
        return done.returncode, done.stderr, nbformat.read(out, as_version=4)

    def audit(self) -> list[dict[str, Any]]:
        """The lines of the audit so far."""
        return [json.loads(line) for line in (self.folder / "audit.jsonl").read_text().splitlines()]

    def outcomes(self, key: str) -> list[str]:
        """What became of the step with this once key, in order."""
        return [line["outcome"] for line in self.audit() if line.get("once_key") == key]


def _errors(notebook: nbformat.NotebookNode) -> list[Any]:
    return [o for cell in notebook.cells for o in cell.get("outputs", []) if o.output_type == "error"]


def test_it_succeeds(tmp_path: Path) -> None:
    """Every step is done, expected and written down."""
    desk = Desk(tmp_path)
    code, stderr, notebook = desk.run()
    assert code == 0, stderr
    assert not _errors(notebook)
    invoked = [line["function"].rpartition(":")[2] for line in desk.audit() if line["operation"] == "Invoke"]
    assert invoked == ["queue-depth", "intake", *["restart-worker"] * 3, "health", "intake"]


def test_a_failure_stops_it_and_a_second_run_goes_on(tmp_path: Path) -> None:
    """A failing step ends papermill with one clean error; the second run repeats nothing that was done."""
    desk = Desk(tmp_path)
    code, stderr, notebook = desk.run(broken="node-2")
    assert code != 0
    (error,) = _errors(notebook)
    shown = "\n".join(error.traceback)
    assert error.ename == "FunctionError"
    assert "restart-worker failed: TimeoutError: node-2 did not come back" in shown
    assert "log: lease of node-2 is held by another process" in shown
    assert "RequestId: " in shown
    assert "site-packages" not in shown
    assert len(error.traceback) < 10
    assert "RequestId" in stderr
    after = next(cell for cell in notebook.cells if "health -Payload" in cell.source)
    assert after.execution_count is None

    code, stderr, notebook = desk.run()
    assert code == 0, stderr
    assert desk.outcomes("INC-7 pause") == ["OK", "REPLAYED"]
    assert desk.outcomes("INC-7 restart node-1") == ["OK", "REPLAYED"]
    assert desk.outcomes("INC-7 restart node-2") == ["FUNCTION_ERROR", "OK"]
    assert desk.outcomes("INC-7 restart node-3") == ["OK"]
    assert desk.outcomes("INC-7 open") == ["OK"]


def test_what_if_sends_nothing(tmp_path: Path) -> None:
    """The switch shows every step of the notebook and invokes none."""
    desk = Desk(tmp_path)
    code, stderr, notebook = desk.run(what_if=True)
    assert code == 0, stderr
    assert {line["outcome"] for line in desk.audit()} == {"WHAT_IF"}
    plans = [
        o for c in notebook.cells for o in c.get("outputs", []) if "WHAT IF" in o.get("data", {}).get("text/plain", "")
    ]
    assert len(plans) == 7


def test_a_guard_that_wants_an_answer_is_closed(tmp_path: Path) -> None:
    """A profile that wants names typed stops an unattended run at its first invocation; nothing was sent."""
    desk = Desk(tmp_path, guard="guard: {confirm: always}")
    code, _, notebook = desk.run()
    assert code != 0
    (error,) = _errors(notebook)
    assert error.ename == "GuardError"
    assert {line["outcome"] for line in desk.audit() if line["operation"] == "Invoke"} == {"REFUSED"}


@pytest.mark.parametrize("tag", ["parameters"])
def test_papermill_finds_the_parameters(tag: str) -> None:
    """The parameters stand in one tagged cell, each with its type and a comment for --help-notebook."""
    notebook = nbformat.read(RUNBOOK, as_version=4)
    (cell,) = [c for c in notebook.cells if tag in c.metadata.get("tags", [])]
    for line in cell.source.splitlines():
        name, _, rest = line.partition(":")
        assert name.isidentifier()
        assert "#" in rest

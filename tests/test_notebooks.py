"""Every notebook in notebooks/ executes from the first cell to the last."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebook_executes(path: Path, tmp_path: Path) -> None:
    """The notebook runs in a real kernel; a cell fails only where its tag says that it shows an error."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for cell in notebook.cells:
        errors = [o for o in cell.get("outputs", []) if o.output_type == "error"]
        expected = "raises-exception" in cell.metadata.get("tags", [])
        assert bool(errors) == expected, cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebook_runs_under_papermill(path: Path, tmp_path: Path) -> None:
    """papermill runs every cell; where a cell shows an error on purpose, it tells of that one at the end."""
    shows_an_error = [cell for cell in _code(nbformat.read(path, as_version=4)) if "raises-exception" in _tags(cell)]
    out = tmp_path / "out.ipynb"
    command = [sys.executable, "-m", "papermill", str(path), str(out), "--cwd", str(tmp_path), "--no-progress-bar"]
    environment = {**os.environ, "LMFUNCTION_STATE": str(tmp_path / "state"), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == (1 if shows_an_error else 0), done.stderr
    ran = [cell for cell in _code(nbformat.read(out, as_version=4)) if "papermill-error-cell-tag" not in _tags(cell)]
    assert all(cell.execution_count is not None for cell in ran)


def _code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebook_is_stored_without_outputs(path: Path) -> None:
    """What is stored is the source: outputs hold request ids, times and ports of one machine."""
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)


def test_quickstart_shows_what_it_promises(tmp_path: Path) -> None:
    """The quickstart greets, explains an error and shows a log tail, in text and in HTML."""
    path = next(p for p in NOTEBOOKS if p.stem == "quickstart")
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    pages = [o.data["text/html"] for o in outputs if "text/html" in o.get("data", {})]
    assert any("Hello, " in page for page in pages)
    assert any("REPORT RequestId" in page for page in pages)
    error = next(o for o in outputs if o.output_type == "error")
    assert error.ename == "FunctionError"
    assert "RequestId" in error.traceback[-1]
    assert not any("site-packages" in line for line in error.traceback)

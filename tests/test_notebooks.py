"""Every notebook in notebooks/ executes from the first cell to the last."""

from __future__ import annotations

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

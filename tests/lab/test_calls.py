"""Calls from a notebook in JupyterLab: the card, the keys, the Stop button, and the repository's notebooks."""

from __future__ import annotations

import time
from pathlib import Path

import nbformat
import pytest

from lab.labnotebook import Notebook
from lab.labpage import Lab

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_a_call_shows_its_card(notebook: Notebook) -> None:
    """The line's result is a card in HTML with what came back; its sections open and close by a click."""
    cell = notebook.run('%invoke_lm hello -Payload {"name": "world"} -LogType Tail -ProfileName local')
    [output] = cell.outputs
    assert output["output_type"] == "execute_result"
    assert set(output["data"]) == {"text/plain", "text/html"}
    card = cell.area.locator(".jp-RenderedHTML > div")
    assert card.count() == 1
    assert card.inner_text().startswith("OK  hello · 200 · ".replace("  ", " \N{NO-BREAK SPACE}"))
    for said in ('{"message": "Hello, world!"}', "Greeting world", "REPORT RequestId: "):
        assert said in cell.text
    assert "InvocationType" not in cell.text  # folded
    request = card.locator("details", has_text="Request").last
    request.locator("summary").click()
    assert "InvocationType\tRequestResponse" in cell.text
    request.locator("summary").click()
    assert "InvocationType" not in cell.text
    card.locator("summary", has_text="Payload").click()
    assert "Hello, world!" not in cell.text


# A function that tells when it has begun and waits until it is told to go on.
WAITER = """%%publish_lm_function waiter -Timeout 60
import pathlib, time
def handler(event, context):
    pathlib.Path(event["begun"]).touch()
    while not pathlib.Path(event["go"]).exists():
        time.sleep(0.02)
    return "went on"
"""


@pytest.fixture
def waiting(notebook: Notebook, tmp_path: Path) -> Notebook:
    """The notebook with the waiter, and the payload that it waits for `tmp_path / "go"` with."""
    assert not notebook.run(WAITER).errors
    payload = {"begun": str(tmp_path / "begun"), "go": str(tmp_path / "go")}
    notebook.run(f"payload = {payload}")
    return notebook


def test_a_long_call_shows_how_it_goes_on(waiting: Notebook, tmp_path: Path, lab: Lab) -> None:
    """While a call lasts, one card counts the seconds; at its end it makes room for a line, and the result follows."""
    cell = waiting.add("%invoke_lm waiter $payload")
    cell.start()
    card = cell.area.locator(".jp-RenderedHTML")
    card.wait_for()
    before = card.inner_text()
    assert before.startswith("WAITING")
    assert "waiter" in before
    waiting.page.wait_for_function(
        "([node, before]) => node.innerText !== before", arg=[cell.area.element_handle(), before]
    )
    markup = card.inner_html()
    whole, left = lab.structures([markup, waiting.sanitized(markup)])
    assert left == whole
    (tmp_path / "go").touch()
    cell.wait()
    line, result = cell.outputs
    assert "text/html" not in line["data"]
    assert "waiter" in line["data"]["text/plain"]
    assert result["output_type"] == "execute_result"
    assert "WAITING" not in cell.text
    assert "went on" in cell.text


def test_stop_ends_a_call_that_waits(waiting: Notebook, tmp_path: Path) -> None:
    """The Stop button ends a long call at once, says what is known, keeps queued cells from running; then all works."""
    queued = waiting.add("print('this ran too')")
    call = waiting.add_above(queued, "%invoke_lm waiter $payload")
    call.start()
    queued.start()
    _wait_for(tmp_path / "begun")
    at = time.monotonic()
    waiting.interrupt()
    call.wait()
    took = time.monotonic() - at
    error = call.outputs[-1]
    assert took < 5
    assert error["output_type"] == "error"
    assert "may still" in call.text, call.text
    assert len(error["traceback"]) < 5
    assert queued.outputs == []
    again = waiting.run("%invoke_lm hello -Select Payload.message")
    assert "Hello" in again.text


def _wait_for(path: Path, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} is not there"
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["quickstart.ipynb", "pipelines.ipynb"])
def test_restart_and_run_all(lab: Lab, name: str) -> None:
    """The notebook runs from a fresh kernel to its end; a cell shows an error only where its tag says so."""
    source = nbformat.read(NOTEBOOKS / name, as_version=4)
    with lab.notebook(path=lab.store(source)) as notebook:
        notebook.restart_and_run_all()
        cells = notebook.cells()
        assert len(cells) == len(source.cells)
        for cell, written in zip(cells, source.cells, strict=True):
            if written.cell_type != "code":
                continue
            expected = "raises-exception" in written.metadata.get("tags", [])
            assert bool(cell.errors) == expected, f"{written.source}\n{cell.text}"
            assert cell.count is not None, f"{written.source}\ndid not run; {[c.count for c in cells]}"
        assert lab.happened() == {}

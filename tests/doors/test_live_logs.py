"""The log of a function as a notebook shows it while it is written: of a long call, and followed until stopped."""

from __future__ import annotations

import itertools
from typing import Any

import nbformat
import pytest
from watching import FrontEnd

HANDLER = """%%publish_lm_function chatty -Timeout 30
import time
def handler(event, context):
    for step in range(event["steps"]):
        print("step", step, flush=True)
        time.sleep(0.5)
    return event["steps"]"""
CELLS = {
    "published": HANDLER,
    "live": '%config LMFunction.live_log = True\n%invoke_lm chatty -Payload {"steps": 5}',
    "followed": "%get_lm_log chatty -Follow -Since 1h",
    "afterwards": "print('goes on')",
}


@pytest.fixture(scope="module")
def saved(surroundings: dict[str, str]) -> dict[str, Any]:
    """Each cell after a run in one real kernel; who follows a log is interrupted after 2 s."""
    load = "%load_ext lmfunction\n%config LMFunction.profile_name = 'local'"
    sources = {"load": load, **CELLS}
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources.values()])
    client = FrontEnd(
        book,
        kernel_name="python3",
        allow_errors=True,
        interrupt_on_timeout=True,
        timeout_func=lambda cell: 2 if cell.source == CELLS["followed"] else 60,
    )
    client.execute(env=surroundings)
    return dict(zip(sources, book.cells, strict=True))


def test_a_long_call_shows_what_its_handler_writes(saved: dict[str, Any]) -> None:
    """The lines appear while the call runs, and stay above its card."""
    cell = saved["live"]
    states = [state["text/plain"] for state in cell.metadata.states if state["text/plain"].startswith("step")]
    assert len(states) > 1
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(states))
    lines, *_, card = (output.data["text/plain"] for output in cell.outputs)
    assert lines.splitlines() == [f"step {number}" for number in range(5)]
    assert card.startswith("[OK] chatty")


def test_a_log_is_followed_until_stop(saved: dict[str, Any]) -> None:
    """Stop ends it well: the events are the cell's result, shown above as they came, and the next cell runs."""
    shown, card = (output.data["text/plain"] for output in saved["followed"].outputs)
    told = [line.partition(" ")[2] for line in shown.splitlines()]
    assert told[0].startswith("START RequestId: ")
    assert told[1:6] == [f"step {number}" for number in range(5)]
    assert told[-1].startswith("REPORT RequestId: ")
    assert card == "[LMLog] chatty · 8 events · shown above"
    assert saved["afterwards"].outputs[0].text == "goes on\n"

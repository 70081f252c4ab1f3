"""Tab and Shift-Tab in JupyterLab's editor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.labnotebook import Notebook
from lab.labpage import Lab

OFFERS: dict[str, dict[str, Any]] = yaml.load(
    (Path(__file__).parent / "offers.yaml").read_text("utf-8"), Loader=yaml.BaseLoader
)


@pytest.fixture(scope="module")
def typed(the_lab: Lab) -> Iterator[Notebook]:
    """A notebook with the extension and a variable, and an empty cell to type in."""
    with the_lab.notebook(['%load_ext lmfunction\ncustomer = {"id": 1}']) as notebook:
        notebook.cell(0).run()
        yield notebook


@pytest.mark.parametrize("name", OFFERS)
def test_tab(typed: Notebook, name: str) -> None:
    """Tab offers parameters, their values, cmdlets, verbs, profiles and variables, wherever a line may stand."""
    row = OFFERS[name]
    cell = typed.cell(-1)
    offered = cell.complete(row["type"])
    assert {*row.get("offers", [row.get("take")])} <= {*offered}, {**row, "offered": offered}
    assert not {*row.get("never", ())} & {*offered}, {**row, "offered": offered}
    if "take" in row:
        cell.take(row["take"])
        assert cell.source == row["text"], {**row, "text afterwards": cell.source}
    typed.page.keyboard.press("Escape")


NAMES = (
    "invoke_lm",
    "%invoke_lm",
    "%Invoke-LMFunction",
    "r = %invoke_lm",
    "r = %Invoke-LMFunction",
    "%%Invoke-LMFunction",
)


@pytest.mark.parametrize("text", NAMES)
def test_shift_tab(typed: Notebook, text: str) -> None:
    """Shift-Tab on a cmdlet's name, also one with a dash, shows our help."""
    said = typed.cell(-1).inspect(text)
    assert "SYNOPSIS" in said
    assert ("Get-LMAlias [-FunctionName] <text>" if "Alias" in text else "-LogType {None|Tail}") in said, said

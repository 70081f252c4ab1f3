"""Where a call comes from, as an audit tells it."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from lmfunction import _origin


@pytest.mark.parametrize(
    ("names", "environ", "notebook"),
    [
        ({}, {}, None),
        ({}, {"JPY_SESSION_NAME": "/home/ada/drain.ipynb"}, "/home/ada/drain.ipynb"),
        ({"__vsc_ipynb_file__": "/w/vs.ipynb"}, {"JPY_SESSION_NAME": "/w/other.ipynb"}, "/w/vs.ipynb"),
        ({"PAPERMILL_INPUT_PATH": "in.ipynb"}, {"JPY_SESSION_NAME": "/w/starter.ipynb"}, "in.ipynb"),
        ({"__vsc_ipynb_file__": 7}, {"JPY_SESSION_NAME": ""}, None),
    ],
)
def test_the_notebook(
    names: dict[str, Any], environ: dict[str, str], notebook: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notebook's path is what papermill injected, VS Code set or Jupyter's server named, in this order."""
    for name, value in names.items():
        monkeypatch.setitem(vars(sys.modules["__main__"]), name, value)
    assert _origin.notebook(environ) == notebook


def test_a_cell_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The magics tell the cell's id, or its number; a later cell takes its place."""
    monkeypatch.setattr(_origin, "_cell", [])
    assert "cell" not in _origin.origin({})
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "lmfunction")
    try:
        shell.run_cell("1", store_history=True, cell_id="abc-1")
        assert _origin.origin({})["cell"] == "abc-1"
        shell.run_cell("1", store_history=True)
        assert _origin.origin({})["cell"].startswith("In [")
    finally:
        shell.run_line_magic("unload_ext", "lmfunction")


def test_a_number_for_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose user has no name, as in a container, is told by the number."""
    import os

    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    _origin._process.cache_clear()
    assert _origin.origin({})["user"] == "4000000"
    _origin._process.cache_clear()

"""Which Chromium the tests in JupyterLab use, and what they say when there is none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.labpage import find_chromium


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes programs of these names; those without a folder are on the path, and nothing else is."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def make(*names: str) -> None:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.touch(mode=0o755)

    return make


@pytest.mark.parametrize(
    ("there", "chosen", "found"),
    [
        (["google-chrome", "chromium", "own/chrome"], None, "chromium"),
        (["google-chrome", "own/chrome"], None, "google-chrome"),
        (["own/chrome"], None, "own/chrome"),
        (["chromium", "mine/chrome"], "mine/chrome", "mine/chrome"),
        ([], None, None),
    ],
)
def test_the_first_that_is_there(
    there: list[str], chosen: str | None, found: str | None, programs: Any, tmp_path: Path
) -> None:
    """The one that was chosen, one that is installed, playwright's own; None without any."""
    programs(*there)
    playwright: Any = SimpleNamespace(chromium=SimpleNamespace(executable_path=str(tmp_path / "own" / "chrome")))
    assert find_chromium(chosen and str(tmp_path / chosen), playwright) == (found and str(tmp_path / found))


def test_a_chosen_one_must_be_there(programs: Any, tmp_path: Path) -> None:
    """A choice that cannot be met is an error, not a reason to take another or to skip."""
    programs("chromium")
    playwright: Any = SimpleNamespace(chromium=SimpleNamespace(executable_path="none"))
    with pytest.raises(FileNotFoundError, match=r"LMFUNCTION_CHROMIUM=.*mine is no program"):
        find_chromium(str(tmp_path / "mine"), playwright)

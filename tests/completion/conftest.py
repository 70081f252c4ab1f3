"""What the tests of completion share: tables, a folder with files and profiles, the variables they speak of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
CONFIG = "[default]\n[profile plain]\nregion = x\n[profile 'two words']\n[sso-session corp]\n"
LINES: list[dict[str, Any]] = yaml.safe_load((HERE / "lines.yaml").read_text("utf-8"))
CELLS: list[dict[str, Any]] = yaml.safe_load((HERE / "cells.yaml").read_text("utf-8"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with one of these arguments gets each row of its table; `shell_line` those that a notebook can hold."""
    tables = {"line": LINES, "cell": CELLS, "shell_line": [row for row in LINES if not row.get("piped")]}
    for name in tables.keys() & set(metafunc.fixturenames):
        rows = tables[name]
        metafunc.parametrize(name, rows, ids=[row.get("text", row.get("cell")) or "empty" for row in rows])


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the lines are typed."""
    path = tmp_path_factory.mktemp("work")
    (path / "teams").mkdir()
    (path / "teams" / "team.yaml").write_text("region: eu-west-1\nfunctions: {orders: orders-api}\n")
    (path / "profiles").mkdir()
    (path / "profiles" / "mine.yaml").write_text("region: eu-west-1\n")
    (path / "config").write_text(CONFIG)
    (path / "credentials").write_text("[keys]\naws_access_key_id = AKIDEXAMPLE\n")
    (path / "order.json").write_text("{}")
    (path / "my file.csv").write_text("a\n1\n")
    (path / "jobs.csv").write_text("FunctionName,colour\nhello,red\n")
    (path / ".hidden").write_text("")
    (path / "data").mkdir()
    (path / "data" / "x.json").write_text("{}")
    return path


@pytest.fixture(scope="session")
def environ(folder: Path) -> dict[str, str]:
    """The settings that completion reads."""
    return {
        "LMFUNCTION_PROFILES": str(folder / "teams"),
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "XDG_CONFIG_HOME": str(folder),
        "LMTEST_STAGE": "blue",
    }


@pytest.fixture(scope="session")
def names() -> dict[str, Any]:
    """The variables of setup_names.py."""
    found: dict[str, Any] = {}
    exec(compile((HERE / "setup_names.py").read_text("utf-8"), "setup_names.py", "exec"), found)
    found.pop("__builtins__")
    return found


@pytest.fixture(scope="session")
def setup_file() -> Path:
    """The file that gives a shell the variables."""
    return HERE / "setup_names.py"


@pytest.fixture(scope="session")
def faults_of() -> Any:
    """What is wrong with the lines that completion made of a text, by the row of a table."""
    return _faults_of


def _faults_of(row: Mapping[str, Any], text: str, completed: list[str]) -> str:
    """Empty when all is as the row says. `text` is what is typed, `completed` what it may become."""
    kept = text[: len(text) - len(str(row["from"]))] if "from" in row else text
    expected = {key: [kept + str(one) for one in row.get(key, ())] for key in ("all", "has", "lacks", "first")}
    faults = []
    if "all" in row and sorted(completed) != sorted(expected["all"]):
        faults.append("not exactly these")
    if "from" not in row and completed and "all" in row:
        faults.append("something was offered")
    faults += [f"lacks {one!r}" for one in expected["has"] if one not in completed]
    faults += [f"has {one!r}" for one in expected["lacks"] if one in completed]
    if completed[: len(expected["first"])] != expected["first"]:
        faults.append("others come first")
    told = {"typed": text, "row": dict(row), "offered": completed[:40], "faults": faults}
    return yaml.safe_dump(told, width=160) if faults else ""

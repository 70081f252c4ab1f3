"""What the tests of audit and once keys share: a Lambda that counts, profiles that point at it, a state folder."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import lmfunction as lm


@pytest.fixture(scope="session")
def counting_module() -> ModuleType:
    """The module `counting.py` beside this file. (Importlib mode puts no folder on the path.)"""
    spec = importlib.util.spec_from_file_location("counting", Path(__file__).with_name("counting.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["counting"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def counting_server(counting_module: ModuleType) -> Iterator[Any]:
    """One server for all tests, so that clients made for its address serve them all."""
    with counting_module.counting_lambda() as found:
        yield found


@pytest.fixture
def counting(counting_server: Any) -> Any:
    """A Lambda that counts what it is asked in this test."""
    counting_server.reset()
    return counting_server


@pytest.fixture
def until(counting_module: ModuleType) -> Callable[..., None]:
    """Waits for a condition."""
    return counting_module.until


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what must outlive a process, for this test alone."""
    folder = tmp_path / "state"
    monkeypatch.setenv("LMFUNCTION_STATE", str(folder))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG")
    return folder


@pytest.fixture
def profile(tmp_path: Path, counting: Any) -> Callable[..., dict[str, str]]:
    """Writes a profile that points at the counting Lambda; gives the parameters that name it."""

    def write(**members: Any) -> dict[str, str]:
        folder = tmp_path / "profiles"
        folder.mkdir(exist_ok=True)
        written = {"region": "eu-west-1", "endpoint": counting.url, **members}
        (folder / "stage.yaml").write_text(yaml.safe_dump(written))
        return {"profile_name": "stage", "profile_location": str(folder)}

    return write


@pytest.fixture
def session() -> Iterator[lm.Session]:
    """A session of its own: what it has open and has warned about ends with the test."""
    with lm.Session() as found:
        yield found


@pytest.fixture
def records(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    """Reads every line of every audit file in `tmp_path/audit`."""

    def read() -> list[dict[str, Any]]:
        found = []
        for path in sorted((tmp_path / "audit").glob("*.jsonl")):
            content = path.read_bytes()
            assert content.endswith(b"\n") or not content
            found += [json.loads(line) for line in content.splitlines()]
        return found

    return read

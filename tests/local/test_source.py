"""Functions that run from the user's own folder: the next invocation sees what was edited, warm calls stay warm."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lmfunction.local._source import Source

APP = "import os, helper\ndef handler(event, context):\n    return [helper.VALUE, os.getpid()]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "helper.py").write_text("VALUE = 1\n")
    return tmp_path


@pytest.fixture
def live(client: Any) -> Callable[..., str]:
    """Makes a function that runs from a folder and returns its name."""

    def make(folder: Path, **more: Any) -> str:
        name = f"live-{os.urandom(4).hex()}"
        client.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role="arn:aws:iam::000000000000:role/any",
            Handler=more.pop("Handler", "app.handler"),
            Code={"S3Bucket": "hot-reload", "S3Key": str(folder)},
            **more,
        )
        return name

    return make


def test_next_invocation_sees_an_edit(call: Any, live: Any, folder: Path) -> None:
    """An edited module counts at once, also one of the same size in the same second; without an edit calls are warm."""
    name = live(folder)
    first, pid = call(name)[0]
    assert (first, call(name)[0]) == (1, [1, pid])
    for value in (2, 3, 4):
        (folder / "helper.py").write_text(f"VALUE = {value}\n")
        assert call(name)[0][0] == value
    assert call(name)[0] == call(name)[0]


def test_new_and_deleted_files_count(call: Any, live: Any, folder: Path) -> None:
    """A new file is found, in a new folder too; a deleted one is gone."""
    name = live(folder)
    pid = call(name)[0][1]
    (folder / "more").mkdir()
    (folder / "more" / "data.json").write_text("{}")
    _, after_new = call(name)[0]
    assert after_new != pid
    (folder / "helper.py").unlink()
    assert "No module named 'helper'" in call(name)[0]["errorMessage"]


def test_what_only_runs_leave_behind_does_not_count(call: Any, live: Any, folder: Path) -> None:
    """Compiled code, hidden folders and databases that a handler writes do not end warm processes."""
    name = live(folder)
    before = call(name)[0]
    for path in ("__pycache__/app.pyc", ".git/HEAD", "run.log", "state.db", "app.py~"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text("x")
    assert call(name)[0] == before


def test_a_busy_process_finishes_on_the_old_code(call: Any, live: Any, tmp_path: Path) -> None:
    """An edit during a call does not disturb it; the call after it runs the new code."""
    source = (
        "import time\ndef handler(event, context):\n    open(event, 'w').close()\n    time.sleep(0.3)\n    return {}\n"
    )
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.py").write_text(source.format(1))
    name, mark = live(code), tmp_path / "mark"
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call(name, str(mark))[0]))
    thread.start()
    while not mark.exists():
        time.sleep(0.005)
    (code / "app.py").write_text(source.format(2))
    assert call(name, str(mark))[0] == 2
    thread.join()
    assert results == [1]


def test_a_version_that_is_uploaded_is_not_looked_at(
    client: Any, call: Any, live: Any, folder: Path, zip_of: Any
) -> None:
    """Code that replaces a folder by a package runs from the package; the folder no longer matters."""
    name = live(folder)
    call(name)
    client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": APP, "helper.py": "VALUE = 'zip'\n"}))
    before = call(name)[0]
    (folder / "helper.py").write_text("VALUE = 5\n")
    assert before[0] == "zip"
    assert call(name)[0] == before


@pytest.mark.parametrize("key", ["relative/folder", "/nowhere/at/all", "/dev/null"])
def test_a_folder_that_is_none_is_refused(client: Any, key: str) -> None:
    """S3Key must be an absolute path to a folder that is there."""
    with pytest.raises(ClientError, match=r"S3Key") as caught:
        client.create_function(
            FunctionName="never",
            Runtime="python3.11",
            Role="arn:aws:iam::000000000000:role/any",
            Handler="app.handler",
            Code={"S3Bucket": "hot-reload", "S3Key": key},
        )
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_links_are_followed_once(tmp_path: Path) -> None:
    """Code shared through a link counts; a link back to where it stands does not loop."""
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "common.py").write_text("A = 1\n")
    code = tmp_path / "code"
    code.mkdir()
    (code / "common").symlink_to(shared)
    (code / "self").symlink_to(code)
    source = Source([code])
    assert not source.changed()
    (shared / "common.py").write_text("A = 22\n")
    assert source.changed()
    assert not source.changed()


def test_an_installed_package_counts_as_one(tmp_path: Path) -> None:
    """node_modules is looked at from outside: an installation changes it, thousands of files are not asked."""
    modules = tmp_path / "node_modules"
    (modules / "left-pad").mkdir(parents=True)
    source = Source([tmp_path])
    (modules / "left-pad" / "index.js").write_text("1")
    assert not source.changed()
    (modules / "right-pad").mkdir()
    assert source.changed()

"""A run on a disk that fails, is full, loses its power or gives back what was not written."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from journal.stub import Stub
from journal.trials import Parent, Trial

# (the system call, the error, the first times at which it fails)
_FAULTS = [
    ("fdatasync", "EIO", range(1, 9)),
    ("pwrite64", "EIO", range(1, 17, 2)),
    ("pwrite64", "ENOSPC", range(2, 18, 2)),
    ("pwrite64", "EDQUOT", range(3, 19, 2)),
    ("openat", "EIO", range(1, 5)),
    ("ftruncate", "EIO", range(1, 5)),
]


@pytest.mark.usefixtures("needs_strace")
@pytest.mark.parametrize(("call", "error", "times"), _FAULTS, ids=lambda value: str(value).replace("range", ""))
def test_an_error_at_the_nth_system_call(trial: Callable[..., Trial], call: str, error: str, times: range) -> None:
    """T3: 40 errors of the disk, which does not come round again; the run ends, and is resumed when it is mended."""
    found = []
    for number in times:
        one = trial(count=12)
        said = one.go(inject=f"{call}:error={error}:when={number}+")["said"]
        if "summary" not in said and said["error"] not in ("JournalError", "BulkError"):
            found.append(f"{call} {number}: {said}")
        one.check_killed()
        one.finish()
        found += one.found
    assert found == []


@pytest.mark.parametrize("largest", [60_000, 150_000])
def test_a_file_that_may_not_grow(trial: Callable[..., Trial], largest: int) -> None:
    """T4: the run ends with what is wrong and what to do; with room it is resumed."""
    one = trial(count=30, pad=6_000)
    said = one.go(largest=largest)["said"]
    assert said["error"] in ("JournalError", "BulkError")
    one.check_killed()
    one.finish()
    assert one.found == []


@pytest.mark.parametrize("size", ["200k", "420k"])
def test_a_disk_that_is_full(stub: Stub, tmp_path: Path, size: str) -> None:
    """T4: a file system of that size fills up; it is made larger, and the run goes on."""
    if shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("needs root and unshare")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = f'mount -t tmpfs -o size={size} small "{folder}" && exec "$@"'
    parent = Parent(stub.url, tmp_path / "state", ["unshare", "-m", "sh", "-c", mount, "sh"])
    try:
        one = Trial(parent, stub, str(folder / "run.db"), 30, {"pad": 6_000})
        said = one.go()["said"]
        if said is None:
            pytest.skip("a file system cannot be mounted here")
        one.options = {**one.options, "root": f"/proc/{parent.pid}/root"}
        assert said["error"] in ("JournalError", "BulkError")
        assert "disk is full" in said["message"]
        one.check_killed()
        resize = ["nsenter", "-t", str(parent.pid), "-m", "mount", "-o", "remount,size=16m", str(folder)]
        subprocess.run(resize, check=True)
        one.finish()
        assert one.found == []
    finally:
        parent.close()


@pytest.mark.parametrize("cut", ["all", "some", "torn"])
def test_a_loss_of_power(trial: Callable[..., Trial], cut: str) -> None:
    """T5: 51 cuts, at the n-th time that the disk is forced: what was not forced is dropped, in part, or torn."""
    pytest.importorskip("apsw")
    found = []
    for number in range(1, 18):
        one = trial(count=12)
        status = one.go(mutations=["power loss"], cut=cut, cut_at=number, seed=number)["status"]
        assert status in (0, 77)
        one.check_killed()
        one.finish()
        found += one.found
    assert found == []


def _flipped(content: bytearray, dice: random.Random) -> None:
    for _ in range(dice.choice([1, 8, 64])):
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)


def _zeroed(content: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(content))
    length = min(dice.choice([16, 512, 4096]), len(content) - start)
    content[start : start + length] = bytes(length)


def _cut(content: bytearray, dice: random.Random) -> None:
    del content[dice.randrange(len(content)) :]


_HARM = {"flipped": _flipped, "zeroed": _zeroed, "cut": _cut}


@pytest.mark.parametrize("ending", ["", "-wal"])
@pytest.mark.parametrize("harm", _HARM)
def test_a_damaged_file(trial: Callable[..., Trial], harm: str, ending: str) -> None:
    """T12: the run is refused, or goes on; but never is anything sent twice, nor a wrong answer believed."""
    dice = random.Random(harm + ending)
    found, refused = [], 0
    for _ in range(4):
        one = trial(count=20)
        one.go(mutations=["die before sending"], die_after=dice.randrange(4, 18))
        if not ending:
            _checkpoint(one.path)
        path = Path(one.path + ending)
        content = bytearray(path.read_bytes())
        _HARM[harm](content, dice)
        path.write_bytes(content)
        said = one.go(resume=True)["said"]
        if twice := [number for number, times in one.ran.items() if times > 1]:
            found.append(f"{twice} ran again: {said}")
        if "summary" not in said:
            refused += said["error"] == "JournalError"
            if said["error"] != "JournalError":
                found.append(str(said))
        elif said["summary"]["Count"] != 20:
            found.append(f"it went on with {said['summary']}")
    assert found == []
    assert refused


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-mark"])
def test_a_file_that_is_gone(trial: Callable[..., Trial], ending: str) -> None:
    """T12: without its -wal or its -mark a run that was killed is refused; without its -shm it is not."""
    for after in (5, 12):
        one = trial(count=20)
        one.go(mutations=["die before sending"], die_after=after)
        Path(one.path + ending).unlink()
        if ending == "-shm":
            one.finish()
            assert one.found == []
            continue
        said = one.go(resume=True)["said"]
        assert said["error"] == "JournalError"
        assert ending in said["message"]
        assert "Nothing was sent" in said["message"]
        assert max(one.ran.values(), default=0) <= 1


def _checkpoint(path: str) -> None:
    """Moves what is in the -wal file into the database, as any process does that looks at it."""
    import sqlite3

    database = sqlite3.connect(path)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()

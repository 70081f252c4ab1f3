"""The audit's files: whole lines and none lost, whoever writes, dies or fills the disk."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lmfunction import _day_file
from lmfunction._audit_file import UNDER_WAY, AuditFile, is_live, spools_of
from lmfunction._day_file import OWNER
from lmfunction._locks import hold
from lmfunction._spool import SLOT, Spool, lines_of, read_all

WRITERS = str(Path(__file__).with_name("writers.py"))
DAY = "2026-11-20"


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, WRITERS, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def run(*arguments: object) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, WRITERS, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def records(folder: Path) -> list[dict[str, Any]]:
    """Every record in the folder; each line must be whole."""
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        content = path.read_bytes()
        assert content.endswith(b"\n") or not content, f"{path} ends within a line"
        found += [json.loads(line) for line in content.splitlines()]
    return found


def line(mark: str, **more: Any) -> bytes:
    return json.dumps({"id": mark, "outcome": "OK", **more}, separators=(",", ":")).encode()


def test_eight_processes_at_once(tmp_path: Path) -> None:
    """Eight processes that write a thousand calls each leave eight thousand whole lines in one file, and no other."""
    writers = [start("many", tmp_path / "{date}.jsonl", 1000) for _ in range(8)]
    assert [writer.wait(60) for writer in writers] == [0] * 8
    for writer in writers:
        writer.stdout.close() if writer.stdout else None
    assert [path.name for path in tmp_path.iterdir()] == [f"{DAY}.jsonl"]
    found = records(tmp_path)
    assert len(found) == 8000
    assert len({record["id"] for record in found}) == 8000
    assert {record["outcome"] for record in found} == {"OK"}


def test_killed_at_every_step(tmp_path: Path) -> None:
    """Whichever step of a call is the process's last, also within a write: each call that was sent has one line."""
    steps = run("dying", tmp_path / "{date}.jsonl")
    assert sum(step["died"] for step in steps) >= 14
    assert not steps[-1]["died"]
    found = records(tmp_path)
    counts = Counter(record["id"] for record in found)
    assert max(counts.values()) == 1
    sent = [step["sent"] for step in steps if step["sent"]]
    assert len(sent) >= 8
    assert [mark for mark in sent if mark not in counts] == []
    assert [path for path in tmp_path.iterdir() if OWNER.search(path.name)] == []
    assert UNDER_WAY not in {name for record in found for name in record}
    noted = [record for record in found if "note" in record]
    assert {record["outcome"] for record in noted} == {"UNKNOWN"}


@pytest.mark.parametrize("size", [100, 5_000, 12_000])
def test_a_full_disk(tmp_path: Path, size: int) -> None:
    """Where the file cannot grow, no line is torn, each call that was sent has a line, and the rest was refused."""
    (told,) = run("full", tmp_path / "{date}.jsonl", size)
    assert set(told["errors"]) == {os.strerror(27)}  # EFBIG, which the limit gives
    found = records(tmp_path)
    assert sorted(record["id"] for record in found) == sorted(told["sent"])
    assert len(told["sent"]) < 60
    assert {record["outcome"] for record in found} == {"OK"}


def test_a_line_that_was_cut_is_mended(tmp_path: Path) -> None:
    """What a kill left of a line is cut off, and a whole line without its end is kept."""
    path = tmp_path / "calls.jsonl"
    path.write_bytes(line("aa") + b"\n" + line("bb")[:20])
    AuditFile(str(path)).append(DAY, [line("cc")])
    assert [record["id"] for record in records(tmp_path)] == ["aa", "cc"]
    path.write_bytes(line("aa") + b"\n" + line("bb"))
    AuditFile(str(path)).append(DAY, [line("cc")])
    assert [record["id"] for record in records(tmp_path)] == ["aa", "bb", "cc"]


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    """Files are made for their owner alone, and so are folders that were missing."""
    file = AuditFile(str(tmp_path / "deep" / "deeper" / "{date}.jsonl"))
    file.begin(DAY, [line("aa")])
    file.append(DAY, [line("bb")])
    made = list((tmp_path / "deep").rglob("*"))
    modes = {oct(stat.S_IMODE(path.stat().st_mode)) for path in made if path.is_file()}
    assert (len(made), modes) == (3, {"0o600"})
    assert {stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "deep", *made] if path.is_dir()} == {0o700}


@pytest.mark.parametrize("kind", ["a symbolic link", "a folder", "a FIFO", "a device"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    """A link, a folder, a FIFO or a device in place of the file is refused at once, and nothing is made."""
    path = tmp_path / "calls.jsonl"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a symbolic link":
        path.symlink_to(tmp_path / "elsewhere")
    target = "/dev/full" if kind == "a device" else str(path)
    with pytest.raises(OSError, match=f"it is {kind}"):
        AuditFile(target).begin(DAY, [line("aa")])
    assert list(tmp_path.rglob("*.open.jsonl")) == []
    assert not (tmp_path / "elsewhere").exists()


def test_each_day_has_its_file(tmp_path: Path) -> None:
    """A call's line goes to the day on which it began, and yesterday's file is closed when it is done with."""
    file = AuditFile(str(tmp_path / "{date}.jsonl"))
    (late,) = file.begin("2026-11-20", [line("aa")])
    (early,) = file.begin("2026-11-21", [line("bb")])
    file.finish([(early, line("bb"))])
    file.finish([(late, line("aa"))])
    file.append("2026-11-22", [line("cc")])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "2026-11-20.jsonl": line("aa") + b"\n",
        "2026-11-21.jsonl": line("bb") + b"\n",
        "2026-11-22.jsonl": line("cc") + b"\n",
    }


def test_a_file_moved_away_is_made_anew(tmp_path: Path) -> None:
    """Somebody who moves or removes the file of a running process loses no later line."""
    path = tmp_path / "calls.jsonl"
    file = AuditFile(str(path))
    file.append(DAY, [line("aa")])
    path.rename(tmp_path / "old.jsonl")
    file.append(DAY, [line("bb")])
    assert (tmp_path / "old.jsonl").read_bytes() == line("aa") + b"\n"
    assert path.read_bytes() == line("bb") + b"\n"


def test_a_living_process_is_left_alone(tmp_path: Path) -> None:
    """What another process has under way stays in its spool; once it is dead, the next that writes takes it over."""
    template = str(tmp_path / "{date}.jsonl")
    living, other = AuditFile(template), AuditFile(template)
    living.begin(DAY, [line("aa", under_way=True), line("bb", under_way=True)])
    (spool,) = spools_of(template)
    assert is_live(spool)
    other.append(DAY, [line("cc")])
    _sweep(other)
    assert len(spools_of(template)) == 1
    _kill(living)
    assert not is_live(spool)
    _sweep(other)
    assert spools_of(template) == []
    found = records(tmp_path)
    assert [record["id"] for record in found] == ["cc", "aa", "bb"]
    assert [UNDER_WAY in record for record in found] == [False] * 3


def test_a_line_is_taken_over_once(tmp_path: Path) -> None:
    """A process that died between its final line and the taking out of the other has one line."""
    template = str(tmp_path / "{date}.jsonl")
    dead, other = AuditFile(template), AuditFile(template)
    dead.begin(DAY, [line("aa", under_way=True)])
    dead.append(DAY, [line("aa")])
    _kill(dead)
    _sweep(other)
    assert (tmp_path / f"{DAY}.jsonl").read_bytes() == line("aa") + b"\n"


def test_another_machines_spool_is_waited_for(tmp_path: Path) -> None:
    """A spool of another machine, whose locks may not reach here, counts as left when it is older than any call."""
    template = str(tmp_path / "{date}.jsonl")
    spool = tmp_path / f"{DAY}.elsewhere-7-0123abcd.open.jsonl"
    spool.write_bytes(line("aa", under_way=True).ljust(SLOT - 1) + b"\n")
    file = AuditFile(template)
    _sweep(file)
    assert spool.exists()
    os.utime(spool, (1, 1))
    _sweep(file)
    assert not spool.exists()
    assert [record["id"] for record in records(tmp_path)] == ["aa"]


def test_a_forked_child_begins_anew(tmp_path: Path) -> None:
    """A forked child writes into a spool of its own, and leaves its parent's alone."""
    program = (
        "import os, sys\n"
        "from lmfunction._audit_file import AuditFile\n"
        f"file = AuditFile({str(tmp_path / '{date}.jsonl')!r})\n"
        f'[mine] = file.begin({DAY!r}, [b\'{{"id":"aa"}}\'])\n'
        "if os.fork() == 0:\n"
        f'    [own] = file.begin({DAY!r}, [b\'{{"id":"bb"}}\'])\n'
        '    file.finish([(own, b\'{"id":"bb"}\')])\n'
        "    os._exit(0)\n"
        "assert os.wait()[1] == 0\n"
        'file.finish([(mine, b\'{"id":"aa"}\')])\n'
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    assert {path.name for path in tmp_path.iterdir()} == {f"{DAY}.jsonl"}
    assert [record["id"] for record in records(tmp_path)] == ["bb", "aa"]


def test_a_lock_that_is_not_freed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that holds the file's lock and is stopped delays another for seconds, not for ever."""
    waits: list[float] = []
    monkeypatch.setattr(_day_file, "lock", functools.partial(_day_file.lock, sleep=waits.append))
    path = tmp_path / "calls.jsonl"
    held = hold(str(path))
    assert held is not None
    with pytest.raises(OSError, match="another process has held its lock"):
        AuditFile(str(path)).append(DAY, [line("aa")])
    assert sum(waits) == pytest.approx(5, rel=0.01)
    held.release(remove=False)
    AuditFile(str(path)).append(DAY, [line("aa")])
    assert [record["id"] for record in records(tmp_path)] == ["aa"]


def test_a_spool_holds_what_is_under_way(tmp_path: Path) -> None:
    """Lines are added and taken out in any order; the file holds the others, each once, in slots."""
    held = hold(str(tmp_path / "spool"))
    assert held is not None
    spool = Spool(held)
    tickets = spool.add([b"a", b"b", b"c", b"d"])
    spool.remove([tickets[1]])
    spool.remove([tickets[3], tickets[0]])
    (late,) = spool.add([b"e"])
    spool.replace(tickets[2], b"C")
    assert sorted(lines_of(read_all(held.descriptor))) == [b"C", b"e"]
    assert (tmp_path / "spool").stat().st_size == 2 * SLOT
    spool.remove([late, tickets[2]])
    assert len(spool) == 0
    with pytest.raises(OSError, match="a line has"):
        spool.add([b"x" * SLOT])
    spool.release()
    assert list(tmp_path.iterdir()) == []


def _sweep(file: AuditFile) -> None:
    file._swept = None
    file._sweep()


def _kill(file: AuditFile) -> None:
    """What the system does with the files of a process that is killed."""
    for day in file._days.values():
        day.abandon()
        with contextlib.suppress(OSError):
            day.close()

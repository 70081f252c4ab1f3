"""One owner at a time: two processes at one journal, an owner that was stopped and comes back, clocks that jump."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from journal.trials import Parent, Trial

from lmfunction import _lease
from lmfunction._journal_file import opened_to_read
from lmfunction._journal_rows import put_lease
from lmfunction._lease import Times, own_lease
from lmfunction._ledger import Entry, Settlement
from lmfunction._run_binding import Binding
from lmfunction._run_opening import Opened, begin, look, resume
from lmfunction.errors import JournalError, LMError

DAY = 86_400.0


def test_two_that_start_together(trial: Callable[..., Trial], other_parent: Parent) -> None:
    """T6: twenty times two processes begin at once: one is the owner, the other is told whose journal it is."""
    found = []
    for _ in range(20):
        one = trial(count=10)
        one.begin()
        one.begin(parent=other_parent)
        said = [one.parent.end()["said"], other_parent.end()["said"]]
        refused = [told for told in said if "summary" not in told]
        if len(refused) != 1 or refused[0]["error"] != "JournalError":
            found.append(str(said))
        elif "is at work on this journal" not in refused[0]["message"] and "-Resume" not in refused[0]["message"]:
            found.append(str(refused))
        one.finish()
        found += one.found
    assert found == []


def stopped_and_continued(
    trial: Callable[..., Trial], other: Parent, after: int, *, meanwhile: bool, **more: Any
) -> tuple[Trial, Any]:
    """A run whose process is stopped when so many items ran, taken over by another, and continued while that one is at
    work or when it has ended; gives what the first said.
    """
    one = trial(count=60, **more)
    one.stub.slowest = 0.01
    process = one.begin_told()
    one.stub.wait_for(one.function, after)
    stop_between_writes(process, one.path)
    ran = len(one.ran)
    one.begin(parent=other, resume=True, patience=0.0)  # to that one it is stopped, whatever the time
    if meanwhile:
        one.stub.wait_for(one.function, ran + 8)
    else:
        other.end()
    os.kill(process, signal.SIGCONT)
    if meanwhile:
        other.end()
    return one, one.parent.end()["said"]


def stop_between_writes(process: int, journal: str) -> None:
    """Stops the process when it holds no lock of the database."""
    database = sqlite3.connect(journal, timeout=0, isolation_level=None)
    while True:
        os.kill(process, signal.SIGSTOP)
        while "\nState:\tT" not in Path(f"/proc/{process}/status").read_text():
            time.sleep(0.001)
        try:
            database.execute("BEGIN IMMEDIATE")
            break
        except sqlite3.OperationalError:
            os.kill(process, signal.SIGCONT)
            time.sleep(0.001)
    database.execute("ROLLBACK")
    database.close()


def test_an_owner_that_comes_back(trial: Callable[..., Trial], other_parent: Parent) -> None:
    """T6: five times the owner is stopped and another takes over; it comes back and is refused."""
    found = []
    for after in (5, 12, 19, 26, 33):
        one, said = stopped_and_continued(trial, other_parent, after, meanwhile=after != 19)
        if "has taken over the journal" not in said.get("message", ""):
            found.append(f"it was not refused: {said}")
        one.finish()
        found += one.found
    assert found == []


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where a journal can be made."""
    return str(tmp_path / "run.db")


def entry(seq: int) -> Entry:
    """An item."""
    return Entry(seq, str(seq), bytes(32), b'{"n": %d}' % seq)


def intended(opened: Opened, *seqs: int) -> list[LMError | None]:
    """Writes intents down and waits; gives the error of each."""
    told: list[LMError | None] = []
    done = threading.Event()

    def committed(entries: Any, error: LMError | None) -> None:
        told.extend([error] * len(entries))
        if len(told) == len(seqs):
            done.set()

    opened.journal.intend([entry(seq) for seq in seqs], committed)
    assert done.wait(10)
    return told


def test_a_late_outcome_is_kept_and_overwrites_nothing(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner that another took over from writes what it still has to say beside what is known, and then no more."""
    first = begin(path, Binding("f"))
    assert intended(first, 0, 1) == [None, None]
    monkeypatch.setattr(_lease, "PATIENCE", 0.0)
    second = resume(path)
    assert second.left == 2
    assert [*second.states] == ["UNKNOWN", "UNKNOWN"]
    first.journal.settle([Settlement(0, 1, "OK", 200, body=b"1")])
    (error,) = intended(first, 2)
    assert isinstance(error, JournalError)
    assert f"process {os.getpid()}" in str(error)
    with pytest.raises(JournalError, match="has taken over"):
        first.journal.close()
    second.journal.close()
    with opened_to_read(path) as database:
        assert database.execute("SELECT place >> 20, epoch, outcome, body FROM late").fetchall() == [(0, 1, "OK", b"1")]
        outcomes = database.execute("SELECT place >> 20, outcome FROM outcome").fetchall()
        assert outcomes == [(0, "UNKNOWN"), (1, "UNKNOWN")]
        assert database.execute("SELECT COUNT(*) FROM item").fetchone() == (2,)


def test_who_was_taken_over_from_removes_nothing(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that fails before its first send removes its journal, unless another has gone on with it meanwhile."""
    begin(path, Binding("f")).journal.discard()
    assert os.listdir(Path(path).parent) == []
    first = begin(path, Binding("f"))
    monkeypatch.setattr(_lease, "PATIENCE", 0.0)
    second = resume(path)
    first.journal.discard()
    assert intended(second, 0) == [None]
    second.journal.close()
    assert os.listdir(Path(path).parent) == ["run.db"]


@pytest.mark.parametrize("jump", [3600.0, -3600.0, DAY, -DAY, 30 * DAY, -30 * DAY])
def test_clocks_that_jump(path: str, jump: float) -> None:
    """T10: neither is a living owner taken for dead when the clock jumps, nor does the run's own time go wrong."""
    clock = [1_800_000_000.0]
    times = Times(clock=lambda: clock[0])
    opened = begin(path, Binding("f"), times=times)
    assert intended(opened, 0) == [None]
    clock[0] += jump
    with pytest.raises(JournalError, match="is at work on this journal"):
        resume(path, times)
    assert intended(opened, 1) == [None]
    opened.journal.settle([Settlement(seq, 1, "OK", 200, body=b"1") for seq in (0, 1)])
    opened.journal.close()
    again = resume(path, times)
    assert [*again.states] == ["OK", "OK"]
    again.journal.close()


def test_a_machine_that_slept(path: str) -> None:
    """T10: ticks that stood still while the machine slept leave its owner alive; those of another boot do not."""
    opened = begin(path, Binding("f"))
    found = look(path)
    assert found is not None
    lease, totals = found
    assert lease.standing(lease.ticks + 1) == "alive"
    assert lease.standing(lease.ticks + 10_000) == "stopped"
    other_boot = replace(lease, boot=lease.boot.replace(lease.boot[:8], "00000000"))
    assert other_boot.standing(0.0) == ("dead" if lease.boot else "unsure")
    assert replace(lease, start_ticks=lease.start_ticks + 1).standing(lease.ticks) == (
        "dead" if lease.boot else "unsure"
    )
    assert replace(lease, host="another").standing(lease.ticks) == "unsure"
    assert totals.commits == 1
    opened.journal.close()


def test_an_owner_on_another_machine_is_watched(path: str) -> None:
    """Of a process that cannot be seen only its heartbeat tells: one that beats is left alone, another is dead."""
    opened = begin(path, Binding("f"))
    opened.journal.close()
    database = sqlite3.connect(path, isolation_level=None)
    lease, totals = look(path) or (None, None)
    assert lease is not None
    assert totals is not None
    Path(f"{path}-mark").write_text("1")
    foreign = replace(lease, host="elsewhere", released=0)
    put_lease(database, foreign, totals)

    def beat(_: float) -> None:
        put_lease(database, replace(foreign, heartbeat=foreign.heartbeat + 1), totals)

    with pytest.raises(JournalError, match=r"process \d+ on elsewhere is at work"):
        resume(path, sleep=beat)
    database.close()
    waits: list[float] = []
    again = resume(path, sleep=waits.append)
    assert sum(waits) == _lease.PATIENCE
    again.journal.close()


def test_another_container_of_this_machine_is_watched(path: str) -> None:
    """The number of a process means nothing in another container, whose boot is the same."""
    lease = own_lease(1, Times())
    if not lease.boot:
        pytest.skip("this system does not tell its boot")
    assert replace(lease, boot=lease.boot.partition(" ")[0] + " pid:[1]").standing(lease.ticks) == "unsure"


def test_a_forked_child_writes_nothing(path: str) -> None:
    """T14: the connection is the parent's; a child is refused, and leaves the parent's run as it is."""
    opened = begin(path, Binding("f"))
    assert intended(opened, 0) == [None]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        told: list[Any] = []
        opened.journal.intend([entry(1)], lambda _, error: told.append(error))
        opened.journal.settle([Settlement(0, 1, "OK")])
        opened.journal.close()
        os.write(writing, str(told[0]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert b"forked" in os.read(reading, 1000)
    os.close(reading)
    os.close(writing)
    assert intended(opened, 1) == [None]
    opened.journal.close()
    with opened_to_read(path) as database:
        assert database.execute("SELECT COUNT(*) FROM outcome").fetchone() == (0,)


def test_many_threads_hand_over_at_once(path: str) -> None:
    """T14: sixteen threads, of whose intents and outcomes none is lost or written twice."""
    opened = begin(path, Binding("f"))
    errors: list[Any] = []

    def work(first: int) -> None:
        for seq in range(first, 800, 16):
            errors.extend(intended(opened, seq))
            opened.journal.settle([Settlement(seq, 1, "OK", 200, body=b"%d" % seq)])

    threads = [threading.Thread(target=work, args=[first]) for first in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [None] * 800
    assert [settled.body for _, settled in opened.journal.recall(0, 800) if settled] == [b"%d" % n for n in range(800)]
    assert opened.journal.totals.items == 800
    opened.journal.close()


def test_the_owner_never_opens_its_database_by_itself(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """T14: closing a file that Python opened would drop SQLite's locks on it. Nothing in a run does that."""
    opens: list[str] = []
    watching = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event == "open" and str(arguments[0]) == path:
            opens.append(str(arguments[0]))

    opened = begin(path, Binding("f"))
    sys.addaudithook(hook)
    assert intended(opened, 0) == [None]
    opened.journal.settle([Settlement(0, 1, "OK", 200, body=b"1")])
    opened.journal.recall(0, 1)
    look(path)
    for start in (resume, lambda path: begin(path, Binding("f"))):
        with pytest.raises(JournalError, match="is at work"):
            start(path)
    opened.journal.close()
    watching = False
    assert opens == []


def test_the_trap_that_this_avoids(path: str) -> None:
    """T14: with a file opened and closed in the owner, another process gets the lock that the owner holds."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("CREATE TABLE t(a)")
    database.execute("BEGIN EXCLUSIVE")
    program = (
        "import sqlite3, sys; database = sqlite3.connect(sys.argv[1], timeout=0.05, isolation_level=None)\n"
        "try: database.execute('BEGIN IMMEDIATE'); print('got it')\n"
        "except sqlite3.OperationalError: print('locked')"
    )
    command = [sys.executable, "-c", program, path]
    before = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    Path(path).read_bytes()
    after = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    database.close()
    assert before == "locked\n"
    if sys.platform != "win32":
        assert after == "got it\n"

"""How a run's journal is begun, and how it is taken over by the process that goes on with the run.

Nothing is sent before it is certain that no other process sends, and that everything which was written is still there.
"""

from __future__ import annotations

import array
import pathlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from lmfunction import _journal_rows as rows
from lmfunction import _lease
from lmfunction._item_states import States
from lmfunction._journal import Journal, given_back
from lmfunction._journal_file import (
    Database,
    alone,
    check_file,
    connect,
    damaged,
    fill,
    identify,
    make_file,
    network_of,
    open_to_write,
    telling,
)
from lmfunction._journal_mark import Mark, read_mark
from lmfunction._journal_rows import Totals
from lmfunction._lease import Lease, Times, own_lease
from lmfunction._ledger import Settlement
from lmfunction._run_binding import Binding, read_binding
from lmfunction._text import one_line
from lmfunction.errors import JournalError

LEFT: Final = "its process ended before an answer was written down"
_ENDED: Final = frozenset(["OK", "ACCEPTED", "FUNCTION_ERROR", "REJECTED", "RESULT_LOST"])  # never sent again
Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Opened:
    """A journal that this process owns now.

    `states` tells of each item, by its place, what was known: PENDING or its outcome class. `left` counts the items
    that the last owner had under way when it ended, which are UNKNOWN now.
    """

    journal: Journal
    binding: Binding
    states: States
    left: int = 0
    network: str | None = None


def begin(path: str, binding: Binding, tool: str = "lmfunction", times: Times = Times()) -> Opened:  # noqa: B008 - it is frozen
    """A new run's journal at `path`. Raises JournalError where there is a run already."""
    make_file(path)
    with given_back(discard=True), alone(path):
        found = look(path)
        if found is not None:
            raise JournalError(_taken(path, *found, times))
        network = network_of(path)
        lease = own_lease(1, times)
        totals = Totals(commits=1)

        def make(database: Database) -> None:
            for statement in rows.SCHEMA:
                database.execute(statement)
            binding.write(database, tool, times.clock())
            rows.put_lease(database, lease, totals)

        with telling(path):
            mark = Mark.made(path, 0)
            try:
                database = open_to_write(path, shared=network is None)
            except BaseException:
                mark.close(remove=False)
                raise
            # Made in front of its lease, so that it is given back whenever Ctrl-C comes.
            keyed = binding.item_key is not None
            journal = Journal(path, database, mark, lease, totals, array.array("I"), times, keyed=keyed)
            fill(database, make)
            mark.set(totals.commits)
            journal.start()
    return Opened(journal, binding, States(), network=network)


def resume(path: str, times: Times = Times(), sleep: Sleep = time.sleep) -> Opened:  # noqa: B008
    """The journal at `path`, of whose run no other process is the owner.

    Raises JournalError where there is none, where its owner lives, and for one that lost what was written in it.
    """
    check_file(path)
    if not pathlib.Path(path).exists():
        raise JournalError(f"There is no journal {one_line(path, 300)} to resume. For a new run leave -Resume out.")
    with given_back() as held, alone(path):
        found = look(path)
        if found is None:
            raise JournalError(f"No run was begun in {one_line(path, 300)}: leave -Resume out.")
        _refuse_living(path, found[0], times, sleep)
        network = network_of(path)
        with telling(path):
            database = open_to_write(path, shared=network is None)
            try:
                return _taken_over(path, database, found[0].epoch, times, network)
            except BaseException:
                if not held:  # else its journal does it
                    database.close()
                raise


def look(path: str) -> tuple[Lease, Totals] | None:
    """Who owns the journal and what is in it, by only looking; None when no run was begun in it.

    Raises JournalError for one that is empty and was not.
    """
    with telling(path):
        found = _found(path)
        if found is None and (read_mark(path) or 0) > 0:
            raise damaged(path, "it is empty, and was not; its -wal file was removed, replaced or altered")
        return found


def _found(path: str) -> tuple[Lease, Totals] | None:
    if not pathlib.Path(path).stat().st_size and not pathlib.Path(f"{path}-wal").exists():
        return None
    # What a kill in the middle of a write left of a rollback journal only a connection that writes can undo.
    database = connect(path, writes=pathlib.Path(f"{path}-journal").exists())
    try:
        return rows.lease_of(database) if identify(database, path) else None
    finally:
        database.close()


def _taken_over(path: str, database: Database, epoch: int, times: Times, network: str | None) -> Opened:
    """Everything in one transaction: that it is whole, who owns it now, and what is unknown since the last one died."""
    database.execute("BEGIN IMMEDIATE")
    before, totals = rows.lease_of(database)
    if before.epoch != epoch:
        raise JournalError(f"{before.told} has just taken the journal over.\n  {one_line(path, 300)}")
    _refuse_loss(path, before, totals)
    states, tries = _checked(path, database, totals)
    binding = _bound(path, database)
    lease = own_lease(epoch + 1, times)
    left = [*states.places([rows.INTENT])]
    unknown = [
        rows.outcome_row(
            rows.place_of(seq, tries[seq]), epoch, times.clock(), Settlement(seq, 1, "UNKNOWN", reason=LEFT)
        )
        for seq in left
    ]
    rows.insert(database, "outcome", unknown)
    for seq in left:
        states[seq] = "UNKNOWN"
    totals = replace(totals, commits=totals.commits + 1, outcomes=totals.outcomes + len(left), status="running")
    rows.put_lease(database, lease, totals)
    # In front of the commit: from it on the lease is held, and a journal whose lease is held must have its mark.
    mark = Mark.made(path, totals.commits - 1)
    journal = Journal(path, database, mark, lease, totals, tries, times, keyed=binding.item_key is not None)
    database.execute("COMMIT")
    mark.set(totals.commits)
    journal.start()
    return Opened(journal, binding, states, len(left), network)


def _refuse_loss(path: str, lease: Lease, totals: Totals) -> None:
    """Raises JournalError when the file knows less than its owner wrote: of what is missing nobody knows what ran."""
    mark = read_mark(path)
    if mark is None and not lease.released:
        raise damaged(path, "its run did not end in order, and its -mark file is missing, so that the end may be too")
    if mark is not None and mark < 0:
        raise damaged(path, "its -mark file is not what was written")
    if mark is not None and mark > totals.commits:
        lost = mark - totals.commits
        raise damaged(
            path, f"its last {lost:,} transactions are missing; its -wal file was removed, replaced or altered"
        )


def _checked(path: str, database: Database, totals: Totals) -> tuple[States, array.array[int]]:
    """The state of each item, and how often each open one was intended, 0 for the others.

    Raises JournalError for what is not whole.
    """
    fault = database.execute("PRAGMA quick_check(1)").fetchone()
    if fault is None or fault[0] != "ok":
        raise damaged(path, str(fault[0]) if fault else "it cannot be read")
    for table, expected in (("item", totals.items), ("intent", totals.intents), ("outcome", totals.outcomes)):
        found = database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]  # noqa: S608 - names of ours
        if found != expected:
            raise damaged(path, f"it holds {found:,} rows of {table} in place of {expected:,}")
    states, tries = States(), array.array("I")
    try:
        for known in rows.known_of(database):
            if known.seq != len(states):
                raise ValueError(f"item {len(states)} is missing")
            states.append(known.state)
            tries.append(0 if known.state in _ENDED else known.tries)
    except (ValueError, TypeError) as error:
        raise damaged(path, str(error)) from error
    return states, tries


def _bound(path: str, database: Database) -> Binding:
    try:
        return read_binding(database)
    except (ValueError, TypeError) as error:
        raise damaged(path, str(error)) from error


def _refuse_living(path: str, lease: Lease, times: Times, sleep: Sleep) -> None:
    standing = lease.standing(times.ticks())
    if standing == "unsure" and _beats(path, lease, sleep):
        standing = "alive"
    if standing == "alive":
        raise JournalError(_busy(path, lease))


def _beats(path: str, lease: Lease, sleep: Sleep) -> bool:
    """Whether an owner that cannot be seen from here gives a sign of life while it is watched."""
    waited = 0.0
    while waited < _lease.PATIENCE:
        sleep(1.0)
        waited += 1.0
        found = look(path)
        if found is None or found[0] != lease:
            return True
    return False


def _busy(path: str, lease: Lease) -> str:
    this = " (this one: get_job lists its jobs)" if lease.is_of_this_process else ""
    return f"{lease.told}{this} is at work on this journal: wait for it, or stop it.\n  {one_line(path, 300)}"


def _taken(path: str, lease: Lease, totals: Totals, times: Times) -> str:
    """Why no new run is begun where one was."""
    if lease.standing(times.ticks()) == "alive":
        return _busy(path, lease)
    kind = "a finished" if totals.status == "finished" else "an unfinished"
    cure = "to see its results again" if totals.status == "finished" else "to go on with it"
    return (
        f"There is {kind} run of {totals.items:,} items in this journal: add -Resume {cure}, or take another file. "
        f"Get-LMRun tells more.\n  {one_line(path, 300)}"
    )

"""The journal of a run: what was about to be sent, and what became of it, on the disk before and after each send.

One thread writes, and has the one connection that does. It takes whatever was handed over, intents and outcomes alike,
writes it in one transaction that is forced to the disk, then says so. So the more is under way, the less one costs: a
transaction takes as long for two hundred rows as for one.

In each transaction the owner's epoch is looked at. Once another process has taken over, this one writes nothing more
but what it still has to say of calls that it had sent, which is kept aside.
"""

from __future__ import annotations

import collections
import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from lmfunction import _journal_rows as rows
from lmfunction import _lease
from lmfunction._journal_file import Database, Mark, as_error, opened_to_read, telling
from lmfunction._journal_rows import Totals
from lmfunction._lease import Lease, Times
from lmfunction._ledger import HANDED_OVER, Committed, Entry, Settlement
from lmfunction._run_binding import Digest, refuse_duplicates
from lmfunction.errors import JournalError, LMError

T = TypeVar("T")

_ENOUGH: Final = 200  # rows that are not made to wait for more
_LONGEST: Final = 0.02  # seconds that one waits for more


@dataclass(frozen=True)
class _Work:
    """Something handed over: rows to add, or a question that is answered from within the thread."""

    items: Sequence[Entry] = ()
    intents: Sequence[Entry] = ()
    committed: Committed | None = None
    settled: Sequence[Settlement] = ()
    ended: Digest | None = None
    ask: Callable[[Database], None] | None = None

    @property
    def count(self) -> int:
        return len(self.items) + len(self.intents) + len(self.settled)


class Journal:
    """A run's journal, owned by this process: the `Ledger` that the engine writes to. `_run_opening` makes it.

    `tries` tells of each open item how often it was intended; `keyed` unless the key of an item is but its place.
    """

    def __init__(
        self,
        path: str,
        database: Database,
        mark: Mark,
        lease: Lease,
        totals: Totals,
        tries: Mapping[int, int],
        times: Times,
        *,
        keyed: bool = False,
    ) -> None:
        self.path = path
        self.keyed = keyed
        self.totals = totals
        self._database = database
        self._mark = mark
        self._lease = lease
        self._times = times
        self._pid = os.getpid()
        self._failed: LMError | None = None
        self._tries = dict(tries)
        self._written = _Written(totals.items)
        self._work: collections.deque[_Work] = collections.deque()
        self._rung = threading.Event()
        self._closing = False
        self._unwritten: list[Settlement] = []
        self._took = 0.0
        self._under_way = 0
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    # What the engine asks.

    @property
    def failed(self) -> LMError | None:
        """Why nothing more can be written down; the run ends then."""
        if os.getpid() != self._pid:
            return JournalError("A journal belongs to the process that opened it; this one was forked from that.")
        return self._failed

    def intend(self, entries: Sequence[Entry], committed: Committed) -> None:
        """Writes down that `entries` are about to be sent, then calls `committed`."""
        self._hand_over(_Work(intents=entries, committed=committed))

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Writes down what became of items."""
        self._hand_over(_Work(settled=settlements))

    def recall(self, first: int, last: int) -> Sequence[tuple[Entry, Settlement | None]]:
        """The items from `first` to before `last`, with what was handed over of them until now."""
        return self._asked(lambda database: rows.recall(database, first, last))

    def register(self, entries: Sequence[Entry]) -> None:
        """Writes items down that are not to be sent yet."""
        self._hand_over(_Work(items=entries))

    def end_source(self, digest: Digest) -> None:
        """Writes down that the source was read to its end."""
        self._hand_over(_Work(ended=digest))

    def flush(self) -> None:
        """Waits until all that was handed over is on the disk. Raises JournalError when it is not."""
        self._asked(lambda _: None)
        if self.failed is not None:
            raise self.failed

    def close(self) -> None:
        """Writes down what is left and gives the journal back. Raises JournalError when something could not be."""
        if os.getpid() != self._pid or self._closing:
            return
        self._closing = True
        self._rung.set()
        self._thread.join()
        if self._failed is not None:
            raise self._failed

    # What happens in the thread.

    def start(self) -> Journal:
        """Begins to write; gives the journal itself."""
        self._thread.start()
        return self

    def _hand_over(self, work: _Work) -> None:
        if os.getpid() != self._pid or not self._thread.is_alive():
            if work.committed is not None:
                work.committed(work.intents, self.failed or JournalError("The journal is closed."))
            return
        self._work.append(work)
        self._rung.set()

    def _asked(self, ask: Callable[[Database], T]) -> T:
        """What `ask` gives, asked in the thread once all before is written; read from the file where that has ended."""
        if os.getpid() != self._pid or not self._thread.is_alive():
            with opened_to_read(self.path) as database:
                return ask(database)
        found: list[T] = []
        errors: list[Exception] = []
        answered = threading.Event()

        def answer(database: Database) -> None:
            try:
                found.append(ask(database))
            except Exception as error:  # noqa: BLE001 - it is the asker's, and is raised there
                errors.append(error)
            finally:
                answered.set()

        self._hand_over(_Work(ask=answer))
        while not answered.wait(0.1):
            if not self._thread.is_alive() and not answered.is_set():
                return self._asked(ask)
        with telling(self.path):
            if errors:
                raise errors[0]
        return found[0]

    def _run(self) -> None:
        while True:
            beat = not self._rung.wait(_lease.BEAT)
            self._rung.clear()
            closing = self._closing
            if not closing and not beat and self._more_may_come():
                time.sleep(min(_LONGEST, self._took))  # as long as the last one took, so that half the time is waiting
            work = self._taken()
            if work or beat:
                self._write(work)
            if closing and not self._work:
                self._let_go()
                return

    def _more_may_come(self) -> bool:
        """Whether calls are under way whose outcomes could go into the next transaction, and it is not full yet."""
        waiting = list(self._work)
        under_way = self._under_way - sum(len(work.settled) for work in waiting)
        return under_way > 0 and sum(work.count for work in waiting) < _ENOUGH

    def _taken(self) -> list[_Work]:
        taken = []
        with contextlib.suppress(IndexError):
            while True:
                taken.append(self._work.popleft())
        return taken

    def _write(self, work: Sequence[_Work]) -> None:
        """Writes one batch down, and says so to those who wait for it."""
        begun = time.perf_counter()
        try:
            if self._failed is None:
                self._commit(work)
            else:
                self._unwritten += [settled for one in work for settled in one.settled]
        except Exception as error:  # noqa: BLE001 - nobody else would see it: the run ends with it
            self._fail(error)
            self._unwritten += [settled for one in work for settled in one.settled]
        self._took = time.perf_counter() - begun
        waiting: dict[Committed, list[Entry]] = {}
        for one in work:
            if one.committed is not None:
                waiting.setdefault(one.committed, []).extend(one.intents)
            if one.ask is not None:
                one.ask(self._database)
        for committed, entries in waiting.items():
            committed(entries, self._failed)

    def _commit(self, work: Sequence[_Work]) -> None:
        database, now = self._database, self._times.clock()
        batch = _Batch(self, now)
        for one in work:
            batch.add(one)
        database.execute("BEGIN IMMEDIATE")
        try:
            if not self._still_owned():
                rows.insert(database, "late", batch.late())
                self._failed = self._fenced()
                database.execute("COMMIT")
                return
            for table, added in (("item", batch.items), ("intent", batch.intents), ("outcome", batch.outcomes)):
                rows.insert(database, table, added)
            totals = batch.totals()
            self._put(totals, now)
            database.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(Exception):
                database.execute("ROLLBACK")
            raise self._explained(error, batch) from error
        self._mark.set(totals.commits)
        self.totals = totals
        self._tries = batch.tries
        self._under_way += len(batch.intents) - len(batch.outcomes)
        self._written.add(batch.new)

    def _still_owned(self) -> bool:
        epoch = self._database.execute("SELECT epoch FROM lease").fetchone()[0]
        return bool(epoch == self._lease.epoch)

    def _put(self, totals: Totals, now: float, *, released: int = 0) -> None:
        lease = replace(self._lease, heartbeat=now, ticks=self._times.ticks(), released=released)
        rows.put_lease(self._database, lease, totals)

    def _fenced(self) -> JournalError:
        owner, _ = rows.lease_of(self._database)
        return JournalError(
            f"{owner.told} has taken over the journal, since this process gave no sign of life for a while. "
            f"Nothing more is sent from here.\n  {self.path}"
        )

    def _fail(self, error: BaseException) -> None:
        import sqlite3

        if isinstance(error, sqlite3.Error | OSError):
            error = as_error(self.path, error)
        self._failed = error if isinstance(error, LMError) else JournalError(f"The journal cannot go on: {error!r}")

    def _explained(self, error: BaseException, batch: _Batch) -> BaseException:
        """The error that names the keys which are there twice, where that is what is wrong."""
        import sqlite3

        if isinstance(error, sqlite3.IntegrityError):
            pairs = batch.duplicates()
            if pairs:
                return refuse_duplicates(pairs, len(pairs), self.path)
        return error

    def _let_go(self) -> None:
        """Gives the journal back: whoever opens it next need not wonder whether this process still writes."""
        database = self._database
        with contextlib.suppress(Exception):  # what could not be written may be so now
            if self._failed is not None and self._unwritten:
                failed, self._failed = self._failed, None
                try:
                    self._commit([_Work(settled=self._unwritten)])
                finally:
                    self._failed = failed
        try:
            database.execute("BEGIN IMMEDIATE")
            owned = self._still_owned()
            if owned:
                totals = replace(self.totals, commits=self.totals.commits + 1, status=self._status())
                self._put(totals, self._times.clock(), released=1)
            database.execute("COMMIT")
            if owned:
                self._mark.set(totals.commits)
                self.totals = totals
        except Exception as error:  # noqa: BLE001 - told by `close`; the next owner sees that this one has ended
            owned = False
            if self._failed is None:
                self._fail(error)
        finally:
            with contextlib.suppress(Exception):
                database.close()
            self._mark.close(remove=owned)

    def _status(self) -> str:
        complete = self.totals.source_count is not None
        left = self._database.execute(
            "SELECT (SELECT COUNT(*) FROM item)"
            " - (SELECT COUNT(DISTINCT place >> 20) FROM outcome WHERE final AND outcome != ?)",
            (HANDED_OVER,),
        ).fetchone()[0]
        return "finished" if complete and not left and self._failed is None else "stopped"


class _Batch:
    """The rows of one transaction."""

    def __init__(self, journal: Journal, now: float) -> None:
        self.items: list[tuple[Any, ...]] = []
        self.intents: list[tuple[Any, ...]] = []
        self.outcomes: list[tuple[Any, ...]] = []
        self.tries = dict(journal._tries)
        self.new: set[int] = set()
        self._journal = journal
        self._now = now
        self._settled: list[tuple[int, Settlement]] = []
        self._digest: Digest | None = None

    def add(self, work: _Work) -> None:
        """Takes in what was handed over, in its order."""
        self._add_items(work.items)
        self._add_items(work.intents)
        tries, now, epoch = self.tries, self._now, self._journal._lease.epoch
        for entry in work.intents:
            seq = entry.seq
            number = tries[seq] = tries.get(seq, 0) + 1
            self.intents.append(rows.intent_row(rows.place_of(seq, number), epoch, now))
        for settled in work.settled:
            seq = settled.seq
            number = tries.pop(seq, 0) if settled.final else tries.get(seq, 0)
            place = rows.place_of(seq, number)
            self._settled.append((place, settled))
            self.outcomes.append(rows.outcome_row(place, epoch, now, settled))
        self._digest = work.ended or self._digest

    def totals(self) -> Totals:
        """What the lease's row says once the rows are in."""
        before = self._journal.totals
        digest = self._digest
        return replace(
            before,
            commits=before.commits + 1,
            items=before.items + len(self.items),
            intents=before.intents + len(self.intents),
            outcomes=before.outcomes + len(self.outcomes),
            source_digest=before.source_digest if digest is None else digest.value(),
            source_count=before.source_count if digest is None else digest.count,
        )

    def late(self) -> list[tuple[Any, ...]]:
        """The rows for what became of calls that were sent before another process took over."""
        epoch = self._journal._lease.epoch
        return [
            (place, epoch, self._now, settled.outcome, settled.request_id, settled.body)
            for place, settled in self._settled
        ]

    def duplicates(self) -> list[tuple[str, int, int]]:
        """The keys of this batch that stand for two items, each with their places."""
        found = []
        seen: dict[str, int] = {}
        for seq, key, *_ in self.items:
            if key is None:
                continue
            stored = self._journal._database.execute("SELECT seq FROM item WHERE key = ?", (key,)).fetchone()
            if stored is not None or key in seen:
                found.append((key, stored[0] if stored is not None else seen[key], seq))
            seen.setdefault(key, seq)
        return found

    def _add_items(self, entries: Sequence[Entry]) -> None:
        """The items' rows, but of those written already: they come in order, but for those that are sent at once."""
        new, written, keyed = self.new, self._journal._written, self._journal.keyed
        for entry in entries:
            seq = entry.seq
            if seq not in new and not written.holds(seq):
                new.add(seq)
                self.items.append(rows.item_row(entry, keyed=keyed))


class _Written:
    """Which items are in the file: all before a place, and some ahead of it."""

    def __init__(self, before: int) -> None:
        self._before = before
        self._ahead: set[int] = set()

    def holds(self, seq: int) -> bool:
        """Whether item `seq` is in."""
        return seq < self._before or seq in self._ahead

    def add(self, seqs: set[int]) -> None:
        """Takes in what was written."""
        self._ahead |= seqs
        while self._before in self._ahead:
            self._ahead.remove(self._before)
            self._before += 1

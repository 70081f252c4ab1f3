"""The journal of a run: what was about to be sent, and what became of it, on the disk before and after each send.

One thread writes, and has the one connection that does. It takes whatever was handed over, intents and outcomes alike,
writes it in one transaction that is forced to the disk, then says so. So the more is under way, the less one costs: a
transaction takes as long for two hundred rows as for one.

In each transaction the owner's epoch is looked at. Once another process has taken over, this one writes nothing more
but what it still has to say of calls that it had sent, which is kept aside.
"""

from __future__ import annotations

import array
import collections
import contextlib
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import Final, TypeVar

from lmfunction import _journal_rows as rows
from lmfunction import _lease
from lmfunction._journal_batch import Batch, Tries, Work, Written
from lmfunction._journal_file import (
    Database,
    alone,
    as_error,
    into_one_file,
    opened_to_read,
    remove_files,
    telling,
)
from lmfunction._journal_mark import Mark
from lmfunction._journal_rows import Totals
from lmfunction._lease import Lease, Times
from lmfunction._ledger import HANDED_OVER, Committed, Entry, Settlement
from lmfunction._run_binding import Digest, refuse_duplicates
from lmfunction.errors import JournalError, LMError

T = TypeVar("T")

_ENOUGH: Final = 200  # rows that are not made to wait for more
_LONGEST: Final = 0.02  # seconds that one waits for more
_BRIEFLY: Final = 1.0  # seconds that giving back waits for who is about to open


# The journals that were opened within each `given_back` that is under way.
_held: ContextVar[tuple[list[Journal], ...]] = ContextVar("held", default=())


@contextlib.contextmanager
def given_back(*, discard: bool = False) -> Iterator[Sequence[Journal]]:
    """Gives every journal back that was opened inside, when that ends by an exception; with `discard` removes it.

    Ctrl-C may come between the opening of a journal and the `try` of whoever is to close it.
    """
    held: list[Journal] = []
    token = _held.set((*_held.get(), held))
    try:
        yield held
    except BaseException:
        for journal in held:
            with contextlib.suppress(LMError):
                journal.discard() if discard else journal.close()
        raise
    finally:
        _held.reset(token)


class Journal:
    """A run's journal, owned by this process: the `Ledger` that the engine writes to. `_run_opening` makes it.

    `tries` tells of each item that is there how often it was intended, 0 when it ended; `keyed` unless the key of an
    item is but its place.
    """

    def __init__(
        self,
        path: str,
        database: Database,
        mark: Mark,
        lease: Lease,
        totals: Totals,
        tries: array.array[int],
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
        self._tries = Tries(tries)
        self._written = Written(totals.items)
        self._work: collections.deque[Work] = collections.deque()
        self._rung = threading.Event()
        self._closing = False
        self._discarding = False
        self._unwritten: list[Settlement] = []
        self._took = 0.0
        self._under_way = 0
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        for held in _held.get():
            held.append(self)

    # What the engine asks.

    @property
    def failed(self) -> LMError | None:
        """Why nothing more can be written down; the run ends then."""
        if os.getpid() != self._pid:
            return JournalError("A journal belongs to the process that opened it; this one was forked from that.")
        return self._failed

    def intend(self, entries: Sequence[Entry], committed: Committed) -> None:
        """Writes down that `entries` are about to be sent, then calls `committed`."""
        self._hand_over(Work(intents=entries, committed=committed))

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Writes down what became of items."""
        self._hand_over(Work(settled=settlements))

    def recall(self, first: int, last: int) -> Sequence[tuple[Entry, Settlement | None]]:
        """The items from `first` to before `last`, with what was handed over of them until now."""
        return self._asked(lambda database: rows.recall(database, first, last))

    def recall_each(self, seqs: Collection[int]) -> Sequence[tuple[Entry, Settlement | None]]:
        """The items at these places, of those that there are, as `recall` gives them."""
        return self._asked(lambda database: [*rows.recall_each(database, seqs)])

    def outcomes_of(self, seqs: Collection[int]) -> dict[int, str]:
        """The outcome of each of these items of which a final one was handed over until now."""
        return self._asked(lambda database: rows.outcomes_of(database, seqs))

    def register(self, entries: Sequence[Entry]) -> None:
        """Writes items down that are not to be sent yet."""
        self._hand_over(Work(items=entries))

    def end_source(self, digest: Digest) -> None:
        """Writes down that the source was read to its end."""
        self._hand_over(Work(ended=digest))

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
        if self._thread.ident is None:
            self._let_go()
        else:
            self._thread.join()
        if self._failed is not None:
            raise self._failed

    def discard(self) -> None:
        """Gives the journal back and removes it, unless another process has taken it over."""
        self._discarding = True
        with contextlib.suppress(LMError):
            self.close()

    # What happens in the thread.

    def start(self) -> Journal:
        """Begins to write; gives the journal itself."""
        self._thread.start()
        return self

    def _hand_over(self, work: Work) -> None:
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

        self._hand_over(Work(ask=answer))
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

    def _taken(self) -> list[Work]:
        taken = []
        with contextlib.suppress(IndexError):
            while True:
                taken.append(self._work.popleft())
        return taken

    def _write(self, work: Sequence[Work]) -> None:
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

    def _commit(self, work: Sequence[Work]) -> None:
        database, now = self._database, self._times.clock()
        batch = Batch(self.totals, self._tries, self._written, self._lease.epoch, now, keyed=self.keyed)
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
        self._tries.update(batch.tried)
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

    def _explained(self, error: BaseException, batch: Batch) -> BaseException:
        """The error that names the keys which are there twice, where that is what is wrong."""
        import sqlite3

        if isinstance(error, sqlite3.IntegrityError):
            pairs = batch.duplicates(self._database)
            if pairs:
                return refuse_duplicates(pairs, self.path)
        return error

    def _let_go(self) -> None:
        """Gives the journal back: whoever opens it next need not wonder whether this process still writes."""
        database = self._database
        with contextlib.suppress(Exception):  # what could not be written may be so now
            if self._failed is not None and self._unwritten:
                failed, self._failed = self._failed, None
                try:
                    self._commit([Work(settled=self._unwritten)])
                finally:
                    self._failed = failed
        with contextlib.ExitStack() as stack:
            apart = False
            with contextlib.suppress(JournalError):
                stack.enter_context(alone(self.path, _BRIEFLY))
                apart = True
            owned = False
            try:
                owned = self._released()
                if owned and apart and not self._discarding:
                    with contextlib.suppress(Exception):  # somebody looks at it, or the disk is full: it stays as it is
                        into_one_file(database)
            except Exception as error:  # noqa: BLE001 - told by `close`; the next owner sees that this one has ended
                if self._failed is None:
                    self._fail(error)
            finally:
                with contextlib.suppress(Exception):
                    database.close()
                self._mark.close(remove=owned and apart)  # else it may be the next owner's by now
                if owned and apart and self._discarding:
                    with contextlib.suppress(OSError):
                        remove_files(self.path)

    def _released(self) -> bool:
        """Writes down that this process owns it no more, unless it is discarded; False when that was so before."""
        database = self._database
        if database.in_transaction:  # Ctrl-C came while the lease was taken
            database.execute("ROLLBACK")
        database.execute("BEGIN IMMEDIATE")
        owned = self._still_owned()
        if owned and not self._discarding:
            totals = replace(self.totals, commits=self.totals.commits + 1, status=self._status())
            self._put(totals, self._times.clock(), released=1)
            database.execute("COMMIT")
            self._mark.set(totals.commits)
            self.totals = totals
        else:
            database.execute("ROLLBACK")
        return owned

    def _status(self) -> str:
        complete = self.totals.source_count is not None
        left = self._database.execute(
            "SELECT (SELECT COUNT(*) FROM item)"
            " - (SELECT COUNT(DISTINCT place >> 20) FROM outcome WHERE final AND outcome != ?)",
            (HANDED_OVER,),
        ).fetchone()[0]
        return "finished" if complete and not left and self._failed is None else "stopped"

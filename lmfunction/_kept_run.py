"""A run with a journal: which of its objects are sent, in a first run and in one that goes on with it.

A source whose length is known is written down as a whole before the first send, so that the run can be resumed from the
journal alone, and what is wrong with its keys stops it in time. One that comes bit by bit is written down as it comes.
In either case at most a page of it is held in memory.

A resumed run first reads its source again, as far as it was written down, and compares. Nothing is sent when anything
differs.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from lmfunction._item_keys import SeenKeys
from lmfunction._item_states import States
from lmfunction._journal import Journal
from lmfunction._ledger import Entry, Settlement
from lmfunction._run_binding import Binding, Changes, Digest, refuse_duplicates, refuse_other_run
from lmfunction._run_items import ItemReader, Kept
from lmfunction._run_opening import Opened, begin, resume
from lmfunction.errors import JournalError, LMError

PAGE: Final = 500
# What provably did not run: a resumed run sends it.
OPEN: Final = frozenset(["PENDING", "NOT_SENT", "THROTTLED_OUT"])
T = TypeVar("T")
OnUnknown = Literal["Ask", "Skip", "Resend"]


@dataclass(frozen=True)
class Wish:
    """What a line asks of a journal. `on_unknown` None: what its delivery implies."""

    path: str
    resume: bool
    on_unknown: OnUnknown | None


class KeptRun:
    """The items of one run and its journal, which is given back by `close()`.

    `states` tells what is known of each item, by its place, since the journal was opened: PENDING or its outcome class.
    `resends` says whether the items that are unknown among them are sent again.
    """

    def __init__(self, opened: Opened, reader: ItemReader | None, *, fresh: bool) -> None:
        self.journal = opened.journal
        self.binding = opened.binding
        self.states = opened.states
        self.left = opened.left
        self.network = opened.network
        self.resends = False
        self._reader = reader
        self._fresh = fresh
        self._digest = Digest()

    @property
    def failed(self) -> LMError | None:
        """Why nothing more can be written down, so that nothing more may be sent."""
        return self.journal.failed

    @property
    def unknown(self) -> list[int]:
        """The places of the items of which nobody knows whether they ran."""
        return [*self.states.places(["UNKNOWN"])]

    @property
    def sendable(self) -> frozenset[str]:
        """The states of the items that are to be sent of those that were written down."""
        return OPEN | {"UNKNOWN"} if self.resends else OPEN

    def is_open(self, seq: int) -> bool:
        """Whether an item that was written down is to be sent."""
        return self.states[seq] in self.sendable

    def objects(self, source: Iterator[Any] | None, total: int | None) -> Iterator[Kept]:
        """The objects to send, in the order of the source; None: those that the journal holds.

        `total` is how many the source holds, None where nobody knows. Raises JournalError when the source is not the
        one of the run, ParameterError for an object without a key; where the length is known, all at once.
        """
        if source is None:
            return self._stored()
        reader = self._reader
        assert reader is not None
        read = (reader.read(seq, value) for seq, value in enumerate(source))
        self._compare(read)
        complete = self.journal.totals.source_count is not None
        if total is not None and not complete:
            self._load(read)
            complete = True
        return self._stored() if complete else itertools.chain(self._stored(), self._coming(read))

    def results(self) -> Iterator[tuple[Entry, Settlement | None]]:
        """Every item that was written down, with what became of it."""
        for first in range(0, len(self.states), PAGE):
            yield from self.journal.recall(first, first + PAGE)

    def refuse(self, seq: int, error: LMError) -> None:
        """Writes down that an item could not be sent, unless a run before this one did."""
        if self.states[seq] != "PENDING":
            return
        outcome = str(getattr(error, "outcome", "NOT_SENT"))
        reason = str(error.args[0]) if error.args else type(error).__name__
        self.journal.settle([Settlement(seq, 0, outcome, code=type(error).__name__, reason=reason)])

    def end(self) -> None:
        """Gives the journal back; what could not be written down `failed` tells."""
        with contextlib.suppress(JournalError):
            self.journal.close()

    def close(self) -> None:
        """Gives the journal back. Raises JournalError when something could not be written down."""
        self.journal.close()

    def _stored(self) -> Iterator[Kept]:
        """The items to send of those that are written down."""
        return map(Kept, stored(self.journal, self.states, self.sendable))

    def _compare(self, read: Iterator[Kept]) -> None:
        """Holds the source against what is written down of it."""
        changes, count = Changes(), len(self.states)
        for first in range(0, count, PAGE):
            stored = self.journal.recall(first, min(first + PAGE, count))
            given = list(itertools.islice(read, len(stored)))
            for (entry, _), kept in zip(stored, given, strict=False):
                changes.compare(entry, kept.entry)
                self._digest.add(kept.entry)
            if len(given) < len(stored):
                changes.missing(first + len(given), count - first - len(given))
                break
        else:
            if self.journal.totals.source_count is not None and next(read, None) is not None:
                changes.surplus(count)
        changes.refuse(self.journal.path)
        known = self.journal.totals.source_digest
        if known is not None and known != self._digest.value():
            raise JournalError(f"The source is not the one that the run was begun with.\n  {self.journal.path}")

    def _load(self, read: Iterator[Kept]) -> None:
        """Writes the rest of the source down, before anything of it is sent."""
        keys = SeenKeys(len(self.states))
        try:
            for page in pages(read):
                if self.journal.keyed:
                    for kept in page:
                        keys.add(kept.entry.key)
                if not keys.found:  # else the rest is only looked through, to name the others
                    self._register(page)
            if keys.found:
                raise refuse_duplicates(keys.found, self.journal.path)
            self.journal.end_source(self._digest)
            self.journal.flush()
        except BaseException:
            if self._fresh:
                self.journal.discard()  # nothing was sent: the line can be mended and repeated
            raise

    def _coming(self, read: Iterator[Kept]) -> Iterator[Kept]:
        """What is not written down yet, written down as it comes."""
        for kept in read:
            self._register([kept])
            yield kept
        self.journal.end_source(self._digest)

    def _register(self, page: Sequence[Kept]) -> None:
        for kept in page:
            self._digest.add(kept.entry)
            self.states.append("PENDING")
        self.journal.register([kept.entry for kept in page])
        if len(page) > 1:
            self.journal.flush()  # so that no more than a page waits in memory


def stored(journal: Journal, states: States, names: Collection[str]) -> Iterator[Entry]:
    """The items that are in one of the states of these `names`, read back page by page."""
    for number, page in itertools.groupby(states.places(names), lambda seq: seq // PAGE):
        wanted = set(page)
        for entry, _ in journal.recall(number * PAGE, max(wanted) + 1):
            if entry.seq in wanted:
                yield entry


def keep_run(
    wish: Wish, binding: Binding, reader: ItemReader | None, tool: str, ask: Callable[[KeptRun], OnUnknown]
) -> KeptRun:
    """The run that a line begins, or goes on with. `ask` says what becomes of items that are unknown.

    Raises JournalError for a journal that cannot be used, or is of another run. Nothing was sent then.
    """
    if not wish.resume:
        return KeptRun(begin(wish.path, binding, tool), reader, fresh=True)
    opened = resume(wish.path)
    run = KeptRun(opened, reader, fresh=False)
    try:
        refuse_other_run(opened.binding, binding, wish.path)
        if run.unknown and ask(run) == "Resend":
            run.resends = True
    except BaseException:
        run.close()
        raise
    return run


def pages(read: Iterator[T]) -> Iterator[list[T]]:
    """What is read, a page of it at a time."""
    while page := list(itertools.islice(read, PAGE)):
        yield page

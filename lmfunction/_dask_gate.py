"""Leave to send: given once for each item, to the sender that has it, after the item's intent is on the disk.

That is all that keeps an item from running twice, whatever Dask repeats and whoever dies: a sender sends nothing that
it did not get leave for, and of what one had leave for, and did not tell of, nobody else gets it.
"""

from __future__ import annotations

import collections
import threading
from collections.abc import Iterable, Iterator, Sequence

from lmfunction._dask_roster import Remote
from lmfunction._ledger import Entry, Ledger, Settlement
from lmfunction._model import Outcome
from lmfunction._sending import Sending
from lmfunction.errors import LMError

Refused = tuple[Sending, LMError]


class Gate:
    """Leave for the items of one run. Every method but the ledger's answer is for the engine's thread.

    `rung` is set when intents came to the disk, of which `open` is to give leave.
    """

    def __init__(self, ledger: Ledger, rung: threading.Event) -> None:
        self._ledger = ledger
        self._rung = rung
        self._asked: collections.deque[tuple[Remote, int]] = collections.deque()
        self._intending: dict[int, Remote] = {}
        self._orphans: dict[int, Sending] = {}  # whose sender was lost while their intents were on the way to the disk
        self._committed: collections.deque[tuple[Sequence[Entry], LMError | None]] = collections.deque()

    @property
    def intending(self) -> int:
        """How many intents are on the way to the disk."""
        return len(self._intending)

    def ask(self, sender: Remote, seqs: Iterable[int]) -> None:
        """Takes note of what a sender wants to send."""
        self._asked.extend((sender, seq) for seq in seqs)

    def write_down(self, room: int) -> None:
        """Writes down the intents of what may go now, so many at most. What its sender does not have is not given."""
        entries: list[Entry] = []
        while self._asked and len(entries) < room:
            sender, seq = self._asked.popleft()
            sending = sender.handed.get(seq) if sender.gone_at is None else None
            if sending is not None and seq not in sender.granted and seq not in self._intending:
                self._intending[seq] = sender
                entries.append(sending.item.input.entry)
        if entries:
            self._ledger.intend(entries, self._commit)

    def open(self, *, feeding: bool) -> tuple[list[Sending], list[Refused]]:
        """Gives leave for what is on the disk by now, while the run goes on.

        Gives the calls that another sender may have, and those that cannot be written down, with the reason: the run
        must not go on then.
        """
        free: list[Sending] = []
        refused: list[Refused] = []
        for seq, error in self._came():
            sender, orphan = self._intending.pop(seq), self._orphans.pop(seq, None)
            if error is not None:
                feeding = False
                if (sending := orphan or sender.handed.pop(seq, None)) is not None:
                    refused.append((sending, error))
            elif orphan is None and feeding and sender.gone_at is None:
                sender.grant(seq)
            else:
                self._take_back(seq)
                if orphan is not None:
                    free.append(orphan)
        return free, refused

    def lose(self, sender: Remote, seq: int, sending: Sending) -> bool:
        """Keeps a call of a sender that is lost whose intent is on the way to the disk: `open` gives it then."""
        if self._intending.get(seq) is not sender:
            return False
        self._orphans[seq] = sending
        return True

    def forget(self, sender: Remote | None = None) -> None:
        """Gives no leave for what a sender has asked for; None: for what any has."""
        kept = () if sender is None else (pair for pair in self._asked if pair[0] is not sender)
        self._asked = collections.deque(kept)

    def close(self) -> list[Sending]:
        """Gives no leave any more; gives the calls that nobody has, of which none has run."""
        self.forget()
        orphans, self._orphans = self._orphans, {}
        return [*orphans.values()]

    def _commit(self, entries: Sequence[Entry], error: LMError | None) -> None:
        """Of the ledger's thread: what is on the disk may go."""
        self._committed.append((entries, error))
        self._rung.set()

    def _came(self) -> Iterator[tuple[int, LMError | None]]:
        while self._committed:
            entries, error = self._committed.popleft()
            yield from ((entry.seq, error) for entry in entries)

    def _take_back(self, seq: int) -> None:
        """Writes down of an intent that nobody had leave, so that it did not run."""
        self._ledger.settle([Settlement(seq, 0, Outcome.NOT_SENT.value, reason="it was not sent", final=False)])

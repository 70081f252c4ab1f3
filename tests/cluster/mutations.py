"""Ways to break the leave that senders on a cluster get, in the process that owns the journal.

The suite must notice each of them: tests apply them and look for an item that ran twice, or ran without an intent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lmfunction._dask_engine import DaskEngine
from lmfunction._dask_gate import Gate
from lmfunction._dask_post import Outbox
from lmfunction._dask_roster import Remote, Roster
from lmfunction._ledger import Entry, Settlement
from lmfunction._sending import Sending


def leave_before_the_intent(patch: pytest.MonkeyPatch) -> None:
    """Gives leave when it is asked for, and writes the intent down with what became of it."""
    late: dict[int, Entry] = {}
    takes = DaskEngine._take_settlements

    def write_down(self: Gate, room: int) -> None:
        while self._asked:
            sender, seq = self._asked.popleft()
            if seq in sender.handed:
                late[seq] = sender.handed[seq].item.input.entry
                sender.grant(seq)

    def take_settlements(self: DaskEngine, sender: Remote, told: Sequence[Sequence[Any]]) -> None:
        entries = [late.pop(seq) for seq in (Settlement(*values).seq for values in told) if seq in late]
        if entries:
            self._ledger.intend(entries, lambda *_: None)
        takes(self, sender, told)

    patch.setattr(Gate, "write_down", write_down)
    patch.setattr(DaskEngine, "_take_settlements", take_settlements)


def leave_given_again(patch: pytest.MonkeyPatch) -> None:
    """Gives leave to whoever asks, also to a sender whose task Dask has run again since."""
    hears = DaskEngine._hear

    def hear(self: DaskEngine, message: dict[str, Any]) -> None:
        if "asked" in message:
            outbox = Outbox(self._cluster.client, f"{self._roster._run}-{message['from']}")
            outbox.begin({"granted": message["asked"]}, self._rung)
        hears(self, message)

    patch.setattr(DaskEngine, "_hear", hear)
    patch.setattr(Roster, "refuse", lambda self, name: None)


def death_ignored(patch: pytest.MonkeyPatch) -> None:
    """Gives what a dead worker had leave for to another one, as Dask does with its tasks."""

    def lose_one(self: DaskEngine, seq: int, sending: Sending, sender: Remote) -> None:
        self._ready.append(sending)

    patch.setattr(DaskEngine, "_lose_one", lose_one)


ALL: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "leave before the intent": leave_before_the_intent,
    "leave given again": leave_given_again,
    "death ignored": death_ignored,
}

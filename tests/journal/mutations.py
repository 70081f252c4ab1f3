"""Ways to break the protocol, or the machine under it, in the process that runs a journal.

The suite must notice those that break the protocol: tests apply them and look for a violation.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Sequence
from typing import Any

from lmfunction import _journal_file, _run_opening
from lmfunction._journal import Journal
from lmfunction._ledger import Committed, Entry, Settlement


def intent_after_send(_: dict[str, Any]) -> None:
    """Writes the intent down when the answer is there."""
    real_intend, real_settle = Journal.intend, Journal.settle
    sent: dict[int, Entry] = {}

    def intend(self: Journal, entries: Sequence[Entry], committed: Committed) -> None:
        sent.update((entry.seq, entry) for entry in entries)
        committed(entries, None)

    def settle(self: Journal, settlements: Sequence[Settlement]) -> None:
        late = [sent.pop(settled.seq) for settled in settlements if settled.seq in sent]
        real_intend(self, late, lambda *_: None)
        real_settle(self, settlements)

    Journal.intend, Journal.settle = intend, settle  # type: ignore[method-assign]


def unforced(_: dict[str, Any]) -> None:
    """Commits without forcing them to the disk."""
    _journal_file._SETTINGS = tuple(  # type: ignore[misc]
        "synchronous = NORMAL" if setting.startswith("synchronous") else setting for setting in _journal_file._SETTINGS
    )


def unfenced(_: dict[str, Any]) -> None:
    """Never looks whether another process took over."""
    Journal._still_owned = lambda self: True  # type: ignore[method-assign]


def power_loss(task: dict[str, Any]) -> None:
    """Keeps what is written in memory until it is forced to the disk, and loses the power at the n-th such call."""
    import power

    connect = power.connector(task["cut_at"], task["cut"], random.Random(task["seed"]))
    for module in (_journal_file, _run_opening):
        module.connect = connect  # type: ignore[attr-defined]


def die_before_sending(task: dict[str, Any]) -> None:
    """Is killed once `task["die_after"]` intents were said to be on the disk."""
    real = Journal.intend
    left = [task["die_after"]]

    def intend(self: Journal, entries: Sequence[Entry], committed: Committed) -> None:
        def counted(found: Sequence[Entry], error: Any) -> None:
            left[0] -= len(found)
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            committed(found, error)

        real(self, entries, counted)

    Journal.intend = intend  # type: ignore[method-assign]


def die_before_settling(task: dict[str, Any]) -> None:
    """Is killed when it is about to write down the outcome of its `task["die_after"]`-th call."""
    real = Journal.settle
    left = [task["die_after"]]

    def settle(self: Journal, settlements: Sequence[Settlement]) -> None:
        left[0] -= len(settlements)
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        real(self, settlements)

    Journal.settle = settle  # type: ignore[method-assign]


ALL: dict[str, Callable[[dict[str, Any]], None]] = {
    "intent after send": intent_after_send,
    "unforced": unforced,
    "unfenced": unfenced,
    "power loss": power_loss,
    "die before sending": die_before_sending,
    "die before settling": die_before_settling,
}

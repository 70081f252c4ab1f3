"""What a run of many invocations writes down, and reads back: the seam between the engine and the journal.

An item is written down twice. Before a byte of it leaves, its intent: the engine hands it over with `intend`, and sends
only what `committed` brings back. After its answer its settlement, which nobody waits for. So an item that a crash
leaves with an intent and without a settlement may have run; nobody knows, and it is never sent again untold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from lmfunction.errors import LMError

# The outcome of an item that another service sends, until its result is known here. It is as good as an intent.
HANDED_OVER: Final = "HANDED_OVER"


class Entry(NamedTuple):
    """An item that is about to be sent. `payload` is what is sent, but for its secrets; `call` is JSON of what else
    tells its request from those of the run's other items, None when nothing does.
    """

    seq: int  # its place in the input, from 0
    key: str
    payload_sha256: bytes
    payload: bytes
    call: str | None = None


class Settlement(NamedTuple):
    """What became of an item that was to be sent: `outcome` is the outcome class, `attempt` counts its sends.

    `http` is None where no answer came; `body` is the answer as received. One that is not `final` was refused for now
    and provably did not run: it is to be intended again before it is sent again.
    """

    seq: int
    attempt: int
    outcome: str
    http: int | None = None
    code: str | None = None
    reason: str | None = None  # of a 429, or in words why there is no answer
    request_id: str | None = None
    executed_version: str | None = None
    function_error: str | None = None
    body: bytes | None = None
    elapsed_ms: float = 0.0
    log_result: str | None = None
    durable_execution_arn: str | None = None
    trace_id: str | None = None
    final: bool = True


# Called once for every entry handed over, many of them at a time, in a thread that must not be held up: the error is
# None once the entries are on the disk, else they are not written down and must not be sent.
Committed = Callable[[Sequence[Entry], LMError | None], None]


class Ledger(Protocol):
    """Where a run is written down. Every method may be called from any thread; only `close` waits, and `recall` reads.

    Entries that are handed over one after the other with the same `committed` come back together.
    """

    @property
    def failed(self) -> LMError | None:
        """Why nothing more can be written down, such as a full disk or another process that took over: the run ends."""

    def intend(self, entries: Sequence[Entry], committed: Committed) -> None:
        """Writes down that `entries` are about to be sent. Only as many as can be sent at once: after a crash each
        that was intended is unknown.
        """

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Writes down what became of items."""

    def recall(self, first: int, last: int) -> Sequence[tuple[Entry, Settlement | None]]:
        """What is known of the items from place `first` to before `last`, whose settlements are seen when they are on
        the disk. Raises JournalError.
        """

    def close(self) -> None:
        """Writes down everything handed over so far, then lets go. Raises JournalError when that failed."""

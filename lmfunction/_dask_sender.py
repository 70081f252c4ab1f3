"""What runs on a worker of a Dask cluster: the same HTTP engine as at home, for the journal of another process.

The engine's ledger is that journal: before each send it asks for leave, which the journal's owner gives once, after the
intent is on its disk. A worker that dies asks no more, and a task that Dask runs again is a new sender to the owner, to
which nothing is given that another one had leave for.
"""

from __future__ import annotations

import collections
import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lmfunction._dask_post import Inbox, Message, Outbox
from lmfunction._dask_task import connection_of, request_to
from lmfunction._http_engine import HttpEngine
from lmfunction._identity import ask_sts
from lmfunction._item import Item
from lmfunction._ledger import Committed, Entry, Settlement
from lmfunction._line import Line
from lmfunction._open_files import connections_at_a_time
from lmfunction._retry import RetryPolicy
from lmfunction._run_items import Kept
from lmfunction._sending import Address, Sending
from lmfunction._signing import Signer, SigningKey
from lmfunction._traffic import Traffic
from lmfunction._transport import Transport
from lmfunction.errors import GuardError, JournalError, LMError, TransportError

BEAT: Final = 5.0  # seconds between two signs of life of the owner, at most
PATIENCE: Final = 60.0  # seconds without one, after which a sender ends: nobody would hear of what it sends
_STEP: Final = 1.0  # seconds between two looks at what nothing tells of
_LAST_STEP: Final = 0.05  # the same once the run is stopped: what will not be sent ends untold, and is waited for
_RENEWALS: Final = 3  # in a row without another credential that is taken


def entrance() -> Callable[[Mapping[str, Any]], str]:
    """`run_sender` as it is sent to a worker: by value, and looked for there.

    Dask ends a worker that cannot unpack a task's function, and the next one, and the next: all of a cluster without
    lmfunction. So it gets one that it can unpack, which fails there as any task does.
    """

    def run_sender(task: Mapping[str, Any]) -> str:
        import importlib

        return str(importlib.import_module("lmfunction._dask_sender").run_sender(task))

    return run_sender


def run_sender(task: Mapping[str, Any]) -> str:
    """Sends what the owner of a run gives, until it says that the run has ended; the task of a worker."""
    from distributed import get_client, get_worker, secede

    client, here = get_client(), get_worker().address
    secede()  # it only waits for the network: the thread is free for other tasks
    sender = _Sender(task, client)
    try:
        sender.serve()
    except LMError as error:
        sender.say(fault=str(error))
    finally:
        sender.close()
    return str(here)


class RemoteLedger:
    """The owner's journal, as it is seen from a worker: a `Ledger` whose writing is asked for by messages."""

    def __init__(self, rung: threading.Event) -> None:
        self._rung = rung
        self._waiting: dict[int, tuple[Entry, Committed]] = {}
        self._asked: collections.deque[int] = collections.deque()
        self._settled: collections.deque[Settlement] = collections.deque()
        self._failed: LMError | None = None

    @property
    def failed(self) -> LMError | None:
        """Why the owner gives no leave any more."""
        return self._failed

    def intend(self, entries: Sequence[Entry], committed: Committed) -> None:
        """Asks for leave to send; `committed` is called when the owner answers."""
        if self._failed is not None:
            committed(entries, self._failed)
            return
        for entry in entries:
            self._waiting[entry.seq] = (entry, committed)
        self._asked.extend(entry.seq for entry in entries)
        self._rung.set()

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Tells what became of items."""
        self._settled.extend(settlements)
        self._rung.set()

    def recall(self, first: int, last: int) -> Sequence[tuple[Entry, Settlement | None]]:
        """A worker knows nothing of the run."""
        raise JournalError("The journal can be read by its owner alone.")

    def close(self) -> None:
        """The journal is closed by its owner."""

    def grant(self, seqs: Sequence[int]) -> None:
        """Takes the owner's leave."""
        self._answer([self._waiting.pop(seq) for seq in seqs if seq in self._waiting], None)

    def refuse(self, error: LMError) -> None:
        """Takes the owner's refusal, which is for everything that comes."""
        self._failed = error
        waiting, self._waiting = self._waiting, {}
        self._answer([*waiting.values()], error)

    def told(self) -> Message:
        """What is to be said to the owner: settlements first, for the next send of an item is asked for after them."""
        settled, asked = self._settled, self._asked
        found: Message = {}
        if settled:
            found["settled"] = [list(settled.popleft()) for _ in range(len(settled))]
        if asked:
            found["asked"] = [asked.popleft() for _ in range(len(asked))]
        return found

    @staticmethod
    def _answer(waiting: Sequence[tuple[Entry, Committed]], error: LMError | None) -> None:
        by_engine: dict[Committed, list[Entry]] = {}
        for entry, committed in waiting:
            by_engine.setdefault(committed, []).append(entry)
        for committed, entries in by_engine.items():
            committed(entries, error)


class _Sender:
    """One sender: its engine, and its talk with the owner."""

    def __init__(self, task: Mapping[str, Any], client: Any) -> None:
        self._task = task
        self._name = uuid.uuid4().hex
        self._rung = threading.Event()
        self._inbox = Inbox(client, f"{task['run']}-{self._name}", self._rung)
        self._owner = Outbox(client, task["run"])
        self._ledger = RemoteLedger(self._rung)
        self._engine: HttpEngine | None = None
        self._addresses: dict[int, Address] = {}
        self._signers: list[Signer] = []
        self._heard = time.monotonic()
        self._renewals = 0
        self._step = _STEP
        self._looked = time.monotonic()

    def serve(self) -> None:
        """Sends until the run ends. Raises LMError when nothing can be sent from here."""
        self._check_version()
        self._transport = Transport(connection_of(self._task))
        self._transport.ready()
        self._check_account()
        line = self._transport.line()
        if not isinstance(line, Line):
            raise TransportError(f"A worker can send over ordinary connections only: {line}.", sent=False)
        self._line = line
        self._key = SigningKey(self._transport.credential(), line.region)
        traffic = Traffic(connections_at_a_time(self._task["limit"]), random.random, time.monotonic())
        self._engine = HttpEngine(
            traffic, RetryPolicy(), ledger=self._ledger, at_least_once=self._task["at_least_once"]
        )
        self.say(hello=self._task["number"])
        while self._go_on():
            pass

    def say(self, **message: Any) -> None:
        """Sends a message to the owner."""
        self._owner.post({"from": self._name, "number": self._task["number"], **message})

    def close(self) -> None:
        """Ends at once; what is under way is heard of no more."""
        if self._engine is not None:
            self._engine.abandon()
        self._inbox.close()

    def _go_on(self) -> bool:
        """One turn: what came is done, what happened is told. False when the run has ended, or the owner is gone."""
        assert self._engine is not None
        self._rung.wait(self._step)
        self._rung.clear()
        for message in self._inbox.take():
            self._heard = time.monotonic()
            if not self._do(message):
                return False
        self._tell(self._engine)
        self._look_after_credentials(self._engine)
        return self._inbox.broken is None and time.monotonic() - self._heard < PATIENCE

    def _do(self, message: Message) -> bool:
        assert self._engine is not None
        for number, fields in message.get("addresses", ()):
            address = self._addresses[number] = Address.of(self._line, request_to(fields), self._key)
            self._signers.append(address.signer)
        items = message.get("items", ())
        if items:
            self._engine.submit([self._sending(*item) for item in items])
        if "granted" in message:
            self._ledger.grant(message["granted"])
        if "refused" in message:
            self._ledger.refuse(JournalError(message["refused"]))
        if message.get("stop"):
            self._engine.stop_sending()
            self._step = _LAST_STEP
        return not message.get("end")

    def _sending(self, seq: int, number: int, body: bytes) -> Sending:
        item = Item(seq, Kept(Entry(seq, "", b"", b"")))
        return Sending(item, None, self._addresses[number], body, stops=False)

    def _tell(self, engine: HttpEngine) -> None:
        # What ended is taken first: its settlement is there by then.
        ended = [
            [sending.item.index, [[str(a.outcome), a.code, a.elapsed_ms, a.waited_ms] for a in sending.attempts],
             sending.seconds]
            for sending in engine.take()
        ]  # fmt: skip
        told = self._ledger.told()
        if ended:
            told["ended"] = ended
        if told:
            self.say(**told, throttled=engine.traffic.throttled_count, duplicates=engine.possible_duplicates)
        if any(values[2] == "OK" for values in told.get("settled", ())):
            self._renewals = 0

    def _look_after_credentials(self, engine: HttpEngine) -> None:
        """Renews what is signed with before it ends, or because it is no longer taken."""
        expired, now = engine.expired, time.monotonic()
        if expired is None and now - self._looked < _STEP:
            return
        self._looked = now
        if expired is not None:
            self._transport = Transport(connection_of(self._task))
        credential = self._transport.credential()
        if credential != self._key.credential and self._renewals < _RENEWALS:
            self._renewals += expired is not None
            self._key = SigningKey(credential, self._line.region)
            engine.sign_with([(signer, self._key) for signer in self._signers])
        elif expired is not None:
            raise expired

    def _check_version(self) -> None:
        from lmfunction import __version__

        if self._task["version"] != __version__:
            raise JournalError(
                f"The worker has lmfunction {__version__}, the run is of {self._task['version']}: install that there."
            )

    def _check_account(self) -> None:
        """Raises GuardError when the worker's own credentials are of another account than the run."""
        account = self._task["account"]
        if account is None or self._task["credential"] is not None:
            return
        found = ask_sts(self._transport.connection, self._transport.credential()).account
        if found != account:
            raise GuardError(f"The worker's credentials are of account {found}, and the run is of {account}.")

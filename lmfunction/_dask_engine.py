"""The engine of a run on a Dask cluster: its calls are sent by workers, its journal stays here, with its owner.

To its caller it is what `HttpEngine` is. A sender runs on each worker of the cluster, and gets items to send; before
each send it asks for leave. Leave is given once: the intent is on the disk before the answer goes, and no other sender
can get it. So a worker that dies, and a task that Dask runs again, cannot make an item run twice. What a dead worker
had leave for and did not tell of is unknown; what it had no leave for goes to another one.
"""

from __future__ import annotations

import collections
import contextlib
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lmfunction._auth import Credential
from lmfunction._dask_cluster import Cluster
from lmfunction._dask_post import Inbox, Message, Outbox
from lmfunction._dask_sender import BEAT, address_of, run_sender
from lmfunction._door import Door
from lmfunction._journaling import error_of
from lmfunction._ledger import Entry, Ledger, Settlement
from lmfunction._model import Attempt, Outcome
from lmfunction._sending import Sending
from lmfunction._signing import Signer, SigningKey
from lmfunction._traffic import Course, Traffic
from lmfunction._transport import Reply, Transport
from lmfunction.errors import LMError, ServiceError, TransportError

_LOOK: Final = 0.5  # seconds between two looks at which workers are there
_GRACE: Final = 1.0  # seconds that a dead worker's last messages may still come
_END: Final = 5.0  # seconds that senders are given to end
_ALONE: Final = 30.0  # seconds without any worker after which a person is told
_BURIED: Final = 0.0  # of a sender that is gone, and whose last messages were waited for
_ANSWERED: Final = frozenset(["OK", "FUNCTION_ERROR", "ACCEPTED"])
_HEADERS: Final = {
    "function_error": "x-amz-function-error",
    "log_result": "x-amz-log-result",
    "executed_version": "x-amz-executed-version",
    "durable_execution_arn": "x-amz-durable-execution-arn",
    "request_id": "x-amzn-requestid",
    "trace_id": "x-amzn-trace-id",
}


@dataclass
class _Sender:
    """A sender on one worker. `handed` are its items, `granted` those of them that it has leave to send."""

    number: int
    worker: str
    future: Any
    name: str = ""  # of its present incarnation; empty until it has said a word
    outbox: Outbox | None = None
    handed: dict[int, Sending] = field(default_factory=dict)
    granted: set[int] = field(default_factory=set)
    last: dict[int, Settlement] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)  # the addresses it was told
    out: Message = field(default_factory=dict)
    gone_at: float | None = None
    spoken_at: float = 0.0
    throttled: int = 0
    duplicates: int = 0


def task_of(transport: Transport, account: str | None, credential: Credential | None) -> Message:
    """What each sender is told of where calls go: as this process's own transport would send them.

    `account` is that which the workers' credentials must be of, where it is known; `credential` what they sign with in
    place of their own.
    """
    connection = transport.connection
    return {
        "version": _version(),
        "region": connection.region,
        "endpoint_url": transport.endpoint_url,
        "options": connection.options,
        "read_timeout": connection.read_timeout,
        "verify": False if connection.verify is False else None,
        "account": account,
        "credential": None
        if credential is None
        else (credential.access_key, credential.secret_key, credential.session_token),
    }


def _unsent(seq: int) -> Settlement:
    return Settlement(seq, 0, Outcome.NOT_SENT.value, reason="it was not sent", final=False)


def _version() -> str:
    from lmfunction import __version__

    return __version__


class DaskEngine:
    """Sends calls on a cluster, from a thread of its own. Every method is for one other thread, the caller's.

    `task` is what each sender is told: where its calls go, and how. The cluster is closed by `abandon`.
    """

    def __init__(
        self,
        cluster: Cluster,
        task: Message,
        traffic: Traffic,
        ledger: Ledger,
        door: Door,
        *,
        at_least_once: bool = False,
    ) -> None:
        self.traffic = traffic
        self.course = Course(time.monotonic())
        self.expired: ServiceError | None = None  # credentials are the workers' business
        self.failure: LMError | None = None  # why nothing can go on
        self._cluster = cluster
        self._ledger = ledger
        self._door = door
        self._at_least_once = at_least_once
        self._run_name = f"lmfunction-{uuid.uuid4().hex}"
        self._task = {**task, "run": self._run_name, "limit": traffic.limit, "at_least_once": at_least_once}
        self._new: collections.deque[Sending] = collections.deque()
        self._ready: collections.deque[Sending] = collections.deque()
        self._asked: collections.deque[tuple[_Sender, int]] = collections.deque()
        self._intending: dict[int, _Sender] = {}
        self._orphans: dict[int, Sending] = {}  # whose sender was lost while their intents were on the way to the disk
        self._committed: collections.deque[tuple[Sequence[Entry], LMError | None]] = collections.deque()
        self._done: collections.deque[Sending] = collections.deque()
        self._senders: dict[int, _Sender] = {}
        self._faults: dict[str, str] = {}  # by worker
        self._addresses: dict[tuple[Any, ...], int] = {}
        self._open = 0
        self._lost_items: set[int] = set()
        self._lost = 0  # possible duplicates of workers that died
        self._bell = threading.Event()
        self._rung = threading.Event()
        self._feeding = True
        self._stop_told = False
        self._closing = False
        self._looked = self._seen = time.monotonic()
        self._looked -= _LOOK
        self._inbox = Inbox(cluster.client, self._run_name, self._rung)
        self._thread = threading.Thread(target=self._run, name="invoke-cluster", daemon=True)
        self._thread.start()

    @property
    def in_flight(self) -> int:
        """How many calls are handed over and have not ended."""
        return self._open

    @property
    def wants(self) -> int:
        """How many more calls may be handed over: twice as many as can be under way, so that no worker waits."""
        return 2 * self.traffic.limit - self._open if self._feeding else 0

    @property
    def possible_duplicates(self) -> int:
        """How many calls were sent again that may have run."""
        return self._lost + sum(sender.duplicates for sender in list(self._senders.values()))

    def submit(self, sendings: Sequence[Sending]) -> None:
        """Hands over calls."""
        self._open += len(sendings)
        self._new.extend(sendings)
        self._rung.set()

    def take(self) -> list[Sending]:
        """The calls that ended since the last time."""
        self._bell.clear()
        done = self._done
        found = [done.popleft() for _ in range(len(done))]
        self._open -= len(found)
        return found

    def was_lost(self, seq: int) -> bool:
        """Whether an item is unknown since its worker died, which says nothing of other calls."""
        return seq in self._lost_items

    def wait(self, seconds: float) -> None:
        """Waits until there is something to take or to hand over, at most so long."""
        self._bell.wait(seconds)

    def stop_sending(self) -> None:
        """Lets nothing more be sent, not even again; calls under way go on. What did not go ends as not sent."""
        self._feeding = False
        self._rung.set()

    def sign_with(self, keys: Sequence[tuple[Signer, SigningKey]]) -> None:
        """Does nothing: the workers sign."""

    def abandon(self) -> list[Sending]:
        """Ends at once; gives the calls that were under way, which nobody will hear of."""
        if not self._closing:
            self._feeding = False
            self._closing = True
            self._rung.set()
            self._thread.join()
        return [s.handed[seq] for s in self._senders.values() for seq in s.granted if seq in s.handed]

    # From here on everything is the engine's own thread.

    def _run(self) -> None:
        try:
            while not self._closing:
                self._rung.wait(_LOOK / 2)
                self._rung.clear()
                self._turn()
        except Exception as error:  # noqa: BLE001 - nobody else would see it: the run ends with it
            self._end_all(error if isinstance(error, LMError) else TransportError(f"The engine failed: {error!r}"))
        finally:
            self._end_senders()
            self._bell.set()

    def _turn(self) -> None:
        for message in self._inbox.take():
            self._hear(message)
        if self._inbox.broken is not None:
            raise TransportError(f"The Dask cluster is gone: {self._inbox.broken}.", sent=None)
        while self._committed:
            self._go_on(*self._committed.popleft())
        now = time.monotonic()
        if now - self._looked >= _LOOK:
            self._looked = now
            self._look_at_workers(now)
            self.course.note(now, self._under_way, self.traffic.throttled_count)
        self._ready.extend(self._new.popleft() for _ in range(len(self._new)))
        if self._feeding:
            self._hand_out()
            self._give_leave()
        else:
            self._stop()
        self._speak(now)
        if self._done:
            self._bell.set()

    @property
    def _under_way(self) -> int:
        return sum(len(sender.granted) for sender in self._senders.values())

    def _hear(self, message: Message) -> None:
        sender = self._senders[message["number"]]
        if sender.gone_at == _BURIED:
            self._refuse(message["from"])
            return
        if "fault" in message:
            self._faults[sender.worker] = message["fault"]
        if "hello" in message:
            self._welcome(sender, message["from"])
        if message["from"] != sender.name:
            self._refuse(message["from"])
            return
        self._take_settlements(sender, message.get("settled", ()))
        for seq, attempts, seconds in message.get("ended", ()):
            if (sending := sender.handed.pop(seq, None)) is not None:
                sending.attempts = tuple(Attempt(Outcome(a), code, ms, waited) for a, code, ms, waited in attempts)
                sending.seconds = seconds
                self._end(sending, sender.last.pop(seq, None))
        self._asked.extend((sender, seq) for seq in message.get("asked", ()))
        self.traffic.throttled_count += message.get("throttled", sender.throttled) - sender.throttled
        sender.throttled = message.get("throttled", sender.throttled)
        sender.duplicates = message.get("duplicates", sender.duplicates)

    def _welcome(self, sender: _Sender, name: str) -> None:
        """Takes the first word of a sender: of one that Dask ran again, what it had before is lost."""
        if sender.name:
            self._lose(sender)
            sender.handed, sender.granted, sender.last, sender.known = {}, set(), {}, set()
        sender.name = name
        sender.outbox = Outbox(self._cluster.client, f"{self._run_name}-{name}")
        sender.out = {}

    def _refuse(self, name: str) -> None:
        """Lets a sender end whose worker was taken for dead: what it has is somebody else's by now."""
        with contextlib.suppress(Exception):
            outbox = Outbox(self._cluster.client, f"{self._run_name}-{name}")
            outbox.post({"refused": "The run no longer counts on this worker.", "end": True})

    def _take_settlements(self, sender: _Sender, told: Sequence[Sequence[Any]]) -> None:
        settled = []
        for values in told:
            found = Settlement(*values)
            if found.seq in sender.granted:
                sender.granted.discard(found.seq)
                sender.last[found.seq] = found
                settled.append(found)
                if found.outcome in _ANSWERED:
                    self.traffic.last_success = time.monotonic()
        if settled:
            self._ledger.settle(settled)

    def _end(self, sending: Sending, settled: Settlement | None) -> None:
        """Ends a call: with its answer, its error, or because it was not sent."""
        if settled is not None and settled.outcome in _ANSWERED:
            headers = {
                header: value for name, header in _HEADERS.items() if (value := getattr(settled, name)) is not None
            }
            sending.reply = Reply(settled.http or 0, headers, settled.body or b"")
        elif settled is not None:
            sending.error = error_of(settled)
        else:
            sending.error = TransportError("Stopped before it was sent.", sent=False, outcome="NOT_SENT")
        self._done.append(sending)
        failed = sending.error is not None or (settled is not None and settled.function_error is not None)
        if sending.stops and failed:
            self._feeding = False

    def _look_at_workers(self, now: float) -> None:
        """Sends a sender to each worker that has none, and takes note of those that are gone."""
        there = self._cluster.workers()
        for sender in [*self._senders.values()]:
            if sender.gone_at is None and sender.worker not in there:
                sender.gone_at = now
            elif sender.gone_at is None and sender.future.done():
                self._faults.setdefault(sender.worker, self._cluster.fault_of(sender.future) or "it ended")
                sender.gone_at = now
            elif sender.gone_at is not None and _BURIED < sender.gone_at < now - _GRACE:
                self._bury(sender)
        busy = {sender.worker for sender in self._senders.values()}
        if self._feeding:
            for worker in sorted(there - busy - self._faults.keys()):
                number = len(self._senders)
                future = self._cluster.start(run_sender, {**self._task, "number": number}, worker)
                self._senders[number] = _Sender(number, worker, future)
        self._look_whether_any_is_left(there, now)

    def _look_whether_any_is_left(self, there: set[str], now: float) -> None:
        if any(sender.gone_at is None for sender in self._senders.values()):
            self._seen = now
        elif there and not there - self._faults.keys():
            worker, why = next(iter(self._faults.items()))
            raise TransportError(f"No worker of the cluster can send. {worker}: {why}", sent=False, outcome="NOT_SENT")
        elif now - self._seen > _ALONE:
            self._seen = now
            self._door.tell("warning", "The cluster has no workers. The run waits for one; Ctrl-C ends it.")

    def _bury(self, sender: _Sender) -> None:
        """Lets a sender go whose worker is gone."""
        self._lose(sender)
        sender.gone_at = _BURIED
        sender.worker = ""  # another one may come at the same address
        sender.handed, sender.granted = {}, set()
        sender.future.cancel()

    def _lose(self, sender: _Sender) -> None:
        """What a sender had leave for is unknown now, the rest goes to others."""
        self._asked = collections.deque(pair for pair in self._asked if pair[0] is not sender)
        for seq, sending in sender.handed.items():
            known = sender.last.get(seq)
            if seq in sender.granted:
                self._lose_one(seq, sending, sender)
            elif known is not None and known.final:
                self._end(sending, known)
            elif self._intending.get(seq) is sender:
                self._orphans[seq] = sending
            else:
                self._ready.appendleft(sending)

    def _lose_one(self, seq: int, sending: Sending, sender: _Sender) -> None:
        reason = f"its worker {sender.worker} was lost before an answer came"
        again = self._at_least_once and self._feeding
        settled = Settlement(seq, 1, Outcome.UNKNOWN.value, reason=reason, final=not again)
        self._ledger.settle([settled])
        if again:
            self._lost += 1
            self._ready.append(sending)
        else:
            self._lost_items.add(seq)
            self._end(sending, settled)

    def _hand_out(self) -> None:
        """Gives each sender its share of what is ready."""
        working = [sender for sender in self._senders.values() if sender.outbox is not None and sender.gone_at is None]
        if not working:
            return
        share = -(-2 * self.traffic.limit // len(working))
        for sender in working:
            while self._ready and len(sender.handed) < share:
                sending = self._ready.popleft()
                seq = sending.item.index
                sender.handed[seq] = sending
                number = self._number_of(sending, sender)
                sender.out.setdefault("items", []).append([seq, number, sending.body])

    def _number_of(self, sending: Sending, sender: _Sender) -> int:
        """The number of a call's address, which the sender is told with its first call to it."""
        fields = address_of(sending.call.call.plan.request)
        number = self._addresses.setdefault(tuple(fields), len(self._addresses))
        if number not in sender.known:
            sender.known.add(number)
            sender.out.setdefault("addresses", []).append([number, fields])
        return number

    def _give_leave(self) -> None:
        """Writes down the intents of what may go now; leave is given once they are on the disk."""
        room = self.traffic.limit - self._under_way - len(self._intending)
        entries: list[Entry] = []
        while self._asked and len(entries) < room:
            sender, seq = self._asked.popleft()
            sending = sender.handed.get(seq) if sender.gone_at is None else None
            if sending is not None and seq not in sender.granted and seq not in self._intending:
                self._intending[seq] = sender
                entries.append(sending.item.input.entry)
        if entries:
            self._ledger.intend(entries, self._commit)

    def _commit(self, entries: Sequence[Entry], error: LMError | None) -> None:
        """Of the ledger's thread: what is on the disk may go."""
        self._committed.append((entries, error))
        self._rung.set()

    def _go_on(self, entries: Sequence[Entry], error: LMError | None) -> None:
        for entry in entries:
            seq = entry.seq
            sender = self._intending.pop(seq)
            orphan = self._orphans.pop(seq, None)
            if error is not None:
                self._feeding = False
                if (sending := orphan or sender.handed.pop(seq, None)) is not None:
                    sending.error = error
                    self._done.append(sending)
            elif orphan is None and self._feeding and sender.gone_at is None:
                sender.granted.add(seq)
                sender.out.setdefault("granted", []).append(seq)
            else:  # nobody had leave, so that it did not run
                self._ledger.settle([_unsent(seq)])
                if orphan is not None:
                    self._ready.append(orphan)

    def _stop(self) -> None:
        """Ends what was not handed out, and lets the senders end what they had no leave for."""
        while self._ready:
            self._end(self._ready.popleft(), None)
        if self._stop_told:
            return
        self._stop_told = True
        self._asked.clear()
        for sender in self._senders.values():
            for seq, _, _ in sender.out.pop("items", ()):  # it has not heard of them
                self._end(sender.handed.pop(seq), None)
            sender.out.update(stop=True, refused="The run was stopped.")

    def _speak(self, now: float) -> None:
        """Sends each sender what there is for it; a word now and then, so that it knows that somebody listens."""
        for sender in self._senders.values():
            if sender.outbox is None or sender.gone_at is not None or not (sender.out or now - sender.spoken_at > BEAT):
                continue
            message, sender.out, sender.spoken_at = sender.out, {}, now
            try:
                sender.outbox.post(message)
            except Exception as error:
                raise TransportError(f"The Dask cluster is gone: {error}.", sent=None) from error

    def _end_all(self, error: LMError) -> None:
        """Ends everything because nothing can go on: what had leave is unknown, the rest was not sent."""
        self._feeding = False
        self.failure = error
        for sender in self._senders.values():
            self._lose(sender)
            sender.handed, sender.granted = {}, set()
        for seq, sending in self._orphans.items():  # whose intents nobody got leave for
            self._ledger.settle([_unsent(seq)])
            self._ready.append(sending)
        self._orphans.clear()
        self._ready.extend(self._new.popleft() for _ in range(len(self._new)))
        while self._ready:
            self._end(self._ready.popleft(), None)

    def _end_senders(self) -> None:
        futures = []
        for sender in self._senders.values():
            if sender.outbox is not None and sender.gone_at is None:
                with contextlib.suppress(Exception):  # of a cluster that is gone
                    sender.outbox.post({"end": True})
                    futures.append(sender.future)
        end = time.monotonic() + _END
        while futures and time.monotonic() < end:
            futures = [future for future in futures if not future.done()]
            time.sleep(0.01)
        for sender in self._senders.values():
            with contextlib.suppress(Exception):
                sender.future.cancel()
        self._inbox.close()
        self._cluster.close()

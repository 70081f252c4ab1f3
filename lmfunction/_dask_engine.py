"""The engine of a run on a Dask cluster: its calls are sent by workers, its journal stays here, with its owner.

To its caller it is what `HttpEngine` is. A sender runs on each worker of the cluster, and gets items to send; before
each send it asks for leave. Leave is given once: the intent is on the disk before the answer goes, and no other sender
can get it. So a worker that dies, and a task that Dask runs again, cannot make an item run twice. What a dead worker
had leave for and did not tell of is unknown; what it had no leave for goes to another one.
"""

from __future__ import annotations

import collections
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any, Final

from lmfunction._dask_cluster import Cluster
from lmfunction._dask_gate import Gate
from lmfunction._dask_post import Inbox, Message
from lmfunction._dask_roster import LOOK, Remote, Roster
from lmfunction._dask_sender import entrance
from lmfunction._dask_task import address_of, task_of
from lmfunction._door import Door
from lmfunction._ledger import Ledger, Settlement
from lmfunction._model import Attempt, Outcome
from lmfunction._recalled import error_of
from lmfunction._sending import Sending
from lmfunction._signing import Signer, SigningKey
from lmfunction._traffic import Course, Traffic
from lmfunction._transport import Reply
from lmfunction.errors import LMError, ServiceError, TransportError

__all__ = ["DaskEngine", "task_of"]

_WRITTEN: Final = 5.0  # seconds that the ledger is given to write intents
_ANSWERED: Final = frozenset(["OK", "FUNCTION_ERROR", "ACCEPTED"])
_HEADERS: Final = {
    "function_error": "x-amz-function-error",
    "log_result": "x-amz-log-result",
    "executed_version": "x-amz-executed-version",
    "durable_execution_arn": "x-amz-durable-execution-arn",
    "request_id": "x-amzn-requestid",
    "trace_id": "x-amzn-trace-id",
}


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
        self._new: collections.deque[Sending] = collections.deque()
        self._ready: collections.deque[Sending] = collections.deque()
        self._done: collections.deque[Sending] = collections.deque()
        self._addresses: dict[tuple[Any, ...], int] = {}
        self._open = 0
        self._lost_items: set[int] = set()
        self._lost = 0  # possible duplicates of workers that died
        self._bell = threading.Event()
        self._rung = threading.Event()
        self._feeding = True
        self._stop_told = False
        self._closing = False
        run = f"lmfunction-{uuid.uuid4().hex}"
        told = {**task, "version": _version(), "run": run, "limit": traffic.limit, "at_least_once": at_least_once}
        self._gate = Gate(ledger, self._rung)
        self._roster = Roster(cluster, run, entrance(), told, self._rung)
        self._inbox = Inbox(cluster.client, run, self._rung)
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
        return self._lost + sum(sender.duplicates for sender in self._roster)

    def submit(self, sendings: Sequence[Sending]) -> None:
        """Hands over calls."""
        self._open += len(sendings)
        self._new.extend(sendings)
        self._rung.set()

    def take(self) -> list[Sending]:
        """The calls that ended since the last time. Tells what a person should know of the cluster."""
        self._bell.clear()
        while self._roster.notices:
            self._door.tell("warning", self._roster.notices.pop(0))
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
        return [sender.handed[seq] for sender in self._roster for seq in sender.granted if seq in sender.handed]

    # From here on everything is the engine's own thread.

    def _run(self) -> None:
        try:
            while not self._closing:
                self._rung.wait(LOOK / 2)
                self._rung.clear()
                self._turn()
        except Exception as error:  # noqa: BLE001 - nobody else would see it: the run ends with it
            self._end_all(error if isinstance(error, LMError) else TransportError(f"The engine failed: {error!r}"))
        finally:
            self._take_back_intents()
            self._roster.close()
            self._inbox.close(gone=self._roster.lost)
            self._cluster.close()
            self._bell.set()

    def _turn(self) -> None:
        for message in self._inbox.take():
            self._hear(message)
        if self._inbox.broken is not None:
            raise self._roster.gone(self._inbox.broken)
        self._open_gate()
        now = time.monotonic()
        for sender in self._roster.look(now, feeding=self._feeding):
            self._lose(sender)
            self._roster.bury(sender)
        self.course.note(now, self._under_way, self.traffic.throttled_count)
        self._ready.extend(self._new.popleft() for _ in range(len(self._new)))
        if self._feeding:
            self._hand_out()
            self._gate.write_down(self.traffic.limit - self._under_way - self._gate.intending)
        else:
            self._stop()
        self._roster.speak(now)
        if self._done or self._roster.notices:
            self._bell.set()

    @property
    def _under_way(self) -> int:
        return sum(len(sender.granted) for sender in self._roster)

    def _hear(self, message: Message) -> None:
        sender = self._roster.of(message)
        if sender is None:
            return
        if "hello" in message:
            self._lose(sender)  # one that Dask runs again: what it had before
            self._roster.open(sender, message["from"])
        if message["from"] != sender.name:
            self._roster.refuse(message["from"])
            return
        self._take_settlements(sender, message.get("settled", ()))
        for seq, attempts, seconds in message.get("ended", ()):
            if (sending := sender.handed.pop(seq, None)) is not None:
                sending.attempts = tuple(Attempt(Outcome(a), code, ms, waited) for a, code, ms, waited in attempts)
                sending.seconds = seconds
                self._end(sending, sender.last.pop(seq, None))
        self._gate.ask(sender, message.get("asked", ()))
        self.traffic.throttled_count += message.get("throttled", sender.throttled) - sender.throttled
        sender.throttled = message.get("throttled", sender.throttled)
        sender.duplicates = message.get("duplicates", sender.duplicates)

    def _take_settlements(self, sender: Remote, told: Sequence[Sequence[Any]]) -> None:
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

    def _open_gate(self) -> None:
        free, refused = self._gate.open(feeding=self._feeding)
        self._ready.extend(free)
        for sending, error in refused:
            sending.error = error
            self._done.append(sending)
        self._feeding = self._feeding and not refused

    def _take_back_intents(self) -> None:
        """Waits for the intents that are on the way to the disk: nobody gets leave for them any more, so that they are
        not unknown.
        """
        self._feeding = False
        end = time.monotonic() + _WRITTEN
        while self._gate.intending and time.monotonic() < end:
            self._rung.wait(LOOK / 2)
            self._rung.clear()
            self._open_gate()

    def _lose(self, sender: Remote) -> None:
        """What a sender had leave for is unknown now, the rest goes to others."""
        self._gate.forget(sender)
        for seq, sending in sender.handed.items():
            known = sender.last.get(seq)
            if seq in sender.granted:
                self._lose_one(seq, sending, sender)
            elif known is not None and known.final:
                self._end(sending, known)
            elif not self._gate.lose(sender, seq, sending):
                self._ready.appendleft(sending)
        sender.empty()

    def _lose_one(self, seq: int, sending: Sending, sender: Remote) -> None:
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
        working = self._roster.working()
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

    def _number_of(self, sending: Sending, sender: Remote) -> int:
        """The number of a call's address, which the sender is told with its first call to it."""
        fields = address_of(sending.call.call.plan.request)
        number = self._addresses.setdefault(tuple(fields), len(self._addresses))
        if number not in sender.known:
            sender.known.add(number)
            sender.out.setdefault("addresses", []).append([number, fields])
        return number

    def _stop(self) -> None:
        """Ends what was not handed out, and lets the senders end what they had no leave for."""
        while self._ready:
            self._end(self._ready.popleft(), None)
        if self._stop_told:
            return
        self._stop_told = True
        self._gate.forget()
        for sender in self._roster:
            for seq, _, _ in sender.out.pop("items", ()):  # it has not heard of them
                self._end(sender.handed.pop(seq), None)
            sender.out.update(stop=True, refused="The run was stopped.")

    def _end_all(self, error: LMError) -> None:
        """Ends everything because nothing can go on: what had leave is unknown, the rest was not sent."""
        self._feeding = False
        self.failure = error
        for sender in self._roster:
            self._lose(sender)
        self._ready.extend(self._gate.close())
        self._ready.extend(self._new.popleft() for _ in range(len(self._new)))
        while self._ready:
            self._end(self._ready.popleft(), None)


def _version() -> str:
    """That of lmfunction here: owner and senders must be of the same, for they speak a language of their own."""
    from lmfunction import __version__

    return __version__

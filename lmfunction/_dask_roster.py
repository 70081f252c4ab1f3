"""The senders of one run: one on each worker of the cluster, as workers come and go, and what each is to be told."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lmfunction._dask_cluster import Cluster
from lmfunction._dask_post import Asked, Message, Outbox
from lmfunction._ledger import Settlement
from lmfunction._sending import Sending
from lmfunction._text import one_line
from lmfunction.errors import TransportError

LOOK: Final = 0.5  # seconds between two looks at which workers are there
BEAT: Final = 5.0  # seconds between two signs of life for a sender, at most
_GRACE: Final = 1.0  # seconds that a dead worker's last messages may still come
_END: Final = 3.0  # seconds that senders are given to end
_ALONE: Final = 30.0  # seconds without any worker after which a person is told
_REFUSAL: Final = {"refused": "The run no longer counts on this worker.", "end": True}
_BURIED: Final = 0.0  # of a sender that is gone, and whose last messages were waited for


@dataclass(eq=False)
class Remote:
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

    @property
    def buried(self) -> bool:
        """Whether it is gone for good: nothing that it still says counts."""
        return self.gone_at == _BURIED

    def grant(self, seq: int) -> None:
        """Gives it leave to send an item that it has."""
        self.granted.add(seq)
        self.out.setdefault("granted", []).append(seq)

    def empty(self) -> None:
        """Takes from it all that it has."""
        self.handed, self.granted, self.last, self.known, self.out = {}, set(), {}, set(), {}


class Roster:
    """The senders there are. `start` is what runs on each worker, given `task` and a number; `run` names their post.

    `rung` is set when the scheduler has answered, so that more can be said.
    """

    def __init__(
        self, cluster: Cluster, run: str, start: Callable[[Any], Any], task: Message, rung: threading.Event
    ) -> None:
        self.notices: list[str] = []  # that a person should know
        self.lost = False  # whether the scheduler answers no more
        self._cluster = cluster
        self._run = run
        self._start = start
        self._task = task
        self._rung = rung
        self._senders: list[Remote] = []
        self._faults: dict[str, str] = {}  # by worker
        self._told: set[str] = set()  # of whose faults a person was told
        self._asked: Asked | None = None
        self._looked = -LOOK
        self._seen = time.monotonic()
        self._refusals: list[Outbox] = []  # on their way

    def __iter__(self) -> Iterator[Remote]:
        return iter(self._senders[:])

    def of(self, message: Message) -> Remote | None:
        """The sender that says something; None when it no longer counts, which it is told."""
        sender = self._senders[message["number"]]
        if sender.buried:
            self.refuse(message["from"])
            return None
        if "fault" in message:
            self._faults.setdefault(sender.worker, message["fault"])
        return sender

    def open(self, sender: Remote, name: str) -> None:
        """Takes the first word of a sender, or of one that Dask runs again: it begins with nothing."""
        sender.empty()
        sender.name = name
        sender.outbox = self._outbox(name)

    def refuse(self, name: str) -> None:
        """Lets a sender end whose worker was taken for dead: what it has is somebody else's by now."""
        with contextlib.suppress(Exception):
            outbox = self._outbox(name)
            outbox.begin(_REFUSAL, self._rung)
            self._refusals.append(outbox)

    def working(self) -> list[Remote]:
        """The senders that can be given something."""
        return [sender for sender in self._senders if sender.outbox is not None and sender.gone_at is None]

    def look(self, now: float, *, feeding: bool) -> list[Remote]:
        """Sends a sender to each worker that has none, while the run goes on; gives those to be buried: their worker
        is gone, and their last messages were waited for.

        Raises TransportError when no worker can send, or the scheduler is gone.
        """
        there = self._workers(now)
        if there is None:
            return []
        for sender in self._senders:
            if sender.gone_at is None and sender.worker not in there:
                sender.gone_at = now
            elif sender.gone_at is None and sender.future.done():
                self._faults.setdefault(sender.worker, self._cluster.fault_of(sender.future) or "its sender ended")
                sender.gone_at = now
        if feeding:
            busy = {sender.worker for sender in self._senders}
            for worker in sorted(there - busy - self._faults.keys()):
                task = {**self._task, "number": len(self._senders)}
                future = self._cluster.start(self._start, task, worker)
                self._senders.append(Remote(len(self._senders), worker, future))
        self._look_whether_any_is_left(there, now)
        self._tell_of_faults()
        return [s for s in self._senders if s.gone_at is not None and _BURIED < s.gone_at < now - _GRACE]

    def bury(self, sender: Remote) -> None:
        """Lets a sender go whose worker is gone."""
        sender.gone_at = _BURIED
        sender.worker = ""  # another one may come at the same address
        sender.empty()
        with contextlib.suppress(Exception):  # of a cluster that goes, too
            sender.future.cancel()

    def speak(self, now: float) -> None:
        """Sends each sender what there is for it; a word now and then, so that it knows that somebody listens.

        Raises TransportError when nothing can be sent.
        """
        self._forget_refusals()
        for sender in self.working():
            outbox = sender.outbox
            assert outbox is not None
            try:
                if outbox.free() and (sender.out or now - sender.spoken_at > BEAT):
                    message, sender.out, sender.spoken_at = sender.out, {}, now
                    outbox.begin(message, self._rung)
            except Exception as error:
                raise self.gone(error) from error

    def gone(self, error: Exception) -> TransportError:
        """What a run ends with when its scheduler is lost."""
        self.lost = True
        # Dask puts names of its own in front of what happened.
        told = one_line(str(error).rpartition(">: ")[2].rstrip(".") or type(error).__name__, 200)
        return TransportError(
            f"The Dask scheduler {self._cluster.address} is gone ({told}). To go on, -Engine may name another "
            "cluster, or be left out.",
            sent=None,
        )

    def close(self) -> None:
        """Lets all senders end; where the scheduler is gone, or does not answer, they do it by themselves."""
        untold = self.working()
        ending: list[Any] = []
        until = time.monotonic() + _END
        while not self.lost and (untold or ending or self._refusals):
            for sender in untold[:]:
                if self._told_to_end(sender):
                    untold.remove(sender)
                    ending.append(sender.future)
            ending = [future for future in ending if not future.done()]
            self._forget_refusals()
            if time.monotonic() > until:
                self.lost = bool(untold)
                break
            time.sleep(0.01)
        for sender in self._senders:
            with contextlib.suppress(Exception):
                sender.future.cancel()

    def _told_to_end(self, sender: Remote) -> bool:
        assert sender.outbox is not None
        try:
            if not sender.outbox.free():
                return False
            sender.outbox.begin({"end": True}, self._rung)
        except Exception:  # noqa: BLE001 - the connection's; the sender will notice by itself
            return True
        return True

    def _forget_refusals(self) -> None:
        """Lets go of the refusals that are there, or cannot come."""
        for outbox in self._refusals[:]:
            with contextlib.suppress(Exception):
                if not outbox.free():
                    continue
            self._refusals.remove(outbox)

    def _workers(self, now: float) -> set[str] | None:
        """The workers there are, as far as that was asked and answered lately; None in between."""
        try:
            if self._asked is None:
                if now - self._looked >= LOOK:
                    self._looked = now
                    self._asked = self._cluster.ask_workers(self._rung)
                return None
            if not self._asked.answered():
                return None
            asked, self._asked = self._asked, None
            return set(asked.result())
        except Exception as error:
            raise self.gone(error) from error

    def _look_whether_any_is_left(self, there: set[str], now: float) -> None:
        if any(sender.gone_at is None for sender in self._senders):
            self._seen = now
        elif there and not there - self._faults.keys():
            worker, why = next(iter(self._faults.items()))
            raise TransportError(f"No worker of the cluster can send. {worker}: {why}", sent=False, outcome="NOT_SENT")
        elif now - self._seen > _ALONE:
            self._seen = now
            self.notices.append("The cluster has no workers. The run waits for one; Ctrl-C ends it.")

    def _tell_of_faults(self) -> None:
        """Of some workers, while others send; why none can is the error of the run."""
        if self.working():
            untold = self._faults.keys() - self._told
            self._told |= untold
            self.notices += [f"The worker {worker} sends nothing: {self._faults[worker]}" for worker in sorted(untold)]

    def _outbox(self, name: str) -> Outbox:
        return Outbox(self._cluster.client, f"{self._run}-{name}")

"""One run under way: objects go to the senders, one by one, until they end, one fails, or they cannot be read on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from lmfunction._batch import Batch
from lmfunction._bulk_result import BulkResult
from lmfunction._cmdlets import Call, prepare
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._failure_guard import FailureGuard
from lmfunction._item import Item
from lmfunction._journal_items import JournalItems
from lmfunction._kept_run import KeptRun
from lmfunction._model import InvokeResult, Outcome
from lmfunction._progress import Counts, Progress
from lmfunction._receipts import has_its_own
from lmfunction._run_items import Kept
from lmfunction._senders import Senders
from lmfunction._survey import Binding
from lmfunction._waiting import tick
from lmfunction.errors import LMError

_STEP: Final = 0.1  # seconds: where the caller is not the main thread, Ctrl-C reaches it between two of them only
_SHIP_AFTER: Final = 0.002  # seconds that what was read may be kept back, to go with what comes next
_SHIP_AT: Final = 64


class Feeding:
    """The feeding of one run. `stopped_by` is the failure that ended it, `unreadable` why there are no more objects."""

    def __init__(
        self,
        run: BulkResult,
        senders: Senders,
        bind: Binding,
        engine: Engine,
        door: Door,
        on_result: Callable[[InvokeResult], None],
        batch: Batch,
        guard: FailureGuard,
        kept: KeptRun | None = None,
    ) -> None:
        self.run = run
        self.senders = senders
        self.batch = batch
        self.guard = guard
        self.complete = False
        self.kept = kept
        self.stopped_by: Item | None = None
        self.unreadable: Exception | None = None
        self.failed = 0
        self.earlier = 0  # how many had ended in the run that this one goes on with
        self._ended = 0
        self._bind = bind
        self._engine = engine
        self._door = door
        self._on_result = on_result
        self._select: Callable[[InvokeResult], Any] | None = None
        self._stops = False
        self._looked = False

    @property
    def stopping(self) -> bool:
        """Whether no more objects are to be read."""
        unwritten = self.kept is not None and self.kept.failed is not None
        ended = self.stopped_by is not None or bool(self.guard.tripped) or self.senders.refused is not None
        return ended or unwritten or self.batch.closed is not None or self.unkept is not None

    @property
    def unkept(self) -> LMError | None:
        """Why no more results can be kept."""
        return None if isinstance(self.run.items, list) else self.run.items.failed

    def feed(self, source: Iterator[Any]) -> None:
        """Sends what becomes of each object, and waits for all answers."""
        more = True
        while more and not self.stopping:
            room = self.senders.room
            if room > 0:
                more = self._feed_some(source, room)
            else:
                self.senders.wait(_STEP)
            tick()
            self._take()
        self.drain()
        if not self.stopping and self.unreadable is None:
            self.complete = True
            self.guard.last_look()

    def drain(self, seconds: float | None = None) -> None:
        """Waits for the calls under way, for so long at most."""
        end = None if seconds is None else time.monotonic() + seconds
        self._take()
        while self.senders.open and (end is None or time.monotonic() < end):
            self.senders.wait(_STEP)
            tick()
            self._take()

    def progress(self, title: str, total: int | None, elapsed: float) -> Progress:
        """How far the run is."""
        in_flight = self.senders.open
        done = self.earlier + self._ended
        counts = Counts(done, self.failed, in_flight, total, self.senders.throttled, self.earlier)
        return Progress(title, elapsed, counts=counts, on_stop="ends the run, not the calls in flight")

    def _feed_some(self, source: Iterator[Any], room: int) -> bool:
        """Reads objects and lets their calls go together; False when there are no more to read."""
        begin = time.monotonic()
        more = True
        try:
            for _ in range(min(room, _SHIP_AT)):
                more = self._feed_next(source)
                if not more or self.stopping or time.monotonic() - begin > _SHIP_AFTER:
                    break
        finally:
            self.senders.ship()
        return more

    def _feed_next(self, source: Iterator[Any]) -> bool:
        """Takes one object and sends its call; False when there is none to take."""
        try:
            value = next(source)
        except StopIteration:
            return False
        except Exception as error:  # noqa: BLE001 - the user's iterator; what was sent before must stay reachable
            self.unreadable = error
            return False
        item = self._item_for(value)
        try:
            self._send(item)
        except LMError as error:
            item.error = error
            self._ended += 1
            if self.kept is not None:
                self.kept.refuse(item.index, error)
            self.run.ended(item)
            if self.batch.dry:
                self.batch.plan.refuse(error)
            self._count_failure(item, self._door.error_action)
        return self.batch.closed is None

    def _item_for(self, value: Any) -> Item:
        """The place of an object in the result: of one that a journal held before, the one it has there."""
        items = self.run.items
        if type(items) is JournalItems:
            return items.claim(value)
        if type(value) is Kept and value.entry.seq < len(items):
            return items[value.entry.seq]
        item = Item(len(items), value)
        items.append(item)
        return item

    def _send(self, item: Item) -> None:
        senders = self.senders
        if senders.common is not None:
            item.select = self._select
            if senders.send_like_the_first(item, stops=self._stops):
                return
        call = prepare(self._bind(item.input), self._engine, self._door, self.batch)
        if call is None:
            return
        item.select = call.select
        if not self._looked and self._bind.has_one_target and not call.of_its_own and not has_its_own(item.input):
            self._looked = True
            senders.take_common(call, self.batch)
            self._select, self._stops = call.select, self._stops_at(call)
        senders.send(item, call, stops=self._stops_at(call))

    def _stops_at(self, call: Call) -> bool:
        """Whether the call's failure ends the run."""
        return self.guard.tolerated is None and call.error_action(self._door) == "Stop"

    def _take(self) -> None:
        """Takes note of the calls that ended; a failure may end the run."""
        self.run.samples = self.senders.samples
        for job in self.senders.take():
            item = job.item
            result = item.result
            self._ended += 1
            self.run.ended(item)
            if result is not None:
                self._on_result(result)
                if result.function_error is None:
                    self.guard.ended(Outcome.OK)
                    continue
            self._count_failure(item, job.call.error_action(self._door), counts=job.counts)
            # An object that is refused here takes no others with it; a call that failed does.
            if self.guard.tripped or self.stopped_by is not None or self.unkept is not None:
                self.senders.stop_sending()

    def _count_failure(self, item: Item, action: str, *, counts: bool = True) -> None:
        self.failed += 1
        if counts:
            self.guard.ended(item.outcome)
        if action == "Stop" and self.guard.tolerated is None and self.stopped_by is None:
            self.stopped_by = item

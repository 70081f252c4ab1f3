"""Several objects into Invoke-LMFunction: at most `limit` calls under way, each at most once.

Objects are read, bound, checked and confirmed in the caller's thread, one after the other; other threads only send.
"""

from __future__ import annotations

import contextlib
import pathlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from lmfunction._bulk_result import BulkResult
from lmfunction._dask_cluster import Cluster, cluster_of
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._failure_guard import FailureGuard
from lmfunction._feeding import Feeding
from lmfunction._item_keys import told_apart
from lmfunction._journal import given_back
from lmfunction._journaling import StoredItems, begun, open_run, unkept
from lmfunction._kept_run import KeptRun
from lmfunction._model import InvokeResult, Outcome
from lmfunction._out_file import OutFile
from lmfunction._progress import Progress, Viewers, shown
from lmfunction._senders import Delivery, Senders
from lmfunction._survey import Binding, consented_to_repeats, met_by_the_first, surveyed
from lmfunction._text import one_line
from lmfunction._thread_interrupts import interruptible_again
from lmfunction.errors import BulkError, InvocationInterrupted, ServiceError, TransportError

OnResult = Callable[[InvokeResult], None]

_WORDS: Final = {
    Outcome.OK: "succeeded",
    Outcome.ACCEPTED: "succeeded",
    Outcome.UNKNOWN: "unknown",
    Outcome.NOT_SENT: "were not sent",
}
DRAIN: Final = 10.0  # seconds that answers are waited for after Ctrl-C
_UNTOLD: Final = 0.3  # seconds of them that need no word


@dataclass(frozen=True)
class Terms:
    """How a run is made: calls under way at most, whether what may have run is sent again, the percentage that may
    fail (None: ErrorAction decides), the file that takes the results, and the Dask cluster that sends (as -Engine names
    it), with this process's credentials when they are shared.
    """

    limit: int = 10
    at_least_once: bool = False
    tolerated: float | None = None
    out_file: pathlib.Path | None = None
    engine: Any = None
    share_credential: bool = False
    item_key: str | None = None  # of a run without a journal, which looks after the keys itself


@dataclass(frozen=True)
class Watch:
    """Who is shown how a run goes on, and what is known of it beforehand; `total` None: nobody knows how many."""

    viewers: Viewers = ()
    title: str = "invocations"
    total: int | None = None


def invoke_many(
    objects: Iterable[Any],
    bind: Binding,
    engine: Engine,
    door: Door,
    on_result: OnResult,
    terms: Terms,
    watch: Watch = Watch(),
) -> BulkResult:
    """Invokes once for each of `objects`, whose parameters `bind` gives.

    With ErrorAction Stop the first failure ends the feeding; calls under way are waited for, then BulkError is raised,
    whose `result` holds everything; so it is when the objects themselves cannot be read on. On Ctrl-C nothing more is
    sent, not even again; the answers of calls under way are waited for, 10 s at most or until Ctrl-C comes again, then
    InvocationInterrupted is raised, with `result` too. Where a guard refuses them before the first is sent it is
    GuardError.
    """
    with given_back():
        return ready_many(objects, bind, engine, door, on_result, terms, watch)()


def ready_many(
    objects: Iterable[Any],
    bind: Binding,
    engine: Engine,
    door: Door,
    on_result: OnResult,
    terms: Terms,
    watch: Watch = Watch(),
    *,
    behind: Door | None = None,
) -> ManyCalls:
    """The calls of `invoke_many`, made ready: what a guard, a person or a journal has against them was raised.

    `behind` is the door of calls that are made elsewhere than here, where nobody can be asked.
    """
    stored = isinstance(objects, StoredItems)
    if terms.item_key is not None and not stored:
        objects = told_apart(objects, terms.item_key, at_hand=watch.total is not None)
    if terms.at_least_once:
        consented = consented_to_repeats(iter(objects), bind, engine, door)
        objects = objects if stored or isinstance(objects, Collection) else consented
    objects, batch = surveyed(objects, watch.total, bind, engine, door)
    if behind is not None and not stored:
        objects = met_by_the_first(objects, batch, bind, engine, door)
    with given_back():  # in case that anything comes between, such as Ctrl-C
        kept, cluster = (None, None) if batch.dry else _opened(terms, bind, engine, door)
        run = BulkResult(
            lambda again: invoke_many(
                again,
                unkept(bind),
                engine,
                door,
                on_result,
                replace(terms, out_file=None, item_key=None),
                replace(watch, total=len(again)),
            ),
            None if terms.out_file is None or batch.dry else OutFile(terms.out_file),
        )
        own = behind or door
        delivery = Delivery(terms.at_least_once, kept, cluster, terms.share_credential)
        senders = Senders(engine, own, terms.limit, delivery)
        feeding = Feeding(run, senders, bind, engine, own, on_result, batch, FailureGuard(terms.tolerated), kept)
        ready = ManyCalls(feeding, own, watch, engine.policy.clock)
        if kept is None:
            ready.begin(lambda: iter(objects))
        else:
            source = None if stored else iter(objects)
            ready.begin(lambda: begun(kept, run, source, watch.total, bind, engine))
        return ready


def _opened(terms: Terms, bind: Binding, engine: Engine, door: Door) -> tuple[KeptRun | None, Cluster | None]:
    """The run with its journal and the cluster that sends, where the line asks for them."""
    cluster = cluster_of(terms.engine)
    try:
        return open_run(bind, engine, door), cluster
    except BaseException:
        if cluster is not None:
            cluster.close()
        raise


class ManyCalls:
    """Calls made ready, of which nothing is sent before it is called. `run` holds what becomes of them."""

    def __init__(self, feeding: Feeding, door: Door, watch: Watch, clock: Callable[[], float]) -> None:
        self.run = feeding.run
        self.kept = feeding.kept
        self._feeding = feeding
        self._door = door
        self._watch = watch
        self._clock = clock
        self._source: Iterator[Any] = iter(())
        self._start = time.monotonic()

    def begin(self, read: Callable[[], Iterator[Any]]) -> None:
        """Gets the objects, by `read`."""
        try:
            with self._stopping():
                self._source = read()
        except BaseException:
            self._end()
            raise
        if self.kept is not None:
            states = self.kept.states
            self._feeding.earlier = len(states) - states.number_in(self.kept.sendable)

    def progress(self, elapsed: float) -> Progress:
        """How far they are, after so many seconds."""
        return self._feeding.progress(self._watch.title, self._watch.total, elapsed)

    def __call__(self) -> BulkResult:
        """Makes the calls. Raises what `invoke_many` does."""
        feeding = self._feeding
        try:
            with self._stopping(), shown(self._watch.viewers, self.progress, self._clock, end="ended after"):
                feeding.feed(self._source)
        finally:
            self._end()
        if feeding.batch.dry:
            self._door.show(feeding.batch.plan.resolved())
        _raise_for_the_end(feeding)
        return self.run

    @contextlib.contextmanager
    def _stopping(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            raise _interrupted(self._feeding, self._door) from None

    def _end(self) -> None:
        run, senders = self.run, self._feeding.senders
        senders.dismiss()
        run.elapsed_ms = (time.monotonic() - self._start) * 1000
        run.possible_duplicates = senders.possible_duplicates
        if self.kept is not None:
            self.kept.end()
        if isinstance(run.items, OutFile):
            run.items.finish(complete=self._feeding.complete)


def _raise_for_the_end(feeding: Feeding) -> None:
    """Raises what ended the run before its objects did."""
    run, kept = feeding.run, feeding.kept
    if feeding.batch.closed is not None:
        refusal = feeding.batch.closed
        raise (
            _ended(feeding, f"Stopped at object {len(run.items):,}: {refusal.args[0]}", refusal)
            if _sent(run)
            else refusal
        )
    unwritten = kept.failed if kept is not None and kept.failed is not None else feeding.unkept
    if unwritten is not None:
        raise _ended(feeding, str(unwritten.args[0]), unwritten) if _sent(run) else unwritten
    if feeding.senders.refused is not None:
        refused = feeding.senders.refused
        what = "The credentials are no longer taken" if isinstance(refused, ServiceError) else "Stopped"
        raise _ended(feeding, f"{what}: {refused.args[0]}", refused)
    if feeding.guard.tripped:
        raise _ended(feeding, f"Stopped: {feeding.guard.tripped}.")
    if feeding.stopped_by is not None:
        first = feeding.stopped_by
        raise _ended(feeding, f"Stopped at object {first.index + 1}: {first.told()}", request_id=first.request_id)
    if feeding.unreadable is not None:
        why = one_line(f"{type(feeding.unreadable).__name__}: {feeding.unreadable}", 200)
        raise _ended(feeding, f"Object {len(run.items) + 1} could not be read: {why}", feeding.unreadable)
    if kept is not None and dict(run.outcomes()).get(Outcome.UNKNOWN):
        raise _left_unknown(run, kept)


def _sent(run: BulkResult) -> bool:
    """Whether anything of it was sent, so that an error must bring it along."""
    return any(count for outcome, count in run.outcomes() if outcome is not Outcome.NOT_SENT)


def _ended(feeding: Feeding, what: str, why: Exception | None = None, *, request_id: str | None = None) -> BulkError:
    """The error of a run that ended for `why`: `what` happened, how far it came, how it can go on."""
    kept = feeding.kept
    resumed = "" if kept is None or kept.failed is not None else " The line with -Resume goes on from there."
    shown = f"\n  RequestId: {request_id}" if request_id else ""
    error = BulkError(
        f"{what}\n  {_told(feeding.run)} Nothing more was sent. The error's .result holds them all.{resumed}{shown}",
        result=feeding.run,
    )
    error.request_id = request_id or getattr(why, "request_id", None)
    error.__cause__ = why
    return error


def _left_unknown(run: BulkResult, kept: KeptRun) -> BulkError:
    first = next(run.of(Outcome.UNKNOWN))
    count = dict(run.outcomes())[Outcome.UNKNOWN]
    return BulkError(
        f"Of {count:,} item{'' if count == 1 else 's'} nobody knows whether {'it' if count == 1 else 'they'} ran; the "
        f"first is object {first.index + 1}: {first.told()}\n  {_told(run)} The error's .result holds them all, and "
        f"export_lm_run {one_line(kept.journal.path, 200)} -Outcome UNKNOWN lists them.",
        result=run,
    )


def _told(run: BulkResult) -> str:
    counts: Counter[str] = Counter()
    for outcome, count in run.outcomes():
        counts[_WORDS.get(outcome, "failed")] += count
    told = ", ".join(f"{counts[what]:,} {what}" for what in ("succeeded", "failed", "unknown") if counts[what])
    return f"{told}." if told else "None had succeeded."


def _succeeded(run: BulkResult) -> int:
    return sum(count for outcome, count in run.outcomes() if outcome in (Outcome.OK, Outcome.ACCEPTED))


def _interrupted(feeding: Feeding, door: Door) -> InvocationInterrupted:
    run, senders, kept = feeding.run, feeding.senders, feeding.kept
    with contextlib.suppress(KeyboardInterrupt), interruptible_again():
        senders.stop_sending()
        feeding.drain(_UNTOLD)
        if senders.open:
            calls = f"{senders.open:,} call{'' if senders.open == 1 else 's'}"
            door.tell("notice", f"Stopping: waiting for {calls} under way; Ctrl-C again to leave them.")
            feeding.drain(DRAIN)
    under_way = senders.abandon()
    for item in under_way:
        if item.error is None and item.result is None:
            item.error = TransportError("Stopped while the call was under way.", sent=None, outcome="UNKNOWN")
            run.ended(item)
    resumed = "" if kept is None else f" resume_lm_run {one_line(kept.journal.path, 200)} goes on with the run."
    running = " and may still be running; AWS cannot cancel an invocation" if under_way else ""
    return InvocationInterrupted(
        f"Stopped. {_succeeded(run):,} had succeeded, {len(under_way):,} were under way{running}. The error's .result "
        f"holds what is known.{resumed}",
        sent=None if under_way else False,
        result=run,
    )

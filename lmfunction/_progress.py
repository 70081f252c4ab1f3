"""How a wait goes on, and when that is worth showing. The doors draw; what is drawn when is decided here.

A door lends viewers, each with its own pace: a card may change twice a second, the line of a log every half minute.
Nothing is drawn of a wait that ends before a viewer's first time. Drawing happens in the thread that waits, between two
looks at the network (`_waiting`), so that a notebook puts it under the right cell.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lmfunction._text import duration, one_line
from lmfunction._waiting import ticking

FIRST: Final = 1.0  # seconds before a person is shown anything
EVERY: Final = 0.5
LOG_EVERY: Final = 30.0  # seconds between two lines where nobody watches


@dataclass(frozen=True, slots=True)
class Counts:
    """How far several invocations are. `done` have ended, `failed` of them badly; `total` None: nobody knows yet.

    `throttled` is how often Lambda answered 429; `earlier` of `done` ended in the run that this one goes on with.
    """

    done: int
    failed: int
    in_flight: int
    total: int | None = None
    throttled: int = 0
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """A wait as it stands: `elapsed` and `limit` in seconds; `ended` tells how, once it has: "waited"."""

    title: str
    elapsed: float
    limit: float | None = None
    counts: Counts | None = None
    on_stop: str = ""  # what stopping does: "leaves the function running"
    ended: str = ""

    @property
    def facts(self) -> tuple[str, ...]:
        """What there is to tell, in a few words each."""
        if self.counts is None:
            limit = f" of at most {_whole(self.limit)}" if self.limit is not None and not self.ended else ""
            return (f"{self.ended} {_time(self.elapsed)}" if self.ended else f"{_whole(self.elapsed)}{limit}",)
        return (*self._counted(self.counts), *((f"{self.ended} {_time(self.elapsed)}",) if self.ended else ()))

    @property
    def text(self) -> str:
        """One line for people."""
        return f"{one_line(self.title, 120)}: {', '.join(self.facts)}"

    def _counted(self, counts: Counts) -> Iterator[str]:
        yield f"{counts.done:,}{f' of {counts.total:,}' if counts.total is not None else ''} done"
        if counts.failed:
            yield f"{counts.failed:,} failed"
        if counts.in_flight:
            yield f"{counts.in_flight:,} in flight"
        if counts.throttled:
            yield f"{counts.throttled:,} × 429"
        rate = (counts.done - counts.earlier) / self.elapsed if self.elapsed > 0 else 0.0
        if rate:
            yield f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s" if rate >= 0.1 else f"{rate * 60:.1f}/min"
        if self.ended:
            return
        yield _whole(self.elapsed)
        if rate and counts.total is not None and counts.total > counts.done:
            yield f"about {_whole(max((counts.total - counts.done) / rate, 1.0))} left"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Where a wait is drawn: first after `after` seconds, then every `every` seconds, and once more when it ended."""

    draw: Callable[[Progress], None]
    after: float = FIRST
    every: float = EVERY


Viewers = Sequence[Viewer]


class Meter:
    """Shows one wait to its viewers. `look` gives the wait as it stands, for the seconds since it began.

    It begins with the first tick, so that the making of a client is no part of it, as it is none of `elapsed_ms`.
    """

    def __init__(
        self, viewers: Viewers, look: Callable[[float], Progress], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look = look
        self._clock = clock
        self._start: float | None = None
        self._due = {viewer: viewer.after for viewer in viewers}
        self._drawn: list[Viewer] = []

    def tick(self) -> None:
        """Draws where it is time to."""
        elapsed = self._elapsed()
        for viewer, due in list(self._due.items()):
            if elapsed >= due:
                self._due[viewer] = elapsed + viewer.every
                if viewer not in self._drawn:
                    self._drawn.append(viewer)
                self._draw(viewer, elapsed)

    def end(self, how: str) -> None:
        """Draws the end wherever something was drawn; nothing is drawn after it, though an answer is still read."""
        elapsed = self._elapsed()
        self._due.clear()
        while self._drawn:
            self._draw(self._drawn.pop(), elapsed, how)

    def _elapsed(self) -> float:
        now = self._clock()
        if self._start is None:
            self._start = now
        return now - self._start

    def _draw(self, viewer: Viewer, elapsed: float, ended: str = "") -> None:
        try:
            viewer.draw(replace(self._look(elapsed), ended=ended))
        except Exception:  # noqa: BLE001 - a closed terminal or a broken front end must not cost a call its answer
            self._due.pop(viewer, None)
            if viewer in self._drawn:
                self._drawn.remove(viewer)


@contextlib.contextmanager
def shown(
    viewers: Viewers,
    look: Callable[[float], Progress],
    clock: Callable[[], float] = time.monotonic,
    *,
    end: str = "waited",
) -> Iterator[None]:
    """Shows to `viewers` how long the work inside takes, as `look` sees it. `end` stands before the time at a good end.

    Without viewers nothing is done.
    """
    if not viewers:
        yield
        return
    meter = Meter(viewers, look, clock)
    how = end
    try:
        with ticking(meter.tick):
            yield
    except KeyboardInterrupt:
        how = "stopped after"
        raise
    except BaseException:
        how = "failed after"
        raise
    finally:
        meter.end(how)


def wanted(arguments: Mapping[str, Any], action: str, viewers: Callable[[], Viewers]) -> Viewers:
    """The viewers, unless ProgressAction of the call's `arguments`, else the door's `action`, wants silence."""
    return viewers() if arguments.get("progress_action", action) == "Continue" else ()


def _whole(seconds: float) -> str:
    """`12 s`, `3 min 20 s`, `2 h 5 min`: whole numbers, which stand still between two looks."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (0 if hours else rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def _time(seconds: float) -> str:
    return duration(seconds * 1000)

"""How many calls may be under way, and when the next may go: what a run learns of throttling.

The window of calls under way grows with each success by two, after the first refusal by one a round trip. A refusal
because too many run at once says how many are taken: those that are under way beside it. To that the window shrinks, by
a fifth at most each time, and there it stays but for a probe now and then, so that a service whose limit stands is used
as a whole and asked in vain for one call in fifty at most. (A window that shrinks by a fifth and grows again, as in
TCP, uses nine tenths of a limit, and of a small one is refused every tenth call.) When a probe is taken the limit was
raised: the window grows ever faster until it meets the new one. Said too many come a second, the rate
is halved instead. A call refused so did not run: it goes to the back of the queue and waits its turn, however often.
Everything is of one thread, and told the time by its caller.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

FIRST_WINDOW: Final = 10
LONGEST: Final = 20.0  # seconds between two tries
BASE: Final = 0.2
RETRY_AFTER_CAP: Final = 60.0
REMEMBERED: Final = 600.0  # seconds that a good window is believed in
NO_SUCCESS: Final = 300.0  # seconds without a success after which people are told
_SHRINK: Final = 0.8
# How much the window grows: with each success at first, and where an earlier run was refused; then, with a round trip,
# beyond what was taken before, as a share of how far it is beyond; and where one more was refused.
_AT_FIRST: Final = 2.0
_QUICK: Final = 0.25
_PROBE: Final = 0.1
_BY_RATE: Final = frozenset(
    [
        "FunctionInvocationRateLimitExceeded",
        "ReservedFunctionInvocationRateLimitExceeded",
        "CallerRateLimitExceeded",
    ]
)
_SNAPSHOT: Final = "ConcurrentSnapshotCreateLimitExceeded"
_SNAPSHOT_HOLD: Final = (5.0, 30.0)
_REPEATS: Final = 0.1  # resends of other refusals, as a share of the successes
_SPARE_REPEATS: Final = 10.0
_SAMPLES: Final = 512


@dataclass
class Remembered:
    """The window with which a run of a function ended, and whether it is that because Lambda refused more."""

    window: float
    refused: bool


@dataclass
class Memory:
    """What the last run of each function learned, for ten minutes; of this process only."""

    clock: Callable[[], float]

    def __post_init__(self) -> None:
        self._kept: dict[Hashable, tuple[float, Remembered]] = {}

    def recall(self, name: Hashable) -> Remembered | None:
        """What is known of `name`, when that is not long ago."""
        found = self._kept.get(name)
        return found[1] if found is not None and self.clock() - found[0] < REMEMBERED else None

    def keep(self, name: Hashable, traffic: Traffic) -> None:
        """Keeps what a run of `name` learned."""
        self._kept[name] = (self.clock(), Remembered(traffic.window, traffic.throttled_count > 0))


class Traffic:
    """The window of one run. Times are in seconds of the caller's clock; `random` gives 0 to 1."""

    def __init__(self, limit: int, random: Callable[[], float], now: float, earlier: Remembered | None = None) -> None:
        first = FIRST_WINDOW if earlier is None else earlier.window
        if earlier is None or not earlier.refused:  # an earlier run that was a small one says nothing against more
            first = max(first, FIRST_WINDOW)
        self.limit = limit
        self.window = min(float(limit), first)
        self._random = random
        self._begins = True  # nothing was refused yet
        self._first_growth = _QUICK if earlier is not None and earlier.refused else _AT_FIRST
        self._ceiling = float(limit)  # calls at a time that were taken when one more was not
        self._latency = 0.0
        self._shrunk = -1e9
        self.held_until = -1e9
        self._rate: float | None = None  # calls a second, once Lambda has said that they are too many
        self._tokens = 0.0
        self._filled = now
        self._in_a_row = 0
        self._spare = _SPARE_REPEATS
        self._recent = 0
        self._recent_since = now
        self.last_success = now
        self.throttled_count = 0

    def room(self, in_flight: int, now: float) -> int:
        """How many more calls may go now."""
        if now < self.held_until:
            return 0
        free = int(self.window) - in_flight
        if self._rate is None or free <= 0:
            return free
        self._tokens = min(self._tokens + (now - self._filled) * self._rate, max(self._rate / 10, 1.0))
        self._filled = now
        return min(free, int(self._tokens))

    def wakes_at(self, now: float) -> float:
        """When room is there again, as far as the time decides it."""
        if now < self.held_until:
            return self.held_until
        if self._rate is not None and self._tokens < 1:
            return now + (1 - self._tokens) / self._rate
        return now

    def went(self, count: int, now: float) -> None:
        """Takes note of calls that went."""
        if self._rate is not None:
            self._tokens -= count
            return
        if now - self._recent_since > 1.0:
            self._recent, self._recent_since = 0, now
        self._recent += count

    def succeeded(self, latency: float, now: float) -> None:
        """Takes note of a call that Lambda took."""
        self._latency = latency if not self._latency else 0.9 * self._latency + 0.1 * latency
        self._in_a_row = 0
        self.last_success = now
        self._spare = min(self._spare + _REPEATS, 1000.0)
        if self.window < self.limit:
            self.window = min(self.window + self._growth(), float(self.limit))
        if self._rate is not None:
            self._rate += 0.5 / max(self._rate * max(self._latency, 0.01), 1.0)

    def throttled(self, reason: str | None, retry_after: float | None, others: int, now: float) -> None:
        """Takes note of a 429 and its reason; `others` are under way beside the call that was refused."""
        self.throttled_count += 1
        if not others:  # those that were under way together are refused for one reason, not one after the other
            self._in_a_row += 1
        self._begins = False
        hold = min(retry_after or 0.0, RETRY_AFTER_CAP)
        if reason == _SNAPSHOT:
            low, high = _SNAPSHOT_HOLD
            hold = max(hold, low + self._random() * (high - low))
        elif reason in _BY_RATE:
            self._halve_rate(now)
        else:
            self.window = max(1.0, min(self.window, max(float(others), self.window * _SHRINK)))
            self._ceiling = self.window
        if self.window == 1.0 and self._in_a_row > 1:
            # Nothing gets through: one try now and then finds out when that changes.
            hold = max(hold, min(LONGEST, BASE * 2.0 ** min(self._in_a_row, 64)))
        self.held_until = max(self.held_until, now + hold)

    def _growth(self) -> float:
        if self._begins:
            return self._first_growth
        beyond = self.window - self._ceiling
        return (_PROBE if 0 <= beyond <= 1 else max(1.0, _QUICK * beyond)) / self.window

    def pause(self, tries: int) -> float:
        """How long a call that was refused for the `tries`-th time waits before its next."""
        return self._random() * min(LONGEST, BASE * 2.0 ** min(tries, 64))

    def may_repeat(self) -> bool:
        """Whether one more refusal that is no throttling may be answered by another try; it is taken from a budget."""
        if self._spare < 1:
            return False
        self._spare -= 1
        return True

    def _halve_rate(self, now: float) -> None:
        if now - self._shrunk < max(self._latency, 0.001):
            return
        self._shrunk = now
        if self._rate is None:
            self._rate = max(self._recent / max(now - self._recent_since, 0.05), 2.0)
            self._tokens, self._filled = 0.0, now
        self._rate = max(self._rate / 2, 0.05)


class Course:
    """How a run went: at most 512 moments of it, as (seconds since its begin, calls in flight, 429s so far)."""

    def __init__(self, now: float) -> None:
        self.samples: list[tuple[float, int, int]] = []
        self._began = now
        self._apart = 0.01  # seconds

    def note(self, now: float, in_flight: int, throttled: int) -> None:
        """Takes note of a moment, unless the last one was just before."""
        elapsed = now - self._began
        if self.samples and elapsed - self.samples[-1][0] < self._apart:
            return
        if len(self.samples) == _SAMPLES:  # half of them will do: enough for a run of any length, and not too many
            self._apart *= 2
            self.samples = self.samples[::2]
        self.samples.append((elapsed, in_flight, throttled))

"""How a run learns of throttling: simulated in a time of its own against services of known limits."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable

import pytest

from lmfunction._traffic import FIRST_WINDOW, LONGEST, REMEMBERED, Course, Memory, Remembered, Traffic

BY_NUMBER = "ReservedFunctionConcurrentInvocationLimitExceeded"
BY_RATE = "FunctionInvocationRateLimitExceeded"
SNAPSHOT = "ConcurrentSnapshotCreateLimitExceeded"


class Simulation:
    """A run of `items` calls of `latency` seconds; `limit` gives how many Lambda takes at a time, by the time."""

    def __init__(
        self, traffic: Traffic, items: int, latency: float, limit: Callable[[float], int], until: float = 1e9
    ) -> None:
        self.now = 0.0
        self.successes: list[float] = []
        self.refusals: list[float] = []
        self.most = 0
        dice = random.Random(7)
        ready = items
        running = taken = 0
        tries: dict[int, int] = {}
        numbers = itertools.count()
        events: list[tuple[float, int, str]] = []
        while (ready or events) and self.now < until:
            while ready and traffic.room(running, self.now) > 0:
                ready -= 1
                running += 1
                traffic.went(1, self.now)
                kind, after = ("answer", latency) if taken < limit(self.now) else ("refused", 0.005)
                taken += kind == "answer"
                heapq.heappush(events, (self.now + after, next(numbers), kind))
                self.most = max(self.most, running)
            wakes = traffic.wakes_at(self.now) if ready else 1e12
            if not events or (ready and self.now < wakes < events[0][0]):
                self.now = max(wakes, self.now + 0.001)
                continue
            self.now, number, kind = heapq.heappop(events)
            if kind == "answer":
                running -= 1
                taken -= 1
                self.successes.append(self.now)
                traffic.succeeded(latency, self.now)
            elif kind == "refused":
                running -= 1
                self.refusals.append(self.now)
                traffic.throttled(BY_NUMBER, None, running, self.now)
                tries[number] = tries.get(number, 0) + 1
                heapq.heappush(events, (self.now + dice.random() * 0.4, next(numbers), "back"))
            else:
                ready += 1


def traffic(limit: int, window: float | None = None, *, refused: bool = False) -> Traffic:
    earlier = None if window is None else Remembered(window, refused)
    return Traffic(limit, random.Random(3).random, 0.0, earlier)


@pytest.mark.parametrize(("limit", "window"), [(20, 100), (5, 100), (50, 200), (20, 1000)])
def test_it_finds_a_limit_and_stays_close_to_it(limit: int, window: int) -> None:
    """Nothing is lost, at most 5 refusals for 100 successes, and at most 1.3 times the ideal time."""
    items = 75 * limit
    seen = Simulation(traffic(window), items, 0.1, lambda _: limit)
    assert len(seen.successes) == items
    assert len(seen.refusals) / items <= 0.05
    assert seen.now <= 1.3 * items / limit * 0.1


def test_it_recovers_when_the_limit_rises() -> None:
    """Ten seconds after a limit went from 5 to 50 at least 40 of them are used."""
    seen = Simulation(traffic(100), 10_000, 0.1, lambda now: 5 if now < 5 else 50)
    late = [at for at in seen.successes if 15 <= at < 17]
    assert len(late) >= 0.8 * 50 * 10 * 2


def test_where_nothing_gets_through_it_asks_seldom() -> None:
    """With a limit of 0 it ends at one call every 20 s."""
    seen = Simulation(traffic(100), 50, 0.1, lambda _: 0, until=600)
    late = [at for at in seen.refusals if at > 100]
    assert late
    assert min(after - before for before, after in itertools.pairwise(late)) >= LONGEST


def test_without_refusals_the_window_opens_in_a_few_round_trips() -> None:
    """A thousand at a time are under way within half a second of 50 ms calls."""
    seen = Simulation(traffic(1000), 20_000, 0.05, lambda _: 10_000)
    assert seen.most == 1000
    assert seen.now <= 1.3
    assert not seen.refusals


def test_a_rate_reason_slows_down_and_leaves_the_window() -> None:
    """The window stays, the calls a second are halved, once a round trip."""
    found = traffic(100, 100.0)
    found.went(50, 0.5)
    found.succeeded(0.1, 0.5)
    found.throttled(BY_RATE, None, 50, 0.6)
    found.throttled(BY_RATE, None, 50, 0.61)
    assert found.window == 100
    assert found.room(0, 0.6) == 0
    went = 0
    for step in range(100):
        room = found.room(0, 0.6 + step / 100)
        found.went(room, 0.6 + step / 100)
        went += room
    assert 20 <= went <= 60  # 83 a second before


def test_a_snapshot_reason_holds_everything() -> None:
    """Between 5 and 30 s, then it goes on."""
    found = traffic(10)
    found.throttled(SNAPSHOT, None, 5, 1.0)
    assert found.room(0, 5.9) == 0
    assert 6.0 <= found.held_until <= 31.0
    assert found.room(0, 31.1) > 0


@pytest.mark.parametrize(("asked", "held"), [(7.0, 7.0), (3600.0, 60.0), (None, 0.0)])
def test_retry_after_is_the_least_wait(asked: float | None, held: float) -> None:
    """Up to a minute."""
    found = traffic(10)
    found.throttled(BY_NUMBER, asked, 9, 100.0)
    assert found.held_until == 100.0 + held


def test_the_window_shrinks_to_what_is_taken() -> None:
    """Many refusals of one moment are one piece of news: the calls under way beside them are those that are taken."""
    found = traffic(100, 50.0)
    found.succeeded(0.1, 0.0)
    for others in range(49, 41, -1):
        found.throttled(BY_NUMBER, None, others, 1.0)
    assert found.window == 42
    found.throttled(BY_NUMBER, None, 3, 1.2)  # few were under way: that says little
    assert found.window == pytest.approx(42 * 0.8)


def test_pauses_have_full_jitter_and_an_end() -> None:
    """From nothing to 0.2 s doubled each time, never more than 20 s."""
    assert Traffic(1, lambda: 1.0, 0.0).pause(1) == 0.4
    assert Traffic(1, lambda: 1.0, 0.0).pause(1000) == LONGEST
    assert Traffic(1, lambda: 0.0, 0.0).pause(5) == 0.0


def test_repeats_of_other_refusals_have_a_budget() -> None:
    """Ten, and then one for each ten successes."""
    found = traffic(10)
    assert sum(found.may_repeat() for _ in range(50)) == 10
    for _ in range(35):
        found.succeeded(0.1, 0.0)
    assert sum(found.may_repeat() for _ in range(50)) == 3


def test_a_good_window_is_remembered_for_ten_minutes() -> None:
    """Of each function its own; then it is probed anew."""
    now = [0.0]
    memory = Memory(lambda: now[0])
    memory.keep("f", traffic(100, 64.0))
    now[0] = REMEMBERED - 1
    assert (memory.recall("f"), memory.recall("g")) == (Remembered(64.0, refused=False), None)
    now[0] = REMEMBERED + 1
    assert memory.recall("f") is None
    assert traffic(20, 64.0).window == 20


def test_what_a_small_run_ended_with_holds_no_large_one_back() -> None:
    """Three at a time that were all taken say nothing against ten."""
    small = traffic(3)
    small.succeeded(0.1, 0.0)
    memory = Memory(lambda: 0.0)
    memory.keep("f", small)
    assert Traffic(1000, random.random, 0.0, memory.recall("f")).window == FIRST_WINDOW


@pytest.mark.parametrize(("limit", "most"), [(20, 0.05), (10_000, 0.0)])
def test_a_run_after_a_throttled_one_begins_with_its_window_and_soon_has_more(limit: int, most: float) -> None:
    """Where the limit stands few are refused; where it is gone, a thousand are under way after two seconds."""
    seen = Simulation(traffic(1000, 20.0, refused=True), 75 * min(limit, 1000), 0.05, lambda _: limit, until=2.0)
    assert len(seen.refusals) <= most * len(seen.successes)
    assert seen.most == (1000 if limit > 1000 else seen.most)
    assert seen.most <= 25 or limit > 1000


def test_a_limit_that_is_lifted_in_a_run_is_soon_made_use_of() -> None:
    """From 20 to 1,000 at a time within five seconds of 100 ms calls; few are refused on the way."""
    seen = Simulation(traffic(1000), 60_000, 0.1, lambda now: 20 if now < 3 else 1000, until=10)
    late = [at for at in seen.successes if 8 <= at < 10]
    assert len(late) >= 0.8 * 1000 * 10 * 2
    assert len(seen.refusals) <= 0.05 * len(seen.successes)


@pytest.mark.parametrize("seconds", [0.3, 60.0, 7200.0])
def test_the_course_of_a_run_of_any_length_has_enough_moments_and_not_too_many(seconds: float) -> None:
    """From its begin to its end, in order."""
    course = Course(100.0)
    for step in range(20_000):
        course.note(100.0 + seconds * step / 20_000, step, 0)
    assert 25 <= len(course.samples) <= 512
    at = [moment for moment, _, _ in course.samples]
    assert at == sorted(at)
    assert at[0] == 0.0
    assert at[-1] >= 0.9 * seconds

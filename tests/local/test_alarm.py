"""The alarm rings once, at the time that was set last, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lmfunction.local._alarm import Alarm


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time moves on to the next timer instead of waiting for it."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        scheduled: list[Any] = self._scheduled  # type: ignore[attr-defined]
        times = [handle.when() for handle in scheduled if not handle.cancelled()]
        if times and not self._ready:  # type: ignore[attr-defined]
            self.now = max(self.now, min(times))
        super()._run_once()  # type: ignore[misc]


def rung(*steps: tuple[float, float | None]) -> list[float]:
    """When the alarm rings, after `set(seconds)`, or `clear()` for None, at the given times."""

    async def run() -> list[float]:
        loop = asyncio.get_running_loop()
        alarm, times = Alarm(), list[float]()
        for at, seconds in steps:
            await asyncio.sleep(at - loop.time())
            if seconds is None:
                alarm.clear()
            else:
                alarm.set(seconds, lambda: times.append(loop.time()))
            assert alarm.is_set == (seconds is not None)
        await asyncio.sleep(100)
        assert not alarm.is_set
        return times

    with asyncio.Runner(loop_factory=Clock) as runner:
        return runner.run(run())


@pytest.mark.parametrize(
    ("steps", "times"),
    [
        ([(0, 3)], [3]),
        ([(0, 3), (1, None)], []),
        ([(0, 3), (1, 3)], [4]),
        ([(0, 3), (1, None), (2, 3)], [5]),
        ([(0, 9), (1, 1)], [2]),
        ([(0, 9), (1, None), (2, 1)], [3]),
        ([(0, 1), (5, 1)], [1, 6]),
        ([(0, 1), (0.5, 9), (0.6, 0.1)], [0.7]),
    ],
)
def test_rings_when_set_last(steps: list[tuple[float, float | None]], times: list[float]) -> None:
    """Later, sooner, cleared and set anew: only what was set last counts."""
    assert rung(*steps) == pytest.approx(times)


def test_a_thousand_settings_are_one_timer() -> None:
    """Setting and clearing for each invocation leaves one timer in the event loop; closing leaves none."""

    async def run() -> None:
        scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
        alarm = Alarm()
        for _ in range(1000):
            alarm.set(60, lambda: None)
            alarm.clear()
        assert len(scheduled) == 1
        alarm.close()
        assert all(handle.cancelled() for handle in scheduled)

    asyncio.run(run())

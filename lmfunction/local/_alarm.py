"""An alarm that is set and cleared thousands of times a second, and hardly ever rings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls a function of the event loop's thread when its time has come.

    The event loop's own timer is left where it is when the alarm is cleared or set to later, and is moved on when it
    rings too early: a timer for each invocation would cost more than signing it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._then: Callable[[], None] | None = None
        self._due = 0.0

    @property
    def is_set(self) -> bool:
        """Whether it is going to ring."""
        return self._then is not None

    def set(self, seconds: float, then: Callable[[], None]) -> None:
        """Has `then` called in so many seconds, and forgets what was set before."""
        self._then, self._due = then, self._loop.time() + seconds
        if self._timer is not None and self._timer.when() > self._due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(self._due, self._ring)

    def clear(self) -> None:
        """Forgets what was set."""
        self._then = None

    def close(self) -> None:
        """Forgets what was set, for good: the event loop no longer knows of it."""
        self._then = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        then = self._then
        if then is None:
            return
        if self._due > self._loop.time():
            self._timer = self._loop.call_at(self._due, self._ring)
            return
        self._then = None
        then()

"""The queue of asynchronous invocations: run when there is room, and tried again when the function fails.

An event that finds no room waits for it without counting as an attempt; one whose function fails is tried twice more
under the same request id (AWS waits 60 and 120 seconds in between). Events run on the code that is current when they
start. The queue lives in memory and ends with the server.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from lmfunction.local._fleet import Fleet
from lmfunction.local._functions import Functions
from lmfunction.local._invocation import Invocation, Outcome

_BYTES_LIMIT: Final = 268_435_456


@dataclass(slots=True)
class _Event:
    invocation: Invocation
    qualifier: str | None
    attempts: int = 0


@dataclass(slots=True)
class EventQueue:
    """Asynchronous invocations of all functions. `told` hears the outcome of every attempt."""

    fleet: Fleet
    functions: Functions
    retry_delays: tuple[float, ...]
    told: Callable[[Invocation, Outcome], None]
    _waiting: dict[str, deque[_Event]] = field(default_factory=dict)
    _delayed: set[asyncio.TimerHandle] = field(default_factory=set)
    _bytes: int = 0

    def put(self, invocation: Invocation, qualifier: str | None) -> bool:
        """Takes an invocation in; False when the queue is full (256 MB of events)."""
        if self._bytes + len(invocation.event) > _BYTES_LIMIT:
            return False
        self._bytes += len(invocation.event)
        self._enqueue(_Event(invocation, qualifier))
        return True

    def pump(self) -> None:
        """Starts what there is room for, of each function in the order of arrival."""
        for name in list(self._waiting):
            queue = self._waiting.get(name)
            while queue:
                event = queue.popleft()  # first, because a start that fails comes back here
                if not self._start(event):
                    queue.appendleft(event)
                    break
            if not queue:
                self._waiting.pop(name, None)

    def close(self) -> None:
        """Forgets what waits."""
        for handle in self._delayed:
            handle.cancel()
        self._delayed.clear()
        self._waiting.clear()

    def _enqueue(self, event: _Event) -> None:
        self._waiting.setdefault(event.invocation.configuration.name, deque()).append(event)
        asyncio.get_running_loop().call_soon(self.pump)

    def _start(self, event: _Event) -> bool:
        """Starts an event; False when there is no room. An event whose function is gone is dropped."""
        function = self.functions.get(event.invocation.configuration.name)
        current = function.resolve(event.qualifier) if function is not None else None
        if current is None:
            self._bytes -= len(event.invocation.event)
            return True
        invocation = replace(
            event.invocation, configuration=current, done=lambda outcome: self._attempted(event, outcome)
        )
        return self.fleet.run(invocation) is None

    def _attempted(self, event: _Event, outcome: Outcome) -> None:
        event.attempts += 1
        self.told(event.invocation, outcome)
        if outcome.error is None or event.attempts > len(self.retry_delays):
            self._bytes -= len(event.invocation.event)
            return
        loop = asyncio.get_running_loop()
        delay = self.retry_delays[event.attempts - 1]
        handle: asyncio.TimerHandle = loop.call_later(delay, lambda: self._again(event, handle))
        self._delayed.add(handle)

    def _again(self, event: _Event, handle: asyncio.TimerHandle) -> None:
        self._delayed.discard(handle)
        self._enqueue(event)

"""The queue of asynchronous invocations: run when there is room, tried again when the function fails, then sent on.

As recorded from AWS: an event whose function fails is tried twice more under the same request id (60 and 120 seconds
later), unless its rules say fewer or its age would pass their limit by then. One that finds no room waits for it
without counting as an attempt, up to its greatest age; one whose function has reserved no concurrency at all is given
up at once. Events run on the code that is current when they start. What became of an event goes to the destinations of
its function, at least once.

AWS asks again for room after 1 second, 2, 4 and so on up to 5 minutes. So does this queue, and it also asks whenever
an invocation ends or a function changes: who develops here need not wait for a place that is free.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from lmfunction.local._answers import new_request_id
from lmfunction.local._delivery import Delivery, rules_of
from lmfunction.local._event import AGE_EXCEEDED, RETRIES_EXHAUSTED, SUCCESS, ZERO_CONCURRENCY, Event, Response
from lmfunction.local._functions import Configuration, Function, Functions
from lmfunction.local._invocation import Invocation, Outcome
from lmfunction.local._store import Store

BYTES_LIMIT: Final = 268_435_456
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 300.0


class Starter(Protocol):
    """What runs invocations: the fleet."""

    def run(self, invocation: Invocation) -> str | None:
        """Runs `invocation` and returns None, or the reason why it may not run now."""


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """Makes it not come."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The time in seconds since 1970, and calls that come later."""

    now: Callable[[], float] = time.time
    later: Callable[[float, Callable[[], None]], Timer] = lambda seconds, call: asyncio.get_running_loop().call_later(
        seconds, call
    )


@dataclass(slots=True)
class _Line:
    """The events of one function that may start, in the order of arrival, and when they ask for room again."""

    events: deque[Event] = field(default_factory=deque)
    wait: float = _FIRST_WAIT
    timer: Timer | None = None

    def stop_waiting(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class EventQueue:
    """Asynchronous invocations of all functions.

    `retry_delays` are the seconds before the further attempts; the last one holds for all that follow. `told` hears
    the outcome of every attempt, `say` what could not be delivered.
    """

    def __init__(
        self,
        fleet: Starter,
        functions: Functions,
        store: Store,
        *,
        retry_delays: tuple[float, ...],
        told: Callable[[Invocation, Outcome], None],
        say: Callable[[str], None],
        clock: Clock | None = None,
    ) -> None:
        self._fleet = fleet
        self._functions = functions
        self._store = store
        self._retry_delays = retry_delays
        self._told = told
        self._say = say
        self._delivery = Delivery(functions, say)
        self._clock = clock or Clock()
        self._lines: dict[str, _Line] = {}
        self._delayed: dict[int, Timer] = {}
        self._bytes = 0
        self._next_number = 1
        self._pumping = self._pump_again = self._closed = False

    def put(self, invocation: Invocation, qualifier: str | None, accepted: Callable[[bool], None]) -> bool:
        """Takes an invocation in; False when the queue is full (256 MB of events).

        `accepted` is called when it cannot be lost any more, or with False when it could not be stored.
        """
        if self._bytes + len(invocation.event) > BYTES_LIMIT:
            return False
        event = self._new_event(
            invocation.configuration.name,
            qualifier,
            invocation.arn,
            invocation.event,
            invocation.request_id,
            invocation.trace_id,
            invocation.tenant_id,
        )
        self._bytes += len(event.body)

        def stored(error: Exception | None) -> None:
            if error is None:
                self._enqueue(event)
            else:
                self._bytes -= len(event.body)
                self._say(f"An event of {event.name} could not be stored: {error}")
            accepted(error is None)

        self._store.add(event, stored)
        return True

    def restore(self, events: Iterable[Event]) -> None:
        """Takes in what an earlier server left."""
        for event in events:
            self._bytes += len(event.body)
            self._next_number = max(self._next_number, event.number + 1)
            self._delay(event)

    def pump(self) -> None:
        """Starts what there is room for, of each function in the order of arrival."""
        if not self._lines:
            return
        self._pump_again = True
        if self._pumping:  # a start that fails at once comes back here
            return
        self._pumping = True
        try:
            while self._pump_again:
                self._pump_again = False
                for name, line in list(self._lines.items()):
                    self._pump_line(name, line)
        finally:
            self._pumping = False

    def close(self) -> None:
        """Starts nothing more. What waits is left to the store."""
        self._closed = True
        for timer in self._delayed.values():
            timer.cancel()
        for line in self._lines.values():
            line.stop_waiting()
        self._delayed.clear()
        self._lines.clear()

    # -- waiting

    def _new_event(
        self,
        name: str,
        qualifier: str | None,
        arn: str,
        body: bytes,
        request_id: str,
        trace_id: str,
        tenant_id: str = "",
    ) -> Event:
        number, self._next_number = self._next_number, self._next_number + 1
        return Event(number, request_id, name, qualifier, arn, body, self._clock.now(), trace_id, tenant_id)

    def _delay(self, event: Event) -> None:
        """Enqueues an event when it is due."""

        def due() -> None:
            self._delayed.pop(event.number, None)
            self._enqueue(event)

        seconds = event.due - self._clock.now()
        if seconds > 0:
            self._delayed[event.number] = self._clock.later(seconds, due)
        else:
            self._enqueue(event)

    def _enqueue(self, event: Event) -> None:
        if self._closed:
            return
        self._lines.setdefault(event.name, _Line()).events.append(event)
        self._clock.later(0, self.pump)

    def _pump_line(self, name: str, line: _Line) -> None:
        started = False
        while line.events:
            event = line.events.popleft()
            if not self._start(event):
                line.events.appendleft(event)
                self._wait(line, anew=started)
                return
            started = True
        line.stop_waiting()
        self._lines.pop(name, None)

    def _wait(self, line: _Line, *, anew: bool) -> None:
        """Asks for room again in a while, and then ever more seldom."""
        if anew:
            line.stop_waiting()
            line.wait = _FIRST_WAIT
        if line.timer is None:
            line.timer = self._clock.later(line.wait, lambda: self._ask_again(line))

    def _ask_again(self, line: _Line) -> None:
        line.timer = None
        line.wait = min(line.wait * 2, _LONGEST_WAIT)
        waiting = list(line.events)
        line.events.clear()
        line.events.extend(event for event in waiting if not self._given_up(event))
        self.pump()

    # -- running

    def _start(self, event: Event) -> bool:
        """Starts an event, or gives it up; False when there is no room."""
        if self._given_up(event):
            return True
        configuration = self._resolve(event)
        assert configuration is not None
        invocation = Invocation(
            event.request_id,
            configuration,
            event.arn,
            event.body,
            done=lambda invocation, outcome: self._attempted(event, invocation, outcome),
            trace_id=event.trace_id,
            tenant_id=event.tenant_id,
        )
        return self._fleet.run(invocation) is None

    def _given_up(self, event: Event) -> bool:
        """Whether an event will not run (again), which is then concluded."""
        function = self._functions.get(event.name)
        if function is None or self._resolve(event) is None:
            self._drop(event)
        elif self._clock.now() > event.accepted + rules_of(function, event.qualifier).max_age:
            self._conclude(event, function, AGE_EXCEEDED)
        elif function.reserved == 0:
            self._conclude(event, function, ZERO_CONCURRENCY)
        else:
            return False
        return True

    def _attempted(self, event: Event, invocation: Invocation, outcome: Outcome) -> None:
        event.attempts += 1
        event.response = Response(outcome.payload, outcome.error, invocation.configuration.version)
        self._told(invocation, outcome)
        function = self._functions.get(event.name)
        if function is None:
            self._drop(event)
        elif outcome.error is None:
            self._conclude(event, function, SUCCESS)
        else:
            self._failed(event, function)

    def _failed(self, event: Event, function: Function) -> None:
        rules = rules_of(function, event.qualifier)
        if event.attempts > rules.retries:
            self._conclude(event, function, RETRIES_EXHAUSTED)
            return
        delay = self._retry_delays[min(event.attempts, len(self._retry_delays)) - 1]
        event.due = self._clock.now() + delay
        if event.due > event.accepted + rules.max_age:
            self._conclude(event, function, AGE_EXCEEDED)
            return
        self._store.change(event, self._kept)
        self._delay(event)

    # -- what becomes of it

    def _conclude(self, event: Event, function: Function, condition: str) -> None:
        """Sends on what became of an event, and forgets it."""
        sent = self._delivery.sent_on(event, function, condition, self._clock.now())
        follow_up = [
            self._new_event(call.name, call.qualifier, call.arn, call.record, new_request_id(), call.trace_id)
            for call in sent.calls
        ]
        self._finish(event, sent.lines, follow_up)

    def _drop(self, event: Event) -> None:
        self._say(f"An event of {event.name} was dropped, because the function is gone: {event.request_id}")
        self._finish(event, [], [])

    def _finish(self, event: Event, lines: Sequence[tuple[str, bytes]], follow_up: Sequence[Event]) -> None:
        def stored(error: Exception | None) -> None:
            self._kept(error)
            for next_event in follow_up:
                self._enqueue(next_event)

        self._bytes += sum(len(e.body) for e in follow_up) - len(event.body)
        self._store.finish(event, lines, follow_up, stored)

    def _kept(self, error: Exception | None) -> None:
        if error is not None:
            self._say(f"What became of an event could not be stored: {error}")

    def _resolve(self, event: Event) -> Configuration | None:
        function = self._functions.get(event.name)
        return None if function is None else self._functions.pick(function, event.qualifier)

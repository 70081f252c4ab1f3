"""Where it is sent what became of an event: to the destinations of its function and to its dead-letter queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lmfunction import _wire
from lmfunction.local._event import DEFAULT_AGE, DEFAULT_RETRIES, SUCCESS, Event, Rules, dead_letter_of, record_of
from lmfunction.local._functions import LATEST, Function, Functions
from lmfunction.local._trace import ROUNDS, trace_id


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A destination that is a function here: it gets the record as its event."""

    name: str
    qualifier: str | None
    arn: str
    record: bytes
    trace_id: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent on about one event: lines by the ARN they go to, and functions to be called."""

    lines: tuple[tuple[str, bytes], ...] = ()
    calls: tuple[FunctionCall, ...] = ()


class Delivery:
    """The deliveries of one server. `say` gets what could not be delivered."""

    def __init__(self, functions: Functions, say: Callable[[str], None]) -> None:
        self._functions = functions
        self._say = say

    def sent_on(self, event: Event, function: Function, condition: str, now: float) -> Sent:
        """What is sent on about an event that ended with `condition`."""
        rules = rules_of(function, event.qualifier)
        lines: list[tuple[str, bytes]] = []
        calls: tuple[FunctionCall, ...] = ()
        destination = rules.on_success if condition == SUCCESS else rules.on_failure
        if destination is not None:
            arn = self._functions.arn(event.name, event.qualifier or LATEST)
            record = record_of(event, condition, arn, now)
            lines.append((destination, record))
            calls = self._calls(destination, record, event)
        if rules.dead_letter is not None and condition != SUCCESS:
            lines.append((rules.dead_letter, dead_letter_of(event, event.name, now)))
        return Sent(tuple(lines), calls)

    def _calls(self, destination: str, record: bytes, event: Event) -> tuple[FunctionCall, ...]:
        """The call of a destination that is a function; none for any other."""
        parts = destination.split(":")
        if len(parts) < 7 or parts[2] != "lambda" or parts[5] != "function":
            return ()
        name, qualifier = parts[6], parts[7] if len(parts) > 7 else None
        function = self._functions.get(name) if destination == self._functions.arn(name, qualifier) else None
        if function is None or function.resolve(qualifier) is None:
            self._say(f"The destination {destination} of {event.name} is no function here.")
            return ()
        trace = trace_id(event.trace_id, function.latest.arn, stops=function.recursive_loop != "Allow")
        if trace is None:
            self._say(f"A record of {event.name} was not sent on to {destination}: it has come round {ROUNDS} times.")
            return ()
        if len(record) > _wire.EVENT_REQUEST_LIMIT:
            self._say(f"A record of {event.name} is too large for its destination {destination}: {len(record)} bytes.")
            return ()
        return (FunctionCall(name, qualifier, destination, record, trace),)


def rules_of(function: Function, qualifier: str | None) -> Rules:
    """The rules for events under `qualifier`; what is not set is as on AWS."""
    config = function.event_invoke(qualifier)
    retries, age = config.maximum_retry_attempts, config.maximum_event_age_in_seconds
    version = function.resolve(qualifier) or function.latest
    return Rules(
        retries=DEFAULT_RETRIES if retries is None else retries,
        max_age=DEFAULT_AGE if age is None else age,
        on_success=config.on_success or None,
        on_failure=config.on_failure or None,
        dead_letter=version.dead_letter or None,
    )

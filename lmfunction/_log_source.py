"""A function's log group, open for reading: CloudWatch's, or that of the embedded Lambda, which answers the same."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lmfunction._boto import sibling_client
from lmfunction._connection import Place
from lmfunction._engine import Engine
from lmfunction._log_records import Attribution
from lmfunction._names import FunctionName
from lmfunction._record import Record
from lmfunction._transport import Doubt, translate
from lmfunction.errors import LMError, ServiceError

_MINUTE: Final = 60.0
_DAY: Final = 86_400.0
# How far back is looked for the last events, until there are enough; a wide window of a busy function is expensive.
_WINDOWS: Final = (_MINUTE, 10 * _MINUTE, 3 * 60 * _MINUTE, 2 * _DAY, 30 * _DAY)
_EVERY: Final = 2.0  # seconds between two looks at AWS; CloudWatch takes about so long to have an event
_EVERY_EMBEDDED: Final = 0.2
_LATE: Final = 15.0  # an event may come to be readable so long after its time
_NOT_READ: Final = Doubt("The log could not be read", "Nothing was changed.", harmless=True)


@dataclass(frozen=True)
class Wanted:
    """What is asked for: `since` is seconds since 1970, None where the last `tail` events are."""

    function: FunctionName
    tail: int
    since: float | None
    text: str
    request_id: str

    @property
    def pattern(self) -> Mapping[str, str]:
        """What the service is asked to choose by; an invocation's lines need not say their request id."""
        if not self.text:
            return {}
        quoted = self.text.replace("\\", "\\\\").replace('"', '\\"')
        return {"filterPattern": f'"{quoted}"'}

    def chosen(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records that were asked for: the service knows neither invocations nor versions."""
        version = self.function.qualifier
        for record in records:
            if self.request_id and record["RequestId"] != self.request_id:
                continue
            if version is not None and version.isdecimal() and f"[{version}]" not in record["LogStreamName"]:
                continue
            yield record


class LogSource:
    """A function's log group, open for reading."""

    def __init__(self, place: Place, engine: Engine, wanted: Wanted) -> None:
        self.every = _EVERY_EMBEDDED if place.embedded else _EVERY
        self.wanted = wanted
        self._lambda = engine.connections.transport(place)
        self._logs = sibling_client("logs", self._lambda.connection)
        self._group = f"/aws/lambda/{wanted.function.name}"
        self._attribution = Attribution()
        self._seen: deque[str] = deque(maxlen=20_000)
        self._start_ms = 0
        self._exists = True  # whether the group is there

    def begin(self, at: float) -> None:
        """Has `new` give only what has come since `at`, seconds since 1970."""
        self._start_ms = int(at * 1000)

    def __enter__(self) -> LogSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._logs.close()

    def last(self) -> list[Record]:
        """The last events that were asked for."""
        now = datetime.now(UTC).timestamp()
        starts = [self.wanted.since] if self.wanted.since is not None else [now - window for window in _WINDOWS]
        found: list[Record] = []
        for start in starts:
            events = self._events(int(start * 1000))
            self._attribution = Attribution()
            found = [*self.wanted.chosen(self._attribution.records(events))]
            if events:
                self._note(events)
            if len(found) >= self.wanted.tail or not self._exists:
                break
        self._start_ms = max(self._start_ms, int((now - _LATE) * 1000))
        return found[-self.wanted.tail :]

    def new(self) -> list[Record]:
        """The events that have come since the last look."""
        known = set(self._seen)
        events = [event for event in self._events(self._start_ms) if event["eventId"] not in known]
        self._note(events)
        return [*self.wanted.chosen(self._attribution.records(events))]

    def _note(self, events: list[Mapping[str, Any]]) -> None:
        self._seen.extend(event["eventId"] for event in events)
        if events:
            newest = max(event["timestamp"] for event in events)
            self._start_ms = max(self._start_ms, newest - int(_LATE * 1000))

    def _events(self, start_ms: int) -> list[Mapping[str, Any]]:
        """Every event since `start_ms`; none of a group that is not there yet."""
        asked = {"startTime": max(start_ms, 0), **self.wanted.pattern}
        try:
            try:
                return self._pages(asked)
            except self._logs.exceptions.ResourceNotFoundException:
                group = self._own_group()
                if group == self._group:  # the function is there, and has written nothing
                    self._exists = False
                    return []
                self._group = group
                return self._pages(asked)
        except LMError:
            raise
        except Exception as error:
            raise translate(error, _NOT_READ) from error

    def _pages(self, asked: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        paginator = self._logs.get_paginator("filter_log_events")
        pages = paginator.paginate(logGroupName=self._group, **asked)
        events = [event for page in pages for event in page["events"]]
        self._exists = True
        return sorted(events, key=lambda event: event["timestamp"])

    def _own_group(self) -> str:
        """The group that the function's own configuration names. Raises ServiceError for one that is not there."""
        try:
            found = self._lambda.client.get_function_configuration(FunctionName=self.wanted.function.text)
        except Exception as error:
            refused = translate(error, _NOT_READ)
            if isinstance(refused, ServiceError) and refused.status != 404:
                return self._group  # who may read logs need not be allowed to look at the function
            raise refused from error
        return str(found.get("LoggingConfig", {}).get("LogGroup") or self._group)

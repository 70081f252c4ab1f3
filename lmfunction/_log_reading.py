"""Get-LMLog: a function's log from CloudWatch Logs, or from the embedded Lambda, which answers the same operations."""

from __future__ import annotations

import contextlib
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lmfunction._boto import sibling_client
from lmfunction._client import with_full_name
from lmfunction._connection import Place, resolve_place
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._failures import act_on_error
from lmfunction._gathered import gather
from lmfunction._guards import FREE, clear, concerned
from lmfunction._intent import Intent
from lmfunction._live_text import LiveText
from lmfunction._local_rows import GET_LOG
from lmfunction._log_records import Attribution, LogRecords, line_of
from lmfunction._names import FunctionName, parse_function_name
from lmfunction._notices import Notices, assign, check_assignable, empty_lists
from lmfunction._pipeline import Objects
from lmfunction._progress import Progress, shown
from lmfunction._record import Record, hiding
from lmfunction._redact import Redaction
from lmfunction._text import one_line
from lmfunction._transport import Doubt, translate
from lmfunction._waiting import pause, tick
from lmfunction.errors import LMError, ParameterError, ServiceError

TAIL: Final = 100
_BEFORE_FOLLOWING: Final = 10
_MINUTE: Final = 60.0
_DAY: Final = 86_400.0
# How far back is looked for the last events, until there are enough; a wide window of a busy function is expensive.
_WINDOWS: Final = (10 * _MINUTE, 3 * 60 * _MINUTE, 2 * _DAY, 30 * _DAY, 3_650 * _DAY)
_UNITS: Final = {"s": 1.0, "m": _MINUTE, "h": 60 * _MINUTE, "d": _DAY, "w": 7 * _DAY}
_AGE: Final = re.compile(r"(?P<count>\d{1,6}(?:\.\d{1,3})?)(?P<unit>[smhdw])")
_EVERY: Final = 2.0  # seconds between two looks at AWS; CloudWatch takes about so long to have an event
_EVERY_EMBEDDED: Final = 0.2
_LATE: Final = 15.0  # an event may come to be readable so long after its time
_NOT_READ: Final = Doubt("The log could not be read", "Nothing was changed.", harmless=True)


@dataclass(frozen=True)
class _Wanted:
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


def get_log(values: Mapping[str, Any], engine: Engine, door: Door) -> Any:
    """The events that `values` (by parameter name) ask for, as LogRecords.

    Raises ParameterError and ProfileError before anything is asked, GuardError where a guard refuses, ServiceError and
    TransportError when the log cannot be read.
    """
    gathered = gather(GET_LOG, values, engine)
    arguments = with_full_name(gathered.arguments, gathered.profile.functions)
    notices = Notices(arguments, door)
    check_assignable(arguments, door)
    empty_lists(arguments, door)
    notices.warn_once(gathered.profile.notices, engine.told)
    function = parse_function_name(arguments.get("function_name"))
    wanted = _Wanted(
        function,
        arguments.get("tail", _BEFORE_FOLLOWING if arguments.get("follow") else TAIL),
        _moment(arguments["since"]) if "since" in arguments else None,
        arguments.get("filter", ""),
        arguments.get("request_id", ""),
    )
    connected = {k: v for k, v in arguments.items() if k != "timeout_sec"}
    place = resolve_place(connected, gathered.profile, gathered.aws_profile, arn_region=function.region)
    intent = Intent(GET_LOG.name, place, function.name, function, kind="FilterLogEvents", changes=False)
    clearance = clear(intent, arguments, engine, door) if concerned(place.profile, arguments) else FREE
    try:
        if clearance is not FREE:
            clearance.verify(intent, engine)
        source = _Source(place, engine, wanted)
        if arguments.get("follow"):
            end = engine.policy.clock() + arguments["timeout_sec"] if "timeout_sec" in arguments else None
            emitted = _followed(source, end, engine, door, gathered.profile.redaction)
        else:
            with source:
                emitted = LogRecords(source.last(), function.text)
    except LMError as error:
        act_on_error(error, gathered, door)
        return NOTHING
    emitted = hiding(emitted, gathered.profile.redaction)
    if "out_variable" in arguments:
        assign(door, arguments["out_variable"], emitted)
    return emitted


class _Source:
    """A function's log group, open for reading."""

    def __init__(self, place: Place, engine: Engine, wanted: _Wanted) -> None:
        self.every = _EVERY_EMBEDDED if place.embedded else _EVERY
        self.wanted = wanted
        self._lambda = engine.connections.transport(place)
        self._logs = sibling_client("logs", self._lambda.connection)
        self._group = f"/aws/lambda/{wanted.function.name}"
        self._attribution = Attribution()
        self._seen: deque[str] = deque(maxlen=20_000)
        self._start_ms = 0
        self._exists = True  # whether the group is there

    def __enter__(self) -> _Source:
        return self

    def __exit__(self, *exc: object) -> None:
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


def _followed(source: _Source, end: float | None, engine: Engine, door: Door, redaction: Redaction) -> Any:
    """The events until `end` or Ctrl-C: shown meanwhile where somebody watches, else handed out as they come."""
    text = LiveText()
    live = door.live(text, redaction.text)
    if not live:
        coming = _coming(source, end, engine)
        return coming if door.streams else Objects(coming)
    name = source.wanted.function.text
    found: list[Record] = []
    with shown(live, lambda elapsed: Progress(f"the log of {name}", elapsed), engine.policy.clock):
        for record in _coming(source, end, engine):
            found.append(record)
            text.add(line_of(record))
            tick()
    return LogRecords(found, name, shown=True)


def _coming(source: _Source, end: float | None, engine: Engine) -> Iterator[Record]:
    """The last events, and those that come until `end` or Ctrl-C, which is how following ends."""
    clock = engine.policy.clock
    with source, contextlib.suppress(KeyboardInterrupt):
        yield from source.last()
        while end is None or clock() < end:
            left = source.every if end is None else min(source.every, end - clock())
            pause(max(left, 0.0), engine.policy.sleep)
            yield from source.new()


def _moment(text: str) -> float:
    """The time that Since means, as seconds since 1970."""
    age = _AGE.fullmatch(text.strip())
    if age is not None:
        return datetime.now(UTC).timestamp() - float(age["count"]) * _UNITS[age["unit"]]
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ParameterError(
            f"Since '{one_line(text, 40)}' is neither an age such as 30s, 5m, 2h, 1d nor a time of ISO 8601.",
            parameter="Since",
        ) from None
    return (found if found.tzinfo is not None else found.astimezone()).timestamp()

"""Get-LMLog: a function's log from CloudWatch Logs, or from the embedded Lambda, which answers the same operations."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from lmfunction._client import with_full_name
from lmfunction._connection import resolve_place
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._failures import act_on_error
from lmfunction._gathered import gather
from lmfunction._guards import FREE, clear, concerned
from lmfunction._intent import Intent
from lmfunction._live_text import LiveText
from lmfunction._local_rows import GET_LOG
from lmfunction._log_records import LogRecords, line_of
from lmfunction._log_source import LogSource, Wanted
from lmfunction._names import parse_function_name
from lmfunction._notices import Notices, assign, check_assignable, empty_lists
from lmfunction._pipeline import Objects
from lmfunction._progress import Progress, shown
from lmfunction._record import Record, hiding
from lmfunction._redact import Redaction
from lmfunction._text import one_line
from lmfunction._waiting import pause, tick
from lmfunction.errors import LMError, ParameterError

TAIL: Final = 100
_BEFORE_FOLLOWING: Final = 10
_MINUTE: Final = 60.0
_DAY: Final = 86_400.0
_UNITS: Final = {"s": 1.0, "m": _MINUTE, "h": 60 * _MINUTE, "d": _DAY, "w": 7 * _DAY}
_AGE: Final = re.compile(r"(?P<count>\d{1,6}(?:\.\d{1,3})?)(?P<unit>[smhdw])")


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
    wanted = Wanted(
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
        source = LogSource(place, engine, wanted)
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


def _followed(source: LogSource, end: float | None, engine: Engine, door: Door, redaction: Redaction) -> Any:
    """The events until `end` or Ctrl-C: shown meanwhile where somebody watches, else handed out as they come."""
    text = LiveText()
    live = door.live(text, redaction.text)
    if not live:
        coming = _coming(source, end, engine)
        return coming if door.streams else Objects(coming)
    name = source.wanted.function.text
    found: list[Record] = []
    watched = shown(live, lambda elapsed: Progress(f"the log of {name}", elapsed), engine.policy.clock)
    with watched, contextlib.suppress(KeyboardInterrupt):  # which may also come while something is drawn
        for record in _coming(source, end, engine):
            found.append(record)
            text.add(line_of(record))
            tick()
    return LogRecords(found, name, shown=True)


def _coming(source: LogSource, end: float | None, engine: Engine) -> Iterator[Record]:
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

"""The events of a log as records: which invocation wrote each, how grave it is, and all of them as one card."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from lmfunction._record import Record, Records
from lmfunction._render.card import Card, Section, Tone

TYPE: Final = "LMLog"
_PLATFORM: Final = re.compile(
    r"(?:START|END|REPORT) RequestId: (?P<id>\S+)|INIT_START |INIT_REPORT |EXTENSION\t|XRAY TraceId"
)
_START: Final = re.compile(r"START RequestId: (?P<id>\S+)")
_REPORT: Final = re.compile(r"REPORT RequestId: ")
# `[ERROR]` at the beginning, as Python's runtime writes, or a word between tabs, as Node's does.
_LEVEL: Final = re.compile(r"(?:^\[|\t)(?P<level>TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)(?:\]|\t|\s)")
_ID: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_SHORT: Final = {"WARNING": "WARN", "CRITICAL": "FATAL"}
PLATFORM: Final = "PLATFORM"


class Attribution:
    """Tells which invocation an event belongs to: what it says itself, else the one that its stream is in."""

    def __init__(self) -> None:
        self._current: dict[str, str] = {}

    def records(self, events: Iterable[Mapping[str, Any]]) -> Iterator[Record]:
        """A record for each event of the API, in their order."""
        for event in events:
            stream, message = str(event["logStreamName"]), str(event["message"]).rstrip("\n")
            start = _START.match(message)
            if start is not None:
                self._current[stream] = start["id"]
            request_id = _own_id(message) or self._current.get(stream, "")
            if _REPORT.match(message):
                self._current.pop(stream, None)
            yield Record(
                TYPE,
                {
                    "Timestamp": datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
                    "Level": level_of(message),
                    "Message": message,
                    "RequestId": request_id,
                    "LogStreamName": stream,
                },
                title="Message",
            )


class LogRecords(Records):
    """Events of a log: a list that shows itself as the log. `shown`: it was shown as it came."""

    def __init__(self, records: Iterable[Any] = (), name: str = "", *, shown: bool = False) -> None:
        super().__init__(TYPE, records)
        self._name = name
        self._shown = shown

    def __reduce__(self) -> Any:
        return LogRecords, (list(self), self._name)

    def card(self) -> Card:
        """The card: the log with the time of each event."""
        count = f"{len(self):,} event{'' if len(self) == 1 else 's'}"
        text = "" if self._shown else "".join(map(line_of, self))
        return Card(
            Tone.PLAIN,
            TYPE,
            self._name,
            facts=(count, "shown above") if self._shown else (count,),
            sections=(Section("Log", text, "log", more="the list itself: r[0], r.to_dict()"),) if text else (),
            summary={"type": TYPE, "name": self._name, "count": len(self)},
            redaction=self._redaction,
        )


def line_of(record: Mapping[str, Any]) -> str:
    """An event for people: the time of day (UTC), and what it says."""
    when = record["Timestamp"].strftime("%H:%M:%S.%f")[:-3]
    return f"{when} {record['Message']}\n"


def level_of(message: str) -> str:
    """ERROR, WARN, INFO and the like as the message says; PLATFORM for Lambda's own lines; empty where it says none."""
    if _PLATFORM.match(message):
        return PLATFORM
    found = _LEVEL.search(message[:200])
    if found is not None:
        return _SHORT.get(found["level"], found["level"])
    said = _json(message).get("level")
    return _SHORT.get(said.upper(), said.upper()) if isinstance(said, str) else ""


def _own_id(message: str) -> str:
    """The request id that a line of Lambda's, of a logger or of JSON has itself; not one that is part of a text."""
    platform = _PLATFORM.match(message)
    if platform is not None:
        return platform["id"] or ""
    in_columns = [part for part in message[:300].split("\t")[1:4] if _ID.fullmatch(part)]
    said = _json(message).get("requestId")
    return in_columns[0] if in_columns else said if isinstance(said, str) else ""


def _json(message: str) -> Mapping[str, Any]:
    if not message.startswith("{"):
        return {}
    try:
        found = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

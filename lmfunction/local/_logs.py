"""The part of CloudWatch Logs that reads: what `aws logs tail`, boto3's `logs` client and Get-LMLog ask.

Answers as the service's JSON protocol has them (service-2.json of botocore for members and limits). A log group is
there once its function has been invoked, as on AWS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from lmfunction._names import partition_of
from lmfunction.local._answers import new_request_id
from lmfunction.local._http import Answer, Request
from lmfunction.local._log_pattern import PatternError, matcher
from lmfunction.local._log_store import Event, Log, LogStore

TARGET: Final = "Logs_20140328."
_MOST_EVENTS: Final = 10_000
_MOST_BYTES: Final = 1_048_576  # of messages in one answer
_MOST_LISTED: Final = 50
_DIGITS: Final = 20

Wanted = dict[str, Any]


class _RefusedError(Exception):
    """`args` are the code and the message."""


class Logs:
    """The reading operations over the logs of one server's functions."""

    def __init__(self, store: LogStore, region: str, account: str) -> None:
        self._store = store
        self._arn = f"arn:{partition_of(region)}:logs:{region}:{account}:log-group:"
        self._operations: dict[str, Callable[[Wanted], dict[str, Any]]] = {
            "FilterLogEvents": self._filter_events,
            "GetLogEvents": self._get_events,
            "DescribeLogGroups": self._describe_groups,
            "DescribeLogStreams": self._describe_streams,
        }

    def answer(self, request: Request) -> Answer:
        """Answers one request, whose target names the operation."""
        name = request.headers.get("x-amz-target", "").removeprefix(TARGET)
        operation = self._operations.get(name)
        if operation is None:
            known = ", ".join(self._operations)
            return _refusal("UnknownOperationException", f"The embedded Lambda's logs can be read by {known}.")
        try:
            return _answer(200, operation(_document(request)))
        except _RefusedError as error:
            return _refusal(*error.args)

    def _filter_events(self, wanted: Wanted) -> dict[str, Any]:
        log = self._group(wanted)
        names = set(_texts(wanted, "logStreamNames"))
        prefix = _text(wanted, "logStreamNamePrefix") or ""
        if names and prefix:
            raise _RefusedError(
                "InvalidParameterException", "logStreamNames and logStreamNamePrefix exclude each other."
            )
        try:
            fits = matcher(_text(wanted, "filterPattern") or "")
        except PatternError as error:
            raise _RefusedError("InvalidParameterException", str(error)) from None
        after = _token(wanted)
        found = (
            event
            for event in log.events()
            if _place(event) > after
            and _in_time(event, wanted, inclusive=True)
            and (not names or event.stream in names)
            and event.stream.startswith(prefix)
            and fits(event.text)
        )
        page, more = _page(found, _limit(wanted, _MOST_EVENTS))
        shown: dict[str, Any] = {
            "events": [
                {
                    "logStreamName": event.stream,
                    "timestamp": event.time_ms,
                    "message": event.text,
                    "ingestionTime": event.time_ms,
                    "eventId": _place(event),
                }
                for event in page
            ],
            "searchedLogStreams": [],
        }
        if more:
            shown["nextToken"] = _place(page[-1])
        return shown

    def _get_events(self, wanted: Wanted) -> dict[str, Any]:
        log, name = self._group(wanted), _text(wanted, "logStreamName")
        of_stream = [event for event in log.events() if event.stream == name]
        if not of_stream:
            raise _RefusedError("ResourceNotFoundException", "The specified log stream does not exist.")
        token = _text(wanted, "nextToken")
        if token is not None and token[:2] not in ("f/", "b/"):
            raise _RefusedError("InvalidParameterException", "The specified nextToken is invalid.")
        within = [event for event in of_stream if _in_time(event, wanted, inclusive=False)]
        limit = _limit(wanted, _MOST_EVENTS)
        forward = token.startswith("f/") if token is not None else bool(wanted.get("startFromHead"))
        place = token[2:] if token is not None else ""
        if forward:
            page, _ = _page((e for e in within if _place(e) > place), limit)
        else:
            before = [e for e in within if not place or _place(e) < place]
            page, _ = _page(reversed(before), limit)
            page.reverse()
        first = _place(page[0]) if page else place
        last = _place(page[-1]) if page else place
        return {
            "events": [{"timestamp": e.time_ms, "message": e.text, "ingestionTime": e.time_ms} for e in page],
            "nextForwardToken": f"f/{last}",
            "nextBackwardToken": f"b/{first}",
        }

    def _describe_groups(self, wanted: Wanted) -> dict[str, Any]:
        prefix, part = _text(wanted, "logGroupNamePrefix") or "", _text(wanted, "logGroupNamePattern") or ""
        after = _text(wanted, "nextToken") or ""
        names = [(log.name, log) for log in self._store]
        left = [(n, log) for n, log in names if n.startswith(prefix) and part in n and n > after]
        count = _limit(wanted, _MOST_LISTED)
        shown: dict[str, Any] = {
            "logGroups": [
                {
                    "logGroupName": name,
                    "creationTime": log.created_ms,
                    "metricFilterCount": 0,
                    "arn": f"{self._arn}{name}:*",
                    "storedBytes": log.stored_bytes,
                    "logGroupClass": "STANDARD",
                    "logGroupArn": f"{self._arn}{name}",
                }
                for name, log in left[:count]
            ]
        }
        if len(left) > count:
            shown["nextToken"] = left[count - 1][0]
        return shown

    def _describe_streams(self, wanted: Wanted) -> dict[str, Any]:
        log = self._group(wanted)
        prefix, after = _text(wanted, "logStreamNamePrefix") or "", _text(wanted, "nextToken")
        by_time = wanted.get("orderBy") == "LastEventTime"
        if by_time and prefix:
            raise _RefusedError(
                "InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix."
            )
        spans: dict[str, tuple[int, int]] = {}
        for event in log.events():
            spans[event.stream] = (spans.get(event.stream, (event.time_ms, 0))[0], event.time_ms)
        named = [name for name in spans if name.startswith(prefix)]
        named.sort(key=lambda name: (spans[name][1], name) if by_time else (0, name))
        if wanted.get("descending"):
            named.reverse()
        begin = named.index(after) + 1 if after in spans else 0
        count = _limit(wanted, _MOST_LISTED)
        page = named[begin : begin + count]
        shown: dict[str, Any] = {
            "logStreams": [
                {
                    "logStreamName": name,
                    "creationTime": spans[name][0],
                    "firstEventTimestamp": spans[name][0],
                    "lastEventTimestamp": spans[name][1],
                    "lastIngestionTime": spans[name][1],
                    "uploadSequenceToken": "1",
                    "arn": f"{self._arn}{log.name}:log-stream:{name}",
                    "storedBytes": 0,
                }
                for name in page
            ]
        }
        if begin + count < len(named):
            shown["nextToken"] = page[-1]
        return shown

    def _group(self, wanted: Wanted) -> Log:
        """The log that a request names, by the group's name or its ARN."""
        name = _text(wanted, "logGroupName") or _text(wanted, "logGroupIdentifier")
        if not name:
            raise _RefusedError("InvalidParameterException", "logGroupName or logGroupIdentifier is needed.")
        name = name.removeprefix(self._arn).removesuffix(":*")
        log = self._store.get(name)
        if log is None:
            raise _RefusedError("ResourceNotFoundException", "The specified log group does not exist.")
        return log


def _place(event: Event) -> str:
    """Where an event stands among all: text of one length, which sorts as the events do."""
    return f"{event.number * 10 + event.part:0{_DIGITS}}"


def _in_time(event: Event, wanted: Wanted, *, inclusive: bool) -> bool:
    start, end = _whole(wanted, "startTime"), _whole(wanted, "endTime")
    if start is not None and event.time_ms < start:
        return False
    return end is None or event.time_ms < end or (inclusive and event.time_ms == end)


def _page(events: Iterable[Event], limit: int) -> tuple[list[Event], bool]:
    """The first events, no more than fit into one answer, and whether there are more."""
    page: list[Event] = []
    size = 0
    for event in events:
        size += len(event.text)
        if page and (len(page) >= limit or size > _MOST_BYTES):
            return page, True
        page.append(event)
    return page, False


def _token(wanted: Wanted) -> str:
    token = _text(wanted, "nextToken") or ""
    if token and not (token.isdecimal() and len(token) == _DIGITS):
        raise _RefusedError("InvalidParameterException", "The specified nextToken is invalid.")
    return token


def _limit(wanted: Wanted, most: int) -> int:
    limit = _whole(wanted, "limit")
    if limit is None:
        return most
    if not 1 <= limit <= most:
        raise _RefusedError("InvalidParameterException", f"limit must be 1 to {most}.")
    return limit


def _whole(wanted: Wanted, name: str) -> int | None:
    value = wanted.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise _RefusedError("SerializationException", f"{name} must be a whole number.")
    return value


def _text(wanted: Wanted, name: str) -> str | None:
    value = wanted.get(name)
    if value is not None and not isinstance(value, str):
        raise _RefusedError("SerializationException", f"{name} must be text.")
    return value


def _texts(wanted: Wanted, name: str) -> Iterator[str]:
    value = wanted.get(name) or ()
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise _RefusedError("SerializationException", f"{name} must be a list of text.")
    yield from value


def _document(request: Request) -> Wanted:
    try:
        value = json.loads(request.body.decode("utf-8") or "{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _RefusedError("SerializationException", "The request body is not a JSON object.")
    return value


def _refusal(code: str, message: str) -> Answer:
    return _answer(400, {"__type": code, "message": message})


def _answer(status: int, value: dict[str, Any]) -> Answer:
    headers = (("x-amzn-RequestId", new_request_id()), ("Content-Type", "application/x-amz-json-1.1"))
    return Answer(status, headers, json.dumps(value, separators=(",", ":")).encode())

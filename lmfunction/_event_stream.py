"""The events of InvokeWithResponseStream as boto3 gives them: bits of the payload, then how the function ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lmfunction._explain import FunctionFailure, explain
from lmfunction._stream_result import Ending
from lmfunction._text import one_line
from lmfunction.errors import TransportError


class EventStream:
    """What a streamed answer comes from (a `Source`). `events` is boto3's stream of events."""

    def __init__(self, events: Any, request_id: str | None) -> None:
        self._stream = events
        self._events: Iterator[Mapping[str, Any]] = iter(events)
        self._request_id = request_id
        self._size = 0

    def next(self) -> bytes | Ending:
        """The next bit, or the end. Raises TransportError where the stream breaks off before the function's end."""
        while True:
            try:
                event = next(self._events, None)
            except Exception as error:
                raise self._lost(f"it was cut ({_told(error)})") from error
            if event is None:
                raise self._lost("the stream ended before the function did")
            if "InvokeComplete" in event:
                return _ending(event["InvokeComplete"])
            data: bytes = event.get("PayloadChunk", {}).get("Payload", b"")
            self._size += len(data)
            if data:
                return data

    def close(self) -> None:
        """Lets go of the connection; one that was read to its end is used again."""
        self._stream.close()

    def _lost(self, why: str) -> TransportError:
        return TransportError(
            f"The function ran, but its answer is lost after {self._size:,} bytes: {why}. It was not sent again.\n"
            f"  RequestId: {self._request_id or 'none'}",
            sent=True,
            outcome="RESULT_LOST",
            request_id=self._request_id,
        )


class NoEvents:
    """The source of an answer without events, as that to a dry run is."""

    def next(self) -> Ending:
        """The end."""
        return Ending({})

    def close(self) -> None:
        """There is nothing to let go of."""


def _ending(members: Mapping[str, Any]) -> Ending:
    code, details = members.get("ErrorCode"), members.get("ErrorDetails")
    # The payload is what was streamed before; why the function failed stands here.
    return Ending(members, _failure(code, details) if code and details else None)


def _failure(code: str, details: str) -> FunctionFailure:
    try:
        return explain(code, json.loads(details))
    except ValueError:
        return explain(code, details)


def _told(error: Exception) -> str:
    response = getattr(error, "response", None)  # an event that tells of an error of Lambda's own
    if isinstance(response, dict):
        told = response.get("Error", {})
        return one_line(f"{told.get('Code', '')}: {told.get('Message', '')}", 200)
    return type(error).__name__

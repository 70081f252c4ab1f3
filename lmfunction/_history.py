"""What was called: the last calls of a session, as `$AWSHistory` holds them. No payload, no answer and no secret.

An entry is made when a call ends, whatever becomes of it; one of -WhatIf tells what would have been called.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

from lmfunction._record import Record, Records
from lmfunction._redact import NONE, Redaction
from lmfunction._text import one_line
from lmfunction.errors import InvocationInterrupted

LIMIT: Final = 100
TYPE: Final = "AWSHistory"


@dataclass
class Entry:
    """One call under way, or over. Used around the sending, it notes by itself how that ended.

    `account` is None where nobody had to know it. `outcome` is the outcome class, `status` the HTTP status, `attempts`
    counts the sends, `elapsed_ms` is the caller's time.
    """

    cmdlet: str
    function: str = ""
    qualifier: str | None = None
    region: str = ""
    profile: str | None = None
    account: str | None = None
    status: int | None = None
    outcome: str = ""
    request_id: str | None = None
    attempts: int | None = None
    elapsed_ms: float | None = None
    what_if: bool = False
    error_type: str | None = None
    time: float = 0.0
    redaction: Redaction = field(default=NONE, repr=False)
    _note: Callable[[Entry], None] = field(default=lambda _: None, repr=False)
    _began: float = field(default=0.0, repr=False)

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.elapsed_ms is None:
            self.elapsed_ms = (time.perf_counter() - self._began) * 1000
        if error is not None:
            self._failed(error)
        self._note(self)

    def answered(self, answer: Any) -> None:
        """Takes what an `InvokeResult` tells, or botocore's answer to an operation that was carried out."""
        if not isinstance(answer, Mapping):
            self.status, self.outcome = answer.status_code, str(answer.outcome)
            self.request_id, self.attempts, self.elapsed_ms = answer.request_id, answer.attempts, answer.elapsed_ms
            self.error_type = None if answer.ok else answer.error.type
            return
        metadata = answer.get("ResponseMetadata", {})
        self.status, self.outcome = metadata.get("HTTPStatusCode"), "OK"
        self.request_id = metadata.get("RequestId")
        self.attempts = metadata.get("RetryAttempts", 0) + 1

    def _failed(self, error: BaseException) -> None:
        self.request_id = getattr(error, "request_id", None) or self.request_id
        self.status = getattr(error, "status", None) or self.status
        self.attempts = getattr(error, "attempts", None) or self.attempts
        self.error_type = getattr(error, "code", None) or type(error).__name__
        self.outcome = getattr(error, "outcome", _outcome_of(error))

    def record(self) -> Record:
        """The entry as a record; times are UTC."""
        members = {
            "Time": datetime.fromtimestamp(self.time, UTC),
            "Cmdlet": self.cmdlet,
            "Function": one_line(self.function, 200),
            "Outcome": self.outcome,
            "ElapsedMs": None if self.elapsed_ms is None else round(self.elapsed_ms, 1),
            "RequestId": self.request_id,
            "Status": self.status,
            "ErrorType": None if self.error_type is None else one_line(self.error_type, 100),
            "Qualifier": self.qualifier,
            "Region": self.region,
            "Profile": self.profile,
            "Account": self.account or account_in(self.function),
            "Attempts": self.attempts,
            "WhatIf": self.what_if,
        }
        return Record(TYPE, self.redaction.value(members), title="Function")


def account_in(function: str) -> str | None:
    """The account that a function's ARN names."""
    parts = function.split(":")
    return parts[4] or None if len(parts) > 6 and parts[0] == "arn" else None


def _outcome_of(error: BaseException) -> str:
    """The outcome class of a call that ended with an error which does not tell it."""
    stopped_before = isinstance(error, InvocationInterrupted) and error.sent is False
    return "NOT_SENT" if stopped_before or getattr(error, "kind", None) == "ConstructionFailure" else "UNKNOWN"


class History:
    """The last calls of a session, the newest last; at most `limit` (0: none is kept). Safe to use from threads."""

    def __init__(self, limit: int = LIMIT, clock: Callable[[], float] = time.time) -> None:
        self._entries: deque[Entry] = deque(maxlen=limit)
        self._clock = clock

    def entry(self, **facts: Any) -> Entry:
        """An entry to be used around the sending of a call."""
        return Entry(**facts, time=self._clock(), _note=self._note)

    def unsent(self, outcome: str, **facts: Any) -> None:
        """Keeps what was not sent: `outcome` is WHAT_IF for what -WhatIf showed, REFUSED by a guard, REPLAYED ..."""
        what_if = outcome == "WHAT_IF"
        self._note(Entry(**facts, time=self._clock(), what_if=what_if, outcome="NOT_SENT" if what_if else outcome))

    @property
    def limit(self) -> int:
        """How many calls are kept."""
        return self._entries.maxlen or 0

    @limit.setter
    def limit(self, count: int) -> None:
        self._entries = deque(self._entries, maxlen=count)

    def clear(self) -> None:
        """Forgets every call."""
        self._entries.clear()

    def records(self) -> Records:
        """The calls as records, the newest last."""
        return Records(TYPE, [entry.record() for entry in self._entries.copy()])

    def _note(self, entry: Entry) -> None:
        self._entries.append(entry)

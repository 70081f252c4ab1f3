"""The audit that a profile asks for: each call is written down before it is sent, and what became of it afterwards.

What cannot be written down is not sent where the rule says `required`; elsewhere that is told once, and the call goes
on. Everything passes through the profile's redaction.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lmfunction._audit_file import UNDER_WAY, AuditFile, Ticket
from lmfunction._audit_record import encoded, of_answer, of_error, of_result, record_of
from lmfunction._connection import Place
from lmfunction._model import InvokeResult, Outcome
from lmfunction._profile_values import AuditRule
from lmfunction._redact import Redaction
from lmfunction._text import ascii_only, one_line
from lmfunction.errors import GuardError

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Entry:
    """A call that has been written down as begun. `tickets` is empty where it could not be, and need not be."""

    record: dict[str, Any]
    file: AuditFile
    tickets: Sequence[Ticket]
    redaction: Redaction
    started: float


class Audits:
    """The audit files that a session has open. Safe to use from several threads.

    `now` gives seconds since 1970 for the lines' times, `clock` seconds for durations.
    """

    def __init__(self, now: Callable[[], float] = time.time, clock: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._files: dict[str, AuditFile] = {}
        self._warned: set[str] = set()

    def begin(self, place: Place, told: Mapping[str, Any], warn: Warn) -> Entry | None:
        """Writes down that a call begins; None where the profile has no audit.

        Raises GuardError for what cannot be written down but must be.
        """
        found = self.begin_many(place, [told], warn)
        return found[0] if found else None

    def begin_many(self, place: Place, told: Sequence[Mapping[str, Any]], warn: Warn) -> list[Entry]:
        """Writes down that several calls begin, in one write; no entries where the profile has no audit.

        Raises GuardError, of all of them, for what cannot be written down but must be.
        """
        rule = place.profile.audit
        if rule is None or not told:
            return []
        file = self._file(rule)
        now = self._now()
        redaction = place.profile.redaction
        made = [{**record_of(place, now, **known), "outcome": str(Outcome.UNKNOWN)} for known in told]
        lines = [_line({**record, UNDER_WAY: True}, redaction) for record in made]
        tickets: Sequence[Ticket] = ()
        try:
            tickets = file.begin(_day(made[0]), lines)
        except OSError as error:
            self._refuse_or_warn(rule, file.path(_day(made[0])), error, warn)
        started = self._clock()
        return [
            Entry(record, file, tickets[index : index + 1], redaction, started) for index, record in enumerate(made)
        ]

    def answered(self, entry: Entry | None, answer: Any, warn: Warn) -> None:
        """Writes down what a call brought: an InvokeResult, or another operation's answer."""
        if entry is None:
            return
        if isinstance(answer, InvokeResult):
            ended, redaction = of_result(answer), answer.redaction
        else:
            ended, redaction = of_answer(answer, self._lasted(entry)), entry.redaction
        self.finish_many([(entry, ended, redaction)], warn)

    def failed(self, entry: Entry | None, error: BaseException, warn: Warn) -> None:
        """Writes down why a call brought nothing."""
        if entry is not None:
            ended = of_error(error, self._lasted(entry))
            self.finish_many([(entry, ended, entry.redaction)], warn)

    def finish_many(self, ended: Sequence[tuple[Entry, Mapping[str, Any], Redaction]], warn: Warn) -> None:
        """Writes down what became of several calls, in one write for each file. Nothing is raised: they were sent."""
        by_file: dict[AuditFile, list[tuple[Ticket, bytes]]] = {}
        for entry, members, redaction in ended:
            for ticket in entry.tickets:
                line = _line({**entry.record, **members}, redaction)
                by_file.setdefault(entry.file, []).append((ticket, line))
        for file, finished in by_file.items():
            try:
                file.finish(finished)
            except OSError as error:
                self._warn_once(finished[0][0].day.path, error, warn, "the next call of any process writes it")

    def note(self, place: Place, outcome: str, told: Mapping[str, Any], warn: Warn) -> None:
        """Writes down something about a call that is not sent: what it would have done, or why not.

        Nothing is raised, even where the audit is required: nothing is sent.
        """
        rule = place.profile.audit
        if rule is None:
            return
        file = self._file(rule)
        record = {**record_of(place, self._now(), **told), "outcome": outcome}
        try:
            file.append(_day(record), [_line(record, place.profile.redaction)])
        except OSError as error:
            self._warn_once(file.path(_day(record)), error, warn, "nothing was sent")

    def close(self) -> None:
        """Closes the files; they are opened again when needed."""
        with self._lock:
            for file in self._files.values():
                file.close()

    def _lasted(self, entry: Entry) -> float:
        return (self._clock() - entry.started) * 1000

    def _file(self, rule: AuditRule) -> AuditFile:
        with self._lock:
            return self._files.setdefault(rule.file, AuditFile(rule.file))

    def _refuse_or_warn(self, rule: AuditRule, path: str, error: OSError, warn: Warn) -> None:
        if rule.required:
            raise GuardError(
                f"The audit file {_shown(path)} cannot be written: {_why(error)}. The profile requires it, so nothing "
                "was sent."
            ) from error
        self._warn_once(path, error, warn, "the call goes on without a line")

    def _warn_once(self, path: str, error: OSError, warn: Warn, then: str) -> None:
        with self._lock:
            if path in self._warned:
                return
            self._warned.add(path)
        warn(f"The audit file {_shown(path)} cannot be written: {_why(error)}; {then}. This is told once.")


def _line(record: Mapping[str, Any], redaction: Redaction) -> bytes:
    return encoded({name: v if name in _OUR_OWN else _hidden(redaction, name, v) for name, v in record.items()})


# Members whose values only this package makes: digests, numbers, times.
_OUR_OWN: Final = frozenset(
    [
        "attempts",
        "duration_ms",
        "id",
        "invocation_type",
        "outcome",
        "payload_bytes",
        "payload_sha256",
        "pid",
        "time",
        "version",
        "what_if",
        UNDER_WAY,
    ]
)


@functools.lru_cache(maxsize=1024)  # all but a few members are those of the call before
def _hidden(redaction: Redaction, name: str, value: Any) -> Any:
    (hidden,) = redaction.value({name: value}).values()
    return hidden


def _day(record: Mapping[str, Any]) -> str:
    return str(record["time"])[:10]


def _shown(path: str) -> str:
    return ascii_only(one_line(path, 200))


def _why(error: OSError) -> str:
    return one_line(error.strerror or str(error) or type(error).__name__, 120)

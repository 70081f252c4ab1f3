"""What functions have written, kept for a while in memory: a ring of events for each log group, as CloudWatch has them.

START, END and REPORT are kept as values and become text when somebody reads: a quiet invocation costs two entries.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, Protocol

_BYTES_KEPT: Final = 2_097_152  # of each log group
_ENTRY_BYTES: Final = 200  # what an entry takes beside its text
_LONGEST_LINE: Final = 262_144  # CloudWatch's limit for one event
_NO_BREAK_SPACE: Final = "\u00a0"
_TRACEBACK: Final = "Traceback (most recent call last):"
_ERROR: Final = "[ERROR]"


class Lines(Protocol):
    """An entry that becomes text when somebody reads it."""

    def texts(self) -> tuple[str, ...]:
        """Its lines, each an event of its own."""


class Event(NamedTuple):
    """One event of a log as a reader gets it. `number` rises from event to event, and `part` within one entry."""

    number: int
    part: int
    time_ms: int
    stream: str
    text: str


# Number, ms since 1970, stream and content: a plain tuple, since each invocation makes two.
_Entry = tuple[int, int, str, str | Lines]


def _size(entry: _Entry) -> int:
    content = entry[3]
    return _ENTRY_BYTES + len(content) if isinstance(content, str) else _ENTRY_BYTES


class Log:
    """The ring of one log group. `created_ms` is when its first line came."""

    def __init__(self, name: str, created_ms: int, numbers: Iterator[int], clock: Callable[[], float]) -> None:
        self.name = name
        self.created_ms = created_ms
        self.stored_bytes = 0
        self._entries: deque[_Entry] = deque()
        self._numbers = numbers
        self._clock = clock

    def events(self) -> Iterator[Event]:
        """The events that are kept, oldest first."""
        for number, time_ms, stream, content in self._entries:
            texts = (content,) if isinstance(content, str) else content.texts()
            for part, text in enumerate(texts):
                yield Event(number, part, time_ms, stream, text)

    def add(self, stream: str, content: str | Lines) -> None:
        """Appends an entry, and forgets the oldest beyond what is kept."""
        entry = (next(self._numbers), int(self._clock() * 1000), stream, content)
        self._entries.append(entry)
        self.stored_bytes += _size(entry)
        while self.stored_bytes > _BYTES_KEPT and len(self._entries) > 1:
            self.stored_bytes -= _size(self._entries.popleft())

    def continues(self, stream: str, text: str) -> bool:
        """Adds `text` to the error whose traceback it is, as CloudWatch has both in one event; False: there is none."""
        if not self._entries:
            return False
        number, time_ms, of_stream, content = self._entries[-1]
        if of_stream != stream or not isinstance(content, str):
            return False
        if not content.startswith(_ERROR) or len(content) > _LONGEST_LINE:
            return False
        self._entries[-1] = (number, time_ms, stream, content + text)
        self.stored_bytes += len(text)
        return True


class Stream:
    """Where one execution environment writes: text as it comes, cut into lines."""

    def __init__(self, log_of: Callable[[], Log], name: str) -> None:
        self.name = name
        self._log_of = log_of
        self._rest = b""

    def add(self, lines: Lines) -> None:
        """Takes what Lambda itself says."""
        self._log_of().add(self.name, lines)

    def write(self, data: bytes) -> None:
        """Takes what was written; a line without its end waits for the rest."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)
        if len(self._rest) > _LONGEST_LINE:
            self.flush()

    def flush(self) -> None:
        """Takes a line for whole whose end did not come."""
        if self._rest:
            self._line(self._rest)
            self._rest = b""

    def _line(self, data: bytes) -> None:
        text = data.decode("utf-8", "replace") + "\n"
        log = self._log_of()
        of_a_traceback = text.startswith((_NO_BREAK_SPACE, _TRACEBACK))
        if not (of_a_traceback and log.continues(self.name, text)):
            log.add(self.name, text)


class LogStore:
    """The logs of one server's functions, by the name of the log group."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self._by_name: dict[str, Log] = {}

    def __iter__(self) -> Iterator[Log]:
        return iter(sorted(self._by_name.values(), key=lambda log: log.name))

    def get(self, name: str) -> Log | None:
        """The log of a group; None when nothing was written to it."""
        return self._by_name.get(name)

    def stream(self, name: str, stream: str) -> Stream:
        """A stream of the group `name`, which exists once something is written."""
        return Stream(lambda: self._log(name), stream)

    def _log(self, name: str) -> Log:
        found = self._by_name.get(name)
        if found is None:
            created = int(self._clock() * 1000)
            found = self._by_name[name] = Log(name, created, self._numbers, self._clock)
        return found

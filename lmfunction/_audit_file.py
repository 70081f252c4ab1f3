"""An audit's files: one line for each invocation, one file a day, written by any number of processes at once.

Before a call its line goes to a spool beside the file, which is named `*.open.jsonl` and held while its process lives;
after the call the final line is appended to the file, and then the other is taken out of the spool. So a call that was
sent stands in one of the two, whatever kills the process in between. What a dead process left in its spool is appended
by the next one that writes; each line has an id, so that none is appended twice.

Nothing is forced to the disk itself: lines survive the end of the process, not the loss of power.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import pathlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lmfunction._day_file import OWNER, SPOOL_ENDING, DayFile, own_name, stem_of
from lmfunction._locks import hold
from lmfunction._spool import lines_of, read_all

# What a line in a spool says of itself, and what is said once its process is found dead.
UNDER_WAY: Final = "under_way"
_NOTE: Final = "its process ended before the answer was written down"
_SWEEP_EVERY: Final = 60.0  # seconds
# The locks of a network's file system may not reach another machine. There a spool counts as left when none of its
# calls can be under way any more: no call waits longer than a day.
_FOREIGN_PATIENCE: Final = 25 * 3600.0


@dataclass(frozen=True)
class Ticket:
    """A line in a spool, to be finished."""

    day: DayFile
    number: int


class AuditFile:
    """The files of one rule, in whose path `{date}` stands for the day (UTC). Safe to use from several threads.

    Every method raises OSError for a file that cannot be written; its `strerror` tells why.
    """

    def __init__(self, template: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.template = template
        self._clock = clock
        self._days: dict[str, DayFile] = {}
        self._begin_anew()

    def path(self, day: str) -> str:
        """The file of a day, such as `2026-11-20`."""
        return self.template.replace("{date}", day)

    def begin(self, day: str, lines: Sequence[bytes]) -> list[Ticket]:
        """Writes down that calls begin, each with the line that is true should nothing more be known of it."""
        with self._own():
            self._sweep()
            file = self._file(self.path(day))
            return [Ticket(file, number) for number in file.begin(lines)]

    def finish(self, finished: Sequence[tuple[Ticket, bytes]]) -> None:
        """Writes the final lines. Where that fails they stay in the spool, and go with the next that can be written."""
        with self._own():
            for file in dict.fromkeys(ticket.day for ticket, _ in finished):
                file.finish([(ticket.number, line) for ticket, line in finished if ticket.day is file])

    def append(self, day: str, lines: Sequence[bytes]) -> None:
        """Writes lines about what was never under way."""
        with self._own():
            self._file(self.path(day)).append(lines)

    def close(self) -> None:
        """Closes the files; what is under way goes on."""
        with self._own():
            for file in self._days.values():
                file.close()

    def _begin_anew(self) -> None:
        self._pid = os.getpid()
        self._mutex = threading.RLock()
        for file in self._days.values():
            file.abandon()
        self._days = {}
        self._swept: float | None = None

    @contextlib.contextmanager
    def _own(self) -> Iterator[None]:
        """For one thread at a time; a forked child begins anew, for its parent's spool is its parent's."""
        if os.getpid() != self._pid:
            self._begin_anew()
        with self._mutex:
            yield

    def _file(self, path: str) -> DayFile:
        found = self._days.get(path)
        if found is None:
            for other, file in list(self._days.items()):
                if file.spool is None:
                    file.close()
                    del self._days[other]
            found = self._days[path] = DayFile(path)
        return found

    def _sweep(self) -> None:
        """Takes over what dead processes left, now and then."""
        now = self._clock()
        if self._swept is not None and now - self._swept < _SWEEP_EVERY:
            return
        self._swept = now
        for path in spools_of(self.template):
            with contextlib.suppress(OSError):  # another user's, or one that cannot be written now: the next one will
                self._take_over(path)

    def _take_over(self, path: str) -> None:
        if _may_live_elsewhere(path):
            return
        held = hold(path, create=False)
        if held is None:
            return
        try:
            lines = [line for line in map(_left, lines_of(read_all(held.descriptor))) if line]
            if lines:
                self._file(OWNER.sub("", path) + stem_of(self.template)[1]).append_new(lines)
        except BaseException:
            held.release(remove=False)
            raise
        held.release()


def files_of(template: str) -> list[str]:
    """The files of every day, oldest first."""
    found = glob.glob(glob.escape(template).replace("{date}", "????-??-??"))  # noqa: PTH207 - a pattern over folders
    return sorted(path for path in found if not path.endswith(SPOOL_ENDING))


def spools_of(template: str) -> list[str]:
    """The spools of every process on any day."""
    pattern = f"{glob.escape(stem_of(template)[0])}.*{SPOOL_ENDING}".replace("{date}", "????-??-??")
    return sorted(path for path in glob.glob(pattern) if OWNER.search(path))  # noqa: PTH207


def is_live(spool: str) -> bool:
    """Whether the spool's process lives, as far as this machine can tell."""
    if _may_live_elsewhere(spool):
        return True
    held = hold(spool, create=False)
    if held is None:
        return True
    held.release(remove=False)
    return False


def _may_live_elsewhere(spool: str) -> bool:
    owner = OWNER.search(spool)
    if owner is None or owner["host"] == own_name():
        return False
    return time.time() - pathlib.Path(spool).stat().st_mtime < _FOREIGN_PATIENCE


def as_left(record: dict[str, object]) -> dict[str, object]:
    """A spool's record once its process is dead."""
    if record.pop(UNDER_WAY, None):
        record["note"] = _NOTE
    return record


def _left(line: bytes) -> bytes:
    try:
        record = json.loads(line)
    except ValueError:
        return b""
    return json.dumps(as_left(record), separators=(",", ":")).encode() if isinstance(record, dict) else b""

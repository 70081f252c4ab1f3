"""The results of a run in a file, a line each, so that memory follows the calls under way and not their number.

The lines stand in the order in which the calls ended; each names its object. Until the run has ended well the file has
another name: `.NAME.part` while it goes on, `NAME.partial` when it ended before its objects did. In memory stay 13
bytes an object: where its line begins, its outcome, its latency.
"""

from __future__ import annotations

import array
import os
import pathlib
import weakref
from collections.abc import Iterator, Sequence
from typing import Final, overload

from lmfunction._bulk_result import Item
from lmfunction._model import Outcome
from lmfunction._request import InvokeRequest
from lmfunction._result_lines import item_of, line_of
from lmfunction._text import one_line
from lmfunction.errors import BulkError, ParameterError

_BLOCK: Final = 262_144
_OUTCOMES: Final = tuple(Outcome)
_OPEN: Final = 255
_NOWHERE: Final = (1 << 64) - 1


class OutFile(Sequence[Item]):
    """The items of one run, of which only those under way are in memory. Raises ParameterError where it cannot begin.

    `latencies` holds the elapsed ms of each, NaN where there is none.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        if path.is_dir() or not path.parent.is_dir():
            what = "is a folder" if path.is_dir() else f"cannot be written: there is no folder {path.parent}"
            raise ParameterError(f"OutFile {one_line(str(path), 200)} {what}.", parameter="OutFile")
        try:
            self._file = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError as error:
            raise ParameterError(
                f"OutFile {one_line(str(path), 200)} cannot be written: {error.strerror}.", parameter="OutFile"
            ) from None
        self._let_go = weakref.finalize(self, os.close, self._file)
        self._live: dict[int, Item] = {}
        self._starts = array.array("Q")
        self._codes = bytearray()
        self.latencies = array.array("f")
        self._waiting = bytearray()
        self._end = 0
        self.request = InvokeRequest("")

    def append(self, item: Item) -> None:
        """Adds the next item; one that has ended already goes into the file at once."""
        self._starts.append(_NOWHERE)
        self._codes.append(_OPEN)
        self.latencies.append(float("nan"))
        self._live[item.index] = item
        if item.result is not None or item.error is not None:
            self.ended(item)

    def ended(self, item: Item) -> None:
        """Writes an item that ended. Raises BulkError when the disk does not take it."""
        if self._live.pop(item.index, None) is None:
            return
        if item.result is not None:
            self.request = item.result.like
            self.latencies[item.index] = item.result.elapsed_ms
        self._codes[item.index] = _OUTCOMES.index(item.outcome)
        self._starts[item.index] = self._end
        line = line_of(item)
        self._waiting += line
        self._end += len(line)
        if len(self._waiting) >= _BLOCK:
            self._flush()

    def finish(self, *, complete: bool) -> None:
        """Gives the file its name: its own where every object is in it."""
        if not self._part.exists():
            return
        for item in list(self._live.values()):
            self.ended(item)
        self._flush()
        os.fsync(self._file)
        self._part.replace(self.path if complete else self.path.with_name(f"{self.path.name}.partial"))

    def outcomes(self) -> list[tuple[Outcome, int]]:
        """How many items are in each outcome class; those under way count as not sent."""
        counts = [(outcome, self._codes.count(code)) for code, outcome in enumerate(_OUTCOMES)]
        under_way = self._codes.count(_OPEN)
        return [(o, n + (under_way if o is Outcome.NOT_SENT else 0)) for o, n in counts]

    def of(self, *outcomes: Outcome) -> Iterator[Item]:
        """The items in these outcome classes; the others are not read."""
        wanted = {_OUTCOMES.index(outcome) for outcome in outcomes}
        if Outcome.NOT_SENT in outcomes:
            wanted.add(_OPEN)
        return (self[index] for index, code in enumerate(self._codes) if code in wanted)

    def __len__(self) -> int:
        return len(self._codes)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError("there are not so many items")
        live = self._live.get(at)
        return live if live is not None else item_of(self._line(self._starts[at]), self.request)

    def __reduce__(self) -> tuple[type[list[Item]], tuple[list[Item]]]:
        return (list, ([*self],))

    def _line(self, start: int) -> bytes:
        self._flush()
        found = b""
        while b"\n" not in found:
            block = os.pread(self._file, 16_384, start + len(found))
            if not block:
                raise BulkError(f"{one_line(str(self.path), 200)} is shorter than what was written.")
            found += block
        return found[: found.index(b"\n")]

    def _flush(self) -> None:
        try:
            while self._waiting:
                written = os.write(self._file, self._waiting[:_BLOCK])
                del self._waiting[:written]
        except OSError as error:
            raise BulkError(f"OutFile {one_line(str(self.path), 200)} cannot be written: {error.strerror}.") from error

"""The results of a run in a file, a line each, so that memory follows the calls under way and not their number.

The lines stand in the order in which the calls ended; each names its object. Until the run has ended well the file has
another name: `.NAME.part` while it goes on, `NAME.partial` when it ended before its objects did. In memory stay 17
bytes an object: where its line begins, its outcome, its latency, which of the requests it was sent with. The payload of
its request is not kept, but for what did not succeed.

Once the disk takes no more the run ends, and what could not be written is read from memory.
"""

from __future__ import annotations

import array
import contextlib
import os
import pathlib
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from lmfunction._item import Item
from lmfunction._model import InvokeResult
from lmfunction._redact import NONE, Redaction
from lmfunction._request import InvokeRequest
from lmfunction._result_lines import item_of, line_of
from lmfunction._spilled_items import CODES, SpilledItems
from lmfunction._text import one_line
from lmfunction.errors import BulkError, ParameterError

_BLOCK: Final = 262_144
_NOWHERE: Final = (1 << 64) - 1
Select = Callable[[InvokeResult], Any] | None


class _Kind(NamedTuple):
    """What results of one kind have in common: the request but for its payload and the name of its execution, what
    -Select makes of them, what is hidden of them.
    """

    request: InvokeRequest
    select: Select = None
    redaction: Redaction = NONE


class OutFile(SpilledItems):
    """The items of one run. Raises ParameterError where the file cannot begin."""

    def __init__(self, path: pathlib.Path) -> None:
        if not path.name:
            raise ParameterError("OutFile names no file.", parameter="OutFile")
        super().__init__(bytearray())
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
        self._starts = array.array("Q")
        self._kind_at = array.array("I")
        self._written = 0
        self._waiting = bytearray()
        self._moving = threading.Lock()  # a job's result is looked at while lines go from there into the file
        self._kinds: list[_Kind] = []
        self._numbers: dict[_Kind, int] = {}
        self._latest: tuple[InvokeRequest | None, Select, int] = (None, None, 0)

    def append(self, item: Item) -> None:
        """Adds the next item; one that has ended already goes into the file at once."""
        super().append(item)
        self._starts.append(_NOWHERE)
        self._kind_at.append(0)
        if item.result is not None or item.error is not None:
            self.ended(item)

    def ended(self, item: Item) -> None:
        """Writes an item that ended."""
        if self._live.pop(item.index, None) is None:
            return
        if item.result is not None:
            self._kind_at[item.index] = self._kind_of(item.result, item.select)
            self.latencies[item.index] = item.result.elapsed_ms
        self._codes[item.index] = CODES[item.outcome.value]
        self._starts[item.index] = self._written + len(self._waiting)
        self._waiting += line_of(item)
        if len(self._waiting) >= _BLOCK and self.failed is None:
            self._flush()

    def finish(self, *, complete: bool) -> None:
        """Gives the file its name: its own where every object is in it."""
        if not self._part.exists():
            return
        for item in list(self._live.values()):
            self.ended(item)
        self._flush(last=True)
        name = self.path.name if complete and self.failed is None else f"{self.path.name}.partial"
        self._part.replace(self.path.with_name(name))

    def _kind_of(self, result: InvokeResult, select: Select) -> int:
        """The number of what a line does not tell of its result; mostly it is the one before."""
        like = result.like
        if self._latest[0] is not like or self._latest[1] is not select:
            # The name of its execution is another one for each call, so that it stands in the line.
            request = replace(like, payload=b"", payload_slots=(), durable_execution_name=None)
            kind = _Kind(request, select, result.redaction)
            number = self._numbers.setdefault(kind, len(self._kinds))
            if number == len(self._kinds):
                self._kinds.append(kind)
            self._latest = like, select, number
        return self._latest[2]

    def _stored(self, at: int) -> Item:
        kind = self._kinds[self._kind_at[at]] if self._kinds else _Kind(InvokeRequest(""))
        item = item_of(self._line(self._starts[at]), kind.request)
        if item.result is not None:
            item.result.redaction, item.select = kind.redaction, kind.select
        return item

    def _line(self, start: int) -> bytes:
        with self._moving:
            if start >= self._written:  # only whole lines are written
                at = start - self._written
                return bytes(self._waiting[at : self._waiting.index(b"\n", at)])
        found = b""
        while b"\n" not in found:
            block = os.pread(self._file, 16_384, start + len(found))
            if not block:
                raise BulkError(f"{one_line(str(self.path), 200)} is shorter than what was written.")
            found += block
        return found[: found.index(b"\n")]

    def _flush(self, *, last: bool = False) -> None:
        """Writes the lines that wait: all of them, or none."""
        with self._moving:
            try:
                done = 0
                while done < len(self._waiting):
                    done += os.write(self._file, self._waiting[done : done + _BLOCK])
                if last:
                    os.fsync(self._file)
            except OSError as error:
                name = one_line(str(self.path), 200)
                self.failed = BulkError(
                    f"OutFile {name} cannot be written: {error.strerror}. What it took is in {name}.partial."
                )
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, self._written)
                    os.lseek(self._file, self._written, os.SEEK_SET)
            else:
                self._written += done
                self._waiting.clear()

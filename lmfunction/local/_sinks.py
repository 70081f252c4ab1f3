"""Where records of destinations and dead letters end up here: a folder of JSON Lines, one file for each ARN.

A line is what AWS sends, to the letter. The ARN is the file's name, with `_` for its colons and every other special
character percent-encoded.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from lmfunction._user_files import make_private_folder

DEAD_LETTER: Final = "DeadLetter"
_SUFFIX: Final = ".jsonl"
_NAME_LENGTH: Final = 200  # file systems allow 255 bytes; the rest of a longer ARN goes into a file in a folder
_UNDER: Final = "%5F"
_SENDER: Final = re.compile(r"[^:]*:(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a sink as it was written, and what it is searched by.

    `time` is ISO text or milliseconds since 1970 as text, made comparable; `condition` of a dead letter is
    `DeadLetter`.
    """

    destination: str
    function: str
    condition: str
    time: float
    text: bytes


class Sinks:
    """The files in `folder`. `durable` has every line on the disk before `append` returns."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self.folder = folder
        self._durable = durable
        self._mended: set[str] = set()

    def append(self, lines: Iterable[tuple[str, bytes]]) -> None:
        """Appends lines to the files of their ARNs. Raises OSError."""
        by_arn: dict[str, list[bytes]] = {}
        for arn, line in lines:
            by_arn.setdefault(arn, []).append(line + b"\n")
        for arn, texts in by_arn.items():
            self._append(arn, b"".join(texts))

    def _append(self, arn: str, data: bytes) -> None:
        path = file_of(self.folder, arn)
        make_private_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if arn not in self._mended:
                _drop_half_line(descriptor)
                self._mended.add(arn)
            _write(descriptor, data)
            if self._durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def file_of(folder: Path, arn: str) -> Path:
    """The file for `arn` in `folder`."""
    name = quote(arn, safe=":").replace("_", _UNDER).replace(":", "_")
    *above, last = [name[i : i + _NAME_LENGTH] for i in range(0, len(name), _NAME_LENGTH)]
    return folder.joinpath(*above, last + _SUFFIX)


def arn_of(folder: Path, path: Path) -> str:
    """The ARN whose file in `folder` is `path`."""
    name = "".join(path.relative_to(folder).parts).removesuffix(_SUFFIX)
    return unquote(name.replace("_", ":"))


def read_lines(folder: Path) -> Iterator[Line]:
    """Every line in `folder`, file by file, in the order they were written."""
    for path in sorted(folder.rglob(f"*{_SUFFIX}")):
        arn = arn_of(folder, path)
        with contextlib.suppress(OSError):  # taken away meanwhile
            for text in path.read_bytes().split(b"\n")[:-1]:
                line = _line(arn, text)
                if line is not None:
                    yield line


def _line(arn: str, text: bytes) -> Line | None:
    try:
        value: Any = json.loads(text, parse_int=str, parse_float=str)
        if "requestContext" in value:
            context = value["requestContext"]
            function, condition = context["functionArn"].split(":")[6], context["condition"]
            return Line(arn, function, condition, _seconds(value["timestamp"]), text)
        sent = value["Attributes"]
        return Line(arn, sent["SenderId"].partition(":")[2], DEAD_LETTER, int(sent["SentTimestamp"]) / 1000, text)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None  # not of our making


def _seconds(timestamp: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(timestamp).timestamp()


def _drop_half_line(descriptor: int) -> None:
    """Cuts off what a killed server began to write: its event is still in the queue, and is written anew."""
    end = os.fstat(descriptor).st_size
    position = end
    while position > 0:
        start = max(0, position - 65_536)
        block = os.pread(descriptor, position - start, start)
        found = block.rfind(b"\n")
        if found >= 0:
            position = start + found + 1
            break
        position = start
    if position < end:
        os.ftruncate(descriptor, position)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]

"""Reads the records of destinations and dead letters back: `GET /lmfunction/destination-records`, signed as for Lambda.

A path of our own: on AWS each destination is read by a service of its own. Parameters of the query, all optional:
`Function`, `Condition` and `Destination` (several times: any of them), `First` or `Last` (how many).
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

from lmfunction import _wire
from lmfunction.local._answers import fault, new_request_id, validation
from lmfunction.local._http import Answer
from lmfunction.local._sinks import Line, read_lines
from lmfunction.local._store import Store

PATH: Final = "/lmfunction/destination-records"
_BYTES_LIMIT: Final = 67_108_864  # of one answer


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is asked for; an empty set is everything."""

    functions: frozenset[str]
    conditions: frozenset[str]
    destinations: frozenset[str]
    first: int | None = None
    last: int | None = None

    def fits(self, line: Line) -> bool:
        return (
            (not self.functions or line.function in self.functions)
            and (not self.conditions or line.condition in self.conditions)
            and (not self.destinations or line.destination in self.destinations)
        )

    def cut(self, lines: list[Line]) -> list[Line]:
        if self.first is not None:
            lines = lines[: self.first]
        return lines if self.last is None else lines[max(0, len(lines) - self.last) :]


class Records:
    """The records of one server, in `folder`. What `store` was given before a question is in the answer."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder = folder
        self._store = store

    def answer(self, query: str, reply: Callable[[Answer], None]) -> None:
        """Answers one question: `{"Records": [{"Destination": arn, "Function": name, "Record": {...}}], "Left": 0}`.

        In the order of time. `Left` is how many of the oldest were left out because of their size.
        """
        asked = parse_qs(query, keep_blank_values=True)
        functions, conditions, destinations = (
            frozenset(asked.get(name, ())) for name in ("Function", "Condition", "Destination")
        )
        counts = {name: asked[name][0] for name in ("First", "Last") if name in asked}
        faults = [
            fault(text, name.lower(), "have value greater than or equal to 0")
            for name, text in counts.items()
            if not (text.isascii() and text.isdigit() and len(text) < 10)
        ]
        if faults:
            reply(validation(faults))
            return
        first, last = (int(counts[name]) if name in counts else None for name in ("First", "Last"))
        wanted = _Wanted(functions, conditions, destinations, first, last)
        self._store.flush(lambda _error: self._read(wanted, reply))

    def _read(self, wanted: _Wanted, reply: Callable[[Answer], None]) -> None:
        """In a thread: what has been recorded may be much."""
        reading = asyncio.get_running_loop().run_in_executor(None, _found, self._folder, wanted)
        reading.add_done_callback(functools.partial(_replied, reply))


def _replied(reply: Callable[[Answer], None], reading: asyncio.Future[bytes]) -> None:
    if not reading.cancelled():
        headers = (("Content-Type", "application/json"), (_wire.REQUEST_ID, new_request_id()))
        reply(Answer(200, headers, reading.result()))


def _found(folder: Path, wanted: _Wanted) -> bytes:
    lines = [line for line in read_lines(folder) if wanted.fits(line)]
    lines = wanted.cut(sorted(lines, key=lambda line: line.time))
    size, start = 0, len(lines)
    while start and size + len(lines[start - 1].text) <= _BYTES_LIMIT:
        start -= 1
        size += len(lines[start].text)
    shown = (
        b'{"Destination":%b,"Function":%b,"Record":%b}'
        % (json.dumps(line.destination).encode(), json.dumps(line.function).encode(), line.text)
        for line in lines[start:]
    )
    return b'{"Records":[%b],"Left":%d}' % (b",".join(shown), start)

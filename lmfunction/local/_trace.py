"""The trace header of an invocation, and the loops of functions that it stops.

Its `Lineage` counts how often a function has been in the chain of calls that led to this one. Functions pass it on by
`_X_AMZN_TRACE_ID`, which the SDKs send with every call they make inside a function. One entry is recorded as
`1:<8 hex digits>:<count>`; several are joined by `|`. Source of the limit: the developer guide on recursive loops.
"""

from __future__ import annotations

import re
import time
import zlib
from typing import Final

from lmfunction.local._answers import random_bits

ROUNDS: Final = 16  # so many times a function runs in one chain of calls
_ENTRIES_KEPT: Final = 8
_GIVEN: Final = re.compile(r"Root=[\w=;:.|-]{1,512}", re.ASCII)
_ENTRY: Final = re.compile(r"1:(?P<function>[0-9a-f]{8}):(?P<count>\d{1,9})", re.ASCII)


def trace_id(given: str | None, arn: str, *, stops: bool = True) -> str | None:
    """The trace header for a call of the function `arn` (without qualifier); None when it has come round too often.

    `given` is the caller's header: what it says is kept, and its lineage goes on. Without one, or with one that is no
    trace header, a new trace begins, which is not sampled. Unless the call `stops` loops, it is never None.
    """
    mark = f"{zlib.crc32(arn.encode()):08x}"
    if given is None or not _GIVEN.fullmatch(given):
        text = f"{random_bits(160):040x}"
        return f"Root=1-{int(time.time()):08x}-{text[:24]};Parent={text[24:]};Sampled=0;Lineage=1:{mark}:0"
    parts = dict(part.partition("=")[::2] for part in given.split(";"))
    parts.setdefault("Parent", f"{random_bits(64):016x}")
    parts.setdefault("Sampled", "0")
    counts = {found["function"]: int(found["count"]) for found in _ENTRY.finditer(parts.pop("Lineage", ""))}
    count = counts.pop(mark, -1) + 1
    if stops and count >= ROUNDS:
        return None
    counts[mark] = count
    last = list(counts.items())[-_ENTRIES_KEPT:]
    lineage = "|".join(f"1:{function}:{times}" for function, times in last)
    return ";".join(f"{name}={value}" for name, value in parts.items()) + f";Lineage={lineage}"

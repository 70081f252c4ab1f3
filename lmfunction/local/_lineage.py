"""How often an event has come round: the `Lineage` in a trace header, which Lambda counts up to stop endless loops.

Its form as recorded is `Lineage=1:<8 hex digits>:<count>`. Source of the limit: the developer guide on recursive loops.
"""

from __future__ import annotations

import re
from typing import Final

ROUNDS: Final = 16
_LINEAGE: Final = re.compile(r"(Lineage=\d+:[0-9a-f]{8}:)(\d{1,9})", re.ASCII)


def rounds_of(trace_id: str) -> int:
    """How many functions have passed on what `trace_id` belongs to."""
    found = _LINEAGE.search(trace_id)
    return 0 if found is None else int(found[2])


def next_round(trace_id: str) -> str:
    """The trace header for what a function passes on."""
    return _LINEAGE.sub(lambda found: f"{found[1]}{int(found[2]) + 1}", trace_id, count=1)

"""What it takes to show a payload of ten megabytes: as a notebook's bundle (text and HTML). Budget: 200 ms.

The payload is decoded before, as `r.payload` does once; the figure is the best of several renderings, in time of the
processor: a busy machine makes it worse, never better.
"""

from __future__ import annotations

import json
import time
from typing import Any

from lmfunction._bulk_result import BulkResult
from lmfunction._item import Item
from lmfunction._model import InvokeResult
from lmfunction._redact import Redaction
from lmfunction._request import InvokeRequest, Target

RUNS = 7
BUDGET_MS = 200.0
REDACTION = Redaction(keys=("email", "phone"), paths=("Payload.customer.card",), secrets=(("hunter2", "«secret»"),))


def deep(levels: int) -> dict[str, Any]:
    """Data that is nested far, each level holding some text."""
    value: dict[str, Any] = {"end": True}
    for level in range(levels):
        value = {"level": level, "text": "x" * 20_000, "below": value}
    return value


PAYLOADS: dict[str, Any] = {
    "a text of one line": "x" * 10_000_000,
    "a text of many lines": "2026-01-14 INFO loading order 4711\n" * 285_000,
    "a text that grows when escaped": "\x1b$<" * 1_600_000,
    "1,000,000 keys": {f"k{n}": n for n in range(1_000_000)},
    "300,000 rows": [{"id": n, "name": f"worker-{n}", "on": True} for n in range(300_000)],
    "500 levels": deep(500),
    "small": {"message": "Hello, Ada!"},
}


def main() -> int:
    """Prints the figures; 1 when a budget is missed."""
    missed = 0
    request = InvokeRequest("orders-api", b"{}", target=Target(region="eu-west-1"))
    for name, payload in PAYLOADS.items():
        raw = json.dumps(payload).encode()
        result = InvokeResult(request, 200, raw, redaction=REDACTION)
        start = time.process_time()
        assert result.payload == payload
        decoding = (time.process_time() - start) * 1000
        missed |= told(f"{name}, {len(raw) / 1e6:.1f} MB (decoded in {decoding:.0f} ms)", result)
    run = BulkResult()
    run.elapsed_ms = 60_000.0
    answer = InvokeResult(request, 200, b'{"ok": true}', elapsed_ms=50.0)
    run.items = [Item(index, None, answer) for index in range(100_000)]
    missed |= told("a run of 100,000 calls", run)
    return missed


def told(name: str, shown: Any) -> bool:
    """Prints the figure of one, and whether it is over the budget."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        data, _ = shown._repr_mimebundle_()
        times.append((time.process_time() - start) * 1000)
        assert set(data) == {"text/plain", "text/html"}
    best = min(times)
    size = sum(len(text.encode()) for text in data.values()) / 1024
    print(f"{name:<62} {best:6.1f} ms   {best / BUDGET_MS:.2f} x of the budget   {size:5.1f} KiB shown")
    return best > BUDGET_MS


if __name__ == "__main__":
    raise SystemExit(main())

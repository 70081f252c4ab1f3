"""T8: a run with a journal whose function is throttled, less, more, and for a while altogether."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from counting import CONCURRENCY, RATE, Served, counting_lambda
from journal.invariants import violations

import lmfunction as lm

ITEMS = 240
# Of each profile the settings one after the other, each from so many items that ran on; those behind a limit of 0, at
# which none does, once three requests more were refused.
PROFILES: dict[str, list[tuple[int, dict[str, Any]]]] = {
    "20, 5, then 50 at a time": [(0, {"limit": 20}), (60, {"limit": 5}), (120, {"limit": 50})],
    "none for a while": [(0, {"limit": 20}), (60, {"limit": 0}), (60, {"limit": 20})],
    "told when to come again": [(0, {"limit": 3, "retry_after": 1}), (20, {"limit": 50, "retry_after": None})],
    "by rate, then by concurrency": [
        (0, {"rate": 400, "reason": RATE}),
        (80, {"rate": None, "limit": 5, "reason": CONCURRENCY}),
        (160, {"limit": 50}),
    ],
}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with counting_lambda() as found:
        yield found


def turn(
    served: Served, profile: list[tuple[int, dict[str, Any]]], over: threading.Event, turned: list[dict[str, Any]]
) -> None:
    """Gives the Lambda the settings of `profile`, each in its turn, and notes that in `turned`."""
    refused = 0
    for number, (_, settings) in enumerate(profile):
        before = refused
        served.change(**settings)
        turned.append(settings)
        if number + 1 == len(profile):
            return
        while not over.wait(0.01):
            counts = served.counts()
            refused = counts["refused"]
            if settings.get("limit") == 0:
                if refused >= before + 3:
                    break
            elif len(counts["executions"]) >= profile[number + 1][0]:
                break


@pytest.mark.parametrize("name", PROFILES)
def test_throttled(name: str, served: Served, tmp_path: Path) -> None:
    """No item is lost, none runs twice, none gives up; the journal has each, and each refusal with its try."""
    served.set(delay=0.01, **PROFILES[name][0][1])
    path, over = str(tmp_path / "run.db"), threading.Event()
    turned: list[dict[str, Any]] = []
    turning = threading.Thread(target=turn, args=[served, PROFILES[name], over, turned])
    policy = lm.RetryPolicy(base=0.01)
    key = lm.Credential("AKIDEXAMPLE", "not-a-secret")
    turning.start()
    try:
        with lm.Session(region="us-east-1", endpoint_url=served.url, credential=key, retry_policy=policy) as session:
            run = session.invoke_lm(
                f"throttled-{time.monotonic_ns()}",
                input_object=({"n": n} for n in range(ITEMS)),
                throttle_limit=40,
                journal=path,
            )
    finally:
        over.set()
        turning.join()
    counts = served.counts()
    ran = {int(number): times for number, times in counts["executions"].items()}
    assert violations(path, ran, ITEMS, lambda number: b'{"n":%d}' % number, run.summary()) == []
    assert run.ok
    assert len(turned) == len(PROFILES[name])
    assert counts["refused"] > 0
    assert counts["requests"] - counts["refused"] == ITEMS

"""A run with a journal against a network that goes wrong: what the journal says of each item is what the server saw."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import lmfunction as lm

pytestmark = pytest.mark.filterwarnings("ignore:No call has succeeded:lmfunction.LMWarning")

ITEMS = 20
ONE_ANSWER = [
    case
    for case in yaml.safe_load((Path(__file__).parent.parent / "fault_cases.yaml").read_text())
    if len(case.get("answers", [])) == 1 and "nowhere" not in case and case.get("calls", 1) == 1
]
# What the function may have run for, or did: such an item must have been asked for exactly once.
_ONCE = frozenset(["OK", "FUNCTION_ERROR", "ACCEPTED", "UNKNOWN", "RESULT_LOST", "REJECTED"])


@pytest.fixture(scope="module")
def server(faults: ModuleType) -> Iterator[Any]:
    with faults.FaultServer() as server:
        yield server


@pytest.fixture(scope="module")
def caller(faults: ModuleType) -> Iterator[Any]:
    caller = faults.Caller()
    yield caller
    caller.close()


@pytest.mark.parametrize("case", ONE_ANSWER, ids=[case["id"] for case in ONE_ANSWER])
def test_the_journal_agrees_with_the_server(case: Mapping[str, Any], server: Any, caller: Any, tmp_path: Path) -> None:
    """T7: every fault meets each of twenty items; none that may have run is asked for twice."""
    server.play(case["answers"])
    path = str(tmp_path / "run.db")
    objects = [{"n": number} for number in range(ITEMS)]
    options = {"timeout_sec": case.get("timeout", 300), **case.get("call", {})}
    try:
        run = caller.session.invoke_lm(
            "f", input_object=objects, endpoint_url=server.url, journal=path, throttle_limit=ITEMS, **options
        )
    except lm.BulkError as error:
        run = error.result
    asked = Counter(hashlib.sha256(request.body).digest() for request in server.requests)
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    known = database.execute(
        "SELECT payload_sha256, (SELECT outcome FROM outcome WHERE final AND place >> 20 = seq ORDER BY place DESC"
        " LIMIT 1), (SELECT COUNT(*) FROM intent WHERE place >> 20 = seq) FROM item ORDER BY seq"
    ).fetchall()
    database.close()
    assert len(known) == ITEMS
    for item, (digest, outcome, intents) in zip(run.items, known, strict=True):
        assert outcome in (item.outcome.value, None), (item, outcome)
        assert asked[digest] <= intents, "it was asked for without an intent"
        if outcome in _ONCE:
            assert asked[digest] == 1, outcome
        if outcome is None:  # the run ended before its turn came, or its credentials did: it is sent when resumed
            assert item.outcome in (lm.Outcome.NOT_SENT, lm.Outcome.REJECTED)

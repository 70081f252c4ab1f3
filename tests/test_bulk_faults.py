"""The engine of many calls against a server that goes wrong: it knows what a single call knows, and repeats no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import lmfunction as lm

CASES = yaml.safe_load(Path(__file__).with_name("fault_cases.yaml").read_text())
# How often and how long it is tried is another matter with many calls: throttling does not count as an attempt, and
# its waits have dice of their own. What may not be repeated at all is not repeated here either.
_OTHERWISE = ("attempts", "attempt_log", "waits", "waited_ms")
_NEVER_AGAIN = ("UNKNOWN", "RESULT_LOST", "REJECTED", "OK", "FUNCTION_ERROR", "ACCEPTED")


class BulkCaller:
    """Makes each call as a run of one object; the error is the item's."""

    def __init__(self, caller: Any) -> None:
        self.time = caller.time
        self._session = caller.session

    def call(self, url: str, **more: Any) -> Any:
        """One run of one object at `url`."""
        try:
            run = self._session.invoke_lm("some-function", input_object=[{"n": 1}], endpoint_url=url, **more)
        except lm.BulkError as error:  # the credentials are no longer taken, which ends a run
            run = error.result
        (item,) = run.items
        if item.result is None:
            raise item.error
        return item.result


@pytest.fixture(scope="module")
def server(faults: ModuleType) -> Iterator[Any]:
    with faults.FaultServer() as server:
        yield server


@pytest.fixture(scope="module")
def caller(faults: ModuleType) -> Iterator[Any]:
    caller = faults.Caller()
    yield BulkCaller(caller)
    caller.close()


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_each_fault_means_what_it_means_for_a_single_call(
    case: Mapping[str, Any], server: Any, caller: BulkCaller, faults: ModuleType
) -> None:
    """Outcome, error, text, status, payload and the number of requests are those of the table for single calls."""
    seen = faults.observe(case, server, caller)
    wanted = {name: value for name, value in case["want"].items() if name not in _OTHERWISE}
    says = wanted.pop("says", "")
    if wanted.get("outcome") not in _NEVER_AGAIN or len(case.get("answers", [])) > 1:
        wanted.pop("requests", None)
    told = f"{case['id']}\nanswers:  {case.get('answers')}\nexpected: {wanted}\nactual:   {seen}"
    assert {name: seen.get(name, "(not there)") for name in wanted} == wanted, told
    assert says in seen.get("text", ""), told


def test_the_error_is_an_lmerror(server: Any, caller: BulkCaller) -> None:
    """It can be raised, as that of a single call."""
    server.play([{"status": 404, "type": "ResourceNotFoundException"}])
    with pytest.raises(lm.ServiceError, match="404 ResourceNotFoundException"):
        caller.call(server.url)

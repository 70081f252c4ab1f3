"""The tests of runs on a cluster notice when leave to send is broken: each way to break it makes an invariant fail."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cluster.cluster_runs import by_value, check, killed_run
from cluster.mutations import ALL
from counting import Served
from journal.invariants import violations_while_open

import lmfunction as lm
from lmfunction._dask_cluster import Cluster

Ran = Callable[[int], Counter[int]]
When = Callable[..., threading.Event]
OWNER = str(Path(__file__).with_name("owner.py"))


@pytest.mark.parametrize("mutation", ["leave before the intent", ""])
def test_the_owner_is_killed(
    client: Any, served: Served, place: dict[str, Any], first: int, ran: Ran, when: When, tmp_path: Path, mutation: str
) -> None:
    """Leave before the intent: killed, such a run has items that ran and are not known to have been sent."""
    served.set(delay=0.2)
    path = str(tmp_path / "run.db")
    line = [sys.executable, OWNER, path, client.scheduler.address, served.url, str(first), "100", mutation]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL) as owner:
        assert when(15, owner.kill).wait(30)
    found = violations_while_open(path, {n: times for n, times in ran(100).items() if times})
    assert {told[:3] for told in found} == ({"(a)"} if mutation else set())


def _call_once(url: str) -> None:
    """On a worker: loads all that a sender needs, so that none has to wait for another to begin."""
    lm.invoke_lm("f", payload={}, endpoint_url=url, region="eu-west-1")


class Repeated:
    """The future of a task that runs as often as it was begun."""

    status = "pending"

    def __init__(self) -> None:
        self.futures: list[Any] = []

    def done(self) -> bool:
        """Whether it runs no more."""
        return all(future.done() for future in self.futures)

    def cancel(self) -> None:
        """Lets go of it."""
        for future in self.futures:
            future.cancel()


def repeated(client: Any, place: dict[str, Any], first: int, when: When, path: Path, mutation: str) -> lm.BulkResult:
    """A run of 200 items one of whose tasks Dask runs a second time while the first goes on."""
    starts = Cluster.start

    def start(self: Cluster, function: Any, task: Any, worker: str) -> Any:
        (other,) = client.ncores().keys() - {worker}
        found = Repeated()
        found.futures.append(starts(self, function, task, worker))
        if task["number"] == 0:
            when(20, lambda: found.futures.append(starts(self, function, task, other)))
        return found

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", lm.LMWarning)  # of a sender that the other one takes the place of
        patch.setattr(Cluster, "start", start)
        if mutation:
            ALL[mutation](patch)
        try:
            return lm.invoke_lm(
                "f", input_object=[{"n": first + n} for n in range(200)], journal=str(path), engine=client,
                throttle_limit=40, error_action="Continue", **place,
            )  # fmt: skip
        except lm.BulkError as error:  # some are unknown
            return error.result


def test_a_task_is_repeated(
    client: Any, served: Served, place: dict[str, Any], first: int, ran: Ran, when: When, tmp_path: Path
) -> None:
    """No item runs twice."""
    client.run(by_value(_call_once), served.url)
    served.set(delay=0.5)  # the second begins before the first has its first answers
    check(repeated(client, place, first, when, tmp_path / "run.db", ""), ran(200), 40)


def test_leave_is_given_again(
    client: Any, served: Served, place: dict[str, Any], first: int, ran: Ran, when: When, tmp_path: Path
) -> None:
    """Both tasks run the same items, if not in the first run then in one of the next: they have to meet in time."""
    client.run(by_value(_call_once), served.url)
    for attempt in range(8):
        served.set(delay=0.5)
        run = repeated(client, place, first, when, tmp_path / f"{attempt}.db", "leave given again")
        if max(ran(200).values()) > 1:
            break
    with pytest.raises(AssertionError, match="ran twice"):
        check(run, ran(200), 40)


def test_a_death_is_ignored(doomed: Any, served: Served, first: int, tmp_path: Path) -> None:
    """What a dead worker had leave for runs again where it is another worker's then."""
    doomed.run(by_value(_call_once), served.url)
    served.set(delay=0.05)
    with pytest.MonkeyPatch.context() as patch:
        ALL["death ignored"](patch)
        run, ran = killed_run(doomed, served, str(tmp_path / "run.db"), first, count=300, after=150)
    with pytest.raises(AssertionError, match="ran twice"):
        check(run, ran)

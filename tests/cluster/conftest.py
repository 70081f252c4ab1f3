"""What the tests of runs on other machines share: a Lambda that counts, a cluster, and numbers of each test's own."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import counting
import pytest
from cluster.cluster_runs import local_cluster

_FIRST = itertools.count(step=10_000)


@pytest.fixture(scope="module")
def served() -> Iterator[counting.Served]:
    """One counting Lambda for the tests of a file: each uses numbers of its own."""
    with counting.counting_lambda() as found:
        yield found


@pytest.fixture
def place(served: counting.Served, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The parameters that lead to it, with credentials in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    return {"endpoint_url": served.url, "region": "eu-west-1"}


@pytest.fixture(scope="package")
def client(_clean_environment: None) -> Iterator[Any]:
    """A client of two workers, which tests leave as they found them."""
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
            found = stack.enter_context(local_cluster())
        yield found


@pytest.fixture
def doomed(place: dict[str, Any]) -> Iterator[Any]:
    """A client of two workers of which one is killed: Dask does not always start it again."""
    with local_cluster() as found:
        yield found


@pytest.fixture
def first() -> int:
    """The first of the numbers of a test."""
    return next(_FIRST)


@pytest.fixture
def ran(served: counting.Served, first: int) -> Callable[[int], Counter[int]]:
    """How often each of so many items, from the first, ran."""

    def look(count: int) -> Counter[int]:
        found = served.counts()["executions"]
        return Counter({n: found.get(str(n), 0) for n in range(first, first + count)})

    return look


@pytest.fixture
def when(ran: Callable[[int], Counter[int]]) -> Iterator[Callable[..., threading.Event]]:
    """An event that is set once so many of the test's items ran; `what` is done then."""
    threads = []

    def begin(items: int, what: Callable[[], Any] = lambda: None) -> threading.Event:
        event = threading.Event()

        def watch() -> None:
            end = time.monotonic() + 30
            while ran(1000).total() < items:
                if time.monotonic() > end:
                    return
                time.sleep(0.005)
            what()
            event.set()

        threads.append(threading.Thread(target=watch, daemon=True))
        threads[-1].start()
        return event

    yield begin
    for thread in threads:
        thread.join(35)

"""Runs on a Dask cluster of this machine whose workers are killed: one trial, and what must be true after it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import cloudpickle
from counting import Served

import lmfunction as lm

T = TypeVar("T")


@contextlib.contextmanager
def local_cluster(workers: int = 2) -> Iterator[Any]:
    """A client of a cluster whose workers are processes, which are started again when they die."""
    from distributed import Client, LocalCluster

    # A shell that another test had in this process may have left a __main__ that no process can be spawned from.
    sys.modules["__main__"].__dict__.setdefault("__spec__", None)
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", silence_logs=100
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def by_value(function: Callable[..., T]) -> Callable[..., T]:
    """The function as workers can take it that cannot import its module."""
    module = sys.modules[function.__module__]
    cloudpickle.register_pickle_by_value(module)
    try:
        pickled = cloudpickle.dumps(function)
    finally:
        cloudpickle.unregister_pickle_by_value(module)

    def call(*args: Any, **keywords: Any) -> T:
        import cloudpickle

        found: T = cloudpickle.loads(pickled)(*args, **keywords)
        return found

    return call


def pids(client: Any) -> dict[str, int]:
    """The process of each worker, by its address."""
    return dict(client.run(os.getpid))


class Killer(threading.Thread):
    """Kills one worker once `after` items have run."""

    def __init__(self, client: Any, served: Served, after: int) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._served = served
        self._after = sum(served.counts()["executions"].values()) + after
        self.killed = False

    def run(self) -> None:
        """Waits for the moment."""
        end = time.monotonic() + 30
        while sum(self._served.counts()["executions"].values()) < self._after:
            if time.monotonic() > end:
                return
            time.sleep(0.002)
        os.kill(random.choice(sorted(pids(self._client).values())), signal.SIGKILL)
        self.killed = True


def killed_run(
    client: Any, served: Served, path: str, first: int, *, count: int = 200, after: int = 60, **options: Any
) -> tuple[lm.BulkResult, Counter[int]]:
    """A run of `count` items, from number `first`, of which one of the workers is killed; and how often each ran."""
    killer = Killer(client, served, after)
    killer.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lm.LMWarning)
            run = lm.invoke_lm(
                "f", input_object=[{"n": first + n} for n in range(count)], engine=client, journal=path,
                error_action="Continue", throttle_limit=20, region="eu-west-1", endpoint_url=served.url, **options,
            )  # fmt: skip
    except lm.BulkError as error:  # some are unknown
        run = error.result
    killer.join()
    assert killer.killed, "the run had ended before a worker was killed"
    assert isinstance(run, lm.BulkResult)
    ran = served.counts()["executions"]
    return run, Counter({n: ran.get(str(n), 0) for n in range(first, first + count)})


def check(run: lm.BulkResult, ran: Counter[int], limit: int = 20) -> None:
    """No item ran twice; each is accounted for; one that is OK ran, one that was not sent did not."""
    assert max(ran.values()) <= 1, f"ran twice: {[n for n, times in ran.items() if times > 1]}"
    counts = Counter(str(item.outcome) for item in run.items)
    assert counts["OK"] + counts["UNKNOWN"] == len(ran), counts
    assert counts["UNKNOWN"] <= limit
    for item, times in zip(run.items, ran.values(), strict=True):
        if item.outcome == "OK":
            assert times == 1
            assert item.result is not None

"""Runs on a Dask cluster of this machine that are disturbed, more often than the suite does it: `--help`.

Workers that are killed, or stand still until their scheduler takes them for dead; owners that are
killed, after which the run is resumed at home; schedulers that are killed. After each: no item ran twice, each is
accounted for. Prints a line for each kind, and ends with 1 when anything did not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from cluster.cluster_runs import check, killed_run, local_cluster, pids
from counting import Served, counting_lambda

import lmfunction as lm

LIMIT = 20
ITEMS = 300
OWNER = """
import sys, lmfunction as lm
path, address, url, first, count, limit = sys.argv[1:]
lm.invoke_lm(
    "f", input_object=[{"n": int(first) + n} for n in range(int(count))], engine=address, journal=path,
    throttle_limit=int(limit), region="eu-west-1", endpoint_url=url, error_action="Continue",
)
"""


class Ground:
    """Where runs are made: numbers and journals of their own, against one Lambda that counts."""

    def __init__(self, served: Served, folder: str, dice: random.Random) -> None:
        self.served = served
        self.folder = folder
        self.dice = dice
        self.first = 0
        self.unknown = 0

    def next(self) -> tuple[str, int]:
        """The path of the next journal and its first number."""
        self.first += 10_000
        return f"{self.folder}/{self.first}.db", self.first

    def ran(self, first: int) -> Counter[int]:
        """How often each item ran."""
        found = self.served.counts()["executions"]
        return Counter({n: found.get(str(n), 0) for n in range(first, first + ITEMS)})

    def run(self, path: str, first: int, **options: Any) -> lm.BulkResult:
        """A run of all items; its result, also where it ended early."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lm.LMWarning)
            try:
                found = lm.invoke_lm(
                    "f", input_object=[{"n": first + n} for n in range(ITEMS)], journal=path, error_action="Continue",
                    throttle_limit=LIMIT, region="eu-west-1", endpoint_url=self.served.url, **options,
                )  # fmt: skip
            except lm.BulkError as error:
                found = error.result
        assert isinstance(found, lm.BulkResult)
        self.unknown += len(found.unknown)
        return found

    def wait_for(self, executions: int) -> None:
        """Waits until so many items have run, of all runs."""
        end = time.monotonic() + 60
        while sum(self.served.counts()["executions"].values()) < executions:
            assert time.monotonic() < end, "the run does not go on"
            time.sleep(0.005)

    def later(self, what: Callable[[], None]) -> threading.Thread:
        """Does something at a random moment of the next run."""
        when = sum(self.served.counts()["executions"].values()) + self.dice.randrange(5, ITEMS * 2 // 3)

        def do() -> None:
            self.wait_for(when)
            what()

        thread = threading.Thread(target=do, daemon=True)
        thread.start()
        return thread


def kills(ground: Ground, number: int) -> Iterator[None]:
    """One of two workers is killed."""
    for _ in range(number):
        path, first = ground.next()
        after = ground.dice.randrange(5, ITEMS * 2 // 3)
        with local_cluster() as client:  # a new one: Dask does not always start a killed worker again
            run, ran = killed_run(client, ground.served, path, first, count=ITEMS, after=after)
        check(run, ran, LIMIT)
        ground.unknown += len(run.unknown)
        yield


def freezes(ground: Ground, number: int) -> Iterator[None]:
    """One of two workers stands still until it is taken for dead."""
    import dask

    with dask.config.set({"distributed.scheduler.worker-ttl": "2s"}):
        for _ in range(number):
            with local_cluster() as client:
                path, first = ground.next()
                victim = ground.dice.choice(sorted(pids(client).values()))
                thread = ground.later(lambda victim=victim: os.kill(victim, signal.SIGSTOP))  # type: ignore[misc]
                run = ground.run(path, first, engine=client)
                thread.join()
                with contextlib.suppress(ProcessLookupError):  # its nanny kills what is taken for dead
                    os.kill(victim, signal.SIGCONT)
                time.sleep(1.0)  # what it still sends is counted
                check(run, ground.ran(first), LIMIT)
            yield


def owners(ground: Ground, number: int) -> Iterator[None]:
    """The owner of the journal is killed, and the run resumed at home."""
    with local_cluster() as client:
        for _ in range(number):
            path, first = ground.next()
            line = [sys.executable, "-c", OWNER, path, client.scheduler.address, ground.served.url]
            with subprocess.Popen([*line, str(first), str(ITEMS), str(LIMIT)], stderr=subprocess.DEVNULL) as owner:
                ground.later(owner.kill).join()
                owner.wait()
            time.sleep(0.5)
            run = ground.run(path, first, resume=True, on_unknown="Skip")
            check(run, ground.ran(first), LIMIT)
            yield


def schedulers(ground: Ground, number: int) -> Iterator[None]:
    """The scheduler is killed, and the run resumed at home."""
    for _ in range(number):
        with tempfile.TemporaryDirectory() as folder:
            file = f"{folder}/scheduler.json"
            command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--port", "0"]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            with subprocess.Popen([*command, "--scheduler-file", file], **quiet) as scheduler:  # type: ignore[call-overload]
                worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", file]
                options = ["--no-nanny", "--no-dashboard", "--nthreads", "1", "--death-timeout", "60"]
                workers = [subprocess.Popen([*worker, *options], **quiet) for _ in range(2)]  # type: ignore[call-overload]
                try:
                    from distributed import Client

                    client = Client(scheduler_file=file, timeout=60)
                    client.wait_for_workers(2, timeout=60)
                    path, first = ground.next()
                    thread = ground.later(scheduler.kill)
                    ground.run(path, first, engine=client)
                    thread.join()
                    time.sleep(0.5)
                    client.close(timeout=1)
                finally:
                    for process in (*workers, scheduler):
                        process.kill()
                        process.wait()
            run = ground.run(path, first, resume=True, on_unknown="Skip")
            check(run, ground.ran(first), LIMIT)
        yield


def main() -> int:
    """Runs what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = {"kills": (kills, 20), "freezes": (freezes, 5), "owners": (owners, 20), "schedulers": (schedulers, 5)}
    for name, (_, usual) in kinds.items():
        parser.add_argument(f"--{name}", type=int, help=f"how many, usually {usual}; alone: no others unless named")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    every = not any(getattr(chosen, name) for name in kinds)
    os.environ.update(AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="not-a-secret")
    failed = 0
    with counting_lambda(delay=0.01) as served, tempfile.TemporaryDirectory() as folder:
        ground = Ground(served, folder, random.Random(chosen.seed))
        for name, (kind, usual) in kinds.items():
            number = getattr(chosen, name) or (usual if every else 0)
            if not number:
                continue
            began, ground.unknown, done, told = time.monotonic(), 0, 0, ""
            try:
                for _ in kind(ground, number):
                    done += 1
            except AssertionError as error:
                failed, told = 1, f" VIOLATED: {error}"
            took = time.monotonic() - began
            print(
                f"{name}: {done} of {number} runs of {ITEMS} items held, {ground.unknown} unknown, {took:.0f} s{told}"
            )
    return failed


if __name__ == "__main__":
    sys.exit(main())

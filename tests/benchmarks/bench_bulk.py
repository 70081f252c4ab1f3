"""Many calls: `lm.invoke_lm(..., input_object=...)` against boto3 with a ThreadPoolExecutor and against aiobotocore.

The endpoint is another process, and what is compared is the CPU time of this one, whole process, for each call: how
many calls a core can make. Sides take turns, so that whatever else the machine does hits all; each figure is a median.
`python bench_bulk.py [--rows NAME ...] [--full]`; the rows about memory, each with a process of its own, have 100,000
items, with `--full` 1,000,000.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import boto3
from botocore.config import Config
from counting import Served, counting_lambda, make_certificate
from prompt_lambda import prompt_lambda

import lmfunction as lm

KEYS = lm.Credential("AKIDEXAMPLE", "not-a-secret")
ROUNDS = 3
PEER_CALLS = 2_000
OUR_CALLS = 20_000


def item(n: int) -> dict[str, Any]:
    """The event of each call."""
    return {"n": n, "customer": "c-4711", "note": "an order of usual size", "lines": [1, 2]}


def cpu() -> float:
    """The CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def each_us(calls: int, work: Callable[[int], object]) -> float:
    """Microseconds of CPU for each of so many calls that `work` makes."""
    start = cpu()
    work(calls)
    return (cpu() - start) / calls * 1e6


def session_for(url: str) -> lm.Session:
    """A session whose calls reach the endpoint."""
    return lm.Session(region="us-east-1", endpoint_url=url, credential=KEYS)


def ours(session: lm.Session, limit: int, **options: Any) -> Callable[[int], object]:
    """Many calls by lmfunction."""

    def work(calls: int) -> object:
        run = session.invoke_lm("f", input_object=[item(n) for n in range(calls)], throttle_limit=limit, **options)
        assert run.ok, run
        return run

    return work


def by_boto3(served: Served, limit: int, pool: ThreadPoolExecutor) -> Callable[[int], object]:
    """Many calls by boto3 in threads, each answer decoded."""
    client = boto3.client(
        "lambda",
        region_name="us-east-1",
        endpoint_url=served.url,
        verify=str(served.certificate) if served.certificate else None,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="not-a-secret",
        config=Config(max_pool_connections=limit, retries={"total_max_attempts": 1}),
    )

    def one(n: int) -> Any:
        return json.loads(client.invoke(FunctionName="f", Payload=json.dumps(item(n)))["Payload"].read())

    return lambda calls: list(pool.map(one, range(calls)))


@contextlib.contextmanager
def aiobotocore(served: Served, limit: int) -> Iterator[Callable[[int], float] | None]:
    """What measures aiobotocore, in a process and an environment of its own; None where that cannot be made."""
    python = peer_python()
    if python is None:
        yield None
        return
    line = [str(python), str(Path(__file__).with_name("peer_aiobotocore.py")), served.url, str(served.certificate)]
    with subprocess.Popen([*line, str(limit)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def measured(calls: int) -> float:
            stdin.write(f"{calls}\n")
            stdin.flush()
            return float(stdout.readline())

        try:
            yield measured
        finally:
            stdin.close()


def peer_python() -> Path | None:
    """The Python of an environment that has aiobotocore, made in the user's cache folder the first time."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lmfunction-benchmarks" / "aiobotocore"
    python = folder / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        if subprocess.run([str(python), "-c", "import aiobotocore"], capture_output=True, check=False).returncode:
            subprocess.run([str(python), "-m", "pip", "install", "-q", "aiobotocore"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"aiobotocore is not measured: {error}", file=sys.stderr)
        return None
    return python


def told(name: str, figure: str, ratio: float, budget: str, good: bool) -> int:
    """Prints a row; 1 when its budget is missed."""
    print(f"{name:<44} {figure:<58} {ratio:7.2f} ({budget}) {'ok' if good else 'MISSED'}", flush=True)
    return not good


def cpu_rows(limit: int, certificate: tuple[Path, Path], folder: Path) -> int:
    """CPU a call with TLS against the peers, without and with a journal.

    Everybody's connections are open when they are measured. What a run of ours takes to begin and to end is among what
    is measured: where many go at a time it has more calls, so that it is a call that is measured.
    """
    ours_calls = max(OUR_CALLS, 100 * limit)
    os.environ["AWS_CA_BUNDLE"] = str(certificate[0])
    peers: dict[str, list[float]] = {"boto3": []}
    mine: list[float] = []
    journaled: list[float] = []
    with (
        counting_lambda(certificate) as served,
        session_for(served.url) as session,
        ThreadPoolExecutor(limit) as pool,
        aiobotocore(served, limit) as other,
    ):
        boto, sent = by_boto3(served, limit, pool), ours(session, limit)
        boto(limit)
        sent(limit)
        for turn in range(ROUNDS):
            peers["boto3"].append(each_us(PEER_CALLS, boto))
            mine.append(each_us(ours_calls, sent))
            kept = ours(session, limit, journal=str(folder / f"run-{limit}-{turn}.db"))
            journaled.append(each_us(ours_calls // 2, kept))
            if other is not None:
                peers.setdefault("aiobotocore", []).append(other(PEER_CALLS))
    us, with_journal = statistics.median(mine), statistics.median(journaled)
    missed = 0
    for name, figures in peers.items():
        peer, least = statistics.median(figures), 20.0 if name == "boto3" else 5.0
        missed |= told(
            f"{limit:,} at a time, TLS, against {name}",
            f"{us:.0f} us of CPU a call, {name} {peer:.0f} us",
            peer / us,
            f"at least {least:g} x",
            peer / us >= least,
        )
    peer = statistics.median(peers["boto3"])
    return missed | told(
        f"{limit:,} at a time, TLS, with a journal",
        f"{with_journal:.0f} us of CPU a call, boto3 {peer:.0f} us",
        peer / with_journal,
        "at least 12 x",
        peer / with_journal >= 12,
    )


def wall_row(certificate: tuple[Path, Path]) -> int:
    """20,000 calls of 50 ms at 1,000 at a time: over plain HTTP the budget's, with TLS for comparison.

    The first run's window begins small and grows; later ones remember it, as those of one notebook do. With TLS most of
    the time is the thousand handshakes, at both ends and on the same machine.
    """
    with prompt_lambda(0.05) as url, session_for(url) as session:
        first, *later = timed(session, ROUNDS + 1)
    os.environ["AWS_CA_BUNDLE"] = str(certificate[0])
    processes = os.cpu_count() or 2
    with counting_lambda(certificate, delay=0.05, processes=processes) as served, session_for(served.url) as session:
        secured = min(timed(session, ROUNDS))
    took = min(later)
    return told(
        "20,000 calls of 50 ms, 1,000 at a time",
        f"{took:.2f} s, ideal 1.00 s; first run {first:.2f} s; TLS {secured:.2f} s",
        took,
        "at most 1.3 x",
        took <= 1.3,
    )


def timed(session: lm.Session, rounds: int) -> list[float]:
    """The seconds that each of so many runs of 20,000 calls takes."""
    work = ours(session, 1000)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work(20_000)
        times.append(time.perf_counter() - start)
    return times


def throttled_row() -> int:
    """A service that takes 20 at a time, where 100 are wanted."""
    items, limit, latency = 1_500, 20, 0.1
    with counting_lambda(delay=latency, limit=limit) as served, session_for(served.url) as session:
        start = time.perf_counter()
        run = session.invoke_lm("f", input_object=[item(n) for n in range(items)], throttle_limit=100)
        took = time.perf_counter() - start
        refused = served.counts()["refused"]
    ideal = items / limit * latency
    gave_up = items - len(run.succeeded)
    return told(
        "a limit of 20 where 100 are wanted",
        f"{took:.1f} s, ideal {ideal:.1f} s; {gave_up} gave up, {refused / items:.3f} refusals for a success",
        took / ideal,
        "at most 1.3 x, none gave up, at most 0.05",
        took <= 1.3 * ideal and not gave_up and refused <= 0.05 * items,
    )


MEMORY = {
    "memory": {
        "out_file": "with -OutFile",
        "journaled": "with -Journal",
        "both": "with -Journal and -OutFile",
        "lines": "of a JSON Lines file, with -OutFile",
    },
    "keyed": {
        "told_apart": "with -ItemKey and -OutFile",
        "keyed": "with -ItemKey and -Journal",
        "lines_journaled": "of a file, with -ItemKey and -Journal",
    },
    "resumed": {
        "journaled": "with -Journal",
        "resume": "again with -Resume, all of them done",
        "resume_alone": "Resume-LMRun, all of them done",
        "get": "Get-LMRun",
        "export": "Export-LMRun to JSON Lines",
        "export_csv": "Export-LMRun to CSV",
    },
    "handed-over": {"hand_over": "Export-LMRun -StepFunctions", "take_in": "Import-LMRun"},
}


def memory_rows(kinds: dict[str, str], items: int) -> int:
    """The memory of work with so many items, each kind in a process of its own, one after the other in one folder."""
    missed = 0
    with counting_lambda(forget=True) as served, tempfile.TemporaryDirectory() as folder:
        for kind, name in kinds.items():
            found = measured(kind, items, served.url, folder)
            missed |= told_of(f"{items:,} items {name}", found, items, 42 if kind == "told_apart" else 10)
    return missed


def told_of(name: str, found: dict[str, float], items: int, each: float) -> int:
    """Prints what a process needed; 1 when it is more than the budget.

    The second half may grow by 10 MB and by `each` bytes an item: a key that no other item may have stays in memory.
    """
    peak, growth = found["peak"], found["growth"]
    return told(
        name,
        f"peak {peak:.0f} MB, second half grew by {growth:.1f} MB; {found['us']:.0f} us of CPU each, "
        f"{found['seconds']:.0f} s",
        peak / 300,
        f"at most 1 x of 300 MB, {10 + each:g} MB a million",
        peak <= 300 and growth <= 10 + each * items / 1e6,
    )


def in_memory_row(items: int) -> int:
    """The memory of a run whose results nobody takes: a figure without a budget, for the user holds them."""
    with counting_lambda(forget=True) as served, tempfile.TemporaryDirectory() as folder:
        found = measured("memory", items, served.url, folder)
    each = (found["peak"] - found["begun"]) * 1e6 / items
    print(
        f"{f'{items:,} items, results in memory':<44} peak {found['peak']:.0f} MB, {each:,.0f} bytes each", flush=True
    )
    return 0


def measured(kind: str, items: int, url: str, folder: str) -> dict[str, float]:
    """What `memory_of_run.py` tells."""
    line = [sys.executable, str(Path(__file__).with_name("memory_of_run.py")), kind, str(items), url, folder]
    found: dict[str, float] = json.loads(subprocess.run(line, check=True, capture_output=True).stdout)
    return found


def main() -> int:
    """Prints the rows; 1 when a budget is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", nargs="*", default=[*MEMORY, "in-memory", "64", "1000", "wall", "throttled"])
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    missed, items = 0, 1_000_000 if options.full else 100_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificate = make_certificate(folder)
        rows: dict[str, Callable[[], int]] = {
            **{name: partial(memory_rows, kinds, items) for name, kinds in MEMORY.items()},
            "in-memory": lambda: in_memory_row(100_000),
            "64": lambda: cpu_rows(64, certificate, folder),
            "1000": lambda: cpu_rows(1000, certificate, folder),
            "wall": lambda: wall_row(certificate),
            "throttled": throttled_row,
        }
        for row in options.rows:
            missed |= rows[row]()
    return missed


if __name__ == "__main__":
    sys.exit(main())

"""The embedded Lambda against serverless-offline and MiniStack: warm echo, large payloads, cold start, memory.

All that can be installed run at the same time and are loaded in turns, one at a time, so that whatever else the
machine does hits all of them; a ratio is the median over the turns. Budgets: 3,500/s on one connection and 1.3 x
serverless-offline; 7,000/s on eight and 1 x; cold start 60 ms; idle server 30 MB.

`python bench_local.py [SECONDS]`: how long each load lasts, 2 unless given.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from http_load import Load, run_load
from local_peers import FUNCTIONS, Endpoint, PeerError, ministack, ours, serverless_offline

TURNS = 5
SMALL = json.dumps({"id": 4711, "items": [{"sku": "a-1", "count": 2}], "note": "warm"}).encode()
BUDGETS = {"1 connection": (3_500.0, 1.3), "8 connections": (7_000.0, 1.0)}
COLD_START_MS = 60.0
IDLE_MB = 30.0


def document(size: int) -> bytes:
    """A JSON document of about `size` bytes, of the kind that functions exchange."""
    row = {"sku": "a-1", "count": 2, "price": 9.95, "name": "Überraschung", "tags": ["new", "sale"], "gift": False}
    text = json.dumps(row, ensure_ascii=False)
    return ("[" + ", ".join([text] * (size // (len(text.encode()) + 2) + 1)) + "]").encode()


def main(seconds: float) -> int:
    """Prints the figures; 1 when a budget is missed."""
    missed = False
    with ExitStack() as stack:
        mine = stack.enter_context(ours())
        idle_mb = memory_mb(mine.pid)
        peers = [peer for start in (serverless_offline, ministack) if (peer := started(stack, start))]
        for name, connections in (("1 connection", 1), ("8 connections", 8)):
            per_second, ratio = BUDGETS[name]
            loads = in_turns([mine, *peers], SMALL, connections, seconds)
            missed |= report(f"warm echo, {name}", loads, at_least=per_second, ratio=ratio)
        for name, size in (("100 KB", 100_000), ("5 MB", 5_000_000)):
            report(f"echo of {name}, 1 connection", in_turns([mine, *peers], document(size), 1, seconds))
        missed |= report_cold_starts([mine, *peers])
        functions = children_of(mine.pid)
        after = memory_mb(mine.pid)
        print(f"\nmemory of an idle server    {idle_mb:6.1f} MB (budget {IDLE_MB:.0f}); after the load {after:.1f} MB")
        each = statistics.mean(memory_mb(pid) for pid in functions)
        print(f"memory of a function        {each:6.1f} MB, the mean of {len(functions)}")
        for peer in peers:
            print(f"  {peer.name:<20} {memory_mb(peer.pid):10.1f} MB after the load")
    return missed or idle_mb > IDLE_MB


def started(stack: ExitStack, start: Callable[[], AbstractContextManager[Endpoint]]) -> Endpoint | None:
    """The peer, running until the stack is left; None, and why on standard output, where it cannot be had."""
    try:
        return stack.enter_context(start())
    except (PeerError, OSError, subprocess.SubprocessError) as e:
        print(f"{start.__name__} is left out: {e}")
        return None


def in_turns(endpoints: list[Endpoint], body: bytes, connections: int, seconds: float) -> dict[str, list[Load]]:
    """The loads of each endpoint, one for each turn; the first, which starts processes, is not counted."""
    loads: dict[str, list[Load]] = {e.name: [] for e in endpoints}
    for turn in range(TURNS + 1):
        for endpoint in endpoints:
            request = endpoint.request(FUNCTIONS[0], body)
            try:
                load = run_load(endpoint.port, request, connections=connections, seconds=seconds if turn else 0.5)
            except (RuntimeError, subprocess.SubprocessError) as e:
                print(f"  {endpoint.name} gave up: {e}")
                continue
            if turn:
                loads[endpoint.name].append(load)
    return loads


def report(title: str, loads: dict[str, list[Load]], *, at_least: float = 0.0, ratio: float = 0.0) -> bool:
    """Prints one line for each endpoint; whether ours missed its budget."""
    print(f"\n{title}")
    (_, mine), *others = loads.items()
    best = max(load.per_second for load in mine)
    budget = f"   budget {at_least:,.0f}/s" if at_least else ""
    print(f"  {'lmfunction':<20} {best:10,.1f}/s   p50 {mine[0].p50_ms:8.3f} ms{budget}")
    missed = best < at_least or any(load.wrong for load in mine)
    for name, theirs in others:
        if not theirs:
            continue
        times = statistics.median(m.per_second / t.per_second for m, t in zip(mine, theirs, strict=False))
        wanted = f" (budget {ratio:.1f} x)" if ratio and name == "serverless-offline" else ""
        top = max(load.per_second for load in theirs)
        wrong = sum(load.wrong for load in theirs)
        failures = f"   {wrong} wrong answers" if wrong else ""
        print(f"  {name:<20} {top:10,.1f}/s   p50 {theirs[0].p50_ms:8.3f} ms   ours is {times:.2f} x{wanted}{failures}")
        missed |= bool(wanted) and times < ratio
    return missed


def report_cold_starts(endpoints: list[Endpoint]) -> bool:
    """Prints how long the first invocation of a function takes; whether ours missed its budget."""
    print("\ncold start, the first invocation of a function")
    medians = {}
    for endpoint in endpoints:
        requests = (endpoint.request(name, SMALL) for name in FUNCTIONS[1:])
        loads = [run_load(endpoint.port, request, connections=1, seconds=0) for request in requests]
        medians[endpoint.name] = statistics.median(load.p50_ms for load in loads)
        print(f"  {endpoint.name:<20} {medians[endpoint.name]:10.1f} ms")
    return medians[endpoints[0].name] > COLD_START_MS


def children_of(pid: int) -> list[int]:
    """The processes that `pid` has started."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(child) for child, parent in (line.split() for line in listing.splitlines()) if int(parent) == pid]


def memory_mb(pid: int) -> float:
    """The resident memory of a process."""
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout
    return int(shown) / 1024


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if sys.argv[1:] else 2.0))

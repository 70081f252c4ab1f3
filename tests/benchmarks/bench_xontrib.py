"""What `xontrib load lmfunction` costs over xonsh's own start. Budget: 30 ms, no boto3.

Each figure is the median over fresh processes, timed inside a xonsh that is up already: with xonsh's completers, as a
shell at a terminal has them, and without, as a script.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

RUNS = 11
BUDGET_MS = 30.0
HEAVY = ("boto3", "botocore", "yaml", "jmespath", "asyncio", "ctypes.util", "lmfunction.local", "lmfunction._commands")

PROGRAM = """
import sys, time
__PREPARE__
before = set(sys.modules)
start = time.perf_counter()
import lmfunction.xontrib
lmfunction.xontrib._load_xontrib_(xsh=__xonsh__)
print((time.perf_counter() - start) * 1000)
print([name for name in HEAVY if name in set(sys.modules) - before])
"""
KINDS = {"in a script": "", "in a shell": "__xonsh__.completers"}


def measure(prepare: str) -> tuple[float, str]:
    """The median in ms, and the heavy modules that were loaded."""
    times, loaded = [], ""
    for _ in range(RUNS):
        source = f"HEAVY = {HEAVY!r}\n{PROGRAM.replace('__PREPARE__', prepare)}"
        command = [sys.executable, "-m", "xonsh", "--no-rc", "-c", source]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        times.append(float(lines[-2]))
        loaded = lines[-1]
    return statistics.median(times), loaded


def main() -> int:
    """Prints the figures; 1 when a budget is missed."""
    missed = 0
    for kind, prepare in KINDS.items():
        median, loaded = measure(prepare)
        ratio = median / BUDGET_MS
        name = f"xontrib load, {kind}"
        print(
            f"{name:<26} {median:6.1f} ms   {ratio:.2f} x of the budget of {BUDGET_MS:.0f} ms   heavy modules: {loaded}"
        )
        missed |= ratio > 1 or loaded != "[]"
    return missed


if __name__ == "__main__":
    sys.exit(main())

"""What `import lmfunction` and `%load_ext lmfunction` cost over bare Python and IPython. Budget: 30 ms, no boto3.

Each figure is the median over fresh processes; the extension is timed inside a shell that is up already.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

RUNS = 15
BUDGET_MS = 30.0
HEAVY = ("boto3", "botocore", "yaml", "jmespath", "asyncio", "lmfunction.local")

IMPORT = """
import sys, time
start = time.perf_counter()
import lmfunction
print((time.perf_counter() - start) * 1000)
print([name for name in HEAVY if name in sys.modules])
"""
LOAD = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
start = time.perf_counter()
shell.run_line_magic("load_ext", "lmfunction")
print((time.perf_counter() - start) * 1000)
print([name for name in HEAVY if name in set(sys.modules) - before])
"""


def measure(program: str) -> tuple[float, str]:
    """The median in ms, and the heavy modules that were loaded."""
    times, loaded = [], ""
    for _ in range(RUNS):
        source = f"HEAVY = {HEAVY!r}\n{program}"
        out = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout
        lines = out.splitlines()
        times.append(float(lines[-2]))
        loaded = lines[-1]
    return statistics.median(times), loaded


def main() -> int:
    """Prints the figures; 1 when a budget is missed."""
    missed = 0
    for name, program in (("import lmfunction", IMPORT), ("%load_ext lmfunction", LOAD)):
        median, loaded = measure(program)
        ratio = median / BUDGET_MS
        print(
            f"{name:<22} {median:6.1f} ms   {ratio:.2f} x of the budget of {BUDGET_MS:.0f} ms   heavy modules: {loaded}"
        )
        missed |= ratio > 1 or loaded != "[]"
    return missed


if __name__ == "__main__":
    sys.exit(main())

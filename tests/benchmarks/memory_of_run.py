"""The memory of one kind of work with many items, in a process of its own, for `bench_bulk.py`.

`python memory_of_run.py KIND ITEMS URL FOLDER` prints a line of JSON: `peak` and `begun` are MB of this process at most
and before the first item, `growth` is by how much the second half of the items grew it, `us` the microseconds of CPU
for an item, `seconds` how long it took. KIND names what takes the results of a run of a generator, `out_file`,
`journal`, `both` or `memory` (nobody does), or what is done with the journal that `journal` left in the folder.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import lmfunction as lm
from lmfunction._ledger import Entry
from lmfunction._run_binding import Binding, Digest
from lmfunction._run_opening import begin
from lmfunction._step_functions import ITEMS

LIMIT = 64


def item(n: int) -> dict[str, Any]:
    """The event of each call, as in `bench_bulk.py`."""
    return {"n": n, "customer": "c-4711", "note": "an order of usual size", "lines": [1, 2]}


class Watched:
    """The events of a run, from a generator, and what this process held when each twentieth of them was read."""

    def __init__(self, items: int) -> None:
        self.items = items
        self.seen: list[float] = []

    def __iter__(self) -> Iterator[dict[str, Any]]:
        step = max(self.items // 20, 1)
        for n in range(self.items):
            if n % step == 0:
                self.seen.append(resident_mb())
            yield item(n)

    def growth(self) -> float:
        """By how many MB the second half grew what this process holds."""
        return self.seen[-1] - self.seen[len(self.seen) // 2] if self.seen else 0.0


class Work:
    """One kind of work with so many items."""

    def __init__(self, items: int, url: str, folder: Path) -> None:
        self.items = items
        self.folder = folder
        self.journal = str(folder / "run.db")
        self.watched = Watched(items)
        keys = lm.Credential("AKIDEXAMPLE", "not-a-secret")
        self.session = lm.Session(region="us-east-1", endpoint_url=url, credential=keys)

    def invoke(self, source: Any, **options: Any) -> None:
        """A run, whose items are counted and looked at."""
        with self.session as session:
            run = session.invoke_lm("f", input_object=source, throttle_limit=LIMIT, **options)
            assert run.summary()["OK"] == self.items, run
            assert run[self.items // 2].payload == item(self.items // 2)
            assert f"{self.items:,} invocations" in str(run.card())

    def memory(self) -> None:
        """A run whose results stay in memory."""
        self.invoke(iter(self.watched))

    def out_file(self) -> None:
        """A run whose results go into a file."""
        self.invoke(iter(self.watched), out_file=str(self.folder / "results.jsonl"))

    def journaled(self) -> None:
        """A run with a journal."""
        self.invoke(iter(self.watched), journal=self.journal)

    def keyed(self) -> None:
        """A run with a journal whose items have keys."""
        self.invoke(iter(self.watched), journal=str(self.folder / "keyed.db"), item_key="n")

    def told_apart(self) -> None:
        """A run whose items have keys, and no journal."""
        self.invoke(iter(self.watched), item_key="n", out_file=str(self.folder / "apart.jsonl"))

    def both(self) -> None:
        """A run with a journal whose results go into a file."""
        files = {"out_file": str(self.folder / "both.jsonl"), "journal": str(self.folder / "both.db")}
        self.invoke(iter(self.watched), **files)

    def lines(self) -> None:
        """A run of a file of JSON Lines, which is looked through before the first call."""
        self.invoke(self._lines(), out_file=str(self.folder / "of-lines.jsonl"))

    def lines_journaled(self) -> None:
        """A run of a file of JSON Lines with a journal, into which all of it is written before the first call."""
        self.invoke(self._lines(), journal=str(self.folder / "lines.db"), item_key="n")

    def resume(self) -> None:
        """The run with a journal again, which is done: its source is compared, nothing is sent."""
        self.invoke(iter(self.watched), journal=self.journal, resume=True)

    def resume_alone(self) -> None:
        """The run gone on with from its journal alone."""
        run = self.session.resume_lm_run(self.journal)
        assert run.summary()["OK"] == self.items, run

    def get(self) -> None:
        """What Get-LMRun tells of the journal."""
        (found,) = lm.get_lm_run(self.journal)
        assert self.items == found.OK

    def export(self) -> None:
        """The items of the journal in a file of JSON Lines."""
        lm.export_lm_run(self.journal, str(self.folder / "export.jsonl"))

    def export_csv(self) -> None:
        """The items of the journal in a CSV file."""
        lm.export_lm_run(self.journal, str(self.folder / "export.csv"))

    def hand_over(self) -> None:
        """A run of which nothing was sent, handed over to Step Functions."""
        lm.export_lm_run(self._pending(), step_functions=str(self.folder / "handed-over"), bucket="b", force=True)

    def take_in(self) -> None:
        """The result report of what `hand_over` left, read back."""
        path = str(self.folder / "pending.db")
        with (self.folder / "SUCCEEDED_0.json").open("w", encoding="utf-8") as report:
            report.writelines(self._executions())
        found = lm.import_lm_run(path, str(self.folder / "SUCCEEDED_0.json"), force=True)
        assert self.items == found.OK

    def _pending(self) -> str:
        """A journal that holds all items, none of which was sent."""
        path = str(self.folder / "pending.db")
        binding = Binding("f", None, "123456789012", "us-east-1", None, "RequestResponse")
        journal, digest = begin(path, binding).journal, Digest()
        for first in range(0, self.items, 500):
            entries = [entry_of(n) for n in range(first, min(first + 500, self.items))]
            journal.register(entries)
            for entry in entries:
                digest.add(entry)
            journal.flush()
        journal.end_source(digest)
        journal.close()
        return path

    def _executions(self) -> Iterator[str]:
        """A report that tells of each item in the file that was handed over that it succeeded."""
        output = {"ExecutedVersion": "$LATEST", "Payload": {"n": 1}, "StatusCode": 200}
        told = {"Output": json.dumps(output), "Status": "SUCCEEDED", "ExecutionArn": "arn:aws:states:::execution:m:e"}
        with (self.folder / "handed-over" / ITEMS).open(encoding="utf-8") as items:
            for number, line in enumerate(line for line in items if line.startswith("{")):
                execution = {**told, "Input": line.strip().removesuffix(",")}
                yield f"{',' if number else '['}{json.dumps(execution)}\n"
        yield "]"

    def _lines(self) -> Path:
        path = self.folder / "items.jsonl"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(item(n))}\n" for n in range(self.items))
        return path


def entry_of(n: int) -> Entry:
    """What a journal holds of an event."""
    payload = json.dumps(item(n)).encode()
    return Entry(n, str(n), hashlib.sha256(payload).digest(), payload)


def resident_mb() -> float:
    """What this process holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def peak_mb() -> float:
    """What this process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def cpu() -> float:
    """The CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(arguments: Sequence[str]) -> None:
    """Does what the command line says."""
    kind, items, url, folder = arguments
    work = Work(int(items), url, Path(folder))
    do: Callable[[], None] = getattr(work, kind)
    begun, used, start = resident_mb(), cpu(), time.perf_counter()
    do()
    told = {
        "begun": begun,
        "peak": peak_mb(),
        "growth": work.watched.growth(),
        "us": (cpu() - used) / work.items * 1e6,
        "seconds": time.perf_counter() - start,
    }
    print(json.dumps({name: round(value, 1) for name, value in told.items()}))


if __name__ == "__main__":
    main(sys.argv[1:])

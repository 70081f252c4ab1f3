"""What a journal costs: `python tests/benchmarks/bench_journal.py [ITEMS]`.

CPU time of the whole process per item, for the journal alone (intent and outcome of each item, so many under way at a
time), and the same rows written by bare SQLite in transactions of so many, which is the floor. Budget: with it a call
of the bulk engine stays above 12 times boto3 with threads per CPU second (`bench_bulk.py`).
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lmfunction._journal_rows import SCHEMA, insert, intent_row, item_row, outcome_row, place_of
from lmfunction._ledger import Entry, Settlement
from lmfunction._run_binding import Binding, Digest
from lmfunction._run_opening import begin, resume
from lmfunction.errors import LMError

BODY = b'{"answer": "' + b"a" * 100 + b'"}'
PAYLOAD = b"x" * 200


def entry_of(seq: int) -> Entry:
    payload = b'{"n":%d,"pad":"%s"}' % (seq, PAYLOAD)
    return Entry(seq, str(seq), hashlib.sha256(payload).digest(), payload)


def settled(seq: int) -> Settlement:
    return Settlement(seq, 1, "OK", 200, request_id=f"r-{seq}", body=BODY, elapsed_ms=1.0)


def journaled(path: str, count: int, window: int) -> None:
    """`count` items, `window` under way, each answered as soon as its intent is on the disk."""
    journal = begin(path, Binding("f")).journal
    room = threading.Semaphore(window)

    def committed(entries: Sequence[Entry], error: LMError | None) -> None:
        assert error is None
        journal.settle([settled(entry.seq) for entry in entries])
        room.release(len(entries))

    digest = Digest()
    for seq in range(count):
        room.acquire()
        entry = entry_of(seq)
        digest.add(entry)
        journal.intend([entry], committed)
    journal.end_source(digest)
    journal.close()


def bare(path: str, count: int, batch: int) -> None:
    """The same rows by SQLite alone."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    for statement in SCHEMA:
        database.execute(statement)
    for first in range(0, count, batch):
        seqs = range(first, min(first + batch, count))
        database.execute("BEGIN IMMEDIATE")
        insert(database, "item", [item_row(entry_of(seq), keyed=False) for seq in seqs])
        insert(database, "intent", [intent_row(place_of(seq, 1), 1, 0.0) for seq in seqs])
        database.execute("COMMIT")
        database.execute("BEGIN IMMEDIATE")
        insert(database, "outcome", [outcome_row(place_of(seq, 1), 1, 0.0, settled(seq)) for seq in seqs])
        database.execute("COMMIT")
    database.close()


def measured(work: Callable[[str, int, int], None], count: int, size: int) -> tuple[float, float]:
    """CPU and wall time of `work` per item, in µs."""
    with tempfile.TemporaryDirectory() as folder:
        cpu, wall = time.process_time(), time.perf_counter()
        work(str(Path(folder) / "run.db"), count, size)
        return (time.process_time() - cpu) / count * 1e6, (time.perf_counter() - wall) / count * 1e6


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    print(f"{count:,} items, SQLite {sqlite3.sqlite_version}; µs per item")
    print(f"{'':28}{'CPU':>8}{'wall':>8}")
    for size in (10, 64, 200, 1000):
        for name, work in (("journal, under way", journaled), ("bare SQLite, batch of", bare)):
            cpu, wall = measured(work, count if size > 10 else count // 10, size)
            print(f"{name:22}{size:6,}{cpu:8.1f}{wall:8.1f}")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "run.db")
        journaled(path, count, 1000)
        began = time.perf_counter()
        resume(path).journal.close()
        print(f"\nopened again, every row checked: {(time.perf_counter() - began) / count * 1e6:.1f} µs an item")


if __name__ == "__main__":
    main()

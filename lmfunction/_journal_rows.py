"""A journal's tables, and the rows in them.

Rows are only ever added: an item when it is read from the source, an intent before each send of it, an outcome after.
What is known of an item follows from them, so that no row that is lost or altered makes one look unsent that was sent:
each carries a checksum, for SQLite keeps none, and how many there must be stands in the lease.

Each statement adds many rows. Between any two, Python lets another thread run, and a busy one does not give way for
milliseconds: row by row, a thousand outcomes would take seconds.
"""

from __future__ import annotations

import functools
import itertools
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

from lmfunction._journal_file import Database
from lmfunction._lease import COLUMNS, Lease
from lmfunction._ledger import Entry, Settlement

SCHEMA: Final = (
    """CREATE TABLE run(
         one INTEGER PRIMARY KEY CHECK(one = 1),
         run_id TEXT NOT NULL,
         created REAL NOT NULL,
         tool TEXT NOT NULL,
         function TEXT,
         qualifier TEXT,
         account TEXT,
         region TEXT,
         endpoint TEXT,
         invocation_type TEXT,
         delivery TEXT NOT NULL CHECK(delivery IN ('AtMostOnce', 'AtLeastOnce')),
         item_key TEXT,
         settings TEXT NOT NULL,
         sum INTEGER NOT NULL) STRICT""",
    # What changes with the run. `commits` counts transactions, `items`, `intents` and `outcomes` rows.
    """CREATE TABLE lease(
         one INTEGER PRIMARY KEY CHECK(one = 1),
         owner TEXT NOT NULL,
         host TEXT NOT NULL,
         pid INTEGER NOT NULL,
         boot TEXT NOT NULL,
         start_ticks INTEGER NOT NULL,
         epoch INTEGER NOT NULL,
         heartbeat REAL NOT NULL,
         ticks REAL NOT NULL,
         released INTEGER NOT NULL,
         commits INTEGER NOT NULL,
         items INTEGER NOT NULL,
         intents INTEGER NOT NULL,
         outcomes INTEGER NOT NULL,
         source_digest BLOB,
         source_count INTEGER,
         status TEXT NOT NULL,
         sum INTEGER NOT NULL) STRICT""",
    """CREATE TABLE item(
         seq INTEGER PRIMARY KEY,
         key TEXT,
         payload_sha256 BLOB NOT NULL,
         payload BLOB NOT NULL,
         call TEXT,
         sum INTEGER NOT NULL) STRICT""",
    "CREATE UNIQUE INDEX item_key ON item(key) WHERE key IS NOT NULL",
    # `place` is seq * 2^20 + the number of the intent for that item, from 1.
    """CREATE TABLE intent(
         place INTEGER PRIMARY KEY,
         epoch INTEGER NOT NULL,
         at REAL NOT NULL,
         sum INTEGER NOT NULL) STRICT""",
    """CREATE TABLE outcome(
         place INTEGER PRIMARY KEY,
         epoch INTEGER NOT NULL,
         at REAL NOT NULL,
         outcome TEXT NOT NULL,
         final INTEGER NOT NULL,
         attempt INTEGER NOT NULL,
         http INTEGER,
         code TEXT,
         reason TEXT,
         request_id TEXT,
         executed_version TEXT,
         function_error TEXT,
         elapsed_ms REAL NOT NULL,
         log_result TEXT,
         durable_execution_arn TEXT,
         trace_id TEXT,
         body BLOB,
         sum INTEGER NOT NULL) STRICT""",
    # What an owner still had to say after another took over: kept, and never put in the place of what that one wrote.
    """CREATE TABLE late(
         id INTEGER PRIMARY KEY,
         place INTEGER NOT NULL,
         epoch INTEGER NOT NULL,
         at REAL NOT NULL,
         outcome TEXT NOT NULL,
         request_id TEXT,
         body BLOB) STRICT""",
)
_SHIFT: Final = 20
# Few sizes, so that a connection keeps its statements; SQLite takes 32,766 values in one.
_AT_ONCE: Final = (256, 32, 4, 1)


class Known(NamedTuple):
    """What is known of an item when a journal is opened: `state` is PENDING, INTENT or its outcome class."""

    seq: int
    state: str
    tries: int


@dataclass(frozen=True)
class Totals:
    """What the lease's row counts: transactions, and rows; with the digest of a source that was read to its end."""

    commits: int = 0
    items: int = 0
    intents: int = 0
    outcomes: int = 0
    source_digest: bytes | None = None
    source_count: int | None = None
    status: str = "running"


PENDING: Final = "PENDING"
INTENT: Final = "INTENT"


def place_of(seq: int, number: int) -> int:
    """Where the `number`-th intent of an item stands."""
    return seq << _SHIFT | number


def seq_of(place: int) -> int:
    """The item of an intent or an outcome."""
    return place >> _SHIFT


def item_row(entry: Entry, *, keyed: bool) -> tuple[Any, ...]:
    """A row of `item`; a key that is but the item's place is left out, so that no index need hold it."""
    return (entry.seq, entry.key if keyed else None, entry.payload_sha256, entry.payload, entry.call, _item_sum(entry))


def intent_row(place: int, epoch: int, at: float) -> tuple[Any, ...]:
    """A row of `intent`."""
    return (place, epoch, at, place * 31 + epoch & 0xFFFFFFFF)


def outcome_row(place: int, epoch: int, at: float, settled: Settlement) -> tuple[Any, ...]:
    """A row of `outcome`."""
    _, attempt, outcome, http, code, reason, request_id, version, error, body, elapsed, log, arn, trace, final = settled
    return (
        place,
        epoch,
        at,
        outcome,
        int(final),
        attempt,
        http,
        code,
        reason,
        request_id,
        version,
        error,
        elapsed,
        log,
        arn,
        trace,
        body,
        _outcome_sum(place, outcome, int(final), http, code, request_id, error, body),
    )


def put_lease(database: Database, lease: Lease, totals: Totals) -> None:
    """Writes the lease's row, in the place of the one before."""
    values = (*lease.row(), *(getattr(totals, found.name) for found in fields(Totals)))
    marks = ",".join("?" * (len(values) + 2))
    database.execute(f"REPLACE INTO lease VALUES ({marks})", (1, *values, _sum(values)))  # noqa: S608


def lease_of(database: Database) -> tuple[Lease, Totals]:
    """The lease's row. Raises ValueError when it is not what was written."""
    _, *values, kept = database.execute("SELECT * FROM lease").fetchone() or (None, None)
    if kept is None or kept != _sum(tuple(values)):
        raise ValueError("its lease is not what was written")
    return Lease(*values[: len(COLUMNS)]), Totals(*values[len(COLUMNS) :])


def insert(database: Database, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Adds rows to `table`, whose columns they have."""
    start = 0
    for size in _AT_ONCE:
        while len(rows) - start >= size:
            chunk = rows[start : start + size]
            start += size
            database.execute(_inserting(table, len(chunk[0]), size), list(itertools.chain.from_iterable(chunk)))


@functools.cache
def _inserting(table: str, columns: int, count: int) -> str:
    one = f"({','.join('?' * columns)})"
    names = "(place,epoch,at,outcome,request_id,body)" if table == "late" else ""
    return f"INSERT INTO {table}{names} VALUES {','.join([one] * count)}"  # noqa: S608 - names of ours


def entry_of(row: Sequence[Any]) -> Entry:
    """The entry of a row of `item`."""
    seq, key, digest, payload, call, _ = row
    return Entry(seq, str(seq) if key is None else key, digest, payload, call)


def settlement_of(row: Sequence[Any]) -> Settlement:
    """The settlement of a row of `outcome`."""
    (
        place,
        _,
        _,
        outcome,
        final,
        attempt,
        http,
        code,
        reason,
        request_id,
        version,
        error,
        elapsed,
        log,
        arn,
        trace,
        body,
        _,
    ) = row
    return Settlement(
        seq_of(place),
        attempt,
        outcome,
        http,
        code,
        reason,
        request_id,
        version,
        error,
        body,
        elapsed,
        log,
        arn,
        trace,
        bool(final),
    )


def recall(database: Database, first: int, last: int) -> list[tuple[Entry, Settlement | None]]:
    """The items from `first` to before `last`, each with what became of it; None where nothing final is known."""
    entries = database.execute("SELECT * FROM item WHERE seq >= ? AND seq < ? ORDER BY seq", (first, last)).fetchall()
    outcomes = database.execute(
        "SELECT * FROM outcome WHERE place >= ? AND place < ? AND final ORDER BY place",
        (first << _SHIFT, last << _SHIFT),
    )
    settled = {found.seq: found for found in map(settlement_of, outcomes)}
    return [(entry, settled.get(entry.seq)) for entry in map(entry_of, entries)]


def recall_each(database: Database, seqs: Iterable[int]) -> Iterator[tuple[Entry, Settlement | None]]:
    """The items at these places, of those that there are, as `recall` gives them."""
    for seq in seqs:
        yield from recall(database, seq, seq + 1)


def outcomes_of(database: Database, seqs: Iterable[int]) -> dict[int, str]:
    """The last final outcome of each of these items that has one."""
    question = "SELECT outcome FROM outcome WHERE place >= ? AND place < ? AND final ORDER BY place DESC LIMIT 1"
    found = ((seq, database.execute(question, (seq << _SHIFT, seq + 1 << _SHIFT)).fetchone()) for seq in seqs)
    return {seq: row[0] for seq, row in found if row is not None}


def known_of(database: Database) -> Iterator[Known]:
    """What is known of every item, in order. Raises ValueError for a row that is not what was written."""
    intents = _checked_intents(database)
    outcomes = _checked_outcomes(database)
    intent, outcome = next(intents, None), next(outcomes, None)
    for row in database.execute("SELECT seq, key, payload_sha256, call, sum FROM item ORDER BY seq"):
        seq, key, digest, call, kept = row
        if kept != _item_sum(Entry(seq, str(seq) if key is None else key, digest, b"", call)):
            raise ValueError(f"item {seq} is not what was written")
        state, tries, last = PENDING, 0, 0
        while intent is not None and intent >> _SHIFT == seq:
            state, tries, last = INTENT, intent & (1 << _SHIFT) - 1, intent
            intent = next(intents, None)
        while outcome is not None and outcome[0] >> _SHIFT == seq:
            place, told, final = outcome
            if place >= last:
                state = told if final else PENDING
            outcome = next(outcomes, None)
        yield Known(seq, state, tries)
    if intent is not None or outcome is not None:
        raise ValueError("something is written of an item that is not there")


def _checked_intents(database: Database) -> Iterator[int]:
    for place, epoch, kept in database.execute("SELECT place, epoch, sum FROM intent ORDER BY place"):
        if kept != place * 31 + epoch & 0xFFFFFFFF:
            raise ValueError("an intent is not what was written")
        yield place


def _checked_outcomes(database: Database) -> Iterator[tuple[int, str, int]]:
    rows = database.execute(
        "SELECT place, outcome, final, http, code, request_id, function_error, body, sum FROM outcome ORDER BY place"
    )
    for *values, kept in rows:
        if kept != _outcome_sum(*values):
            raise ValueError(f"the outcome of item {seq_of(values[0])} is not what was written")
        yield values[0], values[1], values[2]


def _sum(values: tuple[Any, ...]) -> int:
    return zlib.crc32(repr(values).encode("utf-8", "surrogatepass"))


def _item_sum(entry: Entry) -> int:
    told = f"{entry.seq}\0{entry.key}\0{entry.call}\0"
    return zlib.crc32(entry.payload_sha256, zlib.crc32(told.encode("utf-8", "surrogatepass")))


def _outcome_sum(
    place: int,
    outcome: str,
    final: int,
    http: int | None,
    code: str | None,
    request_id: str | None,
    error: str | None,
    body: bytes | None,
) -> int:
    told = f"{place}\0{outcome}\0{final}\0{http}\0{code}\0{request_id}\0{error}\0"
    return zlib.crc32(body or b"", zlib.crc32(told.encode("utf-8", "surrogatepass")))

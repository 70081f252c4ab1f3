"""What a journal tells of its run, by only looking: Get-LMRun and Export-LMRun."""

from __future__ import annotations

import base64
import collections
import csv
import glob
import json
import os
import pathlib
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TextIO

from lmfunction import _journal_rows as rows
from lmfunction._csv import safe_cell
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._failures import carried_out
from lmfunction._journal_file import Database, opened_to_read
from lmfunction._jsonable import json_text
from lmfunction._ledger import HANDED_OVER, Entry, Settlement
from lmfunction._model import Outcome
from lmfunction._notices import Notices
from lmfunction._once import iso
from lmfunction._operators import wildcard
from lmfunction._params import Cmdlet
from lmfunction._record import Record, Records
from lmfunction._run_binding import Binding, read_binding
from lmfunction._text import did_you_mean, one_line
from lmfunction.errors import JournalError, ParameterError

_PAGE: Final = 1000
_OUTCOMES: Final = (*(outcome.value for outcome in Outcome), HANDED_OVER, "PENDING", "UNDER_WAY")
# No member has the name of a parameter of Invoke-LMFunction that says what to run: a run piped into it runs nothing.
_BOUND: Final = {
    "function": "Function",
    "qualifier": "Alias",
    "account": "Account",
    "region": "Place",
    "endpoint": "Endpoint",
    "invocation_type": "Kind",
    "item_key": "ItemKey",
}


def get_runs(cmdlet: Cmdlet, values: Mapping[str, Any], engine: Engine, door: Door) -> Any:
    """The runs that `values` (by parameter name) ask for. Raises JournalError for a file that is named and is none."""
    return carried_out(cmdlet, values, engine, door, lambda line: _runs(line.arguments, door))


def _runs(arguments: Mapping[str, Any], door: Door) -> Records:
    path = arguments.get("path", "*.db")
    if not path:
        raise ParameterError("Path is empty: name a journal.", parameter="Path")
    named = not glob.has_magic(path)
    found = []
    for name in [path] if named else sorted(glob.glob(os.path.expanduser(path))):  # noqa: PTH111, PTH207
        try:
            found.append(_run_record(str(pathlib.Path(name).expanduser())))
        except JournalError as error:
            if named:
                raise
            Notices(arguments, door).verbose(str(error))
    return Records("LMRun", found)


def export_run(cmdlet: Cmdlet, values: Mapping[str, Any], engine: Engine, door: Door) -> Any:
    """The items of a run, or a record of the file that they were written into. Raises JournalError, ParameterError."""
    return carried_out(cmdlet, values, engine, door, lambda line: _exported(line.arguments))


def _exported(arguments: Mapping[str, Any]) -> Record | Records:
    if not arguments.get("path"):
        raise ParameterError("Export-LMRun needs -Path, the journal of the run.", parameter="Path")
    path = str(pathlib.Path(arguments["path"]).expanduser())
    wanted = [_outcome(name) for name in arguments.get("outcome", ())]
    items = (item for item in _items(path) if not wanted or any(fits.match(str(item["Outcome"])) for fits in wanted))
    if "file_path" in arguments:
        return _written(pathlib.Path(arguments["file_path"]).expanduser(), items, bool(arguments.get("force")))
    return Records("LMRunItem", [Record("LMRunItem", item, title="Key") for item in items])


def _outcome(name: str) -> re.Pattern[str]:
    """The outcomes that a name or a pattern means. Raises ParameterError where it means none."""
    found = wildcard(name, parameter="Outcome")
    if not any(map(found.match, _OUTCOMES)):
        raise ParameterError(
            f"Outcome {one_line(name, 60)} is none.{did_you_mean(name, _OUTCOMES)} There are {', '.join(_OUTCOMES)}.",
            parameter="Outcome",
        )
    return found


def stored_binding(path: str) -> tuple[Binding, int, bool]:
    """What the run is bound to, how many items are written down, and whether these are all of its source."""
    with opened_to_read(path) as database:
        _, totals = rows.lease_of(database)
        return read_binding(database), totals.items, totals.source_count is not None


def possible_duplicates(database: Database) -> int:
    """How often an item was sent again that may have run before."""
    question = (
        "SELECT COUNT(*) FROM outcome o WHERE o.outcome = 'UNKNOWN' AND EXISTS (SELECT 1 FROM intent i"
        " WHERE i.place > o.place AND i.place < ((o.place >> 20) + 1) << 20)"
    )
    return int(database.execute(question).fetchone()[0])


def _run_record(path: str) -> Record:
    with opened_to_read(path) as database:
        lease, totals = rows.lease_of(database)
        binding = read_binding(database)
        created, tool = database.execute("SELECT created, tool FROM run").fetchone()
        counts = _counts(database, totals.items)
        last = database.execute("SELECT MAX(at) FROM outcome").fetchone()[0]
        repeats = possible_duplicates(database)
    standing = lease.standing(time.monotonic())
    held = not lease.released
    status = totals.status if lease.released else {"dead": "died", "unsure": "unsure"}.get(standing, standing)
    if status == "alive":
        status = "running"
    bound = {name: getattr(binding, member) for member, name in _BOUND.items()}
    members = {
        "Path": path,
        "Status": status,
        "Items": totals.items,
        **{name: counts[name] for name in sorted(counts) if counts[name]},
        "Begun": iso(created),
        "LastOutcome": iso(last) if last else None,
        "SourceRead": totals.source_count is not None,
        **bound,
        "Delivery": binding.delivery,
        "PossibleDuplicates": repeats,
        "Owner": lease.told if held else None,
        "Heartbeat": iso(lease.heartbeat),
        "Tool": tool,
    }
    return Record("LMRun", {name: value for name, value in members.items() if value is not None}, title="Path")


def _counts(database: Database, items: int) -> collections.Counter[str]:
    """How many items are in which class. UNDER_WAY are those with an intent and no outcome yet."""
    found: collections.Counter[str] = collections.Counter()
    question = (
        "SELECT outcome, COUNT(*) FROM outcome o WHERE final AND NOT EXISTS (SELECT 1 FROM intent i"
        " WHERE i.place > o.place AND i.place < ((o.place >> 20) + 1) << 20)"
        " AND NOT EXISTS (SELECT 1 FROM outcome p WHERE p.place > o.place AND p.place < ((o.place >> 20) + 1) << 20)"
        " GROUP BY outcome"
    )
    found.update(dict(database.execute(question).fetchall()))
    found["UNDER_WAY"] = database.execute(
        "SELECT COUNT(*) FROM intent i WHERE NOT EXISTS (SELECT 1 FROM outcome o WHERE o.place = i.place)"
    ).fetchone()[0]
    found["PENDING"] = items - sum(found.values())
    return found


def _items(path: str) -> Iterator[dict[str, Any]]:
    """The items one by one, each with what became of it, as far as they can be read."""
    first = 0
    while True:
        with opened_to_read(path) as database:  # for each page anew: a reader that lingers lets the -wal file grow
            found = rows.recall(database, first, first + _PAGE)
            intended = {
                place >> 20
                for (place,) in database.execute(
                    "SELECT place FROM intent WHERE place >= ? AND place < ?", (first << 20, first + _PAGE << 20)
                )
            }
            more = database.execute("SELECT 1 FROM item WHERE seq >= ? LIMIT 1", (first + _PAGE,)).fetchone()
        for entry, settled in found:
            yield _item(entry, settled, sent=entry.seq in intended)
        if more is None:
            return
        first += _PAGE


def _item(entry: Entry, settled: Settlement | None, *, sent: bool) -> dict[str, Any]:
    outcome = settled.outcome if settled is not None else "UNDER_WAY" if sent else "PENDING"
    found: dict[str, Any] = {"Index": entry.seq, "Key": entry.key, "Outcome": outcome}
    if settled is not None:
        found |= {
            "Status": settled.http,
            "FunctionError": settled.function_error,
            "Code": settled.code,
            "Reason": settled.reason,
            "RequestId": settled.request_id,
            "Version": settled.executed_version,
            "ElapsedMs": round(settled.elapsed_ms, 1),
            "Attempts": settled.attempt,
            "Result": None if settled.body is None else _decoded(settled.body),
        }
    found["Input"] = _decoded(entry.payload)
    if entry.call is not None:
        found["Parameters"] = json.loads(entry.call)
    return {name: value for name, value in found.items() if value is not None}


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        pass
    try:
        return content.decode()
    except UnicodeDecodeError:
        return base64.b64encode(content).decode()


def _written(target: pathlib.Path, items: Iterable[dict[str, Any]], force: bool) -> Record:
    """Writes the items to a file that is there as a whole or not at all, and that only its owner can read."""
    if target.exists() and not force:
        raise ParameterError(f"{one_line(str(target), 200)} exists: add -Force to write over it.", parameter="FilePath")
    try:
        handle, name = tempfile.mkstemp(dir=target.absolute().parent, prefix=f".{target.name}.")
    except OSError as error:
        raise _unwritable(target, error) from None
    temporary = pathlib.Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            count = _write_csv(file, items) if target.suffix.casefold() == ".csv" else _write_lines(file, items)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritable(target, error) from None
        raise
    return Record("LMRunExport", {"File": str(target), "Items": count}, title="File")


def _unwritable(target: pathlib.Path, error: OSError) -> ParameterError:
    return ParameterError(
        f"{one_line(str(target), 200)} cannot be written: {error.strerror or error}.", parameter="FilePath"
    )


def _write_lines(file: TextIO, items: Iterable[dict[str, Any]]) -> int:
    count = 0
    for count, item in enumerate(items, 1):  # noqa: B007 - the number of the last
        file.write(json_text(item) + "\n")
    return count


_CSV: Final = (
    "Index",
    "Key",
    "Outcome",
    "Status",
    "FunctionError",
    "Code",
    "Reason",
    "RequestId",
    "Version",
    "ElapsedMs",
    "Attempts",
    "Result",
    "Input",
    "Parameters",
)


def _write_csv(file: TextIO, items: Iterable[dict[str, Any]]) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_CSV)
    count = 0
    for count, item in enumerate(items, 1):  # noqa: B007
        writer.writerow([safe_cell(item.get(name)) for name in _CSV])
    return count

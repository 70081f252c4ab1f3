"""Get-LMAudit: the audit's lines as records, those of calls under way among them. Nothing is written."""

from __future__ import annotations

import glob
import json
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from lmfunction._audit_file import UNDER_WAY, as_left, files_of, is_live, spools_of
from lmfunction._day_file import OWNER
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._gathered import gather
from lmfunction._notices import Notices, assign, check_assignable
from lmfunction._operators import wildcard
from lmfunction._record import Record, Records
from lmfunction._safety_rows import GET_AUDIT
from lmfunction._spool import lines_of
from lmfunction._text import ascii_only, shorten
from lmfunction.errors import ParameterError

_TYPE: Final = "LMAudit"
# No member has the name of a parameter of Invoke-LMFunction that says what to run: an audit piped into it runs nothing.
_NAMES: Final = {"caller_arn": "Caller"}
_FIRST: Final = ("time", "outcome", "function", "user", "duration_ms", "request_id")


def get_audit(values: Mapping[str, Any], engine: Engine, door: Door) -> Records:
    """The records that `values` (by parameter name) ask for, in the order of their times.

    A call under way has the outcome UNDER_WAY, one whose process died UNKNOWN. Raises ParameterError where there is
    nothing to read.
    """
    gathered = gather(GET_AUDIT, values, engine)
    arguments = gathered.arguments
    notices = Notices(arguments, door)
    check_assignable(arguments, door)
    template = _template(arguments, gathered.profile.audit)
    records = sorted(_records(template, notices), key=lambda record: str(record.get("time", "")))
    wanted = [wildcard(name, parameter="Outcome") for name in arguments.get("outcome", ())]
    found = [r for r in records if not wanted or any(w.match(str(r.get("outcome", ""))) for w in wanted)]
    emitted = Records(_TYPE, map(_record, found[-arguments.get("last", len(found)) :] if found else []))
    if "out_variable" in arguments:
        assign(door, arguments["out_variable"], emitted)
    return emitted


def _template(arguments: Mapping[str, Any], rule: Any) -> str:
    path = arguments.get("path")
    if path is not None:
        return str(pathlib.Path(path).expanduser())
    if "profile_name" not in arguments:
        raise ParameterError("Whose audit? Give -ProfileName, or the file with -Path.", parameter="ProfileName")
    if rule is None:
        shown = ascii_only(shorten(str(arguments["profile_name"]), 80))
        raise ParameterError(
            f"The profile {shown} has no audit: add `audit: audit/{{date}}.jsonl` to it.", parameter="ProfileName"
        )
    return str(rule.file)


def _records(template: str, notices: Notices) -> Iterator[dict[str, Any]]:
    files, spools = _found(template)
    seen: set[str] = set()
    for path in files:
        yield from _each(_lines(path), path, seen, notices)
    for path in spools:
        try:
            live = is_live(path)
            content = pathlib.Path(path).read_bytes()
        except FileNotFoundError:
            continue  # what was under way has ended meanwhile
        except OSError as error:
            notices.warn(f"{path} cannot be read: {error.strerror}.")
            continue
        for record in _each(lines_of(content), path, seen, notices):
            if live and record.get(UNDER_WAY):
                record["outcome"] = UNDER_WAY.upper()
                del record[UNDER_WAY]
            yield as_left(record)


def _found(template: str) -> tuple[list[str], list[str]]:
    """The files to read, and the spools beside them. Spools are listed first: what ends meanwhile is in its file."""
    if "{date}" in template or not any(sign in template for sign in "*?["):
        spools, files = spools_of(template), files_of(template)
    else:
        every = sorted(glob.glob(template))  # noqa: PTH207 - the user's own pattern
        spools = [path for path in every if OWNER.search(path)]
        files = [path for path in every if path not in spools]
    if not files and not spools and "{date}" not in template:
        raise ParameterError(f"There is no audit file {ascii_only(shorten(template, 200))}.", parameter="Path")
    return files, spools


def _lines(path: str) -> list[bytes]:
    try:
        content = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise ParameterError(
            f"{ascii_only(shorten(path, 200))} cannot be read: {error.strerror}.", parameter="Path"
        ) from error
    return content.split(b"\n")[:-1]  # a line that is being written has no end yet


def _each(lines: Iterable[bytes], path: str, seen: set[str], notices: Notices) -> Iterator[dict[str, Any]]:
    """The records of the lines, but those whose ids were seen."""
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            notices.warn(f"{path}, line {number} is no record.")
            continue
        mark = str(record.get("id", f"{path}:{number}"))
        if mark not in seen:
            seen.add(mark)
            yield record


def _record(line: Mapping[str, Any]) -> Record:
    names = [name for name in _FIRST if name in line]
    ordered = [*names, *(name for name in line if name not in names)]
    return Record(_TYPE, {_name(name): line[name] for name in ordered}, title="Time")


def _name(name: str) -> str:
    return _NAMES.get(name) or "".join(part.capitalize() for part in name.split("_"))

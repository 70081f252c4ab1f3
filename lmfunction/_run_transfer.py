"""Export-LMRun and Import-LMRun: items of a run that somebody else sends, and what became of them there.

An item that is handed over has an intent and the outcome HANDED_OVER, so that nothing here sends it: not a resumed run,
not one that sends unknown items again, not a second export. Its result is written as that of a further intent.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import pathlib
import shutil
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from lmfunction._confirmation import ask_for
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._failures import carried_out
from lmfunction._gathered import Gathered, is_dry
from lmfunction._journal import Journal, given_back
from lmfunction._kept_run import OPEN, pages, stored
from lmfunction._ledger import HANDED_OVER, Entry, Settlement
from lmfunction._notices import Notices, WhatIf
from lmfunction._params import Cmdlet
from lmfunction._record import Record
from lmfunction._run_opening import Opened, resume
from lmfunction._step_functions import (
    DEFINITION,
    ITEMS,
    README,
    Export,
    commands,
    definition,
    has_own_target,
    item_text,
)
from lmfunction._step_functions_report import Told, read_report, report_files
from lmfunction._text import one_line
from lmfunction._user_files import make_private_folder, write_atomically
from lmfunction.errors import GuardError, JournalError, LMError, ParameterError

_TYPE: Final = "LMRunTransfer"
_TAKEN_BACK: Final = "NOT_SENT"


def run_transfer(cmdlet: Cmdlet, values: Mapping[str, Any], engine: Engine, door: Door) -> Any:
    """What Export-LMRun or Import-LMRun emits for `values` (by parameter name), or NOTHING.

    Raises ParameterError, and JournalError for a journal or a report that cannot be used: nothing is changed then.
    """

    def step(gathered: Gathered) -> Any:
        for name in _NEEDED[cmdlet.name]:
            if not gathered.arguments.get(cmdlet.by_name[name].target):
                raise ParameterError(f"{cmdlet.name} needs -{name}.", parameter=name)
        return _STEPS[cmdlet.name](gathered.arguments, engine, door)

    return carried_out(cmdlet, values, engine, door, step)


def _export(arguments: Mapping[str, Any], engine: Engine, door: Door) -> Any:
    folder = _new_folder(arguments["step_functions"])
    with _opened(arguments) as opened:
        again = arguments.get("on_unknown") == "Resend"
        if again and opened.binding.delivery != "AtLeastOnce":
            raise ParameterError(
                "OnUnknown Resend could run items twice, and the run is AtMostOnce. Nothing was handed over.",
                parameter="OnUnknown",
            )
        wanted = OPEN | {"UNKNOWN"} if again else OPEN
        left = opened.states.number_in(wanted)
        if not left:
            raise JournalError(f"No item of the run is left to hand over.\n  {_path(arguments)}")
        export = _export_of(opened, arguments)
        if is_dry(arguments, engine, door):
            door.show(WhatIf(f"What if: {left:,} items would be handed over by files in {folder}."))
            return NOTHING
        _ask(arguments, engine, door, f"{left:,} items will be handed over to Step Functions.")
        count = _hand_over(export, opened, wanted, folder, _path(arguments))
    if count < left:
        Notices(arguments, door).warn(
            f"{left - count:,} items are not among them: their parameters do not allow them to be sent."
        )
    members = {
        "Items": count,
        "Export": export.export_id,
        "Folder": str(folder),
        "StateMachine": export.name,
        "ItemsAt": f"s3://{export.bucket}/{export.items_key}",
        "ResultsAt": f"s3://{export.bucket}/{export.prefix}/results/",
        "Next": f"{folder / README} tells the commands.",
    }
    return Record(_TYPE, members, title="Export")


def _export_of(opened: Opened, arguments: Mapping[str, Any]) -> Export:
    run_id, export_id = opened.binding.run_id, uuid.uuid4().hex[:12]
    prefix = str(arguments.get("prefix") or f"lmfunction/{run_id[:12]}-{export_id}").strip("/")
    return Export(run_id, export_id, str(arguments["bucket"]), prefix, arguments.get("role_arn"))


def _hand_over(export: Export, opened: Opened, wanted: Collection[str], folder: pathlib.Path, path: str) -> int:
    """Writes the files for the items in the states `wanted`, then the journal, then gives the files their place.

    Gives how many items went.
    In this order a crash may leave items that are handed over and files that are not there, which `-NotStarted` mends;
    never files for items that a resumed run would send as well.
    """
    make_private_folder(folder.parent)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    part.mkdir(mode=0o700)
    try:
        count, own_targets = 0, any(map(has_own_target, _sendable(opened, wanted)))
        machine = definition(export, opened.binding, own_targets=own_targets)
        (part / ITEMS).touch(mode=0o600)
        with (part / ITEMS).open("wb") as file:
            for entry in _sendable(opened, wanted):
                text = item_text(export, opened.binding, entry, own_targets=own_targets)
                file.write((b",\n" if count else b"[\n") + text)
                count += 1
            if not count:
                raise JournalError("None of the items that are left could be sent: each was refused by its parameters.")
            file.write(b"\n]\n")
            file.flush()
            os.fsync(file.fileno())
        write_atomically(part / DEFINITION, f"{json.dumps(machine, indent=2)}\n".encode())
        region = opened.binding.region
        write_atomically(
            part / README, commands(export, str(folder), str(pathlib.Path(path).absolute()), region, count).encode()
        )
        for page in pages(_sendable(opened, wanted)):
            opened.journal.intend(page, _ignore)
            opened.journal.settle([_handed_over(entry, export) for entry in page])
            opened.journal.flush()
        part.replace(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return count


def _import(arguments: Mapping[str, Any], engine: Engine, door: Door) -> Any:
    if not arguments.get("step_functions_result") and not arguments.get("not_started"):
        raise ParameterError(
            "Import-LMRun needs -StepFunctionsResult, the folder of the result report.", parameter="StepFunctionsResult"
        )
    with _opened(arguments) as opened:
        if arguments.get("not_started"):
            return _take_back(opened, arguments, engine, door)
        files = report_files(arguments["step_functions_result"])
        _check(opened, files, _path(arguments))
        if is_dry(arguments, engine, door):
            door.show(WhatIf(f"What if: {len(files):,} files of results would be read into {_path(arguments)}."))
            return NOTHING
        found = _taken_in(opened, files)
        left = opened.states.number_in([HANDED_OVER])
    if not found:
        Notices(arguments, door).warn("The report tells nothing that the journal does not know.")
    return Record(_TYPE, {"Journal": _path(arguments), "Items": sum(found.values()), **found, "HandedOver": left})


def _check(opened: Opened, files: list[pathlib.Path], path: str) -> None:
    """Holds every item of a report against the journal. Raises JournalError for one that is not of its run."""
    for file in files:
        for page in pages(told for told in read_report(file) if told is not None):
            other = next((told for told in page if told.run_id != opened.binding.run_id), None)
            if other is not None:
                raise JournalError(
                    f"The report is of another run, {one_line(other.run_id, 40)}, so that nothing was imported.\n  "
                    f"{one_line(str(file), 300)}\n  {one_line(path, 300)}"
                )
            recalled = opened.journal.recall_each([told.seq for told in page])
            known = {entry.seq: (entry.key, entry.payload_sha256.hex()) for entry, _ in recalled}
            odd = next((told for told in page if known.get(told.seq) != (told.key, told.sha256)), None)
            if odd is not None:
                raise JournalError(
                    f"Item {odd.seq + 1} of the report is not the one of the run, so that nothing was imported.\n  "
                    f"{one_line(str(file), 300)}"
                )


def _taken_in(opened: Opened, files: list[pathlib.Path]) -> collections.Counter[str]:
    """Writes down what the report tells of the items that are still handed over; how many of each outcome."""
    found: collections.Counter[str] = collections.Counter()
    for file in files:
        for page in pages(told for told in read_report(file) if told is not None):
            ended = [*_awaited(opened, page)]
            _write(opened.journal, ended)
            found.update(settled.outcome for _, settled in ended)
    return found


def _awaited(opened: Opened, page: list[Told]) -> Iterator[tuple[Entry, Settlement]]:
    """The ends of the items that the export which they are of handed over, where nothing is known of them since."""
    handed_over = [told for told in page if opened.states[told.seq] == HANDED_OVER]
    known = {entry.seq: (entry, kept) for entry, kept in opened.journal.recall_each([t.seq for t in handed_over])}
    for told in handed_over:
        entry, kept = known[told.seq]
        if opened.states[told.seq] == HANDED_OVER and kept is not None and kept.code == told.export_id:
            opened.states[told.seq] = str(told.settlement.outcome)
            yield entry, told.settlement._replace(outcome=str(told.settlement.outcome))


def _take_back(opened: Opened, arguments: Mapping[str, Any], engine: Engine, door: Door) -> Any:
    count = opened.states.number_in([HANDED_OVER])
    if not count:
        raise JournalError(f"No item of the run is handed over.\n  {_path(arguments)}")
    if is_dry(arguments, engine, door):
        door.show(WhatIf(f"What if: {count:,} items would be taken back from Step Functions."))
        return NOTHING
    _ask({"confirm": True, **arguments}, engine, door, f"{count:,} items would run twice if they were started.")
    for page in pages(stored(opened.journal, opened.states, [HANDED_OVER])):
        reason = "taken back from Step Functions, where it was not started"
        _write(opened.journal, [(entry, Settlement(entry.seq, 0, _TAKEN_BACK, reason=reason)) for entry in page])
    return Record(_TYPE, {"Journal": _path(arguments), "Items": count, _TAKEN_BACK: count, "HandedOver": 0})


def _write(journal: Journal, page: list[tuple[Entry, Settlement]]) -> None:
    if page:
        journal.intend([entry for entry, _ in page], _ignore)
        journal.settle([settled for _, settled in page])
        journal.flush()


def _handed_over(entry: Entry, export: Export) -> Settlement:
    reason = "it was handed over to Step Functions, and its result is not imported yet: Import-LMRun reads it"
    return Settlement(entry.seq, 0, HANDED_OVER, code=export.export_id, reason=reason)


@contextlib.contextmanager
def _opened(arguments: Mapping[str, Any]) -> Iterator[Opened]:
    """The journal, owned while something is written into it."""
    with given_back():
        opened = resume(_path(arguments))
        yield opened
        opened.journal.close()


def _sendable(opened: Opened, wanted: Collection[str]) -> Iterator[Entry]:
    """The items in the states `wanted`, but for those that were refused before they could be sent."""
    return (entry for entry in stored(opened.journal, opened.states, wanted) if entry.payload)


def _new_folder(text: str) -> pathlib.Path:
    folder = pathlib.Path(text).expanduser().absolute()
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ParameterError(f"{folder} exists: name a new folder.", parameter="StepFunctions")
    return folder


def _ask(arguments: Mapping[str, Any], engine: Engine, door: Door, essential: str) -> None:
    if arguments.get("force") or not arguments.get("confirm"):
        return
    try:
        asked_at = ask_for("The run", [], essential, door, engine.clock, answer="yes")
    except GuardError:
        raise GuardError("Not confirmed, so nothing was changed.") from None
    if asked_at is None:
        raise GuardError("Nobody can answer here. Look at it, then run the line with -Force.")


def _path(arguments: Mapping[str, Any]) -> str:
    return str(pathlib.Path(arguments["path"]).expanduser())


def _ignore(_: Any, __: LMError | None) -> None:
    """Nobody waits: `flush` tells what could not be written."""


_NEEDED: Final = {"Export-LMRun": ("Path", "StepFunctions", "Bucket"), "Import-LMRun": ("Path",)}
_STEPS: Final[Mapping[str, Callable[[Mapping[str, Any], Engine, Door], Any]]] = {
    "Export-LMRun": _export,
    "Import-LMRun": _import,
}

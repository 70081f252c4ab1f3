"""The rows of the cmdlets for runs that have a journal: look at them, go on with one, take out what it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from lmfunction._common_rows import COMMON, CONNECTION
from lmfunction._params import Cmdlet, Example, Kind, Parameter

_BY_NAME: Final = {row.name: row for row in (*CONNECTION, *COMMON)}
_READING: Final = tuple(
    _BY_NAME[name]
    for name in (
        "Verbose",
        "Debug",
        "ErrorAction",
        "WarningAction",
        "ErrorVariable",
        "WarningVariable",
        "OutVariable",
    )
)


def _path(text: str, *, mandatory: bool = True) -> Parameter:
    aliases = ("Journal",)
    return Parameter("Path", Kind.TEXT, text, aliases, position=1, by_value=True, mandatory=mandatory)


def _get(name: str, python_names: tuple[str, ...]) -> Cmdlet:
    return Cmdlet(
        name,
        python_names,
        "Tells of runs that have a journal how far they are and who owns them; also while they run.",
        (
            _path("A journal, or a pattern of several. Unset: *.db in the working directory.", mandatory=False),
            *_READING,
        ),
        examples=(
            Example("get_lm_run retry.db", "How far the run is, and how many items ended in which outcome."),
            Example("get_lm_run | where Status -ne finished", "The runs in this folder that can be resumed."),
        ),
    )


def _resume(name: str, python_names: tuple[str, ...], shared: Iterable[Parameter]) -> Cmdlet:
    return Cmdlet(
        name,
        python_names,
        "Goes on with a run from its journal alone, which holds the objects and how they are sent.",
        (_path("The journal."), *shared, *CONNECTION, *COMMON),
        examples=(
            Example("resume_lm_run retry.db", "Send what is not done, to where the run was begun."),
            Example("resume_lm_run retry.db -OnUnknown Skip", "Leave alone what may have run, and list it."),
        ),
    )


def _export(name: str, python_names: tuple[str, ...]) -> Cmdlet:
    return Cmdlet(
        name,
        python_names,
        "Gives each item of a run with its outcome and its result, or writes them into a file.",
        (
            _path("The journal."),
            Parameter(
                "FilePath",
                Kind.TEXT,
                "The file to write: JSON Lines, or CSV where its name ends in .csv. Unset: the items are emitted.",
                position=2,
            ),
            Parameter("Outcome", Kind.NAMES, "Only items of these outcomes, such as UNKNOWN,FUNCTION_ERROR; * too."),
            Parameter("Force", Kind.SWITCH, "Write over a file that exists."),
            *_READING,
        ),
        examples=(
            Example("export_lm_run retry.db retry.csv -Force", "A table of all items for a spreadsheet."),
            Example("export_lm_run retry.db -Outcome UNKNOWN | select Key,RequestId", "What may have run."),
        ),
    )


def run_cmdlet(name: str, python_names: tuple[str, ...], invoke: Callable[[], Cmdlet]) -> Cmdlet:
    """The cmdlet `name` with its rows; `invoke` gives the one whose parameters a resumed run can override."""
    if name == "Get-LMRun":
        return _get(name, python_names)
    if name == "Export-LMRun":
        return _export(name, python_names)
    rows = invoke().by_name
    shared = [replace(rows[other], rank=rows["FunctionName"].rank) for other in ("OnUnknown", "ThrottleLimit", "Force")]
    return _resume(name, python_names, [*shared, rows["TimeoutSec"], rows["Select"], rows["PassThru"]])

"""The rows of the cmdlets for runs that have a journal: look at them, go on with one, take out what it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from lmfunction._common_rows import CHANGING, COMMON, CONNECTION, READING
from lmfunction._params import Cmdlet, Example, Kind, Parameter

_BY_NAME: Final = {row.name: row for row in CONNECTION}
_HANDING_OVER: Final = (
    Parameter(
        "StepFunctions",
        Kind.TEXT,
        "A new folder, into which the definition of a Distributed Map, its items and the commands to run it are "
        "written. The items are handed over with it: no resumed run sends them until their results are imported.",
        excludes=("FilePath",),
    ),
    Parameter("Bucket", Kind.TEXT, "With -StepFunctions: the S3 bucket for the items and the results."),
    Parameter("Prefix", Kind.TEXT, "With -StepFunctions: where in the bucket.", default="lmfunction/RUN-EXPORT"),
    Parameter(
        "RoleArn", Kind.TEXT, "With -StepFunctions: the role of the state machine, for the command to create it."
    ),
    Parameter(
        "OnUnknown",
        Kind.CHOICE,
        "With -StepFunctions: Skip leaves out the items that may have run; Resend needs a run with -Delivery "
        "AtLeastOnce.",
        choices=("Skip", "Resend"),
        default="Skip",
    ),
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
            *READING,
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
        "Gives each item of a run with its outcome and its result, or writes them into a file; or hands the items that "
        "are not done over to AWS Step Functions.",
        (
            _path("The journal."),
            Parameter(
                "FilePath",
                Kind.TEXT,
                "The file to write: JSON Lines, or CSV where its name ends in .csv. Unset: the items are emitted.",
                position=2,
                excludes=("StepFunctions",),
            ),
            Parameter("Outcome", Kind.NAMES, "Only items of these outcomes, such as UNKNOWN,FUNCTION_ERROR; * too."),
            Parameter("Force", Kind.SWITCH, "Write over a file that exists; do not ask for confirmation."),
            *_HANDING_OVER,
            *CHANGING,
            *READING,
        ),
        examples=(
            Example("export_lm_run retry.db retry.csv -Force", "A table of all items for a spreadsheet."),
            Example("export_lm_run retry.db -Outcome UNKNOWN | select Key,RequestId", "What may have run."),
            Example(
                "export_lm_run overnight.db -StepFunctions handed-over -Bucket my-bucket",
                "Write a Distributed Map for what is left of the run.",
            ),
        ),
    )


def _import(name: str, python_names: tuple[str, ...]) -> Cmdlet:
    return Cmdlet(
        name,
        python_names,
        "Reads the results of items that were handed over back into the journal of their run.",
        (
            _path("The journal."),
            Parameter(
                "StepFunctionsResult",
                Kind.TEXT,
                "The result report of the Distributed Map: the folder it was fetched to, or its manifest.json.",
                position=2,
                excludes=("NotStarted",),
            ),
            Parameter(
                "NotStarted",
                Kind.SWITCH,
                "Take the items back in place of results: their state machine was not started, and will not be.",
                excludes=("StepFunctionsResult",),
            ),
            Parameter("Force", Kind.SWITCH, "Do not ask for confirmation."),
            *CHANGING,
            *READING,
        ),
        examples=(
            Example(
                "import_lm_run overnight.db -StepFunctionsResult results",
                "What became of each item; import the same report again and nothing changes.",
            ),
            Example("import_lm_run overnight.db -NotStarted -Force", "Take the items back."),
        ),
    )


def run_cmdlet(name: str, python_names: tuple[str, ...], invoke: Callable[[], Cmdlet]) -> Cmdlet:
    """The cmdlet `name` with its rows; `invoke` gives the one whose parameters a resumed run can override."""
    if name == "Get-LMRun":
        return _get(name, python_names)
    if name == "Export-LMRun":
        return _export(name, python_names)
    if name == "Import-LMRun":
        return _import(name, python_names)
    rows = invoke().by_name
    shared = [replace(rows[other], rank=rows["FunctionName"].rank) for other in ("OnUnknown", "ThrottleLimit", "Force")]
    return _resume(name, python_names, [*shared, rows["TimeoutSec"], rows["AsJob"], rows["Select"], rows["PassThru"]])

"""The rows of the cmdlets for jobs, which -AsJob begins."""

from __future__ import annotations

from typing import Final

from lmfunction._common_rows import COMMON
from lmfunction._params import Cmdlet, Example, Kind, Parameter

_BY_NAME: Final = {row.name: row for row in COMMON}
_SHARED: Final = tuple(
    _BY_NAME[name]
    for name in (
        "Verbose",
        "Debug",
        "ErrorAction",
        "WarningAction",
        "ProgressAction",
        "ErrorVariable",
        "WarningVariable",
        "OutVariable",
    )
)
STATES: Final = ("Running", "Completed", "Failed", "Stopped")


def _job(text: str, *, mandatory: bool = True) -> Parameter:
    return Parameter("Job", Kind.LITERAL, text, aliases=("Id", "Name"), position=1, by_value=True, mandatory=mandatory)


_ROWS: Final = {
    "Get-Job": (
        "Lists the jobs of this session with how far each is.",
        (
            _job("A job, its number, its name or a pattern of names; or several. Unset: all.", mandatory=False),
            Parameter("State", Kind.CHOICE, "Only jobs in this state.", choices=STATES),
        ),
        (
            Example("get_job", "Every job, as a table."),
            Example("get_job -State Running | stop_job", "Stop what still runs."),
        ),
    ),
    "Wait-Job": (
        "Waits until jobs have ended, shows how far they are, and emits them. The error of one that failed is raised.",
        (
            _job("The jobs, or their numbers or names."),
            Parameter(
                "Timeout",
                Kind.SECONDS,
                "How long to wait. What has not ended by then goes on, and is not emitted.",
                aliases=("TimeoutSec",),
                minimum=0,
                default="forever",
            ),
        ),
        (Example("wait_job 1 -Timeout 60", "Wait a minute for the first job."),),
    ),
    "Receive-Job": (
        "Emits what jobs emitted, tells what they warned of, and raises the error of one that failed.",
        (
            _job("The jobs, or their numbers or names."),
            Parameter("Keep", Kind.SWITCH, "Leave the result with the job, to be received again."),
            Parameter("Wait", Kind.SWITCH, "Wait until it has ended."),
        ),
        (
            Example("receive_job 1 -Wait", "The result, once it is there."),
            Example("receive_job 1 -Keep | select Payload", "Look at it, and leave it there."),
        ),
    ),
    "Stop-Job": (
        "Stops jobs as Ctrl-C does: nothing more is sent, and calls under way are waited for, 10 s at most.",
        (_job("The jobs, or their numbers or names."),),
        (Example("stop_job 1", "Ctrl-C meanwhile leaves the calls under way at once."),),
    ),
    "Remove-Job": (
        "Forgets jobs, with their results.",
        (
            _job("The jobs, or their numbers or names."),
            Parameter("Force", Kind.SWITCH, "Stop it first when it runs."),
        ),
        (Example("get_job -State Completed | remove_job", "Forget what is done."),),
    ),
}


def job_cmdlet(name: str, python_names: tuple[str, ...]) -> Cmdlet:
    """The cmdlet of this name."""
    synopsis, own, examples = _ROWS[name]
    return Cmdlet(name, python_names, synopsis, (*own, *_SHARED), examples=examples)

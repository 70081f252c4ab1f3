"""From an operation of the API to its cmdlet: parameters, default output, help, all read from boto3's service model.

What a cmdlet emits unless `-Select` says otherwise is chosen as AWS Tools for PowerShell choose it: of an operation
that pages, the items of its list; of one whose answer has a single member that is no structure, that member; of an
empty answer, nothing; else the whole answer.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, Final

from lmfunction._common_rows import COMMON, CONNECTION, FORCE
from lmfunction._operation_types import first_sentence, rows, singular
from lmfunction._params import Cmdlet, Example, Kind, Parameter, Rank, snake_case
from lmfunction._service import Member, Operation, operation

# Verbs of cmdlets that change nothing; every other asks -WhatIf and -Confirm first.
READING_VERBS: Final = frozenset(["Get"])
# PowerShell's ConfirmImpact High: a door with a person at it asks before it removes something.
ASKING_VERBS: Final = frozenset(["Remove"])
INVOKING: Final = frozenset(["Invoke", "InvokeAsync", "InvokeWithResponseStream"])
NOTHING_SELECTED: Final = ""

_SELECT_HELP: Final = (
    "What to emit: * the whole answer, ^NAME the value given for a parameter, else what a JMESPath finds in the answer."
)
_ASYNC_NOTE: Final = "Deprecated: use Invoke-LMFunction -InvocationType Event instead."
# A control-plane answer comes in seconds; a streaming function may run 900 s.
_WAIT: Final = 60
_STREAM_WAIT: Final = 930


def make_cmdlet(name: str, python_names: tuple[str, ...], operation_name: str) -> Cmdlet:
    """The cmdlet `name` for an operation. Raises ParameterError when the installed boto3 does not know it."""
    found = operation(operation_name)
    subject = subject_of(found)
    members = member_rows(operation_name)
    return Cmdlet(
        name,
        python_names,
        f"{_ASYNC_NOTE} " * found.deprecated + first_sentence(found.documentation),
        (*members, *_own_rows(name, found, subject), *CONNECTION, *COMMON),
        body=next((row.name for row in members if row.kind is Kind.JSON and row.path), None),
        examples=(_example(python_names[0], found, members),),
    )


@functools.cache
def member_rows(operation_name: str) -> tuple[Parameter, ...]:
    """The parameters that fill the members of an operation's request; the subject has the first position.

    What is sent to a function has the second, as with Invoke-LMFunction.
    """
    found = operation(operation_name)
    subject = subject_of(found)
    made = []
    for row in rows(found.inputs):
        changes: dict[str, Any] = {}
        if row.path == (subject,):
            changes |= {"position": 1, "by_value": True}
        if operation_name in INVOKING and row.kind is Kind.BLOB:
            changes |= {"kind": Kind.JSON, "default": "{}", "mandatory": False, "position": 2}
        made.append(dataclasses.replace(row, **changes))
    return tuple(sorted(made, key=lambda row: (row.position is None, not row.mandatory)))


def subject_of(found: Operation) -> str | None:
    """The member that names what the operation is about: FunctionName, else the first text that is required."""
    texts = [m for m in found.inputs if m.type == "text"]
    required = [m.name for m in texts if m.required]
    named = [m.name for m in texts if m.name == "FunctionName"]
    if "FunctionName" in required:
        return "FunctionName"
    return next(iter((*required, *named)), None)


def default_select(found: Operation) -> str:
    """What the operation's cmdlet emits unless told: a member's name, `*`, or NOTHING_SELECTED."""
    left = [m for m in found.outputs if _is_told(m, found)]
    if found.paging is not None:
        return found.paging.result
    if not left:
        return NOTHING_SELECTED
    return left[0].name if len(left) == 1 and left[0].type != "structure" else "*"


def verb_of(cmdlet: Cmdlet) -> str:
    """The verb of a cmdlet's name: `Get`."""
    return cmdlet.name.partition("-")[0]


def _is_told(member: Member, found: Operation) -> bool:
    """Whether the member is part of what is answered: a status alone is not, but for calls that have nothing else."""
    return not member.is_status or found.name in INVOKING


def _own_rows(name: str, found: Operation, subject: str | None) -> Iterator[Parameter]:
    select = default_select(found)
    writes = name.partition("-")[0] not in READING_VERBS
    passes = writes and subject is not None
    excluded = ("PassThru",) if passes else ()
    yield Parameter("Select", Kind.TEXT, _SELECT_HELP, default=select or "nothing", excludes=excluded)
    if passes:
        yield Parameter("PassThru", Kind.SWITCH, f"Emit the {subject} that was given.", excludes=("Select",))
    if writes:
        yield FORCE
    if found.paging is not None:
        yield Parameter(
            "NoAutoIteration",
            Kind.SWITCH,
            f"Ask for one page only. -{found.paging.token} and -{found.paging.limit} do the same; `-Select *` then "
            f"holds {found.paging.next_token}, where the next page begins.",
        )
    yield Parameter(
        "TimeoutSec",
        Kind.SECONDS,
        "How long to wait for each answer.",
        minimum=0.001,
        maximum=86_400,
        default=str(_STREAM_WAIT if found.streams else _WAIT),
        rank=Rank.OURS,
    )


def _example(python_name: str, found: Operation, members: tuple[Parameter, ...]) -> Example:
    needed = [row for row in members if row.mandatory or row.position]
    words = [f"${snake_case(singular(row.name))}" if row.position else _worded(row) for row in needed]
    return Example(" ".join([python_name, *words]), f"Call {found.name}.")


def _worded(row: Parameter) -> str:
    return f"-{row.name} ${snake_case(row.name)}"


def extended(own: Cmdlet, operation_name: str) -> Cmdlet:
    """`own`, a hand-made cmdlet, with the rows of an operation's request that it has none of its own for."""
    found = operation(operation_name)
    subject = subject_of(found)
    known = {spelling for row in own.parameters for spelling in row.spellings}
    code = next((row.name for row in own.parameters if row.kind is Kind.SOURCE), "")
    added = []
    for row in member_rows(operation_name):
        if row.spellings[0] in known:
            continue
        aliases = tuple(a for a in row.aliases if a.replace("_", "").casefold() not in known)
        # What says where the code is stands instead of source, not beside it.
        excludes = (*row.excludes, code) if code and row.path[0] == code else row.excludes
        added.append(dataclasses.replace(row, aliases=aliases, excludes=excludes, position=None, mandatory=False))
    rows_of_code = tuple(row.name for row in added if code in row.excludes)
    hand_made = [
        dataclasses.replace(row, excludes=(*row.excludes, *rows_of_code)) if row.name == code else row
        for row in own.parameters
    ]
    shared = (*_own_rows(own.name, found, subject), *CONNECTION, *COMMON)
    return dataclasses.replace(own, parameters=(*hand_made, *added, *shared))

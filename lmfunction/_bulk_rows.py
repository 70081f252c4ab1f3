"""The rows of Invoke-LMFunction that say how a run of many is written down and resumed."""

from __future__ import annotations

from typing import Final

from lmfunction._params import Kind, Parameter, Rank

MANY: Final = (
    Parameter(
        "ToleratedFailurePercent",
        Kind.NUMBER,
        "How many of a hundred calls may fail: beyond it, of the last 1,000, the run ends. ErrorAction Stop then no "
        "longer ends it at the first failure.",
        minimum=0,
        maximum=100,
        rank=Rank.OURS,
        by_name=False,
    ),
    Parameter(
        "Delivery",
        Kind.CHOICE,
        "AtMostOnce never sends again what may have run. AtLeastOnce does, and counts the possible duplicates.",
        choices=("AtMostOnce", "AtLeastOnce"),
        default="AtMostOnce",
        rank=Rank.OURS,
        by_name=False,
    ),
    Parameter(
        "OutFile",
        Kind.TEXT,
        "A file for the results of many calls, a line of JSON each, so that they need no memory.",
        rank=Rank.OURS,
        by_name=False,
    ),
    Parameter(
        "SkipInvalid",
        Kind.SWITCH,
        "Leave out the lines that are no JSON of a file of objects (-InputObject file://PATH), and list them.",
        rank=Rank.OURS,
        by_name=False,
    ),
)
CLUSTER: Final = (
    Parameter(
        "Engine",
        Kind.LITERAL,
        "Who sends many calls: local this process; dask the workers of the Dask cluster whose Client was made here; or "
        "that of a Client ($client), or of a scheduler's address. Needs -Journal, which stays here.",
        default="local",
        rank=Rank.OURS,
        by_name=False,
    ),
    Parameter(
        "ShareCredential",
        Kind.SWITCH,
        "With -Engine: send this line's credentials to the workers, which sign with their own else.",
        rank=Rank.OURS,
        by_name=False,
    ),
)
JOURNALING: Final = (
    Parameter(
        "Journal",
        Kind.TEXT,
        "A file, such as run.db, into which each intent and outcome is written, so that the run can be resumed.",
        rank=Rank.OURS,
        by_name=False,
    ),
    Parameter(
        "Resume",
        Kind.SWITCH,
        "Go on with the run of -Journal: the same objects are given again, and what is done is not sent again.",
        rank=Rank.OURS,
        by_name=False,
    ),
    Parameter(
        "OnUnknown",
        Kind.CHOICE,
        "With -Resume: what becomes of items that may have run. Ask leaves them where nobody answers; Resend needs "
        "-Delivery AtLeastOnce, or a DurableExecutionName in each object.",
        choices=("Ask", "Skip", "Resend"),
        default="Ask; Resend with AtLeastOnce",
        rank=Rank.OURS,
        by_name=False,
    ),
    Parameter(
        "ItemKey",
        Kind.TEXT,
        "What tells the objects apart: a JMESPath that finds another text or number in each, such as id.",
        default="their place",
        rank=Rank.OURS,
        by_name=False,
    ),
)

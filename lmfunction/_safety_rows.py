"""The rows of the cmdlets that look at what was called: the audit, and the keys of calls that run once."""

from __future__ import annotations

from typing import Final

from lmfunction._common_rows import CHANGING, CONNECTION, READING
from lmfunction._params import Cmdlet, Example, Kind, Parameter

_BY_NAME: Final = {p.name: p for p in CONNECTION}
_PLACE: Final = tuple(_BY_NAME[name] for name in ("ProfileName", "ProfileLocation"))

GET_AUDIT: Final = Cmdlet(
    "Get-LMAudit",
    ("get_lm_audit",),
    "Reads the audit of a profile: one record for each invocation, the last ones at the end.",
    (
        Parameter(
            "Path",
            Kind.TEXT,
            "An audit file, or a pattern of several such as audit/*.jsonl. Unset: the files of the profile.",
            position=1,
        ),
        Parameter("Last", Kind.WHOLE, "Only the last so many records.", minimum=1, default="all"),
        Parameter(
            "Outcome",
            Kind.NAMES,
            "Only records of these outcomes, such as UNKNOWN,RESULT_LOST; a pattern with * too.",
        ),
        *_PLACE,
        *READING,
    ),
    examples=(
        Example("get_lm_audit -ProfileName production -Last 20", "The last calls of every process and user."),
        Example(
            "get_lm_audit -ProfileName production -Outcome UNKNOWN,UNDER_WAY | table Time,Function,User,Host",
            "What may have run without an answer.",
        ),
    ),
)

GET_ONCE_KEY: Final = Cmdlet(
    "Get-LMOnceKey",
    ("get_lm_once_key",),
    "Lists the keys of -OnceKey with what became of their calls.",
    (
        Parameter(
            "OnceKey",
            Kind.TEXT,
            "A key, or a pattern with * and ?. Unset: all.",
            aliases=("Key",),
            position=1,
            by_value=True,
        ),
        *READING,
    ),
    examples=(Example("get_lm_once_key restart-* | where Outcome -ne OK", "The steps that are not done."),),
)

CLEAR_ONCE_KEY: Final = Cmdlet(
    "Clear-LMOnceKey",
    ("clear_lm_once_key",),
    "Forgets a key of -OnceKey, so that its call is sent again by the next run.",
    (
        Parameter(
            "OnceKey",
            Kind.TEXT,
            "The key, as it was given.",
            aliases=("Key",),
            position=1,
            by_value=True,
            mandatory=True,
        ),
        Parameter("Force", Kind.SWITCH, "Do not ask for confirmation."),
        *CHANGING,
        *READING,
    ),
    examples=(Example("clear_lm_once_key restart-2026-11-20", "Let the step run again."),),
)
SAFETY: Final = (GET_AUDIT, GET_ONCE_KEY, CLEAR_ONCE_KEY)

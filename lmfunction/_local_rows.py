"""The rows of the cmdlets for developing functions: what they have logged, and functions from what people have."""

from __future__ import annotations

from typing import Final

from lmfunction._common_rows import COMMON, CONNECTION
from lmfunction._params import Cmdlet, Example, Kind, Parameter

_READING: Final = tuple(p for p in COMMON if p.name not in ("WhatIf", "Confirm"))

GET_LOG: Final = Cmdlet(
    "Get-LMLog",
    ("get_lm_log",),
    "Reads the log of a function, of AWS or of the embedded Lambda: an object for each event, the latest at the end.",
    (
        Parameter(
            "FunctionName",
            Kind.TEXT,
            "The function: a name, an ARN, or a short name of the profile; with a version's number, that one's log.",
            position=1,
            by_value=True,
            mandatory=True,
        ),
        Parameter("Tail", Kind.WHOLE, "Only the last so many events.", minimum=1, maximum=10_000, default="100"),
        Parameter(
            "Since",
            Kind.TEXT,
            "Only what is younger: 30s, 5m, 2h, 1d, or a time such as 2026-01-31T12:00:00Z. Unset: of 30 days at most.",
        ),
        Parameter("Filter", Kind.TEXT, "Only events that hold this text, in this case.", aliases=("FilterText",)),
        Parameter("RequestId", Kind.TEXT, "Only events of this invocation."),
        Parameter(
            "Follow",
            Kind.SWITCH,
            "Show what comes, as it comes, until Ctrl-C or -TimeoutSec; then emit it.",
        ),
        Parameter(
            "TimeoutSec",
            Kind.SECONDS,
            "How long to follow.",
            minimum=0.001,
            maximum=86_400,
            default="until Ctrl-C",
        ),
        *CONNECTION,
        *_READING,
    ),
    examples=(
        Example("get_lm_log hello -Tail 20 -ProfileName local", "The last 20 events."),
        Example("get_lm_log orders -Since 10m -Filter ERROR | select Timestamp,Message", "Errors of ten minutes."),
    ),
)

IMPORT_TEMPLATE: Final = Cmdlet(
    "Import-LMTemplate",
    ("import_lm_template",),
    "Loads the functions of a SAM template or of a folder into the embedded Lambda, where they run from their sources.",
    (
        Parameter(
            "Path",
            Kind.TEXT,
            "A SAM or CloudFormation template, a function's folder, or a folder of such folders and .py files.",
            position=1,
            by_value=True,
            default="template.yaml",
        ),
        Parameter("Parameter", Kind.MAP, 'Parameters of the template, such as {"Stage": "dev"}.', position=2),
        *CONNECTION,
        *COMMON,
    ),
    examples=(
        Example("import_lm_template template.yaml", "Load a template; edited sources are seen by the next call."),
        Example('import_lm_template template.yaml -Parameter {"Stage": "live"} -WhatIf', "Show what would be loaded."),
    ),
)
LOCAL: Final = (GET_LOG, IMPORT_TEMPLATE)

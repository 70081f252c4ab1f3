"""The rows of the parameter table: every cmdlet with its parameters, in the order in which help shows them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Final

from lmfunction import _wire
from lmfunction._bulk_rows import CLUSTER, JOURNALING, MANY
from lmfunction._common_rows import COMMON, CONNECTION, FORCE
from lmfunction._help_row import GET_HELP
from lmfunction._local_rows import LOCAL
from lmfunction._measure_row import measure_cmdlet
from lmfunction._params import Cmdlet, Example, Kind, LazyCmdlet, Parameter, Rank, snake_case
from lmfunction._safety_rows import SAFETY

_INVOKE: Final = (
    Parameter(
        "FunctionName",
        Kind.TEXT,
        "The function: a name, NAME:ALIAS, a partial ARN, an ARN, or a short name of the profile.",
        position=1,
        by_value=True,
        mandatory=True,
    ),
    Parameter(
        "Payload",
        Kind.JSON,
        "The event. A dict, list or scalar is written as JSON; text must be JSON and is sent as written; bytes as is.",
        position=2,
        default="{}",
        excludes=("PayloadStream",),
    ),
    Parameter(
        "ClientContext",
        Kind.JSON,
        "Data about the caller: a JSON object, encoded for you. Only with RequestResponse; 3,583 base64 bytes at most.",
        position=3,
        excludes=("ClientContextBase64",),
    ),
    Parameter(
        "InvocationType",
        Kind.CHOICE,
        "RequestResponse waits for the answer, Event queues the event, DryRun asks AWS whether it would be allowed.",
        position=4,
        choices=_wire.INVOCATION_TYPES,
        default="RequestResponse",
    ),
    Parameter(
        "LogType",
        Kind.CHOICE,
        "Tail brings the last 4 KB of the log. Only with RequestResponse.",
        position=5,
        choices=_wire.LOG_TYPES,
        default="None",
    ),
    Parameter(
        "ClientContextBase64",
        Kind.BASE64,
        "The client context already encoded: base64 of a JSON object.",
        excludes=("ClientContext",),
    ),
    Parameter(
        "PayloadStream",
        Kind.STREAM,
        "The event as bytes, an open binary file, a Path, a list of lines or file://PATH. It must hold JSON.",
        excludes=("Payload",),
    ),
    Parameter("Qualifier", Kind.TEXT, "A version number, an alias or $LATEST."),
    Parameter("TenantId", Kind.TEXT, "The tenant, for a function with tenant isolation."),
    Parameter(
        "DurableExecutionName",
        Kind.TEXT,
        "The name of a durable execution: the same name with the same payload is never run twice.",
    ),
    Parameter(
        "Select",
        Kind.TEXT,
        "What to emit: * the result, ^NAME the value given for a parameter, else what a JMESPath finds in the result.",
        default="*",
        excludes=("PassThru",),
    ),
    Parameter("PassThru", Kind.SWITCH, "Emit the FunctionName that was given.", excludes=("Select",)),
    FORCE,
    Parameter(
        "InputObject",
        Kind.ITEMS,
        "Objects to invoke with, one call each, as if they were piped in: a $variable, or file://PATH of JSON Lines.",
        rank=Rank.OURS,
        by_name=False,
    ),
    Parameter(
        "ThrottleLimit",
        Kind.WHOLE,
        "How many calls may be under way at a time when several objects come in.",
        minimum=1,
        maximum=1000,
        default="10",
        rank=Rank.OURS,
    ),
    *MANY,
    *JOURNALING,
    *CLUSTER,
    Parameter(
        "TimeoutSec",
        Kind.SECONDS,
        "How long to wait for the answer; a retry begins only within it. A function may run 900 s.",
        minimum=0.001,
        maximum=86_400,
        default="930",
        rank=Rank.OURS,
    ),
    Parameter(
        "OnceKey",
        Kind.TEXT,
        "A name for this step: once its call has ended well, a re-run brings the stored result and sends nothing.",
        rank=Rank.OURS,
    ),
    Parameter(
        "AsJob",
        Kind.SWITCH,
        "Go on in the background: a job comes back at once, and receive_job gives its result. Guards ask before.",
        rank=Rank.OURS,
        by_name=False,
    ),
    Parameter(
        "AllowDuplicateKeys",
        Kind.SWITCH,
        "Send JSON text with a key twice in one object as it is; a parser keeps only one of them.",
        rank=Rank.OURS,
    ),
)

INVOKE: Final = Cmdlet(
    "Invoke-LMFunction",
    ("invoke_lm", "invoke_lm_function"),
    "Invokes a Lambda function once and gives back its answer as an object.",
    (*_INVOKE, *CONNECTION, *COMMON),
    body="Payload",
    examples=(
        Example(
            'invoke_lm hello -Payload {"name": "world"} -LogType Tail -ProfileName local', "Run a sample function."
        ),
        Example(
            "invoke_lm orders:live -Payload $order -Select Payload.status", "Send a Python object, keep one field."
        ),
        Example("invoke_lm nightly -InvocationType Event", "Queue an event and do not wait."),
        Example("invoke_lm orders -Payload file://order.json -WhatIf", "Show what would be sent where."),
    ),
)

# Each fills its member of CreateFunction; the other members' rows are read from the API's model and stand behind these.
_PUBLISH: Final = Cmdlet(
    "Publish-LMFunction",
    ("publish_lm_function",),
    "Creates a function from Python code, or gives an existing one new code and settings.",
    (
        Parameter(
            "FunctionName", Kind.TEXT, "The function's name.", position=1, mandatory=True, path=("FunctionName",)
        ),
        Parameter(
            "Code",
            Kind.SOURCE,
            "The handler module's Python source; in a cell magic the cell's body. Or a mapping that says where the "
            'package is, such as {"S3Bucket": "b", "S3Key": "k"}.',
        ),
        Parameter(
            "Handler",
            Kind.TEXT,
            "MODULE.FUNCTION to call. Unset: the function named handler or lambda_handler, else the only function with "
            "two parameters.",
            path=("Handler",),
        ),
        Parameter(
            "Timeout",
            Kind.WHOLE,
            "Seconds the function may run. The default is a new function's; an existing one keeps its own.",
            minimum=1,
            maximum=900,
            default="3",
            path=("Timeout",),
        ),
        Parameter(
            "MemorySize",
            Kind.WHOLE,
            "Memory in MB. The default is a new function's; an existing one keeps its own.",
            minimum=128,
            maximum=10_240,
            default="128",
            path=("MemorySize",),
        ),
        Parameter(
            "Environment",
            Kind.MAP,
            "Environment variables: a mapping of text to text.",
            path=("Environment", "Variables"),
            sensitive=True,
        ),
        Parameter(
            "Runtime",
            Kind.TEXT,
            "The runtime.",
            default="that of this Python, such as python3.13",
            path=("Runtime",),
        ),
        Parameter("Description", Kind.TEXT, "What the function is for.", path=("Description",)),
        Parameter(
            "Role",
            Kind.TEXT,
            "The execution role's ARN; AWS needs one, the embedded Lambda does not.",
            path=("Role",),
        ),
    ),
    body="Code",
    examples=(
        Example("publish_lm_function greet -Timeout 5 -Code $source", "Put a handler into the embedded Lambda."),
        Example(
            "publish_lm_function greet -ZipFilename greet.zip -Handler app.handler -Role $role -ProfileName staging",
            "Create it in AWS from a zip file.",
        ),
    ),
)


def _python_name(name: str) -> str:
    """`get_lm_function_list` for Get-LMFunctionList."""
    verb, _, noun = name.partition("-LM")
    return f"{verb.lower()}_lm_{snake_case(noun)}"


def _operations_by_cmdlet() -> dict[str, str]:
    # PTH: pathlib takes three times as long, and this runs when the extension is loaded.
    path = os.path.join(os.path.dirname(__file__), "_lm_cmdlets.tsv")  # noqa: PTH118, PTH120
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        rows = [line.rstrip("\n").split("\t") for line in file]
    return {row[0]: row[1] for row in rows[1:]}


def _published() -> Cmdlet:
    from lmfunction._operations import extended

    return extended(_PUBLISH, OPERATIONS[_PUBLISH.name])


def _lazy(name: str, operation: str) -> LazyCmdlet:
    python_names = (_python_name(name), *_LEGACY.get(name, ()))

    def made() -> Cmdlet:
        from lmfunction._operations import make_cmdlet

        return make_cmdlet(name, python_names, operation)

    return LazyCmdlet(name, python_names, made)


def _session(name: str) -> LazyCmdlet:
    verb, _, noun = name.partition("-")
    python_names = (f"{verb.lower()}_{snake_case(noun)}", *_LEGACY.get(name, ()))

    def made() -> Cmdlet:
        from lmfunction._session_rows import session_cmdlet

        return session_cmdlet(name, python_names)

    return LazyCmdlet(name, python_names, made)


# Names that AWS Tools had before and keep.
_LEGACY: Final = {
    "Get-LMFunctionList": ("get_lm_functions", "Get-LMFunctions"),
    "Get-LMEventSourceMappingList": ("get_lm_event_source_mappings", "Get-LMEventSourceMappings"),
    "Set-AWSCredential": ("set_aws_credentials", "Set-AWSCredentials"),
    "Get-AWSCredential": ("get_aws_credentials", "Get-AWSCredentials"),
    "New-AWSCredential": ("new_aws_credentials", "New-AWSCredentials"),
    "Clear-AWSCredential": ("clear_aws_credentials", "Clear-AWSCredentials"),
    "Initialize-AWSDefaultConfiguration": ("initialize_aws_defaults", "Initialize-AWSDefaults"),
    "Clear-AWSDefaultConfiguration": ("clear_aws_defaults", "Clear-AWSDefaults"),
}
# The cmdlets about the session itself: they go nowhere, so that no default says where.
SESSION: Final = (
    "Set-AWSCredential",
    "Get-AWSCredential",
    "New-AWSCredential",
    "Clear-AWSCredential",
    "Remove-AWSCredentialProfile",
    "Set-DefaultAWSRegion",
    "Get-DefaultAWSRegion",
    "Clear-DefaultAWSRegion",
    "Get-AWSRegion",
    "Initialize-AWSDefaultConfiguration",
    "Clear-AWSDefaultConfiguration",
    "Get-AWSHistory",
    "Clear-AWSHistory",
    "Set-AWSHistoryConfiguration",
)
# The operation of the API behind each cmdlet, one to one, by the cmdlet's PowerShell name.
OPERATIONS: Final[Mapping[str, str]] = _operations_by_cmdlet()
PUBLISH: Final = LazyCmdlet(_PUBLISH.name, _PUBLISH.python_names, _published)


def _destination_records() -> Cmdlet:
    from lmfunction._destination_row import destination_cmdlet

    return destination_cmdlet((*CONNECTION, *COMMON))


DESTINATION_RECORDS: Final = LazyCmdlet("Get-LMDestinationRecord", ("get_lm_destination_record",), _destination_records)
MEASURE: Final = measure_cmdlet(INVOKE, (*CONNECTION, *COMMON))
_OWN: Final = (INVOKE, PUBLISH)


def _profile_cmdlet(name: str) -> LazyCmdlet:
    python_names = (_python_name(name),)

    def made() -> Cmdlet:
        from lmfunction._profile_rows import profile_cmdlet

        return profile_cmdlet(name, python_names)

    return LazyCmdlet(name, python_names, made)


# The cmdlets for YAML profiles.
PROFILE_CMDLETS: Final = tuple(
    _profile_cmdlet(f"{verb}-LMProfile") for verb in ("Get", "Test", "New", "Approve", "Revoke")
)


def _run_cmdlet(name: str) -> LazyCmdlet:
    python_names = (_python_name(name),)

    def made() -> Cmdlet:
        from lmfunction._run_rows import run_cmdlet

        return run_cmdlet(name, python_names, lambda: INVOKE)

    return LazyCmdlet(name, python_names, made)


# The cmdlets for runs that have a journal.
RUN_CMDLETS: Final = tuple(_run_cmdlet(f"{verb}-LMRun") for verb in ("Get", "Resume", "Export", "Import"))


def _job_cmdlet(name: str) -> LazyCmdlet:
    python_names = (snake_case(name.replace("-", "")),)

    def made() -> Cmdlet:
        from lmfunction._job_rows import job_cmdlet

        return job_cmdlet(name, python_names)

    return LazyCmdlet(name, python_names, made)


# The cmdlets for what -AsJob begins.
JOB_CMDLETS: Final = tuple(_job_cmdlet(f"{verb}-Job") for verb in ("Get", "Wait", "Receive", "Stop", "Remove"))
CMDLETS: Final[tuple[Cmdlet, ...]] = (
    *_OWN,
    *(_lazy(name, operation) for name, operation in OPERATIONS.items() if name not in (c.name for c in _OWN)),
    *map(_session, SESSION),
    MEASURE,
    DESTINATION_RECORDS,
    *SAFETY,
    *LOCAL,
    GET_HELP,
    *PROFILE_CMDLETS,
    *RUN_CMDLETS,
    *JOB_CMDLETS,
)


def find_cmdlet(name: str, cmdlets: Iterable[Cmdlet] = CMDLETS) -> Cmdlet | None:
    """The cmdlet that goes by `name`, in any case; None when there is none."""
    wanted = name.removeprefix("%").casefold()
    return next((c for c in cmdlets if wanted in (n.casefold() for n in c.names)), None)

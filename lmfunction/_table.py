"""The rows of the parameter table: every cmdlet with its parameters, in the order in which help shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lmfunction import _wire
from lmfunction._params import Cmdlet, Example, Kind, Parameter, Rank

_ACTIONS: Final = ("Stop", "Continue", "SilentlyContinue")
_QUIET: Final = ("Continue", "SilentlyContinue")

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
    Parameter("Force", Kind.SWITCH, "Do not ask for confirmation."),
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
        "AllowDuplicateKeys",
        Kind.SWITCH,
        "Send JSON text with a key twice in one object as it is; a parser keeps only one of them.",
        rank=Rank.OURS,
    ),
)

_CONNECTION: Final = (
    Parameter(
        "ClientConfig",
        Kind.MAP,
        'Options of botocore\'s Config, such as {"user_agent_extra": "team-a"}.',
    ),
    Parameter("AccessKey", Kind.SECRET, "An access key id, as $variable.", aliases=("AK",)),
    Parameter("SecretKey", Kind.SECRET, "A secret key, as $variable only.", aliases=("SK", "SecretAccessKey")),
    Parameter("SessionToken", Kind.SECRET, "A session token, as $variable only.", aliases=("ST",)),
    Parameter(
        "ProfileName",
        Kind.TEXT,
        "A profile: a YAML file NAME.yaml of lmfunction, else a profile of ~/.aws/config.",
        aliases=("StoredCredentials", "AWSProfileName"),
    ),
    Parameter(
        "ProfileLocation",
        Kind.TEXT,
        "A folder of YAML profiles, or one file, that is searched first.",
        aliases=("AWSProfilesLocation", "ProfilesLocation"),
    ),
    Parameter("Credential", Kind.OBJECT, "An lm.Credential, or credentials of a boto3 session, as $variable."),
    Parameter(
        "NetworkCredential",
        Kind.OBJECT,
        "SAML sign-on through a PSCredential.",
        refused="SAML through a PSCredential does not exist here: use `aws sso login` and -ProfileName.",
    ),
    Parameter("Region", Kind.TEXT, "The AWS region.", aliases=("RegionToCall",)),
    Parameter(
        "EndpointUrl",
        Kind.TEXT,
        "Another endpoint: https://..., http:// on loopback only, or `embedded` for the embedded Lambda.",
    ),
)

_COMMON: Final = (
    Parameter("WhatIf", Kind.SWITCH, "Show the resolved call and send nothing.", aliases=("wi",), rank=Rank.COMMON),
    Parameter("Confirm", Kind.SWITCH, "Ask for the function's name before sending.", aliases=("cf",), rank=Rank.COMMON),
    Parameter("Verbose", Kind.SWITCH, "Tell what was resolved and tried.", aliases=("vb",), rank=Rank.COMMON),
    Parameter("Debug", Kind.SWITCH, "Tell as -Verbose does.", aliases=("db",), rank=Rank.COMMON),
    Parameter(
        "ErrorAction",
        Kind.CHOICE,
        "Stop: a failed function is an error. Continue: a result, shown red. SilentlyContinue: a result, not shown.",
        aliases=("ea",),
        choices=_ACTIONS,
        default="Stop; Continue in Python",
        rank=Rank.COMMON,
    ),
    Parameter(
        "WarningAction",
        Kind.CHOICE,
        "What to do with warnings.",
        aliases=("wa",),
        choices=_ACTIONS,
        default="Continue",
        rank=Rank.COMMON,
    ),
    Parameter(
        "InformationAction",
        Kind.CHOICE,
        "Taken for lines written for PowerShell: there is no information stream.",
        aliases=("infa",),
        choices=_QUIET,
        rank=Rank.COMMON,
    ),
    Parameter(
        "ProgressAction",
        Kind.CHOICE,
        "Taken for lines written for PowerShell: one call shows no progress.",
        aliases=("proga",),
        choices=_QUIET,
        rank=Rank.COMMON,
    ),
    Parameter(
        "ErrorVariable",
        Kind.VARIABLE,
        "A variable that gets the errors of this line as a list; +NAME appends.",
        aliases=("ev",),
        rank=Rank.COMMON,
    ),
    Parameter(
        "WarningVariable",
        Kind.VARIABLE,
        "A variable that gets the warnings of this line as a list; +NAME appends.",
        aliases=("wv",),
        rank=Rank.COMMON,
    ),
    Parameter(
        "InformationVariable",
        Kind.VARIABLE,
        "PowerShell's information records.",
        aliases=("iv",),
        rank=Rank.COMMON,
        refused="There is no information stream; -OutVariable holds what was emitted.",
    ),
    Parameter(
        "OutVariable",
        Kind.VARIABLE,
        "A variable that gets what is emitted; +NAME appends to a list.",
        aliases=("ov",),
        rank=Rank.COMMON,
    ),
    Parameter(
        "OutBuffer",
        Kind.WHOLE,
        "PowerShell's pipeline buffer.",
        aliases=("ob",),
        rank=Rank.COMMON,
        refused="Objects flow one by one here; leave it out.",
    ),
    Parameter(
        "PipelineVariable",
        Kind.VARIABLE,
        "A variable that holds the object under way in a pipeline.",
        aliases=("pv",),
        rank=Rank.COMMON,
        refused="Use -OutVariable, which holds what this stage emitted.",
    ),
)

INVOKE: Final = Cmdlet(
    "Invoke-LMFunction",
    ("invoke_lm", "invoke_lm_function"),
    "Invokes a Lambda function once and gives back its answer as an object.",
    (*_INVOKE, *_CONNECTION, *_COMMON),
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

PUBLISH: Final = Cmdlet(
    "Publish-LMFunction",
    ("publish_lm_function",),
    "Creates a function from Python code, or gives an existing one new code and settings.",
    (
        Parameter("FunctionName", Kind.TEXT, "The function's name.", position=1, mandatory=True),
        Parameter("Code", Kind.TEXT, "The handler module's Python source; in a cell magic the cell's body."),
        Parameter(
            "Handler",
            Kind.TEXT,
            "MODULE.FUNCTION to call. Unset: the function named handler or lambda_handler, else the only function with "
            "two parameters.",
        ),
        Parameter("Timeout", Kind.WHOLE, "Seconds the function may run.", minimum=1, maximum=900, default="3"),
        Parameter("MemorySize", Kind.WHOLE, "Memory in MB.", minimum=128, maximum=10_240, default="128"),
        Parameter("Environment", Kind.MAP, "Environment variables: a mapping of text to text."),
        Parameter("Runtime", Kind.TEXT, "The runtime.", default="that of this Python, such as python3.13"),
        Parameter("Description", Kind.TEXT, "What the function is for."),
        Parameter("Role", Kind.TEXT, "The execution role's ARN; AWS needs one, the embedded Lambda does not."),
        Parameter("Force", Kind.SWITCH, "Do not ask for confirmation."),
        *_CONNECTION,
        *_COMMON,
    ),
    body="Code",
    examples=(
        Example("publish_lm_function greet -Timeout 5 -Code $source", "Put a handler into the embedded Lambda."),
    ),
)

CMDLETS: Final = (INVOKE, PUBLISH)


def find_cmdlet(name: str, cmdlets: Iterable[Cmdlet] = CMDLETS) -> Cmdlet | None:
    """The cmdlet that goes by `name`, in any case; None when there is none."""
    wanted = name.removeprefix("%").casefold()
    return next((c for c in cmdlets if wanted in (n.casefold() for n in c.names)), None)

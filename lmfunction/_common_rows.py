"""The rows of the parameter table that every cmdlet has: where calls go, and PowerShell's common parameters."""

from __future__ import annotations

from typing import Final

from lmfunction._params import Kind, Parameter, Rank

ACTIONS: Final = ("Stop", "Continue", "SilentlyContinue")
_QUIET: Final = ("Continue", "SilentlyContinue")

# Not by property name: what flows through a pipe must not answer for a person.
FORCE: Final = Parameter("Force", Kind.SWITCH, "Do not ask for confirmation.", by_name=False)

CONNECTION: Final = (
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

COMMON: Final = (
    Parameter("WhatIf", Kind.SWITCH, "Show the resolved call and send nothing.", aliases=("wi",), rank=Rank.COMMON),
    Parameter("Confirm", Kind.SWITCH, "Ask for the function's name before sending.", aliases=("cf",), rank=Rank.COMMON),
    Parameter("Verbose", Kind.SWITCH, "Tell what was resolved and tried.", aliases=("vb",), rank=Rank.COMMON),
    Parameter("Debug", Kind.SWITCH, "Tell as -Verbose does.", aliases=("db",), rank=Rank.COMMON),
    Parameter(
        "ErrorAction",
        Kind.CHOICE,
        "Stop: a failed function is an error. Continue: a result, shown red. SilentlyContinue: a result, not shown.",
        aliases=("ea",),
        choices=ACTIONS,
        default="Stop; Continue in Python",
        rank=Rank.COMMON,
    ),
    Parameter(
        "WarningAction",
        Kind.CHOICE,
        "What to do with warnings.",
        aliases=("wa",),
        choices=ACTIONS,
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
        "Continue: show how a wait of more than a second goes on, where somebody watches; a line every 30 s where not.",
        aliases=("proga",),
        choices=_QUIET,
        default="Continue; SilentlyContinue in Python",
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

_BY_NAME: Final = {row.name: row for row in COMMON}
# Of the common ones, those of a cmdlet that looks at something here, and those that one which changes it adds.
READING: Final = tuple(
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
CHANGING: Final = tuple(_BY_NAME[name] for name in ("WhatIf", "Confirm"))

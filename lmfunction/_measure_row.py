"""The row of Measure-LMFunction: what Invoke-LMFunction takes to make one call, and how often it is made."""

from __future__ import annotations

from typing import Final

from lmfunction._params import Cmdlet, Example, Kind, Parameter

COUNT: Final = 20
_SHARED: Final = (
    "FunctionName",
    "Payload",
    "ClientContext",
    "ClientContextBase64",
    "PayloadStream",
    "Qualifier",
    "TenantId",
    "Force",
    "TimeoutSec",
    "AllowDuplicateKeys",
)
_OWN: Final = (
    Parameter(
        "Count",
        Kind.WHOLE,
        "How many times to invoke it. Each is an invocation like any other, with its effects and its price.",
        minimum=1,
        maximum=100_000,
        default=str(COUNT),
    ),
    Parameter(
        "ThrottleLimit",
        Kind.WHOLE,
        "How many calls may be under way at a time. 1 is one after the other, in which an environment stays warm; more "
        "start more environments.",
        minimum=1,
        maximum=1000,
        default="1",
    ),
    Parameter(
        "Cold",
        Kind.SWITCH,
        "Make every call a cold start.",
        refused="A cold start can only be forced by a change of the function's configuration, which measuring must not "
        "make. Those that happen are told apart; more calls at a time (-ThrottleLimit) make some happen.",
    ),
)


def measure_cmdlet(invoke: Cmdlet, shared: tuple[Parameter, ...]) -> Cmdlet:
    """The cmdlet, made of `invoke`'s rows and those that all cmdlets share."""
    rows = [invoke.by_name[name] for name in _SHARED]
    return Cmdlet(
        "Measure-LMFunction",
        ("measure_lm_function",),
        "Invokes a function several times and tells how long it takes, warm and cold, and what memory it uses.",
        (*rows[:2], *_OWN, *rows[2:], *shared),
        body="Payload",
        examples=(
            Example("measure_lm_function hello -Count 200 -ProfileName local", "The latency of 200 calls."),
            Example(
                'measure_lm_function orders:live -Payload {"id": 4711} -Count 100 -ThrottleLimit 10',
                "Ten at a time, which also shows cold starts.",
            ),
            Example("measure_lm_function orders -Count 50 -WhatIf", "Show what would be sent how often."),
        ),
    )

"""The row of Get-LMDestinationRecord: what the embedded Lambda has sent to destinations and dead-letter queues."""

from __future__ import annotations

from typing import Final

from lmfunction._params import Cmdlet, Example, Kind, Parameter

CONDITIONS: Final = ("Success", "RetriesExhausted", "EventAgeExceeded", "ZeroReservedConcurrency", "DeadLetter")
_OWN: Final = (
    Parameter(
        "FunctionName",
        Kind.TEXT,
        "Only what became of the events of this function.",
        position=1,
        by_value=True,
    ),
    Parameter(
        "Condition",
        Kind.NAMES,
        f"Only records of these conditions: {', '.join(CONDITIONS)}. The last one are messages to dead-letter queues.",
    ),
    Parameter("Destination", Kind.TEXT, "Only records for this ARN."),
    Parameter("First", Kind.WHOLE, "Only the first so many records.", aliases=("Head",), minimum=0, default="all"),
    Parameter("Last", Kind.WHOLE, "Only the last so many records.", aliases=("Tail",), minimum=0, default="all"),
)


def destination_cmdlet(shared: tuple[Parameter, ...]) -> Cmdlet:
    """The cmdlet, made of its own rows and those that all cmdlets share."""
    return Cmdlet(
        "Get-LMDestinationRecord",
        ("get_lm_destination_record",),
        "Lists what the embedded Lambda has sent to destinations and dead-letter queues, in the order of time.",
        (*_OWN, *shared),
        examples=(
            Example("get_lm_destination_record -ProfileName local", "Everything that was sent on."),
            Example(
                "get_lm_destination_record orders -Condition RetriesExhausted -Last 1 -ProfileName local",
                "The last event of orders that failed for good.",
            ),
        ),
    )

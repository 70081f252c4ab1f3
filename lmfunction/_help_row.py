"""The row of the parameter table for Get-Help."""

from __future__ import annotations

from typing import Final

from lmfunction._params import Cmdlet, Example, Kind, Parameter

_VIEWS: Final = ("Parameter", "Examples", "Detailed", "Full")


def _excluding(name: str) -> tuple[str, ...]:
    return tuple(view for view in _VIEWS if view != name)


GET_HELP: Final = Cmdlet(
    "Get-Help",
    ("get_help",),
    "Tells how a cmdlet or verb is used; without a name, which there are.",
    (
        Parameter(
            "Name",
            Kind.TEXT,
            "A cmdlet or verb by any of its names; * and ? are wildcards.",
            position=1,
            by_value=True,
        ),
        Parameter(
            "Parameter",
            Kind.TEXT,
            "Only the parameters of this name, which may hold wildcards.",
            excludes=_excluding("Parameter"),
        ),
        Parameter("Examples", Kind.SWITCH, "Only the synopsis and the examples.", excludes=_excluding("Examples")),
        Parameter(
            "Detailed",
            Kind.SWITCH,
            "A paragraph for each parameter, also for those that most cmdlets have.",
            excludes=_excluding("Detailed"),
        ),
        Parameter("Full", Kind.SWITCH, "Every property of each parameter.", excludes=_excluding("Full")),
    ),
    examples=(
        Example("get_help invoke_lm", "What -? shows too."),
        Example("get_help Invoke-LMFunction -Examples", "Lines to begin with."),
        Example("get_help invoke_lm -Parameter *Type", "Every property of some parameters."),
        Example("get_help *Alias*", "The cmdlets with such a name."),
    ),
)

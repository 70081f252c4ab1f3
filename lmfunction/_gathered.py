"""A cmdlet's arguments, gathered: what was given for this call, and the defaults that it leaves room for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lmfunction._arguments import convert
from lmfunction._connection import profile_of
from lmfunction._defaults import add_defaults, profile_defaults
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._params import Cmdlet
from lmfunction._profile_values import Profile
from lmfunction.errors import ParameterError

_PROFILE_NAMES: Final = ("ProfileName", "ProfileLocation")


@dataclass(frozen=True)
class Gathered:
    """Converted arguments by Python name; `given` are those given for this call."""

    arguments: dict[str, Any]
    given: frozenset[str]
    profile: Profile
    aws_profile: str | None


def gather(cmdlet: Cmdlet, values: Mapping[str, Any], engine: Engine) -> Gathered:
    """The arguments that `values` (by parameter name) and the defaults make."""
    every = dict(values)
    add_defaults(cmdlet, every, engine.fixed)
    add_defaults(cmdlet, every, engine.defaults.values_for(cmdlet))
    add_defaults(cmdlet, every, engine.shell.values_for(every))
    profile, aws_profile = profile_of({cmdlet.by_name[n].target: every[n] for n in _PROFILE_NAMES if n in every})
    add_defaults(cmdlet, every, profile_defaults(cmdlet, profile))
    given = frozenset(cmdlet.by_name[name].target for name in values)
    return Gathered(convert(cmdlet, every), given, profile, aws_profile)


def is_dry(arguments: Mapping[str, Any], engine: Engine, door: Door, *, reads: bool = False) -> bool:
    """Whether the call is shown and not sent: as -WhatIf says, else the door or session, which let reading go on."""
    return bool(arguments.get("what_if", (door.what_if or engine.what_if) and not reads))


def refuse_exclusive(cmdlet: Cmdlet, values: Mapping[str, Any]) -> None:
    """Refuses values (by parameter name, no line behind them) whose parameters exclude each other."""
    for name in values:
        for other in cmdlet.by_name[name].excludes:
            if other in values:
                raise ParameterError(f"{name} and {other} exclude each other: give one of them.", parameter=name)

"""What one command tells beside its results: warnings, verbose lines, and the user's variables that it sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lmfunction._door import Door
from lmfunction.errors import ParameterError


class Notices:
    """Warnings and verbose lines of one command, as its own parameters want them."""

    def __init__(self, arguments: Mapping[str, Any], door: Door) -> None:
        self.door = door
        self.action = arguments.get("warning_action", "Continue")
        self.talkative = bool(arguments.get("verbose") or arguments.get("debug"))
        self.variable = arguments.get("warning_variable")
        self.kept: list[str] = []

    def warn(self, text: str) -> None:
        """Tells a warning, or raises it when -WarningAction is Stop."""
        self.kept.append(text)
        if self.variable is not None:
            keep(self.door, self.variable, [text] if self.variable.startswith("+") else list(self.kept))
        if self.action == "Stop":
            raise ParameterError(f"{text} (-WarningAction Stop)")
        if self.action == "Continue":
            self.door.tell("warning", text)

    def warn_once(self, texts: Iterable[str], told: set[str]) -> None:
        """Warns of what `told` does not hold yet, and adds it there."""
        for text in texts:
            if text not in told:
                self.warn(text)
                told.add(text)

    def verbose(self, text: str) -> None:
        """Tells `text` when -Verbose or -Debug asks for it."""
        if self.talkative:
            self.door.tell("verbose", text)


class WhatIf(str):
    """A what-if message, which shows itself as text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def check_assignable(arguments: Mapping[str, Any], door: Door) -> None:
    """Refuses -OutVariable and its kin at a door that has no variables."""
    for name in ("out_variable", "error_variable", "warning_variable", "variable"):
        if name in arguments and door.assign is None:
            parameter = "".join(part.capitalize() for part in name.split("_"))
            raise ParameterError(
                f"{parameter} names a variable, and there are none here: use it in IPython or Jupyter.",
                parameter=parameter,
            )


def assign(door: Door, name: str, value: Any) -> None:
    """Sets the user's variable `name`, or appends to the list in `+NAME`."""
    assert door.assign is not None
    if not name.startswith("+"):
        door.assign(name, value)
        return
    held = door.scope.names.get(name[1:], [])
    door.assign(name[1:], [*(held if isinstance(held, list) else [held]), value])


def keep(door: Door, name: str, found: list[Any]) -> None:
    """Sets the user's variable `name` to the list `found`, or adds its items to the list in `+NAME`."""
    assert door.assign is not None
    held = door.scope.names.get(name[1:], []) if name.startswith("+") else []
    door.assign(name.removeprefix("+"), [*(held if isinstance(held, list) else [held]), *found])


def empty_lists(arguments: Mapping[str, Any], door: Door) -> None:
    """Empties -ErrorVariable and -WarningVariable, so that what they hold afterwards is of this line."""
    for name in ("error_variable", "warning_variable"):
        if not arguments.get(name, "+").startswith("+"):
            keep(door, arguments[name], [])

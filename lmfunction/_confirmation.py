"""Asks a person for a function's name before something is sent."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from lmfunction._door import Door
from lmfunction._text import visible
from lmfunction.errors import GuardError


def confirm(arguments: Mapping[str, Any], name: str, lines: Callable[[], list[str]], door: Door) -> None:
    """Asks for `name` to be typed when -Confirm says so; refuses when nobody answers. `lines` tell the plan."""
    if not arguments.get("confirm") or arguments.get("force"):
        return
    question = "\n".join([*(visible(line, one_line=True) for line in lines()), f"Type {visible(name)} to go on: "])
    answer = door.ask(question)
    if answer is None:
        raise GuardError(
            f"{name}: -Confirm needs somebody to answer, and nobody can. Nothing was sent; use -Confirm:$false."
        )
    if unicodedata.normalize("NFC", answer) != name:
        raise GuardError(f"{name}: not confirmed, so nothing was sent.")

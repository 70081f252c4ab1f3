"""One run of a cmdlet for profiles: what was given, and who can be asked before something is written."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmfunction._confirmation import ask_for
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._record import Record, Records
from lmfunction.errors import GuardError


@dataclass(frozen=True)
class Command:
    """The converted arguments, what calls share, and the door. `dry`: it is shown what would be written."""

    arguments: Mapping[str, Any]
    engine: Engine
    door: Door
    dry: bool

    @property
    def names(self) -> Sequence[str]:
        """The profiles that -Name gives."""
        return self.arguments.get("name") or ()

    @property
    def location(self) -> str | None:
        """What -ProfileLocation gives."""
        return self.arguments.get("profile_location")

    @property
    def path(self) -> pathlib.Path | None:
        """What -Path gives."""
        text = self.arguments.get("path")
        return None if text is None else pathlib.Path(text).expanduser().absolute()

    def ask(self, what: str, lines: Iterable[str], essential: str, *, unasked: bool) -> None:
        """Asks for a yes with -Confirm, and `unasked` without it too. Raises GuardError unless it comes."""
        wanted = self.arguments.get("confirm")
        if self.arguments.get("force") or wanted is False or not (unasked or wanted):
            return
        try:
            asked_at = ask_for(what, lines, essential, self.door, self.engine.clock, answer="yes")
        except GuardError:
            raise GuardError(f"{what}: not confirmed, so nothing was changed.") from None
        if asked_at is None:
            raise GuardError(f"{what}: nobody can answer here. Look at it, then run the line with -Force.")


def one_or_all(records: Records) -> Record | Records:
    """A record alone where there is one."""
    return records[0] if len(records) == 1 else records

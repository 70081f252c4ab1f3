"""One command about the session itself under way: its arguments, its door, and whether it may change anything."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._gathered import is_dry
from lmfunction._notices import Notices
from lmfunction._params import Cmdlet
from lmfunction._render.card import Card, Section, Tone
from lmfunction._text import visible
from lmfunction.errors import GuardError, ParameterError


@dataclass(frozen=True)
class Intention:
    """What -WhatIf shows: what would be done, and to what. `lines` tell the rest."""

    cmdlet: str
    target: str
    lines: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f'What if: Performing the operation "{self.cmdlet}" on target "{self.target}".'

    def card(self) -> Card:
        """The card that notebooks and terminals show."""
        sections = (Section("Change", "\n".join(self.lines), "text"),) if self.lines else ()
        return Card(Tone.DRYRUN, "WHAT IF", f"{self.cmdlet} {self.target}", ("nothing was changed",), sections)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: repr(self), include, exclude)


@dataclass(frozen=True)
class Order:
    """A command with its converted arguments (by Python name)."""

    cmdlet: Cmdlet
    arguments: Mapping[str, Any]
    engine: Engine
    door: Door
    notices: Notices

    def get(self, name: str) -> Any:
        """The argument, or None."""
        return self.arguments.get(name)

    def may_change(self, target: str, lines: Iterable[str] = (), *, asks: bool = False) -> bool:
        """Whether to go on: not with -WhatIf, which shows it, nor where a question is not answered with `target`.

        It asks for -Confirm, or always when it `asks`, unless -Force or -Confirm:$false says otherwise. Raises
        GuardError for another answer, and where nobody can answer.
        """
        intention = Intention(self.cmdlet.name, target, tuple(lines))
        if is_dry(self.arguments, self.engine, self.door):
            self.door.show(intention)
            return False
        if self.arguments.get("confirm", asks) and not self.arguments.get("force"):
            self._confirm(intention)
        return True

    def _confirm(self, intention: Intention) -> None:
        told = [repr(intention).removeprefix("What if: "), *intention.lines]
        question = "\n".join([*(visible(line, one_line=True) for line in told), f"Type {intention.target} to go on: "])
        answer = self.door.ask(question)
        if answer is None:
            raise GuardError(
                f"{intention.target}: nobody can confirm it, so nothing was changed. Use -Force or -Confirm:$false."
            )
        if unicodedata.normalize("NFC", answer.strip()) != unicodedata.normalize("NFC", intention.target):
            raise GuardError(f"{intention.target}: not confirmed, so nothing was changed.")

    def warn_of_brevity(self, keep: str) -> None:
        """Tells where the session ends with this very line; `keep` says what would last."""
        if not self.door.lasts:
            self.notices.warn(f"{self.cmdlet.name} lasts for this process only, which ends now. {keep}")

    def warn_of_others(self, *names: str) -> None:
        """Tells that the parameters `names` are filled by something that comes before the session's own default."""
        for name in names:
            for where, values in (("The session", self.engine.fixed), ("%config", self.door.defaults)):
                if name in values:
                    self.notices.warn(f"{where} still gives each line -{name}, which comes first.")
                    return
            if any(key.rpartition(":")[2].casefold() == name.casefold() for key in self.engine.defaults):
                self.notices.warn(f"lm.defaults still gives -{name} to lines, which comes first.")
                return

    def refuse_inner_scope(self) -> None:
        """Refuses a -Scope that there is none of. Raises ParameterError."""
        scope = self.get("scope")
        if scope in ("Local", "Private"):
            raise ParameterError(
                f"Scope {scope} does not exist here: a session has one. Give -ProfileName or -Region with the call.",
                parameter="Scope",
            )

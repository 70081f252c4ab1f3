"""A person's consent: the question that shows what would happen, and what its answer is good for.

Only the function's name counts as an answer. A consent is bound to a digest of what was shown, is used up by what it
was given for, is good for ten minutes and in this process alone. Somebody who replaces `input` answers for themselves:
code in the same process is not what this guards against.
"""

from __future__ import annotations

import os
import threading
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from lmfunction._door import Door
from lmfunction._identity import Identity
from lmfunction._intent import Intent
from lmfunction._text import visible
from lmfunction.errors import GuardError, InvocationInterrupted

LIFETIME: Final = 600.0  # seconds
# Who is asked: nobody; somebody where there is somebody; somebody, or it is refused; the same, and -Force is no answer.
Question = Literal["no", "if anybody", "yes", "always"]


@dataclass
class Consent:
    """One answered question. `digest` is that of what was shown, `uses` the number of calls, None for a whole run."""

    name: str
    digest: str
    asked_at: float
    uses: int | None = 1
    pid: int = field(default_factory=os.getpid)
    _begun: bool = field(default=False, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def spend(self, digest: str, now: float) -> None:
        """Uses it for one call that has `digest`. Raises GuardError when it was not given for that, or no more."""
        with self._lock:
            fault = self._fault(digest, now)
            if fault is not None:
                raise GuardError(f"{self.name}: {fault}, so nothing was sent. Run it again to be asked again.")
            if self.uses is not None:
                self.uses -= 1
            self._begun = True

    def _fault(self, digest: str, now: float) -> str | None:
        if self.pid != os.getpid():
            return "the confirmation was given to another process"
        if digest != self.digest:
            return "what would be sent is not what was confirmed"
        if self.uses == 0:
            return "the confirmation is used up"
        if not self._begun and not 0 <= now - self.asked_at <= LIFETIME:
            return "the confirmation is older than ten minutes"
        return None


def ask_for(
    name: str,
    lines: Iterable[str],
    essential: str,
    door: Door,
    clock: Callable[[], float],
    *,
    answer: str | None = None,
) -> float | None:
    """Asks for `name` (or another `answer`) to be typed, and gives the time of asking; None when nobody can answer.

    `essential` stands last, where a small screen still shows it. Raises GuardError for any other answer and for one
    that comes too late, InvocationInterrupted for Ctrl-C.
    """
    wanted = answer or name
    told = [visible(line, one_line=True) for line in lines]
    question = "\n".join([*told, visible(essential, one_line=True), f"Type {visible(wanted)} to go on: "])
    asked_at = clock()
    try:
        typed = door.ask(question)
    except KeyboardInterrupt:
        raise InvocationInterrupted(f"Stopped at the question. Nothing was sent to {name}.", sent=False) from None
    if typed is None:
        return None
    if unicodedata.normalize("NFC", typed) != unicodedata.normalize("NFC", wanted):
        raise GuardError(f"{name}: not confirmed, so nothing was sent.")
    if not 0 <= clock() - asked_at <= LIFETIME:
        raise GuardError(f"{name}: the answer came after more than ten minutes, so nothing was sent.")
    return asked_at


def question_of(intent: Intent, arguments: Mapping[str, Any]) -> Question:
    """Who is to be asked. No -Force and no -Confirm:$false, wherever it comes from, outweighs a profile's confirm."""
    rules = intent.profile.guard
    forced = bool(arguments.get("force")) or arguments.get("confirm") is False
    if rules.confirm and intent.changes:
        return "no" if forced and rules.allow_force else "always"
    if arguments.get("confirm") and not arguments.get("force"):
        return "yes"
    return "if anybody" if intent.removes and not forced else "no"


def told(intent: Intent, caller: Identity | str, account: str | None, objects: str | None) -> tuple[list[str], str]:
    """What a person is shown: all there is to know, then the one line that matters."""
    region = intent.place.connection.region
    through = f" through profile {intent.profile.name}" if intent.profile.name else ""
    lines = [f"{intent.cmdlet}{through}", *(f"  {line}" for line in intent.lines())]
    lines.append(f"  Identity: {caller.arn if isinstance(caller, Identity) else caller}")
    function = intent.function
    if function is not None:
        qualifier = intent.qualifier or function.qualifier
        arn = function.arn(region, account) if account is not None else function.name
        lines.append(f"  Function: {arn}{f'   Qualifier: {qualifier}' if qualifier else ''}")
    often = "" if objects is None else f"   Objects: {objects}"
    return lines, f"Account: {account or 'not known'}   Region: {region}{often}"


def nobody(intent: Intent, question: Question) -> str:
    """Why nothing was sent where nobody can answer, and what would help."""
    if question == "yes":
        return (
            f"{intent.name}: -Confirm needs somebody to answer, and nobody can. Nothing was sent; use -Confirm:$false."
        )
    profile = intent.profile
    help_ = (
        "use -Force"
        if profile.guard.allow_force
        else "the profile lets neither -Force nor -Confirm:$false stand for it"
    )
    return (
        f"{intent.name}: profile {profile.name} wants the function's name typed (guard.confirm), and nobody can "
        f"answer. Nothing was sent; {help_}."
    )


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

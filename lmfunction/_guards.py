"""What stands between a plan and its sending: the account, allow and deny, the number of objects, a person's consent.

Guards look at the resolved function and account, never at the label of a profile. What they cannot find out is a
refusal, and so is a guard that fails. What only reads is checked for its account alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lmfunction._batch import Batch
from lmfunction._confirmation import Consent, Question, ask_for, nobody, question_of, told
from lmfunction._connection import EMBEDDED_ACCOUNT
from lmfunction._door import Door
from lmfunction._endpoint import is_loopback
from lmfunction._engine import Engine
from lmfunction._identity import Identity
from lmfunction._intent import Intent
from lmfunction._profile_values import Profile
from lmfunction._text import one_line
from lmfunction._transport import endpoint_of
from lmfunction.errors import GuardError, InvocationInterrupted, LMError


@dataclass(frozen=True)
class Clearance:
    """That an intent passed its guards: as whom, and by whose consent."""

    identity: Identity | None = None
    consent: Consent | None = None
    alone: bool = True

    def verify(self, intent: Intent, engine: Engine) -> None:
        """Right before the sending: the consent is for this, and the credentials are still those that were checked.

        Raises GuardError, or ProfileError for credentials that cannot be got any more. A consent is used up by it.
        """
        with _failing_closed(intent):
            if self.identity is not None:
                self._check_identity(self.identity, intent, engine)
            if self.consent is not None:
                self.consent.spend(intent.digest(alone=self.alone), engine.clock())

    def _check_identity(self, checked: Identity, intent: Intent, engine: Engine) -> None:
        now = engine.identities.of(intent.place, engine.connections)
        if now.account != checked.account or (self.consent is not None and now.principal != checked.principal):
            raise GuardError(
                f"{intent.name}: the credentials have changed since they were checked, from {checked.arn} to "
                f"{now.arn}, so nothing was sent."
            )


FREE = Clearance()


def concerned(profile: Profile, arguments: Mapping[str, Any]) -> bool:
    """Whether a call through `profile` with `arguments` has anything to pass; most have not."""
    return profile.guarded or bool(arguments.get("confirm"))


def foresee(intent: Intent) -> None:
    """Refuses what can be known to be refused, without asking anybody anything. Raises GuardError."""
    with _failing_closed(intent):
        profile, named = intent.profile, intent.named_account
        if profile.account is not None and named is not None and named != profile.account:
            raise GuardError(
                f"{intent.name} is in account {named}, and profile {profile.name} is for {profile.account}. "
                "Nothing was sent."
            )
        if intent.place.embedded and profile.account not in (None, EMBEDDED_ACCOUNT):
            raise GuardError(
                f"The embedded Lambda is account {EMBEDDED_ACCOUNT}, and profile {profile.name} is for "
                f"{profile.account}. Nothing was sent."
            )
        _check_function(intent, intent.certain_account)


def clear(
    intent: Intent, arguments: Mapping[str, Any], engine: Engine, door: Door, batch: Batch | None = None
) -> Clearance:
    """Lets `intent` pass all guards. `batch` is that of a command with several objects, of which this is one.

    Raises GuardError where one refuses, nobody can answer or the guard itself fails; ProfileError without credentials;
    InvocationInterrupted on Ctrl-C. Nothing was sent then.
    """
    foresee(intent)
    with _failing_closed(intent):
        identity = _identified(intent, engine)
        question = question_of(intent, arguments)
        if question == "no":
            return Clearance(identity) if identity is not None else FREE
        with batch.closing() if batch is not None else contextlib.nullcontext():
            return _consented(intent, question, identity, engine, door, batch)


def confirm_repeats(intent: Intent, arguments: Mapping[str, Any], engine: Engine, door: Door) -> None:
    """Asks for a consent of its own to Delivery AtLeastOnce through a guarded profile: a function may run twice.

    A person types `twice`; the function's name is the answer to another question. -Force counts where the profile says
    `allow_force`. Raises GuardError when it does not come. Not needed with a DurableExecutionName.
    """
    profile = intent.profile
    if not profile.guarded or arguments.get("durable_execution_name") is not None:
        return
    if arguments.get("force") and profile.guard.allow_force:
        return
    with _failing_closed(intent):
        lines = [f"Delivery AtLeastOnce through profile {profile.name}: what may have run already is sent again."]
        essential = f"{intent.name} may run more than once for the same object."
        if ask_for(intent.name, lines, essential, door, engine.clock, answer="twice") is None:
            raise GuardError(
                f"{intent.name}: Delivery AtLeastOnce through profile {profile.name} needs somebody to consent to it, "
                "and nobody can answer. Nothing was sent; use AtMostOnce, or a DurableExecutionName."
            )


def _check_function(intent: Intent, account: str | None) -> None:
    """Applies allow and deny. Without an account only those rules that need none, which leaves the rest to later."""
    profile, rules, function = intent.profile, intent.profile.guard, intent.function
    if not intent.changes or not (rules.deny or rules.allow_lists):
        return
    if function is None:
        if intent.hides_function:
            raise GuardError(
                f"{intent.cmdlet} names no function, and profile {profile.name} allows some only. Nothing was sent."
            )
        return
    if account is None and rules.needs_arn:
        return
    arn = function.arn(intent.place.connection.region, account) if account is not None else None
    refusal = rules.refusal(function.name, arn)
    if refusal is not None:
        raise GuardError(f"{arn or function.name}: {refusal} (profile {profile.name}). Nothing was sent.")


def _identified(intent: Intent, engine: Engine) -> Identity | None:
    """Who calls, where a rule needs to know it; the rules that do are applied."""
    profile = intent.profile
    unknown = profile.guard.needs_arn and intent.changes and intent.certain_account is None
    if intent.place.embedded or (profile.account is None and not unknown):
        return None
    identity = engine.identities.of(intent.place, engine.connections)
    if profile.account is not None and identity.account != profile.account:
        raise GuardError(
            f"Profile {profile.name} is for account {profile.account}, and the credentials belong to "
            f"{identity.account} ({identity.arn}). Nothing was sent."
        )
    _check_function(intent, intent.named_account or identity.account)
    return identity


def _consented(
    intent: Intent,
    question: Question,
    identity: Identity | None,
    engine: Engine,
    door: Door,
    batch: Batch | None,
) -> Clearance:
    """The clearance with a consent, given before in the same batch or now; without one where nobody need be there."""
    aim = intent.aim
    if batch is not None and aim in batch.consents:
        return Clearance(identity or engine.identities.remembered(intent.place), batch.consents[aim], alone=False)
    objects = None if batch is None else batch.told(aim, intent.profile)
    caller = identity or _caller(intent, question, engine)
    account = intent.certain_account or (caller.account if isinstance(caller, Identity) else None)
    lines, essential = told(intent, caller, account, objects)
    asked_at = ask_for(intent.name, lines, essential, door, engine.clock)
    if asked_at is None:
        if question == "if anybody":
            return Clearance(identity)
        raise GuardError(nobody(intent, question))
    consent = Consent(intent.name, intent.digest(alone=batch is None), asked_at, uses=1 if batch is None else None)
    if batch is not None:
        batch.consents[aim] = consent
    return Clearance(caller if isinstance(caller, Identity) else None, consent, alone=batch is None)


def _caller(intent: Intent, question: Question, engine: Engine) -> Identity | str:
    """Who calls, for the person who is asked; no rule depends on it, so that it may be why it is not known.

    STS is not asked where perhaps nobody reads the answer, nor, unless the profile wants it, an emulator.
    """
    local = is_loopback(endpoint_of(intent.place.connection))
    if question == "if anybody" or (question == "yes" and local):
        return engine.identities.remembered(intent.place) or "not asked"
    try:
        return engine.identities.of(intent.place, engine.connections)
    except LMError as error:
        return one_line(f"not known: {error.args[0]}", 160)


@contextlib.contextmanager
def _failing_closed(intent: Intent) -> Iterator[None]:
    """Makes a refusal of whatever goes wrong while a guard decides."""
    try:
        yield
    except LMError:
        raise
    except KeyboardInterrupt as error:
        if isinstance(error, InvocationInterrupted):
            raise
        raise InvocationInterrupted(
            f"Stopped while guards were asked. Nothing was sent to {intent.name}.", sent=False
        ) from None
    except Exception as error:
        why = one_line(f"{type(error).__name__}: {error}", 200)
        raise GuardError(f"{intent.name}: a guard failed, so nothing was sent: {why}.") from error

"""How what passed its guards is sent: written down where its profile has an audit, and not again where its key is
finished.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from lmfunction._audit import Audits
from lmfunction._audit import Entry as Audited
from lmfunction._audit_record import REFUSED, REPLAYED, WHAT_IF, of_request
from lmfunction._client import Again, Plan
from lmfunction._connection import Place
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._history import Entry as History
from lmfunction._intent import Intent
from lmfunction._model import InvokeResult
from lmfunction._once import Once
from lmfunction._table import INVOKE
from lmfunction.errors import GuardError

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Writing:
    """A call that has been written down as begun; one of the two is called when it is over."""

    entry: History
    audits: Audits | None = None
    begun: Audited | None = None
    warn: Callable[[str], None] = lambda _: None

    def answered(self, answer: Any) -> None:
        """It brought an answer."""
        if self.audits is not None:
            self.audits.answered(self.begun, answer, self.warn)
        self.entry.answered(answer)
        self.entry.__exit__(None, None, None)

    def failed(self, error: BaseException) -> None:
        """It brought none."""
        if self.audits is not None:
            self.audits.failed(self.begun, error, self.warn)
        self.entry.__exit__(type(error), error, error.__traceback__)


@dataclasses.dataclass(frozen=True)
class Scribe:
    """Who keeps what becomes of one call: in the session's history, and where its profile has an audit in that.

    `told` is what the audit knows of the call, `shown` what the history does.
    """

    engine: Engine
    door: Door
    place: Place
    told: Callable[[], Mapping[str, Any]]
    shown: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def around(self, send: Callable[[], T]) -> T:
        """What `send` gives; that it begins and how it ends is written down.

        Raises what `send` raises, and GuardError where the audit is required and cannot be written.
        """
        writing = self.begin()
        try:
            answer = send()
        except BaseException as error:
            writing.failed(error)
            raise
        writing.answered(answer)
        return answer

    def begin(self) -> Writing:
        """Writes down that a call begins, whose end is told to what is returned.

        Raises GuardError where the audit is required and cannot be written.
        """
        entry = self.engine.history.entry(**self._facts())
        entry.__enter__()
        audits = self.engine.audits
        if audits is None or self.place.profile.audit is None:
            return Writing(entry)
        try:
            begun = audits.begin(self.place, self._everything(), self._warn)
        except BaseException as error:
            Writing(entry).failed(error)
            raise
        return Writing(entry, audits, begun, self._warn)

    def ended(self, at: float, found: InvokeResult | BaseException) -> None:
        """Keeps a call that ended at `at` (seconds since 1970) in the session's history alone."""
        with contextlib.suppress(BaseException), self.engine.history.entry(**self._facts()) as entry:
            entry.time = at
            if isinstance(found, BaseException):
                raise found
            entry.answered(found)

    def note(self, outcome: str, **more: Any) -> None:
        """Writes down what is not sent."""
        error = "GuardError" if outcome == REFUSED else None
        request_id = more.get("request_id")
        self.engine.history.unsent(outcome, request_id=request_id, error_type=error, **self._facts())
        if self.engine.audits is not None and self.place.profile.audit is not None:
            self.engine.audits.note(self.place, outcome, {**self._everything(), **more}, self._warn)

    def what_if(self) -> None:
        """Writes down that the call was shown in place of being sent."""
        self.note(WHAT_IF, what_if=True)

    @contextlib.contextmanager
    def refusals(self) -> Iterator[None]:
        """Writes down that a guard refused the call, when one does inside."""
        try:
            yield
        except GuardError:
            self.note(REFUSED)
            raise

    def _everything(self) -> dict[str, Any]:
        """What is known. STS is not asked for it: where a guard asked, its answer is there."""
        caller = self.engine.identities.remembered(self.place)
        known = {"account": caller.account, "caller_arn": caller.arn} if caller is not None else {}
        if self.place.embedded:
            known = {}
        return {**known, **{name: value for name, value in self.told().items() if value is not None}}

    def _facts(self) -> dict[str, Any]:
        """What the history tells of the call."""
        caller, connection = self.engine.identities.remembered(self.place), self.place.connection
        return {
            "region": connection.region,
            "profile": self.place.profile_name or connection.aws_profile,
            "account": caller.account if caller is not None else None,
            "redaction": self.place.profile.redaction,
            **self.shown,
        }

    def _warn(self, text: str) -> None:
        self.door.tell("warning", text)


def scribe_of(plan: Plan, engine: Engine, door: Door) -> Scribe:
    """Who writes down what becomes of an invocation."""
    request = plan.request
    shown = {"cmdlet": INVOKE.name, "function": request.function_name, "qualifier": request.qualifier}
    return Scribe(engine, door, plan.place, lambda: {**of_request(request), "once_key": plan.once_key}, shown)


def scribe_for(intent: Intent, members: Mapping[str, Any], engine: Engine, door: Door) -> Scribe:
    """Who writes down what becomes of another operation; of its `members` only the names, and a payload's digest."""

    def told() -> dict[str, Any]:
        payload = next((members[n] for n in ("Payload", "InvokeArgs") if isinstance(members.get(n), bytes)), None)
        return {
            "operation": intent.kind,
            "function": intent.function.text if intent.function is not None else intent.name,
            "account": intent.named_account,
            "qualifier": intent.qualifier,
            "payload_sha256": None if payload is None else hashlib.sha256(payload).hexdigest(),
            "payload_bytes": None if payload is None else len(payload),
            "members": tuple(sorted(members)),
        }

    named = intent.name if intent.name != intent.kind else ""  # where nothing is named, its name is the operation's
    function = intent.function.text if intent.function is not None else named
    shown = {"cmdlet": intent.cmdlet, "function": function, "qualifier": intent.qualifier}
    return Scribe(engine, door, intent.place, told, shown)


def dispatch(plan: Plan, engine: Engine, door: Door, send: Callable[[], InvokeResult], again: Again) -> InvokeResult:
    """What `send` gives, or the stored result of a finished key. `again` sends another request of the same kind.

    Raises what `send`, `Scribe.around` and `Once.send` raise.
    """
    scribe = scribe_of(plan, engine, door)
    once = _once(plan, engine)
    if once is None:
        return scribe.around(send)
    result = once.send(lambda: scribe.around(send), again, _asking_in_the_main_thread_only(door))
    if result.replayed:
        scribe.note(REPLAYED, request_id=result.request_id)
    return result


def foretold(plan: Plan, engine: Engine, door: Door) -> Plan:
    """The plan that -WhatIf shows, which tells what would become of its key. It is written down as not sent."""
    once = _once(plan, engine)
    if once is not None:
        plan = dataclasses.replace(plan, once_told=once.told())
    scribe_of(plan, engine, door).what_if()
    return plan


def _once(plan: Plan, engine: Engine) -> Once | None:
    """The plan's key against the store; a dry run is none of a key's calls."""
    if plan.once_key is None or plan.request.invocation_type == "DryRun":
        return None
    caller = engine.identities.remembered(plan.place)
    account = plan.known_account or (caller.account if caller is not None else None)
    return Once(plan, plan.once_key, engine.once, engine.clock, account)


def _asking_in_the_main_thread_only(door: Door) -> Door:
    """The door; where several calls are sent at once nobody can know which of them a question is about."""
    if threading.current_thread() is threading.main_thread():
        return door
    return dataclasses.replace(door, ask=lambda _: None)

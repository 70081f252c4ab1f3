"""-OnceKey: a call that a re-run of the same notebook does not send again.

A key whose call ended well brings its stored result. One whose call was refused, was never sent, or whose function
failed is not finished: it runs again. Where nobody can know whether the call ran, somebody has to say.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import datetime
import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from lmfunction._audit_record import outcome_of
from lmfunction._client import Plan
from lmfunction._confirmation import ask_for
from lmfunction._door import Door
from lmfunction._model import Attempt, InvokeResult, Outcome
from lmfunction._names import parse_function_name
from lmfunction._once_store import FINISHED, INTENT, OnceStore, Stored
from lmfunction._origin import host
from lmfunction._text import ascii_only, one_line, shorten, visible
from lmfunction.errors import GuardError, JournalError, ParameterError

_RESEND: Final = "resend"
# What makes two calls the same, and how a person calls it.
_CALL: Final = {
    "function": "the function",
    "account": "the account",
    "region": "the region",
    "endpoint": "the endpoint",
    "qualifier": "the qualifier",
    "invocation_type": "the invocation type",
    "tenant_id": "the tenant",
    "durable_execution_name": "the durable execution's name",
    "payload_sha256": "the payload",
    "client_context_sha256": "the client context",
}
_ANSWER: Final = ("function_error", "log_result", "executed_version", "durable_execution_arn", "request_id", "trace_id")


def call_of(plan: Plan, account: str | None) -> dict[str, Any]:
    """What tells the plan's call from another; `account` where it is known."""
    request = plan.request
    function = parse_function_name(request.function_name)
    context = request.client_context
    return {
        "function": function.name,
        "account": function.account or account,
        "region": request.target.region,
        "endpoint": plan.endpoint,
        "qualifier": request.qualifier or function.qualifier,
        "invocation_type": request.invocation_type,
        "tenant_id": request.tenant_id,
        "durable_execution_name": request.durable_execution_name,
        "payload_sha256": hashlib.sha256(request.payload).hexdigest(),
        "client_context_sha256": None if context is None else hashlib.sha256(context.encode()).hexdigest(),
    }


@dataclasses.dataclass(frozen=True)
class Once:
    """A plan that has a key, against the store. `account` where it is known whose credentials sign the call."""

    plan: Plan
    key: str
    store: OnceStore
    clock: Callable[[], float]
    account: str | None = None

    def send(self, send: Callable[[], InvokeResult], resend: Callable[[Any], InvokeResult], door: Door) -> InvokeResult:
        """The stored result of a finished key, else what `send` gives.

        Raises GuardError for a key that another process holds, or whose outcome is unknown and nobody says what to do;
        ParameterError for one that was used for another call; JournalError for a store that cannot be used. Nothing was
        sent then.
        """
        held = self.store.hold(self.key)
        if held is None:
            raise GuardError(self._busy())
        try:
            known = self.store.find(self.key)
            if known is not None and (known.finished or known.unknown):
                self._refuse_other_call(known)
                if known.finished:
                    return self._replayed(known, resend)
                self._ask(known, door)
            return self._sent(known, send, door)
        finally:
            held.release()

    def told(self) -> str:
        """What a run would find, for -WhatIf. Nothing is stored."""
        known = self.store.find(self.key)
        if self.store.is_held(self.key):
            return "another process has its call under way; it would be refused"
        if known is None:
            return "not used yet"
        if not (known.finished or known.unknown):
            return f"its call ended with {known.outcome} at {iso(known.last_run)}; it would be sent again"
        if differing := self._differing(known):
            return f"used for another call at {iso(known.last_run)} ({_listed(differing)}); it would be refused"
        if known.finished:
            return f"finished at {iso(known.last_run)}; its result would be shown again and nothing sent"
        return f"{_unknown(known)}; it would be asked whether to send it again"

    def _sent(self, known: Stored | None, send: Callable[[], InvokeResult], door: Door) -> InvokeResult:
        now = self.clock()
        begun = Stored(
            self.key,
            call_of(self.plan, self.account),
            INTENT,
            now if known is None else known.first_run,
            now,
            1 if known is None else known.runs + 1,
            host(),
            os.getpid(),
        )
        self.store.put(begun)
        try:
            result = send()
        except BaseException as error:
            request_id = getattr(error, "request_id", None)
            with contextlib.suppress(JournalError):  # it stays as begun, whose outcome nobody knows
                self.store.put(dataclasses.replace(begun, outcome=outcome_of(error), request_id=request_id))
            raise
        try:
            self.store.put(_ended(begun, result))
        except JournalError as error:
            door.tell(
                "warning",
                f"OnceKey {self._shown}: the call was sent and answered, but that could not be stored. A re-run will "
                f"not know that it ran. {error}",
            )
        return result

    def _replayed(self, known: Stored, resend: Callable[[Any], InvokeResult]) -> InvokeResult:
        answer = dict(known.answer or {})
        return InvokeResult(
            self.plan.request,
            answer["status_code"],
            known.payload or b"",
            **{name: answer.get(name) for name in _ANSWER},
            elapsed_ms=answer["elapsed_ms"],
            attempt_log=tuple(Attempt(Outcome(outcome), *figures) for outcome, *figures in answer["attempts"]),
            resend=resend,
            redaction=self.plan.place.profile.redaction,
            first_run=iso(known.last_run),
        )

    def _ask(self, known: Stored, door: Door) -> None:
        """Asks whether to send again what may have run; raises GuardError unless somebody says so."""
        request_id = f" RequestId: {one_line(known.request_id, 80)}." if known.request_id else ""
        lines = [
            f"OnceKey {self._shown}: {_unknown(known)}.{request_id}",
            *(f"  {told}: {visible(str(known.call[name]))}" for name, told in _CALL.items() if known.call.get(name)),
            "The function may run a second time: look into its log first.",
        ]
        asked = ask_for(self._shown, lines, "Nothing has been sent now.", door, self.clock, answer=_RESEND)
        if asked is None:
            raise GuardError(
                f"OnceKey {self._shown}: {_unknown(known)}.{request_id} Nothing was sent now, for the function might "
                f"run twice, and nobody is there to say so.\n  Look into its log. If it did not run: Clear-LMOnceKey "
                f"{_typed(self.key)}, then repeat. If it did run, this step is done: go on behind it."
            )

    def _refuse_other_call(self, known: Stored) -> None:
        if differing := self._differing(known):
            raise ParameterError(
                f"OnceKey {self._shown} was used at {iso(known.last_run)} for another call: {_listed(differing)}. "
                f"Nothing was sent; take another key, or forget it with Clear-LMOnceKey {_typed(self.key)}.",
                parameter="OnceKey",
            )

    def _differing(self, known: Stored) -> list[tuple[str, Any, Any]]:
        """What differs between the call that was stored and this one; an account counts where both are known."""
        now = call_of(self.plan, self.account)
        return [
            (_CALL[name], known.call.get(name), now[name])
            for name in _CALL
            if known.call.get(name) != now[name]
            and not (name == "account" and None in (known.call.get(name), now[name]))
        ]

    def _busy(self) -> str:
        known = self.store.find(self.key)
        who = f" (process {known.pid} on {known.host})" if known is not None and known.outcome == INTENT else ""
        return f"OnceKey {self._shown}: another run has its call under way{who}, so nothing was sent. Wait for it."

    @property
    def _shown(self) -> str:
        return visible(shorten(self.key, 80), one_line=True)


def iso(seconds: float) -> str:
    """A time as text: `2026-11-20T12:00:00Z`."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _ended(begun: Stored, result: InvokeResult) -> Stored:
    """What is stored of a call that was answered: of one that ended well the whole answer, but for its secrets."""
    outcome = str(result.outcome)
    ended = dataclasses.replace(begun, outcome=outcome, request_id=result.request_id)
    if outcome not in FINISHED:
        return ended
    secrets = result.redaction.secrets
    answer: dict[str, Any] = {name: getattr(result, name) for name in _ANSWER}
    if secrets and answer["log_result"]:
        log = _without(secrets, base64.b64decode(answer["log_result"]))
        answer["log_result"] = base64.b64encode(log).decode()
    answer |= {
        "status_code": result.status_code,
        "elapsed_ms": result.elapsed_ms,
        "attempts": [[str(a.outcome), a.code, a.elapsed_ms, a.waited_ms] for a in result.attempt_log],
    }
    return dataclasses.replace(ended, answer=answer, payload=_without(secrets, result.raw_payload))


def _without(secrets: Sequence[tuple[str, str]], content: bytes) -> bytes:
    """The bytes with each secret's label in its place."""
    for value, label in secrets:
        if value:
            content = content.replace(value.encode("utf-8", "surrogatepass"), label.encode())
    return content


def _unknown(known: Stored) -> str:
    when = f"of {iso(known.last_run)} (process {known.pid} on {ascii_only(known.host)})"
    if known.outcome == INTENT:
        return f"unknown whether its call {when} ran, for the process ended before an answer was stored"
    if known.outcome == Outcome.RESULT_LOST:
        return f"its call {when} ran, but the answer was lost"
    return f"unknown whether its call {when} ran, for no whole answer came"


def _listed(differing: Sequence[tuple[str, Any, Any]]) -> str:
    return ", ".join(f"{told} differs ({_brief(then)} then, {_brief(now)} now)" for told, then, now in differing)


def _brief(value: Any) -> str:
    if isinstance(value, str) and len(value) == 64 and value.isalnum():
        return f"SHA-256 {value[:8]}…"
    return "none" if value is None else visible(shorten(str(value), 100), one_line=True)


def _typed(key: str) -> str:
    return (
        key if key.isascii() and key.replace("-", "").replace("_", "").isalnum() else "'" + key.replace("'", "''") + "'"
    )

"""What becomes of a call that the HTTP engine sent: its result, its error, and what is written down of both."""

from __future__ import annotations

import collections
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lmfunction._audit import Entry
from lmfunction._audit_record import of_error, of_request, of_result
from lmfunction._batch import Batch
from lmfunction._client import request_shown, result_of
from lmfunction._cmdlets import Call, intent_of
from lmfunction._dispatch import Writing, scribe_of
from lmfunction._engine import Engine
from lmfunction._guards import FREE
from lmfunction._item import Item
from lmfunction._model import InvokeResult
from lmfunction._piped import payload_of_object
from lmfunction._prepare import payload_of, plain_payload
from lmfunction._run_items import Kept
from lmfunction._secret_values import Known, hide
from lmfunction._sending import Address, Sending
from lmfunction._transport import Transport
from lmfunction.errors import LMError


@dataclass
class Receipt:
    """Who takes the end of one call, which differs from the run's others in more than its payload."""

    call: Call
    engine: Engine
    transport: Transport
    known: Known
    begun: Writing

    def answered(self, sending: Sending) -> InvokeResult:
        """The result that the reply of `sending` makes."""
        assert sending.reply is not None
        plan = self.call.plan
        result = result_of(
            request_shown(plan.request, self.transport),
            sending.reply,
            sending.attempts or None,
            sending.seconds * 1000,
            plan.place.profile.redaction.with_secrets(self.known),
            self.call.again(self.engine),
        )
        self.begun.answered(result)
        self.call.tell_attempts(result)
        return result

    def failed(self, error: LMError, sending: Sending) -> None:
        """Takes note of an error."""
        _let_frames_go(error)
        hide(error, self.known, self.call.plan.place.profile.redaction.with_secrets(self.known).text)
        self.begun.failed(error)


class CommonReceipt:
    """Who takes the end of many calls that differ in nothing but their payload; it is made of the first one's `call`.

    What is written down of them is written for several at a time: of those that go together, and of those that ended.
    """

    def __init__(self, call: Call, engine: Engine, batch: Batch, transport: Transport, address: Address) -> None:
        self.call = call
        self._engine = engine
        self._batch = batch
        self._address = address
        plan = call.plan
        self._like = request_shown(plan.request, transport)
        self._redaction = plan.place.profile.redaction
        self._resend = call.again(engine)
        self._audited = engine.audits is not None and plan.place.profile.audit is not None
        self._told = {**of_request(plan.request), "account": plan.known_account}
        self._entries: dict[int, Entry] = {}
        self._ended: list[tuple[Entry, Any, Any]] = []
        self._last: collections.deque[tuple[float, InvokeResult | LMError]] = collections.deque(
            maxlen=engine.history.limit
        )
        arguments = call.gathered.arguments
        self._options = {"allow_duplicate_keys": True} if arguments.get("allow_duplicate_keys") else {}
        self._type = plan.request.invocation_type

    def sending(self, item: Item, *, stops: bool) -> Sending | None:
        """The call for `item`, checked; None when it is not like the others. Raises what its making raises."""
        if has_its_own(item.input):
            return None
        value = item.input
        body = None
        if type(value) is dict:
            body = plain_payload(value, self._type)
        elif type(value) is Kept:
            body = value.payload()  # which was checked when it was written down
        if body is None:
            arguments = {"payload": payload_of_object(value), **self._options}
            body, slots = payload_of(arguments, self._type, self.call.notices.warn)
            if slots:
                return None
        if self._batch.count is None:
            self._batch.admit(self.call.plan.place.profile)
        return Sending(item, self, self._address, body, stops=stops)

    def begin(self, sendings: Sequence[Sending]) -> None:
        """Right before `sendings` go: their guards look once more, the audit is told. Raises GuardError."""
        call, engine = self.call, self._engine
        if call.clearance is not FREE:
            with scribe_of(call.plan, engine, call.notices.door).refusals():
                call.clearance.verify(intent_of(call.plan, alone=False), engine)
        if not self._audited:
            return
        assert engine.audits is not None
        caller = engine.identities.remembered(call.plan.place)
        known = {} if caller is None or call.plan.place.embedded else {
            "account": caller.account, "caller_arn": caller.arn
        }  # fmt: skip
        told = [
            {
                **known,
                **{name: value for name, value in self._told.items() if value is not None},
                "payload_sha256": hashlib.sha256(sending.body).hexdigest(),
                "payload_bytes": len(sending.body),
            }
            for sending in sendings
        ]
        entries = engine.audits.begin_many(call.plan.place, told, call.notices.warn)
        self._entries.update((sending.item.index, entry) for sending, entry in zip(sendings, entries, strict=True))

    def answered(self, sending: Sending) -> InvokeResult:
        """The result that the reply of `sending` makes."""
        assert sending.reply is not None
        result = result_of(
            (self._like, sending.body),
            sending.reply,
            sending.attempts or None,
            sending.seconds * 1000,
            self._redaction,
            self._resend,
        )
        self._last.append((time.time(), result))
        if self._audited and (entry := self._entries.pop(sending.item.index, None)) is not None:
            self._ended.append((entry, of_result(result), self._redaction))
        return result

    def failed(self, error: LMError, sending: Sending) -> None:
        """Takes note of an error."""
        _let_frames_go(error)
        self._last.append((time.time(), error))
        if self._audited and (entry := self._entries.pop(sending.item.index, None)) is not None:
            self._ended.append((entry, of_error(error, sending.seconds * 1000), self._redaction))

    def write_down(self) -> None:
        """Writes down the ends that came."""
        if self._ended and self._engine.audits is not None:
            self._engine.audits.finish_many(self._ended, self.call.notices.warn)
            self._ended = []

    def close(self) -> None:
        """Writes down the rest; the last calls go into the session's history."""
        self.write_down()
        scribe = scribe_of(self.call.plan, self._engine, self.call.notices.door)
        for at, found in self._last:
            scribe.ended(at, found)


def _let_frames_go(error: BaseException | None) -> None:
    """Lets go of the calls in the engine's thread in which an error arose, and of what they hold: several kB each."""
    while error is not None and error.__traceback__ is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def has_its_own(value: object) -> bool:
    """Whether an object that a journal held gives more than its payload."""
    return isinstance(value, Kept) and value.entry.call is not None

"""What a journal holds of an item made into what it was at the time: its result, or its error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from lmfunction._boto import Connection
from lmfunction._client import with_full_name
from lmfunction._emission import selector, selects_given
from lmfunction._gathered import Gathered
from lmfunction._item import Item
from lmfunction._ledger import HANDED_OVER, Entry, Settlement
from lmfunction._model import Attempt, InvokeResult, Outcome
from lmfunction._request import InvokeRequest, Target
from lmfunction._run_items import Kept
from lmfunction._table import INVOKE
from lmfunction._transport import ANSWERED
from lmfunction.errors import (
    GuardError,
    JournalError,
    LMError,
    ParameterError,
    ProfileError,
    ServiceError,
    TransportError,
)

_SENT: Final = {"NOT_SENT": False, "RESULT_LOST": True}
_ANSWERED: Final = frozenset(["OK", "FUNCTION_ERROR", "ACCEPTED"])
# Errors of items that were never sent, which are but their words.
_REFUSING: Final = {kind.__name__: kind for kind in (ParameterError, ProfileError, GuardError, JournalError)}


class Requests:
    """Makes of what is written down of an item what it was at the time, by the line that gave these `values`."""

    def __init__(self, line: Gathered, connection: Connection, values: Mapping[str, Any]) -> None:
        arguments = with_full_name(line.arguments, line.profile.functions)
        self._redaction = line.profile.redaction
        self._arguments = line.arguments
        self._values = values
        self._select = selector(INVOKE, line.arguments, values)
        self._selects_given = selects_given(line.arguments)
        self._plain = InvokeRequest(
            str(arguments.get("function_name", "")),
            invocation_type=arguments.get("invocation_type", "RequestResponse"),
            log_type=arguments.get("log_type", "None"),
            qualifier=arguments.get("qualifier"),
            target=Target(connection.region, connection.endpoint_url, aws_profile=connection.aws_profile),
        )

    def item(self, entry: Entry, settled: Settlement | None) -> Item:
        """The item with its result or error; without either where nothing is known."""
        item = Item(entry.seq, Kept(entry), select=self._select)
        if self._selects_given:
            item.select = partial(self._given, entry)
        if settled is not None and settled.outcome in _ANSWERED:
            item.result = self._result(entry, settled)
        elif settled is not None:
            item.error = error_of(settled)
        return item

    def _given(self, entry: Entry, result: InvokeResult) -> Any:
        """What the line's -Select makes of what was given for the item."""
        return selector(INVOKE, self._arguments, {**self._values, **Kept(entry).parameters()})(result)

    def _result(self, entry: Entry, settled: Settlement) -> InvokeResult:
        call = json.loads(entry.call) if entry.call is not None else {}
        request = replace(
            self._plain,
            payload=entry.payload,
            **{
                target: call[name]
                for name, target in (("FunctionName", "function_name"), ("Qualifier", "qualifier"))
                if name in call
            },
        )
        return InvokeResult(
            request,
            settled.http or 0,
            settled.body or b"",
            function_error=settled.function_error,
            log_result=settled.log_result,
            executed_version=settled.executed_version,
            durable_execution_arn=settled.durable_execution_arn,
            request_id=settled.request_id,
            trace_id=settled.trace_id,
            elapsed_ms=settled.elapsed_ms,
            attempt_log=tuple(Attempt(Outcome.OK, "", settled.elapsed_ms) for _ in range(max(settled.attempt, 1))),
            redaction=self._redaction,
        )


def error_of(settled: Settlement) -> LMError:
    """The error of an item that ended without an answer."""
    told = settled.reason or settled.code or settled.outcome
    if settled.http:
        reason = told if settled.outcome == Outcome.THROTTLED_OUT and not told.startswith(ANSWERED) else None
        return ServiceError(
            told if reason is None else f"{ANSWERED} {settled.http} {settled.code} ({reason}).",
            code=settled.code or "",
            status=settled.http,
            request_id=settled.request_id,
            reason=reason,
            outcome=settled.outcome,
            attempts=settled.attempt,
        )
    if settled.code in _REFUSING:
        return _REFUSING[settled.code](told)
    return TransportError(
        told,
        sent=_SENT.get(settled.outcome),
        outcome="UNKNOWN" if settled.outcome == HANDED_OVER else settled.outcome,
        request_id=settled.request_id,
        attempts=settled.attempt,
    )

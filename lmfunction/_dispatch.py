"""How a plan that passed its guards is sent: written down where its profile has an audit, and not again where its key
is finished.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import Any

from lmfunction._audit_record import REFUSED, REPLAYED, WHAT_IF, of_request
from lmfunction._client import Again, Plan
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._model import InvokeResult
from lmfunction._once import Once
from lmfunction.errors import GuardError


def dispatch(plan: Plan, engine: Engine, door: Door, send: Callable[[], InvokeResult], again: Again) -> InvokeResult:
    """What `send` gives, or the stored result of a finished key. `again` sends another request of the same kind.

    Raises what `send` and `Once.send` raise, and GuardError where the audit is required and cannot be written.
    """
    if plan.once_key is None or plan.request.invocation_type == "DryRun":
        return _audited(plan, engine, door, send)
    result = _once(plan, plan.once_key, engine).send(
        lambda: _audited(plan, engine, door, send), again, _asking_in_the_main_thread_only(door)
    )
    if result.replayed:
        _note(plan, engine, door, REPLAYED, request_id=result.request_id)
    return result


def foretold(plan: Plan, engine: Engine, door: Door) -> Plan:
    """The plan that -WhatIf shows: it tells what would become of its key. It is written down, as not sent."""
    if plan.once_key is not None and plan.request.invocation_type != "DryRun":
        plan = dataclasses.replace(plan, once_told=_once(plan, plan.once_key, engine).told())
    _note(plan, engine, door, WHAT_IF, what_if=True)
    return plan


@contextlib.contextmanager
def refusals_noted(plan: Plan, engine: Engine, door: Door) -> Iterator[None]:
    """Writes down that a guard refused the plan, when one does inside."""
    try:
        yield
    except GuardError:
        _note(plan, engine, door, REFUSED)
        raise


def _audited(plan: Plan, engine: Engine, door: Door, send: Callable[[], InvokeResult]) -> InvokeResult:
    audits = engine.audits
    if audits is None or plan.place.profile.audit is None:
        return send()
    warn = _warning(door)
    entry = audits.begin(plan.place, _told(plan, engine), warn)
    try:
        result = send()
    except BaseException as error:
        audits.failed(entry, error, warn)
        raise
    audits.answered(entry, result, warn)
    return result


def _note(plan: Plan, engine: Engine, door: Door, outcome: str, **more: Any) -> None:
    if engine.audits is not None and plan.place.profile.audit is not None:
        engine.audits.note(plan.place, outcome, {**_told(plan, engine), **more}, _warning(door))


def _told(plan: Plan, engine: Engine) -> dict[str, Any]:
    """What is known of the plan. STS is not asked for it: where a guard asked, its answer is there."""
    caller = engine.identities.remembered(plan.place)
    account = caller.account if caller is not None else None
    told = {**of_request(plan.request), "once_key": plan.once_key}
    return {
        **told,
        "account": plan.known_account or account,
        "caller_arn": caller.arn if caller is not None and not plan.place.embedded else None,
    }


def _once(plan: Plan, key: str, engine: Engine) -> Once:
    caller = engine.identities.remembered(plan.place)
    return Once(plan, key, engine.once, engine.clock, plan.known_account or (caller.account if caller else None))


def _warning(door: Door) -> Callable[[str], None]:
    return lambda text: door.tell("warning", text)


def _asking_in_the_main_thread_only(door: Door) -> Door:
    """The door; where several calls are sent at once nobody can know which of them a question is about."""
    return (
        door if threading.current_thread() is threading.main_thread() else dataclasses.replace(door, ask=lambda _: None)
    )

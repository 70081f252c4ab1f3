"""Invoke-LMFunction from bound values to what is emitted, whatever the door.

gather (defaults, profile, conversion) -> plan -> what-if, guards -> send -> ErrorAction -> Select -> OutVariable.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lmfunction._background import Backstage, check_job
from lmfunction._batch import Batch
from lmfunction._client import Plan, make_plan, send_plan
from lmfunction._dispatch import dispatch, foretold, scribe_of
from lmfunction._door import NOTHING, Door
from lmfunction._emission import selector
from lmfunction._engine import Engine
from lmfunction._failures import act_on_error, act_on_failure, keep_failure
from lmfunction._gathered import Gathered, gather, is_dry
from lmfunction._guards import FREE, Clearance, clear, concerned, foresee
from lmfunction._intent import Intent
from lmfunction._jobs import Job
from lmfunction._live_log import live_log
from lmfunction._model import InvokeResult
from lmfunction._notices import Notices, assign, check_assignable, empty_lists
from lmfunction._progress import Progress, shown, wanted
from lmfunction._request import InvokeRequest
from lmfunction._table import INVOKE
from lmfunction.errors import LMError


@dataclass(frozen=True)
class Call:
    """One invocation made ready: the plan, and what becomes of its result."""

    gathered: Gathered
    plan: Plan
    notices: Notices
    select: Callable[[InvokeResult], Any]
    clearance: Clearance = FREE

    @property
    def of_its_own(self) -> bool:
        """Whether what it emits depends on what was given for this call, not on its result alone."""
        return str(self.gathered.arguments.get("select", "*")).startswith("^")

    def send(self, engine: Engine) -> InvokeResult:
        """Sends the plan. Raises what `send_plan` raises, and GuardError when what was cleared is no more so."""
        door = self.notices.door
        self.verify(engine)
        result = dispatch(self.plan, engine, door, lambda: self._sent(engine), self.again(engine))
        self.tell_attempts(result)
        return result

    def verify(self, engine: Engine) -> None:
        """Right before it is sent: what was cleared is still so. Raises GuardError, or ProfileError."""
        if self.clearance is not FREE:
            with scribe_of(self.plan, engine, self.notices.door).refusals():
                self.clearance.verify(intent_of(self.plan), engine)

    def tell_attempts(self, result: InvokeResult) -> None:
        """Tells what came of each send, where -Verbose asks for it."""
        if self.notices.talkative:
            for attempt in result.attempt_log:
                self.notices.verbose(f"attempt: {attempt.outcome} {attempt.code} {attempt.elapsed_ms:.0f} ms")

    def again(self, engine: Engine) -> Callable[[InvokeRequest], InvokeResult]:
        """What `replay` of its result does."""
        return lambda request: self._again(request, engine)

    def _sent(self, engine: Engine) -> InvokeResult:
        def send() -> InvokeResult:
            return send_plan(self.plan, engine.connections, engine.policy, self.again(engine))

        if engine.hooks is None:
            return send()
        return engine.hooks.around(self.plan.request, send, lambda text: self.notices.door.tell("warning", text))

    def _again(self, request: InvokeRequest, engine: Engine) -> InvokeResult:
        """What `replay` of the result gives: another call, which passes the guards itself."""
        plan = dataclasses.replace(self.plan, request=request, once_key=None)  # who says `replay` wants it sent again
        clearance = _cleared(plan, self.gathered.arguments, engine, self.notices.door, None)
        return dataclasses.replace(self, plan=plan, clearance=clearance).send(engine)

    def progress(self, elapsed: float) -> Progress:
        """How the wait for its answer stands after `elapsed` seconds."""
        request = self.plan.request
        limit = self.gathered.arguments.get("timeout_sec")
        return Progress(request.label, elapsed, limit, on_stop=_ON_STOP.get(request.invocation_type, ""))

    def error_action(self, door: Door) -> str:
        """What a failed function does."""
        return str(self.gathered.arguments.get("error_action", door.error_action))


def prepare(values: Mapping[str, Any], engine: Engine, door: Door, batch: Batch | None = None) -> Call | None:
    """The call for `values` (by parameter name), past its guards; None when -WhatIf showed it instead.

    `batch` is that of a command with several objects, of which this is one.
    """
    gathered = gather(INVOKE, values, engine)
    arguments = gathered.arguments
    notices = Notices(arguments, door)
    select = selector(INVOKE, arguments, values)
    check_assignable(arguments, door)
    check_job(arguments, door)
    empty_lists(arguments, door)
    notices.warn_once(gathered.profile.notices, engine.told)
    plan = make_plan(arguments, gathered.profile, gathered.aws_profile, warn=notices.warn, given=gathered.given)
    if engine.hooks is not None:
        plan = dataclasses.replace(plan, request=engine.hooks.mapped(plan.request, notices.warn))
    if notices.talkative:
        notices.verbose(repr(plan).removeprefix("What if: "))
    if batch is not None and batch.count is None:
        batch.admit(gathered.profile)
    if is_dry(arguments, engine, door):
        _show(plan, engine, door, batch)
        return None
    return Call(gathered, plan, notices, select, _cleared(plan, arguments, engine, door, batch))


def intent_of(plan: Plan, *, alone: bool = True) -> Intent:
    """What the plan is about to do; `alone` unless it stands for many that carry something else each."""
    request = plan.request
    return Intent(
        INVOKE.name,
        plan.place,
        plan.name,
        plan.function,
        request.qualifier,
        request.invocation_type,
        changes=request.invocation_type != "DryRun",
        lines=lambda: _lines(plan, alone=alone),
        content=lambda: repr((request.members(), request.payload_slots, request.context_slots)).encode(),
    )


def _cleared(plan: Plan, arguments: Mapping[str, Any], engine: Engine, door: Door, batch: Batch | None) -> Clearance:
    if not concerned(plan.place.profile, arguments):
        return FREE
    with scribe_of(plan, engine, door).refusals():
        return clear(intent_of(plan, alone=batch is None), arguments, engine, door, batch)


def _show(plan: Plan, engine: Engine, door: Door, batch: Batch | None) -> None:
    """Shows a plan in place of sending it, or leaves it to the batch. Raises GuardError for what would be refused."""
    if plan.place.profile.guarded:
        foresee(intent_of(plan))
    remembered = engine.identities.remembered(plan.place)
    plan = dataclasses.replace(plan, account_before=remembered.account if remembered is not None else None)
    plan = foretold(plan, engine, door)
    if batch is None:
        door.show(plan.resolved())
    else:
        batch.plan.add(plan)


def invoke(values: Mapping[str, Any], engine: Engine, door: Door, on_result: Callable[[InvokeResult], None]) -> Any:
    """Runs Invoke-LMFunction for `values` (by parameter name) and gives what it emits, or NOTHING.

    `on_result` sees the result before ErrorAction and Select decide what becomes of it.
    """
    call = prepare(values, engine, door)
    if call is None:
        return NOTHING
    if call.gathered.arguments.get("as_job"):
        return _in_the_background(call, values, engine, door)
    return _ended(call, engine, door, on_result)


def _in_the_background(call: Call, values: Mapping[str, Any], engine: Engine, door: Door) -> Job:
    """The job that sends the call. Where its credentials cannot be got that is told here and now."""
    engine.connections.transport(call.plan.place)
    stage = Backstage(door)
    arguments = call.gathered.arguments
    call = dataclasses.replace(call, notices=Notices(arguments, stage.door))

    def work(own: Engine) -> Any:
        emitted = _ended(call, own, stage.door, lambda _: None)
        return None if emitted is NOTHING else emitted

    return stage.begin(INVOKE, values, arguments, engine, work, call.progress)


def _ended(call: Call, engine: Engine, door: Door, on_result: Callable[[InvokeResult], None]) -> Any:
    """Sends the call, and gives what becomes of its result."""
    try:
        viewers = wanted(call.gathered.arguments, door.progress_action, door.progress)
        viewers = (*viewers, *live_log(call.plan, engine, door))
        with shown(viewers, call.progress, engine.policy.clock):
            result = call.send(engine)
        on_result(result)
        act_on_failure(result, call.error_action(door), door)
        keep_failure(result, call.gathered.arguments, door)
    except LMError as error:
        act_on_error(error, call.gathered, door)
        return NOTHING
    emitted = call.select(result)
    if "out_variable" in call.gathered.arguments:
        assign(door, call.gathered.arguments["out_variable"], emitted)
    return emitted


_ON_STOP: Final = {
    "RequestResponse": "leaves the function running",
    "Event": "does not take back the event",
}


def _lines(plan: Plan, *, alone: bool) -> list[str]:
    request = plan.request
    carried = f"Payload: {len(request.payload):,} bytes   " if alone else ""
    return [f"Endpoint: {plan.endpoint}", f"{carried}InvocationType: {request.invocation_type}"]

"""Invoke-LMFunction from bound values to what is emitted, whatever the door.

gather (defaults, profile, conversion) -> plan -> what-if, confirm -> send -> ErrorAction -> Select -> OutVariable.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lmfunction._client import Plan, make_plan, send_plan
from lmfunction._confirmation import confirm
from lmfunction._door import NOTHING, Door
from lmfunction._emission import selector
from lmfunction._engine import Engine
from lmfunction._failures import act_on_error, act_on_failure, keep_failure
from lmfunction._gathered import Gathered, gather
from lmfunction._model import InvokeResult
from lmfunction._notices import Notices, assign, check_assignable, empty_lists
from lmfunction._progress import Progress, shown, wanted
from lmfunction._table import INVOKE
from lmfunction.errors import LMError


@dataclass(frozen=True)
class Call:
    """One invocation made ready: the plan, and what becomes of its result."""

    gathered: Gathered
    plan: Plan
    notices: Notices
    select: Callable[[InvokeResult], Any]

    def send(self, engine: Engine) -> InvokeResult:
        """Sends the plan. Raises what `send_plan` raises."""
        result = self._sent(engine)
        if self.notices.talkative:
            for attempt in result.attempt_log:
                self.notices.verbose(f"attempt: {attempt.outcome} {attempt.code} {attempt.elapsed_ms:.0f} ms")
        return result

    def _sent(self, engine: Engine) -> InvokeResult:
        if engine.hooks is None:
            return send_plan(self.plan, engine.connections, engine.policy)
        return engine.hooks.around(
            self.plan.request,
            lambda: send_plan(self.plan, engine.connections, engine.policy),
            lambda text: self.notices.door.tell("warning", text),
        )

    def progress(self, elapsed: float) -> Progress:
        """How the wait for its answer stands after `elapsed` seconds."""
        request = self.plan.request
        limit = self.gathered.arguments.get("timeout_sec")
        return Progress(request.label, elapsed, limit, on_stop=_ON_STOP.get(request.invocation_type, ""))

    def error_action(self, door: Door) -> str:
        """What a failed function does."""
        return str(self.gathered.arguments.get("error_action", door.error_action))


def prepare(values: Mapping[str, Any], engine: Engine, door: Door) -> Call | None:
    """The call for `values` (by parameter name), confirmed; None when -WhatIf showed it instead."""
    gathered = gather(INVOKE, values, engine)
    arguments = gathered.arguments
    notices = Notices(arguments, door)
    select = selector(INVOKE, arguments, values)
    check_assignable(arguments, door)
    empty_lists(arguments, door)
    plan = make_plan(arguments, gathered.profile, gathered.aws_profile, warn=notices.warn, given=gathered.given)
    if engine.hooks is not None:
        plan = dataclasses.replace(plan, request=engine.hooks.mapped(plan.request, notices.warn))
    if notices.talkative:
        notices.verbose(repr(plan).removeprefix("What if: "))
    if arguments.get("what_if", door.what_if):
        door.show(plan.resolved())
        return None
    confirm(arguments, plan.name, lambda: _plan_lines(plan), door)
    return Call(gathered, plan, notices, select)


def invoke(values: Mapping[str, Any], engine: Engine, door: Door, on_result: Callable[[InvokeResult], None]) -> Any:
    """Runs Invoke-LMFunction for `values` (by parameter name) and gives what it emits, or NOTHING.

    `on_result` sees the result before ErrorAction and Select decide what becomes of it.
    """
    call = prepare(values, engine, door)
    if call is None:
        return NOTHING
    try:
        viewers = wanted(call.gathered.arguments, door.progress_action, door.progress)
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


def _plan_lines(plan: Plan) -> list[str]:
    request = plan.request
    return [
        f"Endpoint: {plan.endpoint}",
        f"Account: {plan.account}   Region: {request.target.region}",
        f"Payload: {len(request.payload):,} bytes   InvocationType: {request.invocation_type}",
        f"Function: {request.function_name}{f'   Qualifier: {request.qualifier}' if request.qualifier else ''}",
    ]

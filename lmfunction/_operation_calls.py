"""A cmdlet of the API run: gather, check, what-if, confirm, send, select. One runner for all of them.

Operations that only read may be repeated by botocore's standard mode (`READ_ATTEMPTS`); whatever changes something is
sent once. Pages are followed by botocore's paginators.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from lmfunction._client import with_full_name
from lmfunction._connection import resolve_place
from lmfunction._dispatch import scribe_for
from lmfunction._door import NOTHING, Door
from lmfunction._emission import exact_parameter, selector
from lmfunction._engine import Engine
from lmfunction._failures import act_on_error, act_on_failure
from lmfunction._gathered import gather, is_dry
from lmfunction._guards import FREE, Clearance, clear, concerned, foresee
from lmfunction._model import InvokeResult
from lmfunction._names import parse_function_name
from lmfunction._notices import Notices, assign, check_assignable, empty_lists
from lmfunction._operation_plan import OperationPlan
from lmfunction._operation_requests import request_members
from lmfunction._operations import ASKING_VERBS, NOTHING_SELECTED, READING_VERBS, default_select, subject_of, verb_of
from lmfunction._params import Cmdlet
from lmfunction._prepare import check_place
from lmfunction._progress import shown, wanted
from lmfunction._record import hiding, recorded
from lmfunction._service import Operation, operation
from lmfunction._stream_calls import stream
from lmfunction._transport import Doubt, translate
from lmfunction.errors import InvocationInterrupted, LMError, ParameterError

READ_ATTEMPTS: Final = 5
OnResult = Callable[[InvokeResult], None]


def run_operation(
    cmdlet: Cmdlet,
    operation_name: str,
    values: Mapping[str, Any],
    engine: Engine,
    door: Door,
    on_result: OnResult,
) -> Any:
    """Runs a cmdlet of the API for `values` (by parameter name) and gives what it emits, or NOTHING.

    Raises ParameterError and ProfileError before anything is sent, GuardError when a confirmation fails, ServiceError
    when AWS refuses, TransportError when no whole answer came.
    """
    found = operation(operation_name)
    gathered = gather(cmdlet, values, engine)
    arguments = dict(with_full_name(gathered.arguments, gathered.profile.functions))
    notices = Notices(arguments, door)
    check_assignable(arguments, door)
    empty_lists(arguments, door)
    notices.warn_once(gathered.profile.notices, engine.told)
    if found.streams:
        select = selector(cmdlet, arguments, values)
    else:
        select = answer_selector(cmdlet, found, arguments, values)
    plan = _plan(cmdlet, found, arguments, gathered.profile, gathered.aws_profile)
    if found.deprecated:
        notices.warn(f"{cmdlet.name} is deprecated by AWS: use Invoke-LMFunction -InvocationType Event instead.")
    notices.verbose(repr(plan).removeprefix("What if: "))
    scribe = scribe_for(plan.intent(), plan.members, _reticent(engine) if plan.reads else engine, door)
    if is_dry(arguments, engine, door, reads=plan.reads):
        if plan.place.profile.guarded:
            foresee(plan.intent())
        scribe.what_if()
        door.show(plan)
        return NOTHING
    with scribe.refusals():
        clearance = _cleared(plan, arguments, engine, door)
    try:
        if clearance is not FREE:
            with scribe.refusals():
                clearance.verify(plan.intent(), engine)

        def send() -> Any:
            return _sent(plan, engine, single_page=_is_manual(found, arguments))

        if found.streams:
            answer: Any = stream(plan, engine, door, scribe, arguments, send)
            if answer.over:
                on_result(answer)
                act_on_failure(answer, str(arguments.get("error_action", door.error_action)), door)
        else:
            with shown(wanted(arguments, door.progress_action, door.progress), plan.progress, engine.policy.clock):
                answer = _told(scribe.around(send))
    except LMError as error:
        act_on_error(error, gathered, door)
        return NOTHING
    emitted = hiding(select(answer), gathered.profile.redaction)
    if "out_variable" in arguments and emitted is not NOTHING:
        assign(door, arguments["out_variable"], emitted)
    return emitted


def _plan(cmdlet: Cmdlet, found: Operation, arguments: dict[str, Any], profile: Any, aws_profile: Any) -> OperationPlan:
    arguments.setdefault("timeout_sec", float(cmdlet.by_name["TimeoutSec"].default))
    members = request_members(cmdlet, found, arguments)
    subject = members.get(subject_of(found) or "")
    function = parse_function_name(members["FunctionName"]) if "FunctionName" in members else None
    region = function.region if function is not None else _region_of(subject)
    place = resolve_place(arguments, profile, aws_profile, arn_region=region)
    if function is not None:
        check_place(function, place.connection.region)
    attempts = READ_ATTEMPTS if verb_of(cmdlet) in READING_VERBS else 1
    return OperationPlan(
        cmdlet,
        found,
        members,
        dataclasses.replace(place, connection=dataclasses.replace(place.connection, attempts=attempts)),
    )


def _reticent(engine: Engine) -> Engine:
    """The engine, which writes nothing down: what only reads changes nothing that somebody would have to answer for."""
    return dataclasses.replace(engine, audits=None)


def _region_of(subject: Any) -> str | None:
    """The region that an ARN names."""
    parts = subject.split(":") if isinstance(subject, str) else []
    return parts[3] or None if len(parts) > 5 and parts[0] == "arn" else None


def _is_manual(found: Operation, arguments: Mapping[str, Any]) -> bool:
    """Whether the caller pages: by -NoAutoIteration, or by giving the token or the limit of a page."""
    if found.paging is None:
        return False
    rows = ("NoAutoIteration", found.paging.token, found.paging.limit)
    given = {name.replace("_", "") for name, value in arguments.items() if value not in (None, False)}
    return any(name is not None and name.casefold() in given for name in rows)


def _cleared(plan: OperationPlan, arguments: Mapping[str, Any], engine: Engine, door: Door) -> Clearance:
    """The guards passed. Before something is removed they ask unasked for, where there is somebody to answer."""
    if not concerned(plan.place.profile, arguments) and verb_of(plan.cmdlet) not in ASKING_VERBS:
        return FREE
    return clear(plan.intent(), arguments, engine, door)


def _sent(plan: OperationPlan, engine: Engine, *, single_page: bool) -> Any:
    """The answer's members, pages put together."""
    doubt = _doubt(plan)
    try:
        client = engine.connections.transport(plan.place).client
        if plan.operation.paging is not None and not single_page:
            return _all_pages(client, plan)
        answer = getattr(client, plan.operation.method)(**plan.members)
    except LMError:
        raise
    except KeyboardInterrupt:
        raise InvocationInterrupted(f"Stopped. {doubt.what}.", sent=None) from None
    except Exception as error:
        raise translate(error, doubt) from error
    return answer


def _all_pages(client: Any, plan: OperationPlan) -> dict[str, Any]:
    """Every page as one answer."""
    paging = plan.operation.paging
    assert paging is not None
    whole: dict[str, Any] = {}
    items: list[Any] = []
    for page in client.get_paginator(plan.operation.method).paginate(**plan.members):
        items += page.get(paging.result) or []
        whole |= page
    whole.pop(paging.next_token, None)
    return {**whole, paging.result: items}


def _told(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def _doubt(plan: OperationPlan) -> Doubt:
    if plan.operation.streams:
        return Doubt()
    if plan.reads:
        return Doubt(f"{plan.operation.name} brought no answer", "It changes nothing, so it can be repeated.")
    what = f"Unknown whether {plan.operation.name} was carried out on {plan.target}"
    return Doubt(what, "It was not sent again; look before you repeat it.")


def answer_selector(
    cmdlet: Cmdlet, found: Operation, arguments: Mapping[str, Any], values: Mapping[str, Any]
) -> Callable[[Any], Any]:
    """What -Select and -PassThru make of an answer. Raises ParameterError before anything is sent."""
    subject = subject_of(found)
    if arguments.get("pass_thru"):
        return lambda _: values.get(subject or "", NOTHING)
    expression = arguments.get("select", default_select(found))
    shapes = {member.name: member.shape for member in found.outputs}
    if expression == NOTHING_SELECTED and "select" not in arguments:
        return lambda _: NOTHING
    if expression == "*":
        return lambda answer: recorded(found.output_shape or found.name, answer)
    if not isinstance(expression, str) or not expression.strip():
        raise ParameterError("Select is empty: it must be *, ^PARAMETER or a JMESPath expression.", parameter="Select")
    if expression.startswith("^"):
        name = exact_parameter(cmdlet, expression[1:])
        return lambda _: values.get(name)
    member = next((name for name in shapes if name.casefold() == expression.casefold()), None)
    if member is not None:
        return lambda answer: _emitted(found, member, answer)
    from lmfunction._select import compile_expression

    compiled = compile_expression(expression, shapes)
    return lambda answer: recorded(found.output_shape, compiled.search(answer))


def _emitted(found: Operation, name: str, answer: Mapping[str, Any]) -> Any:
    """A member's value: a list as records of its type, a map as it is, nothing when the answer does not have it."""
    member = next(m for m in found.outputs if m.name == name)
    value = answer.get(name)
    if value is None:
        return recorded(member.shape, []) if member.type in ("objects", "texts") else NOTHING
    return value if member.type == "map" else recorded(member.shape, value)

"""From bound values to what is emitted: the steps that every cmdlet takes, whatever the door.

gather (defaults, profile, conversion) -> plan -> what-if, confirm -> send -> ErrorAction -> Select -> OutVariable.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lmfunction._arguments import convert
from lmfunction._client import Connections, Plan, make_plan, send_plan
from lmfunction._connection import profile_of
from lmfunction._defaults import Defaults, add_defaults, profile_defaults
from lmfunction._door import NOTHING, Door
from lmfunction._hooks import Hooks
from lmfunction._model import InvokeResult
from lmfunction._params import Cmdlet
from lmfunction._profile_values import Profile
from lmfunction._retry import RetryPolicy
from lmfunction._table import INVOKE
from lmfunction._text import did_you_mean, visible
from lmfunction._wire import RESULT_MEMBERS
from lmfunction.errors import FunctionError, GuardError, LMError, ParameterError, TransportError


@dataclass(frozen=True)
class Engine:
    """What calls share: open connections, the retry policy, defaults set by the user and by a session, hooks."""

    connections: Connections = field(default_factory=Connections)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    defaults: Defaults = field(default_factory=Defaults)
    fixed: Mapping[str, Any] = field(default_factory=dict)  # a Session's own arguments, by parameter name
    hooks: Hooks | None = None


@dataclass(frozen=True)
class Gathered:
    """Converted arguments by Python name; `given` are those given for this call."""

    arguments: dict[str, Any]
    given: frozenset[str]
    profile: Profile
    aws_profile: str | None


def gather(cmdlet: Cmdlet, values: Mapping[str, Any], engine: Engine) -> Gathered:
    """The arguments that `values` (by parameter name) and the defaults make."""
    every = dict(values)
    add_defaults(cmdlet, every, engine.fixed)
    add_defaults(cmdlet, every, engine.defaults.values_for(cmdlet))
    profile, aws_profile = profile_of({cmdlet.by_name[n].target: every[n] for n in _PROFILE_NAMES if n in every})
    add_defaults(cmdlet, every, profile_defaults(cmdlet, profile))
    given = frozenset(cmdlet.by_name[name].target for name in values)
    return Gathered(convert(cmdlet, every), given, profile, aws_profile)


def refuse_exclusive(cmdlet: Cmdlet, values: Mapping[str, Any]) -> None:
    """Refuses values (by parameter name, no line behind them) whose parameters exclude each other."""
    for name in values:
        for other in cmdlet.by_name[name].excludes:
            if other in values:
                raise ParameterError(f"{name} and {other} exclude each other: give one of them.", parameter=name)


_PROFILE_NAMES = ("ProfileName", "ProfileLocation")


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
        result = call.send(engine)
        on_result(result)
        act_on_failure(result, call.error_action(door), door)
        _keep_failure(result, call.gathered.arguments, door)
    except LMError as error:
        act_on_error(error, call.gathered, door)
        return NOTHING
    emitted = call.select(result)
    if "out_variable" in call.gathered.arguments:
        assign(door, call.gathered.arguments["out_variable"], emitted)
    return emitted


class Notices:
    """Warnings and verbose lines of one command, as its own parameters want them."""

    def __init__(self, arguments: Mapping[str, Any], door: Door) -> None:
        self.door = door
        self.action = arguments.get("warning_action", "Continue")
        self.talkative = bool(arguments.get("verbose") or arguments.get("debug"))
        self.variable = arguments.get("warning_variable")
        self.kept: list[str] = []

    def warn(self, text: str) -> None:
        """Tells a warning, or raises it when -WarningAction is Stop."""
        self.kept.append(text)
        if self.variable is not None:
            keep(self.door, self.variable, [text] if self.variable.startswith("+") else list(self.kept))
        if self.action == "Stop":
            raise ParameterError(f"{text} (-WarningAction Stop)")
        if self.action == "Continue":
            self.door.tell("warning", text)

    def verbose(self, text: str) -> None:
        """Tells `text` when -Verbose or -Debug asks for it."""
        if self.talkative:
            self.door.tell("verbose", text)


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


def check_assignable(arguments: Mapping[str, Any], door: Door) -> None:
    """Refuses -OutVariable and its kin at a door that has no variables."""
    for name in ("out_variable", "error_variable", "warning_variable", "variable"):
        if name in arguments and door.assign is None:
            parameter = "".join(part.capitalize() for part in name.split("_"))
            raise ParameterError(
                f"{parameter} names a variable, and there are none here: use it in IPython or Jupyter.",
                parameter=parameter,
            )


def assign(door: Door, name: str, value: Any) -> None:
    """Sets the user's variable `name`, or appends to the list in `+NAME`."""
    assert door.assign is not None
    if not name.startswith("+"):
        door.assign(name, value)
        return
    held = door.scope.names.get(name[1:], [])
    door.assign(name[1:], [*(held if isinstance(held, list) else [held]), value])


def keep(door: Door, name: str, found: list[Any]) -> None:
    """Sets the user's variable `name` to the list `found`, or adds its items to the list in `+NAME`."""
    assert door.assign is not None
    held = door.scope.names.get(name[1:], []) if name.startswith("+") else []
    door.assign(name.removeprefix("+"), [*(held if isinstance(held, list) else [held]), *found])


def empty_lists(arguments: Mapping[str, Any], door: Door) -> None:
    """Empties -ErrorVariable and -WarningVariable, so that what they hold afterwards is of this line."""
    for name in ("error_variable", "warning_variable"):
        if not arguments.get(name, "+").startswith("+"):
            keep(door, arguments[name], [])


def selector(cmdlet: Cmdlet, arguments: Mapping[str, Any], values: Mapping[str, Any]) -> Callable[[InvokeResult], Any]:
    """What -Select and -PassThru make of a function's result. Raises ParameterError before anything is sent."""
    if arguments.get("pass_thru"):
        return lambda _: values["FunctionName"]
    expression = arguments.get("select", "*")
    if expression == "*":
        return lambda result: result
    if not isinstance(expression, str) or not expression.strip():
        raise ParameterError("Select is empty: it must be *, ^PARAMETER or a JMESPath expression.", parameter="Select")
    if expression.startswith("^"):
        name = exact_parameter(cmdlet, expression[1:])
        return lambda _: values.get(name)
    from lmfunction._select import compile_expression

    compiled = compile_expression(expression, RESULT_MEMBERS)
    return lambda result: compiled.search(result.to_dict())


def exact_parameter(cmdlet: Cmdlet, text: str) -> str:
    """The parameter by its name or alias in any case; a prefix does not count (as in PowerShell)."""
    for parameter in cmdlet.parameters:
        if text.replace("_", "").casefold() in parameter.spellings:
            return parameter.name
    hint = did_you_mean(text, cmdlet.by_name, prefix="^")
    raise ParameterError(f"Select ^{text}: there is no such parameter.{hint}", parameter="Select")


def act_on_failure(result: InvokeResult, action: str, door: Door) -> None:
    """Shows a failed function's card, and raises its FunctionError, as ErrorAction says."""
    if result.ok:
        return
    if action != "SilentlyContinue":
        door.show(result)
    if action == "Stop":
        result.raise_for_error()
    if door.shows_failures:
        result.shown()


def _keep_failure(result: InvokeResult, arguments: Mapping[str, Any], door: Door) -> None:
    """Keeps a failed function's error for -ErrorVariable also where the result goes on."""
    if result.ok or "error_variable" not in arguments:
        return
    try:
        result.raise_for_error()
    except FunctionError as error:
        keep(door, arguments["error_variable"], [error])


def act_on_error(error: LMError, gathered: Gathered, door: Door) -> None:
    """Keeps `error` for -ErrorVariable and raises it, unless this very call asks for Continue or SilentlyContinue."""
    arguments = gathered.arguments
    if "error_variable" in arguments:
        keep(door, arguments["error_variable"], [error])
    asked = "error_action" in gathered.given and arguments["error_action"] != "Stop"
    if isinstance(error, ParameterError) or not asked:
        raise error
    if isinstance(error, TransportError) and error.sent is None:
        raise error  # an unknown outcome is never passed over
    if arguments["error_action"] == "Continue":
        door.tell("error", f"{type(error).__name__}: {error}")


def _plan_lines(plan: Plan) -> list[str]:
    request = plan.request
    return [
        f"Endpoint: {plan.endpoint}",
        f"Account: {plan.account}   Region: {request.target.region}",
        f"Payload: {len(request.payload):,} bytes   InvocationType: {request.invocation_type}",
        f"Function: {request.function_name}{f'   Qualifier: {request.qualifier}' if request.qualifier else ''}",
    ]

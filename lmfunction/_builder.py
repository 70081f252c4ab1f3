"""`lm.Invoke`: one invocation built step by step, as AWS's SDK for Rust builds it, sent alone or used in a pipe."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Self

from lmfunction import _runners
from lmfunction._arguments import convert
from lmfunction._batch_plan import BatchPlan
from lmfunction._bulk_result import BulkResult
from lmfunction._client import Plan
from lmfunction._common_rows import CONNECTION
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._gathered import gather
from lmfunction._hooks import Hooks, HttpRequest, add_interceptor
from lmfunction._invoke_stage import InvokeStage
from lmfunction._mask import shown_value
from lmfunction._model import InvokeResult
from lmfunction._params import Kind, Parameter
from lmfunction._pipeline import Flow, Stage, Stopped
from lmfunction._request import InvokeRequest
from lmfunction._retry import RetryPolicy
from lmfunction._session import Session, call, default_session, python_door
from lmfunction._table import INVOKE
from lmfunction._text import did_you_mean, one_line
from lmfunction._unset import UNSET
from lmfunction.errors import ParameterError

# Where None is a value of its own: a payload of JSON's null.
_TAKES_NONE: Final = frozenset(["Payload"])
_OPEN: Final = {p.target: p for p in INVOKE.parameters if not p.refused}
_CONFIGURATION: Final = {p.target: p for p in (*CONNECTION, INVOKE.by_name["TimeoutSec"]) if not p.refused}


class Input(Mapping[str, Any]):
    """What a builder has been given, by Python name. Its repr shows no payload and no secret."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {INVOKE.by_name[name].target: value for name, value in values.items()}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        shown = (f"{name}={shown_value(INVOKE.by_target[name], value)}" for name, value in self.items())
        return f"Input({', '.join(shown)})"


class Invoke(Stage):
    """An invocation that has not been sent: `lm.Invoke("f").payload({"id": 1}).qualifier("live").send()`.

    There is a setter for every parameter of `Invoke-LMFunction`, by its Python name; each gives a new builder and
    leaves this one as it is. `set_x(None)` takes a value away, `get_x()` gives it or None. The positions and keywords
    are those of `invoke_lm`. A value of the wrong kind raises ParameterError at once, the rest is checked by `send()`.

    Behind a `|` it is called once for each object: one gives an InvokeResult, several a BulkResult. In front of a `|`
    it begins a pipe, which its own `send()` runs. A function that fails inside a pipe raises FunctionError, because
    its answer cannot be passed on, unless `error_action` says otherwise.
    """

    ends = True

    def __init__(self, function_name: Any = UNSET, payload: Any = UNSET, **parameters: Any) -> None:
        self._values: dict[str, Any] = {}
        self._session: Session | None = None
        self._policy: RetryPolicy | None = None
        self._hooks: Hooks | None = None
        for name, value in {"function_name": function_name, "payload": payload, **parameters}.items():
            if name not in INVOKE.by_target:
                raise TypeError(f"Invoke() got an unexpected keyword argument {name!r}.{did_you_mean(name, _OPEN)}")
            if value is not UNSET:
                self._set(INVOKE.by_target[name], value)

    def session(self, session: Session) -> Self:
        """The same call, to be sent with `session`."""
        return self._copy(_session=session)

    def as_input(self) -> Input:
        """What has been set, by Python name: `lm.invoke_lm(**builder.as_input())` is the same call."""
        return Input(self._values)

    def send(self) -> Any:
        """Sends the call and gives its InvokeResult, or what `select` picks of it.

        A function that failed is a result here, whose `ok` is False. Raises what `invoke_lm` raises.
        """
        return call(INVOKE, self._engine(), self.as_input())

    def send_with(self, session: Session) -> Any:
        """`send()` with `session`."""
        return self.session(session).send()

    def customize(self) -> CustomizableInvoke:
        """The same call, into which functions can be hung and whose configuration can be overridden."""
        return CustomizableInvoke(self, Hooks())

    def run(self, objects: Iterator[Any], flow: Flow) -> Iterator[Any]:
        """The results of one call for each object."""
        if "InputObject" in self._values:
            raise ParameterError("InputObject is set, and objects are piped in: give one of them.")
        plans: list[Plan | BatchPlan] = []
        door, last = self._door(flow, plans)
        stage = InvokeStage(self._values, self._engine(), door)
        if last:
            flow.last = stage
        try:
            for emitted in stage.run(objects, flow):
                if plans:
                    continue  # it holds what `what_if` did not send
                if not last and isinstance(emitted, BulkResult) and not emitted.ok and self._action() == "Continue":
                    door.tell("warning", emitted.left_out())
                yield emitted
        except Stopped:
            _tell(plans, door)
            raise
        flow.many = flow.many or len(plans) > 1
        yield from plans

    def begin(self, flow: Flow) -> Iterator[Any]:
        """The result of the call, for a pipe that it begins."""
        plans: list[Plan | BatchPlan] = []
        door, _ = self._door(flow, plans)
        emitted = _runners.run(INVOKE, self._values, self._engine(), door, lambda _: None)
        if plans:
            _tell(plans, door)
            raise Stopped
        if emitted is not NOTHING and (not isinstance(emitted, InvokeResult) or emitted.ok):
            yield emitted

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        prefix, target = (name[:4], name[4:]) if name.startswith(("set_", "get_")) else ("", name)
        parameter = INVOKE.by_target.get(target)
        if parameter is None:
            hint = did_you_mean(target, [*_OPEN, *vars(Invoke)], prefix=prefix)
            raise AttributeError(f"Invoke has no parameter {target!r}.{hint}")
        if prefix == "get_":
            return lambda: self._values.get(parameter.name)
        return _setter(self, parameter, name, unsets=prefix == "set_")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(prefix + name for name in _OPEN for prefix in ("", "set_", "get_"))})

    def __repr__(self) -> str:
        return f"Invoke{repr(self.as_input()).removeprefix('Input')}"

    def _set(self, parameter: Parameter, value: Any) -> None:
        if parameter.refused:
            raise ParameterError(f"{parameter.name}: {parameter.refused}", parameter=parameter.name)
        if value is None and parameter.name not in _TAKES_NONE:
            self._values.pop(parameter.name, None)
            return
        convert(INVOKE, {parameter.name: value})
        self._values[parameter.name] = value

    def _copy(self, **changes: Any) -> Self:
        copied = type(self)()
        copied.__dict__.update(self.__dict__, _values=dict(self._values), **changes)
        return copied

    def _engine(self) -> Engine:
        engine = (self._session or default_session()).engine
        return dataclasses.replace(engine, policy=self._policy or engine.policy, hooks=self._hooks)

    def _action(self) -> Any:
        """The ErrorAction that is set for the call, wherever; None where none is."""
        return gather(INVOKE, self._values, self._engine()).arguments.get("error_action")

    def _door(self, flow: Flow, plans: list[Plan | BatchPlan]) -> tuple[Door, bool]:
        """The door inside a pipe, which keeps what `what_if` shows, and whether nothing follows.

        Where something follows, a failure stops the pipe, as in a line: its answer cannot be passed on.
        """
        last = flow.last is self

        def show(shown: Any) -> None:
            if isinstance(shown, Plan | BatchPlan):
                plans.append(shown)
            elif isinstance(shown, InvokeResult) and not last and self._action() == "Continue":
                text = one_line(str(shown.error), 200)
                door.tell("warning", f"{shown.request.label} failed and is not passed on: {text}")

        door = python_door(show, "Continue" if last else "Stop")
        return door, last


class CustomizableInvoke(Stage):
    """An invocation with hooks and overrides of its own; each step gives a new one. A stage of a pipe like `Invoke`.

    A hook that fails before the answer stops the call: TransportError with `sent` False, which names the hook. No hook
    makes the call run twice.
    """

    ends = True

    def __init__(self, invoke: Invoke, hooks: Hooks) -> None:
        self._invoke = invoke._copy(_hooks=hooks)
        self._hooks = hooks

    def map_request(self, function: Callable[[InvokeRequest], InvokeRequest]) -> CustomizableInvoke:
        """`function` takes the checked InvokeRequest and gives the one to confirm and send; it is checked again."""
        return self._with(dataclasses.replace(self._hooks, map_request=(*self._hooks.map_request, function)))

    def mutate_request(self, function: Callable[[HttpRequest], object]) -> CustomizableInvoke:
        """`function` gets the HTTP request (`method`, `url`, `headers`, `body`) of every send before it is signed."""
        return self._with(dataclasses.replace(self._hooks, mutate_request=(*self._hooks.mutate_request, function)))

    def interceptor(self, interceptor: Any) -> CustomizableInvoke:
        """An object with any of these methods:

        `read_before_execution(request)`, `modify_before_signing(http)` for every send, and
        `read_after_execution(request, result_or_error)`. Raises TypeError when it has none of them.
        """
        return self._with(add_interceptor(self._hooks, interceptor))

    def config_override(self, **parameters: Any) -> CustomizableInvoke:
        """Where and how this call goes: a value overrides, None inherits.

        Takes the connection's parameters (`region`, `endpoint_url`, `profile_name`, `credential`, `client_config` ...),
        `timeout_sec`, and a `retry_policy`. Raises TypeError for another name.
        """
        invoke = self._invoke._copy()
        for name, value in parameters.items():
            if name != "retry_policy" and name not in _CONFIGURATION:
                hint = did_you_mean(name, [*_CONFIGURATION, "retry_policy"])
                raise TypeError(f"config_override() got an unexpected keyword argument {name!r}.{hint}")
            if value is None:
                continue
            if name == "retry_policy":
                invoke._policy = value
            else:
                invoke._set(_CONFIGURATION[name], value)
        return CustomizableInvoke(invoke, self._hooks)

    def send(self) -> Any:
        """As `Invoke.send`, with the hooks."""
        return self._invoke.send()

    def send_with(self, session: Session) -> Any:
        """`send()` with `session`."""
        return self._invoke.send_with(session)

    def run(self, objects: Iterator[Any], flow: Flow) -> Iterator[Any]:
        """The results of one call for each object, each with the hooks."""
        if flow.last is self:
            flow.last = self._invoke
        return self._invoke.run(objects, flow)

    def begin(self, flow: Flow) -> Iterator[Any]:
        """The result of the call, for a pipe that it begins."""
        return self._invoke.begin(flow)

    def __repr__(self) -> str:
        names = [name for name in ("map_request", "mutate_request", "interceptors") if getattr(self._hooks, name)]
        return f"<{self._invoke!r} customized: {', '.join(names) or 'no hooks'}>"

    def _with(self, hooks: Hooks) -> CustomizableInvoke:
        return CustomizableInvoke(self._invoke, hooks)


def _setter(builder: Invoke, parameter: Parameter, name: str, *, unsets: bool) -> Callable[..., Invoke]:
    """The function that gives `builder` with another value; a switch needs none."""

    def setter(value: Any = UNSET) -> Invoke:
        if value is UNSET:
            if parameter.kind is not Kind.SWITCH:
                raise TypeError(f"{name}() needs a value.")
            value = True
        changed = builder._copy()
        if unsets and value is None:
            changed._values.pop(parameter.name, None)
        else:
            changed._set(parameter, value)
        return changed

    setter.__name__ = setter.__qualname__ = name
    setter.__doc__ = parameter.help
    return setter


def _tell(plans: list[Plan | BatchPlan], door: Door) -> None:
    for plan in plans:
        door.tell("verbose", repr(plan))

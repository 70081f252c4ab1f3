"""What becomes of a failure: -ErrorAction and -ErrorVariable; and of what a cmdlet emits: -OutVariable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._gathered import Gathered, gather, refuse_exclusive
from lmfunction._model import InvokeResult
from lmfunction._notices import assign, check_assignable, empty_lists, keep
from lmfunction._params import Cmdlet
from lmfunction.errors import FunctionError, LMError, ParameterError, TransportError


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


def keep_failure(result: InvokeResult, arguments: Mapping[str, Any], door: Door) -> None:
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
    if arguments["error_action"] != "Continue":
        return
    if door.show_error is not None:
        door.show_error(error)
    else:
        door.tell("error", f"{type(error).__name__}: {error}")


def carried_out(
    cmdlet: Cmdlet, values: Mapping[str, Any], engine: Engine, door: Door, step: Callable[[Gathered], Any]
) -> Any:
    """What `step` emits for `values` (by parameter name), with what its common parameters ask for; NOTHING when it
    failed and the line passes over that.
    """
    refuse_exclusive(cmdlet, values)
    gathered = gather(cmdlet, values, engine)
    arguments = gathered.arguments
    check_assignable(arguments, door)
    empty_lists(arguments, door)
    try:
        emitted = step(gathered)
    except LMError as error:
        act_on_error(error, gathered, door)
        return NOTHING
    if "out_variable" in arguments and emitted is not NOTHING:
        assign(door, arguments["out_variable"], emitted)
    return emitted

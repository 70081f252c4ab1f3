"""What becomes of a failure: -ErrorAction and -ErrorVariable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmfunction._door import Door
from lmfunction._gathered import Gathered
from lmfunction._model import InvokeResult
from lmfunction._notices import keep
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

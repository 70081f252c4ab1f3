"""Function errors explained: from the error object that a runtime returns to what a person can do about it.

The shapes of the error objects are those that AWS was recorded answering for Python, Node, Java, Ruby, .NET, Go and
custom runtimes; the spellings of the type are Lambda's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

# The error type, or how it begins -> what to do.
_HINTS: Final = {
    "Sandbox.Timedout": "It ran into its own Timeout: raise it (up to 900 s) or make the function faster.",
    "Function.ResponseSizeTooLarge": "Its answer is over 6,291,556 bytes: return less, or a key to where it is stored.",
    "Runtime.ImportModuleError": "A module is missing in its package: check Handler and the packaged dependencies.",
    "Runtime.UserCodeSyntaxError": "Its code does not compile on this runtime.",
    "Runtime.HandlerNotFound": "Its Handler names a function that the module does not have.",
    "Runtime.MalformedHandlerName": "Its Handler must be MODULE.FUNCTION.",
    "Runtime.BuiltInModuleConflict": "Its handler module has the name of a built-in module: rename it.",
    "Runtime.MarshalError": "Its answer cannot be written as JSON: convert sets, dates, Decimals and bytes first.",
    "Runtime.LambdaContextUnmarshalError": "The ClientContext is not the JSON object that its runtime expects.",
    "Runtime.OutOfMemory": "It used all its memory: raise MemorySize.",
    "Runtime.ExitError": "Its process ended before it answered: look for sys.exit(), a crash or too little memory.",
    "Runtime.InvalidEntrypoint": "Its runtime could not be started: check the bootstrap file and its permissions.",
}

_MOST_CAUSES: Final = 20


@dataclass(frozen=True, slots=True)
class FunctionFailure:
    """Why a function failed, as its runtime told it.

    `stack_trace` holds the lines in the order of the function's own language; `request_id` is the one the runtime
    wrote, empty when it failed before an event was read. `hint` says what usually mends this type of error.
    """

    type: str
    message: str
    stack_trace: tuple[str, ...] = ()
    request_id: str | None = None
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


def explain(function_error: str, payload: Any) -> FunctionFailure:
    """The failure that `payload` tells of. Any value of the function error header counts, not one spelling of it."""
    if not isinstance(payload, dict):
        message = payload if isinstance(payload, str) else "" if payload is None else repr(payload)
        return FunctionFailure(function_error, message)
    kind = str(payload.get("errorType") or function_error)
    told = payload.get("errorMessage")
    message = "" if told is None else str(told)
    if kind == function_error and "Task timed out" in message:
        kind = "Sandbox.Timedout"  # answers from before 2025 carry the message alone
    request_id = payload.get("requestId")
    return FunctionFailure(
        type=kind,
        message=message,
        stack_trace=_stack(payload),
        request_id=str(request_id) if request_id else None,
        hint=_HINTS.get(kind, ""),
    )


def _stack(payload: dict[str, Any]) -> tuple[str, ...]:
    """The stack of an error object, and below it those of its causes, as Java and .NET tell them."""
    lines = list(_own_stack(payload))
    cause = payload.get("cause")
    for _ in range(_MOST_CAUSES):
        if not isinstance(cause, dict):
            break
        kind, message = cause.get("errorType"), cause.get("errorMessage")
        lines.append("Caused by: " + ": ".join(str(part) for part in (kind, message) if part not in (None, "")))
        lines += _own_stack(cause)
        cause = cause.get("cause")
    return tuple(lines)


def _own_stack(payload: dict[str, Any]) -> tuple[str, ...]:
    """`stackTrace` (Python, Java, Ruby, .NET, Go) or `trace` (Node)."""
    stack = payload.get("stackTrace") or payload.get("trace") or ()
    if isinstance(stack, str):
        return tuple(stack.splitlines())
    if not isinstance(stack, list):
        return ()
    return tuple(line for frame in stack for line in _frame(frame).rstrip("\n").split("\n"))


def _frame(frame: Any) -> str:
    if isinstance(frame, dict):  # Go: {"path", "line", "label"}
        return f"  {frame.get('path', '?')}:{frame.get('line', '?')} {frame.get('label', '')}".rstrip()
    if isinstance(frame, list):  # Python 2.7: [file, line, function, text]
        return "  " + " ".join(str(part) for part in frame)
    return str(frame)

"""What can go wrong, split by who can mend it.

::

    LMError
     |- ParameterError   the line or an argument is wrong; nothing was sent      (also a ValueError)
     |- ProfileError     a profile, region, credential or endpoint is wrong      (also a ValueError)
     |- GuardError       a guard refused, or nobody could confirm
     |- TransportError   the call could not complete; `.sent` says what is known
     |- ServiceError     AWS answered, and refused
     |- FunctionError    the function ran and failed; `.result` holds its answer
     |- ExpectationError an `expect` in a pipeline was not met
     |- BulkError        some of many invocations did not succeed
     `- JournalError     the journal of a bulk run, or the store of once keys, cannot be used
    KeyboardInterrupt
     `- InvocationInterrupted   Ctrl-C while waiting; says what is known
    UserWarning
     `- LMWarning               something that AWS would do silently

Every error is picklable, shows itself in IPython as a few lines of its own, and carries the request id when known.

Whether a call may be repeated hangs on one question: was it dispatched? `error.kind` answers it in the words of AWS's
SDK for Rust (`SdkError`), derived from the class and from what the transport saw, never from text:

===================  ============================================================  ===========================
kind                 what happened                                                 was it dispatched?
===================  ============================================================  ===========================
ConstructionFailure  ParameterError, ProfileError, GuardError, JournalError        no
DispatchFailure      TransportError: no connection, or it broke before an answer   see `sent`: no, or unknown
TimeoutError         TransportError: no answer came in time                        unknown
ResponseError        TransportError: an answer came, cut or not Lambda's           see `sent`: yes, or unknown
ServiceError         ServiceError                                                  yes; `outcome` tells more
FunctionError        FunctionError                                                 yes, and it ran
None                 an error about no single call: BulkError, ExpectationError    see `result`
===================  ============================================================  ===========================
"""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from lmfunction._text import visible

if TYPE_CHECKING:
    from lmfunction._model import InvokeResult
    from lmfunction._render.card import Card

Kind = Literal[
    "ConstructionFailure", "DispatchFailure", "TimeoutError", "ResponseError", "ServiceError", "FunctionError"
]
Phase = Literal["dispatch", "wait", "response"]

__all__ = [
    "BulkError",
    "ExpectationError",
    "FunctionError",
    "GuardError",
    "InvocationInterrupted",
    "JournalError",
    "LMError",
    "LMWarning",
    "ParameterError",
    "ProfileError",
    "ServiceError",
    "TransportError",
]


class _ShortTraceback:
    """Gives an exception the hook by which IPython shows its own lines: a few, or with `full_traceback` Python's
    traceback. Never the values of variables, which `%xmode Verbose` would show: a secret can be among them.
    """

    full_traceback: bool = False

    def _render_traceback_(self) -> list[str]:
        if self.full_traceback and isinstance(self, BaseException):
            return _traceback_lines(self)
        return f"{type(self).__name__}: {self}".splitlines()


def _traceback_lines(error: BaseException) -> list[str]:
    """Python's traceback with the errors behind it, from the user's own code on."""
    import traceback

    found = traceback.TracebackException.from_exception(error)
    own = next((n for n, frame in enumerate(found.stack) if "IPython" not in pathlib.PurePath(frame.filename).parts), 0)
    found.stack = traceback.StackSummary.from_list(found.stack[own:])
    return [line for chunk in found.format() for line in chunk.rstrip("\n").split("\n")]


class LMError(_ShortTraceback, Exception):
    """Base of every error that lmfunction raises.

    `request_id` is the request id AWS gave, when an answer was seen.
    """

    _kind: ClassVar[Kind | None] = None

    def __init__(self, message: str = "", *, request_id: str | None = None) -> None:
        super().__init__(message)
        self.request_id = request_id

    def __str__(self) -> str:
        return visible(str(self.args[0])) if self.args else ""

    @property
    def kind(self) -> Kind | None:
        """What happened, as the table above names it; None for an error about no single call."""
        return self._kind

    def as_service_error(self) -> ServiceError | None:
        """The error itself when AWS answered and refused, else None."""
        return None

    def into_service_error(self) -> ServiceError:
        """A ServiceError in any case: the error itself, or one of code `Unhandled` whose cause it is."""
        found = self.as_service_error()
        if found is None:
            known = getattr(self, "outcome", _OUTCOMES.get(self.kind, "UNKNOWN"))
            found = ServiceError(str(self), code="Unhandled", request_id=self.request_id, outcome=known)
            found.__cause__ = self
        return found

    def card(self) -> Card:
        """The card that a notebook shows of an error that is a value, not raised."""
        from lmfunction._error_card import error_card

        return error_card(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # IPython has a printer of its own for exceptions, which would stand in for the bundle's text.
        alone = len(getattr(printer, "stack", ())) <= 1  # not in a list or a dict
        printer.text(self._repr_mimebundle_({"text/plain"})[0]["text/plain"] if alone else repr(self))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: f"{type(self).__name__}: {self}", include, exclude)


# What is known of the function when the error itself does not say it.
_OUTCOMES: Final[dict[Kind | None, str]] = {"ConstructionFailure": "NOT_SENT", "FunctionError": "FUNCTION_ERROR"}


class ParameterError(LMError, ValueError):
    """A line, a parameter or a value that cannot be used. Nothing was sent.

    `parameter` is the cmdlet spelling (`Payload`) or None. `source` is the text in which `line` and `column`
    (both from 1) point; secrets in it are masked already.
    """

    _kind = "ConstructionFailure"

    def __init__(
        self,
        message: str = "",
        *,
        parameter: str | None = None,
        source: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.source = source
        self.line = line
        self.column = column

    def __str__(self) -> str:
        text = super().__str__()
        caret = _caret(self.source, self.line or 1, self.column)
        return f"{text}\n{caret}" if caret else text


class ProfileError(LMError, ValueError):
    """A profile, a region, a credential or an endpoint that cannot be used. Nothing was sent.

    `file`, `line` and `column` (from 1) point into a YAML profile when the fault stands there.
    """

    _kind = "ConstructionFailure"

    def __init__(
        self, message: str = "", *, file: str | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(message)
        self.file = file
        self.line = line
        self.column = column

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        text = super().__str__()
        return f"{visible(where)}: {text}" if where else text


class GuardError(LMError):
    """A guard refused the call, or nobody was there to confirm it. Nothing was sent."""

    _kind = "ConstructionFailure"


class TransportError(LMError):
    """The call could not be completed.

    `sent` is False when provably nothing reached AWS, True when AWS answered and the answer was lost, None when
    nobody can know. `outcome` is the outcome class (`NOT_SENT`, `RESULT_LOST`, `UNKNOWN`); `attempts` counts the tries.
    `phase` is where it ended: `dispatch` on the way there, `wait` when the time was over, `response` in the answer.
    `result` is a streamed answer that broke off, with what had come of it in `received`.
    """

    result: Any = None

    def __init__(
        self,
        message: str = "",
        *,
        sent: Literal[True, False] | None = None,
        outcome: str = "UNKNOWN",
        request_id: str | None = None,
        attempts: int = 1,
        retryable: bool = False,
        phase: Phase = "dispatch",
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.sent = sent
        self.outcome = outcome
        self.attempts = attempts
        self.retryable = retryable
        self.phase = phase

    @property
    def kind(self) -> Kind:
        """ResponseError when an answer came, else DispatchFailure or TimeoutError, by `phase`."""
        return "ResponseError" if self.sent else _KINDS[self.phase]


_KINDS: Final[dict[str, Kind]] = {"dispatch": "DispatchFailure", "wait": "TimeoutError", "response": "ResponseError"}


class ServiceError(LMError):
    """AWS answered and refused, or failed itself.

    `code` is the error code (`ResourceNotFoundException`), `status` the HTTP status, `reason` the throttling reason,
    `retry_after` the seconds AWS asked to wait. `outcome` says whether the function can have run: `REJECTED` and
    `THROTTLED_OUT` are certain that it did not, `UNKNOWN` is not.
    """

    _kind = "ServiceError"

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "",
        status: int = 0,
        request_id: str | None = None,
        retry_after: float | None = None,
        reason: str | None = None,
        outcome: str = "UNKNOWN",
        attempts: int = 1,
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.code = code
        self.status = status
        self.retry_after = retry_after
        self.reason = reason
        self.outcome = outcome
        self.attempts = attempts

    def as_service_error(self) -> ServiceError:
        """The error itself."""
        return self


class FunctionError(LMError):
    """The function ran and failed. `result` is the whole `InvokeResult`."""

    _kind = "FunctionError"

    def __init__(self, message: str = "", *, result: InvokeResult | None = None) -> None:
        super().__init__(message, request_id=result.request_id if result is not None else None)
        self.result = result

    def card(self) -> Card:
        """The card of the function's answer."""
        return self.result.card() if self.result is not None else super().card()


class BulkError(LMError):
    """Some of many invocations did not succeed. `result` is the whole bulk result."""

    def __init__(self, message: str = "", *, result: Any = None) -> None:
        super().__init__(message)
        self.result = result

    def card(self) -> Card:
        """The card of the run."""
        return self.result.card() if self.result is not None else super().card()


class ExpectationError(LMError):
    """An `expect` in a pipeline was not met."""


class JournalError(LMError):
    """The journal of a bulk run, or the store of once keys, cannot be used."""

    _kind = "ConstructionFailure"


class LMWarning(UserWarning):
    """Something AWS would do silently and people did not expect."""


class InvocationInterrupted(_ShortTraceback, KeyboardInterrupt):
    """Ctrl-C while a call was under way: says whether the function can be running. Still a KeyboardInterrupt.

    `result` is the BulkResult so far when several objects were invoked, or the answer so far when it streams.
    """

    def __init__(self, message: str = "", *, sent: Literal[True, False] | None = None, result: Any = None) -> None:
        super().__init__(message)
        self.sent = sent
        self.result = result


def _caret(source: str | None, line: int, column: int | None, width: int = 110) -> str:
    """The line of `source` with a caret under `column`, cut to a window around it. Empty when there is no place."""
    if source is None or column is None:
        return ""
    lines = source.split("\n")
    while 0 < line < len(lines) and column > len(lines[line - 1]) + 1:  # a command line's column counts over its ends
        column -= len(lines[line - 1]) + 1
        line += 1
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    start = max(0, min(column - 1 - width // 2, len(text) - width))
    window = text[start : start + width]
    before = visible(window[: column - 1 - start], one_line=True)
    after = visible(window[column - 1 - start :], one_line=True)
    lead = "…" if start else ""
    tail = "…" if start + width < len(text) else ""
    return f"    {lead}{before}{after}{tail}\n    {' ' * len(lead + before)}^"

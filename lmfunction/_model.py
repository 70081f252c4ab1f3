"""The answer to one invocation as people read it, and what is known about each send."""

from __future__ import annotations

import dataclasses
import enum
import json
import os
import pathlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmfunction import _redact, _wire
from lmfunction._callables import is_function
from lmfunction._explain import FunctionFailure, explain
from lmfunction._redact import Redaction
from lmfunction._request import InvokeRequest
from lmfunction._text import did_you_mean, one_line
from lmfunction._user_files import write_atomically
from lmfunction._wire import RESULT_MEMBERS, Report
from lmfunction.errors import FunctionError, LMError

if TYPE_CHECKING:
    from lmfunction._render.card import Card


class Outcome(enum.StrEnum):
    """What is known about one send; the class decides whether it may be sent again."""

    OK = "OK"
    FUNCTION_ERROR = "FUNCTION_ERROR"
    ACCEPTED = "ACCEPTED"  # queued by Lambda, or checked by a dry run
    REJECTED = "REJECTED"  # refused for good
    THROTTLED_OUT = "THROTTLED_OUT"  # refused for now, and patience ended
    NOT_SENT = "NOT_SENT"
    RESULT_LOST = "RESULT_LOST"  # it ran, its answer was cut
    UNKNOWN = "UNKNOWN"  # nobody can know whether it ran


@dataclass(frozen=True, slots=True)
class Attempt:
    """One send: what came of it, how long it took and how long was waited before it, in ms."""

    outcome: Outcome
    code: str = ""
    elapsed_ms: float = 0.0
    waited_ms: float = 0.0


_UNREAD: Final = object()
_ATTRIBUTE_OF: Final = {name.casefold(): attribute for name, attribute in RESULT_MEMBERS.items()}


class InvokeResult:
    """The answer to one invocation.

    Attributes are Python's spelling (`status_code`), item access and `-Select` the wire's (`r["StatusCode"]`).
    `payload` is the decoded JSON, else text, else bytes; `raw_payload` always the bytes as received. `elapsed_ms`
    is the caller's time over all attempts. `attempts` counts the sends, `attempt_log` tells what came of each.
    A function that failed is a result too: `ok` is False and `error` tells why. `redaction` is what its card hides;
    the values themselves stay whole. `first_run` is when the call ran, where a key that is finished already brought its
    stored answer and nothing was sent.
    """

    __slots__ = (
        "_attempts",
        "_brief",
        "_decoded",
        "_failure",
        "_request",
        "_resend",
        "durable_execution_arn",
        "elapsed_ms",
        "executed_version",
        "first_run",
        "function_error",
        "log_result",
        "raw_payload",
        "redaction",
        "request_id",
        "status_code",
        "trace_id",
    )

    def __init__(
        self,
        request: InvokeRequest | tuple[InvokeRequest, bytes],
        status_code: int,
        raw_payload: bytes = b"",
        *,
        function_error: str | None = None,
        log_result: str | None = None,
        executed_version: str | None = None,
        durable_execution_arn: str | None = None,
        request_id: str | None = None,
        trace_id: str | None = None,
        elapsed_ms: float = 0.0,
        attempt_log: tuple[Attempt, ...] | None = (),
        resend: Callable[[InvokeRequest], InvokeResult] | None = None,
        redaction: Redaction = _redact.NONE,
        first_run: str | None = None,
    ) -> None:
        self._request = request
        self.status_code = status_code
        self.raw_payload = raw_payload
        self.function_error = function_error
        self.log_result = log_result
        self.executed_version = executed_version
        self.durable_execution_arn = durable_execution_arn
        self.request_id = request_id
        self.trace_id = trace_id
        self.elapsed_ms = elapsed_ms
        self._attempts = attempt_log
        self.redaction = redaction
        self.first_run = first_run
        self._resend = resend
        self._brief = False
        self._decoded: Any = _UNREAD
        self._failure: FunctionFailure | None = None

    @property
    def request(self) -> InvokeRequest:
        """The request that was answered."""
        if isinstance(self._request, tuple):  # one of many that differ in their payload only: made when looked at
            like, payload = self._request
            self._request = dataclasses.replace(like, payload=payload)
        return self._request

    @property
    def like(self) -> InvokeRequest:
        """The request, whose payload may be that of another call of the same run."""
        return self._request[0] if isinstance(self._request, tuple) else self._request

    @property
    def attempt_log(self) -> tuple[Attempt, ...]:
        """What came of each send."""
        if self._attempts is None:  # the usual one, of a run with many
            self._attempts = (Attempt(Outcome.OK, "", self.elapsed_ms),)
        return self._attempts

    @property
    def payload(self) -> Any:
        """The answer's body decoded: JSON's value, else text, else bytes; None when the body is empty."""
        if self._decoded is _UNREAD:
            self._decoded = _decode(self.raw_payload)
        return self._decoded

    @property
    def ok(self) -> bool:
        """Whether the function did not fail."""
        return self.function_error is None

    @property
    def error(self) -> FunctionFailure | None:
        """Why the function failed, or None."""
        if self.function_error is not None and self._failure is None:
            self._failure = explain(self.function_error, self.payload)
        return self._failure

    def explained(self, failure: FunctionFailure) -> None:
        """Sets why the function failed, where the payload does not tell it."""
        self._failure = failure

    @property
    def log(self) -> str | None:
        """The log tail as text (`LogType` Tail: the last 4 KB), or None."""
        return _wire.decode_log(self.log_result)

    @property
    def report(self) -> Report | None:
        """The REPORT figures of the log tail, or None."""
        return _wire.parse_report(self.log)

    @property
    def attempts(self) -> int:
        """How many times the request was sent or tried."""
        return max(len(self._attempts or ()), 1)

    @property
    def outcome(self) -> Outcome:
        """The outcome class of the call."""
        if self.function_error is not None:
            return Outcome.FUNCTION_ERROR
        return Outcome.OK if self.status_code == 200 else Outcome.ACCEPTED

    @property
    def replayed(self) -> bool:
        """Whether it is the stored answer of an earlier run, so that nothing was sent."""
        return self.first_run is not None

    @property
    def was_shown(self) -> bool:
        """Whether its card was just shown."""
        return self._brief

    def shown(self, just: bool = True) -> None:
        """Tells that the card was just shown, so that the next display is the one-line repr; False takes it back."""
        self._brief = just

    def raise_for_error(self) -> InvokeResult:
        """The result itself; raises FunctionError when the function failed."""
        if self.error is not None:
            from lmfunction._result_text import failure_text

            raise FunctionError(failure_text(self, self.error), result=self)
        return self

    def select(self, expression: str) -> Any:
        """What the JMESPath `expression` finds in `to_dict()`; the first name is matched in any case."""
        from lmfunction._select import compile_expression

        return compile_expression(expression, RESULT_MEMBERS).search(self.to_dict())

    def replay(self) -> InvokeResult:
        """Sends the same request again, through the session that sent it, and gives the new result."""
        if self._resend is None:
            raise LMError("This result was loaded or made by hand: there is no session to send it again with.")
        return self._resend(self.request)

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Writes the raw payload to `path`; a crash leaves the old file or the new one, never half."""
        target = pathlib.Path(path)
        write_atomically(target, self.raw_payload)
        return target

    def to_dict(self) -> dict[str, Any]:
        """A plain dict under the wire's names, payload and log decoded, absent members left out."""
        found: dict[str, Any] = {}
        for name, attribute in RESULT_MEMBERS.items():
            value = getattr(self, attribute)
            if attribute == "payload":
                if self.raw_payload:
                    found[name] = value
            elif isinstance(value, Report | FunctionFailure):
                found[name] = _camel(value)
            elif value is not None and value is not False:
                found[name] = value
        return found

    def to_frame(self) -> Any:
        """The payload as a pandas DataFrame: one row for an object, one a list item.

        Raises LMError without `lmfunction[frame]`.
        """
        from lmfunction._frames import frame_of

        rows = self.payload if isinstance(self.payload, list) else [self.payload]
        return frame_of([row if isinstance(row, dict) else {"Payload": row} for row in rows])

    def keys(self) -> list[str]:
        """The wire names that this result has."""
        return list(self.to_dict())

    def __getitem__(self, name: str) -> Any:
        attribute = _ATTRIBUTE_OF.get(name.casefold()) if isinstance(name, str) else None
        if attribute is None:
            raise KeyError(f"{name!r} is no member of a result.{did_you_mean(str(name), RESULT_MEMBERS)}")
        return getattr(self, attribute)

    def __getattr__(self, name: str) -> Any:
        attribute = RESULT_MEMBERS.get(name)
        if attribute is None:
            hint = did_you_mean(name, [*RESULT_MEMBERS, *RESULT_MEMBERS.values()])  # of two that fold alike, the last
            raise AttributeError(f"InvokeResult has no attribute {name!r}.{hint}")
        return getattr(self, attribute)

    def __or__(self, other: Any) -> Any:
        # A stage, or the pipe of another library, decides by its own `__ror__` what becomes of the result.
        return other(self) if is_function(other) else NotImplemented

    def __iter__(self) -> Iterator[Any]:
        # Without this, item access alone would make Python try r[0], r[1] ...
        raise TypeError("an InvokeResult is one object; iterate over its .payload")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *RESULT_MEMBERS})

    def __getstate__(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in self.__slots__ if not name.startswith("_")}
        found |= {"_request": self.request, "_attempts": self.attempt_log}
        # The secrets' values are not written into a file with the result.
        return {**found, "redaction": dataclasses.replace(self.redaction, secrets=())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self._resend, self._decoded, self._failure, self._brief = None, _UNREAD, None, False

    def __repr__(self) -> str:
        from lmfunction._cards import failure_told
        from lmfunction._result_text import payload_text

        if self.error is not None:
            what = f" {self.function_error} {failure_told(self.error, self.redaction)}"
        else:
            what = f" {payload_text(self)}" if self.raw_payload else ""
        version = f" {self.executed_version}" if self.executed_version else ""
        head = f"<{type(self).__name__} {self.status_code} {self.request.label}{version} {self.elapsed_ms:.0f} ms"
        told = self.redaction.text(f"{head}{' replayed' if self.replayed else ''}{what}")
        return one_line(told, 160) + ">"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def card(self) -> Card:
        """The card that notebooks and terminals show."""
        from lmfunction._cards import result_card

        return result_card(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        if self._brief:
            self._brief = False
            return {"text/plain": repr(self)}
        return mime_bundle(self.card, lambda: repr(self), include, exclude)

    def _ipython_key_completions_(self) -> list[str]:
        return self.keys()


def _decode(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        text = raw.decode("utf-8-sig")  # json.loads on bytes would guess UTF-16 for some
    except UnicodeDecodeError:
        return raw
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _camel(value: Report | FunctionFailure) -> dict[str, Any]:
    """A small value under CamelCase names, absent members left out: `{"DurationMs": 3.0}`."""
    pairs = ((name, getattr(value, name)) for name in value.__slots__)
    return {
        "".join(part.capitalize() for part in name.split("_")): list(item) if isinstance(item, tuple) else item
        for name, item in pairs
        if item not in (None, "", ())
    }

"""The answer of a function that streams, as people read it: bit by bit while it comes, and whole when it has ended."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self

from lmfunction._explain import FunctionFailure
from lmfunction._model import InvokeResult
from lmfunction._text import size
from lmfunction.errors import InvocationInterrupted, TransportError

if TYPE_CHECKING:
    from lmfunction._render.card import Card


class Source(Protocol):
    """Where the bits come from."""

    def next(self) -> bytes | Ending:
        """The next bit of the payload, or how the function ended. Raises TransportError when nothing more will come."""

    def close(self) -> None:
        """Lets go of the connection."""


class Ending:
    """How the function ended, as its last event tells; `failure` is the reason where that stands there, too."""

    def __init__(self, members: Mapping[str, Any], failure: FunctionFailure | None = None) -> None:
        self.function_error: str | None = members.get("ErrorCode") or None
        self.log_result: str | None = members.get("LogResult") or None
        self.failure = failure


Ended = Callable[["StreamResult", BaseException | None], None]


class StreamResult(InvokeResult):
    """The answer of a function that streams.

    Iterating gives the payload as text, bit by bit while the function runs (a character is never cut in two), `raw` as
    bytes; a second time what came is given again. Whatever is known at the end only (`payload`, `log`, `error`, `ok`,
    `report`) waits for it. `received` is what has come so far and `over` whether that is all. `close()`, or leaving a
    `with` block, stops reading; the function runs on. Displaying it never waits and never reads.
    """

    __slots__ = (
        "_chunks",
        "_ended",
        "_ending",
        "_fault",
        "_source",
        "_stops",
        "_whole",
        "content_type",
        "payload_shown",
    )

    def __init__(
        self,
        *args: Any,
        source: Source,
        content_type: str | None = None,
        stops: bool = False,
        ended: Ended = lambda *_: None,
        **keywords: Any,
    ) -> None:
        """`stops`: a function that failed raises FunctionError at the end of an iteration.

        `ended` hears once when the answer is over: of the result, and of what ended it before its end or None.
        """
        self._chunks: list[bytes] = []
        self._source: Source | None = source
        self._ending: Ending | None = None
        self._fault: BaseException | None = None
        self._whole: bytes | None = None
        self._stops = stops
        self._ended = ended
        self.content_type = content_type
        self.payload_shown = False
        super().__init__(*args, **keywords)

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self._source is None

    @property
    def received(self) -> bytes:
        """The bytes that have come so far."""
        return b"".join(self._chunks)

    @property
    def raw(self) -> Iterator[bytes]:
        """The payload's bytes as they come. Raises TransportError when the answer breaks off."""
        at = 0
        while at < len(self._chunks) or self._advance():
            yield self._chunks[at]
            at += 1
        if self._stops:
            self.raise_for_error()

    def __iter__(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for data in self.raw:
            if text := decoder.decode(data):
                yield text
        if text := decoder.decode(b"", True):
            yield text

    def finish(self) -> Self:
        """Reads to the end and gives the result itself. Raises TransportError when the answer breaks off."""
        while self._advance():
            pass
        return self

    def close(self) -> None:
        """Stops reading. The function runs on, and what it still sends is lost."""
        if self._source is not None:
            self._end(self._left())

    def interrupted(self) -> InvocationInterrupted:
        """What to raise for a Ctrl-C, by which the answer is given up."""
        if self._source is None and self._fault is None:
            return InvocationInterrupted(f"Stopped. {self.request.label} has ended.", sent=True, result=self)
        told = InvocationInterrupted(self._stop_text(), sent=True, result=self)
        if self._source is not None:
            self._end(self._left(), told)
        return told

    def shown(self, just: bool = True) -> None:
        """As of any result; False has the card show the payload again, which was seen while it came."""
        super().shown(just)
        self.payload_shown = self.payload_shown and just

    def collected(self) -> InvokeResult:
        """The whole answer as an ordinary result, waited for."""
        self.finish()
        result = InvokeResult(
            self.request,
            self.status_code,
            self.raw_payload,
            function_error=self.function_error,
            log_result=self.log_result,
            executed_version=self.executed_version,
            request_id=self.request_id,
            trace_id=self.trace_id,
            elapsed_ms=self.elapsed_ms,
            redaction=self.redaction,
        )
        if self._failure is not None:
            result.explained(self._failure)
        return result

    # What the end tells. The parent's constructor sets them too, to nothing.

    @property
    def raw_payload(self) -> bytes:
        """The payload as received, whole."""
        if self._whole is None:
            self._whole = self.finish().received
        return self._whole

    @raw_payload.setter
    def raw_payload(self, _: bytes) -> None:
        pass

    @property
    def function_error(self) -> str | None:
        """The kind of failure, or None."""
        self.finish()
        return self._ending.function_error if self._ending is not None else None

    @function_error.setter
    def function_error(self, _: str | None) -> None:
        pass

    @property
    def log_result(self) -> str | None:
        """The log's tail in base64, or None."""
        self.finish()
        return self._ending.log_result if self._ending is not None else None

    @log_result.setter
    def log_result(self, _: str | None) -> None:
        pass

    # -- as it comes

    def _advance(self) -> bool:
        """Takes in what comes next; False when it has all come. Raises what has ended it, each time."""
        if self._fault is not None:
            raise self._fault
        if self._source is None:
            return False
        try:
            found = self._source.next()
        except KeyboardInterrupt:
            raise self.interrupted() from None
        except BaseException as error:
            self._end(error)
            raise
        if not isinstance(found, Ending):
            self._chunks.append(found)
            return True
        self._ending, self._failure = found, found.failure
        self._end(None)
        return False

    def _end(self, fault: BaseException | None, told: BaseException | None = None) -> None:
        """Ends the answer by `fault`, which whoever asks for more gets; `told` is what is written down in its place."""
        source, self._source = self._source, None
        self._fault = fault
        if isinstance(fault, TransportError):
            fault.result = self
        if source is not None:
            source.close()
        self._ended(self, told or fault)

    def _left(self) -> TransportError:
        return TransportError(self._stop_text(), sent=True, outcome="RESULT_LOST", request_id=self.request_id)

    def _stop_text(self) -> str:
        return (
            f"Stopped reading after {sum(map(len, self._chunks)):,} bytes. {self.request.label} may still be running: "
            "AWS cannot cancel an invocation. Look into its log before you repeat the call."
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_source", None) is not None:
            with contextlib.suppress(Exception):  # nobody could catch it here
                self.close()

    def __reduce__(self) -> Any:
        whole = self.collected()
        return _restored, (whole.__getstate__(), whole.error)

    # -- shown without waiting

    def __repr__(self) -> str:
        if self._is_whole:
            return super().__repr__()
        state = "broke off" if self.over else "streaming"
        return f"<StreamResult {self.status_code} {self.request.label} {state}, {self._so_far} so far>"

    def card(self) -> Card:
        """The card; while the answer comes it tells how much there is."""
        if self._is_whole:
            return super().card()
        from lmfunction._cards import stream_card

        return stream_card(self, self._so_far)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        if self._is_whole:
            return super()._repr_mimebundle_(include, exclude)
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: repr(self), include, exclude)

    def _ipython_key_completions_(self) -> list[str]:
        return self.keys() if self._is_whole else []

    @property
    def _is_whole(self) -> bool:
        return self.over and self._fault is None

    @property
    def _so_far(self) -> str:
        return size(sum(map(len, self._chunks)))


def _restored(state: dict[str, Any], failure: FunctionFailure | None) -> InvokeResult:
    result = InvokeResult.__new__(InvokeResult)
    result.__setstate__(state)
    if failure is not None:
        result.explained(failure)
    return result

"""A response that streams: what a runtime sends bit by bit, and the answer of InvokeWithResponseStream made of it.

Nothing is kept on the way but what the sockets hold: when the caller reads slowly, the runtime is read slowly. A caller
that has gone away holds nobody up; the function runs on, as on AWS, and the rest of its response is thrown away.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Final

from lmfunction import _wire
from lmfunction.local._frames import CONTENT_TYPE, event_frame
from lmfunction.local._http import Answer, Body, Flow
from lmfunction.local._invocation import Invocation, Outcome, Receiver, stream_too_large_payload, too_large_payload

_PIECE: Final = 1_048_576  # bytes in one event at most; AWS's are smaller, their readers take 24 MB


class StreamedResponse:
    """The response of one invocation while its runtime sends it (an `_http.Sink`).

    Without a receiver it is collected, as Invoke wants it. `on_overflow` hears once that it is longer than it may be;
    `on_cut` that the runtime's connection broke in the middle.
    """

    def __init__(
        self,
        receiver: Receiver | None,
        content_type: str,
        *,
        on_overflow: Callable[[bytes], None],
        on_cut: Callable[[], None],
    ) -> None:
        self._receiver = receiver
        self._content_type = content_type
        self._on_overflow = on_overflow
        self._on_cut = on_cut
        self._limit = _wire.SYNC_RESPONSE_LIMIT if receiver is None else _wire.STREAM_RESPONSE_LIMIT
        self._size = 0
        self._collected = bytearray()
        self._over = False

    @property
    def payload(self) -> bytes:
        """What was collected; nothing where a receiver took it."""
        return bytes(self._collected)

    def begin(self, flow: Flow) -> None:
        """The body begins."""
        if self._receiver is not None:
            self._receiver.begin(self._content_type, flow)

    def put(self, data: bytes) -> None:
        """The next bytes of the body; what is beyond the limit is thrown away."""
        self._size += len(data)
        if self._over:
            return
        if self._size > self._limit:
            self.abandon()
            self._on_overflow(too_large_payload() if self._receiver is None else stream_too_large_payload())
        elif self._receiver is None:
            self._collected += data
        else:
            self._receiver.put(data)

    def cut(self) -> None:
        """The connection ended before the body did."""
        if not self._over:
            self._on_cut()

    def abandon(self) -> None:
        """Has whatever still comes thrown away: the invocation is over."""
        self._over = True
        self._collected.clear()


def reported_error(trailers: dict[str, str]) -> bytes | None:
    """The error object in the trailers of a streamed response; None when it ended well.

    Raises nothing: a body that is not base64 is an error without details.
    """
    kind = trailers.get("lambda-runtime-function-error-type")
    body = trailers.get("lambda-runtime-function-error-body")
    if kind is None and body is None:
        return None
    try:
        found = base64.b64decode(body or "", validate=True)
    except ValueError:
        found = b""
    return found or json.dumps({"errorType": kind or "Unknown", "errorMessage": ""}, separators=(",", ":")).encode()


class StreamAnswer:
    """The answer of InvokeWithResponseStream to one invocation (a `Receiver`): its head goes out with the first bytes.

    Source: the operation's model. AWS has not been recorded; that an error's object stands in ErrorDetails alone, and
    is no chunk, is our reading of it.
    """

    def __init__(self, invocation: Invocation, reply: Callable[[Answer], None]) -> None:
        self._invocation = invocation
        self._reply = reply
        self._body: Body | None = None
        self._flow: Flow | None = None

    def begin(self, content_type: str, flow: Flow) -> None:
        """Sends the head."""
        self._flow = flow
        self._open(content_type)

    def put(self, data: bytes) -> None:
        """Sends bytes of the payload as events, and slows the runtime down to what the caller takes."""
        assert self._body is not None
        for at in range(0, len(data), _PIECE):
            self._body.write(event_frame("PayloadChunk", data[at : at + _PIECE], "application/octet-stream"))
        if self._body.full and self._flow is not None:
            self._flow.pause()

    def finish(self, outcome: Outcome) -> None:
        """Sends what is left: the payload of a function that did not stream, and how it ended."""
        if self._body is None:
            self._open("application/json")
        assert self._body is not None
        ending: dict[str, str] = {}
        if outcome.error is not None:
            ending["ErrorCode"] = outcome.error
            ending["ErrorDetails"] = outcome.payload.decode("utf-8", "replace")
        elif outcome.payload:
            self._flow = None
            self.put(outcome.payload)
        if self._invocation.wants_log:
            ending["LogResult"] = base64.b64encode(outcome.log).decode()
        self._body.write(event_frame("InvokeComplete", json.dumps(ending).encode(), "application/json"))
        self._body.end()

    def _open(self, content_type: str) -> None:
        headers = (
            ("Content-Type", CONTENT_TYPE),
            (_wire.REQUEST_ID, self._invocation.request_id),
            (_wire.REMAPPED_CONTENT_TYPE, content_type),
            (_wire.EXECUTED_VERSION, self._invocation.configuration.version),
            (_wire.TRACE_ID, self._invocation.trace_id),
        )
        self._reply(Answer(200, headers, stream=self._opened))

    def _opened(self, body: Body) -> None:
        self._body = body
        body.on_room = self._go_on

    def _go_on(self) -> None:
        if self._flow is not None:
            self._flow.resume()

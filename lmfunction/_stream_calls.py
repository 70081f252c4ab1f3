"""InvokeWithResponseStream run: sent once, shown while it comes where somebody watches, handed out where it is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from lmfunction._dispatch import Scribe
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._event_stream import EventStream, NoEvents
from lmfunction._live_text import LiveText
from lmfunction._operation_plan import OperationPlan
from lmfunction._progress import Progress, Viewer, Viewers, shown, wanted
from lmfunction._redact import NONE
from lmfunction._request import InvokeRequest, Target
from lmfunction._stream_result import Ended, StreamResult
from lmfunction._waiting import tick

Send = Callable[[], Mapping[str, Any]]
# What needs the answer's end, so that it is waited for.
_WHOLE: Final = ("select", "pass_thru", "out_variable")


def stream(
    plan: OperationPlan, engine: Engine, door: Door, scribe: Scribe, arguments: Mapping[str, Any], send: Send
) -> StreamResult:
    """The answer of `send`: read to its end and shown meanwhile, or still to be read where the door hands streams out.

    Raises what `send` raises, GuardError where the audit cannot be written, and what ends a stream before its end.
    """
    whole = any(arguments.get(name) not in (None, False, "*") for name in _WHOLE)
    if door.streams and not whole:
        stops = arguments.get("error_action", door.error_action) == "Stop"
        with _progress(plan, engine, door, arguments):
            return _opened(plan, engine, scribe, send, stops=stops)
    text = LiveText()
    seen = not whole and _may_be_seen(plan, door, arguments)
    live = door.live(text, plan.place.profile.redaction.text) if seen else ()
    with _progress(plan, engine, door, arguments, live, text):
        result = _opened(plan, engine, scribe, send)
        try:
            for piece in result:
                if live:
                    text.add(piece)
                    tick()  # it is to be seen at once
        except KeyboardInterrupt:
            raise result.interrupted() from None
    result.payload_shown = bool(live)
    return result


def _may_be_seen(plan: OperationPlan, door: Door, arguments: Mapping[str, Any]) -> bool:
    """Whether the answer may be shown before its end: what a profile hides can only be found in a whole one."""
    wished = arguments.get("progress_action", door.progress_action) == "Continue"
    return wished and plan.place.profile.redaction == NONE


def _progress(
    plan: OperationPlan,
    engine: Engine,
    door: Door,
    arguments: Mapping[str, Any],
    live: Viewers = (),
    text: LiveText | None = None,
) -> Any:
    """Shows the wait until something comes, and from then on that."""
    viewers = wanted(arguments, door.progress_action, door.progress)
    if live and text is not None:
        viewers = (*(_before(viewer, text) for viewer in viewers), *live)
    return shown(viewers, plan.progress, engine.policy.clock)


def _before(viewer: Viewer, text: LiveText) -> Viewer:
    """The viewer, which draws nothing of a wait that something has ended."""
    drawn: list[Progress] = []

    def draw(progress: Progress) -> None:
        if drawn if progress.ended else not text.length:
            drawn.append(progress)
            viewer.draw(progress)

    return dataclasses.replace(viewer, draw=draw)


def _opened(plan: OperationPlan, engine: Engine, scribe: Scribe, send: Send, *, stops: bool = False) -> StreamResult:
    """The answer, its head read. The scribe writes down how it ends when it does."""
    clock = engine.policy.clock
    writing = scribe.begin()
    start = clock()

    def ended(result: StreamResult, fault: BaseException | None) -> None:
        result.elapsed_ms = (clock() - start) * 1000
        if fault is None:
            writing.answered(result)
        else:
            writing.failed(fault)

    try:
        return _result(plan, send(), ended, stops=stops)
    except BaseException as error:
        writing.failed(error)
        raise


def _result(plan: OperationPlan, answer: Mapping[str, Any], ended: Ended, *, stops: bool) -> StreamResult:
    metadata = answer.get("ResponseMetadata", {})
    request_id = metadata.get("RequestId")
    events = answer.get("EventStream")
    return StreamResult(
        _request(plan),
        int(answer.get("StatusCode", 200)),
        source=NoEvents() if events is None else EventStream(events, request_id),
        content_type=metadata.get("HTTPHeaders", {}).get("x-amzn-remapped-content-type"),
        stops=stops,
        ended=ended,
        executed_version=answer.get("ExecutedVersion"),
        request_id=request_id,
        trace_id=metadata.get("HTTPHeaders", {}).get("x-amzn-trace-id"),
        redaction=plan.place.profile.redaction,
    )


def _request(plan: OperationPlan) -> InvokeRequest:
    members, place = plan.members, plan.place
    connection = place.connection
    target = Target(connection.region, connection.endpoint_url, place.profile_name, connection.aws_profile)
    return InvokeRequest(
        members["FunctionName"],
        members.get("Payload", b"{}"),
        members.get("InvocationType", "RequestResponse"),
        members.get("LogType", "None"),
        members.get("ClientContext"),
        members.get("Qualifier"),
        members.get("TenantId"),
        target=target,
    )

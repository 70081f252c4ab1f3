"""The answer of InvokeWithResponseStream, collected: all chunks of the payload, then how the function ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lmfunction._connection import Place
from lmfunction._explain import explain
from lmfunction._model import InvokeResult
from lmfunction._request import InvokeRequest, Target
from lmfunction.errors import TransportError


def collected(answer: Mapping[str, Any], members: Mapping[str, Any], place: Place) -> InvokeResult:
    """The whole answer as one result; a function that failed while it streamed keeps what it had sent as payload.

    Raises TransportError when the stream ends before the function did.
    """
    chunks: list[bytes] = []
    complete: Mapping[str, Any] | None = None
    metadata = answer.get("ResponseMetadata", {})
    request_id = metadata.get("RequestId")
    if "EventStream" in answer:  # a DryRun has none
        for event in answer["EventStream"]:
            chunks.append(event.get("PayloadChunk", {}).get("Payload", b""))
            complete = event.get("InvokeComplete", complete)
        if complete is None and answer.get("StatusCode", 200) == 200:
            raise TransportError(
                f"The function ran, but its answer is lost: the stream ended after {sum(map(len, chunks)):,} bytes, "
                f"before the function did. It was not sent again.\n  RequestId: {request_id or 'none'}",
                sent=True,
                outcome="RESULT_LOST",
                request_id=request_id,
            )
    ending = complete or {}
    result = InvokeResult(
        _request(members, place),
        int(answer.get("StatusCode", 200)),
        b"".join(chunks),
        function_error=ending.get("ErrorCode") or None,
        log_result=ending.get("LogResult") or None,
        executed_version=answer.get("ExecutedVersion"),
        request_id=request_id,
        trace_id=metadata.get("HTTPHeaders", {}).get("x-amzn-trace-id"),
    )
    if result.function_error is not None and ending.get("ErrorDetails"):
        # The payload is what was streamed before; why the function failed stands in the stream's last event.
        result.explained(explain(result.function_error, _details(ending["ErrorDetails"])))
    return result


def _details(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _request(members: Mapping[str, Any], place: Place) -> InvokeRequest:
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

"""What the journal is told of a call that ended."""

from __future__ import annotations

from lmfunction._ledger import Settlement
from lmfunction._model import Outcome
from lmfunction._sending import Sending
from lmfunction._text import one_line
from lmfunction._transport import Reply
from lmfunction.errors import LMError, ServiceError


def answered(sending: Sending, reply: Reply) -> Settlement:
    """How an item ended that Lambda answered, whether its function failed or not."""
    get = reply.headers.get
    error = get("x-amz-function-error")
    outcome = "FUNCTION_ERROR" if error is not None else "OK" if reply.status == 200 else "ACCEPTED"
    return Settlement(
        sending.item.index,
        len(sending.attempts) or 1,
        outcome,
        reply.status,
        None,
        None,
        get("x-amzn-requestid"),
        get("x-amz-executed-version"),
        error,
        reply.body,
        sending.seconds * 1000,
        get("x-amz-log-result"),
        get("x-amz-durable-execution-arn"),
        get("x-amzn-trace-id"),
    )


def refused(sending: Sending, error: LMError, *, final: bool) -> Settlement:
    """How a try ended that has no answer; `final` unless the item is sent again."""
    service = error if isinstance(error, ServiceError) else None
    return Settlement(
        sending.item.index,
        len(sending.attempts),
        str(getattr(error, "outcome", Outcome.NOT_SENT)),
        None if service is None else service.status,
        code=type(error).__name__ if service is None else service.code,
        reason=(service and service.reason) or one_line(str(error).partition("\n")[0], 300),
        request_id=error.request_id,
        final=final,
    )
